package work

import (
	"context"
	"encoding/json"
	"math"
	"slices"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/graph"
	"edgeward/runtime/infer"
	"edgeward/runtime/models"
	"edgeward/runtime/profile"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
	"edgeward/runtime/train"
)

// maxTensors bounds a blob of example or golden tensors.
const maxTensors = 32 << 20

// loadRequest is what the infer worker needs to load a version, and what to call when it is unloaded.
func (w *Work) loadRequest(ctx context.Context, v models.Version, key string) (infer.LoadRequest, func(), error) {
	a, err := w.Assets(ctx, v)
	if err != nil {
		return infer.LoadRequest{}, nil, err
	}
	at, done, err := w.laid(ctx, v.Manifest)
	r := infer.LoadRequest{Key: key, Format: engine.Format(v.Manifest.Kind), Path: at, Digest: string(v.Digest)}
	if c, ok := w.Pinned[v.Digest]; ok {
		r.Candidates = []infer.Candidate{c}
	}
	if len(a.Examples) > 0 {
		r.Examples = []infer.Example{{Inputs: a.Examples, Golden: a.Golden}}
	}
	return r, done, err
}

// Runner loads versions in the infer worker, on the engine that proves best on this machine.
type Runner struct{ *Work }

var _ serve.Runner = Runner{}

// Load implements serve.Runner.
func (r Runner) Load(ctx context.Context, v models.Version, t serve.Terms) (serve.Session, error) {
	if v.Manifest.Kind == graph.Kind {
		return r.loadGraph(ctx, v)
	}
	key := v.Digest.Short() + "/" + r.NewID() // one per load: the old session of a version closes after the new one opened
	req, done, err := r.loadRequest(ctx, v, key)
	if err != nil {
		return nil, err
	}
	req.Warm = r.recent(ctx, t.Endpoint)
	if _, ok := r.Pinned[v.Digest]; !ok {
		if err := r.place(&req, t.Device, t.DeviceRequired); err != nil {
			done()
			return nil, err
		}
	}
	req.Name, req.Alone, req.Pinned, req.IdleUnload = v.Ref().String(), t.Alone, t.Pinned, t.IdleUnload
	rep, err := r.Infer.Load(ctx, req)
	if err != nil {
		done()
		return nil, err
	}
	s := &session{infer: r.Infer, done: done, key: key, about: serve.About{Device: rep.Chosen.Device, Engine: rep.Chosen.Engine, Threads: rep.Threads, Choice: choice(rep, t.Device)}}
	for _, t := range rep.Candidates {
		if t.Candidate == *rep.Chosen {
			s.about.Engine += " " + t.Version
		}
	}
	s.about.Bytes = r.Infer.Size(key)
	return s, nil
}

// session is a version loaded in the infer worker.
type session struct {
	infer *infer.Client
	done  func() // takes its files' folder away
	key   string
	about serve.About
}

func (s *session) Run(ctx context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
	return s.infer.Run(ctx, s.key, in)
}

func (s *session) About() serve.About {
	a := s.about
	a.Cold = !s.infer.Loaded(s.key)
	return a
}

func (s *session) Close() error {
	defer s.done()
	return s.infer.Unload(context.Background(), s.key)
}

// Assets are what a version brings to be proved and watched: examples, golden outputs, plausible answers.
func (w *Work) Assets(ctx context.Context, v models.Version) (serve.Assets, error) {
	var a serve.Assets
	for _, x := range []struct {
		d  edgeward.Digest
		to *[]tensor.Tensor
	}{{v.Manifest.Examples, &a.Examples}, {v.Manifest.Golden, &a.Golden}} {
		if x.d == "" {
			continue
		}
		b, err := w.Blobs.ReadAll(ctx, x.d, maxTensors)
		if err != nil {
			return a, err
		}
		if *x.to, err = tensor.Decode(b); err != nil {
			return a, err
		}
	}
	if v.Manifest.Residuals != "" {
		res, err := w.Residuals(ctx, v)
		if err != nil {
			return a, err
		}
		a.Answers = plausible(res)
	}
	return a, nil
}

