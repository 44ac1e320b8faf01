package oci

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"edgeward/sync/disk"
)

// layout is a folder that is being written.
type layout struct {
	dir string
}

func create(dir string) (layout, error) {
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		return layout{}, disk.Err("oci.Write", err)
	}
	return layout{dir}, nil
}

// blob writes what fill gives under its digest.
func (l layout) blob(mediaType string, fill func(io.Writer) error) (ocispec.Descriptor, error) {
	f, err := os.CreateTemp(filepath.Join(l.dir, "blobs"), "part-*")
	if err != nil {
		return ocispec.Descriptor{}, disk.Err("oci.Write", err)
	}
	defer os.Remove(f.Name()) // after the rename there is nothing of that name
	c := counter{w: f, h: sha256.New()}
	err = errors.Join(fill(&c), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(l.dir, "blobs", "sha256", hex.EncodeToString(c.h.Sum(nil))))
	}
	if err != nil {
		return ocispec.Descriptor{}, disk.Err("oci.Write", err)
	}
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.NewDigest(digest.SHA256, c.h), Size: c.n}, nil
}

func (l layout) bytes(mediaType string, b []byte) (ocispec.Descriptor, error) {
	return l.blob(mediaType, func(w io.Writer) error { _, err := w.Write(b); return err })
}

// file writes the file at path.
func (l layout) file(ctx context.Context, mediaType, path string) (ocispec.Descriptor, error) {
	f, err := os.Open(path)
	if err != nil {
		return ocispec.Descriptor{}, disk.Err("oci.Write", err)
	}
	defer f.Close()
	return l.blob(mediaType, func(w io.Writer) error { _, err := io.Copy(w, reader{ctx, f}); return err })
}

// finish writes the manifest and the index with the one tag.
func (l layout) finish(m ocispec.Manifest, platform *ocispec.Platform, tag string) (ocispec.Descriptor, error) {
	m.Versioned, m.MediaType = specs.Versioned{SchemaVersion: 2}, ocispec.MediaTypeImageManifest
	b, err := json.Marshal(m)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	d, err := l.bytes(ocispec.MediaTypeImageManifest, b)
	if err != nil {
		return d, err
	}
	d.Platform, d.ArtifactType = platform, m.ArtifactType
	d.Annotations = map[string]string{ocispec.AnnotationRefName: tag}
	b, err = json.Marshal(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{d}})
	if err != nil {
		return d, err
	}
	version, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return d, err
	}
	return d, disk.Err("oci.Write", errors.Join(os.WriteFile(filepath.Join(l.dir, ocispec.ImageIndexFile), b, 0o644),
		os.WriteFile(filepath.Join(l.dir, ocispec.ImageLayoutFile), version, 0o644)))
}

// counter counts and hashes what is written through it.
type counter struct {
	w io.Writer
	h hash.Hash
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.h.Write(b[:n])
	c.n += int64(n)
	return n, err
}

// reader ends with its ctx.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

func source(b []byte, path string) (io.ReadCloser, int64, error) {
	if path == "" {
		return io.NopCloser(bytes.NewReader(b)), int64(len(b)), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, st.Size(), nil
}
