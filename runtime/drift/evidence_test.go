package drift_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/drift"
	"edgeward/runtime/profile"
)

var quarter = drift.Window{From: time.Date(2023, 3, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2023, 5, 31, 0, 0, 0, 0, time.UTC), N: 92}

// counts draws n values of a normal variable into ten equal bins of the standard normal.
func counts(rng *rand.Rand, n int, shift float64) []int64 {
	edges := []float64{-1.2816, -0.8416, -0.5244, -0.2533, 0, 0.2533, 0.5244, 0.8416, 1.2816}
	out := make([]int64, 12) // ten bins, missing, unseen
	for range n {
		x, b := rng.NormFloat64()+shift, 0
		for b < len(edges) && x > edges[b] {
			b++
		}
		out[b]++
	}
	return out
}

// TestEvidenceIsCalibrated: with nothing changed, columns called moved stay below 5 %, in small windows too; and the
// lower bound is a lower bound.
func TestEvidenceIsCalibrated(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{50, 150, 500, 3000} {
		moved, above := 0, 0
		const runs = 400
		for range runs {
			e, err := drift.Evidence(quarter, []drift.Column{{Name: "x", Reference: counts(rng, 500, 0), Current: counts(rng, n, 0), Ordered: 10}}, 0)
			if err != nil {
				t.Fatal(err)
			}
			if e[0].Moved {
				moved++
			}
			if e[0].Low > 0 {
				above++
			}
		}
		t.Logf("n = %d: %.1f %% moved, %.1f %% with a lower bound above 0", n, 100*float64(moved)/runs, 100*float64(above)/runs)
		if moved > runs/20 || above > runs/10 {
			t.Errorf("n = %d: %d of %d moved, %d above zero", n, moved, runs, above)
		}
	}
}

func TestEvidenceRanksWhatMovedFirst(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	e, err := drift.Evidence(quarter, []drift.Column{
		{Name: "same", Reference: counts(rng, 500, 0), Current: counts(rng, 300, 0), Ordered: 10},
		{Name: "much", Reference: counts(rng, 500, 0), Current: counts(rng, 300, 1.5), Ordered: 10},
		{Name: "some", Reference: counts(rng, 500, 0), Current: counts(rng, 300, -0.7), Ordered: 10},
		{Name: "few", Reference: counts(rng, 500, 0), Current: counts(rng, 9, 3), Ordered: 10},
	}, 0)
	if err != nil || len(e) != 3 {
		t.Fatal(err, e)
	}
	if e[0].Name != "much" || e[1].Name != "some" || e[2].Name != "same" {
		t.Errorf("ranked %v", e)
	}
	if !e[0].Moved || !e[1].Moved || e[2].Moved {
		t.Errorf("moved: %v", e)
	}
	if e[0].Up < 0.75 || e[1].Up > 0.4 || math.Abs(e[2].Up-0.5) > 0.1 {
		t.Errorf("directions: %+v", e)
	}
	for _, x := range e {
		if x.Low > x.Value || x.Low < 0 || x.Value > math.Sqrt(math.Ln2)+1e-9 {
			t.Errorf("%+v is out of order", x)
		}
	}
}

func TestDependentRowsCountLess(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	c := drift.Column{Name: "x", Reference: counts(rng, 400, 0), Current: counts(rng, 92, 0.6), Ordered: 10}
	all, _ := drift.Evidence(quarter, []drift.Column{c}, 0)
	c.Share = 0.1
	tenth, _ := drift.Evidence(quarter, []drift.Column{c}, 0)
	if !(tenth[0].Low < all[0].Low) {
		t.Errorf("share 1: %+v, share 0.1: %+v", all[0], tenth[0])
	}

	x := make([]float64, 365)
	for i := range x[1:] {
		x[i+1] = 0.9*x[i] + rng.NormFloat64()
	}
	if s := drift.EffectiveShare(x); s > 0.2 {
		t.Errorf("a series with autocorrelation 0.9 is worth %.2f of its values", s)
	}
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	if s := drift.EffectiveShare(x); s < 0.6 {
		t.Errorf("independent values are worth %.2f of themselves", s)
	}
	if s := drift.EffectiveShare([]float64{3, 3, 3}); s != 1 {
		t.Errorf("a constant: %v", s)
	}
}

