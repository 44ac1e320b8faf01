package recipe

import (
	"cmp"
	"math"
	"slices"
	"time"

	"edgeward"
)

// Options of one Build. The zero Options builds every row and fixes the categories from the data, as training does.
type Options struct {
	// Encoding is that of the training table; nil fixes a new one. A group or category it does not know is NaN.
	Encoding *Encoding
	// From and To bound the targets of a forecast, both included; the zero time is no bound. A To after the last
	// target that the data gives extends every group to it, with missing steps: that is how tomorrow is asked for.
	From, To time.Time
}

// Build turns a source into the model matrix. It returns Invalid errors that name the column for a source that does
// not fit the recipe, TooLarge beyond the bounds of this package.
func (r Recipe) Build(src Source, opt Options) (*Table, Report, error) {
	r = r.Filled()
	if err := r.Check(); err != nil {
		return nil, Report{}, err
	}
	want := r.Select()
	if r.Kind == Plain && opt.Encoding != nil { // at serving time nobody knows the target
		if _, ok := src.Columns[r.Target]; !ok {
			want.Numbers = slices.DeleteFunc(want.Numbers, func(s string) bool { return s == r.Target })
			want.Strings = slices.DeleteFunc(want.Strings, func(s string) bool { return s == r.Target })
		}
	}
	n, err := src.rows(want)
	if err != nil {
		return nil, Report{}, err
	}
	t := &Table{Recipe: string(r.Digest()), Features: r.features(), LevelFeature: -1, GroupFeature: -1, Counts: r.Counts, Forecast: r.Kind == Forecast}
	if opt.Encoding != nil {
		if !sameColumns(t.Features, opt.Encoding.Features) {
			return nil, Report{}, edgeward.E("recipe.Build", edgeward.Conflict, "recipe.other_encoding", "the model's columns are not those of this recipe")
		}
		t.Features, t.Classes = opt.Encoding.Features, opt.Encoding.Classes
	}
	if r.Normalise == Level28 {
		t.LevelFeature = len(t.Features) - 1
	}
	if r.Group != "" {
		t.GroupFeature = column(t.Features, r.Group)
	}
	if r.Kind == Plain {
		rep, err := r.buildPlain(src, n, t, opt)
		return t, rep, err
	}
	if opt.Encoding == nil {
		encodeCovariates(t, r.Covariates, src)
	}
	all, rep, err := r.series(src, n, t.Features)
	if err != nil {
		return nil, rep, err
	}
	if opt.Encoding == nil && t.GroupFeature >= 0 {
		for _, s := range all {
			t.Features[t.GroupFeature].Categories = append(t.Features[t.GroupFeature].Categories, s.group)
		}
	}
	return t, rep, r.fill(t, all, opt)
}

func sameColumns(a, b []Feature) bool {
	return slices.EqualFunc(a, b, func(x, y Feature) bool { return x.Name == y.Name && x.Kind == y.Kind })
}

// encodeCovariates fixes the codes of categorical covariates, in byte order.
func encodeCovariates(t *Table, cov []Covariate, src Source) {
	for _, c := range cov {
		if c.Kind == Categorical {
			t.Features[column(t.Features, c.Column)].Categories = distinct(src.Columns[c.Column])
		}
	}
}

func column(fs []Feature, name string) int {
	return slices.IndexFunc(fs, func(f Feature) bool { return f.Name == name })
}

func distinct(c Column) []string {
	seen := map[string]bool{}
	var out []string
	for i := range c.Strings {
		if s, ok := c.text(i); ok && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

// codes maps a feature's categories to their numbers.
func codes(f Feature) map[string]float64 {
	m := make(map[string]float64, len(f.Categories))
	for i, c := range f.Categories {
		m[c] = float64(i)
	}
	return m
}

// fill writes one row per group and step into t.
func (r Recipe) fill(t *Table, all []*series, opt Options) error {
	type key struct {
		target int64
		s      *series
	}
	var keys []key
	h := int64(r.Horizon)
	for _, s := range all {
		from, to := s.first+h, s.first+int64(len(s.y))-1+h
		if !opt.From.IsZero() {
			from = max(from, stepOf(r.Frequency, opt.From))
		}
		if !opt.To.IsZero() {
			to = stepOf(r.Frequency, opt.To)
		}
		if n := to - from + 1; n > MaxRows || (int64(len(keys))+max(n, 0))*int64(len(t.Features)) > MaxCells {
			return edgeward.E("recipe.Build", edgeward.TooLarge, "recipe.too_many_rows", "the recipe makes more than %d rows or %d values", MaxRows, MaxCells).
				WithHint("use a shorter window, fewer groups or fewer lags")
		}
		for step := from; step <= to; step++ {
			keys = append(keys, key{step, s})
		}
	}
	slices.SortStableFunc(keys, func(a, b key) int { return cmp.Compare(a.target, b.target) }) // groups are in order already
	group := map[string]float64{}
	if t.GroupFeature >= 0 {
		group = codes(t.Features[t.GroupFeature])
	}
	t.Baselines = map[string][]float64{SeasonalNaive: {}, FourWeekMean: {}}
	for _, k := range keys {
		target, origin := timeOf(r.Frequency, k.target), timeOf(r.Frequency, k.target-h)
		level := k.s.mean(k.target-h, 1, r.LevelSteps(), r.LevelSteps()/2)
		t.Rows = append(t.Rows, Row{k.s.group, origin, target})
		t.X = r.rowFeatures(t.X, k.s, k.target, target, level, group)
		t.Y = append(t.Y, k.s.at(k.s.y, k.target))
		t.Level = append(t.Level, level)
		t.Baselines[SeasonalNaive] = append(t.Baselines[SeasonalNaive], k.s.at(k.s.y, k.target-int64(r.lastSeason())))
		t.Baselines[FourWeekMean] = append(t.Baselines[FourWeekMean], r.fourWeekMean(k.s, k.target))
	}
	return nil
}

// rowFeatures appends the features of one row to x.
func (r Recipe) rowFeatures(x []float64, s *series, step int64, target time.Time, level float64, group map[string]float64) []float64 {
	origin := step - int64(r.Horizon)
	scale := 1.0
	if r.Normalise == Level28 {
		scale = level
	}
	history := func(v float64) { // a level of zero makes the history unknown, not infinite
		if scale != 1 {
			if v /= scale; math.IsInf(v, 0) {
				v = math.NaN()
			}
		}
		x = append(x, float64(float32(v)))
	}
	for _, k := range r.Lags {
		history(s.at(s.y, step-int64(k)))
	}
	for _, w := range r.Rolling {
		if w.Season {
			season := r.Season()
			history(s.mean(step-int64(r.lastSeason()), season, w.Steps, w.Min))
		} else {
			history(s.mean(origin, 1, w.Steps, w.Min))
		}
	}
	for _, c := range r.Calendar {
		x = append(x, calendar(c, target))
	}
	if r.Group != "" {
		code, ok := group[s.group]
		if !ok {
			code = math.NaN()
		}
		x = append(x, code)
	}
	for i := range r.Covariates {
		x = append(x, float64(float32(s.at(s.cov[i], origin))))
	}
	if r.Normalise == Level28 {
		x = append(x, float64(float32(level)))
	}
	return x
}

func (r Recipe) fourWeekMean(s *series, step int64) float64 {
	sum, n := 0.0, 0
	for _, k := range r.fourWeeks() {
		if v := s.at(s.y, step-int64(k)); !math.IsNaN(v) {
			sum, n = sum+v, n+1
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}
