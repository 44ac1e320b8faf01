package image_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/image"
	"edgeward/runtime/infer"
	"edgeward/runtime/models"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

var made = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// bundle is a bundle with its two documents.
func bundle(t testing.TB) (b image.Bundle, endpoint, manifest []byte) {
	t.Helper()
	d := edgeward.DigestOf([]byte("model"))
	m := models.Manifest{Format: models.ManifestFormat, Model: "leaks", Task: models.Raw, Kind: "onnx", Files: []models.File{{Name: "model.onnx", Size: 5, Digest: d, Role: "model"}},
		Signature: tensor.Signature{Outputs: []tensor.Spec{{Name: "y", Datatype: tensor.FP32, Shape: []int64{1}}}}}
	manifest, digest, err := m.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	e := serve.Endpoint{Group: "01SECRETGROUP", Name: "leak-finder", Kind: serve.Raw, Model: "leaks", Created: made, CreatedBy: "user:alice"}
	b, err = image.NewBundle(e, models.Model{Group: "01SECRETGROUP", Name: "leaks", Task: models.Raw, CreatedBy: "user:alice"},
		models.Version{Group: "01SECRETGROUP", Model: "leaks", Number: 3, Digest: digest, Manifest: m, Created: made, CreatedBy: "user:alice"}, image.Answered{Engine: infer.Candidate{Engine: "onnxruntime", Device: "CPU"}, Library: "1.31.1"})
	if err != nil {
		t.Fatal(err)
	}
	if endpoint, err = json.Marshal(b); err != nil {
		t.Fatal(err)
	}
	return b, endpoint, manifest
}

func TestABundleComesBackAndNamesNobody(t *testing.T) {
	b, endpoint, manifest := bundle(t)
	got, err := image.Parse(endpoint, manifest)
	if err != nil || got.Digest != b.Digest || got.Version != 3 || got.Engine != b.Engine || got.Endpoint.Name != "leak-finder" {
		t.Fatalf("%+v, %v", got, err)
	}
	if got.Endpoint.Group != "" || got.Endpoint.CreatedBy != image.Principal {
		t.Errorf("it names group %q and principal %q", got.Endpoint.Group, got.Endpoint.CreatedBy)
	}
	dir := t.TempDir()
	if _, err := image.ReadBundle(dir); edgeward.CodeOf(err) != "image.bundle" || edgeward.HintOf(err) == "" {
		t.Errorf("an empty folder: %v", err)
	}
	for name, b := range map[string][]byte{"endpoint.json": endpoint, "manifest.json": manifest} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := image.ReadBundle(dir); err != nil || got.Digest != b.Digest {
		t.Errorf("%+v, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "endpoint.json"), make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := image.ReadBundle(dir); edgeward.CodeOf(err) != "image.bundle" {
		t.Errorf("a large document: %v", err)
	}
}

func TestWhatDoesNotFitTogetherIsNoBundle(t *testing.T) {
	for name, change := range map[string]func(*image.Bundle){
		"another format":    func(b *image.Bundle) { b.Format = 2 },
		"another model":     func(b *image.Bundle) { b.Model.Name = "other" },
		"another digest":    func(b *image.Bundle) { b.Digest = edgeward.DigestOf(nil) },
		"no version":        func(b *image.Bundle) { b.Version = 0 },
		"a huge version":    func(b *image.Bundle) { b.Version = 1<<30 + 1 },
		"no time":           func(b *image.Bundle) { b.Created = time.Time{} },
		"parts of no graph": func(b *image.Bundle) { b.Parts = []image.Answered{b.Answered} },
		"no endpoint name":  func(b *image.Bundle) { b.Endpoint.Name = "../x" },
	} {
		b, _, manifest := bundle(t)
		change(&b)
		endpoint, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := image.Parse(endpoint, manifest); edgeward.KindOf(err) != edgeward.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, endpoint, manifest := bundle(t)
	if _, err := image.Parse(endpoint, append(manifest[:len(manifest)-1:len(manifest)-1], []byte(`,"unit":"x"}`)...)); edgeward.CodeOf(err) != "image.bundle" {
		t.Errorf("a changed manifest: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	_, endpoint, manifest := bundle(f)
	f.Add(endpoint, manifest)
	f.Add([]byte("{}"), []byte("{}"))
	f.Fuzz(func(t *testing.T, endpoint, manifest []byte) {
		b, err := image.Parse(endpoint, manifest)
		if err != nil {
			return
		}
		if b.Version < 1 || b.Endpoint.Name == "" {
			t.Errorf("accepted %+v", b)
		}
		for _, d := range b.Manifest.Blobs() {
			if p := image.BlobPath("/bundle", d); filepath.Dir(p) != "/bundle/blobs" || len(filepath.Base(p)) != 64 {
				t.Errorf("a blob at %s", p)
			}
		}
	})
}
