package lightgbm_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"edgeward"
	"edgeward/packaging/needtest"
	"edgeward/runtime/native"
	"edgeward/runtime/train/lightgbm"
)

var (
	once sync.Once
	lib  *lightgbm.Library
	fail error
)

func library(t testing.TB) *lightgbm.Library {
	t.Helper()
	once.Do(func() {
		var at native.Located
		if at, fail = native.Open(t.TempDir()).Locate(t.Context(), native.LightGBM); fail == nil {
			lib, fail = lightgbm.Open(at.Files)
		}
	})
	if edgeward.CodeOf(fail) == "native.missing" {
		needtest.Missing(t, "native-pack")
	}
	if fail != nil {
		t.Fatal(fail)
	}
	return lib
}

const cols = 4

func sample() (lightgbm.Matrix, []float64) {
	r := rand.New(rand.NewPCG(1, 2))
	m := lightgbm.Matrix{Cols: cols}
	var y []float64
	for range 500 {
		row := []float64{r.NormFloat64(), r.NormFloat64(), float64(r.IntN(5)), math.NaN()}
		m.X = append(m.X, row...)
		y = append(y, row[0]*2-row[1]+row[2]+r.NormFloat64()/10)
	}
	return m, y
}

func params() lightgbm.Params {
	p := lightgbm.Base(3, 1)
	p["objective"], p["num_leaves"], p["bagging_fraction"], p["bagging_freq"] = "regression", "7", "0.7", "1"
	return p
}

func fit(t testing.TB, p lightgbm.Params) *lightgbm.Booster {
	t.Helper()
	m, y := sample()
	d, err := library(t).NewDataset(m, y, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	b, err := library(t).NewBooster(d, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	for range 30 {
		if _, err := b.Update(); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestSameSeedSameBytes(t *testing.T) {
	a, err := fit(t, params()).Model(0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := fit(t, params()).Model(0)
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("two runs differ, %v", err)
	}
	p := params()
	p["seed"] = "4"
	if c, err := fit(t, p).Model(0); err != nil || bytes.Equal(a, c) {
		t.Errorf("another seed gave the same model, %v", err)
	}
}

func TestContributionsAddUpToTheRawScore(t *testing.T) {
	b := fit(t, params())
	m, _ := sample()
	raw, err := b.Predict(m, lightgbm.Raw, 0)
	if err != nil {
		t.Fatal(err)
	}
	shap, err := b.Predict(m, lightgbm.Contributions, 0)
	if err != nil || len(shap) != len(raw)*(cols+1) {
		t.Fatalf("%d contributions for %d rows: %v", len(shap), len(raw), err)
	}
	for i, want := range raw {
		sum := 0.0
		for _, v := range shap[i*(cols+1) : (i+1)*(cols+1)] {
			sum += v
		}
		if math.Abs(sum-want) > 1e-9 {
			t.Fatalf("row %d: contributions add up to %v, raw score %v", i, sum, want)
		}
	}
	imp, err := b.Importances(0)
	if err != nil || len(imp) != cols || imp[0].Gain <= imp[1].Gain || imp[0].Splits == 0 || imp[3].Splits != 0 {
		t.Errorf("importances %+v, %v", imp, err)
	}
}

func TestASavedModelAnswersTheSame(t *testing.T) {
	b := fit(t, params())
	m, _ := sample()
	want, err := b.Predict(m, lightgbm.Normal, 10)
	if err != nil {
		t.Fatal(err)
	}
	text, err := b.Model(10)
	if err != nil {
		t.Fatal(err)
	}
	again, err := library(t).Load(text, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	got, err := again.Predict(m, lightgbm.Normal, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-12 {
			t.Fatalf("row %d: %v after loading, %v before", i, got[i], want[i])
		}
	}
}

func TestErrorsAreLightGBMsOwnWords(t *testing.T) {
	m, y := sample()
	l := library(t)
	d, err := l.NewDataset(m, y, params(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	p := params()
	p["objective"] = "nonsense"
	if _, err := l.NewBooster(d, p); edgeward.CodeOf(err) != "train.refused" || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("an unknown objective: %v", err)
	}
	if _, err := l.NewDataset(m, y[1:], params(), nil); edgeward.CodeOf(err) != "train.bad_matrix" {
		t.Errorf("too few labels: %v", err)
	}
	if _, err := l.NewDataset(lightgbm.Matrix{}, nil, params(), nil); edgeward.CodeOf(err) != "train.bad_matrix" {
		t.Errorf("nothing: %v", err)
	}
	if _, err := fit(t, params()).Predict(lightgbm.Matrix{X: []float64{1, 2, 3}, Cols: 3}, lightgbm.Normal, 0); edgeward.CodeOf(err) != "train.bad_matrix" {
		t.Errorf("rows that are too short: %v", err)
	}
	if _, err := lightgbm.Open(map[string]string{"libgomp.so.1": "/nowhere"}); edgeward.KindOf(err) != edgeward.Unavailable {
		t.Errorf("a library that is not there: %v", err)
	}
}

func TestCurrentFollowsTheValidationData(t *testing.T) {
	m, y := sample()
	l := library(t)
	d, err := l.NewDataset(m, y, params(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	half := lightgbm.Matrix{X: m.X[:200*cols], Cols: cols}
	v, err := l.NewDataset(half, y[:200], params(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	b, err := l.NewBooster(d, params())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.AddValid(v); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := b.Update(); err != nil {
			t.Fatal(err)
		}
	}
	got, err := b.Current(1)
	if err != nil {
		t.Fatal(err)
	}
	want, err := b.Predict(half, lightgbm.Normal, 0)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d and %d answers, %v", len(got), len(want), err)
	}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-6 {
			t.Fatalf("row %d: %v in training, %v in prediction", i, got[i], want[i])
		}
	}
}
