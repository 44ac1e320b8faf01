package models

import (
	"bytes"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"sort"
	"time"

	"edgeward"
	"edgeward/runtime/picture"
	"edgeward/runtime/tensor"
	"edgeward/sync/canonical"
)

// ManifestFormat is the format number of a manifest.
const ManifestFormat = 1

// MaxManifest bounds the canonical bytes of a manifest.
const MaxManifest = 8 << 20

// Manifest says what a version is, completely. Files hold the bytes, by digest, in the blob store.
type Manifest struct {
	Format         int                     `json:"format"` // ManifestFormat
	Model          string                  `json:"model"`
	Task           Task                    `json:"task"`
	Files          []File                  `json:"files"`               // sorted by name; the first role "model" is what engines load
	Kind           string                  `json:"kind"`                // what engines load: "onnx", "openvino", "tensorflow", "tflite", "paddle"
	Operators      []string                `json:"operators,omitempty"` // that an imported model needs: "Conv", "ai.onnx.ml:TreeEnsemble"
	Opset          map[string]int64        `json:"opset,omitempty"`     // by operator domain, "" is ai.onnx
	Signature      tensor.Signature        `json:"signature"`
	Preprocessing  []picture.Preprocessing `json:"preprocessing,omitempty"` // of the inputs that take pictures too, by name
	Features       []string                `json:"features,omitempty"`      // names of the columns of a [N,F] input
	Classes        []string                `json:"classes,omitempty"`
	Recipe         json.RawMessage         `json:"recipe,omitempty"`          // the recipe, whole: serving computes features by it
	Encoding       json.RawMessage         `json:"encoding,omitempty"`        // what training fixed: feature columns and category codes
	Profile        edgeward.Digest         `json:"profile,omitempty"`         // blob: reference profile, the data set version's own
	FeatureProfile edgeward.Digest         `json:"feature_profile,omitempty"` // blob: profile of the training features, the reference of drift evidence
	Residuals      edgeward.Digest         `json:"residuals,omitempty"`       // blob: validation residuals, the drift reference
	Examples       edgeward.Digest         `json:"examples,omitempty"`        // blob: example inputs (tensor codec)
	Golden         edgeward.Digest         `json:"golden,omitempty"`          // blob: outputs for the examples (tensor codec)
	Blocks         edgeward.Digest         `json:"blocks,omitempty"`          // blob: what large files are made of (sync/blocks)
	Metrics        map[string]float64      `json:"metrics,omitempty"`         // "mae", "mae.group-a", "baseline.seasonal_naive.mae", …
	Interval       *Interval               `json:"interval,omitempty"`
	Equality       *Equality               `json:"equality,omitempty"`
	Engines        json.RawMessage         `json:"engines,omitempty"` // the engine report of registration
	Lineage        Lineage                 `json:"lineage"`
	IntendedUse    string                  `json:"intended_use"`
	Limits         []string                `json:"limits,omitempty"` // what it must not be used for
	Unit           string                  `json:"unit,omitempty"`   // of the answer: "attendances a day"
}

// File is one file of a version.
type File struct {
	Name   string          `json:"name"`
	Size   int64           `json:"size"`
	Digest edgeward.Digest `json:"digest"`
	Role   string          `json:"role"` // "model", "data" (what lies beside it), "source" (what the model was converted from), "licence", "card", PartRole
}

// PartRole is the role of a graph's files that its parts are made of: all that is needed to load them, so that a graph outlives the
// models it was made of, and travels by itself. The files of a part lie in PartFolder; PartManifest there is its manifest.
const (
	PartRole     = "part"
	PartManifest = "manifest.json"
)

// PartFolder is the folder of a part among a graph's files.
func PartFolder(d edgeward.Digest) string { return path.Join("parts", d.Short()) }

// Interval says how the prediction interval was made.
type Interval struct {
	Level  float64 `json:"level"`  // wanted coverage, 0.8
	Method string  `json:"method"` // "split conformal"
	Rows   int     `json:"rows"`   // residuals it was calibrated on
}

// Equality is the proof that the exported graph answers like the trainer.
type Equality struct {
	MaxAbsDiff float64 `json:"max_abs_diff"`
	Tolerance  float64 `json:"tolerance"`
	Rows       int     `json:"rows"`
	Threshold  int     `json:"threshold_rows"` // rows that lie on thresholds
	Missing    int     `json:"missing_rows"`   // rows with missing values
}

// Lineage is what a version was made of.
type Lineage struct {
	DataSet        string            `json:"data_set,omitempty"`
	DataSetVersion int               `json:"data_set_version,omitempty"`
	DataSetDigest  edgeward.Digest   `json:"data_set_digest,omitempty"`
	RecipeDigest   edgeward.Digest   `json:"recipe_digest,omitempty"`
	Job            string            `json:"job,omitempty"`
	Parent         int               `json:"parent,omitempty"` // the version this one should replace
	TrainFrom      *time.Time        `json:"train_from,omitempty"`
	TrainTo        *time.Time        `json:"train_to,omitempty"`
	ValidFrom      *time.Time        `json:"valid_from,omitempty"`
	ValidTo        *time.Time        `json:"valid_to,omitempty"`
	Parameters     map[string]string `json:"parameters,omitempty"`
	Versions       map[string]string `json:"versions,omitempty"`      // engines and libraries, by name
	Source         string            `json:"source,omitempty"`        // of an imported model: the file's name
	SourceFormat   string            `json:"source_format,omitempty"` // and what the file was: "ONNX model", "LightGBM model text"
}

