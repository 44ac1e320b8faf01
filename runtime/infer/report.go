package infer

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/tensor"
)

// compare sets how far a trial's outputs are from the reference: sets of outputs, one for each example.
func (t *Trial) compare(reference [][]tensor.Tensor, tolerance float64) {
	worst := 0.0
	for i, want := range reference {
		if i >= len(t.outputs) {
			break
		}
		d, err := difference(t.outputs[i], want)
		if err != nil {
			t.Error, t.Code = fmt.Sprintf("example %d: %v", i, err), edgeward.CodeOf(err)
			return
		}
		worst = max(worst, d)
	}
	if !math.IsInf(worst, 0) {
		t.MaxAbsDiff = &worst
	}
	t.Agrees = worst <= tolerance
}

// difference returns the largest absolute difference between outputs of the same names: 0 for equal, infinite where a
// number stands against NaN or strings or integers differ. Other names, datatypes or shapes are an error.
func difference(got, want []tensor.Tensor) (float64, error) {
	worst := 0.0
	for _, w := range want {
		g, ok := named(got, w.Name)
		if !ok || g.Datatype != w.Datatype || tensor.ShapeString(g.Shape) != tensor.ShapeString(w.Shape) {
			return 0, edgeward.E("infer.compare", edgeward.Invalid, differsCode, "output %q should be %s %s and is %s %s",
				w.Name, w.Datatype, tensor.ShapeString(w.Shape), g.Datatype, tensor.ShapeString(g.Shape))
		}
		switch w.Datatype {
		case tensor.FP16, tensor.BF16, tensor.FP32, tensor.FP64:
			a, err := g.Float64s()
			if err != nil {
				return 0, err
			}
			b, err := w.Float64s()
			if err != nil {
				return 0, err
			}
			for i := range a {
				worst = max(worst, apart(a[i], b[i]))
			}
		default:
			if !bytes.Equal(g.Data, w.Data) {
				worst = math.Inf(1)
			}
		}
	}
	return worst, nil
}

func apart(a, b float64) float64 {
	if a == b || math.IsNaN(a) && math.IsNaN(b) {
		return 0
	}
	if d := math.Abs(a - b); !math.IsNaN(d) {
		return d
	}
	return math.Inf(1)
}

func named(ts []tensor.Tensor, name string) (tensor.Tensor, bool) {
	for _, t := range ts {
		if t.Name == name {
			return t, true
		}
	}
	return tensor.Tensor{}, false
}

// faster is how much of the time of the best one before a candidate may need at most to be chosen instead.
const faster = 0.9

// beats reports whether t is faster than o by a tenth at least, in the middle and in the slowest twentieth of its answers.
func (t *Trial) beats(o *Trial) bool {
	return t.P50Micros < faster*o.P50Micros && (o.P95Micros == 0 || t.P95Micros < faster*o.P95Micros)
}

// judge compares all trials with the golden outputs, or with the first that loads, and chooses the first that agrees or a
// later one that is faster by a tenth at least: among those that were asked for, or where none of them agrees among all.
func judge(r LoadRequest, trials []Trial) Report {
	rep := Report{Candidates: trials, Examples: len(r.Examples), Tolerance: r.Tolerance,
		Signature: tensor.Signature{Inputs: []tensor.Spec{}, Outputs: []tensor.Spec{}}}
	var reference [][]tensor.Tensor
	for _, e := range r.Examples {
		if e.Golden != nil {
			reference, rep.Reference = append(reference, e.Golden), "golden"
		}
	}
	if len(reference) != len(r.Examples) {
		reference, rep.Reference = nil, ""
	}
	for i := range trials {
		t := &trials[i]
		if !t.Loads {
			continue
		}
		if len(rep.Signature.Outputs) == 0 {
			rep.Signature = t.sig
		}
		if reference == nil {
			reference, rep.Reference = t.outputs, t.Engine
		}
		t.compare(reference, r.Tolerance)
	}
	wanted := func(c Candidate) bool { return slices.Contains(r.Prefer, c) }
	best := fastest(trials, wanted)
	if best == nil && (len(r.Prefer) > 0 || r.Lacking != nil) {
		rep.Instead = r.missed(trials)
		if !r.Strict {
			best = fastest(trials, func(Candidate) bool { return true })
		}
	} else if best == nil {
		best = fastest(trials, func(Candidate) bool { return true })
	}
	if best == nil {
		rep.Why = "no candidate serves this model"
		if rep.Instead != nil {
			rep.Why = rep.Instead.Wish + " was asked for: " + rep.Instead.Why
		}
		return rep
	}
	rep.Chosen, rep.Signature = &best.Candidate, best.sig
	rep.Why = why(best, trials, rep)
	return rep
}

// fastest is the first trial that agrees, or a later one that beats it, among those that count.
func fastest(trials []Trial, counts func(Candidate) bool) (best *Trial) {
	for i := range trials {
		if t := &trials[i]; t.Loads && t.Agrees && counts(t.Candidate) && (best == nil || t.beats(best)) {
			best = t
		}
	}
	return best
}

// missed says why nothing that was asked for serves.
func (r LoadRequest) missed(trials []Trial) *Instead {
	out := &Instead{Wish: r.Wish}
	if r.Lacking != nil {
		out.Why, out.Code = said(r.Lacking), edgeward.CodeOf(r.Lacking)
		return out
	}
	for _, t := range trials {
		if !slices.Contains(r.Prefer, t.Candidate) || out.Why != "" {
			continue
		}
		if out.Why, out.Code = t.Error, t.Code; t.Loads && t.Error == "" {
			out.Why, out.Code = "its answers differ", differsCode
			if t.MaxAbsDiff != nil {
				out.Why += fmt.Sprintf(" by up to %.3g, and %.3g is allowed", *t.MaxAbsDiff, r.Tolerance)
			}
		}
	}
	return out
}

const differsCode = "infer.differs"

// short names a candidate where the CPU need not be said.
func (c Candidate) short() string {
	if c.Away() {
		return c.String()
	}
	return c.Engine
}

// why says in a sentence why best was chosen.
func why(best *Trial, trials []Trial, rep Report) string {
	s, rivals := best.Candidate.String(), 0
	for _, t := range trials {
		if t.Agrees && t.Candidate != best.Candidate {
			rivals++
			words := "is faster than"
			if !best.beats(&t) {
				words = "is not beaten by a tenth by"
			}
			if t.beats(best) {
				words = "was asked for and is slower than"
			}
			s += fmt.Sprintf(" %s %s (median %.0f against %.0f µs)", words, t.Candidate, best.P50Micros, t.P50Micros)
		}
	}
	if rivals == 0 {
		s += " is the only candidate that loads the model and agrees"
	}
	if best.MaxAbsDiff != nil && rep.Reference != best.Engine {
		s += fmt.Sprintf("; its answers differ from %s by at most %.2g", rep.Reference, *best.MaxAbsDiff)
	}
	if n := best.Nodes[engine.CPU]; best.Device != engine.CPU && n > 0 {
		s += fmt.Sprintf("; %d of its operations run on the CPU", n)
	}
	if rep.Examples == 0 {
		s += "; no example rows were given, so it was tried with zeros"
	}
	if rep.Instead != nil {
		s = rep.Instead.Wish + " was asked for, and cannot serve: " + rep.Instead.Why + ". In its place: " + s
	}
	return s
}
