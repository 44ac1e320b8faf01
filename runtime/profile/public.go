package profile

import "math"

// Public returns the part of p that may leave the server, in a report or over MQTT: counts and statistics only. It holds
// no value of the data and no cell with fewer than MinPublic cases:
//
//   - edges, range, categories and hashes of others are dropped: cells are known by their number;
//   - of the cells that make up a column (bins, missing, not finite, unseen) those with 1 to MinPublic-1 cases become 0,
//     and so do the next smaller ones until the hidden cells are at least two and hold MinPublic cases together: no small
//     cell can be had by subtraction from the total;
//   - zeros, below and above become 0 when they, or what they leave of the values, are fewer than MinPublic;
//   - of the moments only count, mean and M2 stay, the last two rounded to three digits, and these only for at least
//     MinPublic values of which none makes up half of M2, because such a value could be worked out;
//   - first and last time, series and gaps are dropped; Coverage keeps the step and the number of series.
//
// The result is for reading: it has no shape, Check refuses it and it cannot be merged.
func (p *Profile) Public() *Profile {
	out := &Profile{Schema: p.Schema, Rows: suppress(p.Rows)}
	for i := range p.Columns {
		out.Columns = append(out.Columns, p.Columns[i].Public())
	}
	if c := p.Coverage; c != nil {
		out.Coverage = &Coverage{Time: c.Time, Groups: c.Groups, Value: c.Value, Step: c.Step, StepSeconds: c.StepSeconds, Series: []Series{}, Total: c.Total}
	}
	return out
}

// Public is Profile.Public for one column.
func (c *Column) Public() Column {
	n := c.Counts
	out := Column{Name: c.Name, Kind: c.Kind, Type: c.Type}
	if n.Count < MinPublic {
		return out
	}
	// The last cell is what is in no other: the present values of a time column.
	cells := append([]int64{n.Missing, n.NonFinite, n.Unseen}, n.Bins...)
	rest := n.Count
	for _, v := range cells {
		rest -= v
	}
	cells = append(cells, rest)
	hideSmall(cells)
	out.Counts = Counts{Count: n.Count, Missing: cells[0], NonFinite: cells[1], Unseen: cells[2], Distinct: suppress(n.Distinct), Approx: n.Approx}
	if len(n.Bins) > 0 {
		out.Counts.Bins = cells[3 : len(cells)-1]
	}
	present := n.Present()
	part := func(v int64) int64 {
		if v < present && present-v < MinPublic {
			return 0
		}
		return suppress(v)
	}
	out.Counts.Zeros, out.Counts.Below, out.Counts.Above = part(n.Zeros), part(n.Below), part(n.Above)
	m := n.Moments
	if far := max(m.Max-m.Mean, m.Mean-m.Min); m.N >= MinPublic && far*far <= m.M2/2 {
		out.Counts.Moments = Moments{N: m.N, Mean: threeDigits(m.Mean), M2: threeDigits(m.M2)}
	}
	return out
}

// hideSmall sets small cells to 0, and the smallest others with them until nobody can work them out from the sum.
func hideSmall(cells []int64) {
	var hidden, sum int64
	for i, v := range cells {
		if v > 0 && v < MinPublic {
			hidden, sum, cells[i] = hidden+1, sum+v, 0
		}
	}
	for hidden > 0 && (hidden < 2 || sum < MinPublic) {
		least := -1
		for i, v := range cells {
			if v > 0 && (least < 0 || v < cells[least]) {
				least = i
			}
		}
		if least < 0 {
			return
		}
		hidden, sum, cells[least] = hidden+1, sum+cells[least], 0
	}
}

func suppress(n int64) int64 {
	if n < MinPublic {
		return 0
	}
	return n
}

func threeDigits(v float64) float64 {
	if v == 0 {
		return 0
	}
	scale := math.Pow(10, 2-math.Floor(math.Log10(math.Abs(v))))
	if r := math.Round(v*scale) / scale; !math.IsInf(r, 0) && !math.IsNaN(r) {
		return r
	}
	return 0
}
