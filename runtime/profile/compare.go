package profile

import "edgeward"

// Comparison is everything the counts say about one column in two windows. Effects that are not defined for the kind of
// column, or because a window is empty, are left out.
type Comparison struct {
	Column  string   `json:"column"`
	Kind    Kind     `json:"kind"`
	Bins    int      `json:"bins"` // bins that PSI, Jensen-Shannon, L-infinity and the test were taken on
	Effects []Effect `json:"effects"`
	Test    Test     `json:"test"` // ChiSquare on those bins
}

// Effect returns the effect of that name; ok is false if it is not defined here.
func (c *Comparison) Effect(stat string) (Effect, bool) {
	for _, e := range c.Effects {
		if e.Stat == stat {
			return e, true
		}
	}
	return Effect{}, false
}

// Compare takes every statistic of column cur against column ref; both must have one shape (else Conflict
// "profile.shape"). The statistics on bins of a numeric column are taken on as many merged neighbours as leave ten
// values a bin in the smaller window (Coarse), because the bounds are not to be had from emptier ones. Distances that
// use the order of the bins take all of them.
func Compare(ref, cur *Column, alpha float64) (Comparison, error) {
	if !SameShape(ref, cur) {
		return Comparison{}, edgeward.E("profile.Compare", edgeward.Conflict, "profile.shape", "column %.60q is counted in another shape", cur.Name)
	}
	out := Comparison{Column: ref.Name, Kind: ref.Kind}
	r, c := &ref.Counts, &cur.Counts
	add := func(e Effect) {
		if e.Stat != "" {
			out.Effects = append(out.Effects, e)
		}
	}
	rb, cb := r.Bins, c.Bins
	switch ref.Kind {
	case Time:
	case Numeric, Text:
		n := Coarse(len(rb), min(r.Present(), c.Present()))
		rb, cb = Rebin(rb, n), Rebin(cb, n)
		add(KS(r.Bins, c.Bins, alpha))
		add(Wasserstein(ref, r, c, alpha))
		add(MeanShift(r.Moments, c.Moments, alpha))
		add(Share(StatOutOfRange, r.Below+r.Above, r.Present(), c.Below+c.Above, c.Present(), alpha))
	default:
		// A new category is a cell that the reference has with no case.
		rb, cb = append(append([]int64{}, rb...), r.Unseen), append(append([]int64{}, cb...), c.Unseen)
		add(Share(StatUnseen, r.Unseen, r.Count-r.Missing, c.Unseen, c.Count-c.Missing, alpha))
	}
	if ref.Kind != Time {
		out.Bins = len(rb)
		add(PSI(rb, cb, alpha))
		add(JensenShannon(rb, cb, alpha))
		add(LInf(rb, cb, alpha))
		out.Test = ChiSquare(rb, cb)
	}
	add(Share(StatMissing, r.Missing+r.NonFinite, r.Count, c.Missing+c.NonFinite, c.Count, alpha))
	return out, nil
}

// Coarse returns the number of merged bins for a window of n values: the largest of bins, bins/2, bins/4, … (at least 2,
// at most bins) that leaves ten values a bin.
func Coarse(bins int, n int64) int {
	k := bins
	for k > 2 && int64(k)*10 > n {
		k = (k + 1) / 2
	}
	return k
}

// Rebin merges neighbouring bins into n of equal width in bins, as far as that goes.
func Rebin(counts []int64, n int) []int64 {
	if n >= len(counts) || n < 1 {
		return counts
	}
	out := make([]int64, n)
	for i, c := range counts {
		out[i*n/len(counts)] += c
	}
	return out
}
