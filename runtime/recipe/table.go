package recipe

import "time"

// Feature kinds.
const (
	Numeric     = "numeric"     // a number; NaN is missing
	Categorical = "categorical" // the index in Categories; NaN is missing or unknown
)

// Baseline names in Table.Baselines.
const (
	SeasonalNaive = "seasonal_naive" // the value one season before the target: last week, weekly series: last year
	FourWeekMean  = "four_week_mean" // mean over four weeks: same weekdays, same hours of the week, or the four last weeks
)

// Feature is one column of X.
type Feature struct {
	Name       string   `json:"name"`
	Kind       string   `json:"kind"`                 // Numeric or Categorical
	Categories []string `json:"categories,omitempty"` // code i means Categories[i]
}

// Encoding is what the training table fixed and serving must reuse: the columns of X and the codes of their categories.
type Encoding struct {
	Features []Feature `json:"features"`
	Classes  []string  `json:"classes,omitempty"`
}

// Row says what one row of X is about. In a plain table Origin and Target are the zero time and Group is "".
type Row struct {
	Group  string
	Origin time.Time // the last step the features may know
	Target time.Time // the step that is predicted
}

// Table is the model matrix. All slices but X have one entry per row; X has Len*len(Features) entries, row-major.
// The rows of a forecast are in order of target, then group; those of a plain table as they came. The zero Table has
// no rows.
type Table struct {
	Recipe    string               // digest of the recipe that built it
	Features  []Feature            // columns of X
	Rows      []Row                //
	X         []float64            // float32 values; NaN is missing
	Y         []float64            // NaN is not known (yet); of a classification the index in Classes
	Classes   []string             // nil unless a classification
	Baselines map[string][]float64 // forecast: SeasonalNaive, FourWeekMean; NaN where unknown
	Level     []float64            // forecast: mean of the last 28 steps at the origin, NaN with fewer than half of them

	LevelFeature int  // index of the level in Features when the recipe normalises by it, else -1
	GroupFeature int  // index of the group's code in Features, or -1
	Counts       bool // the target is a count: no forecast is below zero
	Forecast     bool // rows have times, baselines and a level
}

// Len returns the number of rows.
func (t *Table) Len() int { return len(t.Rows) }

// Row returns the features of row i, a view into X.
func (t *Table) Row(i int) []float64 {
	f := len(t.Features)
	return t.X[i*f : i*f+f : i*f+f]
}

// Encoding returns what a later Build needs to make the same columns.
func (t *Table) Encoding() Encoding { return Encoding{t.Features, t.Classes} }

// Pick returns a table of the rows at the given indices, in that order. It shares Features and Classes.
func (t *Table) Pick(rows []int) *Table {
	out := *t
	f := len(t.Features)
	out.Rows, out.X, out.Y = make([]Row, len(rows)), make([]float64, 0, len(rows)*f), pick(t.Y, rows)
	out.Level, out.Baselines = pick(t.Level, rows), nil
	for i, r := range rows {
		out.Rows[i] = t.Rows[r]
		out.X = append(out.X, t.Row(r)...)
	}
	if t.Baselines != nil {
		out.Baselines = map[string][]float64{}
		for name, b := range t.Baselines {
			out.Baselines[name] = pick(b, rows)
		}
	}
	return &out
}

func pick(v []float64, rows []int) []float64 {
	if v == nil {
		return nil
	}
	out := make([]float64, len(rows))
	for i, r := range rows {
		out[i] = v[r]
	}
	return out
}
