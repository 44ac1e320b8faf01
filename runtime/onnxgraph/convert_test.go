package onnxgraph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"edgeward"
	"edgeward/packaging/needtest"
	"edgeward/runtime/native"
	"edgeward/runtime/onnxgraph"
	"edgeward/runtime/onnxgraph/orttest"
	"edgeward/runtime/train/lightgbm"
)

var (
	libOnce sync.Once
	lib     *lightgbm.Library
	libErr  error
)

// library opens LightGBM in the test process: the trees below are our own, so no worker is needed.
func library(t testing.TB) *lightgbm.Library {
	t.Helper()
	libOnce.Do(func() {
		var at native.Located
		if at, libErr = native.Open(t.TempDir()).Locate(t.Context(), native.LightGBM); libErr == nil {
			lib, libErr = lightgbm.Open(at.Files)
		}
	})
	if edgeward.CodeOf(libErr) == "native.missing" {
		needtest.Missing(t, "native-pack")
	}
	if libErr != nil {
		t.Fatal(libErr)
	}
	return lib
}

// data makes rows of float32 numbers, a fifth of them coarse, 6 % missing, with two categorical columns at the end.
func data(r *rand.Rand, rows, cols int) []float64 {
	x := make([]float64, rows*cols)
	for i := range x {
		switch j := i % cols; {
		case r.Float64() < .06:
			x[i] = math.NaN()
		case j == cols-1:
			x[i] = float64(r.IntN(40))
		case j == cols-2:
			x[i] = float64(r.IntN(4))
		case j%5 == 0:
			x[i] = float64(r.IntN(9) - 4)
		default:
			x[i] = float64(float32(r.NormFloat64()))
		}
	}
	return x
}

// hard takes rows and puts values on thresholds, around zero and outside the categories into them.
func hard(r *rand.Rand, x []float64, cols int, thresholds [][]float64) []float64 {
	x = append([]float64(nil), x...)
	odd := []float64{0, math.Copysign(0, -1), 1e-36, -1e-36, 1e-35, -1e-35, 2e-35, 1e-45, 3e38, -3e38, math.NaN(), -1, 99, 3.7, -0.5}
	for i := range x {
		th := thresholds[i%cols]
		switch k := r.Float64(); {
		case k < .4 && len(th) > 0:
			x[i] = float64(float32(th[r.IntN(len(th))]))
		case k < .5:
			x[i] = float64(float32(odd[r.IntN(len(odd))]))
		}
	}
	return x
}

func target(r *rand.Rand, x []float64, cols int, objective string) []float64 {
	y := make([]float64, len(x)/cols)
	for i := range y {
		v := 0.0
		for j, f := range x[i*cols : i*cols+cols] {
			if !math.IsNaN(f) {
				v += f * float64(j%3-1)
			}
		}
		if c := x[i*cols+cols-1]; !math.IsNaN(c) && int(c)%3 == 0 {
			v += 3
		}
		v += r.NormFloat64()
		switch objective {
		case "binary", "cross_entropy":
			y[i] = map[bool]float64{true: 1}[v > 0]
		case "multiclass", "multiclassova":
			y[i] = math.Min(math.Max(math.Round(v/3)+2, 0), 4)
		case "poisson", "tweedie", "gamma":
			y[i] = math.Exp(math.Min(v/10, 3)) + .1
		default:
			y[i] = v * 40
		}
	}
	return y
}

