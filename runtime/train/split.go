package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"edgeward"
	"edgeward/runtime/recipe"
)

// Fewest rows that a fit makes sense of.
const (
	minRows  = 40
	minSteps = 20 // distinct target steps of a forecast

	// leastValidate is the least number of steps that validate when there are three times as many: half a year of weeks
	// are 26, too few residuals to watch the version by.
	leastValidate = 60
)

// fold is a part of the backtest by row numbers.
type fold struct {
	fit, rows []int
	half      string
}

// split returns the rows the final model is fitted to and the folds of the backtest.
func split(t *recipe.Table, s Spec) ([]int, []fold, error) {
	var use []int
	for i, y := range t.Y {
		if math.IsNaN(y) || t.Forecast && (math.IsNaN(t.Level[i]) || t.LevelFeature >= 0 && t.Level[i] <= 0) {
			continue
		}
		if at := t.Rows[i].Target; t.Forecast && (!s.Split.From.IsZero() && at.Before(s.Split.From) || !s.Split.To.IsZero() && at.After(s.Split.To)) {
			continue
		}
		use = append(use, i)
	}
	few := func(what string, n, least int) error {
		return edgeward.E("train.Fit", edgeward.Invalid, "train.too_few_rows", "%d %s with a known target and a history, at least %d are needed", n, what, least).
			WithHint("use a longer window, or wait until more data is there")
	}
	if len(use) < minRows {
		return nil, nil, few("rows", len(use), minRows)
	}
	if !t.Forecast {
		return use, shuffled(use, s), nil
	}
	steps := make([]time.Time, 0, len(use))
	for _, i := range use { // in order of target already
		if at := t.Rows[i].Target; len(steps) == 0 || !at.Equal(steps[len(steps)-1]) {
			steps = append(steps, at)
		}
	}
	if len(steps) < minSteps {
		return nil, nil, few("steps", len(steps), minSteps)
	}
	validate := s.Split.Validate
	if validate == 0 {
		validate = min(len(steps)/3, max(halfYear(steps), leastValidate))
	}
	folds := s.Split.Folds
	if folds == 0 {
		folds = 4
		if validate < 40 {
			folds = 2
		}
	}
	if validate < folds || len(steps)-validate < minSteps/2 {
		return nil, nil, edgeward.E("train.Fit", edgeward.Invalid, "train.too_few_rows", "%d of %d steps are to validate in %d folds: too few are left", validate, len(steps), folds).
			WithHint("validate fewer steps or use a longer window")
	}
	out := make([]fold, folds)
	first := len(steps) - validate
	for k := range out {
		from, to := steps[first+k*validate/folds], steps[first+(k+1)*validate/folds-1]
		f := &out[k]
		f.half = Calibration
		if k >= folds/2 {
			f.half = Control
		}
		var known time.Time // the first origin of the fold: later targets were not known then
		for _, i := range use {
			if r := t.Rows[i]; !r.Target.Before(from) && !r.Target.After(to) {
				f.rows = append(f.rows, i)
				if known.IsZero() || r.Origin.Before(known) {
					known = r.Origin
				}
			}
		}
		for _, i := range use {
			if !t.Rows[i].Target.After(known) {
				f.fit = append(f.fit, i)
			}
		}
		if len(f.fit) < minRows/2 {
			return nil, nil, few("rows before the first validation step", len(f.fit), minRows/2)
		}
	}
	return use, out, nil
}

// halfYear returns how many steps of this spacing make 182 days.
func halfYear(steps []time.Time) int {
	gap := 365 * 24 * time.Hour
	for i := 1; i < len(steps); i++ {
		gap = min(gap, steps[i].Sub(steps[i-1]))
	}
	return max(2, int(182*24*time.Hour/gap))
}

// shuffled holds out a share of a plain table's rows, in two halves predicted by the same model.
func shuffled(use []int, s Spec) []fold {
	p := rand.New(rand.NewPCG(uint64(s.Seed), 0x9e3779b97f4a7c15)).Perm(len(use))
	n := max(2, int(float64(len(use))*s.Split.HoldOut))
	take := func(at []int) []int {
		out := make([]int, len(at))
		for i, k := range at {
			out[i] = use[k]
		}
		slices.Sort(out)
		return out
	}
	fit := take(p[n:])
	return []fold{{fit, take(p[:n/2]), Calibration}, {fit, take(p[n/2 : n]), Control}}
}

// rangeOf returns the first and last target of rows.
func rangeOf(t *recipe.Table, rows []int) Range {
	r := Range{Rows: len(rows)}
	for _, i := range rows {
		at := t.Rows[i].Target
		if r.From.IsZero() || at.Before(r.From) {
			r.From = at
		}
		if at.After(r.To) {
			r.To = at
		}
	}
	return r
}
