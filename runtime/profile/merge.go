package profile

import (
	"slices"
	"strconv"

	"edgeward"
)

// SameShape reports whether counts of a and b may be added and compared: same name, kind, edges, range and categories.
func SameShape(a, b *Column) bool {
	return a.Name == b.Name && a.Kind == b.Kind && a.Low == b.Low && a.High == b.High &&
		slices.Equal(a.Edges, b.Edges) && slices.Equal(a.Categories, b.Categories) && slices.Equal(a.Others, b.Others)
}

// Merge adds the counts of o, which must have the same columns in the same order and shape: then the result is what one
// profile over the pooled data would count, exactly and in any order (moments to rounding, Distinct as a lower bound).
// Coverage does not add up and is dropped. Conflict "profile.shape" leaves p unchanged.
func (p *Profile) Merge(o *Profile) error {
	if len(p.Columns) != len(o.Columns) {
		return shapeError(len(p.Columns), "")
	}
	for i := range p.Columns {
		if !SameShape(&p.Columns[i], &o.Columns[i]) || len(p.Columns[i].Counts.Bins) != len(o.Columns[i].Counts.Bins) {
			return shapeError(i, p.Columns[i].Name)
		}
	}
	p.Rows += o.Rows
	p.Coverage = nil
	for i := range p.Columns {
		p.Columns[i].Counts.Merge(&o.Columns[i].Counts)
	}
	return nil
}

func shapeError(i int, name string) error {
	return edgeward.E("profile.Merge", edgeward.Conflict, "profile.shape", "column %d %.40q is counted in another shape", i, name).
		With("column", strconv.Itoa(i)).WithHint("only profiles that started from the same reference add up")
}

// Merge adds the counts of o, of the same shape.
func (n *Counts) Merge(o *Counts) {
	n.Count += o.Count
	n.Missing += o.Missing
	n.NonFinite += o.NonFinite
	n.Zeros += o.Zeros
	n.Below += o.Below
	n.Above += o.Above
	n.Unseen += o.Unseen
	for i, b := range o.Bins {
		n.Bins[i] += b
	}
	n.Moments.Merge(o.Moments)
	n.Approx = n.Approx || o.Approx || (n.Distinct > 0 && o.Distinct > 0)
	n.Distinct = max(n.Distinct, o.Distinct)
	if o.From != "" && (n.From == "" || o.From < n.From) {
		n.From = o.From
	}
	if o.To > n.To {
		n.To = o.To
	}
}
