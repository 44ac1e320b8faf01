package profile_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"edgeward/runtime/profile"
)

type moments struct {
	N                  int64
	Mean, SD, Skew     float64
	Kurtosis, Min, Max float64
}

type golden struct {
	Cases []struct {
		Name                  string
		Ref, Cur              []int64
		PSI, JS, KS           float64
		LInf, Chi2, Low, High float64
		DoF                   int
		P                     float64 `json:"chi2_p"`
		Edges                 []float64
		Wasserstein           *float64
		RefM                  *moments  `json:"ref_moments"`
		CurM                  *moments  `json:"cur_moments"`
		RefValues             []float64 `json:"ref_values"`
		CurValues             []float64 `json:"cur_values"`
	}
	Share []struct {
		RefHits int64 `json:"ref_hits"`
		RefN    int64 `json:"ref_n"`
		CurHits int64 `json:"cur_hits"`
		CurN    int64 `json:"cur_n"`
		Low     float64
		High    float64
	}
}

func readGolden(t *testing.T) golden {
	t.Helper()
	b, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tolerance*max(1, math.Abs(want)) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestStatisticsEqualScipy(t *testing.T) {
	for _, c := range readGolden(t).Cases {
		t.Run(c.Name, func(t *testing.T) {
			near(t, "psi", profile.PSI(c.Ref, c.Cur, 0.05).Value, c.PSI, 1e-12)
			near(t, "jensen-shannon", profile.JensenShannon(c.Ref, c.Cur, 0.05).Value, c.JS, 1e-9)
			near(t, "ks", profile.KS(c.Ref, c.Cur, 0.05).Value, c.KS, 1e-12)
			near(t, "l-infinity", profile.LInf(c.Ref, c.Cur, 0.05).Value, c.LInf, 1e-12)
			x := profile.ChiSquare(c.Ref, c.Cur)
			near(t, "chi-square", x.Statistic, c.Chi2, 1e-9)
			near(t, "p", x.P, c.P, 1e-9)
			if x.DoF != c.DoF {
				t.Errorf("degrees of freedom: got %d, want %d", x.DoF, c.DoF)
			}
			if c.Wasserstein != nil {
				col := &profile.Column{Kind: profile.Numeric, Edges: c.Edges, Low: c.Low, High: c.High}
				// Moments with a standard deviation of exactly 1, so that the norm drops out.
				ref := &profile.Counts{Bins: c.Ref, Moments: profile.Moments{N: 2, M2: 1}}
				w := profile.Wasserstein(col, ref, &profile.Counts{Bins: c.Cur}, 0.05)
				near(t, "wasserstein", w.Value, *c.Wasserstein, 1e-9)
			}
		})
	}
}

// TestObservingEqualsNumpy counts raw values in the shape numpy made of them.
func TestObservingEqualsNumpy(t *testing.T) {
	n := 0
	for _, c := range readGolden(t).Cases {
		for side, values := range map[string][]float64{"ref": c.RefValues, "cur": c.CurValues} {
			if values == nil {
				continue
			}
			n++
			want, m := c.Ref, c.RefM
			if side == "cur" {
				want, m = c.Cur, c.CurM
			}
			shape := profile.Profile{Schema: 1, Columns: []profile.Column{{Name: "x", Kind: profile.Numeric, Edges: c.Edges, Low: c.Low, High: c.High}}}
			col := shape.Fresh().Column("x")
			for _, v := range values {
				col.Observe(v)
			}
			for i := range want {
				if col.Counts.Bins[i] != want[i] {
					t.Errorf("%s %s bin %d: got %d, want %d", c.Name, side, i, col.Counts.Bins[i], want[i])
				}
			}
			got := col.Counts.Moments
			near(t, "mean", got.Mean, m.Mean, 1e-12)
			near(t, "sd", got.SD(), m.SD, 1e-12)
			near(t, "skewness", got.Skewness(), m.Skew, 1e-9)
			near(t, "kurtosis", got.Kurtosis(), m.Kurtosis, 1e-9)
			if got.N != m.N || got.Min != m.Min || got.Max != m.Max {
				t.Errorf("%s: got %+v, want %+v", c.Name, got, m)
			}
		}
	}
	if n == 0 {
		t.Fatal("the golden file has no raw values")
	}
}

func TestShareHasTheIntervalOfItsPaper(t *testing.T) {
	for _, s := range readGolden(t).Share {
		e := profile.Share("x", s.RefHits, s.RefN, s.CurHits, s.CurN, 0.05)
		near(t, "low", e.Low, s.Low, 1e-4)
		near(t, "high", e.High, s.High, 1e-4)
	}
}

func draw(r *rand.Rand, p []float64, n int) []int64 {
	cum := make([]float64, len(p))
	s := 0.0
	for i, x := range p {
		s += x
		cum[i] = s
	}
	out := make([]int64, len(p))
	for range n {
		u, i := r.Float64()*s, 0
		for i < len(p)-1 && cum[i] < u {
			i++
		}
		out[i]++
	}
	return out
}

// TestBoundsHoldTheTruth draws windows from known shares: the true effect may lie below Low in about alpha/2 of them.
func TestBoundsHoldTheTruth(t *testing.T) {
	type stat struct {
		name string
		f    func(ref, cur []int64) profile.Effect
	}
	pts := func(k int) *profile.Column {
		c := &profile.Column{Kind: profile.Numeric, High: float64(k)}
		for i := 1; i < k; i++ {
			c.Edges = append(c.Edges, float64(i))
		}
		return c
	}
	stats := []stat{
		{"psi", func(a, b []int64) profile.Effect { return profile.PSI(a, b, 0.05) }},
		{"jensen-shannon", func(a, b []int64) profile.Effect { return profile.JensenShannon(a, b, 0.05) }},
		{"ks", func(a, b []int64) profile.Effect { return profile.KS(a, b, 0.05) }},
		{"l-infinity", func(a, b []int64) profile.Effect { return profile.LInf(a, b, 0.05) }},
		{"wasserstein", func(a, b []int64) profile.Effect {
			return profile.Wasserstein(pts(len(a)), &profile.Counts{Bins: a, Moments: profile.Moments{N: 2, M2: 1}}, &profile.Counts{Bins: b}, 0.05)
		}},
	}
	const big, runs = 4_000_000_000, 400
	r := rand.New(rand.NewPCG(1, 2))
	for _, k := range []int{2, 8, 64} {
		for _, tilt := range []float64{0, 0.3, 1.5} {
			p, q := make([]float64, k), make([]float64, k)
			sq := 0.0
			for i := range p {
				p[i] = 1 / float64(k)
				q[i] = math.Exp(tilt * (float64(i)/float64(k) - 0.5))
				sq += q[i]
			}
			exact := func(x []float64, s float64) []int64 {
				out := make([]int64, k)
				for i := range x {
					out[i] = int64(x[i] / s * big)
				}
				return out
			}
			truth := make([]float64, len(stats))
			for i, s := range stats {
				truth[i] = s.f(exact(p, 1), exact(q, sq)).Value
			}
			for _, n := range []int{10 * k, 40 * k} {
				over, seen := make([]int, len(stats)), make([]int, len(stats))
				for range runs {
					ref, cur := draw(r, p, 4*n), draw(r, q, n)
					for i, s := range stats {
						e := s.f(ref, cur)
						if e.Low > truth[i]+1e-6 {
							over[i]++
						}
						if e.Low > 0 {
							seen[i]++
						}
					}
				}
				for i, s := range stats {
					// Nominal 2.5 %, 5 % for l-infinity without a change: 10 and 20 of 400; chance leaves up to 28.
					if over[i] > 28 {
						t.Errorf("%s, %d bins, %d values, tilt %v: the lower bound was above the truth in %d of %d windows", s.name, k, n, tilt, over[i], runs)
					}
					if k > 2 && tilt == 1.5 && n == 40*k && seen[i] < runs*9/10 {
						t.Errorf("%s, %d bins, %d values: a large change was seen in %d of %d windows only", s.name, k, n, seen[i], runs)
					}
				}
			}
		}
	}
}

func TestEmptyWindowsHaveNoEffect(t *testing.T) {
	empty, some := []int64{0, 0}, []int64{1, 2}
	for _, pair := range [][2][]int64{{empty, some}, {some, empty}, {empty, empty}} {
		for _, f := range []func(a, b []int64, alpha float64) profile.Effect{profile.PSI, profile.JensenShannon, profile.KS, profile.LInf} {
			if e := f(pair[0], pair[1], 0.05); e != (profile.Effect{}) {
				t.Errorf("got %+v", e)
			}
		}
		if x := profile.ChiSquare(pair[0], pair[1]); x.P != 1 {
			t.Errorf("p = %v", x.P)
		}
	}
}
