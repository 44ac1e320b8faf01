package train_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/onnxgraph"
	"edgeward/runtime/onnxgraph/orttest"
	"edgeward/runtime/recipe"
	"edgeward/runtime/train"
	"edgeward/runtime/worker"
)

// tickets is a made-up hourly series: calls at two desks, with a day's and a week's shape.
func tickets(hours int) recipe.Source {
	r := rand.New(rand.NewPCG(5, 5))
	src := recipe.Source{Columns: map[string]recipe.Column{}}
	var v []float64
	var g []string
	for h := range hours {
		at := time.Date(2031, 3, 1, h, 0, 0, 0, time.UTC)
		for i, desk := range []string{"north", "south"} {
			if r.Float64() < .02 {
				continue
			}
			v = append(v, math.Round(20+10*float64(i)+8*math.Sin(float64(at.Hour())/24*2*math.Pi)+5*float64(at.Weekday()%2)+2*r.NormFloat64()))
			g = append(g, desk)
			src.Time = append(src.Time, at)
		}
	}
	src.Columns["calls"], src.Columns["desk"] = recipe.Column{Numbers: v}, recipe.Column{Strings: g}
	return src
}

// soil is a made-up plain table: two numbers, one category, a class and a yield.
func soil(rows int) recipe.Source {
	r := rand.New(rand.NewPCG(6, 6))
	a, b, yield := make([]float64, rows), make([]float64, rows), make([]float64, rows)
	kind, class, ok := make([]string, rows), make([]string, rows), make([]string, rows)
	for i := range rows {
		a[i], b[i] = r.Float64()*10, r.NormFloat64()
		kind[i] = []string{"clay", "loam", "sand"}[r.IntN(3)]
		yield[i] = a[i]*3 + 5*b[i] + map[string]float64{"clay": 0, "loam": 10, "sand": -10}[kind[i]] + r.NormFloat64()
		class[i] = []string{"low", "middle", "top"}[int(math.Min(2, math.Max(0, math.Floor(yield[i]/12))))]
		ok[i] = map[bool]string{true: "yes", false: "no"}[yield[i] > 15]
		if r.Float64() < .05 {
			b[i] = math.NaN()
		}
	}
	return recipe.Source{Columns: map[string]recipe.Column{"depth": {Numbers: a}, "moisture": {Numbers: b}, "soil": {Strings: kind},
		"yield": {Numbers: yield}, "class": {Strings: class}, "good": {Strings: ok}}}
}

func soilRecipe(target string, classify bool) recipe.Recipe {
	return recipe.Recipe{Kind: recipe.Plain, Target: target, Classify: classify,
		Covariates: []recipe.Covariate{{Column: "depth", Kind: recipe.Numeric}, {Column: "moisture", Kind: recipe.Numeric}, {Column: "soil", Kind: recipe.Categorical}}}.Filled()
}

func startWorker(t *testing.T) train.Client {
	t.Helper()
	library(t) // skips without a pack
	w := worker.New(worker.Options{Kind: train.Kind, Env: worker.Env{NativeDir: t.TempDir(), Threads: 1}})
	t.Cleanup(func() { w.Close() })
	return train.Client{Call: w.Call}
}

