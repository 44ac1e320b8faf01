package segment

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"edgeward"
	"edgeward/runtime/vault"
	"edgeward/sync/disk"
)

var (
	segName    = regexp.MustCompile(`^(\d{20})\.seg$`)
	sealedName = regexp.MustCompile(`^(\d{20})-(\d{20})\.parquet$`)
)

// Open reads the directory, makes it if it is missing, cuts a torn tail and makes everything found durable. A file of a
// newer format is Conflict "segment.newer".
func Open(dir string, o Options) (*Log, error) {
	const op = "segment.Open"
	if err := disk.MkdirAll(dir); err != nil {
		return nil, disk.Err(op, err)
	}
	l := &Log{dir: dir, o: o.withDefaults(), stuck: map[string]bool{}, syncing: make(chan struct{}, 1), changed: make(chan struct{}), next: 1}
	l.syncing <- struct{}{}
	if err := CheckKeys(dir, l.o.Keys); err != nil {
		return nil, edgeward.Wrap(op, err)
	}
	if err := l.inventory(); err != nil {
		return nil, disk.Err(op, err)
	}
	if err := l.resume(); err != nil {
		return nil, disk.Err(op, err)
	}
	l.durable = l.next
	return l, nil
}

// CheckKeys reports the first file in dir whose data key is not there, and changes nothing: Unavailable "key.unknown". keys
// nil is for none: any file that is encrypted.
func CheckKeys(dir string, keys *vault.Ring) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return disk.Err("segment.Open", err)
	}
	for _, e := range entries {
		var id vault.ID
		var encrypted bool
		switch {
		case segName.MatchString(e.Name()):
			b, err := firstBytes(filepath.Join(dir, e.Name()), headerSize+keySize)
			if err != nil {
				return disk.Err("segment.Open", err)
			}
			if format, _, ok := parseHeader(b); ok && format == Format {
				var h vault.Head
				h, encrypted = parseKey(b)
				id = h.Key
			}
		case sealedName.MatchString(e.Name()):
			b, err := firstBytes(filepath.Join(dir, e.Name()), vault.FileHead)
			if err != nil {
				return disk.Err("segment.Open", err)
			}
			id, encrypted = vault.IsFile(b)
		}
		if encrypted && (keys == nil || !keys.Has(id)) {
			return vault.Locked(id)
		}
	}
	return nil
}

// firstBytes are the first n bytes of a file, or all when it is shorter.
func firstBytes(p string, n int) ([]byte, error) {
	f, err := os.Open(p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, n)
	n, err = io.ReadFull(f, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return b[:n], err
}

// inventory fills files and sealed from the folder and removes what a crash left half done.
func (l *Log) inventory() error {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		p := filepath.Join(l.dir, e.Name())
		st, err := e.Info()
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(e.Name(), ".tmp-"):
			err = os.Remove(p)
		case segName.MatchString(e.Name()):
			err = l.addFile(p, number(segName.FindStringSubmatch(e.Name())[1]), st)
		case sealedName.MatchString(e.Name()):
			m := sealedName.FindStringSubmatch(e.Name())
			s := Sealed{Path: p, First: number(m[1]), Last: number(m[2]), Bytes: st.Size(), End: st.ModTime()}
			var b []byte
			if b, err = firstBytes(p, vault.FileHead); err == nil {
				s.key, _ = vault.IsFile(b)
				l.sealed = append(l.sealed, s)
			}
		}
		if err != nil {
			return err
		}
	}
	slices.SortFunc(l.sealed, func(a, b Sealed) int { return int(int64(a.First - b.First)) })
	if n := len(l.sealed); n > 0 {
		l.next = l.sealed[n-1].Last + 1
	}
	for len(l.files) > 0 && l.files[0].first < l.next { // sealed, but a crash came before its removal
		if err := os.Remove(l.files[0].path); err != nil {
			return err
		}
		l.files = l.files[1:]
	}
	return nil
}

