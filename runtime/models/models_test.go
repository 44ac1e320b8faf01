package models_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/models"
	"edgeward/runtime/picture"
	"edgeward/runtime/tensor"
)

func manifest() models.Manifest {
	spec := []tensor.Spec{{Name: "features", Datatype: tensor.FP32, Shape: []int64{-1, 2}}}
	return models.Manifest{Format: models.ManifestFormat, Model: "triage", Task: models.Binary, Kind: "onnx", Signature: tensor.Signature{Inputs: spec, Outputs: spec},
		Files:   []models.File{{Name: "model.onnx", Size: 3, Digest: edgeward.DigestOf([]byte("abc")), Role: "model"}},
		Metrics: map[string]float64{"auc": 0.9, "accuracy": 0.1 + 0.2}, IntendedUse: "tests"}
}

func TestParseRef(t *testing.T) {
	for _, c := range []struct {
		in   string
		want models.Ref
		ok   bool
	}{
		{"er-attendance", models.Ref{Model: "er-attendance"}, true},
		{"er-attendance/2", models.Ref{Model: "er-attendance", Version: 2}, true},
		{"er-attendance/0", models.Ref{}, false},
		{"er-attendance/02", models.Ref{}, false},
		{"er-attendance/-1", models.Ref{}, false},
		{"er-attendance/99999999999", models.Ref{}, false},
		{"Er/1", models.Ref{}, false},
		{"../1", models.Ref{}, false},
		{"", models.Ref{}, false},
	} {
		got, err := models.ParseRef(c.in)
		if (err == nil) != c.ok || got != c.want {
			t.Errorf("ParseRef(%q) = %v, %v", c.in, got, err)
		}
		if err == nil && got.String() != c.in {
			t.Errorf("%q comes back as %q", c.in, got.String())
		}
	}
}

func TestWhatIsTheSameImport(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(m *models.Manifest)
		want   bool
	}{
		{"nothing differs", func(*models.Manifest) {}, true},
		{"what was measured", func(m *models.Manifest) { m.Engines = json.RawMessage(`{"p50_us":7}`) }, true},
		{"the golden outputs of another engine", func(m *models.Manifest) { m.Golden = edgeward.DigestOf([]byte("g")) }, true},
		{"the name of the file it came as", func(m *models.Manifest) { m.Lineage.Source = "b.onnx" }, true},
		{"no task and use were said", func(m *models.Manifest) { m.Task, m.IntendedUse = "", "" }, true},
		{"another task", func(m *models.Manifest) { m.Task = models.Raw }, false},
		{"another use", func(m *models.Manifest) { m.IntendedUse = "other" }, false},
		{"another file", func(m *models.Manifest) { m.Files[0].Digest = edgeward.DigestOf([]byte("abd")) }, false},
		{"one file more", func(m *models.Manifest) { m.Files = append(m.Files, models.File{Name: "w.bin"}) }, false},
		{"it was trained", func(m *models.Manifest) { m.Lineage.Job = "J" }, false},
	} {
		m := manifest()
		c.change(&m)
		if got := m.SameImport(manifest()); got != c.want {
			t.Errorf("%s: the same import is %t, want %t", c.name, got, c.want)
		}
	}
}

func TestIdentityIsOfTheContentAlone(t *testing.T) {
	a, b := manifest(), manifest()
	b.Files = append([]models.File{{Name: "a.txt", Digest: edgeward.DigestOf(nil), Role: "licence"}}, b.Files...)
	a.Files = append(a.Files, b.Files[0])
	raw, first, err := a.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	if _, second, err := b.Canonical(); err != nil || first != second {
		t.Errorf("the order of files changes the identity: %s, %s, %v", first, second, err)
	}
	if edgeward.DigestOf(raw) != first {
		t.Error("the digest is not that of the canonical bytes")
	}
	back, err := models.ParseManifest(raw)
	if err != nil {
		t.Fatal(err)
	}
	if _, third, _ := back.Canonical(); third != first {
		t.Errorf("reading it back changes the identity: %s, %s", first, third)
	}
	b.IntendedUse = "something else"
	if _, other, _ := b.Canonical(); other == first {
		t.Error("another intended use has the same identity")
	}
}

// TestCanonicalIsRFC8785 takes the form's own rules: key order by UTF-16, ECMAScript numbers, shortest escapes.
func TestCanonicalIsRFC8785(t *testing.T) {
	m := manifest()
	m.Metrics = map[string]float64{"\u20ac": 1e21, "a": 333333333.33333329, "\r": 1e-7, "1": 4.5, "\U0001f600": 0.002, "\ufb33": -0.0, "z": 1e20}
	raw, _, err := m.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	want := `"metrics":{"\r":1e-7,"1":4.5,"a":333333333.3333333,"z":100000000000000000000,"€":1e+21,"😀":0.002,"` + "\ufb33" + `":0}`
	if !strings.Contains(string(raw), want) {
		t.Errorf("got %s\nwant in it %s", raw, want)
	}
}

