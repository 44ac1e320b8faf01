package role

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/sync/chunk"
	"edgeward/sync/delta"
	"edgeward/sync/disk"
)

// Bounds of the differences the hub makes: of larger files none, and above smallFile the fast way.
const (
	maxDelta  = 1 << 30
	smallFile = 64 << 20
	keptDelta = 64 // files
)

// deltas makes the difference between two blobs once and keeps it, below fleet/deltas.
type deltas struct {
	r  *Role
	mu sync.Mutex // of making, one at a time: each takes a core and the memory of two files
}

// Between returns the difference, or NotFound where it is no smaller than the file.
func (d *deltas) Between(ctx context.Context, from, to hub.Part) (io.ReadSeekCloser, int64, error) {
	dir := filepath.Join(d.r.p.Dir, "deltas")
	path := filepath.Join(dir, from.Digest.Hex()+"-"+to.Digest.Hex()+"."+delta.Version)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := d.make(ctx, dir, path, from, to); err != nil {
			return nil, 0, err
		}
		f, err = os.Open(path)
	}
	if err != nil {
		return nil, 0, edgeward.Wrap("role.delta", err)
	}
	st, err := f.Stat()
	if err != nil || st.Size() == 0 {
		f.Close()
		return nil, 0, edgeward.E("role.delta", edgeward.NotFound, "delta.none", "the difference would be no smaller")
	}
	return f, st.Size(), nil
}

// make writes the file, unless another call has; an empty one says that a difference is not worth while.
func (d *deltas) make(ctx context.Context, dir, path string, from, to hub.Part) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	base, err := d.file(ctx, from)
	if err != nil {
		return err
	}
	now, err := d.file(ctx, to)
	if err != nil {
		return err
	}
	level := delta.Small
	if len(now.Bytes) > smallFile {
		level = delta.Fast
	}
	var out bytes.Buffer
	if err := delta.Encode(&out, base, now, level); err != nil {
		return err
	}
	if out.Len() >= len(now.Bytes)*9/10 {
		out.Reset()
	}
	if err := disk.MkdirAll(dir); err != nil {
		return disk.Err("role.delta", err)
	}
	d.prune(dir)
	return disk.WriteFile(path, out.Bytes(), 0o600)
}

// file reads a part and finds its tensors, by what lies beside it if that describes it.
func (d *deltas) file(ctx context.Context, p hub.Part) (delta.File, error) {
	raw, err := d.r.p.Blobs.ReadAll(ctx, p.Digest, maxDelta)
	if err != nil {
		return delta.File{}, err
	}
	if p.Beside != "" {
		if about, err := d.r.p.Blobs.ReadAll(ctx, p.Beside, maxDelta); err == nil {
			if t := chunk.Beside(about, p.Name, int64(len(raw))); len(t) > 0 {
				return delta.File{Bytes: raw, Tensors: t}, nil
			}
		}
	}
	return delta.Of(raw), nil
}

// prune removes the oldest files beyond keptDelta: they can be made again.
func (d *deltas) prune(dir string) {
	list, err := os.ReadDir(dir)
	if err != nil || len(list) < keptDelta {
		return
	}
	oldest, at := "", int64(0)
	for _, e := range list {
		if info, err := e.Info(); err == nil && (oldest == "" || info.ModTime().UnixNano() < at) {
			oldest, at = e.Name(), info.ModTime().UnixNano()
		}
	}
	if err := os.Remove(filepath.Join(dir, oldest)); err != nil {
		d.r.p.Log.Warn("an old difference is not removed", "err", err)
	}
}
