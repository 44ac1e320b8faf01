package drift

import (
	"fmt"
	"math"
	"sort"
	"time"

	"edgeward"
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
// order, then any others (missing, unseen, out of range).
type Column struct {
	Name      string
	Reference []uint64
	Current   []uint64
	Ordered   int     // how many leading cells are bins in order; 0 for categories
	Share     float64 // effectively independent rows per row (EffectiveShare); 0 means 1
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
	N         uint64  `json:"n"`         // current cases
}

// Evidence ranks features by how surely and how far they have moved from the same season of the reference. It explains
// an alarm and never makes one. Columns with fewer than MinCases cases on either side are left out. It returns Invalid
// "drift.window_short" for a window of fewer than MinWindowDays days and "drift.cells" for counts that do not match.
//
// The distance is the square root of the Jensen-Shannon divergence. Low takes off the divergence that chance alone
// brings ((k-1)/8·(1/n+1/m) in k cells) and then z standard errors (delta method, Bonferroni over columns), with n and
// m scaled by Share.
func Evidence(w Window, columns []Column, tolerance float64) ([]Effect, error) {
	if w.Days() < MinWindowDays {
		return nil, edgeward.E("drift.Evidence", edgeward.Invalid, "drift.window_short", "the window has %d days", w.Days()).
			WithHint("compare at least %d days with the same season of the reference", MinWindowDays)
	}
	if !(tolerance > 0) {
		tolerance = DefaultTolerance
	}
	z := quantile(1 - 0.05/float64(max(1, len(columns))))
	var out []Effect
	for _, c := range columns {
		if len(c.Reference) != len(c.Current) || c.Ordered < 0 || c.Ordered > len(c.Current) {
			return nil, edgeward.E("drift.Evidence", edgeward.Invalid, "drift.cells", "column %q has %d cells in the reference and %d now", c.Name, len(c.Reference), len(c.Current)).
				WithHint("count the window in the cells of the reference's profile")
		}
		n, m := sum(c.Current), sum(c.Reference)
		if n < MinCases || m < MinCases {
			continue
		}
		value, low := distance(c, z)
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

// distance returns the Jensen-Shannon distance of a column and its lower bound at z standard errors.
func distance(c Column, z float64) (value, low float64) {
	nc, nr := float64(sum(c.Current)), float64(sum(c.Reference))
	share := c.Share
	if !(share > 0 && share <= 1) {
		share = 1
	}
	var js, cells float64
	var gp, gp2, gq, gq2 float64 // moments of the gradients under p and q
	for i := range c.Current {
		p, q := float64(c.Current[i])/nc, float64(c.Reference[i])/nr
		if p+q == 0 {
			continue
		}
		cells++
		m := (p + q) / 2
		if p > 0 {
			g := math.Log(p/m) / 2
			js += p * g
			gp, gp2 = gp+p*g, gp2+p*g*g
		}
		if q > 0 {
			g := math.Log(q/m) / 2
			js += q * g
			gq, gq2 = gq+q*g, gq2+q*g*g
		}
	}
	js = math.Max(0, js)
	n, m := nc*share, nr*share
	noise := (1/n + 1/m) / 8
	variance := math.Max(0, gp2-gp*gp)/n + math.Max(0, gq2-gq*gq)/m + 2*(cells-1)*noise*noise
	low = js - (cells-1)*noise - z*math.Sqrt(variance)
	return math.Sqrt(js), math.Sqrt(math.Max(0, low))
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

func sum(counts []uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// String names the effect for a log line.
func (e Effect) String() string {
	return fmt.Sprintf("%s %s %.3f (at least %.3f)", e.Name, e.Statistic, e.Value, e.Low)
}
