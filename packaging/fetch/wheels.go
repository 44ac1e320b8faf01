package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// fetch downloads the wheels that are not in the cache with the right digest.
func (b builder) fetch(ctx context.Context) error {
	if err := os.MkdirAll(b.wheels, 0o755); err != nil {
		return err
	}
	var total, done int64
	for _, w := range b.list.Wheels {
		total += w.Size
	}
	for i, w := range b.list.Wheels {
		head := fmt.Sprintf("native pack: wheel %d of %d: %s %s, %.1f MB", i+1, len(b.list.Wheels), w.Package, w.Version, mb(w.Size))
		path := filepath.Join(b.wheels, w.File)
		if d, err := digestOf(path); err == nil && d == w.SHA256 {
			fmt.Fprintf(b.log, "%s: already here\n", head)
		} else {
			fmt.Fprintf(b.log, "%s: fetching\n", head)
			start := time.Now()
			if err := b.download(ctx, w); err != nil {
				return err
			}
			if d, err := digestOf(path); err != nil || d != w.SHA256 {
				return fmt.Errorf("pip said it fetched %s, but the file is missing or has another digest", w.File)
			}
			fmt.Fprintf(b.log, "native pack: %s here after %.0f s\n", w.Package, time.Since(start).Seconds())
		}
		done += w.Size
		fmt.Fprintf(b.log, "native pack: %.0f of %.0f MB\n", mb(done), mb(total))
	}
	return nil
}

// download runs pip with the target's platform and Python pinned, so that one digest holds on every host Python. pip
// refuses any file with another digest.
func (b builder) download(ctx context.Context, w wheel) error {
	req, err := os.CreateTemp(b.wheels, "require-*.txt")
	if err != nil {
		return err
	}
	defer os.Remove(req.Name())
	_, err = fmt.Fprintf(req, "%s==%s --hash=sha256:%s\n", w.Package, w.Version, w.SHA256)
	if err := errors.Join(err, req.Close()); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "python3", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:",
		"--implementation", "cp", "--python-version", "3.12", "--abi", "cp312", "--platform", w.Platform,
		"--require-hashes", "--disable-pip-version-check", "--no-input", "--dest", b.wheels, "-r", req.Name())
	cmd.Stdout, cmd.Stderr = b.log, b.log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("pip could not fetch %s %s (%w): it needs python3 with pip and a package index it can reach; "+
			"offline, put %s into %s", w.Package, w.Version, err, w.File, b.wheels)
	}
	return nil
}

func digestOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func mb(n int64) float64 { return float64(n) / 1e6 }
