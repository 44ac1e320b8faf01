package profile_test

import (
	"math"
	"slices"
	"testing"

	"edgeward/runtime/profile"
)

func TestNumericShapeTakesQuantilesAsEdges(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		cells  int
		edges  []float64
	}{
		{"four equal cells", []float64{8, 7, 6, 5, 4, 3, 2, 1}, 4, []float64{2, 4, 6}},
		{"ties are merged", []float64{1, 1, 1, 1, 1, 2}, 4, []float64{1}},
		{"a constant has one cell", []float64{3, 3, 3}, 4, nil},
		{"missing is left out", []float64{math.NaN(), 1, 2, math.NaN()}, 2, []float64{1}},
		{"nothing known", []float64{math.NaN()}, 4, nil},
	} {
		got := profile.NumericShape("x", c.values, c.cells)
		if !slices.Equal(got.Edges, c.edges) || len(got.Counts.Bins) != len(c.edges)+1 {
			t.Errorf("%s: edges %v, want %v (%d bins)", c.name, got.Edges, c.edges, len(got.Counts.Bins))
		}
	}
}
