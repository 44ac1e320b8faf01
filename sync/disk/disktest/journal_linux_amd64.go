package disktest

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// journal knows what was changed and is not durable yet.
type journal struct {
	dir   string
	rnd   *rand.Rand
	files map[uint64]*os.File // by inode: also what has no name any more
	bytes []undo              // of a file; durable with its sync
	names []undo              // in a folder; durable with the folder's
	kept  int                 // names in the shadow
}

// undo takes one change back.
type undo struct {
	of string // inode of the file, or path of the folder
	do func() error
}

// change is one that is about to be made.
type change struct {
	note  func() error
	grows bool // it needs room
	write *write
}

type write struct {
	file *os.File
	at   int64
	new  []byte
}

// look says what a call is about to change in the folder; nil if nothing.
func (x *tracer) look(tid int, r *syscall.PtraceRegs) (*change, error) {
	const cwd = uint64(0xffffff9c) // AT_FDCWD
	path := func(at, text uint64) (string, error) {
		p, err := x.text(text)
		if err == nil && !filepath.IsAbs(p) {
			link := fmt.Sprintf("/proc/%d/cwd", x.pid)
			if at&0xffffffff != cwd {
				link = fmt.Sprintf("/proc/%d/fd/%d", x.pid, int32(at))
			}
			base, e := os.Readlink(link)
			p, err = filepath.Join(base, p), e
		}
		return filepath.Clean(p), err
	}
	switch r.Orig_rax {
	case unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_SENDFILE, unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_FTRUNCATE, unix.SYS_FALLOCATE:
		return x.onFile(tid, int(int32(r.Rdi)), r)
	case unix.SYS_COPY_FILE_RANGE:
		return x.onFile(tid, int(int32(r.Rdx)), r)
	case unix.SYS_OPENAT:
		if r.Rdx&(unix.O_CREAT|unix.O_TRUNC) == 0 {
			return nil, nil
		}
		p, err := path(r.Rdi, r.Rsi)
		if err != nil {
			return nil, err
		}
		return x.opens(p, int(r.Rdx))
	case unix.SYS_RENAME, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_LINKAT:
		a, b := [2]uint64{cwd, r.Rdi}, [2]uint64{cwd, r.Rsi}
		if r.Orig_rax != unix.SYS_RENAME {
			a, b = [2]uint64{r.Rdi, r.Rsi}, [2]uint64{r.Rdx, r.R10}
		}
		from, err := path(a[0], a[1])
		if err != nil {
			return nil, err
		}
		to, err := path(b[0], b[1])
		if err != nil {
			return nil, err
		}
		if r.Orig_rax == unix.SYS_LINKAT {
			return x.makes(to, os.Remove), nil
		}
		return x.renames(from, to), nil
	case unix.SYS_MKDIR, unix.SYS_MKDIRAT:
		at, text := cwd, r.Rdi
		if r.Orig_rax == unix.SYS_MKDIRAT {
			at, text = r.Rdi, r.Rsi
		}
		p, err := path(at, text)
		if err != nil {
			return nil, err
		}
		return x.makes(p, os.RemoveAll), nil
	case unix.SYS_UNLINK, unix.SYS_UNLINKAT:
		at, text, folder := cwd, r.Rdi, false
		if r.Orig_rax == unix.SYS_UNLINKAT {
			at, text, folder = r.Rdi, r.Rsi, r.Rdx&unix.AT_REMOVEDIR != 0
		}
		p, err := path(at, text)
		if err != nil {
			return nil, err
		}
		return x.removes(p, folder), nil
	}
	return nil, nil
}

func (j *journal) within(p string) bool { return p == j.dir || strings.HasPrefix(p, j.dir+"/") }

func there(p string) (fs.FileInfo, bool) {
	st, err := os.Lstat(p)
	return st, err == nil
}

// onFile is a call on an open file.
func (x *tracer) onFile(tid, fd int, r *syscall.PtraceRegs) (*change, error) {
	link := fmt.Sprintf("/proc/%d/fd/%d", x.pid, fd)
	p, err := os.Readlink(link)
	if err != nil || !x.within(strings.TrimSuffix(p, " (deleted)")) {
		return nil, nil
	}
	var st unix.Stat_t
	if err := unix.Stat(link, &st); err != nil {
		return nil, err
	}
	syncs := r.Orig_rax == unix.SYS_FSYNC || r.Orig_rax == unix.SYS_FDATASYNC
	if st.Mode&unix.S_IFMT == unix.S_IFDIR && syncs {
		return &change{note: func() error { x.names = durable(x.names, p); return nil }}, nil
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, nil
	}
	of := strconv.FormatUint(st.Ino, 10)
	if syncs {
		return &change{note: func() error { x.bytes = durable(x.bytes, of); return nil }}, nil
	}
	f := x.files[st.Ino]
	if f == nil {
		if f, err = os.OpenFile(link, os.O_RDWR, 0); err != nil {
			return nil, err
		}
		if x.files == nil {
			x.files = map[uint64]*os.File{}
		}
		x.files[st.Ino] = f
	}
	switch r.Orig_rax {
	case unix.SYS_WRITE, unix.SYS_PWRITE64:
		at, n := int64(r.R10), int64(r.Rdx)
		if n == 0 {
			return nil, nil
		}
		if r.Orig_rax == unix.SYS_WRITE {
			if at, err = position(x.pid, fd, st.Size); err != nil {
				return nil, err
			}
		}
		b, err := x.memory(r.Rsi, int(n))
		if err != nil {
			return nil, err
		}
		return &change{write: &write{f, at, b}, grows: at+n > st.Size, note: func() error { return x.keeps(f, of, at, n) }}, nil
	case unix.SYS_FTRUNCATE:
		at := int64(r.Rsi)
		return &change{grows: at > st.Size, note: func() error { return x.keeps(f, of, at, max(0, st.Size-at)) }}, nil
	case unix.SYS_FALLOCATE:
		return &change{grows: true, note: func() error { return x.keeps(f, of, st.Size, 0) }}, nil
	}
	return nil, fmt.Errorf("a change of %s by call %d, which the test does not follow", p, r.Orig_rax)
}

