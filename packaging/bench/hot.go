package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// hot runs the Go benchmarks whose names match, each package's once per round.
func (b *bench) hot(ctx context.Context) error {
	dirs, err := withBenchmarks(".")
	if err != nil {
		return err
	}
	programs := map[string]string{}
	for _, dir := range dirs {
		programs[dir] = filepath.Join(b.dir, strings.ReplaceAll(dir, "/", "_")+".test")
		if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", programs[dir], "./"+dir).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", dir, err, out)
		}
	}
	t := newTable("us/op", "allocs/op", "MB/s", "commits/s")
	for range b.rounds {
		for _, dir := range dirs {
			cmd := exec.CommandContext(ctx, programs[dir], "-test.run", "^$", "-test.bench", b.match, "-test.benchmem", "-test.benchtime", "0.5s")
			cmd.Dir, cmd.Stderr = dir, os.Stderr
			out, err := cmd.Output()
			if err != nil {
				return fmt.Errorf("%s: %w\n%s", dir, err, out)
			}
			results(t, dir, out)
		}
	}
	t.print()
	return nil
}

// results adds the lines of one run: name, count, then pairs of value and unit.
func results(t *table, dir string, out []byte) {
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(f[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i]
		}
		for i := 2; i+1 < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				continue
			}
			if f[i+1] == "ns/op" {
				t.add(dir+" "+name, "us/op", v/1000)
			} else {
				t.add(dir+" "+name, f[i+1], v)
			}
		}
	}
}

// withBenchmarks lists the folders that have a benchmark.
func withBenchmarks(root string) ([]string, error) {
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case !strings.HasSuffix(p, "_test.go"):
			return nil
		}
		b, err := os.ReadFile(p)
		if bytes.Contains(b, []byte("\nfunc Benchmark")) {
			found[filepath.ToSlash(filepath.Dir(p))] = true
		}
		return err
	})
	return slices.Sorted(maps.Keys(found)), err
}
