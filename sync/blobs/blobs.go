// Package blobs keeps bytes on the local disk under the sha256 of their content.
//
// # Files
//
//	<dir>/<aa>/<hex>     a blob: aa are the first two of its 64 hex digits; mode 0400, never changed
//	<dir>/tmp/…          a Put under way; emptied by Open
//	<dir>/damaged/<hex>  a blob whose bytes no longer had its digest, moved aside
//
// # Guarantees
//
// When Put has returned a digest, the blob survives kill -9 and a power cut. Before that it is not there at all: a blob
// is written under another name, synced, renamed, and its folder synced. Two Puts of the same bytes are harmless.
//
// Every read through Open, ReadAll and Verified is checked against the digest. A blob that fails is moved to damaged and
// reads of it answer Unavailable "blob.damaged" until a Put of the true bytes heals it; where those come from is the
// caller's business. Path is unchecked: who hands it to a worker calls Verified, which reads the whole file first.
//
// Sweep removes what no root refers to. The caller says what is live; a blob younger than the grace period stays, so that
// bytes put now and referred to by a transaction a moment later are safe. Who finds a blob present and therefore skips a
// Put must call Touch, which makes the blob young again.
//
// One process owns a directory; others may read files by path.
package blobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"edgeward"
	"edgeward/sync/disk"
)

// Store is a directory of blobs. It is safe for concurrent use.
type Store struct {
	dir string
	now func() time.Time
	mu  sync.Mutex // orders the appearing, touching, moving and removing of blobs; never held while bytes are copied
}

// Info is what the store knows of a blob without reading it.
type Info struct {
	Digest edgeward.Digest
	Size   int64     // bytes
	Young  time.Time // last Put or Touch; the grace of Sweep counts from here
}

// Open makes dir ready and removes what interrupted Puts left behind. The clock stamps blobs for Sweep.
func Open(dir string, now func() time.Time) (*Store, error) {
	s := &Store{dir: dir, now: now}
	if err := os.RemoveAll(s.tmp()); err != nil {
		return nil, disk.Err("blobs.Open", err)
	}
	for _, d := range []string{dir, s.tmp(), filepath.Join(dir, "damaged")} {
		if err := disk.MkdirAll(d); err != nil {
			return nil, disk.Err("blobs.Open", err)
		}
	}
	return s, nil
}

func (s *Store) tmp() string { return filepath.Join(s.dir, "tmp") }

// Path returns where the blob d lies or would lie. Nothing about its presence or content is implied.
func (s *Store) Path(d edgeward.Digest) string {
	if _, err := edgeward.ParseDigest(string(d)); err != nil {
		return filepath.Join(s.dir, "no-digest") // never there; a name from outside must not leave the directory
	}
	return filepath.Join(s.dir, d.Hex()[:2], d.Hex())
}

func (s *Store) damagedPath(d edgeward.Digest) string {
	return filepath.Join(s.dir, "damaged", filepath.Base(s.Path(d)))
}

// Put copies r to its end into the store and returns digest and size in bytes. More than limit bytes are TooLarge
// "blob.too_large"; a full disk is Exhausted "disk.full". On any error nothing is stored. The context is looked at
// between reads; a read of r that blocks for ever is r's owner's to end.
func (s *Store) Put(ctx context.Context, r io.Reader, limit int64) (edgeward.Digest, int64, error) {
	return s.put(ctx, "", r, limit)
}

// PutAs is Put of bytes that must have the digest want, such as those fetched from a peer; others are Invalid
// "blob.mismatch" and not stored.
func (s *Store) PutAs(ctx context.Context, want edgeward.Digest, r io.Reader, limit int64) (int64, error) {
	if _, err := edgeward.ParseDigest(string(want)); err != nil {
		return 0, err
	}
	_, n, err := s.put(ctx, want, r, limit)
	return n, err
}

