// Package disk holds the few rules by which bytes become durable, for every room that writes files of its own.
//
// A file becomes visible whole or not at all: it is written under a temporary name beside its place, synced, renamed,
// and then the folder is synced too (a rename is not durable before that). Errors of the operating system that a person
// can act on get a kind, a code and a hint: a full disk is Exhausted "disk.full", a read-only one Unavailable
// "disk.read_only"; others stay as they are.
package disk

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"edgeward"
)

// SyncDir makes renames, creations and removals in dir durable.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	return errors.Join(err, f.Close())
}

// SyncFile makes the bytes of a file that somebody else wrote durable.
func SyncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return Err("disk.SyncFile", err)
	}
	err = f.Sync()
	return Err("disk.SyncFile", errors.Join(err, f.Close()))
}

// MkdirAll makes dir (0700) and its missing parents, each durable in its parent.
func MkdirAll(dir string) error {
	if st, err := os.Stat(dir); err == nil && st.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return SyncDir(parent)
}

// WriteFile replaces path by data, atomically and durably. After an error the old content stands, unless the error came
// from the last folder sync: then either one may be found after a power cut, never a mixture.
func WriteFile(path string, data []byte, perm os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return Err("disk.WriteFile", err)
	}
	tmp := f.Name()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
		return Err("disk.WriteFile", err)
	}
	return Err("disk.WriteFile", SyncDir(filepath.Dir(path)))
}

// Err gives err the kind, code and hint described in the package comment. A nil err stays nil.
func Err(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case edgeward.CodeOf(err) != "":
		return edgeward.Wrap(op, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return edgeward.E(op, edgeward.Exhausted, "disk.full", "%w", err).
			WithHint("the disk of the data directory is full: free some space, or lower the retention of predictions and data sets")
	case errors.Is(err, syscall.EROFS):
		return edgeward.E(op, edgeward.Unavailable, "disk.read_only", "%w", err).
			WithHint("the disk of the data directory has become read-only, often after an error of the disk: look into the system log")
	}
	return &edgeward.Error{Op: op, Err: err}
}
