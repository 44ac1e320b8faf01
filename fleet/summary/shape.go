package summary

import (
	"math"
	"slices"

	"edgeward/runtime/models"
	"edgeward/runtime/profile"
	"edgeward/runtime/tensor"
)

// answerCells is how many quantile cells an answer that is a number is counted in.
const answerCells = 16

// Shape fixes the cells a version's answers and features are counted in. It is made of the version alone, so it is the same wherever the
// version is. The zero Shape counts neither.
type Shape struct {
	Classes  []string         // of a classifier, by the number of their cell
	classes  int              // how many; 0: answers are numbers
	Answer   *profile.Column  // of the first number of an answer; nil: not counted
	Features []profile.Column // of the columns of the [N,F] input, with the counts of training
}

// ShapeOf makes the shape of a version of its manifest, the forecasts of its validation residuals and its feature profile; both may be missing.
func ShapeOf(m models.Manifest, forecasts []float64, features *profile.Profile) Shape {
	s := Shape{Classes: m.Classes}
	if len(m.Signature.Outputs) > 0 {
		s.classes = classesOf(m)
	}
	if s.classes == 0 && len(forecasts) >= MinCases {
		c := profile.NumericShape("answer", forecasts, answerCells)
		for _, x := range forecasts {
			c.Observe(x)
		}
		s.Answer = &c
	}
	if features != nil && len(features.Columns) <= MaxFeatures {
		s.Features = features.Columns
	}
	return s
}

// classesOf is how many classes an answer chooses among, as node/monitor reads it; 0 if it names none.
func classesOf(m models.Manifest) int {
	if m.Task != models.Image && m.Task != models.Multiclass && m.Task != models.Binary {
		return 0
	}
	first := m.Signature.Outputs[0]
	width := int64(1)
	if n := len(first.Shape); n > 1 {
		width = first.Shape[n-1]
	}
	switch {
	case width >= 2 && width < MaxCells:
		return int(width)
	case width == 1 && m.Task == models.Binary:
		return 2
	case width == 1 && (first.Datatype == tensor.Int64 || first.Datatype == tensor.Int32):
		return max(len(m.Classes), 2)
	}
	return 0
}

// width is how many cells a column has: its bins, what is missing or not finite, what is unseen, as drift.ColumnOf has them.
func width(c *profile.Column) int { return c.BinCount() + 2 }

// AnswerCells is how many cells answers are counted in; 0: they are not.
func (s *Shape) AnswerCells() int {
	switch {
	case s.classes > 0:
		return s.classes + 1 // and what is none of them
	case s.Answer != nil:
		return width(s.Answer)
	}
	return 0
}

// class is the class that the values of a row name, -1 for none.
func (s *Shape) class(row []float64) int {
	k := 0
	switch {
	case len(row) == 0 || slices.ContainsFunc(row, math.IsNaN):
		return -1
	case len(row) > 1:
		return slices.Index(row, slices.Max(row))
	case s.classes == 2 && row[0] != math.Trunc(row[0]):
		if row[0] >= 0.5 {
			k = 1
		}
	default:
		k = int(row[0])
	}
	if k < 0 || k >= s.classes {
		return -1
	}
	return k
}

// cell is the cell of an answer's row.
func (s *Shape) cell(row []float64) (int, bool) {
	switch {
	case s.classes > 0:
		k := s.class(row)
		if k < 0 {
			k = s.classes
		}
		return k, true
	case s.Answer != nil && len(row) > 0:
		return cellOf(s.Answer, row[0]), true
	}
	return 0, false
}

// cellOf is the cell of a column's number.
func cellOf(c *profile.Column, x float64) int {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return c.BinCount()
	}
	return c.Bin(x)
}

// reference are a column's counts in the order of cells.
func reference(c *profile.Column) []int64 {
	return append(slices.Clone(c.Counts.Bins), c.Counts.Missing+c.Counts.NonFinite, c.Counts.Unseen)
}
