package summary

import "math"

// Sum adds numbers exactly: it is a list of numbers that do not overlap, smallest first, and its value is their sum, rounded once (Shewchuk,
// "Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric Predicates", Discrete & Computational Geometry 18, 1997). The zero
// Sum is 0. At most 40 numbers are ever needed.
type Sum []float64

// largest bounds what is added, so that no sum of a lifetime overflows.
const largest = 1e150

// Add returns s and x. What is not finite, or above 1e150, is left out.
func (s Sum) Add(x float64) Sum {
	if !(math.Abs(x) <= largest) {
		return s
	}
	out := make(Sum, 0, len(s)+1)
	for _, y := range s {
		if math.Abs(x) < math.Abs(y) {
			x, y = y, x
		}
		high := x + y
		if low := y - (high - x); low != 0 {
			out = append(out, low)
		}
		x = high
	}
	if x != 0 {
		out = append(out, x)
	}
	return out
}

// Merge returns the sum of both.
func (s Sum) Merge(o Sum) Sum {
	for _, x := range o {
		s = s.Add(x)
	}
	return s
}

// Value is the sum, correctly rounded: the same for the same numbers in any order.
func (s Sum) Value() float64 {
	i := len(s) - 1
	if i < 0 {
		return 0
	}
	high := s[i]
	low := 0.0
	for i > 0 && low == 0 {
		i--
		x := high
		high = x + s[i]
		low = s[i] - (high - x)
	}
	// Where high is half way between two numbers, what is left below decides.
	if i > 0 && (low < 0 && s[i-1] < 0 || low > 0 && s[i-1] > 0) {
		if y := 2 * low; y == (high+y)-high {
			high += y
		}
	}
	return high
}
