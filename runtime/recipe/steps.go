package recipe

import (
	"math"
	"slices"
	"time"
)

const day = 86400 // seconds

// stepOf returns the number of the calendar step t lies in, counted from 1970.
func stepOf(frequency string, t time.Time) int64 {
	s := t.Unix()
	switch frequency {
	case Hourly:
		return floorDiv(s, 3600)
	case Weekly:
		return floorDiv(floorDiv(s, day)+3, 7) // 1970-01-01 was a Thursday
	}
	return floorDiv(s, day)
}

// timeOf returns the first instant of a step.
func timeOf(frequency string, step int64) time.Time {
	switch frequency {
	case Hourly:
		return time.Unix(step*3600, 0).UTC()
	case Weekly:
		return time.Unix((step*7-3)*day, 0).UTC()
	}
	return time.Unix(step*day, 0).UTC()
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// GuessFrequency returns the frequency whose step is the most common distance between neighbouring distinct times, or
// "" when none fits. Times need not be sorted.
func GuessFrequency(times []time.Time) string {
	s := make([]int64, len(times))
	for i, t := range times {
		s[i] = t.Unix()
	}
	slices.Sort(s)
	s = slices.Compact(s)
	count := map[int64]int{}
	for i := 1; i < len(s); i++ {
		count[s[i]-s[i-1]]++
	}
	best, most := "", 0
	for _, f := range []struct {
		name string
		step int64
	}{{Hourly, 3600}, {Daily, day}, {Weekly, 7 * day}} {
		if n := count[f.step]; n > most {
			best, most = f.name, n
		}
	}
	if 2*most <= len(s)-1 {
		return ""
	}
	return best
}

// calendar returns a calendar feature of the step that starts at t.
func calendar(name string, t time.Time) float64 {
	switch name {
	case Hour:
		return float64(t.Hour())
	case Weekday:
		return float64((t.Weekday() + 6) % 7)
	case Month:
		return float64(t.Month())
	}
	return float64(t.YearDay())
}

// series is one group on its calendar: index i is step first+i. NaN is missing.
type series struct {
	group string
	first int64
	y     []float64
	cov   [][]float64 // per covariate
}

// at returns the value at step, NaN outside.
func (s *series) at(v []float64, step int64) float64 {
	if i := step - s.first; i >= 0 && i < int64(len(v)) {
		return v[i]
	}
	return math.NaN()
}

// mean averages what is there of n steps going back from step in strides, NaN with fewer than least of them.
func (s *series) mean(step int64, stride, n, least int) float64 {
	sum, have := 0.0, 0
	for k := range n {
		if v := s.at(s.y, step-int64(k*stride)); !math.IsNaN(v) {
			sum, have = sum+v, have+1
		}
	}
	if have < least {
		return math.NaN()
	}
	return sum / float64(have)
}
