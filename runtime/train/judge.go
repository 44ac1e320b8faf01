package train

import (
	"math"
	"slices"

	"edgeward/runtime/recipe"
)

// Baseline names of plain tables; those of a forecast are recipe.SeasonalNaive and recipe.FourWeekMean.
const (
	Mean     = "mean"
	Majority = "majority"
)

// judge fills in what the backtest says: folds, metrics, baselines, residuals and offsets.
func (f *fitter) judge(b *backtest, res *Result) {
	var rows []int
	for _, fo := range f.folds {
		in, fit := rangeOf(f.t, fo.rows), rangeOf(f.t, fo.fit)
		res.Folds = append(res.Folds, Fold{fit.To, in.From, in.To, fit.Rows, in.Rows, fo.half})
		rows = append(rows, fo.rows...)
	}
	res.Validation = rangeOf(f.t, rows)
	if f.s.Task == Binary || f.s.Task == Multiclass {
		f.judgeClasses(b, res)
		return
	}
	f.judgeNumbers(b, res)
}

func (f *fitter) judgeNumbers(b *backtest, res *Result) {
	group := map[string][]float64{}
	for k, fo := range f.folds {
		for i, r := range fo.rows {
			if fo.half == Calibration {
				g := f.t.Rows[r].Group
				group[g] = append(group[g], (f.t.Y[r]-b.out[k][i])/f.scale(r))
			}
		}
	}
	var known []string
	if f.t.GroupFeature >= 0 {
		known = f.t.Features[f.t.GroupFeature].Categories
	}
	res.Offsets = offsets(group, known, f.s.Level)
	byGroup := map[string]Offset{}
	for _, o := range res.Offsets {
		byGroup[o.Group] = o
	}
	names, base := f.baselines()
	cols := map[string]*columns{}
	add := func(key string, i int, y, v, low, high float64) {
		c := cols[key]
		if c == nil {
			c = &columns{base: make([][]float64, len(names))}
			cols[key] = c
		}
		c.y, c.v, c.low, c.high = append(c.y, y), append(c.v, v), append(c.low, low), append(c.high, high)
		for j := range names {
			c.base[j] = append(c.base[j], base[j][i])
		}
	}
	for k, fo := range f.folds {
		for i, r := range fo.rows {
			row, y, v := f.t.Rows[r], f.t.Y[r], b.out[k][i]
			o, ok := byGroup[row.Group]
			if !ok {
				o = res.Offsets[len(res.Offsets)-1]
			}
			low, high := v+o.Low*f.scale(r), v+o.High*f.scale(r)
			if f.t.Counts {
				low = math.Max(0, low)
			}
			level := 0.0
			if f.t.Forecast {
				level = f.t.Level[r]
			}
			res.Residuals = append(res.Residuals, Residual{row.Target, row.Group, y, v, low, high, level, fo.half})
			if !complete(base, r) {
				continue
			}
			add("", r, y, v, low, high)
			add("half "+fo.half, r, y, v, low, high)
			if f.t.GroupFeature >= 0 {
				add("group "+row.Group, r, y, v, low, high)
			}
		}
	}
	res.ByHalf, res.Baselines = map[string]Metrics{}, map[string]Metrics{}
	for _, h := range []string{Calibration, Control} {
		if c := cols["half "+h]; c != nil {
			res.ByHalf[h] = c.score()
		}
	}
	if c := cols[""]; c != nil {
		res.Metrics = c.score()
		res.Metrics.Coverage = res.ByHalf[Control].Coverage
		for j, name := range names {
			res.Baselines[name] = Score(c.y, c.base[j], nil, nil)
		}
	}
	for _, g := range known {
		if c := cols["group "+g]; c != nil {
			if res.ByGroup == nil {
				res.ByGroup, res.BaselinesGroup = map[string]Metrics{}, map[string]map[string]Metrics{}
			}
			res.ByGroup[g] = c.score()
			for j, name := range names {
				if res.BaselinesGroup[name] == nil {
					res.BaselinesGroup[name] = map[string]Metrics{}
				}
				res.BaselinesGroup[name][g] = Score(c.y, c.base[j], nil, nil)
			}
		}
	}
}

// columns are the validation rows of one key, for scoring.
type columns struct {
	y, v, low, high []float64
	base            [][]float64
}

func (c *columns) score() Metrics { return Score(c.y, c.v, c.low, c.high) }

func complete(base [][]float64, row int) bool {
	for _, b := range base {
		if math.IsNaN(b[row]) {
			return false
		}
	}
	return true
}

// baselines returns the simple forecasts the model is held against, by table row. A baseline that is known for fewer
// than half of the validation rows is left out: else it would decide which rows count.
func (f *fitter) baselines() (names []string, values [][]float64) {
	if !f.t.Forecast {
		sum := 0.0
		for _, r := range f.folds[0].fit {
			sum += f.t.Y[r]
		}
		mean := make([]float64, f.t.Len())
		for i := range mean {
			mean[i] = sum / float64(len(f.folds[0].fit))
		}
		return []string{Mean}, [][]float64{mean}
	}
	for _, name := range []string{recipe.SeasonalNaive, recipe.FourWeekMean} {
		v, n, have := f.t.Baselines[name], 0, 0
		if v == nil {
			continue
		}
		for _, fo := range f.folds {
			for _, r := range fo.rows {
				n++
				if !math.IsNaN(v[r]) {
					have++
				}
			}
		}
		if 2*have >= n {
			names, values = append(names, name), append(values, v)
		}
	}
	return names, values
}

func (f *fitter) judgeClasses(b *backtest, res *Result) {
	k := len(f.t.Classes)
	res.ByHalf = map[string]Metrics{}
	var truth, p []float64
	for i, fo := range f.folds {
		var y, q []float64
		for j, r := range fo.rows {
			y = append(y, f.t.Y[r])
			if f.s.Task == Binary {
				one := b.out[i][j]
				q = append(q, 1-one, one)
				res.Residuals = append(res.Residuals, Residual{Truth: f.t.Y[r], Forecast: one, High: 1, Half: fo.half})
			} else {
				q = append(q, b.out[i][j*k:j*k+k]...)
			}
		}
		res.ByHalf[fo.half] = ScoreClasses(y, q, k)
		truth, p = append(truth, y...), append(p, q...)
	}
	res.Metrics = ScoreClasses(truth, p, k)
	share := make([]float64, k) // the majority baseline gives everyone the shares of the training rows
	for _, r := range f.folds[0].fit {
		share[int(f.t.Y[r])] += 1 / float64(len(f.folds[0].fit))
	}
	res.Baselines = map[string]Metrics{Majority: ScoreClasses(truth, slices.Repeat(share, len(truth)), k)}
}