// TestEveryTaskThroughTheWorker fits each task in a real worker process, checks it against its baseline, and proves its
// graph, run by the product's own engine, equal to LightGBM.
func TestEveryTaskThroughTheWorker(t *testing.T) {
	c := startWorker(t)
	hourly := recipe.Recipe{Kind: recipe.Forecast, Time: "t", Target: "calls", Group: "desk", Frequency: recipe.Hourly, Counts: true, Zeros: recipe.MissingZeros}.Filled()
	level := hourly
	level.Normalise = recipe.Level28
	for _, k := range []struct {
		name, task string
		tab        *recipe.Table
		spec       train.Spec
		good       func(*train.Result) bool
	}{
		{"hourly forecast", train.Forecast, build(t, hourly, tickets(3000)), train.Spec{}, func(r *train.Result) bool { return r.Metrics.MAE < r.Baselines[recipe.SeasonalNaive].MAE }},
		{"normalised forecast", train.Forecast, build(t, level, tickets(3000)), train.Spec{}, func(r *train.Result) bool { return r.Metrics.MAE < r.Baselines[recipe.SeasonalNaive].MAE }},
		{"regression", train.Regression, build(t, soilRecipe("yield", false), soil(600)), train.Spec{Seed: 3}, func(r *train.Result) bool { return r.Metrics.MAE < r.Baselines[train.Mean].MAE/3 }},
		{"binary", train.Binary, build(t, soilRecipe("good", true), soil(600)), train.Spec{}, func(r *train.Result) bool {
			return r.Metrics.AUC > .95 && r.Metrics.LogLoss < r.Baselines[train.Majority].LogLoss/2
		}},
		{"multiclass", train.Multiclass, build(t, soilRecipe("class", true), soil(600)), train.Spec{}, func(r *train.Result) bool { return r.Metrics.Accuracy > r.Baselines[train.Majority].Accuracy+.2 }},
	} {
		t.Run(k.name, func(t *testing.T) {
			said := 0
			res, err := c.Fit(t.Context(), k.tab, k.spec, func(p train.Progress) {
				if said++; p.Done < 0 || p.Done > 1 {
					t.Errorf("progress %v", p)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if res.Task != k.task || !k.good(res) || said == 0 {
				t.Errorf("task %s, %d messages, metrics %+v, baselines %+v", res.Task, said, res.Metrics, res.Baselines)
			}
			if res.Metrics.Coverage != 0 && (res.Metrics.Coverage < .6 || res.Metrics.Coverage > .95) {
				t.Errorf("coverage on the control half is %.2f, wanted %.2f", res.Metrics.Coverage, res.Level)
			}
			for _, f := range res.Folds {
				if k.task == train.Forecast && !f.FitTo.Before(f.From) {
					t.Errorf("fold %+v was fitted to its own days", f)
				}
			}
			rows, err := train.NewProofRows(res.Model, k.tab, 1)
			if err != nil {
				t.Fatal(err)
			}
			head := train.NewHead(k.tab, res.Offsets)
			own := func(ctx context.Context, x []float64, cols int) (train.Answers, error) {
				return c.Predict(ctx, res.Model, head, x, cols)
			}
			other := func(_ context.Context, x []float64, cols int) (train.Answers, error) {
				o := orttest.Run(t, res.ONNX, x, cols)
				return train.Answers{Forecast: o[onnxgraph.Forecast].V, Low: o[onnxgraph.Low].V, High: o[onnxgraph.High].V, Probability: o[onnxgraph.Probability].V}, nil
			}
			p, err := train.Prove(t.Context(), rows, own, other)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%.2f s, %d rounds, proof %+v", res.Seconds, res.Iterations, p)
			v, err := c.Explain(t.Context(), res.Model, k.tab.Row(0), len(k.tab.Features))
			if want := (len(k.tab.Features) + 1) * max(1, len(k.tab.Classes)*(len(k.tab.Classes)/3)); err != nil || len(v) != want {
				t.Errorf("%d contributions, want %d: %v", len(v), want, err)
			}
		})
	}
}

func TestSameSpecAndDataGiveTheSameBytes(t *testing.T) {
	tab := build(t, soilRecipe("yield", false), soil(300))
	fit := func(seed, threads int) *train.Result {
		r, err := train.Fit(t.Context(), library(t), tab, train.Spec{Seed: seed, Threads: threads}, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Seconds = 0
		return r
	}
	a, b := fit(4, 2), fit(4, 2)
	ja, _ := json.Marshal(a)
	jb, _ := json.Marshal(b)
	if !bytes.Equal(a.Model, b.Model) || !bytes.Equal(a.ONNX, b.ONNX) || !bytes.Equal(ja, jb) {
		t.Error("two fits of the same spec and data differ")
	}
	if c := fit(5, 2); bytes.Equal(a.ONNX, c.ONNX) {
		t.Error("another seed gave the same graph: the seed is not used")
	}
}

// TestTheFutureChangesNoModel moves every value after Split.To and fits again.
func TestTheFutureChangesNoModel(t *testing.T) {
	r := recipe.Recipe{Kind: recipe.Forecast, Time: "t", Target: "calls", Group: "desk", Frequency: recipe.Hourly}.Filled()
	spec := train.Spec{Split: train.Split{To: time.Date(2031, 4, 20, 0, 0, 0, 0, time.UTC)}}
	src := tickets(2000)
	fit := func() *train.Result {
		res, err := train.Fit(t.Context(), library(t), build(t, r, src), spec, nil)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	before := fit()
	for i, at := range src.Time {
		if at.After(spec.Split.To) {
			src.Columns["calls"].Numbers[i] *= 100
		}
	}
	if after := fit(); !bytes.Equal(before.Model, after.Model) || before.Metrics != after.Metrics {
		t.Error("values after Split.To changed the model or its metrics")
	}
	if !before.Train.To.Equal(spec.Split.To) {
		t.Errorf("trained to %s", before.Train.To)
	}
}

func TestFitRefuses(t *testing.T) {
	tab := build(t, soilRecipe("yield", false), soil(300))
	for _, c := range []struct {
		name string
		tab  *recipe.Table
		spec train.Spec
		code string
	}{
		{"a task of another table", tab, train.Spec{Task: train.Binary}, "train.invalid"},
		{"an interval nobody wants", tab, train.Spec{Level: 1.5}, "train.invalid"},
		{"odd folds", tab, train.Spec{Split: train.Split{Folds: 3}}, "train.invalid"},
		{"an objective it does not know", tab, train.Spec{Params: &train.Params{Objective: "lambdarank", Rounds: 1, Leaves: 2, LearningRate: .1, MinLeaf: 1}}, "train.invalid"},
		{"no rounds", tab, train.Spec{Params: &train.Params{Leaves: 2, LearningRate: .1, MinLeaf: 1}}, "train.invalid"},
		{"too few rows", tab.Pick([]int{1, 2, 3}), train.Spec{}, "train.too_few_rows"},
	} {
		if _, err := train.Fit(t.Context(), library(t), c.tab, c.spec, nil); edgeward.CodeOf(err) != c.code || edgeward.KindOf(err) != edgeward.Invalid {
			t.Errorf("%s: got %v (%s), want %s", c.name, err, edgeward.CodeOf(err), c.code)
		}
	}
}

func TestFitStopsBetweenTwoRounds(t *testing.T) {
	tab := build(t, soilRecipe("yield", false), soil(300))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := train.Fit(ctx, library(t), tab, train.Spec{}, func(train.Progress) { cancel() })
	if edgeward.CodeOf(err) != "train.cancelled" {
		t.Errorf("got %v", err)
	}
}

// TestAWrongGraphFailsTheProof moves one leaf: the proof must see it.
func TestAWrongGraphFailsTheProof(t *testing.T) {
	tab := build(t, soilRecipe("yield", false), soil(300))
	res, err := train.Fit(t.Context(), library(t), tab, train.Spec{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(res.Model), "threshold=") + len("threshold=")
	wrong := append(append(append([]byte{}, res.Model[:at]...), '9'), res.Model[at:]...)
	graph, err := train.Graph(wrong, tab, res.Offsets)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := train.NewProofRows(res.Model, tab, 1)
	if err != nil {
		t.Fatal(err)
	}
	head := train.NewHead(tab, res.Offsets)
	_, err = train.Prove(t.Context(), rows, func(_ context.Context, x []float64, cols int) (train.Answers, error) {
		return train.Predict(library(t), res.Model, head, x, cols, 1)
	}, func(_ context.Context, x []float64, cols int) (train.Answers, error) {
		o := orttest.Run(t, graph, x, cols)
		return train.Answers{Forecast: o[onnxgraph.Forecast].V, Low: o[onnxgraph.Low].V, High: o[onnxgraph.High].V}, nil
	})
	if edgeward.CodeOf(err) != "train.not_equal" {
		t.Errorf("got %v", err)
	}
}

func ExampleCompare() {
	var pairs []train.Pair
	for d := range 90 {
		truth := float64(100 + d%7)
		pairs = append(pairs, train.Pair{Target: time.Date(2024, 1, 1+d, 0, 0, 0, 0, time.UTC), Truth: truth, Champion: truth - 10 - float64(d%5), Challenger: truth + 6})
	}
	c, err := train.Compare(pairs, 1)
	fmt.Printf("%d days, champion %.1f, challenger %.1f, wins: %v, %v\n", c.Days, c.Champion, c.Challenger, c.Wins, err)
	// Output: 90 days, champion 12.0, challenger 6.0, wins: true, <nil>
}