func (s *Store) put(ctx context.Context, want edgeward.Digest, r io.Reader, limit int64) (edgeward.Digest, int64, error) {
	const op = "blobs.Put"
	f, err := os.CreateTemp(s.tmp(), "put-*")
	if err != nil {
		return "", 0, disk.Err(op, err)
	}
	defer os.Remove(f.Name()) // after the rename there is nothing of that name
	d, n, err := fill(ctx, f, r, limit)
	if err == nil && want != "" && d != want {
		err = edgeward.E(op, edgeward.Invalid, "blob.mismatch", "the bytes have digest %s, not %s", d, want).
			WithHint("the copy is incomplete or damaged: fetch it again")
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = s.place(f.Name(), d)
	}
	if err != nil {
		return "", 0, disk.Err(op, err)
	}
	return d, n, nil
}

// fill copies r into f, syncs f and returns what was written.
func fill(ctx context.Context, f *os.File, r io.Reader, limit int64) (edgeward.Digest, int64, error) {
	h := sha256.New()
	buf := make([]byte, 256<<10)
	var n int64
	for {
		if err := ctx.Err(); err != nil {
			return "", 0, err
		}
		k, rerr := r.Read(buf)
		if n += int64(k); n > limit {
			return "", 0, edgeward.E("blobs.Put", edgeward.TooLarge, "blob.too_large", "more than %d bytes", limit).
				With("limit", fmt.Sprint(limit)).WithHint("the limit is %d bytes", limit)
		}
		h.Write(buf[:k])
		if _, err := f.Write(buf[:k]); err != nil {
			return "", 0, err
		}
		if rerr == io.EOF {
			break
		}
		if rerr != nil {
			return "", 0, edgeward.Wrap("blobs.Put: source", rerr)
		}
	}
	if err := f.Chmod(0o400); err != nil {
		return "", 0, err
	}
	return digest(h), n, f.Sync()
}

// place gives the synced file tmp its name. An older copy is replaced, which also heals one that rotted unseen.
func (s *Store) place(tmp string, d edgeward.Digest) error {
	now := s.now()
	if err := os.Chtimes(tmp, now, now); err != nil {
		return err
	}
	p := s.Path(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := disk.MkdirAll(filepath.Dir(p)); err != nil {
		return err
	}
	if err := os.Rename(tmp, p); err != nil {
		return err
	}
	if err := disk.SyncDir(filepath.Dir(p)); err != nil {
		return err
	}
	if err := os.Remove(s.damagedPath(d)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Stat tells size and age of a blob. NotFound "blob.not_found" when it is not there, Unavailable "blob.damaged" when it
// was found damaged. The content is not read.
func (s *Store) Stat(d edgeward.Digest) (Info, error) {
	st, err := os.Stat(s.Path(d))
	if err != nil {
		return Info{}, s.missing("blobs.Stat", d, err)
	}
	return Info{Digest: d, Size: st.Size(), Young: st.ModTime()}, nil
}

// Touch is Stat that also makes the blob young: for a Sweep it counts as put now.
func (s *Store) Touch(d edgeward.Digest) (Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if err := os.Chtimes(s.Path(d), now, now); err != nil {
		return Info{}, s.missing("blobs.Touch", d, err)
	}
	return s.Stat(d)
}

// missing explains why d cannot be opened.
func (s *Store) missing(op string, d edgeward.Digest, err error) error {
	if !errors.Is(err, os.ErrNotExist) {
		return disk.Err(op, err)
	}
	if _, derr := os.Stat(s.damagedPath(d)); derr == nil {
		return damaged(op, d)
	}
	return edgeward.E(op, edgeward.NotFound, "blob.not_found", "no blob %s", d).With("digest", string(d))
}

func damaged(op string, d edgeward.Digest) error {
	return edgeward.E(op, edgeward.Unavailable, "blob.damaged", "the stored bytes of %s are damaged", d).With("digest", string(d)).
		WithHint("the disk returned other bytes than were stored; they were moved aside: fetch or upload them again, and check the disk")
}

func digest(h hash.Hash) edgeward.Digest {
	return edgeward.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
}
