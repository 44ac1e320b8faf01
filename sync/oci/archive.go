package oci

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"edgeward"
	"edgeward/sync/disk"
)

// Archive writes the layout in dir to w as one tar: what tools call an OCI archive. The same layout gives the same bytes.
func Archive(ctx context.Context, dir string, w io.Writer) error {
	t := tar.NewWriter(w)
	made := map[string]bool{}
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error { // in lexical order
		if err != nil || d.IsDir() {
			return err
		}
		return put(ctx, t, Entry{Name: name, Mode: 0o644, Path: filepath.Join(dir, filepath.FromSlash(name))}, made)
	})
	return edgeward.Wrap("oci.Archive", errors.Join(err, t.Close()))
}

// Bounds of an archive that Extract takes.
const (
	maxEntries = 4096
	maxSmall   = 4 << 20 // index.json and oci-layout
)

// Extract writes the layout in the tar r to dir, which is empty or not there, holding blobs against their digests. More
// than limit bytes are TooLarge "oci.too_large"; anything that is no layout is Invalid "oci.layout".
func Extract(ctx context.Context, r io.Reader, dir string, limit int64) (err error) {
	const op = "oci.Extract"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return disk.Err(op, err)
	}
	if some, err := os.ReadDir(dir); err != nil {
		return disk.Err(op, err)
	} else if len(some) > 0 {
		return edgeward.E(op, edgeward.Conflict, "file.exists", "%s is not empty", dir).WithHint("name a folder that is empty or not there")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return disk.Err(op, err)
	}
	defer root.Close()
	defer func() {
		if err != nil {
			err = errors.Join(err, root.RemoveAll("blobs"), gone(root.Remove(ocispec.ImageIndexFile)), gone(root.Remove(ocispec.ImageLayoutFile)))
		}
	}()
	if err := root.MkdirAll("blobs/sha256", 0o755); err != nil {
		return disk.Err(op, err)
	}
	t := tar.NewReader(reader{ctx, r})
	for n := 0; ; n++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return complete(root)
		}
		if err != nil {
			return invalid("the tar cannot be read: %w", err)
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		if limit -= h.Size; n >= maxEntries || limit < 0 {
			return edgeward.E(op, edgeward.TooLarge, "oci.too_large", "the archive is larger than allowed").WithHint("it is no archive that edgeward wrote")
		}
		if err := take(root, h, t); err != nil {
			return err
		}
	}
}

// take writes one file of an archive.
func take(root *os.Root, h *tar.Header, r io.Reader) error {
	dir, name := path.Split(h.Name)
	small := dir == "" && (name == ocispec.ImageIndexFile || name == ocispec.ImageLayoutFile) && h.Size <= maxSmall
	if h.Typeflag != tar.TypeReg || !small && (dir != "blobs/sha256/" || !isHex(name)) {
		return invalid("a layout has no %.80q", h.Name)
	}
	f, err := root.OpenFile(h.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return invalid("%.80q stands in it twice", h.Name)
	}
	if err != nil {
		return disk.Err("oci.Extract", err)
	}
	c := counter{w: f, h: sha256.New()}
	_, err = io.Copy(&c, r)
	if err := errors.Join(err, f.Close()); err != nil {
		return disk.Err("oci.Extract", err)
	}
	if !small && hex.EncodeToString(c.h.Sum(nil)) != name {
		return invalid("blob %s came with other bytes", name[:12])
	}
	return nil
}

// complete reports what an extracted layout lacks, as far as its index tells.
func complete(root *os.Root) error {
	if _, err := root.Stat(ocispec.ImageLayoutFile); err != nil {
		return invalid("there is no %s", ocispec.ImageLayoutFile)
	}
	b, err := root.ReadFile(ocispec.ImageIndexFile)
	if err != nil {
		return invalid("there is no %s", ocispec.ImageIndexFile)
	}
	var ix ocispec.Index
	if err := json.Unmarshal(b, &ix); err != nil || len(ix.Manifests) == 0 {
		return invalid("its index cannot be read")
	}
	for _, d := range ix.Manifests {
		at, err := edgeward.ParseDigest(string(d.Digest))
		if err != nil {
			return invalid("its index cannot be read")
		}
		if _, err := root.Stat("blobs/sha256/" + at.Hex()); err != nil {
			return invalid("a manifest is missing")
		}
	}
	return nil
}

func invalid(format string, args ...any) error {
	return edgeward.E("oci.Extract", edgeward.Invalid, "oci.layout", "no OCI image layout: "+format, args...).WithHint("the copy is incomplete or damaged: make it again")
}

func isHex(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == s
}

func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
