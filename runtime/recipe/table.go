package recipe

import "time"

// Feature kinds.
const (
	Numeric     = "numeric"     // a number; NaN is missing
	Categorical = "categorical" // the index in Categories; NaN is missing or unknown
)

// Feature is one column of X.
type Feature struct {
	Name       string   `json:"name"`
	Kind       string   `json:"kind"`                 // Numeric or Categorical
	Categories []string `json:"categories,omitempty"` // code i means Categories[i]
}

// Row says what one row of X is about. In a plain table Origin and Target are the zero time and Group is "".
type Row struct {
	Group  string    `json:"group,omitempty"`
	Origin time.Time `json:"origin,omitzero"` // the last step the features may know
	Target time.Time `json:"target,omitzero"` // the step that is predicted
}

// Baseline names in Table.Baselines.
const (
	SeasonalNaive = "seasonal_naive" // the value one season before the target (daily: last week)
	FourWeekMean  = "four_week_mean" // mean of the last four values one season apart (daily: four same weekdays)
)

// Table is the model matrix. All slices but X have one entry per row; X has len(Rows)*len(Features) entries, row-major.
// The zero Table has no rows.
type Table struct {
	Recipe    string               `json:"recipe"` // digest of the recipe that built it
	Features  []Feature            `json:"features"`
	Rows      []Row                `json:"rows"`
	X         []float64            `json:"-"` // float32 values; NaN is missing
	Y         []float64            `json:"-"` // NaN is not known (yet); a class is its index in Classes
	Classes   []string             `json:"classes,omitempty"`
	Baselines map[string][]float64 `json:"-"` // SeasonalNaive, FourWeekMean; NaN where unknown
	Level     []float64            `json:"-"` // mean of the last 28 steps at the origin; NaN if unknown

	// LevelFeature is the index of the level in Features when the recipe normalises by it, else -1: the model's graph
	// multiplies by it and its trees never look at it.
	LevelFeature int `json:"level_feature"`
	// GroupFeature is the index of the group's code in Features, or -1.
	GroupFeature int `json:"group_feature"`
	// Counts is true when the target is a count, so that no forecast is below zero.
	Counts bool `json:"counts,omitempty"`
}

// Len returns the number of rows.
func (t *Table) Len() int { return len(t.Rows) }

// Row returns the features of row i, a view into X.
func (t *Table) Row(i int) []float64 {
	f := len(t.Features)
	return t.X[i*f : i*f+f : i*f+f]
}
