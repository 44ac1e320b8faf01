package oci

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"edgeward"
)

// Entry is a folder or a file of an image. Folders above it that no layer names are made, owned by root.
type Entry struct {
	Name  string      // "usr/bin/edgeward": no leading slash
	Mode  fs.FileMode // permissions, with fs.ModeDir for a folder
	Owner int         // user and group by number
	Bytes []byte      // of a file: what it holds,
	Path  string      // or the file of this machine that holds it
}

// Layer is a part of an image.
type Layer struct {
	Holds   string // for people, in the image's history
	Entries []Entry
}

// Image is what is written as an image of one platform.
type Image struct {
	Tag        string  // "3"
	Arch       string  // "amd64"; the system is linux
	Layers     []Layer // from the one that changes least to the one that changes most
	Entrypoint []string
	Command    []string
	Env        []string // "EDGEWARD_DATA_DIR=/data"
	User       string   // "65532:65532"
	WorkDir    string
	Ports      []string          // "8080/tcp"
	Labels     map[string]string // also the manifest's annotations
}

// WriteImage writes im as a layout into dir, which is empty or not there, and returns the digest of its manifest.
func WriteImage(ctx context.Context, dir string, im Image) (edgeward.Digest, error) {
	const op = "oci.WriteImage"
	l, err := create(dir)
	if err != nil {
		return "", edgeward.Wrap(op, err)
	}
	epoch := time.Unix(0, 0).UTC()
	platform := ocispec.Platform{Architecture: im.Arch, OS: "linux"}
	ports := map[string]struct{}{}
	for _, p := range im.Ports {
		ports[p] = struct{}{}
	}
	config := ocispec.Image{Created: &epoch, Platform: platform, RootFS: ocispec.RootFS{Type: "layers"}, Config: ocispec.ImageConfig{User: im.User, ExposedPorts: ports, Env: im.Env,
		Entrypoint: im.Entrypoint, Cmd: im.Command, WorkingDir: im.WorkDir, Labels: im.Labels}}
	m := ocispec.Manifest{Annotations: im.Labels}
	for _, part := range im.Layers {
		d, diff, err := l.layer(ctx, part.Entries)
		if err != nil {
			return "", edgeward.Wrap(op, err)
		}
		h := ocispec.History{Created: &epoch, CreatedBy: "edgeward endpoint export", Comment: part.Holds}
		m.Layers, config.RootFS.DiffIDs, config.History = append(m.Layers, d), append(config.RootFS.DiffIDs, diff), append(config.History, h)
	}
	b, err := json.Marshal(config)
	if err != nil {
		return "", edgeward.Wrap(op, err)
	}
	if m.Config, err = l.bytes(ocispec.MediaTypeImageConfig, b); err != nil {
		return "", edgeward.Wrap(op, err)
	}
	d, err := l.finish(m, &platform, im.Tag)
	return edgeward.Digest(d.Digest), edgeward.Wrap(op, err)
}

// layer writes entries as a compressed tar and returns it with the digest of the tar itself.
func (l layout) layer(ctx context.Context, entries []Entry) (ocispec.Descriptor, digest.Digest, error) {
	entries = slices.SortedFunc(slices.Values(entries), func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	plain := counter{h: sha256.New()}
	d, err := l.blob(ocispec.MediaTypeImageLayerGzip, func(w io.Writer) error {
		z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if err != nil {
			return err
		}
		plain.w = z
		t := tar.NewWriter(&plain)
		made := map[string]bool{}
		for _, e := range entries {
			if err := put(ctx, t, e, made); err != nil {
				return err
			}
		}
		return errors.Join(t.Close(), z.Close())
	})
	return d, digest.NewDigest(digest.SHA256, plain.h), err
}

// put writes one entry and the folders above it that this layer has not.
func put(ctx context.Context, t *tar.Writer, e Entry, made map[string]bool) error {
	if !fs.ValidPath(e.Name) || e.Name == "." || made[e.Name] {
		return edgeward.E("oci.layer", edgeward.Internal, "", "the image has no place for %q, or two things of that name", e.Name)
	}
	if up := path.Dir(e.Name); up != "." && !made[up] {
		if err := put(ctx, t, Entry{Name: up, Mode: fs.ModeDir | 0o755}, made); err != nil {
			return err
		}
	}
	made[e.Name] = true
	h := tar.Header{Name: e.Name, Mode: int64(e.Mode.Perm()), Uid: e.Owner, Gid: e.Owner, ModTime: time.Unix(0, 0), Format: tar.FormatPAX, Typeflag: tar.TypeReg}
	if e.Mode&fs.ModeSticky != 0 {
		h.Mode |= 0o1000
	}
	if e.Mode.IsDir() {
		h.Typeflag, h.Name = tar.TypeDir, e.Name+"/"
		return t.WriteHeader(&h)
	}
	r, size, err := source(e.Bytes, e.Path)
	if err != nil {
		return err
	}
	defer r.Close()
	h.Size = size
	if err := t.WriteHeader(&h); err != nil {
		return err
	}
	_, err = io.Copy(t, reader{ctx, r})
	return err
}
