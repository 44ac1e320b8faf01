package train_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/train"
)

func TestScore(t *testing.T) {
	nan := math.NaN()
	got := train.Score([]float64{10, 20, nan, 30}, []float64{12, 16, 1, 30}, []float64{0, 18, 0, 0}, []float64{20, 30, 0, 29})
	want := train.Metrics{Rows: 3, MAE: 2, RMSE: math.Sqrt(20. / 3), Bias: 2. / 3, Coverage: 2. / 3}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := train.Score(nil, nil, nil, nil); got != (train.Metrics{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestAUC(t *testing.T) {
	for _, c := range []struct {
		truth, score []float64
		want         float64
	}{
		{[]float64{0, 0, 1, 1}, []float64{.1, .2, .3, .4}, 1},
		{[]float64{1, 1, 0, 0}, []float64{.1, .2, .3, .4}, 0},
		{[]float64{0, 1, 0, 1}, []float64{.5, .5, .5, .5}, .5},
		{[]float64{0, 1, 1}, []float64{.5, .5, .9}, .75},
		{[]float64{1, 1}, []float64{.5, .9}, .5},
	} {
		if got := train.AUC(c.truth, c.score); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("AUC(%v, %v) = %v, want %v", c.truth, c.score, got, c.want)
		}
	}
}

// series makes pairs whose champion is worse by gain, with errors that hang together from day to day.
func series(days int, gain float64, seed uint64) []train.Pair {
	r := rand.New(rand.NewPCG(seed, 1))
	var out []train.Pair
	drift := 0.0
	for d := range days {
		drift = .5*drift + r.NormFloat64()
		for _, g := range []string{"a", "b"} {
			old := 10 + gain + drift + r.NormFloat64()
			out = append(out, train.Pair{Target: time.Date(2024, 1, 1+d, 0, 0, 0, 0, time.UTC), Group: g, Truth: 50, Champion: 50 + old, Challenger: 50 - 10})
		}
	}
	return out
}

// TestCompareKeepsItsPromise counts how often the interval claims a difference that is not there: 5 % would be exact.
// Blocks of one day give four times that on these pairs, plain percentiles of 14 days twice.
func TestCompareKeepsItsPromise(t *testing.T) {
	wrong := 0
	for seed := range uint64(200) {
		c, err := train.Compare(series(120, 0, seed), 1)
		if err != nil {
			t.Fatal(err)
		}
		if c.Low > 0 || c.High < 0 {
			wrong++
		}
	}
	t.Logf("%d of 200 intervals exclude the truth", wrong)
	if wrong > 20 {
		t.Errorf("%d of 200 intervals exclude the truth", wrong)
	}
	c, err := train.Compare(series(120, 5, 3), 1)
	if err != nil || !c.Wins || c.Difference < 3 || c.Days != 120 || c.Pairs != 240 {
		t.Errorf("a real gain of 5: %+v, %v", c, err)
	}
	again, _ := train.Compare(series(120, 5, 3), 1)
	if again != c {
		t.Errorf("the same pairs and seed gave %+v and %+v", c, again)
	}
}

func TestCompareNeedsDays(t *testing.T) {
	if _, err := train.Compare(series(27, 0, 1), 1); edgeward.CodeOf(err) != "train.too_few_rows" {
		t.Errorf("got %v", err)
	}
	nan := series(60, 0, 1)
	for i := range nan {
		nan[i].Champion = math.NaN()
	}
	if _, err := train.Compare(nan, 1); edgeward.CodeOf(err) != "train.too_few_rows" {
		t.Errorf("pairs without a forecast: %v", err)
	}
}
