package work

import (
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/engine"
	"edgeward/runtime/infer"
	"edgeward/runtime/models"
	"edgeward/runtime/onnxgraph/onnxpb"
	"edgeward/runtime/tensor"
	"edgeward/sync/blobs"

	"google.golang.org/protobuf/proto"
)

// maxModel bounds an imported model file: it is parsed whole once, for its opsets.
const maxModel = 512 << 20

// ModelSpec says what an imported file is.
type ModelSpec struct {
	Model, File, Description, IntendedUse string
	Task                                  models.Task
	Demo                                  bool
}

// AddModel imports an ONNX file as the next version of a model. It is proved in the infer worker with every engine; a
// file that no engine loads, that loops or asks for too much is refused and nothing is registered. A file that is a
// version of the model already, for the same task and use, answers with that version.
func (w *Work) AddModel(ctx context.Context, who Who, body io.Reader, s ModelSpec) (out wire.ImportedVersion, err error) {
	const op = "work.AddModel"
	if err := edgeward.CheckName("model", s.Model); err != nil {
		return out, err
	}
	d, size, err := w.Blobs.Put(ctx, body, min(w.Limit, maxModel))
	if err != nil {
		return out, err
	}
	m := models.Manifest{Format: models.ManifestFormat, Model: s.Model, Task: s.Task, Kind: "onnx", IntendedUse: s.IntendedUse,
		Files: []models.File{{Name: "model.onnx", Size: size, Digest: d, Role: "model"}}}
	out.Version, err = w.Store.ImportedVersion(ctx, who.Group, s.Model, m)
	if edgeward.KindOf(err) != edgeward.NotFound {
		out.Existing = err == nil
		return out, err
	}
	if err := w.examine(ctx, &m); err != nil {
		return out, edgeward.Wrap(op, err)
	}
	m.Lineage.Source = filepath.Base(s.File)
	if s.Task == "" {
		s.Task = models.Raw
	}
	m.Task = s.Task
	v, added, err := w.register(ctx, who, s, m, models.Registered)
	return wire.ImportedVersion{Version: v, Existing: err == nil && !added}, err
}

// examine tries the file of an imported manifest out and fills in what was found.
func (w *Work) examine(ctx context.Context, m *models.Manifest) error {
	d := m.Files[0].Digest
	raw, err := w.Blobs.ReadAll(ctx, d, maxModel)
	if err != nil {
		return err
	}
	if m.Opset, err = opsets(raw); err != nil {
		return err
	}
	path, err := w.Blobs.Verified(ctx, d)
	if err != nil {
		return err
	}
	rep, examples, golden, err := w.tryOut(ctx, infer.LoadRequest{Key: "import " + w.NewID(), Format: engine.ONNX, Path: path})
	if err != nil {
		return err
	}
	m.Signature, m.Lineage.Versions = rep.Signature, versionsOf(rep)
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

// opsets reads which operator sets an ONNX file asks for; a file that is none is refused.
func opsets(raw []byte) (map[string]int64, error) {
	var m onnxpb.ModelProto
	bad := func(why string) error {
		return edgeward.E("work.AddModel", edgeward.Invalid, "model.not_onnx", "this is no ONNX model: %s", why).
			WithHint("export the model as ONNX (opset 21 or older) and send that file")
	}
	if err := proto.Unmarshal(raw, &m); err != nil {
		return nil, bad("it cannot be parsed")
	}
	if m.GetGraph() == nil || len(m.GetOpsetImport()) == 0 {
		return nil, bad("it has no graph")
	}
	out := map[string]int64{}
	for _, o := range m.GetOpsetImport() {
		out[o.GetDomain()] = o.GetVersion()
	}
	return out, nil
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
		if f.Name == name {
			return w.Blobs.Open(f.Digest)
		}
	}
	return nil, edgeward.E("work.ModelFile", edgeward.NotFound, "model.file_not_found", "version %s has no file %.80q", v.Ref(), name)
}
