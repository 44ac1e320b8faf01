package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"edgeward"
	"edgeward/runtime/vault"
	"edgeward/sync/disk"
)

// batch is how many rows are read or written at once.
const batch = 256

// ahead is how many batches Rows reads before they are asked for.
const ahead = 4

// Oldest is the oldest number that is still on the disk, sealed or not. It is Next when there is none.
func (l *Log) Oldest() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.sealed) > 0 {
		return l.sealed[0].First
	}
	return l.files[0].first
}

// Finished says whether a file waits to be sealed, and the number behind the oldest of them: what Seal takes as before
// to seal that one alone.
func (l *Log) Finished() (before uint64, waiting bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.files) < 2 {
		return 0, false
	}
	return l.files[1].first, true
}

// SealedAt returns the sealed file that holds number seq.
func (l *Log) SealedAt(seq uint64) (Sealed, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.sealed) - 1; i >= 0; i-- {
		if s := l.sealed[i]; s.First <= seq && seq <= s.Last {
			return s, true
		}
	}
	return Sealed{}, false
}

// Rows yields the rows of a sealed file in order; the next are read while the caller works. T may have fewer fields than
// the file has columns: the others are not read. schema is the newest number the caller knows; a file of a newer one is
// Conflict "segment.newer". Bytes that cannot be read end it with an error for which IsDamaged is true. A file that
// retention removed is NotFound "segment.gone".
func Rows[T any](ctx context.Context, l *Log, s Sealed, schema int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		full, empty := make(chan []T, ahead), make(chan []T, ahead)
		for range ahead {
			empty <- make([]T, batch)
		}
		var err error
		go func() {
			defer close(full)
			err = readRows(ctx, l, s, schema, func(rows []T) bool {
				buf := (<-empty)[:batch]
				full <- buf[:copy(buf, rows)]
				return true
			})
		}()
		defer func() { // its end, also when the caller wants no more
			stop()
			for rows := range full {
				empty <- rows
			}
		}()
		for rows := range full {
			for _, r := range rows {
				if !yield(r, nil) {
					empty <- rows
					return
				}
			}
			empty <- rows
		}
		if err != nil {
			var zero T
			yield(zero, err)
		}
	}
}

