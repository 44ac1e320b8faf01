package train

import (
	"context"
	"math"
	"slices"
	"time"

	"edgeward"
	"edgeward/runtime/onnxgraph"
	"edgeward/runtime/recipe"
	"edgeward/runtime/train/lightgbm"
)

// Progress is what Fit says while it works.
type Progress struct {
	Stage string  `json:"stage"` // "setting 2 of 4", "control", "final"
	Done  float64 `json:"done"`  // 0 to 1, of the whole
	Round int     `json:"round"`
	Score float64 `json:"score,omitempty"` // on the Calibration half, smaller is better
}

// valuesPerThread is how much of X one thread should have: below it threads cost more than they bring (DESIGN.md).
const valuesPerThread = 300_000

// Fit trains on the rows of t with a known target. It calls progress, if not nil, a few times a second at most, on its
// own goroutine, and stops between two boosting rounds when ctx ends. Errors: Invalid "train.invalid" for a spec that
// does not fit the table, "train.too_few_rows", "train.refused" for what LightGBM itself says.
func Fit(ctx context.Context, l *lightgbm.Library, t *recipe.Table, spec Spec, progress func(Progress)) (*Result, error) {
	began := time.Now() // room:clock elapsed time for Result.Seconds
	s, err := spec.filled(t)
	if err != nil {
		return nil, err
	}
	all, folds, err := split(t, s)
	if err != nil {
		return nil, err
	}
	s.Threads = min(s.Threads, 1+len(all)*len(t.Features)/valuesPerThread)
	f := &fitter{lib: l, t: t, s: s, folds: folds, x: masked(t), progress: progress}
	settings := portfolio(s.Task, t, len(all))
	if s.Params != nil {
		settings = []Params{*s.Params}
	}
	res := &Result{Task: s.Task, Recipe: t.Recipe, Encoding: t.Encoding(), Seed: s.Seed, Level: s.Level, Engines: engines()}
	var best *backtest
	f.of = len(settings) + 2
	for i, p := range settings {
		f.at = i
		b, err := f.calibrate(ctx, p)
		if err != nil {
			return nil, err
		}
		res.Tried = append(res.Tried, Trial{p, b.score, b.rounds})
		if best == nil || b.score < best.score {
			best = b
		}
	}
	f.at = len(settings)
	if err := f.control(ctx, best); err != nil {
		return nil, err
	}
	f.at++
	if err := f.final(ctx, best, all, res); err != nil {
		return nil, err
	}
	res.Train, res.Params, res.Iterations = rangeOf(t, all), best.params, best.rounds
	f.judge(best, res)
	if res.ONNX, err = Graph(res.Model, t, res.Offsets); err != nil {
		return nil, err
	}
	res.Seconds = time.Since(began).Seconds() // room:clock elapsed time
	return res, nil
}

// fitter holds what one Fit shares between its steps.
type fitter struct {
	lib      *lightgbm.Library
	t        *recipe.Table
	s        Spec
	folds    []fold
	x        []float64
	progress func(Progress)
	at, of   int // step of the whole
}

// backtest is one setting with its validation forecasts, in order of f.folds.
type backtest struct {
	params Params
	rounds int
	score  float64
	out    [][]float64 // answers per fold: one per row, or one per row and class
}

// masked returns X without the level: trees never look at it, the graph multiplies by it.
func masked(t *recipe.Table) []float64 {
	if t.LevelFeature < 0 {
		return t.X
	}
	x := slices.Clone(t.X)
	for i := t.LevelFeature; i < len(x); i += len(t.Features) {
		x[i] = 0
	}
	return x
}

// matrix gathers the features and labels of rows; a normalised target is divided by the level the graph will see.
func (f *fitter) matrix(rows []int) (lightgbm.Matrix, []float64) {
	n := len(f.t.Features)
	m := lightgbm.Matrix{X: make([]float64, 0, len(rows)*n), Cols: n}
	y := make([]float64, len(rows))
	for i, r := range rows {
		m.X = append(m.X, f.x[r*n:r*n+n]...)
		y[i] = f.t.Y[r] / f.scale(r)
	}
	return m, y
}

