package drift

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"edgeward"
	"edgeward/runtime/profile"
)

// MinWindowDays is the shortest window of inputs that is compared. Shorter ones differ from any reference in any
// month: on the demonstration's data a 28-day population stability index "finds" drift in all of them.
const MinWindowDays = 90

// MinCases is the least number of cases that anything which leaves the server may rest on.
const MinCases = 10

// DefaultTolerance is the Jensen-Shannon distance up to which a difference does not matter.
const DefaultTolerance = 0.1

// Window is a span of target times, both ends included, and how many rows it has.
type Window struct {
	From          time.Time `json:"from"`
	To            time.Time `json:"to"`
	N             int       `json:"n"`
	MissingLabels int       `json:"missing_labels"` // rows whose truth has not come
}

// Days returns the calendar days from From to To, both counted.
func (w Window) Days() int { return int(w.To.Sub(w.From).Hours()/24) + 1 }

// SameSeason reports whether day falls on the same days of the year as the window: the rows of the reference that the
// window may be compared with. A window of a year or more contains every day.
func (w Window) SameSeason(day time.Time) bool {
	if w.Days() >= 365 {
		return true
	}
	for y := w.From.Year() - 1; y <= w.To.Year()+1; y++ {
		d := time.Date(y, day.Month(), day.Day(), 0, 0, 0, 0, time.UTC)
		if !d.Before(w.From.UTC().Truncate(24*time.Hour)) && !d.After(w.To) {
			return true
		}
	}
	return false
}

// Column is one feature counted over the window and over the same season of the reference, in the same cells: bins in
// order, then any others (missing, unseen).
type Column struct {
	Name      string
	Reference []int64
	Current   []int64
	Ordered   int     // how many leading cells are bins in order; 0 for categories
	Share     float64 // effectively independent rows per row (EffectiveShare); 0 means 1
}

// ColumnOf makes a Column of two profiled columns of one shape. It returns Conflict "profile.shape" when the window was
// not counted in the shape of the reference.
func ColumnOf(ref, cur *profile.Column, share float64) (Column, error) {
	if !profile.SameShape(ref, cur) {
		return Column{}, edgeward.E("drift.ColumnOf", edgeward.Conflict, "profile.shape", "column %.60q is counted in another shape", cur.Name).
			WithHint("count the window into a fresh profile of the version's reference")
	}
	cells := func(c profile.Counts) []int64 {
		return append(slices.Clone(c.Bins), c.Missing+c.NonFinite, c.Unseen)
	}
	c := Column{Name: ref.Name, Reference: cells(ref.Counts), Current: cells(cur.Counts), Share: share}
	if ref.Kind == profile.Numeric || ref.Kind == profile.Text {
		c.Ordered = len(ref.Counts.Bins)
	}
	return c, nil
}

// Effect is how far one feature has moved.
type Effect struct {
	Name      string  `json:"name"`
	Statistic string  `json:"stat"`      // "js_distance"
	Value     float64 `json:"value"`     // Jensen-Shannon distance, natural logarithm, 0 to 0.83
	Low       float64 `json:"low"`       // lower bound, 95 % for all features together
	Tolerance float64 `json:"tolerance"` // distance that does not matter
	Moved     bool    `json:"moved"`     // Low is above Tolerance
	Up        float64 `json:"up"`        // chance that a current value is above a reference value, ties half; 0.5 where there is no order
	N         int64   `json:"n"`         // current cases
}

