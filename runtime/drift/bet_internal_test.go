package drift

import (
	"math"
	"testing"
)

// TestBetsAreFair holds the theorem's premise: over the equally likely places of a new value among n others, the mean
// of a bet is 1, with and without ties.
func TestBetsAreFair(t *testing.T) {
	for _, d := range append(append([]float64{}, biasBets...), errorBets...) {
		for _, ends := range [][]int{
			{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
			{0, 4, 5, 9, 10}, // two groups of four equal values
			{0, 10},
		} {
			sum := 0.0
			for i := 1; i < len(ends); i++ {
				low, high := float64(ends[i-1])/10, float64(ends[i])/10
				sum += (high - low) * bet(d, low, high)
			}
			if math.Abs(sum-1) > 1e-12 {
				t.Errorf("bet %v over places %v has mean %v", d, ends, sum)
			}
		}
	}
}

func TestTheToleranceIsPaidFor(t *testing.T) {
	// Normal scores moved by the tolerance: each bet's mean, by summing over fine ranks, is at most 1.
	const n, tolerance = 20000, 0.35
	for _, d := range []float64{0.5, 1, 2} {
		sum := 0.0
		for i := range n {
			u := (float64(i) + 0.5) / n
			z := quantile(u) + tolerance
			sum += math.Exp(d*z-d*d/2-d*tolerance) / n
		}
		if sum > 1+1e-3 {
			t.Errorf("bet %v earns %v on a bias within the tolerance", d, sum)
		}
	}
}
