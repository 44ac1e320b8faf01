package oci_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edgeward"
	"edgeward/sync/oci"
)

func image() oci.Image {
	return oci.Image{Tag: "3", Arch: "amd64", User: "65532:65532", Entrypoint: []string{"/usr/bin/x"}, Ports: []string{"8080/tcp"}, Labels: map[string]string{"b": "2", "a": "1"},
		Layers: []oci.Layer{
			{Holds: "the program", Entries: []oci.Entry{{Name: "usr/bin/x", Mode: 0o755, Bytes: []byte("x")}, {Name: "data", Mode: fs.ModeDir | 0o700, Owner: 65532}, {Name: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777}}},
			{Holds: "nothing else", Entries: []oci.Entry{{Name: "etc/b", Mode: 0o444, Bytes: []byte("b")}, {Name: "etc/a", Mode: 0o444, Bytes: []byte("a")}}},
		}}
}

// archive writes an image and returns its tar.
func archive(t testing.TB, im oci.Image) []byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	if _, err := oci.WriteImage(t.Context(), dir, im); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := oci.Archive(t.Context(), dir, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTheSameImageHasTheSameBytes(t *testing.T) {
	a := archive(t, image())
	im := image()
	slices.Reverse(im.Layers[0].Entries)
	if !bytes.Equal(a, archive(t, im)) {
		t.Error("entries in another order give other bytes")
	}
	im.Layers[0].Entries[0].Mode = fs.ModeDir | 0o755
	if bytes.Equal(a, archive(t, im)) {
		t.Error("another mode gives the same bytes")
	}
}

func TestALayerHasItsFoldersOwnersAndModes(t *testing.T) {
	dir := t.TempDir()
	if err := oci.Extract(t.Context(), bytes.NewReader(archive(t, image())), filepath.Join(dir, "x"), 1<<20); err != nil {
		t.Fatal(err)
	}
	m := manifest(t, filepath.Join(dir, "x"))
	f, err := os.Open(filepath.Join(dir, "x", "blobs", "sha256", m.Layers[0].Digest.Hex()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %o %d %d", h.Name, h.Mode, h.Uid, h.ModTime.Unix()))
	}
	want := []string{"data/ 700 65532 0", "tmp/ 1777 0 0", "usr/ 755 0 0", "usr/bin/ 755 0 0", "usr/bin/x 755 0 0"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

type descriptor struct {
	Digest       edgeward.Digest
	ArtifactType string
	Annotations  map[string]string
}

type manifestDoc struct {
	ArtifactType string
	Config       descriptor
	Layers       []descriptor
}

func manifest(t *testing.T, dir string) (m manifestDoc) {
	t.Helper()
	var ix struct{ Manifests []descriptor }
	read(t, filepath.Join(dir, "index.json"), &ix)
	if len(ix.Manifests) != 1 {
		t.Fatalf("%d manifests", len(ix.Manifests))
	}
	read(t, filepath.Join(dir, "blobs", "sha256", ix.Manifests[0].Digest.Hex()), &m)
	return m
}

func read(t *testing.T, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnArtifactNamesItsFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, []byte("model"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := oci.Artifact{Tag: "1", Type: "application/vnd.x", ConfigType: "application/vnd.x.config+json", Config: []byte("{}"), Files: []oci.ArtifactFile{{"a/model.onnx", "application/octet-stream", file}}}
	if _, err := oci.WriteArtifact(t.Context(), filepath.Join(dir, "l"), a); err != nil {
		t.Fatal(err)
	}
	m := manifest(t, filepath.Join(dir, "l"))
	if m.ArtifactType != a.Type || m.Config.Digest != edgeward.DigestOf(a.Config) || len(m.Layers) != 1 || m.Layers[0].Digest != edgeward.DigestOf([]byte("model")) || m.Layers[0].Annotations["org.opencontainers.image.title"] != "a/model.onnx" {
		t.Errorf("%+v", m)
	}
}

func TestAnImageHasNoPlaceForOtherNames(t *testing.T) {
	for _, names := range [][]string{{"/etc/passwd"}, {"../x"}, {"a/../b"}, {""}, {"a", "a"}, {"a/"}} {
		var im oci.Image
		im.Layers = []oci.Layer{{}}
		for _, n := range names {
			im.Layers[0].Entries = append(im.Layers[0].Entries, oci.Entry{Name: n})
		}
		if _, err := oci.WriteImage(t.Context(), filepath.Join(t.TempDir(), "l"), im); err == nil {
			t.Errorf("%q was written", names)
		}
	}
}

// changed is an archive in which change may alter or drop entries.
func changed(t testing.TB, change func(h *tar.Header, b []byte) (*tar.Header, []byte)) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for r := tar.NewReader(bytes.NewReader(archive(t, image()))); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h, b = change(h, b); h == nil {
			continue
		}
		h.Size = int64(len(b))
		if h.Typeflag != tar.TypeReg {
			h.Size, b = 0, nil
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestExtractTakesNothingButALayout(t *testing.T) {
	whole := archive(t, image())
	is := func(name string) func(*tar.Header) bool { return func(h *tar.Header) bool { return h.Name == name } }
	blob := func(h *tar.Header) bool {
		return strings.HasPrefix(h.Name, "blobs/sha256/") && h.Typeflag == tar.TypeReg
	}
	on := func(which func(*tar.Header) bool, do func(h *tar.Header, b []byte) (*tar.Header, []byte)) []byte {
		done := false
		return changed(t, func(h *tar.Header, b []byte) (*tar.Header, []byte) {
			if done || !which(h) {
				return h, b
			}
			done = true
			return do(h, b)
		})
	}
	rename := func(name string) func(h *tar.Header, b []byte) (*tar.Header, []byte) {
		return func(h *tar.Header, b []byte) (*tar.Header, []byte) { h.Name = name; return h, b }
	}
	drop := func(*tar.Header, []byte) (*tar.Header, []byte) { return nil, nil }
	for _, c := range []struct {
		name string
		b    []byte
		size int64
		code string
	}{
		{"nothing", nil, 1 << 20, "oci.layout"},
		{"no tar", []byte(strings.Repeat("junk", 1000)), 1 << 20, "oci.layout"},
		{"cut", whole[:len(whole)/2], 1 << 20, ""},
		{"too large", whole, 100, "oci.too_large"},
		{"a changed blob", on(blob, func(h *tar.Header, b []byte) (*tar.Header, []byte) { b[0] ^= 1; return h, b }), 1 << 20, "oci.layout"},
		{"a blob outside", on(blob, rename("../../x")), 1 << 20, "oci.layout"},
		{"an absolute name", on(blob, rename("/tmp/x")), 1 << 20, "oci.layout"},
		{"another file", on(is("oci-layout"), rename("readme")), 1 << 20, "oci.layout"},
		{"a link", on(blob, func(h *tar.Header, b []byte) (*tar.Header, []byte) {
			h.Typeflag, h.Linkname = tar.TypeSymlink, "/etc/passwd"
			return h, b
		}), 1 << 20, "oci.layout"},
		{"no index", on(is("index.json"), drop), 1 << 20, "oci.layout"},
		{"no manifest", changed(t, func(h *tar.Header, b []byte) (*tar.Header, []byte) {
			if blob(h) {
				return nil, nil
			}
			return h, b
		}), 1 << 20, "oci.layout"},
		{"an index without digests", on(is("index.json"), func(h *tar.Header, b []byte) (*tar.Header, []byte) {
			return h, []byte(`{"manifests":[{"digest":"sha256:../../x"}]}`)
		}), 1 << 20, "oci.layout"},
		{"an index with no digest", on(is("index.json"), func(h *tar.Header, b []byte) (*tar.Header, []byte) {
			return h, []byte(`{"manifests":[{"digest":"nonsense"}]}`)
		}), 1 << 20, "oci.layout"},
		{"twice the same", append(bytes.Clone(whole[:len(whole)-1024]), whole...), 1 << 20, "oci.layout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			err := oci.Extract(t.Context(), bytes.NewReader(c.b), dir, c.size)
			if err == nil || c.code != "" && edgeward.CodeOf(err) != c.code {
				t.Errorf("got %v (code %q), want %q", err, edgeward.CodeOf(err), c.code)
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	t.Run("a folder that is not empty", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := oci.Extract(t.Context(), bytes.NewReader(whole), dir, 1<<20); edgeward.CodeOf(err) != "file.exists" {
			t.Error(err)
		}
	})
	t.Run("a stopped one", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := oci.Extract(ctx, bytes.NewReader(whole), filepath.Join(t.TempDir(), "x"), 1<<20); err == nil {
			t.Error("it went on")
		}
	})
}

func FuzzExtract(f *testing.F) {
	f.Add([]byte{})
	f.Add(archive(f, image()))
	f.Fuzz(func(t *testing.T, b []byte) {
		up := t.TempDir()
		err := oci.Extract(t.Context(), bytes.NewReader(b), filepath.Join(up, "in", "x"), 1<<20)
		if left, _ := os.ReadDir(up); len(left) > 1 {
			t.Fatalf("it left its folder: %v", left)
		}
		if left, _ := os.ReadDir(filepath.Join(up, "in", "x")); err != nil && len(left) > 0 {
			t.Fatalf("left behind: %v after %v", left, err)
		}
	})
}

func ExampleArchive() {
	dir, err := os.MkdirTemp("", "layout-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	d, err := oci.WriteArtifact(context.Background(), dir, oci.Artifact{Tag: "1", Type: "application/vnd.example.v1", ConfigType: "application/json", Config: []byte("{}")})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Short(), oci.Archive(context.Background(), dir, io.Discard))
	// Output: a5a15d24c38c <nil>
}