// addFile notes one .seg file; ReadDir gives them in order.
func (l *Log) addFile(p string, first uint64, st os.FileInfo) error {
	if first == 0 {
		return fmt.Errorf("%s: numbers start at 1", p)
	}
	b, err := firstBytes(p, headerSize+keySize)
	if err != nil {
		return err
	}
	seg := file{path: p, first: first, created: st.ModTime(), size: st.Size(), head: headerSize}
	format, created, ok := parseHeader(b)
	if ok && format > Format {
		return edgeward.E("segment.Open", edgeward.Conflict, "segment.newer", "%s has format %d, this program reads up to %d", p, format, Format).
			WithHint("the data directory was used by a newer edgeward: start that one, or restore a backup")
	}
	if ok {
		seg.created = created
	} else if st.Size() > headerSize { // the name says all that the header does
		l.o.Log.Warn("damaged header of a segment", "path", p)
	}
	key, encrypted := parseKey(b)
	switch {
	case ok && format != Format, !ok && !encrypted && !l.framesAt(p, headerSize+keySize, seg.size): // not encrypted
	case encrypted && l.o.Keys != nil && l.o.Keys.Has(key.Key):
		seg.head, seg.key = headerSize+keySize, key.Key
		if seg.aead, err = l.o.Keys.Frames(key, framesInfo(first)); err != nil {
			return err
		}
	default:
		seg.head, seg.lost = headerSize+keySize, true
		if seg.size > seg.head {
			l.o.Log.Error("damaged key of a segment: what is in it cannot be read", "path", p)
		}
	}
	l.files = append(l.files, seg)
	return nil
}

// framesAt reports whether a frame begins at off.
func (l *Log) framesAt(p string, off, size int64) bool {
	f, err := os.Open(p)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = scan(f, off, size).next()
	return err == nil
}

// resume opens the newest file for appending, or makes the first, or the next where the newest may not grow: it is not
// encrypted with the newest data key.
func (l *Log) resume() error {
	now := l.o.Now()
	if len(l.files) == 0 {
		return l.start(now)
	}
	last := l.active()
	f, err := os.OpenFile(last.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if !last.empty() {
		l.size, l.next, err = l.cutTail(f, *last)
		last.size, l.oldest = l.size, last.created
	}
	if l.next < last.first {
		l.next = last.first
	}
	if err == nil && last.empty() { // no frame was ever in it
		last.created, l.oldest = now, time.Time{}
		var head []byte
		if head, err = last.begin(l.o.Keys); err == nil {
			err = f.Truncate(0)
		}
		if err == nil {
			_, err = f.WriteAt(head, 0)
		}
		l.size = last.size
	}
	l.f = f
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		f.Close()
		return err
	}
	if !l.grows(*last) {
		if err := f.Close(); err != nil {
			return err
		}
		l.oldest = time.Time{}
		return l.start(now)
	}
	return nil
}

// start makes the file that is appended to.
func (l *Log) start(now time.Time) error {
	f, seg, err := create(l.dir, l.next, now, l.o.Keys)
	l.f, l.size, l.files = f, seg.size, append(l.files, seg)
	return err
}

// grows reports whether frames may be appended to a file.
func (l *Log) grows(f file) bool {
	if l.o.Keys == nil {
		return f.key == vault.ID{} && !f.lost
	}
	return f.key == l.o.Keys.Current()
}

// cutTail finds the end of the last whole frame, cuts what follows and returns the new size and the next number.
func (l *Log) cutTail(f *os.File, seg file) (int64, uint64, error) {
	s, next := scan(f, seg.head, seg.size), seg.first
	for {
		_, err := s.next()
		switch {
		case err == nil:
			next++
		case errors.Is(err, errDamaged):
			l.o.Log.Error("damaged frame in a segment", "path", seg.path, "seq", next)
			next++
		case err == io.EOF:
			return s.off, next, nil
		case errors.Is(err, errTorn):
			aside := filepath.Join(l.dir, fmt.Sprintf("%020d-%d.aside", seg.first, s.off))
			if err := copyOut(aside, f, s.off, seg.size); err != nil {
				l.o.Log.Error("could not keep the torn tail of a segment", "path", seg.path, "error", err)
			}
			l.o.Log.Warn("cut the torn tail of a segment", "path", seg.path, "bytes", seg.size-s.off, "kept", aside)
			return s.off, next, f.Truncate(s.off)
		default:
			return 0, 0, err
		}
	}
}

func copyOut(p string, f *os.File, from, to int64) error {
	out, err := os.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.NewSectionReader(f, from, to-from))
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		os.Remove(p)
	}
	return err
}

func number(digits string) uint64 {
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil { // 20 digits may be too many: 0 is refused
		return 0
	}
	return n
}