func (f *fitter) scale(row int) float64 {
	if f.t.LevelFeature < 0 {
		return 1
	}
	return f.t.Row(row)[f.t.LevelFeature]
}

// training is a booster with its datasets.
type training struct {
	*lightgbm.Booster
	sets []*lightgbm.Dataset
}

func (t *training) Close() {
	t.Booster.Close()
	for _, d := range t.sets {
		d.Close()
	}
}

// start opens a booster on the rows fit that follows the rows valid (nil: none).
func (f *fitter) start(p Params, fit, valid []int) (_ *training, err error) {
	native := p.native(f.s, f.t)
	tr := &training{}
	defer func() {
		if err != nil {
			tr.Close()
		}
	}()
	m, y := f.matrix(fit)
	d, err := f.lib.NewDataset(m, y, native, nil)
	if err != nil {
		return nil, err
	}
	tr.sets = append(tr.sets, d)
	if tr.Booster, err = f.lib.NewBooster(d, native); err != nil {
		return nil, err
	}
	if valid == nil {
		return tr, nil
	}
	m, y = f.matrix(valid)
	v, err := f.lib.NewDataset(m, y, native, d)
	if err != nil {
		return nil, err
	}
	tr.sets = append([]*lightgbm.Dataset{v}, tr.sets...)
	return tr, tr.AddValid(v)
}

// calibrate boosts one setting on all Calibration folds side by side and keeps the round with the best score.
func (f *fitter) calibrate(ctx context.Context, p Params) (*backtest, error) {
	b := &backtest{params: p, score: math.Inf(1)}
	var run []*training
	var which []fold
	defer func() {
		for _, tr := range run {
			tr.Close()
		}
	}()
	for _, fo := range f.folds {
		if fo.half != Calibration {
			continue
		}
		tr, err := f.start(p, fo.fit, fo.rows)
		if err != nil {
			return nil, err
		}
		run, which = append(run, tr), append(which, fo)
	}
	patience := p.Patience
	if patience == 0 {
		patience = defaultPatience
	}
	for round := 1; round <= p.Rounds && round-b.rounds <= patience; round++ {
		if err := ctx.Err(); err != nil {
			return nil, stopped(err)
		}
		sum, n, grew := 0.0, 0, false
		out := make([][]float64, len(run))
		for i, tr := range run {
			done, err := tr.Update()
			if err != nil {
				return nil, err
			}
			grew = grew || !done
			raw, err := tr.Current(1)
			if err != nil {
				return nil, err
			}
			out[i] = f.answers(rowMajor(raw, len(which[i].rows)), which[i].rows)
			sum, n = sum+f.loss(out[i], which[i].rows), n+len(which[i].rows)
		}
		if score := sum / float64(n); score < b.score || b.rounds == 0 {
			b.score, b.rounds, b.out = score, round, out
		}
		f.say(Progress{Stage: "settings", Round: round, Score: b.score}, float64(round)/float64(p.Rounds), round%25 == 0)
		if !grew {
			break
		}
	}
	return b, nil
}

// control forecasts the Control folds with the chosen setting and rounds, looking at nothing.
func (f *fitter) control(ctx context.Context, b *backtest) error {
	for _, fo := range f.folds {
		if fo.half != Control {
			continue
		}
		tr, err := f.boost(ctx, b, fo.fit)
		if err != nil {
			return err
		}
		m, _ := f.matrix(fo.rows)
		out, err := tr.Predict(m, lightgbm.Normal, 0)
		tr.Close()
		if err != nil {
			return err
		}
		b.out = append(b.out, f.answers(out, fo.rows))
	}
	return nil
}

