package serve

import (
	"context"
	"math"
	"slices"
	"time"

	"edgeward"
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
	for range warmRuns {
		begin := time.Now() // room:clock elapsed time
		var err error
		if out, err = in.session.Run(ctx, a.Examples); err != nil {
			return edgeward.Wrap(op, err)
		}
		took = append(took, float64(time.Since(begin).Microseconds())) // room:clock elapsed time
	}
	slices.Sort(took)
	st.WarmUS = took[len(took)/2]
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
