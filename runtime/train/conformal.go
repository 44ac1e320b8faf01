package train

import (
	"math"
	"slices"
)

// minResiduals is how many residuals a group needs for an interval of its own.
const minResiduals = 30

// offsets makes the conformal offsets from signed Calibration residuals (in units of the level where the recipe
// normalises): per known group in order of its code, then the pooled one. The ranks are split conformal prediction's:
// of n residuals the floor((n+1)a/2)-th and the ceil((n+1)(1-a/2))-th smallest for level 1-a (Lei et al., 2018,
// "Distribution-free predictive inference for regression", taken on both sides separately).
func offsets(byGroup map[string][]float64, groups []string, level float64) []Offset {
	var pooled []float64
	for _, g := range sortedKeys(byGroup) {
		pooled = append(pooled, byGroup[g]...)
	}
	all := offset("", pooled, level)
	var out []Offset
	for _, g := range groups {
		if r := byGroup[g]; len(r) >= minResiduals {
			out = append(out, offset(g, r, level))
		} else {
			own := all
			own.Group = g
			out = append(out, own)
		}
	}
	return append(out, all)
}

func offset(group string, residuals []float64, level float64) Offset {
	n := len(residuals)
	if n == 0 {
		return Offset{Group: group}
	}
	r := slices.Clone(residuals)
	slices.Sort(r)
	alpha := 1 - level
	low := int(math.Floor(float64(n+1)*alpha/2)) - 1
	high := int(math.Ceil(float64(n+1)*(1-alpha/2))) - 1
	return Offset{group, math.Min(0, r[max(low, 0)]), math.Max(0, r[min(high, n-1)]), n}
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