// final fits the model itself.
func (f *fitter) final(ctx context.Context, b *backtest, all []int, res *Result) error {
	tr, err := f.boost(ctx, b, all)
	if err != nil {
		return err
	}
	defer tr.Close()
	if res.Model, err = tr.Model(0); err != nil {
		return err
	}
	imp, err := tr.Importances(0)
	if err != nil {
		return err
	}
	total := 0.0
	for _, i := range imp {
		total += i.Gain
	}
	for i, v := range imp {
		if v.Splits > 0 && total > 0 {
			res.Importances = append(res.Importances, Importance{f.t.Features[i].Name, v.Gain / total, v.Splits})
		}
	}
	slices.SortStableFunc(res.Importances, func(a, b Importance) int {
		switch {
		case a.Gain > b.Gain:
			return -1
		case a.Gain < b.Gain:
			return 1
		}
		return 0
	})
	return nil
}

// boost runs the chosen number of rounds over rows.
func (f *fitter) boost(ctx context.Context, b *backtest, rows []int) (*training, error) {
	tr, err := f.start(b.params, rows, nil)
	if err != nil {
		return nil, err
	}
	for round := 1; round <= b.rounds; round++ {
		if err := ctx.Err(); err != nil {
			tr.Close()
			return nil, stopped(err)
		}
		done, err := tr.Update()
		if err != nil {
			tr.Close()
			return nil, err
		}
		f.say(Progress{Stage: "fit", Round: round, Score: b.score}, float64(round)/float64(b.rounds), round%50 == 0)
		if done {
			break
		}
	}
	return tr, nil
}

func (f *fitter) say(p Progress, part float64, now bool) {
	if f.progress != nil && now {
		p.Done = (float64(f.at) + part) / float64(f.of)
		f.progress(p)
	}
}

func stopped(err error) error {
	return &edgeward.Error{Op: "train.Fit", Kind: edgeward.Unavailable, Code: "train.cancelled", Err: err}
}

// rowMajor turns LightGBM's class-major answers into one row after the other.
func rowMajor(v []float64, rows int) []float64 {
	k := len(v) / rows
	if k == 1 {
		return v
	}
	out := make([]float64, len(v))
	for c := range k {
		for r := range rows {
			out[r*k+c] = v[c*rows+r]
		}
	}
	return out
}

// answers turns LightGBM's predictions into what the graph answers: times the level, not below zero for counts.
func (f *fitter) answers(v []float64, rows []int) []float64 {
	if f.s.Task == Binary || f.s.Task == Multiclass {
		return v
	}
	for i, r := range rows {
		v[i] *= f.scale(r)
		if f.t.Counts {
			v[i] = math.Max(0, v[i])
		}
	}
	return v
}

// loss sums what the Calibration half minimises: absolute error, or log loss of a classifier.
func (f *fitter) loss(v []float64, rows []int) float64 {
	sum := 0.0
	for i, r := range rows {
		y := f.t.Y[r]
		switch f.s.Task {
		case Binary:
			sum += logLoss(map[bool]float64{true: v[i], false: 1 - v[i]}[y == 1])
		case Multiclass:
			sum += logLoss(v[i*len(f.t.Classes)+int(y)])
		default:
			sum += math.Abs(y - v[i])
		}
	}
	return sum
}

// Graph writes a model text as the ONNX graph that serves t's columns, with the interval's offsets inside.
func Graph(model []byte, t *recipe.Table, offsets []Offset) ([]byte, error) {
	e, err := onnxgraph.Parse(model)
	if err != nil {
		return nil, err
	}
	if e.Features != len(t.Features) {
		return nil, invalid("train.Graph", "the model has %d columns, the table %d", e.Features, len(t.Features))
	}
	meta := map[string]string{"edgeward.recipe": t.Recipe}
	if len(t.Classes) > 0 {
		return e.Classifier(meta)
	}
	iv := onnxgraph.Interval{Group: t.GroupFeature, Level: t.LevelFeature, Counts: t.Counts}
	for _, o := range offsets {
		iv.Low, iv.High = append(iv.Low, o.Low), append(iv.High, o.High)
	}
	return e.Forecast(iv, meta)
}
