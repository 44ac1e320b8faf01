package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"edgeward"
)

// Pair is one truth with the forecasts of two models for it.
type Pair struct {
	Target     time.Time
	Group      string
	Truth      float64
	Champion   float64
	Challenger float64
}

// Comparison says whether a challenger is better. Difference is the champion's MAE minus the challenger's, so positive
// means the challenger wins; Low and High are its 95 % interval.
type Comparison struct {
	From       time.Time `json:"from"`
	To         time.Time `json:"to"`
	Days       int       `json:"days"` // distinct target days (the blocks)
	Pairs      int       `json:"pairs"`
	Champion   float64   `json:"champion"`   // MAE
	Challenger float64   `json:"challenger"` // MAE
	Difference float64   `json:"difference"`
	Low        float64   `json:"low"`
	High       float64   `json:"high"`
	Wins       bool      `json:"wins"` // Low is above zero
}

// Bounds of Compare.
const (
	resamples = 2000
	block     = 14 // days: errors of neighbouring days and weeks go together
	maxPairs  = 1_000_000
)

// Compare judges a challenger by the paired differences of absolute errors. The interval is a circular block bootstrap
// over target days (Politis and Romano, 1992; percentiles 2.5 and 97.5 of 2000 resamples in blocks of 14 days), so
// neither the groups of one day nor neighbouring days count as independent. Ninety days are six blocks, which makes
// plain percentiles too narrow: they are widened by Student's t with one degree of freedom less than blocks, and by the
// share of days a block takes (DESIGN.md has the simulation). Pairs with a NaN are left out. The same pairs and seed give
// the same answer. Fewer than 28 days are Invalid, "train.too_few_rows".
func Compare(pairs []Pair, seed int) (Comparison, error) {
	const op = "train.Compare"
	if len(pairs) > maxPairs {
		return Comparison{}, edgeward.E(op, edgeward.TooLarge, "train.too_many_rows", "%d pairs, at most %d are compared", len(pairs), maxPairs)
	}
	type sums struct {
		at   time.Time
		d, n float64
	}
	var c Comparison
	byDay := map[int64]*sums{}
	for _, p := range pairs {
		old, young := math.Abs(p.Truth-p.Champion), math.Abs(p.Truth-p.Challenger)
		if math.IsNaN(old) || math.IsNaN(young) {
			continue
		}
		c.Pairs++
		c.Champion += old
		c.Challenger += young
		k := p.Target.Unix() / 86400
		s := byDay[k]
		if s == nil {
			s = &sums{at: p.Target}
			byDay[k] = s
		}
		s.d, s.n = s.d+old-young, s.n+1
	}
	days := make([]*sums, 0, len(byDay))
	for _, s := range byDay {
		days = append(days, s)
	}
	slices.SortFunc(days, func(a, b *sums) int { return a.at.Compare(b.at) })
	if c.Days = len(days); c.Days < 2*block {
		return c, edgeward.E(op, edgeward.Invalid, "train.too_few_rows", "%d days with both forecasts and a truth, at least %d are needed", c.Days, 2*block)
	}
	n := float64(c.Pairs)
	c.From, c.To = days[0].at, days[len(days)-1].at
	c.Champion, c.Challenger = c.Champion/n, c.Challenger/n
	c.Difference = c.Champion - c.Challenger
	r := rand.New(rand.NewPCG(uint64(seed), 0x6a09e667f3bcc908))
	means := make([]float64, resamples)
	for i := range means {
		var d, m float64
		for drawn := 0; drawn < len(days); {
			start := r.IntN(len(days))
			for k := 0; k < block && drawn < len(days); k, drawn = k+1, drawn+1 {
				at := days[(start+k)%len(days)]
				d, m = d+at.d, m+at.n
			}
		}
		means[i] = d / m
	}
	slices.Sort(means)
	blocks := (len(days) + block - 1) / block
	student := distuv.StudentsT{Sigma: 1, Nu: float64(blocks - 1)}.Quantile(.975)
	wider := student / distuv.UnitNormal.Quantile(.975) * math.Sqrt(float64(len(days))/float64(len(days)-block))
	c.Low = c.Difference + (means[resamples*25/1000]-c.Difference)*wider
	c.High = c.Difference + (means[resamples*975/1000-1]-c.Difference)*wider
	c.Wins = c.Low > 0
	return c, nil
}
