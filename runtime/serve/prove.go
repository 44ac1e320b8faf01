package serve

import (
	"context"
	"math"
	"slices"
	"time"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/tensor"
)

// warmRuns is how often the examples are run before a version may answer.
const warmRuns = 3

// prove warms the instance with its examples and compares its answers with the golden outputs. A version without
// examples is only loaded; the status then says that nothing was compared.
func prove(ctx context.Context, in *instance, st *VersionStatus) error {
	const op = "serve.prove"
	a := in.assets
	if len(a.Examples) == 0 {
		return nil
	}
	var took []float64
	var out []tensor.Tensor
	var err error
	for range warmRuns {
		begin := time.Now() // room:clock elapsed time
		if out, err = in.session.Run(ctx, a.Examples); err != nil {
			return edgeward.Wrap(op, err)
		}
		took = append(took, float64(time.Since(begin).Microseconds())) // room:clock elapsed time
	}
	slices.Sort(took)
	st.WarmUS = took[len(took)/2]
	if st.Batch, err = joinable(ctx, in, out); err != nil {
		return edgeward.Wrap(op, err)
	}
	tolerance := a.Tolerance
	if tolerance == 0 {
		tolerance = DefaultTolerance
	}
	for _, want := range a.Golden {
		i := slices.IndexFunc(out, func(t tensor.Tensor) bool { return t.Name == want.Name })
		if i < 0 {
			return edgeward.E(op, edgeward.Invalid, "version.golden", "the version gives no output %q", want.Name)
		}
		diff, n, err := difference(want, out[i])
		if err != nil {
			return edgeward.Wrap(op, err)
		}
		st.Golden += n
		st.MaxDiff = max(st.MaxDiff, diff)
		if !(diff <= tolerance) {
			return edgeward.E(op, edgeward.Invalid, "version.golden", "output %q differs from its golden values by %.3g, and %.3g is allowed", want.Name, diff, tolerance).
				WithHint("this server's engine does not answer as the one that registered the version: see the engine report")
		}
	}
	return nil
}

// sameRow is how far a row's answer may differ, relatively, when other rows stand beside it: libraries add up in another
// order.
const sameRow = 1e-5

// joinable returns MaxBatch where several requests may be answered by one run, else 1. It is not declared but proved: the
// rows of the examples, each run by itself, must answer what they answered together (together); on another device than the
// CPU it must pay as well.
func joinable(ctx context.Context, in *instance, together []tensor.Tensor) (int, error) {
	sig, open := in.queue.sig, func(specs []tensor.Spec) bool {
		return len(specs) > 0 && !slices.ContainsFunc(specs, func(s tensor.Spec) bool { return len(s.Shape) == 0 || s.Shape[0] != tensor.Any })
	}
	if _, ok := in.session.(*composition); ok {
		return 1, nil // its parts are joined
	}
	rows, _, _ := rowsOf(sig, in.assets.Examples, nil)
	if rows < 2 || !open(sig.Inputs) || !open(sig.Outputs) {
		return 1, nil
	}
	questions, answers := make([]*job, rows), make([]*job, rows)
	for i := range rows {
		questions[i], answers[i] = &job{rows: 1}, &job{rows: 1}
	}
	if split(in.assets.Examples, questions) != nil || split(together, answers) != nil {
		return 1, nil
	}
	for i := range min(rows, provedRows) {
		out, err := in.session.Run(ctx, questions[i].out)
		if edgeward.KindOf(err) == edgeward.Invalid {
			return 1, nil // it does not take one row
		}
		if err != nil {
			return 0, err
		}
		for k, got := range out {
			if d, _, err := difference(answers[i].out[k], got); err != nil || !(d <= sameRow) {
				return 1, nil
			}
		}
	}
	if device := in.session.About().Device; device != "" && device != engine.CPU {
		if pays, err := joiningPays(ctx, in.session, in.assets.Examples, questions[0].out); !pays {
			return 1, err
		}
	}
	return MaxBatch, nil
}

// provedRows bounds the single runs of joinable.
const provedRows = 8

// Of joiningPays: how often it tries, and how many runs of one row another number of rows may cost.
const (
	changes = 3
	settled = 4
)

// joiningPays reports whether a device answers another number of rows than before at little cost. Some prepare anew for each
// change (ONNX Runtime has cuDNN plan every convolution again, 20 to 300 ms), and joined requests are never as many twice: there
// each request is quicker by itself. The best of a few changes is held against runs that change nothing.
func joiningPays(ctx context.Context, s Session, many, one []tensor.Tensor) (bool, error) {
	least := [4]time.Duration{}
	for n := range changes {
		for i, in := range [][]tensor.Tensor{one, one, many, many} {
			begin := time.Now() // room:clock elapsed time
			if _, err := s.Run(ctx, in); err != nil {
				return false, err
			}
			if took := time.Since(begin); n == 0 || took < least[i] { // room:clock elapsed time
				least[i] = took
			}
		}
	}
	return least[2]-least[3] < settled*least[1], nil
}

// difference returns the largest |got-want| / max(1, |want|) and the number of values compared. Missing (NaN) equals
// missing; texts are equal or infinitely different.
func difference(want, got tensor.Tensor) (float64, int, error) {
	if want.Datatype != got.Datatype || !slices.Equal(want.Shape, got.Shape) {
		return 0, 0, edgeward.E("serve.difference", edgeward.Invalid, "version.golden", "output %q is %s %s and should be %s %s",
			got.Name, got.Datatype, tensor.ShapeString(got.Shape), want.Datatype, tensor.ShapeString(want.Shape))
	}
	if want.Datatype == tensor.Bytes {
		if string(want.Data) != string(got.Data) {
			return math.Inf(1), 1, nil
		}
		return 0, 1, nil
	}
	w, err := want.Float64s()
	if err != nil {
		return 0, 0, err
	}
	g, err := got.Float64s()
	if err != nil {
		return 0, 0, err
	}
	if len(w) != len(g) {
		return 0, 0, edgeward.E("serve.difference", edgeward.Invalid, "version.golden", "output %q has %d values and should have %d", got.Name, len(g), len(w))
	}
	worst := 0.0
	for i := range w {
		if w[i] == g[i] || math.IsNaN(w[i]) && math.IsNaN(g[i]) {
			continue
		}
		d := math.Abs(g[i]-w[i]) / max(1, math.Abs(w[i]))
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		worst = max(worst, d)
	}
	return worst, len(w), nil
}
