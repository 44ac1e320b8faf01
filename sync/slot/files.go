package slot

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"edgeward"
	"edgeward/sync/disk"
)

// files are the operations on the disk, each of which a power cut may come before, after or into. Names are relative to the
// data directory. The tests' files forget what was not synced.
type files interface {
	Read(name string, limit int64) ([]byte, error)
	Open(name string) (io.ReadCloser, error)
	Stat(name string) (mark, error)
	Write(name string, r io.Reader, mode os.FileMode) error // makes or replaces; not durable
	Copy(from, to string) error                             // shares the blocks where the file system can; not durable
	Sync(name string) error
	SyncDir(name string) error
	Rename(from, to string) error
	Remove(name string) error // what is absent is removed
	MakeDir(name string) error
	Lock() (unlock func(), err error)
}

// mark tells whether a file is still the one that was looked at.
type mark struct {
	Size           int64
	Inode          uint64
	Changed, Wrote int64
}

// folder is a real data directory.
type folder string

func (d folder) at(name string) string { return filepath.Join(string(d), filepath.FromSlash(name)) }

func (d folder) Read(name string, limit int64) ([]byte, error) {
	f, err := os.Open(d.at(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = edgeward.E("slot.Read", edgeward.TooLarge, "update.state", "%s is longer than %d bytes", name, limit)
	}
	return b, err
}

func (d folder) Open(name string) (io.ReadCloser, error) { return os.Open(d.at(name)) }

func (d folder) Stat(name string) (mark, error) {
	st, err := os.Lstat(d.at(name))
	if err != nil {
		return mark{}, err
	}
	if !st.Mode().IsRegular() {
		return mark{}, edgeward.E("slot.Stat", edgeward.Invalid, "update.damaged", "%s is not a regular file", name)
	}
	m := mark{Size: st.Size(), Wrote: st.ModTime().UnixNano()}
	m.Inode, m.Changed = identity(st)
	return m, nil
}

func (d folder) Write(name string, r io.Reader, mode os.FileMode) error {
	f, err := os.OpenFile(d.at(name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|syscall.O_NOFOLLOW, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Chmod(mode)
	}
	return errors.Join(err, f.Close())
}

func (d folder) Copy(from, to string) error {
	in, err := os.Open(d.at(from))
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(d.at(to), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	if share(out, in) != nil {
		_, err = io.Copy(out, in)
	}
	return errors.Join(err, out.Close())
}

func (d folder) Sync(name string) error       { return disk.SyncFile(d.at(name)) }
func (d folder) SyncDir(name string) error    { return disk.SyncDir(d.at(name)) }
func (d folder) Rename(from, to string) error { return os.Rename(d.at(from), d.at(to)) }
func (d folder) MakeDir(name string) error    { return disk.MkdirAll(d.at(name)) }

func (d folder) Remove(name string) error {
	if err := os.Remove(d.at(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Lock waits for the other process.
func (d folder) Lock() (func(), error) {
	f, err := os.OpenFile(d.at(lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}
