package query

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"edgeward/runtime/vault"
)

// pathOf is the path by which DuckDB opens what this process holds open.
func pathOf(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// inMemory is what is encrypted in the file at path, in the memory of this process.
func inMemory(path string, keys *vault.Ring) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	r, err := vault.NewReader(f, st.Size(), keys, InfoIn)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("edgeward-export", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	out := os.NewFile(uintptr(fd), "memory")
	if _, err := io.Copy(out, io.NewSectionReader(r, 0, r.Size())); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return out, nil
}

// outlet encrypts into a file what DuckDB writes to a pipe.
type outlet struct {
	w    *os.File // DuckDB opens the pipe by it
	done chan error
}

func newOutlet(path string, keys *vault.Ring) (*outlet, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	o := &outlet{w: w, done: make(chan error, 1)}
	go func() {
		defer r.Close()
		out, err := vault.NewWriter(f, keys, InfoOut)
		if err == nil {
			_, err = io.Copy(out, r)
		}
		if err == nil {
			err = out.Close()
		}
		if err != nil {
			_, _ = io.Copy(io.Discard, r) // DuckDB is not to meet a broken pipe
		}
		o.done <- errors.Join(err, f.Close())
	}()
	return o, nil
}

func (o *outlet) path() string { return pathOf(o.w) }

// close returns when all that was written is encrypted in the file.
func (o *outlet) close() error {
	err := o.w.Close()
	return errors.Join(<-o.done, err)
}
