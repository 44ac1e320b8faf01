package infer

import (
	"bytes"
	"fmt"
	"math"

	"edgeward"
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
			return 0, edgeward.E("infer.compare", edgeward.Invalid, "infer.differs", "output %q should be %s %s and is %s %s",
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

// judge compares all trials with the golden outputs, or with the first that loads, and chooses the first that agrees or a
// later one that is faster by a tenth at least.
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
	var best *Trial
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
		if t.compare(reference, r.Tolerance); t.Agrees && (best == nil || t.P50Micros < faster*best.P50Micros) {
			best = t
		}
	}
	if best == nil {
		rep.Why = "no candidate serves this model"
		return rep
	}
	rep.Chosen, rep.Signature = &best.Candidate, best.sig
	rep.Why = why(best, trials, rep)
	return rep
}

// why says in a sentence why best was chosen.
func why(best *Trial, trials []Trial, rep Report) string {
	s, rivals := fmt.Sprintf("%s on %s", best.Engine, best.Device), 0
	for _, t := range trials {
		if t.Agrees && t.Candidate != best.Candidate {
			rivals++
			words := "is faster than"
			if best.P50Micros > faster*t.P50Micros {
				words = "is not beaten by a tenth by"
			}
			s += fmt.Sprintf(" %s %s on %s (median %.0f against %.0f µs)", words, t.Engine, t.Device, best.P50Micros, t.P50Micros)
		}
	}
	if rivals == 0 {
		s += " is the only candidate that loads the model and agrees"
	}
	if best.MaxAbsDiff != nil && rep.Reference != best.Engine {
		s += fmt.Sprintf("; its answers differ from %s by at most %.2g", rep.Reference, *best.MaxAbsDiff)
	}
	if rep.Examples == 0 {
		s += "; no example rows were given, so it was tried with zeros"
	}
	return s
}