// position is where a write of an open file goes.
func position(pid, fd int, size int64) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, fd))
	if err != nil {
		return 0, err
	}
	var pos int64
	var flags int
	if _, err := fmt.Sscanf(string(b), "pos:\t%d\nflags:\t%o", &pos, &flags); err != nil {
		return 0, err
	}
	if flags&unix.O_APPEND != 0 {
		return size, nil
	}
	return pos, nil
}

// keeps remembers what is in a piece of a file, and its size.
func (j *journal) keeps(f *os.File, of string, at, n int64) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	size := st.Size()
	old := make([]byte, max(0, min(n, size-at)))
	if _, err := f.ReadAt(old, at); err != nil && len(old) > 0 {
		return err
	}
	j.bytes = append(j.bytes, undo{of, func() error {
		if _, err := f.WriteAt(old, at); err != nil {
			return err
		}
		if n == 0 || at+n > size { // it had changed the size
			return f.Truncate(size)
		}
		return nil
	}})
	return nil
}

// opens is a file that is made, or emptied.
func (x *tracer) opens(p string, flags int) (*change, error) {
	if !x.within(p) {
		return nil, nil
	}
	st, ok := there(p)
	if !ok {
		if flags&unix.O_CREAT == 0 {
			return nil, nil
		}
		return x.makes(p, os.Remove), nil
	}
	if flags&unix.O_TRUNC == 0 || flags&unix.O_EXCL != 0 || st.Size() == 0 || !st.Mode().IsRegular() {
		return nil, nil
	}
	ino := st.Sys().(*syscall.Stat_t).Ino
	f := x.files[ino]
	if f == nil {
		var err error
		if f, err = os.OpenFile(p, os.O_RDWR, 0); err != nil {
			return nil, err
		}
		if x.files == nil {
			x.files = map[uint64]*os.File{}
		}
		x.files[ino] = f
	}
	return &change{note: func() error { return x.keeps(f, strconv.FormatUint(ino, 10), 0, st.Size()) }}, nil
}

func (j *journal) named(p string, do func() error) error {
	j.names = append(j.names, undo{filepath.Dir(p), do})
	return nil
}

// makes is a name that was not there.
func (j *journal) makes(p string, away func(string) error) *change {
	if _, ok := there(p); ok || !j.within(p) {
		return nil
	}
	return &change{grows: true, note: func() error { return j.named(p, func() error { return away(p) }) }}
}

// shadow keeps what a name means now, and returns what gives it back.
func (j *journal) shadow(p string) (back func() error, err error) {
	if err := os.MkdirAll(j.dir+".shadow", 0o700); err != nil {
		return nil, err
	}
	j.kept++
	s := filepath.Join(j.dir+".shadow", strconv.Itoa(j.kept))
	return func() error { return os.Rename(s, p) }, os.Link(p, s)
}

func (j *journal) removes(p string, folder bool) *change {
	st, ok := there(p)
	if !ok || !j.within(p) || st.IsDir() != folder {
		return nil
	}
	if in, err := os.ReadDir(p); folder && (err != nil || len(in) > 0) {
		return nil
	}
	return &change{note: func() error {
		if st.IsDir() {
			return j.named(p, func() error { return os.Mkdir(p, st.Mode().Perm()) })
		}
		back, err := j.shadow(p)
		if err != nil {
			return err
		}
		return j.named(p, back)
	}}
}

func (j *journal) renames(from, to string) *change {
	if _, ok := there(from); !ok || !j.within(to) {
		return nil
	}
	return &change{note: func() error {
		back := func() error { return nil }
		if st, ok := there(to); ok && !st.IsDir() {
			var err error
			if back, err = j.shadow(to); err != nil {
				return err
			}
		}
		return j.named(to, func() error { return errors.Join(os.Rename(to, from), back()) })
	}}
}

// durable drops what a sync has made so.
func durable(l []undo, of string) []undo {
	var out []undo
	for _, u := range l {
		if u.of != of {
			out = append(out, u)
		}
	}
	return out
}

// undo takes back what is not durable: all, or some of it. Names are changed in their order, as a file system that keeps a log of them does; bytes in any.
func (j *journal) undo(some bool) error {
	stand := 0
	if some {
		stand = j.rnd.IntN(len(j.names) + 1)
	}
	for i := len(j.bytes) - 1; i >= 0; i-- {
		if some && j.rnd.IntN(2) == 0 {
			continue
		}
		if err := j.bytes[i].do(); err != nil {
			return err
		}
	}
	for i := len(j.names) - 1; i >= stand; i-- {
		if err := j.names[i].do(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (j *journal) close() {
	for _, f := range j.files {
		f.Close()
	}
	_ = os.RemoveAll(j.dir + ".shadow")
}
