// Package packstest makes runtime packs for tests, out of the libraries that the program carries: whoever opens one opens a
// real library from another place, in a process of its own. Only test files may import it.
package packstest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"edgeward"
	"edgeward/runtime/native"
	"edgeward/runtime/packs"
)

// Ref names the pack that ONNXRuntime makes.
var Ref = packs.Ref{Name: "onnxruntime-again", Version: "1.31.1"}

// made is the first pack of ONNX Runtime of this process: packing a large library takes long. The others say other devices.
var made struct {
	sync.Mutex
	pack []byte
}

// ONNXRuntime makes a pack of the embedded ONNX Runtime, said to be for devices, from a wheel made of it, and returns the
// file's bytes. It skips the test in a program built without native libraries.
func ONNXRuntime(t testing.TB, devices ...string) []byte {
	t.Helper()
	made.Lock()
	defer made.Unlock()
	if made.pack == nil {
		made.pack = whole(t, devices)
	}
	return said(t, made.pack, devices)
}

// said is a pack that differs in its devices only.
func said(t testing.TB, pack []byte, devices []string) []byte {
	t.Helper()
	var out bytes.Buffer
	r, w := tar.NewReader(bytes.NewReader(pack)), tar.NewWriter(&out)
	for first := true; ; first = false {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if first { // the index
			var ix packs.Index
			if err := json.Unmarshal(b, &ix); err != nil {
				t.Fatal(err)
			}
			ix.Devices = devices
			if b, err = json.Marshal(ix); err != nil {
				t.Fatal(err)
			}
			h.Size = int64(len(b))
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

func whole(t testing.TB, devices []string) []byte {
	t.Helper()
	at, err := native.Open(t.TempDir()).Locate(t.Context(), native.ONNXRuntime)
	if edgeward.CodeOf(err) == "native.missing" {
		t.Skip("built without native libraries")
	}
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for name, path := range at.Files {
		if files[name], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return of(t, files, devices)
}

// Tiny makes a pack of a few bytes, whose library nothing can open.
func Tiny(t testing.TB) []byte {
	t.Helper()
	return of(t, map[string][]byte{"libonnxruntime.so": []byte("no library")}, []string{"CPU"})
}

// of makes a pack called Ref of files, one of them libonnxruntime.so….
func of(t testing.TB, files map[string][]byte, devices []string) []byte {
	t.Helper()
	var wheel bytes.Buffer
	z := zip.NewWriter(&wheel)
	r := packs.Recipe{Ref: Ref, Platform: runtime.GOOS + "/" + runtime.GOARCH, Engine: "onnxruntime", Devices: devices}
	for name, raw := range files {
		w, err := z.CreateHeader(&zip.FileHeader{Name: "capi/" + name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(raw); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "libonnxruntime.so") {
			r.Library = name
		}
		r.Cuts = append(r.Cuts, packs.Cut{Package: "again", Path: "capi/" + name})
	}
	w, err := z.Create("LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, "MIT")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	sum, dir := sha256.Sum256(wheel.Bytes()), t.TempDir()
	r.Wheels = []packs.Wheel{{Package: "again", Version: Ref.Version, Licence: "MIT", File: "again.whl", Size: int64(wheel.Len()), SHA256: hex.EncodeToString(sum[:]), Texts: []string{"LICENSE"}}}
	if err := os.WriteFile(filepath.Join(dir, "again.whl"), wheel.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := packs.Make(t.Context(), r, dir, &out, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
