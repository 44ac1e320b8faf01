package blobs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"edgeward"
	"edgeward/sync/disk"
)

// Reader reads one blob from its beginning. At the end it answers io.EOF only if all bytes had the digest; else
// Unavailable "blob.damaged", and the blob is moved aside. Bytes handed out before the end are not yet proven: who acts
// on a part uses Verified first.
type Reader struct {
	s    *Store
	d    edgeward.Digest
	f    *os.File
	h    hash.Hash
	size int64
	err  error // sticky end
}

// Open starts reading a blob. The caller closes the Reader.
func (s *Store) Open(d edgeward.Digest) (*Reader, error) {
	f, err := os.Open(s.Path(d))
	if err != nil {
		return nil, s.missing("blobs.Open", d, err)
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, disk.Err("blobs.Open", err)
	}
	return &Reader{s: s, d: d, f: f, h: sha256.New(), size: st.Size()}, nil
}

// Size is the length of the stored file in bytes.
func (r *Reader) Size() int64 { return r.size }

// Read implements io.Reader; see Reader for the meaning of its end.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.f.Read(p)
	r.h.Write(p[:n])
	switch {
	case err == io.EOF && digest(r.h) != r.d:
		err = errors.Join(damaged("blobs.Read", r.d), r.s.quarantine(r.d, r.f))
	case err != nil && err != io.EOF:
		err = disk.Err("blobs.Read", err)
	}
	r.err = err
	return n, err
}

// Close ends the reading. It says nothing about bytes that were not read.
func (r *Reader) Close() error { return r.f.Close() }

// ReadAll returns the proven bytes of a blob of at most limit bytes.
func (s *Store) ReadAll(ctx context.Context, d edgeward.Digest, limit int64) ([]byte, error) {
	r, err := s.Open(d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if r.Size() > limit {
		return nil, edgeward.E("blobs.ReadAll", edgeward.TooLarge, "blob.too_large", "%s has %d bytes, more than %d", d, r.Size(), limit).
			With("limit", fmt.Sprint(limit))
	}
	b := make([]byte, 0, r.Size()+1) // one more, so that the end is seen without growing
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := r.Read(b[len(b):min(cap(b), len(b)+1<<20)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
		if len(b) == cap(b) { // the file is longer than its own Stat: not ours
			return nil, damaged("blobs.ReadAll", d)
		}
	}
}

// Verified reads the whole blob once and returns its path if the bytes have the digest. What happens to the disk
// afterwards is not covered.
func (s *Store) Verified(ctx context.Context, d edgeward.Digest) (string, error) {
	r, err := s.Open(d)
	if err != nil {
		return "", err
	}
	defer r.Close()
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if _, err := r.Read(buf); err == io.EOF {
			return s.Path(d), nil
		} else if err != nil {
			return "", err
		}
	}
}

// quarantine moves the blob d aside if it is still the file f. A Put may have replaced it meanwhile.
func (s *Store) quarantine(d edgeward.Digest, f *os.File) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.Path(d)
	now, err := os.Stat(p)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if read, err := f.Stat(); err != nil || !os.SameFile(now, read) {
		return err
	}
	if err := os.Rename(p, s.damagedPath(d)); err != nil {
		return err
	}
	return errors.Join(disk.SyncDir(filepath.Dir(p)), disk.SyncDir(filepath.Join(s.dir, "damaged")))
}