// Evidence ranks features by how surely and how far they have moved from the same season of the reference. It explains
// an alarm and never makes one. Columns with fewer than MinCases cases on either side are left out. It returns Invalid
// "drift.window_short" for a window of fewer than MinWindowDays days and "drift.cells" for counts that do not match.
//
// The distance and its bounds are profile.JensenShannon's, on as many merged neighbouring bins as leave ten effectively
// independent rows a bin, with the counts scaled by Share for the bound and the error shared out over the columns
// (Bonferroni).
func Evidence(w Window, columns []Column, tolerance float64) ([]Effect, error) {
	if w.Days() < MinWindowDays {
		return nil, edgeward.E("drift.Evidence", edgeward.Invalid, "drift.window_short", "the window has %d days", w.Days()).
			WithHint("compare at least %d days with the same season of the reference", MinWindowDays)
	}
	if !(tolerance > 0) {
		tolerance = DefaultTolerance
	}
	alpha := 0.1 / float64(max(1, len(columns))) // of a two-sided bound: 0.05 below
	var out []Effect
	for _, c := range columns {
		if len(c.Reference) != len(c.Current) || c.Ordered < 0 || c.Ordered > len(c.Current) || negative(c.Reference) || negative(c.Current) {
			return nil, edgeward.E("drift.Evidence", edgeward.Invalid, "drift.cells", "column %q has %d cells in the reference and %d now", c.Name, len(c.Reference), len(c.Current)).
				WithHint("count the window in the cells of the reference's profile")
		}
		n, m := sum(c.Current), sum(c.Reference)
		if n < MinCases || m < MinCases {
			continue
		}
		value, low := distance(c, alpha)
		out = append(out, Effect{Name: c.Name, Statistic: "js_distance", Value: value, Low: low,
			Tolerance: tolerance, Moved: low > tolerance, Up: above(c), N: n})
	}
	sort.SliceStable(out, func(i, j int) bool {
		if out[i].Low != out[j].Low {
			return out[i].Low > out[j].Low
		}
		if out[i].Value != out[j].Value {
			return out[i].Value > out[j].Value
		}
		return out[i].Name < out[j].Name
	})
	return out, nil
}

// distance returns the Jensen-Shannon distance of a column and its lower bound.
func distance(c Column, alpha float64) (value, low float64) {
	share := c.Share
	if !(share > 0 && share <= 1) {
		share = 1
	}
	ref, cur := c.Reference, c.Current
	if c.Ordered > 0 {
		rows := float64(min(sum(ref[:c.Ordered]), sum(cur[:c.Ordered])))
		bins := profile.Coarse(c.Ordered, int64(rows*share))
		merge := func(x []int64) []int64 {
			return append(slices.Clone(profile.Rebin(x[:c.Ordered], bins)), x[c.Ordered:]...)
		}
		ref, cur = merge(ref), merge(cur)
	}
	scaled := func(x []int64) []int64 {
		out := make([]int64, len(x))
		for i := range x {
			out[i] = int64(math.Round(float64(x[i]) * share))
		}
		return out
	}
	value = profile.JensenShannon(ref, cur, alpha).Value
	return value, min(value, profile.JensenShannon(scaled(ref), scaled(cur), alpha).Low)
}

// above returns the chance that a current value lies in a higher bin than a reference value, ties counted half.
func above(c Column) float64 {
	n, m := sum(c.Current[:c.Ordered]), sum(c.Reference[:c.Ordered])
	if n == 0 || m == 0 {
		return 0.5
	}
	var up, below float64
	for i := range c.Ordered {
		up += float64(c.Current[i]) * (below + float64(c.Reference[i])/2)
		below += float64(c.Reference[i])
	}
	return up / (float64(n) * float64(m))
}

// EffectiveShare returns how many independent values one value of the time series x is worth, between 1/len(x) and 1:
// 1/(1 + 2Σρ) over the leading positive autocorrelations, at most 60.
func EffectiveShare(x []float64) float64 {
	mu, square := mean(x), 0.0
	for _, v := range x {
		square += (v - mu) * (v - mu)
	}
	if square == 0 || math.IsNaN(square) || math.IsInf(square, 0) {
		return 1
	}
	time := 1.0
	for lag := 1; lag <= 60 && lag < len(x); lag++ {
		rho := 0.0
		for i := lag; i < len(x); i++ {
			rho += (x[i] - mu) * (x[i-lag] - mu) / square
		}
		if rho <= 0 {
			break
		}
		time += 2 * rho
	}
	return math.Max(1/float64(len(x)), 1/time)
}

func sum(counts []int64) (n int64) {
	for _, c := range counts {
		n += c
	}
	return n
}

func negative(counts []int64) bool {
	return slices.ContainsFunc(counts, func(n int64) bool { return n < 0 })
}

// String names the effect for a log line.
func (e Effect) String() string {
	return fmt.Sprintf("%s %s %.3f (at least %.3f)", e.Name, e.Statistic, e.Value, e.Low)
}
