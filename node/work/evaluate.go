package work

import (
	"context"
	"fmt"
	"math"
	"time"

	"edgeward"
	"edgeward/node/monitor"
	"edgeward/runtime/infer"
	"edgeward/runtime/jobs"
	"edgeward/runtime/loop"
	"edgeward/runtime/models"
	"edgeward/runtime/recipe"
	"edgeward/runtime/train"
)

// evaluateSpec is the spec of an evaluation job.
type evaluateSpec struct {
	Key        string     `json:"key"`
	Endpoint   string     `json:"endpoint"`
	Champion   models.Ref `json:"champion"`
	Challenger models.Ref `json:"challenger"`
	From       time.Time  `json:"from"`
	To         time.Time  `json:"to"`
}

// Evaluate implements monitor.Work.
func (w *Work) Evaluate(ctx context.Context, e monitor.Evaluation) (jobs.Job, error) {
	return w.queue(ctx, Who{Group: e.Champion.Group, Principal: e.By}, jobs.Evaluate, e.Key,
		fmt.Sprintf("Compare %s with %s on %s to %s", e.Challenger.Ref(), e.Champion.Ref(), day(e.From), day(e.To)), e.Champion.Demo,
		evaluateSpec{e.Action, e.Endpoint, e.Champion.Ref(), e.Challenger.Ref(), e.From, e.To})
}

// runEvaluate runs champion and challenger, both really, on the same held-out rows of the newest data set version.
func (w *Work) runEvaluate(ctx context.Context, j jobs.Job, r jobs.Reporter) (any, error) {
	s, err := specOf[evaluateSpec](j)
	if err != nil {
		return nil, err
	}
	var said [2]map[row]float64
	truth := map[row]float64{}
	frequency := ""
	for i, ref := range []models.Ref{s.Champion, s.Challenger} {
		v, err := w.Store.ModelVersion(ctx, j.Group, ref)
		if err != nil {
			return nil, err
		}
		if to := v.Manifest.Lineage.TrainTo; i == 1 && to != nil && !to.Before(s.From) {
			return nil, edgeward.E("work.evaluate", edgeward.Invalid, "evaluation.overlap", "%s was trained on days to %s, the evaluation begins on %s", ref, day(*to), day(s.From))
		}
		rec, _, err := recipeOf(v)
		if err != nil {
			return nil, err
		}
		frequency = rec.Frequency
		r.Stage("running "+ref.String(), 0.1+0.4*float64(i))
		if said[i], err = w.runOn(ctx, v, s.From, s.To, truth); err != nil {
			return nil, err
		}
	}
	var pairs []train.Pair
	for k, y := range truth {
		a, okA := said[0][k]
		b, okB := said[1][k]
		if okA && okB {
			pairs = append(pairs, train.Pair{Target: k.at, Group: k.group, Truth: y, Champion: a, Challenger: b})
		}
	}
	c, err := train.Compare(pairs, 1)
	if err != nil {
		return nil, err
	}
	days := c.Days
	if frequency == recipe.Weekly {
		days *= 7 // a target is a week
	}
	e := loop.Evaluation{Key: s.Key, From: s.From, To: s.To, Days: days, Champion: c.Champion, Challenger: c.Challenger, Difference: c.Difference, Low: c.Low, High: c.High}
	r.Log("%d rows on %d days: mean absolute error %.2f against %.2f, difference %.2f (95%% interval %.2f to %.2f)",
		len(pairs), e.Days, e.Challenger, e.Champion, e.Difference, e.Low, e.High)
	return e, nil
}

// row is a target of a group.
type row struct {
	group string
	at    time.Time
}

// runOn answers the rows of targets from..to with a version and notes their truths.
func (w *Work) runOn(ctx context.Context, v models.Version, from, to time.Time, truth map[row]float64) (map[row]float64, error) {
	t, err := w.targets(ctx, v, from, to)
	if err != nil || t.Len() == 0 {
		return nil, err
	}
	key := "evaluate " + w.NewID()
	req, done, err := w.loadRequest(ctx, v, key)
	if err != nil {
		return nil, err
	}
	defer done()
	req.Candidates, req.Runs = []infer.Candidate{infer.DefaultCandidates()[0]}, 1
	if _, err := w.Infer.Load(ctx, req); err != nil {
		return nil, err
	}
	defer func() { _ = w.Infer.Unload(context.WithoutCancel(ctx), key) }()
	y, err := w.answer(ctx, key, t.X, len(t.Features), v.Manifest.Signature.Outputs[0].Name)
	if err != nil {
		return nil, err
	}
	out := map[row]float64{}
	for i, r := range t.Rows {
		k := row{r.Group, r.Target.UTC()}
		out[k] = y[i]
		if !math.IsNaN(t.Y[i]) {
			truth[k] = t.Y[i]
		}
	}
	return out, nil
}

// targets builds a version's rows for targets from..to out of the newest version of its data set.
func (w *Work) targets(ctx context.Context, v models.Version, from, to time.Time) (*recipe.Table, error) {
	rec, enc, err := recipeOf(v)
	if err != nil {
		return nil, err
	}
	data, err := w.Store.Version(ctx, v.Group, v.Manifest.Lineage.DataSet, 0)
	if err != nil {
		return nil, err
	}
	t, _, err := w.table(ctx, data, rec, recipe.Options{Encoding: enc, From: from, To: to})
	return t, err
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
