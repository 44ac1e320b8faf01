package drift

import (
	"math"
	"slices"
	"sort"
	"time"

	"edgeward"
)

// recentLength is how many residuals Recent in a verdict is the mean of.
const recentLength = 28

// sumCap bounds the Shiryaev-Roberts sums: a stream that has returned to normal falls back below the threshold within
// some months. Capping can only lower the statistic, so the promise stays.
const sumCap = 1e9

var (
	biasBets  = []float64{-2, -1, -0.5, 0.5, 1, 2}
	errorBets = []float64{0.5, 1, 2}
)

// Detector watches residuals against a reference. It is immutable and safe for concurrent use.
type Detector struct {
	ref      Reference
	settings Settings
}

// State is how far a detector has come. The zero State is the start. It is a value: Step never changes the one given.
type State struct {
	At      time.Time    `json:"at"`      // target time of the newest observation
	Groups  []GroupState `json:"groups"`  // in the reference's order
	Ignored int          `json:"ignored"` // observations that were late, repeated, not finite or of an unwatched group
}

// GroupState is one group's part of a State.
type GroupState struct {
	Last   time.Time   `json:"last"`   // newest target time
	Before float64     `json:"before"` // residual at Last less the reference mean
	N      int         `json:"n"`
	Recent []float64   `json:"recent"` // newest residuals, oldest first
	Bias   StreamState `json:"bias"`
	Error  StreamState `json:"error"`
}

// StreamState is one stream: the sums, one per bet, and the sorted values seen.
type StreamState struct {
	Sums []float64 `json:"sums"`
	Seen []float64 `json:"seen"`
}

// NewDetector returns the detector for a version's reference. It returns Invalid "drift.reference_small" for a
// reference that watches nothing.
func NewDetector(ref Reference, s Settings) (*Detector, error) {
	if len(ref.Groups) == 0 {
		return nil, edgeward.E("drift.NewDetector", edgeward.Invalid, "drift.reference_small", "the reference watches no group").
			WithHint("this version has no validation residuals; train it again with a validation period")
	}
	return &Detector{ref: ref, settings: s.orDefault()}, nil
}

// Step returns the state after o and what is to be said of it. Observations of one group must come in event time;
// groups may come in any order. It has no side effects.
func (d *Detector) Step(st State, o Observation) (State, Verdict) {
	next := State{At: st.At, Groups: slices.Clone(st.Groups), Ignored: st.Ignored}
	if len(next.Groups) != len(d.ref.Groups) {
		next = State{Groups: make([]GroupState, len(d.ref.Groups))}
	}
	i := slices.IndexFunc(d.ref.Groups, func(g GroupReference) bool { return g.Name == o.Group })
	if i < 0 || !finite(o) || (next.Groups[i].N > 0 && !o.At.After(next.Groups[i].Last)) {
		next.Ignored++
		return next, d.Verdict(next)
	}
	next.Groups[i] = d.stepGroup(d.ref.Groups[i], next.Groups[i], o)
	if o.At.After(next.At) {
		next.At = o.At
	}
	return next, d.Verdict(next)
}

// Run steps through observations in the order of their target times and returns the last state and verdict.
func (d *Detector) Run(st State, all []Observation) (State, Verdict) {
	sorted := slices.Clone(all)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].At.Before(sorted[j].At) })
	v := d.Verdict(st)
	for _, o := range sorted {
		st, v = d.Step(st, o)
	}
	return st, v
}

func (d *Detector) stepGroup(ref GroupReference, g GroupState, o Observation) GroupState {
	e := o.Residual() - ref.Mean
	w := e
	if g.N > 0 {
		w = whiten(ref.Phi, e, g.Before, gap(g.Last, o.At, d.settings))
	}
	recent := append(slices.Clone(g.Recent), o.Residual())
	return GroupState{
		Last: o.At, Before: e, N: g.N + 1,
		Recent: recent[max(0, len(recent)-recentLength):],
		Bias:   stepStream(ref.Bias, biasBets, g.Bias, w, d.settings.tolerance()),
		Error:  stepStream(ref.Error, errorBets, g.Error, math.Abs(w), d.settings.tolerance()),
	}
}

// stepStream places v among the pool (reference and seen), bets on where it lies and adds it to the pool.
func stepStream(reference, bets []float64, s StreamState, v, tolerance float64) StreamState {
	below, upTo := count(reference, v)
	b, u := count(s.Seen, v)
	below, upTo = below+b, upTo+u
	n := float64(len(reference) + len(s.Seen))
	low, high := float64(below)/(n+1), float64(upTo+1)/(n+1)

	sums := make([]float64, len(bets))
	copy(sums, s.Sums)
	for i, d := range bets {
		sums[i] = math.Min(sumCap, (1+sums[i])*bet(d, low, high)*math.Exp(-math.Abs(d)*tolerance))
	}
	seen := s.Seen
	if len(reference)+len(seen) < MaxPool {
		at := sort.SearchFloat64s(seen, v)
		seen = slices.Insert(slices.Clone(seen), at, v)
	}
	return StreamState{Sums: sums, Seen: seen}
}

// count returns how many of sorted are below v and how many are not above it.
func count(sorted []float64, v float64) (below, upTo int) {
	below = sort.SearchFloat64s(sorted, v)
	upTo = below + sort.Search(len(sorted)-below, func(i int) bool { return sorted[below+i] > v })
	return below, upTo
}

// bet returns the mean of exp(dz - d²/2) over the normal scores z of the interval [low, high] of ranks.
func bet(d, low, high float64) float64 {
	return (phi(quantile(high)-d) - phi(quantile(low)-d)) / (high - low)
}

// phi is the standard normal distribution function, quantile its inverse.
func phi(z float64) float64      { return 0.5 * math.Erfc(-z/math.Sqrt2) }
func quantile(u float64) float64 { return math.Sqrt2 * math.Erfinv(2*u-1) }

// Verdict says what st amounts to, without a new observation.
func (d *Detector) Verdict(st State) Verdict {
	v := Verdict{At: st.At, Threshold: d.settings.Threshold(), Promise: d.ref.Promise, Autocorrelation: d.ref.Autocorrelation}
	for i, ref := range d.ref.Groups {
		var g GroupState
		if i < len(st.Groups) {
			g = st.Groups[i]
		}
		bias := StreamVerdict{Group: ref.Name, Stream: Bias, N: g.N, Statistic: mean(g.Bias.Sums), Reference: ref.Mean}
		err := StreamVerdict{Group: ref.Name, Stream: Error, N: g.N, Statistic: mean(g.Error.Sums), Reference: ref.MAE}
		for _, r := range g.Recent {
			bias.Recent += r / float64(len(g.Recent))
			err.Recent += math.Abs(r) / float64(len(g.Recent))
		}
		v.Streams = append(v.Streams, bias, err)
	}
	for _, s := range v.Streams {
		v.Statistic += s.Statistic / float64(len(v.Streams))
	}
	switch {
	case v.Statistic >= v.Threshold:
		v.Level = Alarm
	case v.Statistic >= v.Threshold/10:
		v.Level = Suspected
	default:
		v.Level = Quiet
	}
	return v
}

func mean(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}
