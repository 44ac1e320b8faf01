package recipe

import (
	"math"
	"slices"
	"strconv"

	"edgeward"
)

// buildPlain fills t from a plain table, row by row.
func (r Recipe) buildPlain(src Source, n int, t *Table, opt Options) (Report, error) {
	rep := Report{Rows: n}
	if n == 0 {
		return rep, edgeward.E("recipe.Build", edgeward.Invalid, "recipe.no_rows", "the data has no rows").
			WithHint("check the filters: a filter compares text, so \"1\" does not equal \"01\"")
	}
	if n*len(t.Features) > MaxCells {
		return rep, edgeward.E("recipe.Build", edgeward.TooLarge, "recipe.too_many_rows", "%d rows of %d features are more than %d values", n, len(t.Features), MaxCells)
	}
	if opt.Encoding == nil {
		encodeCovariates(t, r.Covariates, src)
	}
	t.Rows, t.X, t.Y = make([]Row, n), make([]float64, n*len(t.Features)), nans(n)
	for j, f := range t.Features {
		if err := fillColumn(t, j, f, src.Columns[f.Name]); err != nil {
			return rep, err
		}
	}
	target, ok := src.Columns[r.Target]
	if !ok {
		return rep, nil
	}
	if r.Classify {
		return r.fillClasses(t, target, rep, opt)
	}
	for i, v := range target.Numbers {
		if math.Abs(v) > maxNumber || r.Counts && v < 0 {
			return rep, edgeward.E("recipe.Build", edgeward.Invalid, "recipe.bad_target", "row %d: %q is %v", i+1, r.Target, v).With("column", r.Target)
		}
		if t.Y[i] = v; math.IsNaN(v) {
			rep.Dropped++
		}
	}
	return rep, nil
}

func fillColumn(t *Table, j int, f Feature, c Column) error {
	if f.Kind == Numeric {
		for i, v := range c.Numbers {
			if math.Abs(v) > maxNumber {
				return edgeward.E("recipe.Build", edgeward.Invalid, "recipe.bad_number", "row %d: %q is %v, beyond what a model reads", i+1, f.Name, v).With("column", f.Name)
			}
			t.X[i*len(t.Features)+j] = float64(float32(v))
		}
		return nil
	}
	code := codes(f)
	if len(code) > MaxGroups {
		return edgeward.E("recipe.Build", edgeward.TooLarge, "recipe.too_many_categories", "column %q has %d categories, at most %d are modelled", f.Name, len(code), MaxGroups).With("column", f.Name).
			WithHint("a column that names each row, such as an id, is no input for a model")
	}
	for i := range c.Strings {
		v := math.NaN()
		if s, ok := c.text(i); ok {
			if k, known := code[s]; known {
				v = k
			}
		}
		t.X[i*len(t.Features)+j] = v
	}
	return nil
}

// fillClasses numbers the target's classes. A value outside declared classes is an error, a missing one is not known.
func (r Recipe) fillClasses(t *Table, target Column, rep Report, opt Options) (Report, error) {
	if opt.Encoding == nil {
		if t.Classes = slices.Clone(r.Classes); len(t.Classes) == 0 {
			t.Classes = distinct(target)
		}
		if len(t.Classes) < 2 || len(t.Classes) > MaxClasses {
			return rep, edgeward.E("recipe.Build", edgeward.Invalid, "recipe.bad_classes", "column %q has %d classes; 2 to %d can be told apart", r.Target, len(t.Classes), MaxClasses).
				With("column", r.Target).WithHint("a number with many values is a regression: leave classify out")
		}
	}
	code := codes(Feature{Categories: t.Classes})
	for i := range target.Strings {
		s, ok := target.text(i)
		if !ok {
			rep.Dropped++
			continue
		}
		if t.Y[i], ok = code[s]; !ok {
			return rep, edgeward.E("recipe.Build", edgeward.Invalid, "recipe.bad_classes", "row %d: %s is none of the classes of %q", i+1, strconv.Quote(s[:min(len(s), 80)]), r.Target).With("column", r.Target)
		}
	}
	return rep, nil
}
