package work

import (
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/engine"
	"edgeward/runtime/infer"
	"edgeward/runtime/models"
	"edgeward/runtime/picture"
	"edgeward/runtime/tensor"
	"edgeward/sync/blobs"
)

// ModelSpec says what an imported file is.
type ModelSpec struct {
	Model, File, Description, IntendedUse string
	Task                                  models.Task
	Image                                 string // how pictures become inputs, as picture.Parse reads it; empty: they do not
	Demo                                  bool
}

// AddModel imports a model file, or an archive of one, as the next version of a model. What it is is told by its content
// (runtime/modelfile). It is proved in the infer worker with every engine; a model that no engine loads, that loops or asks
// for too much is refused and nothing is registered. Files that are a version of the model already, for the same task and
// use and with the same preprocessing, answer with that version.
func (w *Work) AddModel(ctx context.Context, who Who, body io.Reader, s ModelSpec) (out wire.ImportedVersion, err error) {
	const op = "work.AddModel"
	if err := edgeward.CheckName("model", s.Model); err != nil {
		return out, err
	}
	var images []picture.Preprocessing
	if s.Image != "" {
		if images, err = picture.Parse(s.Image); err != nil {
			return out, edgeward.Wrap(op, err)
		}
	}
	found, files, err := w.receive(ctx, body)
	if err != nil {
		return out, edgeward.Wrap(op, err)
	}
	m := models.Manifest{Format: models.ManifestFormat, Model: s.Model, Task: s.Task, Kind: string(found.Format), IntendedUse: s.IntendedUse, Files: files, Preprocessing: images}
	out.Version, err = w.Store.ImportedVersion(ctx, who.Group, s.Model, m)
	if edgeward.KindOf(err) != edgeward.NotFound {
		out.Existing = err == nil
		return out, err
	}
	m.Opset, m.Operators, m.Features, m.Classes = found.Opset, found.Operators, found.Features, found.Classes
	if err := w.examine(ctx, &m); err != nil {
		return out, edgeward.Wrap(op, err)
	}
	nameAxes(&m.Signature, found.Axes)
	if m.Preprocessing, err = picture.CompleteAll(m.Preprocessing, m.Signature); err != nil {
		return out, edgeward.Wrap(op, err)
	}
	m.Lineage.Source, m.Lineage.SourceFormat = filepath.Base(s.File), found.What
	if s.Task == "" {
		s.Task = found.Task
	}
	if s.Task == "" {
		s.Task = models.Raw
	}
	m.Task = s.Task
	v, added, err := w.register(ctx, who, s, m, models.Registered)
	return wire.ImportedVersion{Version: v, Existing: err == nil && !added}, err
}

// examine tries the files of an imported manifest out and fills in what was found.
func (w *Work) examine(ctx context.Context, m *models.Manifest) error {
	at, done, err := w.laid(ctx, *m)
	if err != nil {
		return err
	}
	defer done()
	rep, examples, golden, err := w.tryOut(ctx, infer.LoadRequest{Key: "import " + w.NewID(), Format: engine.Format(m.Kind), Path: at})
	if err != nil {
		return err
	}
	m.Signature, m.Lineage.Versions = rep.Signature, versionsOf(rep)
	for _, o := range m.Signature.Outputs {
		if len(o.Labels) > 0 {
			m.Classes = o.Labels
		}
	}
	if m.Engines, err = json.Marshal(rep); err != nil || len(examples) == 0 {
		return err
	}
	if m.Examples, err = w.putBytes(ctx, tensor.Append(nil, examples)); err != nil {
		return err
	}
	m.Golden, err = w.putBytes(ctx, tensor.Append(nil, golden))
	return err
}

// tryOut proves an imported file with every engine: first with zeros, to learn its signature, then with made-up rows, on
// which the engines' answers are held against each other and kept as golden outputs. A model whose inputs cannot be made
// up keeps the first report.
func (w *Work) tryOut(ctx context.Context, r infer.LoadRequest) (infer.Report, []tensor.Tensor, []tensor.Tensor, error) {
	rep, err := w.Infer.Probe(ctx, r)
	if err != nil {
		return rep, nil, nil, err
	}
	examples := madeUp(rep.Signature)
	if examples == nil {
		return rep, nil, nil, nil
	}
	r.Examples = []infer.Example{{Inputs: examples}}
	better, err := w.Infer.Load(ctx, r)
	if err != nil {
		return rep, nil, nil, nil // it answers zeros and not these rows: a fixed batch, or indices out of a table
	}
	defer func() { _ = w.Infer.Unload(context.WithoutCancel(ctx), r.Key) }()
	golden, err := w.Infer.Run(ctx, r.Key, examples)
	if err != nil {
		return rep, nil, nil, nil
	}
	return better, examples, golden, nil
}

