package loop_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/loop"
)

// pairs makes n days of two groups whose challenger's absolute error is smaller by gain, with errors that depend on the
// day before.
func pairs(rng *rand.Rand, n int, gain float64) []loop.Pair {
	var out []loop.Pair
	level := 0.0
	for i := range n {
		level = 0.3*level + rng.NormFloat64()
		for g := range 2 {
			champion := 20 + 4*level + 3*rng.NormFloat64()
			challenger := 20 - gain + 2*rng.NormFloat64()
			truth := float64(100 * (g + 1))
			out = append(out, loop.Pair{At: at(i), Truth: truth, Champion: truth + champion, Challenger: truth - challenger})
		}
	}
	return out
}

func TestTheIntervalCoversTheTrueDifference(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const runs, gain = 200, 1.5
	covered, wins := 0, 0
	for range runs {
		e, err := loop.Compare(pairs(rng, 90, gain))
		if err != nil || e.Days != 90 || !(e.Low <= e.Difference && e.Difference <= e.High) {
			t.Fatal(err, e)
		}
		if e.Low <= gain && gain <= e.High {
			covered++
		}
		if e, _ := loop.Compare(pairs(rng, 90, 0)); e.Low > 0 {
			wins++
		}
	}
	t.Logf("covered in %d of %d; equal versions win in %d", covered, runs, wins)
	if covered < runs*87/100 {
		t.Errorf("the 95 %% interval covers the truth in %d of %d", covered, runs)
	}
	if wins > runs*7/100 {
		t.Errorf("equal challengers win %d of %d times", wins, runs)
	}
}

func TestCompare(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	rows := pairs(rng, 90, 2)
	want, err := loop.Compare(rows)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("the order of rows does not matter", func(t *testing.T) {
		mixed := append([]loop.Pair(nil), rows...)
		rng.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		got, err := loop.Compare(mixed)
		got.Champion, got.Challenger = want.Champion, want.Challenger // sums differ in the last bit
		if err != nil || math.Abs(got.Low-want.Low) > 1e-9 || math.Abs(got.High-want.High) > 1e-9 {
			t.Errorf("%v %+v, want %+v", err, got, want)
		}
	})
	t.Run("rows without a number are left out", func(t *testing.T) {
		got, err := loop.Compare(append([]loop.Pair{{At: at(0), Truth: math.NaN()}}, rows...))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v %+v, want %+v", err, got, want)
		}
	})
	t.Run("four weeks are the least", func(t *testing.T) {
		if _, err := loop.Compare(pairs(rng, 27, 2)); edgeward.CodeOf(err) != "evaluation.too_few" || edgeward.HintOf(err) == "" {
			t.Error(err)
		}
	})
}

func ExampleCompare() {
	first := time.Date(2023, 4, 1, 0, 0, 0, 0, time.UTC)
	var pairs []loop.Pair
	for i := range 90 {
		pairs = append(pairs, loop.Pair{At: first.AddDate(0, 0, i), Truth: 230, Champion: 210, Challenger: 230 + float64(i%7)})
	}
	e, err := loop.Compare(pairs)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d days: champion %.1f, challenger %.1f, better for sure: %v\n", e.Days, e.Champion, e.Challenger, e.Low > 0)
	// Output: 90 days: champion 20.0, challenger 3.0, better for sure: true
}