func TestEvidenceRefuses(t *testing.T) {
	month := drift.Window{From: quarter.From, To: quarter.From.AddDate(0, 0, 27)}
	if _, err := drift.Evidence(month, nil, 0); edgeward.CodeOf(err) != "drift.window_short" || edgeward.HintOf(err) == "" {
		t.Errorf("a window of 28 days: %v", err)
	}
	if _, err := drift.Evidence(quarter, []drift.Column{{Name: "x", Reference: make([]int64, 3), Current: make([]int64, 4)}}, 0); edgeward.CodeOf(err) != "drift.cells" {
		t.Errorf("cells that do not match: %v", err)
	}
}

func TestColumnOf(t *testing.T) {
	ref := &profile.Column{Name: "lag1", Kind: profile.Numeric, Type: "float", Edges: []float64{1, 2, 3}, Low: 0, High: 4}
	ref.Counts = profile.Counts{Count: 430, Missing: 30, Bins: []int64{100, 100, 100, 100}}
	cur := *ref
	cur.Counts = profile.Counts{Count: 92, Missing: 2, Bins: []int64{5, 10, 25, 50}}
	c, err := drift.ColumnOf(ref, &cur, 0.5)
	if err != nil || c.Ordered != 4 || c.Share != 0.5 || len(c.Current) != 6 || c.Current[4] != 2 || c.Reference[4] != 30 {
		t.Errorf("%v %+v", err, c)
	}
	cur.Edges = []float64{1, 2, 5}
	if _, err := drift.ColumnOf(ref, &cur, 1); edgeward.CodeOf(err) != "profile.shape" {
		t.Errorf("another shape: %v", err)
	}
}

func TestSameSeason(t *testing.T) {
	winter := drift.Window{From: time.Date(2022, 11, 20, 0, 0, 0, 0, time.UTC), To: time.Date(2023, 2, 20, 0, 0, 0, 0, time.UTC)}
	for _, c := range []struct {
		name string
		w    drift.Window
		day  string
		want bool
	}{
		{"a day of the same months two years before", quarter, "2021-04-10", true},
		{"the first and the last day count", quarter, "2022-03-01", true},
		{"the day after the last does not", quarter, "2022-06-01", false},
		{"another season does not", quarter, "2021-10-10", false},
		{"a window over New Year contains January", winter, "2021-01-15", true},
		{"and December", winter, "2021-12-15", true},
		{"but not March", winter, "2021-03-15", false},
	} {
		day, _ := time.Parse(time.DateOnly, c.day)
		if got := c.w.SameSeason(day); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func ExampleEvidence() {
	window := drift.Window{From: time.Date(2023, 3, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2023, 5, 31, 0, 0, 0, 0, time.UTC), N: 920}
	effects, err := drift.Evidence(window, []drift.Column{
		{Name: "weekday", Reference: []int64{100, 101, 99, 100}, Current: []int64{230, 230, 231, 229}},
		{Name: "lag1", Reference: []int64{100, 100, 100, 100}, Current: []int64{40, 100, 280, 500}, Ordered: 4},
	}, drift.DefaultTolerance)
	if err != nil {
		panic(err)
	}
	for _, e := range effects {
		fmt.Printf("%s, moved %v, a current value is the larger one with chance %.2f\n", e.Name, e.Moved, e.Up)
	}
	// Output:
	// lag1, moved true, a current value is the larger one with chance 0.71
	// weekday, moved false, a current value is the larger one with chance 0.50
}