func TestCheckRefusesWhatEveryReaderReliesOn(t *testing.T) {
	for name, spoil := range map[string]func(*models.Manifest){
		"another format":           func(m *models.Manifest) { m.Format = 2 },
		"no model file":            func(m *models.Manifest) { m.Files[0].Role = "licence" },
		"a file without digest":    func(m *models.Manifest) { m.Files[0].Digest = "sha256:../../etc/passwd" },
		"a file without name":      func(m *models.Manifest) { m.Files[0].Name = "" },
		"no signature":             func(m *models.Manifest) { m.Signature = tensor.Signature{} },
		"a model name with slash":  func(m *models.Manifest) { m.Model = "a/b" },
		"a file of negative bytes": func(m *models.Manifest) { m.Files[0].Size = -1 },
	} {
		m := manifest()
		spoil(&m)
		if err := m.Check(); edgeward.KindOf(err) != edgeward.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := manifest().Check(); err != nil {
		t.Error(err)
	}
}

func TestTheCardSaysWhatItIsNot(t *testing.T) {
	m := manifest()
	m.Limits = []string{"Not for children."}
	card := models.Version{Model: "triage", Number: 3, Manifest: m, Created: time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC), CreatedBy: "user:alice", Demo: true}.Card()
	for _, want := range []string{"# triage, version 3", "not a medical device", "Not for children.", "not for staffing or care decisions", "| auc | 0.9 |"} {
		if !strings.Contains(card, want) {
			t.Errorf("the card lacks %q:\n%s", want, card)
		}
	}
	m.IntendedUse = ""
	if card := (models.Version{Model: "triage", Number: 3, Manifest: m}).Card(); !strings.Contains(card, "Nobody should rely on a model") {
		t.Error("a card without intended use does not say so")
	}
}

func FuzzParseManifest(f *testing.F) {
	raw, _, err := manifest().Canonical()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"format":1}`))
	f.Add([]byte(`{"format":1,"files":[{"name":"\u0000"}],"metrics":{"a":1e999}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := models.ParseManifest(b)
		if err != nil {
			return
		}
		once, d, err := m.Canonical()
		if err != nil {
			return
		}
		again, err := models.ParseManifest(once)
		if err != nil {
			t.Fatalf("canonical bytes do not parse: %v\n%s", err, once)
		}
		if _, e, err := again.Canonical(); err != nil || e != d {
			t.Fatalf("the identity changes when read back: %s, %s, %v", d, e, err)
		}
	})
}

func ExampleParseRef() {
	ref, _ := models.ParseRef("er-attendance/2")
	b, _ := json.Marshal(ref)
	fmt.Println(ref, string(b))
	// Output: er-attendance/2 {"model":"er-attendance","version":2}
}

// The digest of a manifest that declares nothing is what it was before there were declarations.
func TestPreprocessingIsPartOfTheIdentity(t *testing.T) {
	d := edgeward.DigestOf([]byte("model"))
	m := models.Manifest{Format: 1, Model: "scans", Task: models.Image, Kind: "onnx", Files: []models.File{{Name: "model.onnx", Size: 5, Digest: d, Role: "model"}},
		Signature: tensor.Signature{Inputs: []tensor.Spec{{Name: "x", Datatype: tensor.FP32, Shape: []int64{-1, 3, 8, 8}}}, Outputs: []tensor.Spec{{Name: "y", Datatype: tensor.FP32, Shape: []int64{-1, 2}}}}}
	plain, digest, err := m.Canonical()
	if err != nil || digest != "sha256:0768a2f21ae390e4a3a8486441941a9a1ca9dcaf883980c3e1120e05dfa28b76" {
		t.Errorf("digest %s, %v: %s", digest, err, plain)
	}
	declared := m
	declared.Preprocessing, err = picture.CompleteAll([]picture.Preprocessing{{Scale: 0.5}}, m.Signature)
	if err != nil {
		t.Fatal(err)
	}
	b, other, err := declared.Canonical()
	if err != nil || other == digest {
		t.Fatalf("another declaration, the same digest: %v", err)
	}
	if back, err := models.ParseManifest(b); err != nil || back.Preprocessing[0].Scale != 0.5 {
		t.Errorf("read back: %+v, %v", back.Preprocessing, err)
	}
	if m.SameImport(declared) || declared.SameImport(m) || !declared.SameImport(declared) {
		t.Error("an import with a declaration is another than one without")
	}
	wanted := m
	wanted.Preprocessing = []picture.Preprocessing{{Scale: 0.5}} // not completed: as an import asks
	if !wanted.SameImport(declared) {
		t.Error("the same declaration is the same import")
	}
	wanted.Preprocessing[0].Scale = 1
	if wanted.SameImport(declared) {
		t.Error("another declaration is another import")
	}
	declared.Preprocessing[0].Input = "z"
	if err := declared.Check(); edgeward.CodeOf(err) != "manifest.invalid" {
		t.Errorf("a preprocessing of no input: %v", err)
	}
}
