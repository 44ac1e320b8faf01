package blobs

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"time"

	"edgeward"
	"edgeward/sync/disk"
)

// Usage sums up a store.
type Usage struct {
	Blobs   int   `json:"blobs"`
	Bytes   int64 `json:"bytes"`
	Damaged int   `json:"damaged"` // blobs moved aside and not healed yet
}

// Swept is what a Sweep did.
type Swept struct {
	Kept, Removed int
	Freed         int64 // bytes
}

// List yields every blob in the order of digests. An error ends it.
func (s *Store) List(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		shards, err := os.ReadDir(s.dir)
		if err != nil {
			yield(Info{}, disk.Err("blobs.List", err))
			return
		}
		for _, shard := range shards {
			if len(shard.Name()) != 2 || !shard.IsDir() {
				continue
			}
			if !s.listDir(ctx, filepath.Join(s.dir, shard.Name()), yield) {
				return
			}
		}
	}
}

// Damaged yields the blobs that were moved aside: what a healer fetches again. Young is when the blob was put.
func (s *Store) Damaged(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) { s.listDir(ctx, filepath.Join(s.dir, "damaged"), yield) }
}

func (s *Store) listDir(ctx context.Context, dir string, yield func(Info, error) bool) bool {
	files, err := os.ReadDir(dir)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		yield(Info{}, disk.Err("blobs.List", err))
		return false
	}
	for _, e := range files {
		d, err := edgeward.ParseDigest("sha256:" + e.Name())
		if err != nil {
			continue // not ours
		}
		st, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			yield(Info{}, disk.Err("blobs.List", err))
			return false
		}
		if !yield(Info{Digest: d, Size: st.Size(), Young: st.ModTime()}, nil) {
			return false
		}
	}
	return true
}

// Usage counts what is stored, by walking the folders.
func (s *Store) Usage(ctx context.Context) (Usage, error) {
	var u Usage
	for b, err := range s.List(ctx) {
		if err != nil {
			return Usage{}, err
		}
		u.Blobs++
		u.Bytes += b.Size
	}
	for _, err := range s.Damaged(ctx) {
		if err != nil {
			return Usage{}, err
		}
		u.Damaged++
	}
	return u, nil
}

// Delete removes a blob at once, damaged copies included. Removing what is not there is no error.
func (s *Store) Delete(d edgeward.Digest) error {
	if _, err := edgeward.ParseDigest(string(d)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return disk.Err("blobs.Delete", errors.Join(remove(s.Path(d)), remove(s.damagedPath(d))))
}

// Sweep removes each blob that is not live and was put or touched more than grace before now. The caller collects the
// references first and calls Sweep after: what was put since is young. live runs on the caller's goroutine, once per blob
// at most. A removal that a power cut undoes is found by the next Sweep.
func (s *Store) Sweep(ctx context.Context, live func(edgeward.Digest) bool, grace time.Duration, now time.Time) (Swept, error) {
	var out Swept
	old := now.Add(-grace)
	each := func(b Info, path func(edgeward.Digest) string) error {
		if live(b.Digest) || b.Young.After(old) {
			out.Kept++
			return nil
		}
		gone, err := s.removeOlder(path(b.Digest), old)
		if err != nil || !gone {
			out.Kept++
			return err
		}
		out.Removed++
		out.Freed += b.Size
		return nil
	}
	for b, err := range s.List(ctx) {
		if err == nil {
			err = each(b, s.Path)
		}
		if err != nil {
			return out, disk.Err("blobs.Sweep", err)
		}
	}
	for b, err := range s.Damaged(ctx) {
		if err == nil {
			err = each(b, s.damagedPath)
		}
		if err != nil {
			return out, disk.Err("blobs.Sweep", err)
		}
	}
	return out, nil
}

// removeOlder looks at the age again under the lock: a Put or Touch may have come between.
func (s *Store) removeOlder(p string, old time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := os.Stat(p)
	if err != nil || st.ModTime().After(old) {
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return false, err
	}
	return true, remove(p)
}

// Scrub verifies every blob and returns how many were found damaged and moved aside. pace is called before each blob
// with its size in bytes, to spread the reading over days; its error ends the scrub.
func (s *Store) Scrub(ctx context.Context, pace func(ctx context.Context, bytes int64) error) (bad int, err error) {
	for b, err := range s.List(ctx) {
		if err == nil {
			err = pace(ctx, b.Size)
		}
		if err != nil {
			return bad, err
		}
		_, err = s.Verified(ctx, b.Digest)
		switch {
		case edgeward.CodeOf(err) == "blob.damaged":
			bad++
		case err != nil && edgeward.KindOf(err) != edgeward.NotFound:
			return bad, err
		}
	}
	return bad, nil
}

func remove(p string) error {
	if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
