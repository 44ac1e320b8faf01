package node

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"edgeward"
	"edgeward/node/keys"
	"edgeward/node/role"
	"edgeward/node/store"
	"edgeward/sync/disk"
)

// backupFormat is the number in a backup's head file.
const backupFormat = 1

// headFile comes first in a backup and says what it is.
const headFile = "edgeward-backup.json"

type backupHead struct {
	Format  int       `json:"format"`
	Version string    `json:"version"`
	Made    time.Time `json:"made"`
	Events  uint64    `json:"events"` // size of the event log in it
	Root    string    `json:"root"`   // and its Merkle root
}

// Backup writes everything this server knows as a tar while it goes on: first a consistent copy of the store, then the
// blobs and records, which can only have grown since, then the keys of its CA and of the fleet it is the hub of. Records are copied as they lie on the disk,
// encrypted; the key is in the backup only if it lies in the data directory. No writer waits for it.
func (n *Node) Backup(ctx context.Context, w io.Writer) error {
	copied := filepath.Join(n.dir("temp"), n.o.NewID()+".db")
	head, err := n.store.Backup(ctx, copied)
	if err != nil {
		return err
	}
	defer os.Remove(copied)
	t := tar.NewWriter(w)
	b, err := json.MarshalIndent(backupHead{backupFormat, n.o.Version, n.now(), head.Size, head.Root}, "", "  ")
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Name: headFile, Mode: 0o600, Size: int64(len(b)), ModTime: n.now()}); err != nil {
		return err
	}
	if _, err := t.Write(b); err != nil {
		return err
	}
	if err := addFile(t, store.File, copied); err != nil {
		return err
	}
	for _, dir := range []string{"blobs", "tls"} {
		if err := addDir(ctx, t, dir, n.dir(dir)); err != nil {
			return err
		}
	}
	for _, name := range role.HubFiles { // if this server is one
		if err := addFile(t, "fleet/"+name, filepath.Join(n.dir("fleet"), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := n.addRecords(ctx, t); err != nil {
		return err
	}
	return t.Close()
}

// addRecords adds the prediction log as of one moment: its files are sealed and removed while the backup is read.
func (n *Node) addRecords(ctx context.Context, t *tar.Writer) error {
	dir := filepath.Join(n.dir("temp"), n.o.NewID()+"-records")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	key, err := n.keys.Copy(func() error { return n.records.Link(dir) })
	if err != nil {
		return err
	}
	if key != nil {
		if err := t.WriteHeader(&tar.Header{Name: keys.File, Mode: 0o600, Size: int64(len(key)), ModTime: n.now()}); err != nil {
			return err
		}
		if _, err := t.Write(key); err != nil {
			return err
		}
	}
	return addDir(ctx, t, "records", dir)
}

// addDir adds the files below dir under a name.
func addDir(ctx context.Context, t *tar.Writer, name, dir string) error {
	return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		err = addFile(t, name+"/"+filepath.ToSlash(rel), p)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // retention took it meanwhile
		}
		return err
	})
}

// addFile copies a file as it is now; one that grows is cut at the size it had.
func addFile(t *tar.Writer, name, p string) error {
	f, err := os.Open(p)
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := f.Stat()
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: s.Size(), ModTime: s.ModTime()}); err != nil {
		return err
	}
	_, err = io.Copy(t, io.LimitReader(f, s.Size()))
	return err
}

// Restore puts a backup into dir, which must be empty or absent, and checks the store in it. Nothing of it is visible
// before all of it is there.
//
// A hub that was restored begins a new term (fleet/hub); hubs are the addresses at which nodes find it now, none for those of before.
func Restore(ctx context.Context, r io.Reader, dir string, hubs ...string) (store.Report, error) {
	const op = "node.Restore"
	if names, err := os.ReadDir(dir); err == nil && len(names) > 0 {
		return store.Report{}, edgeward.E(op, edgeward.Conflict, "restore.not_empty", "%s is not empty", dir).WithHint("restore into an empty data directory, with the server stopped")
	}
	stage := dir + ".restore"
	if err := os.RemoveAll(stage); err != nil {
		return store.Report{}, edgeward.Wrap(op, err)
	}
	if err := os.MkdirAll(stage, 0o700); err != nil {
		return store.Report{}, edgeward.Wrap(op, err)
	}
	defer os.RemoveAll(stage)
	head, err := unpack(ctx, r, stage)
	if err != nil {
		return store.Report{}, err
	}
	if err := markRestored(stage, head, hubs); err != nil {
		return store.Report{}, err
	}
	rep, err := store.Check(ctx, stage)
	if err != nil {
		return rep, err
	}
	if rep.Found > 0 {
		return rep, edgeward.E(op, edgeward.Conflict, "backup.damaged", "the backup's store has %d problems", rep.Found).WithHint("use another backup")
	}
	_ = os.Remove(dir)
	return rep, edgeward.Wrap(op, os.Rename(stage, dir))
}

// markRestored leaves word for the hub that it goes on from a backup.
func markRestored(dir string, head backupHead, hubs []string) error {
	at := filepath.Join(dir, "fleet")
	if _, err := os.Stat(filepath.Join(at, role.CAFile)); errors.Is(err, fs.ErrNotExist) {
		return nil // no hub
	}
	b, err := json.Marshal(role.Mark{Made: head.Made, Hubs: hubs})
	if err != nil {
		return err
	}
	return disk.WriteFile(filepath.Join(at, role.RestoredFile), b, 0o600)
}

// unpack writes the files of a backup below dir, by os.Root: no path leads out of it.
func unpack(ctx context.Context, r io.Reader, dir string) (head backupHead, err error) {
	bad := func(format string, args ...any) (backupHead, error) {
		return head, edgeward.E("node.Restore", edgeward.Invalid, "backup.invalid", format, args...).WithHint("give a file that \"edgeward backup\" wrote")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return head, err
	}
	defer root.Close()
	t := tar.NewReader(r)
	first := true
	for ctx.Err() == nil {
		h, err := t.Next()
		if errors.Is(err, io.EOF) && !first {
			return head, nil
		}
		if err != nil {
			return bad("not a backup: %w", err)
		}
		if first {
			if h.Name != headFile || json.NewDecoder(io.LimitReader(t, 1<<16)).Decode(&head) != nil || head.Format > backupFormat {
				return bad("not a backup this version can read")
			}
			first = false
			continue
		}
		name := path.Clean(h.Name)
		if h.Typeflag != tar.TypeReg || !fs.ValidPath(name) {
			return bad("the backup has an entry %q of a kind no backup has", h.Name)
		}
		if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
			return head, err
		}
		f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return head, err
		}
		_, err = io.Copy(f, t)
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return bad("the backup is cut short: %w", err)
		}
		if err := root.Chtimes(name, h.ModTime, h.ModTime); err != nil { // retention counts from it
			return head, err
		}
	}
	return head, ctx.Err()
}
