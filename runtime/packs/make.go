package packs

import (
	"archive/tar"
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"edgeward"
	"edgeward/runtime/native"
)

// Make writes the pack of a recipe, whose wheels lie in the folder wheels, to w, and returns its digest. say, if not nil, is
// told what is being done. Files are packed one after the other into a temporary folder, since their sizes stand before
// them. Errors: NotFound "runtime.wheel" for one that is not there, Invalid "runtime.wheel" for one with other bytes.
func Make(ctx context.Context, r Recipe, wheels string, w io.Writer, say func(string)) (edgeward.Digest, error) {
	const op = "packs.Make"
	if say == nil {
		say = func(string) {}
	}
	open := map[string]*zip.ReadCloser{}
	defer func() {
		for _, z := range open {
			z.Close()
		}
	}()
	for _, x := range r.Wheels {
		say("checking " + x.File)
		if err := x.check(ctx, wheels); err != nil {
			return "", err
		}
		z, err := zip.OpenReader(filepath.Join(wheels, x.File))
		if err != nil {
			return "", edgeward.Wrap(op, err)
		}
		open[x.Package] = z
	}
	ix := Index{Format: Format, Ref: r.Ref, Platform: r.Platform, Engine: r.Engine, Devices: r.Devices, Library: r.Library, Driver: r.Driver}
	for _, x := range r.Wheels {
		for _, p := range x.Texts {
			text, err := entry(open[x.Package], p, MaxIndex)
			if err != nil {
				return "", err
			}
			ix.Licences = append(ix.Licences, native.Licence{Component: x.Package, Version: x.Version, Licence: x.Licence, From: x.File, File: path.Base(p), Text: strings.ToValidUTF8(string(text), "?")})
		}
	}
	tmp, err := os.MkdirTemp("", "edgeward-pack-*")
	if err != nil {
		return "", edgeward.Wrap(op, err)
	}
	defer os.RemoveAll(tmp)
	for _, c := range r.Cuts {
		say("packing " + c.name())
		f, err := squeeze(ctx, open[c.Package], c, filepath.Join(tmp, c.name()))
		if err != nil {
			return "", edgeward.Wrap(op, err)
		}
		ix.Files = append(ix.Files, f)
		if c.Preload {
			ix.Preload = append(ix.Preload, c.name())
		}
	}
	if err := ix.check(); err != nil && edgeward.CodeOf(err) != "runtime.platform" { // it may be made for another machine
		return "", err
	}
	return ix.write(w, tmp)
}

// write writes the archive: no time, no owner, nothing of this machine.
func (ix Index) write(w io.Writer, packed string) (edgeward.Digest, error) {
	h := sha256.New()
	t := tar.NewWriter(io.MultiWriter(w, h))
	raw, err := json.Marshal(ix)
	if err != nil {
		return "", edgeward.Wrap("packs.Make", err)
	}
	put := func(name string, size int64, r io.Reader) error {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644}); err != nil {
			return err
		}
		_, err := io.Copy(t, r)
		return err
	}
	if err := put(indexName, int64(len(raw)), strings.NewReader(string(raw))); err != nil {
		return "", full(err)
	}
	for _, f := range ix.Files {
		from, err := os.Open(filepath.Join(packed, f.Name))
		if err != nil {
			return "", edgeward.Wrap("packs.Make", err)
		}
		err = put(f.Name+".zst", f.Packed, from)
		if err = errors.Join(err, from.Close()); err != nil {
			return "", full(err)
		}
	}
	if err := t.Close(); err != nil {
		return "", full(err)
	}
	return edgeward.Digest("sha256:" + hex.EncodeToString(h.Sum(nil))), nil
}

// check compares a wheel with its pinned sha256.
func (x Wheel) check(ctx context.Context, dir string) error {
	f, err := os.Open(filepath.Join(dir, x.File))
	if err != nil {
		return edgeward.E("packs.Make", edgeward.NotFound, "runtime.wheel", "the wheel %s is not in %s", x.File, dir).With("file", x.File).
			WithHint("download the wheels first: edgeward runtime recipes shows how")
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, &source{ctx: ctx, r: f}); err != nil {
		return edgeward.Wrap("packs.Make", err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != x.SHA256 {
		return edgeward.E("packs.Make", edgeward.Invalid, "runtime.wheel", "the wheel %s has sha256 %s, and the recipe pins %s", x.File, got, x.SHA256).With("file", x.File).
			WithHint("download it again")
	}
	return nil
}

func find(z *zip.ReadCloser, name string) (*zip.File, error) {
	if z != nil {
		for _, f := range z.File {
			if f.Name == name {
				return f, nil
			}
		}
	}
	return nil, edgeward.E("packs.Make", edgeward.Invalid, "runtime.wheel", "no wheel has the file %s", name)
}

func entry(z *zip.ReadCloser, name string, most int64) ([]byte, error) {
	f, err := find(z, name)
	if err != nil {
		return nil, err
	}
	r, err := f.Open()
	if err != nil {
		return nil, edgeward.Wrap("packs.Make", err)
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, most))
	return raw, edgeward.Wrap("packs.Make", err)
}

// squeeze packs one file of a wheel into to. One goroutine and no clock: the same bytes in, the same bytes out.
func squeeze(ctx context.Context, z *zip.ReadCloser, c Cut, to string) (native.File, error) {
	f := native.File{Name: c.name()}
	from, err := find(z, c.Path)
	if err != nil {
		return f, err
	}
	r, err := from.Open()
	if err != nil {
		return f, err
	}
	defer r.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return f, err
	}
	defer out.Close()
	enc, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(8<<20))
	if err != nil {
		return f, err
	}
	h := sha256.New()
	if f.Size, err = io.Copy(io.MultiWriter(enc, h), &source{ctx: ctx, r: io.LimitReader(r, MaxFile)}); err != nil {
		return f, errors.Join(err, enc.Close())
	}
	if err := enc.Close(); err != nil {
		return f, full(err)
	}
	if f.Packed, err = out.Seek(0, io.SeekCurrent); err != nil {
		return f, err
	}
	f.Digest = edgeward.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
	return f, out.Close()
}
