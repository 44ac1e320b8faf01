package drift

import (
	"math"
	"sort"
	"time"

	"edgeward"
)

// MinReference is the least number of residuals a group needs to be watched.
const MinReference = 30

// MaxPool bounds the values per group and stream that ranks are taken among.
const MaxPool = 1024

// Reference is what a version's residuals looked like on validation days. It is immutable and belongs to the version.
type Reference struct {
	Groups          []GroupReference `json:"groups"`          // sorted by name
	Unwatched       []string         `json:"unwatched"`       // groups with fewer than MinReference residuals
	From            time.Time        `json:"from"`            // first target time
	To              time.Time        `json:"to"`              // last target time
	N               int              `json:"n"`               // residuals in all watched groups
	Autocorrelation float64          `json:"autocorrelation"` // the largest |value| left after whitening, over groups and lags
	Promise         bool             `json:"promise"`         // false: too much is left for the false alarm rate to be promised
}

// GroupReference is one group's part. Bias and Error are the sorted whitened residuals and their absolute values.
type GroupReference struct {
	Name  string    `json:"name"`
	N     int       `json:"n"`
	Mean  float64   `json:"mean"`  // mean residual
	MAE   float64   `json:"mae"`   // mean absolute residual
	SD    float64   `json:"sd"`    // of the residual
	Phi   float64   `json:"phi"`   // lag-1 autocorrelation that whitening takes out
	Lag1  float64   `json:"lag1"`  // autocorrelation left at lag 1
	LagS  float64   `json:"lag_s"` // and at the season's lag
	Bias  []float64 `json:"bias"`
	Error []float64 `json:"error"`
}

// NewReference learns a reference from residuals of days that the version was not fitted on, in any order. Of a group
// with more than MaxPool residuals the newest MaxPool count. It returns Invalid "drift.reference_small" when no group
// has MinReference of them.
func NewReference(residuals []Observation, s Settings) (Reference, error) {
	var ref Reference
	ref.Promise = true
	for _, g := range byGroup(residuals) {
		if len(g.obs) < MinReference {
			ref.Unwatched = append(ref.Unwatched, g.name)
			continue
		}
		obs := g.obs[max(0, len(g.obs)-MaxPool):]
		gr := newGroupReference(g.name, obs, s)
		ref.Groups = append(ref.Groups, gr)
		ref.N += gr.N
		if from := obs[0].At; ref.From.IsZero() || from.Before(ref.From) {
			ref.From = from
		}
		if to := obs[len(obs)-1].At; to.After(ref.To) {
			ref.To = to
		}
		chance := 2 / math.Sqrt(float64(gr.N))
		for _, r := range []float64{gr.Lag1, gr.LagS} {
			ref.Autocorrelation = math.Max(ref.Autocorrelation, math.Abs(r))
			if a := math.Abs(r); a > 0.1 && a > chance {
				ref.Promise = false
			}
		}
	}
	if len(ref.Groups) == 0 {
		return Reference{}, edgeward.E("drift.NewReference", edgeward.Invalid, "drift.reference_small",
			"no group has %d validation residuals", MinReference).WithHint("keep a longer validation period when training, at least %d target times per group", MinReference)
	}
	return ref, nil
}

func newGroupReference(name string, obs []Observation, s Settings) GroupReference {
	g := GroupReference{Name: name, N: len(obs)}
	n := float64(len(obs))
	for _, o := range obs {
		g.Mean += o.Residual() / n
		g.MAE += math.Abs(o.Residual()) / n
	}
	e := make([]float64, len(obs))
	for i, o := range obs {
		e[i] = o.Residual() - g.Mean
		g.SD += e[i] * e[i] / n
	}
	g.SD = math.Sqrt(g.SD)
	g.Phi = math.Max(-0.9, math.Min(0.9, autocorrelation(obs, e, 1, s)))
	w := make([]float64, len(obs))
	for i := range obs {
		w[i] = e[i]
		if i > 0 {
			w[i] = whiten(g.Phi, e[i], e[i-1], gap(obs[i-1].At, obs[i].At, s))
		}
	}
	g.Lag1 = autocorrelation(obs, w, 1, s)
	if k := s.season(); k > 0 {
		g.LagS = autocorrelation(obs, w, k, s)
	}
	g.Bias, g.Error = w, make([]float64, len(w))
	for i, v := range w {
		g.Error[i] = math.Abs(v)
	}
	sort.Float64s(g.Bias)
	sort.Float64s(g.Error)
	return g
}

// whiten takes out of e what e of k target times before explains.
func whiten(phi, e, before float64, k int) float64 {
	if k < 1 || k > 28 {
		return e
	}
	return e - math.Pow(phi, float64(k))*before
}

// gap returns the number of target times from a to b.
func gap(a, b time.Time, s Settings) int {
	return int(math.Round(float64(b.Sub(a)) / float64(s.step())))
}

// autocorrelation returns the autocorrelation of x at lag target times; pairs with a gap in between do not count.
func autocorrelation(obs []Observation, x []float64, lag int, s Settings) float64 {
	var sum, square float64
	pairs, j := 0, 0
	for i := range x {
		square += x[i] * x[i]
		for j < i && gap(obs[j].At, obs[i].At, s) > lag {
			j++
		}
		if j < i && gap(obs[j].At, obs[i].At, s) == lag {
			sum += x[i] * x[j]
			pairs++
		}
	}
	if pairs == 0 || square == 0 {
		return 0
	}
	return (sum / float64(pairs)) / (square / float64(len(x)))
}

type grouped struct {
	name string
	obs  []Observation // by time, one per target time, finite
}

// byGroup sorts observations by group and time and drops repeated times and values that are no numbers.
func byGroup(all []Observation) []grouped {
	sorted := append([]Observation(nil), all...)
	sort.SliceStable(sorted, func(i, j int) bool {
		if sorted[i].Group != sorted[j].Group {
			return sorted[i].Group < sorted[j].Group
		}
		return sorted[i].At.Before(sorted[j].At)
	})
	var out []grouped
	for _, o := range sorted {
		if !finite(o) {
			continue
		}
		if len(out) == 0 || out[len(out)-1].name != o.Group {
			out = append(out, grouped{name: o.Group})
		}
		g := &out[len(out)-1]
		if n := len(g.obs); n == 0 || o.At.After(g.obs[n-1].At) {
			g.obs = append(g.obs, o)
		}
	}
	return out
}

func finite(o Observation) bool {
	r := o.Residual()
	return !math.IsNaN(r) && !math.IsInf(r, 0) && !math.IsInf(o.Truth, 0) && !math.IsInf(o.Forecast, 0)
}
