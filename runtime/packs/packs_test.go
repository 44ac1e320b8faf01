package packs_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"edgeward"
	"edgeward/runtime/native"
	"edgeward/runtime/packs"
)

var added = time.Date(2026, 11, 25, 20, 0, 0, 0, time.UTC)

// entry is one entry of an archive.
type entry struct {
	name string
	body []byte
	kind byte
}

func squeeze(b []byte) []byte {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return z.EncodeAll(b, nil)
}

func archive(entries ...entry) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Size: int64(len(e.body)), Mode: 0o644}
		if e.kind != 0 {
			h.Typeflag, h.Linkname, h.Size, e.body = e.kind, "/etc/passwd", 0, nil
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if _, err := w.Write(e.body); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

var libraries = map[string][]byte{"libengine.so.1": []byte(strings.Repeat("the engine ", 1000)), "libhelp.so": []byte("help")}

func index(change func(*packs.Index)) packs.Index {
	ix := packs.Index{Format: packs.Format, Ref: packs.Ref{Name: "engine-cuda", Version: "1.31.1"}, Platform: runtime.GOOS + "/" + runtime.GOARCH, Engine: "onnxruntime",
		Devices: []string{"CUDA"}, Library: "libengine.so.1", Preload: []string{"libhelp.so"}, Driver: "580.65"}
	for _, name := range []string{"libengine.so.1", "libhelp.so"} {
		b := libraries[name]
		ix.Files = append(ix.Files, native.File{Name: name, Digest: edgeward.DigestOf(b), Size: int64(len(b)), Packed: int64(len(squeeze(b)))})
	}
	if change != nil {
		change(&ix)
	}
	return ix
}

func entries(ix packs.Index) []entry {
	raw, err := json.Marshal(ix)
	if err != nil {
		panic(err)
	}
	out := []entry{{name: "pack.json", body: raw}}
	for _, f := range ix.Files {
		out = append(out, entry{name: f.Name + ".zst", body: squeeze(libraries[f.Name])})
	}
	return out
}

func file(change func(*packs.Index)) []byte { return archive(entries(index(change))...) }

func open(t testing.TB) (*packs.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "runtimes")
	s, err := packs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func admission(b []byte) packs.Admission {
	return packs.Admission{Digest: edgeward.DigestOf(b), By: "user:admin", At: added}
}

func add(s *packs.Store, b []byte) (packs.Pack, bool, error) {
	return s.Add(context.Background(), bytes.NewReader(b), admission(b))
}

// nothing fails the test if dir holds anything that was visible or left behind.
func nothing(t *testing.T, dir string) {
	t.Helper()
	all, _ := os.ReadDir(dir)
	for _, e := range all {
		t.Errorf("%s was left in %s", e.Name(), dir)
	}
}

func TestAPackIsAddedFoundAndRemoved(t *testing.T) {
	s, dir := open(t)
	b := file(nil)
	var last int64
	a := admission(b)
	a.Progress = func(n int64) { last = n }
	p, fresh, err := s.Add(t.Context(), bytes.NewReader(b), a)
	if err != nil || !fresh || p.Digest != edgeward.DigestOf(b) || last == 0 {
		t.Fatalf("got %+v, %v, %v after %d bytes", p, fresh, err, last)
	}
	if _, fresh, err = add(s, b); err != nil || fresh {
		t.Errorf("the same once more: %v, %v", fresh, err)
	}
	other := file(func(ix *packs.Index) { ix.Driver = "590" })
	if _, _, err := add(s, other); edgeward.CodeOf(err) != "runtime.exists" || edgeward.KindOf(err) != edgeward.Conflict {
		t.Errorf("other bytes of the same name: %v", err)
	}
	newer := file(func(ix *packs.Index) { ix.Version = "1.31.10" })
	if _, _, err := add(s, newer); err != nil {
		t.Fatal(err)
	}
	list := s.List()
	if len(list) != 2 || list[0].Version != "1.31.10" || list[1].Added != added || list[1].By != "user:admin" {
		t.Errorf("got %+v", list)
	}
	at, err := packs.At(dir).Locate(t.Context(), p.Ref)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(at.Library); err != nil || !bytes.Equal(got, libraries["libengine.so.1"]) || len(at.Preload) != 1 {
		t.Errorf("got %d bytes, %v, %v", len(got), at.Preload, err)
	}
	if err := s.Remove(p.Ref); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(p.Ref); edgeward.CodeOf(err) != "runtime.not_found" || edgeward.KindOf(err) != edgeward.NotFound {
		t.Errorf("removed twice: %v", err)
	}
	if _, err := s.Locate(t.Context(), p.Ref); edgeward.CodeOf(err) != "runtime.not_found" {
		t.Errorf("located after its removal: %v", err)
	}
}

func TestWhatIsNoPackIsRefusedAndLeavesNothing(t *testing.T) {
	whole := file(nil)
	ix := index(nil)
	with := func(change func([]entry) []entry) []byte { return archive(change(entries(ix))...) }
	for _, c := range []struct {
		name string
		b    []byte
		kind edgeward.Kind
		code string
	}{
		{"nothing", nil, edgeward.Invalid, "runtime.pack"},
		{"a text", []byte(strings.Repeat("no pack at all\n", 100)), edgeward.Invalid, "runtime.pack"},
		{"cut in its index", whole[:600], edgeward.Invalid, "runtime.pack"},
		{"cut in a file", whole[:len(whole)-1600], edgeward.Invalid, "runtime.pack"},
		{"no index", with(func(e []entry) []entry { return e[1:] }), edgeward.Invalid, "runtime.pack"},
		{"an index that is no JSON", with(func(e []entry) []entry { e[0].body = []byte("{{"); return e }), edgeward.Invalid, "runtime.pack"},
		{"a file too few", with(func(e []entry) []entry { return e[:2] }), edgeward.Invalid, "runtime.pack"},
		{"a file too many", with(func(e []entry) []entry { return append(e, entry{name: "more.zst", body: squeeze([]byte("x"))}) }), edgeward.Invalid, "runtime.pack"},
		{"files in another order", with(func(e []entry) []entry { e[1], e[2] = e[2], e[1]; return e }), edgeward.Invalid, "runtime.pack"},
		{"a link in the place of a file", with(func(e []entry) []entry { e[1].kind = tar.TypeSymlink; return e }), edgeward.Invalid, "runtime.pack"},
		{"another file's bytes", with(func(e []entry) []entry {
			e[2].body = squeeze([]byte("hulp"))
			return e
		}), edgeward.Invalid, "runtime.pack"},
		{"no zstd", with(func(e []entry) []entry { e[2].body = bytes.Repeat([]byte("x"), len(e[2].body)); return e }), edgeward.Invalid, "runtime.pack"},
		{"a path out of its folder", file(func(ix *packs.Index) { ix.Files[1].Name = "../libhelp.so"; ix.Preload = nil }), edgeward.Invalid, "runtime.pack"},
		{"an absolute path", file(func(ix *packs.Index) { ix.Files[1].Name = "/etc/ld.so.preload"; ix.Preload = nil }), edgeward.Invalid, "runtime.pack"},
		{"its own record", file(func(ix *packs.Index) { ix.Files[1].Name = "record.json"; ix.Preload = nil }), edgeward.Invalid, "runtime.pack"},
		{"a name twice", file(func(ix *packs.Index) { ix.Files[1] = ix.Files[0]; ix.Preload = nil }), edgeward.Invalid, "runtime.pack"},
		{"a library that is not in it", file(func(ix *packs.Index) { ix.Library = "libother.so" }), edgeward.Invalid, "runtime.pack"},
		{"a name that is none", file(func(ix *packs.Index) { ix.Name = "../up" }), edgeward.Invalid, "name.invalid"},
		{"a version that is none", file(func(ix *packs.Index) { ix.Version = "1/../2" }), edgeward.Invalid, "runtime.version"},
		{"a later format", file(func(ix *packs.Index) { ix.Format = 2 }), edgeward.Invalid, "runtime.format"},
		{"for another machine", file(func(ix *packs.Index) { ix.Platform = "linux/s390x" }), edgeward.Invalid, "runtime.platform"},
		{"too old", file(func(ix *packs.Index) { ix.Version = "1.9.2" }), edgeward.Invalid, "runtime.too_old"},
		{"for an engine we have not", file(func(ix *packs.Index) { ix.Engine = "tensorrt" }), edgeward.Invalid, "runtime.pack"},
		{"for a device we know not", file(func(ix *packs.Index) { ix.Devices = []string{"TPU"} }), edgeward.Invalid, "runtime.pack"},
		{"a bomb by its index", file(func(ix *packs.Index) { ix.Files[0].Size = 5 << 30 }), edgeward.TooLarge, "runtime.too_large"},
		{"many files of it", file(func(ix *packs.Index) {
			for range packs.MaxFiles {
				ix.Files = append(ix.Files, ix.Files[0])
			}
		}), edgeward.TooLarge, "runtime.too_large"},
		{"a bomb behind its index", with(func(e []entry) []entry { // 1 GiB of zeros in a few bytes
			z := squeeze(make([]byte, 64<<20))
			raw, _ := json.Marshal(index(func(ix *packs.Index) { ix.Files[1].Packed = int64(len(z)) }))
			e[0].body, e[2].body = raw, z
			return e
		}), edgeward.Invalid, "runtime.pack"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, dir := open(t)
			_, _, err := add(s, c.b)
			if edgeward.KindOf(err) != c.kind || edgeward.CodeOf(err) != c.code {
				t.Errorf("got %v (kind %v, code %q); want %v %q", err, edgeward.KindOf(err), edgeward.CodeOf(err), c.kind, c.code)
			}
			nothing(t, dir)
		})
	}
	t.Run("another digest than was trusted", func(t *testing.T) {
		s, dir := open(t)
		_, _, err := s.Add(t.Context(), bytes.NewReader(whole), admission(nil))
		if edgeward.CodeOf(err) != "runtime.digest" || edgeward.HintOf(err) == "" {
			t.Error(err)
		}
		nothing(t, dir)
	})
	t.Run("who refuses it at the end", func(t *testing.T) {
		s, dir := open(t)
		full, a := errors.New("the log is full"), admission(whole)
		a.Admit = func(p packs.Pack) error {
			if p.Name != "engine-cuda" || len(s.List()) != 0 {
				t.Errorf("asked about %s when %d are there", p.Ref, len(s.List()))
			}
			return full
		}
		if _, _, err := s.Add(t.Context(), bytes.NewReader(whole), a); !errors.Is(err, full) {
			t.Error(err)
		}
		nothing(t, dir)
	})
	t.Run("a network that fails", func(t *testing.T) {
		s, dir := open(t)
		broken := errors.New("connection reset")
		_, _, err := s.Add(t.Context(), io.MultiReader(bytes.NewReader(whole[:3000]), failing{broken}), admission(whole))
		if !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		nothing(t, dir)
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestWhatACrashLeftIsRemoved(t *testing.T) {
	s, dir := open(t)
	if _, _, err := add(s, file(nil)); err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{".adding-1/libengine.so.1", ".removed-2/pack/x"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, filepath.Dir(left)), 0o700), os.WriteFile(filepath.Join(dir, left), []byte("half"), 0o500)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := packs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	all, _ := os.ReadDir(dir)
	if len(all) != 1 || len(s.List()) != 1 {
		t.Errorf("%d entries, %d packs", len(all), len(s.List()))
	}
}

func TestADamagedPackIsNotOpened(t *testing.T) {
	s, dir := open(t)
	p, _, err := add(s, file(nil))
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, p.Ref.String(), "libhelp.so")
	if err := errors.Join(os.Chmod(at, 0o600), os.WriteFile(at, []byte("hulp"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Locate(t.Context(), p.Ref); edgeward.CodeOf(err) != "runtime.damaged" || edgeward.HintOf(err) == "" {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, p.Ref.String(), "record.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if len(s.List()) != 0 {
		t.Error("it is listed without its record")
	}
	if _, fresh, err := add(s, file(nil)); err != nil || !fresh {
		t.Errorf("it cannot be added again: %v", err)
	}
}

// wheel makes a zip with files.
func wheel(t *testing.T, path string, files map[string]string) packs.Wheel {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
	}
	if err := errors.Join(z.Close(), os.WriteFile(path, b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b.Bytes())
	return packs.Wheel{Package: "engine", Version: "1.31.1", Licence: "MIT", File: filepath.Base(path), Size: int64(b.Len()), SHA256: hex.EncodeToString(sum[:]), Texts: []string{"LICENSE"}}
}

func TestAPackIsMadeFromWheels(t *testing.T) {
	dir := t.TempDir()
	w := wheel(t, filepath.Join(dir, "engine-1.31.1-py3-none-manylinux_2_28_x86_64.whl"), map[string]string{"LICENSE": "do as you like", "capi/libengine.so": "the engine"})
	r := packs.Recipe{Ref: packs.Ref{Name: "engine", Version: "1.31.1"}, Platform: runtime.GOOS + "/" + runtime.GOARCH, Engine: "onnxruntime", Devices: []string{"CPU"},
		Wheels: []packs.Wheel{w}, Library: "libengine.so", Cuts: []packs.Cut{{Package: "engine", Path: "capi/libengine.so"}}}
	var one, two bytes.Buffer
	d, err := packs.Make(t.Context(), r, dir, &one, nil)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := packs.Make(t.Context(), r, dir, &two, nil); err != nil || again != d || !bytes.Equal(one.Bytes(), two.Bytes()) || d != edgeward.DigestOf(one.Bytes()) {
		t.Errorf("made twice: %s and %s, %v", d, again, err)
	}
	ix, seen, err := packs.Look(t.Context(), bytes.NewReader(one.Bytes()))
	if err != nil || seen != d || ix.Ref != r.Ref || len(ix.Licences) != 1 || ix.Licences[0].Text != "do as you like" {
		t.Errorf("got %+v, %s, %v", ix, seen, err)
	}
	s, _ := open(t)
	if _, fresh, err := add(s, one.Bytes()); err != nil || !fresh {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, w.File), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := packs.Make(t.Context(), r, dir, io.Discard, nil); edgeward.CodeOf(err) != "runtime.wheel" || edgeward.KindOf(err) != edgeward.Invalid {
		t.Errorf("a changed wheel: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, w.File)); err != nil {
		t.Fatal(err)
	}
	if _, err := packs.Make(t.Context(), r, dir, io.Discard, nil); edgeward.CodeOf(err) != "runtime.wheel" || edgeward.KindOf(err) != edgeward.NotFound {
		t.Errorf("no wheel: %v", err)
	}
}

func TestTheRecipesAreWhole(t *testing.T) {
	for _, r := range packs.Recipes() {
		if err := r.Ref.Check(); err != nil {
			t.Error(err)
		}
		wheels := map[string]bool{}
		for _, w := range r.Wheels {
			wheels[w.Package] = true
			if len(w.SHA256) != 64 || len(w.Texts) == 0 || w.Licence == "" || w.Size == 0 || !strings.HasSuffix(w.File, ".whl") {
				t.Errorf("%s: %+v", r.Ref, w)
			}
			if !strings.Contains(r.Requirements(), w.Package+"=="+w.Version+" --hash=sha256:"+w.SHA256+"\n") {
				t.Errorf("%s: %s is not required", r.Ref, w.Package)
			}
		}
		found := false
		for _, c := range r.Cuts {
			found = found || filepath.Base(c.Path) == r.Library
			if !wheels[c.Package] {
				t.Errorf("%s: %s is of no wheel", r.Ref, c.Path)
			}
		}
		if !found || r.About == "" || len(r.Devices) == 0 {
			t.Errorf("%s is not whole", r.Ref)
		}
		if got, err := packs.RecipeOf(r.Name); err != nil || got.Ref != r.Ref {
			t.Errorf("%s is not found by its name: %v", r.Ref, err)
		}
	}
	if _, err := packs.RecipeOf("none"); edgeward.KindOf(err) != edgeward.NotFound {
		t.Error(err)
	}
}

func FuzzAdd(f *testing.F) {
	f.Add(file(nil))
	f.Add(file(nil)[:700])
	f.Add(archive(entry{name: "pack.json", body: []byte(`{"format":1}`)}))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		s, err := packs.Open(filepath.Join(dir, "in"))
		if err != nil {
			t.Fatal(err)
		}
		p, fresh, err := add(s, b)
		if err == nil && (!fresh || len(s.List()) != 1 || p.Digest != edgeward.DigestOf(b)) {
			t.Errorf("added %+v, and %d are listed", p, len(s.List()))
		}
		if err == nil {
			if _, err := s.Locate(t.Context(), p.Ref); err != nil {
				t.Error(err)
			}
		}
		all, _ := os.ReadDir(dir)
		if len(all) > 1 {
			t.Errorf("something lies beside its folder: %v", all)
		}
	})
}
