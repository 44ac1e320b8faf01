package profile

import (
	"math"
	"slices"
)

// NumericShape returns an empty numeric column whose inner edges are the k/cells quantiles of values (the smallest value
// with at least that share at or below it), equal ones merged. NaN is left out; without a finite value the column has
// one bin.
func NumericShape(name string, values []float64, cells int) Column {
	sorted := slices.DeleteFunc(slices.Clone(values), func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
	slices.Sort(sorted)
	c := Column{Name: name, Kind: Numeric, Type: "float"}
	if n := len(sorted); n > 0 {
		c.Low, c.High = sorted[0], sorted[n-1]
		for k := 1; k < min(max(cells, 1), MaxBins); k++ {
			e := sorted[min(n-1, (k*n+cells-1)/cells-1)]
			if e < c.High && (len(c.Edges) == 0 || e > c.Edges[len(c.Edges)-1]) {
				c.Edges = append(c.Edges, e)
			}
		}
	}
	c.Counts.Bins = make([]int64, c.BinCount())
	return c
}