// TestConvertedModelsAnswerLikeLightGBM draws random settings, trains through the real library and compares the graph,
// run by onnxruntime, with LightGBM's own answers on ordinary and on hard rows.
func TestConvertedModelsAnswerLikeLightGBM(t *testing.T) {
	l := library(t)
	objectives := []string{"regression", "binary", "multiclass", "poisson", "regression_l1", "multiclassova", "tweedie", "huber", "cross_entropy", "gamma", "quantile", "regression"}
	for i, objective := range objectives {
		t.Run(fmt.Sprintf("%s-%d", objective, i), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(i), 7))
			cols, rows := 6+r.IntN(10), 800
			x := data(r, rows, cols)
			p := lightgbm.Base(i, 1)
			p["objective"], p["categorical_feature"] = objective, fmt.Sprintf("%d,%d", cols-2, cols-1)
			p["num_leaves"], p["min_data_in_leaf"] = fmt.Sprint(2+r.IntN(40)), fmt.Sprint(1+r.IntN(30))
			p["learning_rate"], p["lambda_l2"] = fmt.Sprint(.02+r.Float64()/2), fmt.Sprint(r.Float64())
			p["feature_fraction"], p["use_missing"] = fmt.Sprint(.5+r.Float64()/2), fmt.Sprint(r.IntN(4) > 0)
			p["max_cat_to_onehot"], p["min_data_per_group"], p["cat_smooth"] = fmt.Sprint(1+r.IntN(5)), "5", fmt.Sprint(r.IntN(10))
			p["extra_trees"] = fmt.Sprint(r.IntN(4) == 0)
			if i == len(objectives)-1 { // a random forest averages its trees
				p["boosting"], p["bagging_fraction"], p["bagging_freq"] = "rf", "0.7", "1"
			}
			if objective == "multiclass" || objective == "multiclassova" {
				p["num_class"] = "5"
			}
			m := lightgbm.Matrix{X: x, Cols: cols}
			b, text := fit(t, l, m, target(r, x, cols, objective), p, 1+r.IntN(40))
			e, err := onnxgraph.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			test := append(append([]float64(nil), x...), hard(r, data(r, 3000, cols), cols, e.Thresholds())...)
			want, err := b.Predict(lightgbm.Matrix{X: test, Cols: cols}, lightgbm.Normal, 0)
			if err != nil {
				t.Fatal(err)
			}
			var graph []byte
			name := onnxgraph.Probability
			if objective == "binary" || objective == "cross_entropy" || p["num_class"] != "" {
				graph, err = e.Classifier(nil)
			} else {
				name = onnxgraph.Forecast
				graph, err = e.Forecast(onnxgraph.Interval{Low: []float64{0}, High: []float64{0}, Group: -1, Level: -1}, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			if objective == "binary" || objective == "cross_entropy" {
				want = bothClasses(want)
			}
			check := func(engine string, out map[string]orttest.Output) {
				if worst := maxDiff(t, out[name].V, want); worst > 1e-6 {
					t.Errorf("%s engine, %d trees, %d nodes: differs by %g", engine, e.Trees(), e.Nodes(), worst)
				}
			}
			check("our", orttest.Run(t, graph, test, cols))
			check("Python's", orttest.Python(t, graph, test, cols)) // skips where there is none
		})
	}
}

func fit(t testing.TB, l *lightgbm.Library, m lightgbm.Matrix, y []float64, p lightgbm.Params, rounds int) (*lightgbm.Booster, []byte) {
	t.Helper()
	d, err := l.NewDataset(m, y, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	b, err := l.NewBooster(d, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	for range rounds {
		if done, err := b.Update(); err != nil {
			t.Fatal(err)
		} else if done {
			break
		}
	}
	text, err := b.Model(0)
	if err != nil {
		t.Fatal(err)
	}
	return b, text
}

func bothClasses(p []float64) []float64 {
	out := make([]float64, 0, 2*len(p))
	for _, v := range p {
		out = append(out, 1-v, v)
	}
	return out
}

func maxDiff(t testing.TB, got, want []float64) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d answers, want %d", len(got), len(want))
	}
	worst := 0.0
	for i := range got {
		d := math.Abs(got[i]-want[i]) / math.Max(1, math.Abs(want[i])/1e6)
		if math.IsNaN(got[i]) != math.IsNaN(want[i]) {
			d = math.Inf(1)
		}
		worst = math.Max(worst, d)
	}
	return worst
}
