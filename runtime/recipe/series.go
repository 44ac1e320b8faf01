package recipe

import (
	"math"
	"slices"
	"time"

	"edgeward"
)

// maxNumber bounds the numbers of a source, so that each is a finite float32.
const maxNumber = 1e30

// cell gathers what falls into one step of one group.
type cell struct {
	step int64
	row  int
}

// series puts the source on the calendar, one series per group in byte order.
func (r Recipe) series(src Source, n int, fs []Feature) ([]*series, Report, error) {
	rep := Report{Rows: n}
	groups := map[string][]cell{}
	y := src.Columns[r.Target].Numbers
	for i := range n {
		name, ok := "", true
		if r.Group != "" {
			name, ok = src.Columns[r.Group].text(i)
		}
		if !ok || src.Time[i].IsZero() || math.IsNaN(y[i]) {
			rep.Dropped++
			continue
		}
		if math.Abs(y[i]) > maxNumber || r.Counts && y[i] < 0 {
			return nil, rep, edgeward.E("recipe.Build", edgeward.Invalid, "recipe.bad_target", "row %d: %q is %v, which is no %s", i+1, r.Target, y[i], map[bool]string{true: "count", false: "finite number"}[r.Counts]).With("column", r.Target)
		}
		groups[name] = append(groups[name], cell{stepOf(r.Frequency, src.Time[i]), i})
	}
	if len(groups) == 0 {
		return nil, rep, edgeward.E("recipe.Build", edgeward.Invalid, "recipe.no_rows", "no row of the data has a time, a group and a target").
			WithHint("check the filters: a filter compares text, so \"1\" does not equal \"01\"")
	}
	if len(groups) > MaxGroups {
		return nil, rep, edgeward.E("recipe.Build", edgeward.TooLarge, "recipe.too_many_groups", "%d groups, at most %d are modelled", len(groups), MaxGroups)
	}
	names := make([]string, 0, len(groups))
	for name := range groups {
		names = append(names, name)
	}
	slices.Sort(names)
	var all []*series
	total := int64(0)
	for _, name := range names {
		cells := groups[name]
		slices.SortStableFunc(cells, func(a, b cell) int { return int(min(max(a.step-b.step, -1), 1)) })
		first, last := cells[0].step, cells[len(cells)-1].step
		if total += last - first + 1; total > MaxRows {
			return nil, rep, edgeward.E("recipe.Build", edgeward.TooLarge, "recipe.span_too_long", "group %.80q runs from %s to %s: together more than %d steps", name,
				timeOf(r.Frequency, first).Format(time.DateOnly), timeOf(r.Frequency, last).Format(time.DateOnly), MaxRows).WithHint("look for a wrong year in the time column")
		}
		s := &series{group: name, first: first, y: nans(int(last - first + 1))}
		for _, c := range r.Covariates {
			s.cov = append(s.cov, covariate(fs[column(fs, c.Column)], src.Columns[c.Column], cells, s))
		}
		for _, c := range cells {
			at := &s.y[c.step-first]
			switch {
			case math.IsNaN(*at):
				*at = y[c.row]
			case r.Duplicates == Sum:
				*at += y[c.row]
				rep.Duplicates++
			default:
				return nil, rep, edgeward.E("recipe.Build", edgeward.Invalid, "recipe.duplicate", "two rows of group %.80q lie in the step %s", name, timeOf(r.Frequency, c.step).Format(time.DateTime)).
					WithHint("add a filter or a group column, or declare duplicates: \"sum\"")
			}
		}
		rep.Groups = append(rep.Groups, reportGroup(r.Frequency, s))
		if r.Zeros == MissingZeros {
			for i, v := range s.y {
				if v == 0 {
					s.y[i] = math.NaN()
				}
			}
		}
		all = append(all, s)
	}
	return all, rep, nil
}

// covariate puts one column on the calendar: several numbers of one step give their mean, several different categories
// none.
func covariate(f Feature, col Column, cells []cell, s *series) []float64 {
	out, count := nans(len(s.y)), make([]int, len(s.y))
	var code map[string]float64
	if f.Kind == Categorical {
		code = codes(f)
	}
	for _, x := range cells {
		i, v := x.step-s.first, math.NaN()
		if code != nil {
			if t, ok := col.text(x.row); ok {
				if k, known := code[t]; known {
					v = k
				}
			}
			if count[i] > 0 && out[i] != v {
				v = math.NaN()
			}
			out[i], count[i] = v, count[i]+1
			continue
		}
		if v = col.Numbers[x.row]; math.IsNaN(v) || math.Abs(v) > maxNumber {
			continue
		}
		if count[i]++; count[i] == 1 {
			out[i] = v
		} else {
			out[i] += (v - out[i]) / float64(count[i])
		}
	}
	return out
}

func nans(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = math.NaN()
	}
	return v
}
