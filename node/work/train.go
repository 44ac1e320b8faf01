package work

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"edgeward"
	"edgeward/node/monitor"
	"edgeward/node/wire"
	"edgeward/runtime/infer"
	"edgeward/runtime/jobs"
	"edgeward/runtime/models"
	"edgeward/runtime/recipe"
	"edgeward/runtime/tensor"
	"edgeward/runtime/train"
)

// sqlTime bounds one exploration query.
const sqlTime = 20 * time.Second

// exampleRows is how many rows of validation a version keeps as examples with golden outputs.
const exampleRows = 16

// trainSpec is the spec of a training job.
type trainSpec struct {
	wire.TrainRequest
	Model     string `json:"model"`
	Candidate bool   `json:"candidate,omitempty"` // made to replace Parent
	Parent    int    `json:"parent,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// Train queues the training of the next version of a model.
func (w *Work) Train(ctx context.Context, who Who, model string, in wire.TrainRequest) (jobs.Job, error) {
	if err := edgeward.CheckName("model", model); err != nil {
		return jobs.Job{}, err
	}
	r, err := recipe.Parse(in.Recipe)
	if err != nil {
		return jobs.Job{}, err
	}
	v, err := w.Store.Version(ctx, who.Group, in.DataSet, in.Version)
	if err != nil {
		return jobs.Job{}, err
	}
	in.Version, in.Recipe = v.Number, r.Canonical()
	if m, err := w.Store.Model(ctx, who.Group, model); err == nil && m.Demo != in.Demo {
		return jobs.Job{}, edgeward.E("work.Train", edgeward.Conflict, "model.demo", "model %s belongs to the demonstration, this training does not, or the other way round", model).WithHint("choose another model name")
	}
	return w.queue(ctx, who, jobs.Train, in.Key, title(model, in), in.Demo, trainSpec{TrainRequest: in, Model: model})
}

func title(model string, in wire.TrainRequest) string {
	if in.To != nil {
		return fmt.Sprintf("Train %s on days to %s", model, day(*in.To))
	}
	return fmt.Sprintf("Train %s on %s", model, in.DataSet)
}

// Retrain implements monitor.Work: the champion's own recipe on newer days.
func (w *Work) Retrain(ctx context.Context, r monitor.Retraining) (jobs.Job, error) {
	c := r.Champion
	if len(c.Manifest.Recipe) == 0 || c.Manifest.Lineage.DataSet == "" {
		return jobs.Job{}, edgeward.E("work.Retrain", edgeward.Conflict, "train.no_recipe", "%s was imported: this server has neither its data nor its recipe", c.Ref()).
			WithHint("train the next version where this one was made, then: edgeward model import FILE %s", c.Model)
	}
	in := wire.TrainRequest{DataSet: c.Manifest.Lineage.DataSet, Recipe: c.Manifest.Recipe, To: &r.To, Task: c.Manifest.Task, IntendedUse: c.Manifest.IntendedUse,
		Limits: c.Manifest.Limits, Unit: c.Manifest.Unit, Demo: c.Demo}
	if !r.From.IsZero() {
		in.From = &r.From
	}
	v, err := w.Store.Version(ctx, c.Group, in.DataSet, 0)
	if err != nil {
		return jobs.Job{}, err
	}
	in.Version = v.Number
	return w.queue(ctx, Who{Group: c.Group, Principal: r.By}, jobs.Train, r.Key, "Re"+lowerFirst(title(c.Model, in)), c.Demo,
		trainSpec{TrainRequest: in, Model: c.Model, Candidate: !r.Asked, Parent: c.Number, Reason: r.Reason})
}

func lowerFirst(s string) string { return string(s[0]|0x20) + s[1:] }

// runTrain builds the table, fits, proves that the exported graph answers like the trainer, and registers the version.
func (w *Work) runTrain(ctx context.Context, j jobs.Job, r jobs.Reporter) (any, error) {
	s, err := specOf[trainSpec](j)
	if err != nil {
		return nil, err
	}
	rec, err := recipe.Parse(s.Recipe)
	if err != nil {
		return nil, err
	}
	r.Stage("features", 0.05)
	data, err := w.Store.Version(ctx, j.Group, s.DataSet, s.Version)
	if err != nil {
		return nil, err
	}
	t, rep, err := w.table(ctx, data, rec, recipe.Options{})
	if err != nil {
		return nil, err
	}
	for _, n := range describe(t, rep) {
		r.Log("%s", n)
	}
	spec := train.Spec{Threads: w.Threads, Split: train.Split{Validate: s.Validate}}
	if s.From != nil {
		spec.Split.From = *s.From
	}
	if s.To != nil {
		spec.Split.To = *s.To
	}
	r.Stage("training", 0.15)
	res, err := w.Trainer.Fit(ctx, t, spec, func(p train.Progress) { r.Stage("training: "+p.Stage, 0.15+0.55*p.Done) })
	if err != nil {
		return nil, err
	}
	r.Log("fitted %d rows, validated on %d: mean absolute error %.2f", res.Train.Rows, res.Validation.Rows, res.Metrics.MAE)
	r.Stage("proof", 0.75)
	v, err := w.registerTrained(ctx, j, s, data.Digest, data.ProfileDigest, rec, t, res)
	if err != nil {
		return nil, err
	}
	r.Log("registered %s: equal to LightGBM within %.1e on %d rows", v.Ref(), v.Manifest.Equality.MaxAbsDiff, v.Manifest.Equality.Rows)
	return wire.TrainResult{Model: v.Model, Version: v.Number, Digest: string(v.Digest)}, nil
}

// registerTrained proves, describes and keeps a trained model.
func (w *Work) registerTrained(ctx context.Context, j jobs.Job, s trainSpec, data, profile edgeward.Digest, rec recipe.Recipe, t *recipe.Table, res *train.Result) (models.Version, error) {
	var none models.Version
	onnx, err := w.putBytes(ctx, res.ONNX)
	if err != nil {
		return none, err
	}
	source, err := w.putBytes(ctx, res.Model)
	if err != nil {
		return none, err
	}
	proof, examples, golden, engines, sig, err := w.prove(ctx, onnx, t, res)
	if err != nil {
		return none, err
	}
	m := models.Manifest{Format: models.ManifestFormat, Model: s.Model, Task: models.Task(res.Task), Kind: "onnx", Opset: map[string]int64{"": 21, "ai.onnx.ml": 5},
		Signature: sig, Classes: res.Encoding.Classes, Recipe: rec.Canonical(), Profile: profile, Metrics: metricsOf(res), Engines: engines,
		Files:    []models.File{{Name: "model.onnx", Size: int64(len(res.ONNX)), Digest: onnx, Role: "model"}, {Name: "model.lightgbm.txt", Size: int64(len(res.Model)), Digest: source, Role: "source"}},
		Equality: &models.Equality{MaxAbsDiff: proof.MaxAbsDiff, Tolerance: proof.Tolerance, Rows: proof.Rows, Threshold: proof.Threshold, Missing: proof.Missing},
		Lineage:  lineageOf(j, s, data, rec, res), IntendedUse: s.IntendedUse, Limits: s.Limits, Unit: s.Unit}
	for _, f := range t.Features {
		m.Features = append(m.Features, f.Name)
	}
	if m.Encoding, err = json.Marshal(res.Encoding); err != nil {
		return none, err
	}
	if m.Examples, err = w.putBytes(ctx, tensor.Append(nil, examples)); err != nil {
		return none, err
	}
	if m.Golden, err = w.putBytes(ctx, tensor.Append(nil, golden)); err != nil {
		return none, err
	}
	features, err := featureProfile(fitted(t, res)).Encode()
	if err != nil {
		return none, err
	}
	if m.FeatureProfile, err = w.putBytes(ctx, features); err != nil {
		return none, err
	}
	if len(res.Offsets) > 0 {
		m.Interval = &models.Interval{Level: res.Level, Method: "split conformal, by group", Rows: res.Offsets[len(res.Offsets)-1].Rows}
	}
	if t.Forecast && len(res.Residuals) > 0 {
		if m.Residuals, err = w.putJSON(ctx, res.Residuals); err != nil {
			return none, err
		}
	}
	state := models.Registered
	if s.Candidate {
		state = models.Candidate
	}
	v, _, err := w.register(ctx, Who{Group: j.Group, Principal: j.By}, ModelSpec{Model: s.Model, Description: s.Description, Task: m.Task, Demo: s.Demo}, m, state)
	return v, err
}

// prove runs the exported graph in the infer worker against LightGBM's own answers on validation rows, rows on
// thresholds and rows with missing values, and takes examples with their golden outputs from it.
func (w *Work) prove(ctx context.Context, onnx edgeward.Digest, t *recipe.Table, res *train.Result) (train.Proof, []tensor.Tensor, []tensor.Tensor, json.RawMessage, tensor.Signature, error) {
	fail := func(err error) (train.Proof, []tensor.Tensor, []tensor.Tensor, json.RawMessage, tensor.Signature, error) {
		return train.Proof{}, nil, nil, nil, tensor.Signature{}, edgeward.Wrap("work.prove", err)
	}
	path, err := w.Blobs.Verified(ctx, onnx)
	if err != nil {
		return fail(err)
	}
	cols := len(t.Features)
	first := t.X[max(0, len(t.X)-exampleRows*cols):]
	example, err := featureTensor(first, cols)
	if err != nil {
		return fail(err)
	}
	key := "prove " + w.NewID()
	rep, err := w.Infer.Load(ctx, infer.LoadRequest{Key: key, Format: "onnx", Path: path, Examples: []infer.Example{{Inputs: []tensor.Tensor{example}}}})
	if err != nil {
		return fail(err)
	}
	defer func() { _ = w.Infer.Unload(context.WithoutCancel(ctx), key) }()
	rows, err := train.NewProofRows(res.Model, validation(t, res), 1)
	if err != nil {
		return fail(err)
	}
	head := train.NewHead(t, res.Offsets)
	own := func(ctx context.Context, x []float64, cols int) (train.Answers, error) {
		return w.Trainer.Predict(ctx, res.Model, head, x, cols)
	}
	proof, err := train.Prove(ctx, rows, own, func(ctx context.Context, x []float64, cols int) (train.Answers, error) {
		return w.answers(ctx, key, x, cols)
	})
	if err != nil {
		return fail(err)
	}
	golden, err := w.Infer.Run(ctx, key, []tensor.Tensor{example})
	if err != nil {
		return fail(err)
	}
	engines, err := json.Marshal(rep)
	if err != nil {
		return fail(err)
	}
	return proof, []tensor.Tensor{example}, golden, engines, rep.Signature, nil
}

// validation are the table's rows that the backtest forecast, fitted those the model was fitted to; all rows of a plain
// table.
func validation(t *recipe.Table, res *train.Result) *recipe.Table { return between(t, res.Validation) }
func fitted(t *recipe.Table, res *train.Result) *recipe.Table     { return between(t, res.Train) }

func between(t *recipe.Table, r train.Range) *recipe.Table {
	if !t.Forecast {
		return t
	}
	var rows []int
	for i, row := range t.Rows {
		if !row.Target.Before(r.From) && !row.Target.After(r.To) {
			rows = append(rows, i)
		}
	}
	return t.Pick(rows)
}

// answers asks a loaded graph for everything it gives, as the trainer names it.
func (w *Work) answers(ctx context.Context, key string, x []float64, cols int) (train.Answers, error) {
	in, err := featureTensor(x, cols)
	if err != nil {
		return train.Answers{}, err
	}
	out, err := w.Infer.Run(ctx, key, []tensor.Tensor{in})
	if err != nil {
		return train.Answers{}, err
	}
	var a train.Answers
	for name, to := range map[string]*[]float64{"forecast": &a.Forecast, "low": &a.Low, "high": &a.High, "probability": &a.Probability} {
		if i := slices.IndexFunc(out, func(t tensor.Tensor) bool { return t.Name == name }); i >= 0 {
			if *to, err = out[i].Float64s(); err != nil {
				return a, err
			}
		}
	}
	return a, nil
}
