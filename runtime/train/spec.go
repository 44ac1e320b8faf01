package train

import (
	"time"

	"edgeward"
	"edgeward/runtime/recipe"
)

// Tasks.
const (
	Forecast   = "forecast"
	Regression = "regression"
	Binary     = "binary"
	Multiclass = "multiclass"
)

// Spec says what to fit. Zero values mean: task by the table, settings from the portfolio, seed 0, one thread, an 80 %
// interval.
type Spec struct {
	Task    string  `json:"task,omitempty"`
	Split   Split   `json:"split,omitzero"`
	Params  *Params `json:"params,omitempty"` // nil: choose from the built-in portfolio on the Calibration half
	Seed    int     `json:"seed,omitempty"`
	Threads int     `json:"threads,omitempty"`
	Level   float64 `json:"level,omitempty"` // of the prediction interval
}

// Split says which rows are used and which of them validate. From and To bound the target step of a forecast, both
// included; the zero time is no bound.
type Split struct {
	From     time.Time `json:"from,omitzero"`
	To       time.Time `json:"to,omitzero"`        // nothing after it is seen at all
	Validate int       `json:"validate,omitempty"` // last distinct target steps that validate; 0: a third, at most half a year
	Folds    int       `json:"folds,omitempty"`    // even; 0: 4, or 2 for fewer than 40 steps
	HoldOut  float64   `json:"hold_out,omitempty"` // plain tables: share of the rows that validates; 0: 0.25
}

// Params are the LightGBM settings that matter here; everything else is fixed by the package.
type Params struct {
	Objective    string  `json:"objective,omitempty"` // "": by task
	Rounds       int     `json:"rounds"`              // at most
	Patience     int     `json:"patience,omitempty"`  // rounds without a better score before it stops; 0: 40
	LearningRate float64 `json:"learning_rate"`
	Leaves       int     `json:"leaves"`
	MinLeaf      int     `json:"min_leaf"`
	FeatureShare float64 `json:"feature_share,omitempty"` // of the columns, per tree; 0: all
	RowShare     float64 `json:"row_share,omitempty"`     // of the rows, per tree; 0: all
	L2           float64 `json:"l2,omitempty"`
}

// filled resolves the defaults against the table.
func (s Spec) filled(t *recipe.Table) (Spec, error) {
	const op = "train.Fit"
	task := Regression
	switch {
	case t.Forecast:
		task = Forecast
	case len(t.Classes) == 2:
		task = Binary
	case len(t.Classes) > 2:
		task = Multiclass
	}
	if s.Task == "" {
		s.Task = task
	}
	if s.Task != task {
		return s, invalid(op, "task %q does not fit a table for %q", s.Task, task)
	}
	if s.Level == 0 {
		s.Level = 0.8
	}
	if !(s.Level >= 0.5 && s.Level <= 0.99) {
		return s, invalid(op, "the interval's level is %v: it must be 0.5 to 0.99", s.Level)
	}
	if s.Split.HoldOut == 0 {
		s.Split.HoldOut = 0.25
	}
	if !(s.Split.HoldOut >= 0.05 && s.Split.HoldOut <= 0.5) || s.Split.Validate < 0 || s.Split.Folds < 0 || s.Split.Folds%2 != 0 || s.Split.Folds > 20 {
		return s, invalid(op, "hold out 0.05 to 0.5 of the rows; folds are even and at most 20")
	}
	if s.Seed < 0 || s.Threads < 0 || s.Threads > 256 {
		return s, invalid(op, "seed %d and threads %d must not be negative, threads at most 256", s.Seed, s.Threads)
	}
	s.Threads = max(s.Threads, 1)
	if s.Params != nil {
		return s, s.Params.check(s.Task)
	}
	return s, nil
}

func invalid(op, format string, args ...any) error {
	return edgeward.E(op, edgeward.Invalid, "train.invalid", format, args...)
}
