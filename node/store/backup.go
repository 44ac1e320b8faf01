package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"edgeward"
	"edgeward/node/events"
)

// Backup writes a consistent copy of the store to path while reads and writes go on, and returns the head of the event
// log in that copy. path must not exist; it appears only when the copy is complete and durable. It should be on a local
// disk: the copy holds a read transaction, and the store grows by what is written meanwhile. The copy is a store file:
// Check it, Restore it.
func (db *DB) Backup(ctx context.Context, path string) (head events.Head, err error) {
	err = create(path, func(f *os.File) error {
		return db.view(func(tx *Tx) error {
			if head, err = tx.Head(); err != nil {
				return err
			}
			_, err := tx.bolt.WriteTo(&ctxWriter{ctx, f})
			return err
		})
	})
	return head, err
}

// Restore checks the backup and puts it into dir as its store. dir must exist and must not have a store. Returned is what
// Check saw; a damaged backup is refused with "backup.damaged" and changes nothing.
func Restore(ctx context.Context, backup, dir string) (Report, error) {
	path := filepath.Join(dir, File)
	if _, err := os.Lstat(path); err == nil {
		return Report{}, edgeward.E("store.Restore", edgeward.Conflict, "store.exists", "%s exists", path).
			WithHint("restore into an empty directory, or move the old store away first")
	}
	r, err := Check(ctx, backup)
	if err != nil {
		return r, err
	}
	if r.Found > 0 {
		return r, edgeward.E("store.Restore", edgeward.Conflict, "backup.damaged", "the backup has %d problems, the first: %s: %s", r.Found, r.Problems[0].Bucket, r.Problems[0].What).
			WithHint("use another backup")
	}
	in, err := os.Open(backup)
	if err != nil {
		return r, edgeward.Wrap("store.Restore", err)
	}
	defer in.Close()
	return r, create(path, func(f *os.File) error {
		_, err := io.Copy(&ctxWriter{ctx, f}, in)
		return err
	})
}

// create makes a new file whose content is complete and durable when its name appears.
func create(path string, fill func(*os.File) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
	if err != nil {
		return edgeward.E("store.create", edgeward.Invalid, "backup.target", "cannot write beside %s: %w", path, err).WithHint("name a file in an existing, writable directory")
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := fill(f); err != nil {
		return edgeward.Wrap("store.create", err)
	}
	if err := f.Sync(); err != nil {
		return edgeward.Wrap("store.create", err)
	}
	if err := os.Link(f.Name(), path); err != nil { // not Rename: a file that is there stays there
		if errors.Is(err, fs.ErrExist) {
			return edgeward.E("store.create", edgeward.Conflict, "backup.exists", "%s exists", path).WithHint("choose another name")
		}
		return edgeward.Wrap("store.create", err)
	}
	return syncDir(filepath.Dir(path))
}

type ctxWriter struct {
	ctx context.Context
	w   io.Writer
}

func (w *ctxWriter) Write(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, fmt.Errorf("stopped: %w", err)
	}
	return w.w.Write(b)
}
