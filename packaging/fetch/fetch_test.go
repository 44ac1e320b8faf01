package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgeward/packaging/needtest"
)

// repository lays out a root with one small wheel in the cache and the list that pins it.
func repository(t *testing.T, change func(*list)) (root, file string, l list) {
	t.Helper()
	root = t.TempDir()
	var z bytes.Buffer
	w := zip.NewWriter(&z)
	for name, text := range map[string]string{"lib/libtoy.so.1": strings.Repeat("toy ", 1000), "LICENSE": "do what you like"} {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l = list{
		Platform: "linux/amd64",
		Wheels: []wheel{{Package: "edgeward-toy-that-does-not-exist", Version: "1", Licence: "MIT", Platform: "any", File: "toy-1-py3-none-any.whl",
			Size: int64(z.Len()), SHA256: hexSum(z.Bytes()), Texts: []string{"LICENSE"}}},
		Sets: []set{{Name: "toy", Version: "1", Licence: "MIT", Files: []cut{{Package: "edgeward-toy-that-does-not-exist", Path: "lib/libtoy.so.1"}}}},
	}
	if change != nil {
		change(&l)
	}
	raw, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(root, "list.json")
	cache := filepath.Join(root, ".cache", "wheels")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	for p, b := range map[string][]byte{file: raw, filepath.Join(cache, "toy-1-py3-none-any.whl"): z.Bytes()} {
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root, file, l
}

// packed returns the pack's files and their bytes.
func packed(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	dir := filepath.Join(root, "runtime", "native", "pack")
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(p)
		out[d.Name()] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheSameListGivesTheSameBytes(t *testing.T) {
	rootA, fileA, _ := repository(t, nil)
	rootB, fileB, _ := repository(t, nil)
	for root, file := range map[string]string{rootA: fileA, rootB: fileB} {
		if err := run(t.Context(), root, file, false); err != nil {
			t.Fatal(err)
		}
	}
	// The two wheels differ in the order of their entries, and so do lists and recipes; the packed library may not.
	a, b := packed(t, rootA), packed(t, rootB)
	for name, raw := range a {
		if name != "index.json" && b[name] != raw {
			t.Errorf("%s differs", name)
		}
	}
	if len(a) != 3 || len(b) != 3 {
		t.Errorf("got %d and %d files, want index, licences and one library", len(a), len(b))
	}
}

func TestUpToDateUntilSomethingChanges(t *testing.T) {
	root, file, _ := repository(t, nil)
	if err := run(t.Context(), root, file, true); err == nil {
		t.Fatal("-check says an empty pack is up to date")
	}
	if err := run(t.Context(), root, file, false); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(root, ".cache")); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), root, file, false); err != nil {
		t.Fatalf("up to date it needs no wheel, but: %v", err)
	}
	for name, raw := range packed(t, root) {
		if err := os.WriteFile(filepath.Join(root, "runtime", "native", "pack", name), []byte(raw[:len(raw)-2]), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := run(t.Context(), root, file, true); err == nil {
			t.Errorf("-check does not see that %s is damaged", name)
		}
		if err := os.WriteFile(filepath.Join(root, "runtime", "native", "pack", name), []byte(raw), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnotherWheelIsRefused(t *testing.T) {
	needtest.Tool(t, "python3")
	t.Setenv("PIP_NO_INDEX", "1")
	t.Setenv("PIP_FIND_LINKS", "")
	root, file, l := repository(t, func(l *list) { l.Wheels[0].SHA256 = strings.Repeat("0", 64) })
	err := run(t.Context(), root, file, false)
	if err == nil || !strings.Contains(err.Error(), l.Wheels[0].File) {
		t.Fatalf("got %v; want a refusal that names the file to provide", err)
	}
	if _, err := os.Stat(filepath.Join(root, "runtime", "native", "pack", "index.json")); err == nil {
		t.Fatal("a pack was written")
	}
}

func TestBadListsAreRefused(t *testing.T) {
	for name, change := range map[string]func(*list){
		"no digest":        func(l *list) { l.Wheels[0].SHA256 = "" },
		"no licence texts": func(l *list) { l.Wheels[0].Texts = nil },
		"a path as file":   func(l *list) { l.Wheels[0].File = "../x.whl" },
		"unknown package":  func(l *list) { l.Sets[0].Files[0].Package = "other" },
		"a path as name":   func(l *list) { l.Sets[0].Files[0].Name = "a/b" },
		"not in the wheel": func(l *list) { l.Sets[0].Files[0].Path = "lib/nothing.so" },
	} {
		t.Run(name, func(t *testing.T) {
			root, file, _ := repository(t, change)
			if err := run(t.Context(), root, file, false); err == nil {
				t.Fatal("accepted")
			}
		})
	}
}

func TestThePinnedListIsWellFormed(t *testing.T) {
	l, err := parse(pinned)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range l.Sets {
		if s.Version == "" || s.Licence == "" || len(s.Files) == 0 {
			t.Errorf("set %q lacks version, licence or files", s.Name)
		}
	}
}
