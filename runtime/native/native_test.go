package native_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"edgeward"
	"edgeward/packaging/needtest"
	"edgeward/runtime/native"
)

// packed skips a test where the pack was not built; make test builds it first.
func packed(t testing.TB) {
	t.Helper()
	if len(native.Sets()) == 0 {
		needtest.Missing(t, "native-pack")
	}
}

func locate(t testing.TB, dir, set string) native.Located {
	t.Helper()
	at, err := native.Open(dir).Locate(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestEverySetUnpacks(t *testing.T) {
	packed(t)
	dir := t.TempDir()
	for _, s := range native.Sets() {
		start := time.Now()
		at := locate(t, dir, s.Name)
		cold := time.Since(start)
		start = time.Now()
		locate(t, dir, s.Name)
		warm := time.Since(start)
		var size int64
		for _, f := range s.Files {
			raw, err := os.ReadFile(at.Files[f.Name])
			if err != nil || edgeward.DigestOf(raw) != f.Digest || int64(len(raw)) != f.Size {
				t.Errorf("%s of %s: %d bytes, digest %s, %v", f.Name, s.Name, len(raw), edgeward.DigestOf(raw), err)
			}
			if filepath.Dir(at.Files[f.Name]) != at.Dir {
				t.Errorf("%s lies outside %s", at.Files[f.Name], at.Dir)
			}
			size += f.Size
		}
		t.Logf("%-13s %6.1f MB: first %4d ms, again %4d ms", s.Name, float64(size)/1e6, cold.Milliseconds(), warm.Milliseconds())
	}
}

func TestASetBringsWhatTheOthersRelyOn(t *testing.T) {
	packed(t)
	dir := t.TempDir()
	for set, files := range map[string][]string{
		native.ONNXRuntime: {"libonnxruntime.so.1.31.1", "libonnxruntime_providers_shared.so"},
		native.OpenVINO:    {"libopenvino_c.so.2641", "libopenvino_intel_cpu_plugin.so", "libopenvino_onnx_frontend.so.2641"},
		native.OpenVINOGPU: {"libopenvino_c.so.2641", "libopenvino_intel_gpu_plugin.so"},
		native.OpenVINONPU: {"libopenvino_c.so.2641", "libopenvino_intel_npu_plugin.so"},
		native.LightGBM:    {"lib_lightgbm.so", "libgomp.so.1"},
	} {
		at := locate(t, dir, set)
		for _, f := range files {
			if !filepath.IsAbs(at.Files[f]) {
				t.Errorf("%s has no %s: %v", set, f, at.Files)
			}
		}
	}
}

func TestOnlyWhatTheSetNeedsIsUnpacked(t *testing.T) {
	packed(t)
	dir := t.TempDir()
	locate(t, dir, native.LightGBM)
	var names []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, d.Name())
		}
		return err
	})
	if err != nil || len(names) != 2 {
		t.Fatalf("the folder holds %v (%v); want LightGBM's two files", names, err)
	}
}

func TestDamageIsFoundAndRepaired(t *testing.T) {
	packed(t)
	for name, damage := range map[string]func(path string, raw []byte) error{
		"a flipped bit": func(p string, raw []byte) error { raw[len(raw)/2] ^= 1; return os.WriteFile(p, raw, 0o644) },
		"a cut tail":    func(p string, raw []byte) error { return os.WriteFile(p, raw[:len(raw)-1], 0o644) },
		"an extra byte": func(p string, raw []byte) error { return os.WriteFile(p, append(raw, 0), 0o644) },
		"a lost file":   func(p string, _ []byte) error { return os.Remove(p) },
		"a symbolic link to the same bytes": func(p string, raw []byte) error {
			return errors.Join(os.WriteFile(p+".elsewhere", raw, 0o644), os.Remove(p), os.Symlink(p+".elsewhere", p))
		},
		"a folder in its place": func(p string, _ []byte) error {
			return errors.Join(os.Remove(p), os.Mkdir(p, 0o755), os.WriteFile(filepath.Join(p, "x"), nil, 0o644))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := locate(t, dir, native.LightGBM).Files["libgomp.so.1"]
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := damage(path, append([]byte(nil), want...)); err != nil {
				t.Fatal(err)
			}
			locate(t, dir, native.LightGBM)
			st, err := os.Lstat(path)
			if err != nil || !st.Mode().IsRegular() {
				t.Fatalf("after Locate: %v, %v; want a regular file", st, err)
			}
			if got, err := os.ReadFile(path); err != nil || edgeward.DigestOf(got) != edgeward.DigestOf(want) {
				t.Fatalf("the file was not repaired: %v", err)
			}
		})
	}
}

// TestManyAtOnce has several Packs, which stand for several processes: they share nothing but the folder.
func TestManyAtOnce(t *testing.T) {
	packed(t)
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			at, err := native.Open(dir).Locate(context.Background(), native.LightGBM)
			if err != nil {
				t.Error(err)
				return
			}
			for _, p := range at.Files {
				if _, err := os.Stat(p); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	left, err := filepath.Glob(filepath.Join(dir, "*", ".unpack-*"))
	if err != nil || len(left) != 0 {
		t.Fatalf("left behind: %v %v", left, err)
	}
}

func TestPruneLeavesOnlyThisBuild(t *testing.T) {
	packed(t)
	dir := filepath.Join(t.TempDir(), "native")
	p := native.Open(dir)
	if err := p.Prune(); err != nil {
		t.Fatalf("nothing there yet: %v", err)
	}
	at := locate(t, dir, native.LightGBM)
	old, broken := filepath.Join(dir, "lightgbm-4.0.0-0123456789ab"), filepath.Join(at.Dir, ".unpack-123")
	if err := errors.Join(os.Mkdir(old, 0o755), os.WriteFile(filepath.Join(old, "lib_lightgbm.so"), nil, 0o644), os.WriteFile(broken, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := p.Prune(); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{old, broken} {
		if _, err := os.Lstat(gone); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there", gone)
		}
	}
	for name, path := range at.Files {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s went too: %v", name, err)
		}
	}
}

func TestAnEndedContextEndsLocate(t *testing.T) {
	packed(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := native.Open(t.TempDir()).Locate(ctx, native.LightGBM); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context canceled", err)
	}
}

func TestUnknownSet(t *testing.T) {
	packed(t)
	_, err := native.Open(t.TempDir()).Locate(t.Context(), "tensorrt")
	if edgeward.CodeOf(err) != "native.unknown" || edgeward.KindOf(err) != edgeward.NotFound {
		t.Fatalf("got %v", err)
	}
}

func TestEveryComponentHasItsLicence(t *testing.T) {
	packed(t)
	all, err := native.Licences()
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]int{}
	for _, l := range all {
		has[l.Component] += len(l.Text)
	}
	for _, c := range []string{"onnxruntime", "openvino", "lightgbm", "libgomp"} {
		if has[c] < 1000 {
			t.Errorf("%s: %d bytes of licence text", c, has[c])
		}
	}
}

func BenchmarkLocate(b *testing.B) {
	packed(b)
	for _, s := range native.Sets() {
		b.Run(s.Name+"/unpack", func(b *testing.B) {
			for b.Loop() {
				locate(b, b.TempDir(), s.Name)
			}
		})
		b.Run(s.Name+"/verify", func(b *testing.B) {
			dir := b.TempDir()
			for b.Loop() {
				locate(b, dir, s.Name)
			}
		})
	}
}