// Canonical returns the canonical bytes and their digest, the version's identity.
func (m Manifest) Canonical() ([]byte, edgeward.Digest, error) {
	sort.Slice(m.Files, func(i, j int) bool { return m.Files[i].Name < m.Files[j].Name })
	b, err := canonical.JSON(m)
	if err != nil {
		return nil, "", edgeward.Wrap("models.Canonical", err)
	}
	if len(b) > MaxManifest {
		return nil, "", edgeward.E("models.Canonical", edgeward.TooLarge, "manifest.too_large", "manifest has %d bytes", len(b))
	}
	return b, edgeward.DigestOf(b), nil
}

// ParseManifest reads a manifest and checks what every reader relies on.
func ParseManifest(b []byte) (Manifest, error) {
	var m Manifest
	bad := func(err error) (Manifest, error) {
		return Manifest{}, &edgeward.Error{Op: "models.ParseManifest", Kind: edgeward.Invalid, Code: "manifest.invalid", Err: err}
	}
	if len(b) > MaxManifest {
		return bad(errors.New("too large"))
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return bad(err)
	}
	return m, m.Check()
}

// Check reports why m is no usable manifest.
func (m Manifest) Check() error {
	bad := func(format string, args ...any) error {
		return edgeward.E("models.Manifest", edgeward.Invalid, "manifest.invalid", format, args...)
	}
	if m.Format != ManifestFormat {
		return bad("manifest format %d; this server reads %d", m.Format, ManifestFormat)
	}
	if err := edgeward.CheckName("model", m.Model); err != nil {
		return err
	}
	if _, ok := m.File("model"); !ok {
		return bad("no file has the role model")
	}
	for _, f := range m.Files {
		if _, err := edgeward.ParseDigest(string(f.Digest)); err != nil || f.Name == "" || f.Size < 0 {
			return bad("file %q is not described completely", f.Name)
		}
	}
	if len(m.Signature.Outputs) == 0 { // a model without inputs answers a constant
		return bad("no signature")
	}
	for i, p := range m.Preprocessing {
		if err := p.Check(m.Signature); err != nil {
			return bad("preprocessing: %w", err)
		}
		if i > 0 && m.Preprocessing[i-1].Input >= p.Input || i >= picture.MaxInputs {
			return bad("the preprocessing of input %.80q is there twice, out of order or too much", p.Input)
		}
	}
	return nil
}

// SameImport reports whether m and an imported o are one thing imported twice: the same files for the same task and use,
// with the same preprocessing, which m need not have completed. What was measured at registration differs each time and is no part of that, nor is the name of the file. A task or
// intended use that m leaves empty was not said and fits any. Trained versions are never the same: each has its job.
func (m Manifest) SameImport(o Manifest) bool {
	return m.Lineage.Job == "" && o.Lineage.Job == "" && slices.Equal(m.Files, o.Files) &&
		(m.Task == "" || m.Task == o.Task) && (m.IntendedUse == "" || m.IntendedUse == o.IntendedUse) && o.PreparesAs(m.Preprocessing)
}

// PreparesAs reports whether m prepares pictures as declared says, which need not be complete.
func (m Manifest) PreparesAs(declared []picture.Preprocessing) bool {
	all, err := picture.CompleteAll(declared, m.Signature)
	if err != nil {
		return false
	}
	a, errA := json.Marshal(all)
	b, errB := json.Marshal(m.Preprocessing)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// File returns the first file of a role.
func (m Manifest) File(role string) (File, bool) {
	for _, f := range m.Files {
		if f.Role == role {
			return f, true
		}
	}
	return File{}, false
}

// Blobs lists every digest the manifest needs kept.
func (m Manifest) Blobs() []edgeward.Digest {
	var out []edgeward.Digest
	for _, f := range m.Files {
		out = append(out, f.Digest)
	}
	return append(out, m.Beside()...)
}

// Parts are the files that are the manifests of a graph's parts; other models have none.
func (m Manifest) Parts() []File {
	var out []File
	for _, f := range m.Files {
		if f.Role == PartRole && f.Name == path.Join(PartFolder(f.Digest), PartManifest) {
			out = append(out, f)
		}
	}
	return out
}

// Beside are the blobs of m that are no files of the model: profiles, residuals, example rows and their outputs, lists of blocks.
func (m Manifest) Beside() []edgeward.Digest {
	all := []edgeward.Digest{m.Profile, m.FeatureProfile, m.Residuals, m.Examples, m.Golden, m.Blocks}
	return slices.DeleteFunc(all, func(d edgeward.Digest) bool { return d == "" })
}