// readRows gives the rows to use in batches, whose memory is used again, until it says enough.
func readRows[T any](ctx context.Context, l *Log, s Sealed, schema int, use func([]T) bool) (err error) {
	f, err := os.Open(s.Path)
	if errors.Is(err, os.ErrNotExist) {
		return gone(s.First, s.Last+1)
	}
	if err != nil {
		return disk.Err("segment.Rows", err)
	}
	defer f.Close()
	file, err := openSealed(f, l.o.Keys, s, schema)
	if err != nil {
		return err
	}
	var next func() ([]T, error)
	if err := guard(s, func() error {
		r := parquet.NewGenericReader[T](file)
		buf := make([]T, batch)
		next = func() ([]T, error) {
			clear(buf)
			n, err := r.Read(buf)
			return buf[:n], err
		}
		return nil
	}); err != nil {
		return err
	}
	for left := file.NumRows(); left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var rows []T
		err := guard(s, func() (err error) {
			rows, err = next()
			if len(rows) > 0 {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
		if left -= int64(len(rows)); len(rows) == 0 || !use(rows) {
			return nil
		}
	}
	return nil
}

// openSealed reads the end of a sealed file and checks whose it is.
func openSealed(f *os.File, keys *vault.Ring, s Sealed, schema int) (file *parquet.File, err error) {
	st, err := f.Stat()
	if err != nil {
		return nil, disk.Err("segment.Rows", err)
	}
	if err := guard(s, func() (err error) {
		var in io.ReaderAt = f
		size := st.Size()
		if s.Encrypted() {
			r, err := vault.NewReader(f, size, keys, s.info())
			if err != nil {
				return err
			}
			in, size = r, r.Size()
		}
		file, err = parquet.OpenFile(in, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
		return err
	}); err != nil {
		return nil, err
	}
	text, _ := file.Lookup("edgeward.schema")
	if n, err := strconv.Atoi(text); err != nil || n > schema {
		return nil, edgeward.E("segment.Rows", edgeward.Conflict, "segment.newer", "%s has schema %.20q, this program reads up to %d", s.Path, text, schema).
			WithHint("the data directory was used by a newer edgeward: start that one, or restore a backup")
	}
	return file, nil
}

// guard runs f, which reads bytes of a disk: what goes wrong, a panic of the reader too, is damage.
func guard(s Sealed, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = damagedFrames(s.Path, s.First, s.Last, fmt.Errorf("%v", p))
		}
	}()
	if err := f(); err != nil {
		return damagedFrames(s.Path, s.First, s.Last, err)
	}
	return nil
}

// Rewrite takes rows out of sealed files: those for which drop, which sees a K, a T of fewer columns, is true. A file with
// such a row is written anew without it, and put in the place of the old one; the bytes of the old one leave the disk
// with its name. A crash leaves each file as it was or as it shall be. It waits for seals and retention. A file that
// cannot be read is left as it is, and its error returned after the others are done.
func Rewrite[K, T any](ctx context.Context, l *Log, schema int, drop func(K) bool, same func(T) K) (rows int, err error) {
	l.keep.Lock()
	defer l.keep.Unlock()
	var wrong []error
	for _, s := range l.Sealed() {
		n := 0
		err := readRows(ctx, l, s, schema, func(keys []K) bool {
			for _, k := range keys {
				if drop(k) {
					n++
				}
			}
			return true
		})
		if err == nil && n > 0 {
			err = rewriteFile(ctx, l, s, schema, func(t T) bool { return drop(same(t)) })
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		rows += n
	}
	return rows, errors.Join(wrong...)
}

func rewriteFile[T any](ctx context.Context, l *Log, s Sealed, schema int, drop func(T) bool) error {
	done, err := place(l, s, func(out io.Writer) error {
		w := newRows[T](out, s, schema)
		var werr error
		rerr := readRows(ctx, l, s, schema, func(rows []T) bool {
			for _, r := range rows {
				if drop(r) {
					continue
				}
				if werr = w.write(r); werr != nil {
					return false
				}
			}
			return true
		})
		return errors.Join(rerr, werr, w.close())
	})
	if err != nil {
		return disk.Err("segment.Rewrite", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.sealed {
		if l.sealed[i].First == s.First {
			l.sealed[i] = done
		}
	}
	return nil
}

// Renew writes anew one sealed file that is not encrypted with the newest data key, and reports whether there may be more
// to do: other files that are not, or a file of frames of that kind. When there is nothing left, it forgets data keys that
// no file needs. A file that cannot be read, and one that was asked for before and could not, is passed over; it keeps its
// key.
func Renew[T any](ctx context.Context, l *Log, schema int) (more bool, err error) {
	if l.o.Keys == nil {
		return false, nil
	}
	l.keep.Lock()
	defer l.keep.Unlock()
	current := l.o.Keys.Current()
	for _, s := range l.Sealed() {
		if s.key == current || l.stuck[s.Path] {
			continue
		}
		if err := rewriteFile(ctx, l, s, schema, func(T) bool { return false }); err != nil {
			if IsDamaged(err) {
				l.stuck[s.Path] = true
			}
			return true, err
		}
		return true, nil
	}
	l.mu.Lock()
	for _, f := range l.files {
		more = more || f.key != current && !f.lost && !f.empty()
	}
	l.mu.Unlock()
	if more {
		return true, nil
	}
	return false, l.keepKeys()
}

// KeepKeys forgets the data keys that no file of the log has.
func (l *Log) KeepKeys() error {
	l.keep.Lock()
	defer l.keep.Unlock()
	return l.keepKeys()
}

// keepKeys lets no file begin meanwhile: mu is held while the ring is written. The caller holds keep.
func (l *Log) keepKeys() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	used := map[vault.ID]bool{}
	for _, s := range l.sealed {
		used[s.key] = true
	}
	for _, f := range l.files {
		used[f.key] = true
	}
	_, err := l.o.Keys.Keep(used)
	return edgeward.Wrap("segment.KeepKeys", err)
}

// Encryption counts the files of a log: those that are encrypted with the newest data key, those with an older one, and those
// that are not encrypted.
type Encryption struct {
	Newest int `json:"newest"`
	Older  int `json:"older"`
	Plain  int `json:"plain"`
}

// Encryption counts the files as they are now.
func (l *Log) Encryption() Encryption {
	var current vault.ID
	if l.o.Keys != nil {
		current = l.o.Keys.Current()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var e Encryption
	count := func(key vault.ID) {
		switch key {
		case vault.ID{}:
			e.Plain++
		case current:
			e.Newest++
		default:
			e.Older++
		}
	}
	for _, s := range l.sealed {
		count(s.key)
	}
	for _, f := range l.files {
		if !f.empty() {
			count(f.key)
		}
	}
	return e
}

// Export writes those entries of the log that want is true for as one Parquet file, which is not encrypted, to w: rows T, made by
// row of what is not sealed yet as Seal would. wanted, which sees a K, a T of fewer columns, says which sealed files are
// looked into at all. want may change the row; its error ends it. The file is as of one moment: sealing, retention and
// forgetting wait, appending does not.
func Export[K, T any](ctx context.Context, l *Log, w io.Writer, schema int, row func(Frame) (T, error), wanted func(K) bool, want func(*T) (bool, error)) error {
	l.keep.Lock()
	defer l.keep.Unlock()
	l.mu.Lock()
	sealed, files, next := append([]Sealed(nil), l.sealed...), append([]file(nil), l.files...), l.next
	l.mu.Unlock()
	out := newRows[T](w, Sealed{First: l.Oldest(), Last: next - 1}, schema)
	for _, s := range sealed {
		if err := exportSealed(ctx, l, s, schema, out, wanted, want); IsDamaged(err) {
			l.o.Log.Error("damaged sealed file left out", "first", s.First, "last", s.Last, "error", err)
		} else if err != nil {
			return disk.Err("segment.Export", err)
		}
	}
	chosen := func(f Frame) (T, error) {
		v, err := row(f)
		if err == nil {
			var ok bool
			if ok, err = want(&v); err == nil && !ok {
				err = ErrSkip
			}
		}
		return v, err
	}
	for i, f := range files {
		end := next
		if i+1 < len(files) {
			end = files[i+1].first
		}
		if _, err := out.frames(ctx, f, f.first, end, chosen); err != nil {
			return disk.Err("segment.Export", err)
		}
	}
	return disk.Err("segment.Export", out.close())
}

func exportSealed[K, T any](ctx context.Context, l *Log, s Sealed, schema int, out *rows[T], wanted func(K) bool, want func(*T) (bool, error)) error {
	some := false
	err := readRows(ctx, l, s, schema, func(keys []K) bool {
		for _, k := range keys {
			some = some || wanted(k)
		}
		return !some
	})
	if err != nil || !some {
		return err
	}
	var werr error
	err = readRows(ctx, l, s, schema, func(rows []T) bool {
		for i := range rows {
			ok, err := want(&rows[i])
			if err == nil && ok {
				err = out.write(rows[i])
			}
			if err != nil {
				werr = err
				return false
			}
		}
		return true
	})
	return errors.Join(werr, err)
}

// Link makes hard links of all files of the log, and of its key ring, in dir, which is empty and on the same file system, as of
// one moment. The newest may grow behind a link of it; a torn tail that a copy of it gets so is cut when the copy is opened.
func (l *Log) Link(dir string) error {
	l.keep.Lock()
	defer l.keep.Unlock()
	l.mu.Lock()
	var paths []string
	for _, s := range l.sealed {
		paths = append(paths, s.Path)
	}
	for _, f := range l.files {
		paths = append(paths, f.path)
	}
	l.mu.Unlock()
	if l.o.Keys != nil {
		paths = append(paths, l.o.Keys.Path())
	}
	for _, p := range paths {
		if err := os.Link(p, filepath.Join(dir, filepath.Base(p))); err != nil {
			return disk.Err("segment.Link", err)
		}
	}
	return nil
}

// RemoveAside removes the bytes that were moved out of the way and returns how many files they were.
func (l *Log) RemoveAside() (int, error) {
	l.keep.Lock()
	defer l.keep.Unlock()
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return 0, disk.Err("segment.RemoveAside", err)
	}
	n := 0
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".aside") {
			continue
		}
		if err := os.Remove(filepath.Join(l.dir, e.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			return n, disk.Err("segment.RemoveAside", err)
		}
		n++
	}
	return n, disk.Err("segment.RemoveAside", disk.SyncDir(l.dir))
}

// Find returns the row with number seq, which stands in the column seq of T, and whether there is one.
func Find[T any](ctx context.Context, l *Log, s Sealed, schema int, seq uint64) (row T, found bool, err error) {
	at := int64(-1)
	n := int64(0)
	err = readRows(ctx, l, s, schema, func(rows []struct {
		Seq uint64 `parquet:"seq"`
	}) bool {
		for _, r := range rows {
			if r.Seq == seq {
				at = n
				return false
			}
			n++
		}
		return true
	})
	if err != nil || at < 0 {
		return row, false, err
	}
	f, err := os.Open(s.Path)
	if errors.Is(err, os.ErrNotExist) {
		return row, false, gone(s.First, s.Last+1)
	}
	if err != nil {
		return row, false, disk.Err("segment.Find", err)
	}
	defer f.Close()
	file, err := openSealed(f, l.o.Keys, s, schema)
	if err != nil {
		return row, false, err
	}
	err = guard(s, func() error {
		r := parquet.NewGenericReader[T](file)
		if err := r.SeekToRow(at); err != nil {
			return err
		}
		one := make([]T, 1)
		if n, err := r.Read(one); n == 0 {
			return err
		}
		row = one[0]
		return nil
	})
	return row, err == nil, err
}