// madeUpRows and madeUpElements bound made-up examples.
const (
	madeUpRows     = 4
	madeUpElements = 1 << 20
)

// madeUp are inputs between 0 and 1 for a signature of real numbers, the same for the same signature; nil for others.
func madeUp(sig tensor.Signature) []tensor.Tensor {
	random := rand.New(rand.NewPCG(1, 2))
	var out []tensor.Tensor
	for _, s := range sig.Inputs {
		shape := slices.Clone(s.Shape)
		for i := range shape {
			if shape[i] < 0 {
				shape[i] = madeUpRows
			}
		}
		n, err := tensor.Elements(shape)
		if err != nil || n > madeUpElements {
			return nil
		}
		values := make([]float32, n)
		for i := range values {
			values[i] = random.Float32()
		}
		var t tensor.Tensor
		switch s.Datatype {
		case tensor.FP32:
			t, err = tensor.FromFloat32s(s.Name, shape, values)
		case tensor.FP64:
			wide := make([]float64, n)
			for i, v := range values {
				wide[i] = float64(v)
			}
			t, err = tensor.FromFloat64s(s.Name, shape, wide)
		default:
			return nil
		}
		if err != nil {
			return nil
		}
		out = append(out, t)
	}
	return out
}

// register keeps a manifest as the next version of its model, which is made when it does not exist; added is false where
// there is such a version already.
func (w *Work) register(ctx context.Context, who Who, s ModelSpec, m models.Manifest, state models.State) (v models.Version, added bool, err error) {
	if err := w.listBlocks(ctx, &m); err != nil {
		return v, false, err
	}
	canonical, digest, err := m.Canonical()
	if err != nil {
		return v, false, err
	}
	if m, err = models.ParseManifest(canonical); err != nil {
		return v, false, err
	}
	if _, err := w.putBytes(ctx, canonical); err != nil {
		return v, false, err
	}
	now := w.Now()
	if _, err := w.Store.PutModel(ctx, models.Model{Group: who.Group, Name: s.Model, Task: s.Task, Description: s.Description, Created: now, CreatedBy: who.Principal, Demo: s.Demo}); err != nil {
		return v, false, err
	}
	v, added, err = w.Store.AddModelVersion(ctx, models.Version{Group: who.Group, Model: s.Model, Digest: digest, Manifest: m, Created: now, CreatedBy: who.Principal, State: state})
	if added {
		w.versionAdded(ctx, who.Group, s.Model)
	}
	return v, added, err
}

func versionsOf(rep infer.Report) map[string]string {
	out := map[string]string{}
	for _, t := range rep.Candidates {
		if t.Version != "" {
			out[t.Engine] = t.Version
		}
	}
	return out
}

// MoveAlias points an alias at a version.
func (w *Work) MoveAlias(ctx context.Context, who Who, model, alias string, in wire.AliasRequest) (models.Model, error) {
	if err := edgeward.CheckName("alias", alias); err != nil {
		return models.Model{}, err
	}
	if strings.TrimSpace(in.Reason) == "" {
		return models.Model{}, edgeward.E("work.MoveAlias", edgeward.Invalid, "reason.missing", "say why").WithHint("the reason stands in the alias's history")
	}
	return w.Store.MoveAlias(ctx, who.Group, model, alias, in.Version, who.Principal, in.Reason, w.Now())
}

// ModelFile opens a file of a version.
func (w *Work) ModelFile(ctx context.Context, group string, ref models.Ref, name string) (*blobs.Reader, error) {
	v, err := w.Store.ModelVersion(ctx, group, ref)
	if err != nil {
		return nil, err
	}
	for _, f := range v.Manifest.Files {
		if f.Name == name || url.PathEscape(f.Name) == name { // the router hands on a %2F as it is
			return w.Blobs.Open(f.Digest)
		}
	}
	return nil, edgeward.E("work.ModelFile", edgeward.NotFound, "model.file_not_found", "version %s has no file %.80q", v.Ref(), name)
}