// plausible is the range of the truths of validation and half their spread on both sides.
func plausible(all []train.Residual) *serve.Range {
	if len(all) == 0 {
		return nil
	}
	r := serve.Range{Low: math.Inf(1), High: math.Inf(-1)}
	for _, x := range all {
		r.Low, r.High = min(r.Low, x.Truth), max(r.High, x.Truth)
	}
	spread := (r.High - r.Low) / 2
	return &serve.Range{Low: r.Low - spread, High: r.High + spread}
}

// Residuals are the validation residuals of a version, its drift reference.
func (w *Work) Residuals(ctx context.Context, v models.Version) ([]train.Residual, error) {
	return readJSON[[]train.Residual](ctx, w.Blobs, v.Manifest.Residuals)
}

// features is the profile of the features that a version was trained on, nil for one that has none.
func (w *Work) features(ctx context.Context, v models.Version) (*profile.Profile, error) {
	if v.Manifest.FeatureProfile == "" {
		return nil, nil
	}
	b, err := w.Blobs.ReadAll(ctx, v.Manifest.FeatureProfile, profile.MaxEncoded)
	if err != nil {
		return nil, err
	}
	return profile.Decode(b)
}

// report makes the engine report of a version and returns it as the manifest keeps it.
func (w *Work) report(ctx context.Context, v models.Version) (infer.Report, json.RawMessage, error) {
	req, done, err := w.loadRequest(ctx, v, "report "+w.NewID())
	if err != nil {
		return infer.Report{}, nil, err
	}
	defer done()
	rep, err := w.Infer.Probe(ctx, req)
	if err != nil {
		return rep, nil, err
	}
	b, err := json.Marshal(rep)
	return rep, b, err
}

// answer runs rows of features through a version in the infer worker, in batches, and returns one output by name.
func (w *Work) answer(ctx context.Context, key string, x []float64, columns int, output string) ([]float64, error) {
	const batch = 2048
	var out []float64
	for from := 0; from < len(x); from += batch * columns {
		rows := x[from:min(len(x), from+batch*columns)]
		in, err := featureTensor(rows, columns)
		if err != nil {
			return nil, err
		}
		got, err := w.Infer.Run(ctx, key, []tensor.Tensor{in})
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(got, func(t tensor.Tensor) bool { return t.Name == output })
		if i < 0 {
			return nil, edgeward.E("work.answer", edgeward.Invalid, "model.output", "the model has no output %q", output)
		}
		vals, err := got[i].Float64s()
		if err != nil {
			return nil, err
		}
		out = append(out, vals...)
	}
	return out, nil
}

// featureTensor is the input "features" [N,F] of a model trained here.
func featureTensor(x []float64, columns int) (tensor.Tensor, error) {
	f := make([]float32, len(x))
	for i, v := range x {
		f[i] = float32(v)
	}
	return tensor.FromFloat32s("features", []int64{int64(len(x) / columns), int64(columns)}, f)
}

// A version is warmed with so many of the requests that its endpoint answered last, of at most so many bytes.
const (
	warmRequests = 16
	warmBytes    = 4 << 20
)

// recent are the inputs of an endpoint's newest answers, as far as its records keep them.
func (w *Work) recent(ctx context.Context, key serve.Key) (out [][]tensor.Tensor) {
	if w.Records == nil {
		return nil
	}
	all, _ := w.Records.List(key.Group, key.Name, record.Query{}, 0, warmRequests)
	left := warmBytes
	for _, s := range all {
		if s.Error != "" {
			continue
		}
		e, err := w.Records.Get(ctx, key.Group, s.ID)
		if err != nil || len(e.Predictions) == 0 {
			continue // it has just been forgotten
		}
		p := e.Predictions[0]
		n := tensor.EncodedSize(p.Inputs)
		if len(p.Inputs) == 0 || p.Cut || n > left {
			continue
		}
		left -= n
		out = append(out, p.Inputs)
	}
	return out
}
