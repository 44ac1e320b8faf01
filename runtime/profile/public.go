package profile

// Public returns the part of p that may leave the server, in a report or over MQTT: counts and statistics only. It holds
// no value of the data and no cell with fewer than MinPublic cases:
//
//   - edges, range, categories and hashes of others are dropped: cells are known by their number;
//   - a bin, missing, non-finite, zero, below, above or unseen count of 1 to MinPublic-1 becomes 0;
//   - the count of rows and of the column are rounded down to a multiple of MinPublic, so that no small cell can be had
//     by subtraction;
//   - minimum and maximum are dropped, and with fewer than MinPublic values all moments; the remaining moments are means
//     of at least MinPublic values;
//   - names and counts of series, and gaps, are dropped; Coverage keeps the step and the totals.
//
// The result is for reading: it has no shape, Check refuses it and it cannot be merged.
func (p *Profile) Public() *Profile {
	out := &Profile{Schema: p.Schema, Rows: roundDown(p.Rows)}
	for i := range p.Columns {
		out.Columns = append(out.Columns, p.Columns[i].Public())
	}
	if c := p.Coverage; c != nil {
		out.Coverage = &Coverage{Time: c.Time, Groups: c.Groups, Value: c.Value, Step: c.Step, StepSeconds: c.StepSeconds, From: c.From, To: c.To, Series: []Series{}, Total: c.Total}
	}
	return out
}

// Public is Profile.Public for one column.
func (c *Column) Public() Column {
	n := c.Counts
	out := Column{Name: c.Name, Kind: c.Kind, Type: c.Type}
	out.Counts = Counts{
		Count: roundDown(n.Count), Missing: suppress(n.Missing), NonFinite: suppress(n.NonFinite), Zeros: suppress(n.Zeros),
		Below: suppress(n.Below), Above: suppress(n.Above), Unseen: suppress(n.Unseen), Distinct: suppress(n.Distinct), Approx: n.Approx,
	}
	for _, b := range n.Bins {
		out.Counts.Bins = append(out.Counts.Bins, suppress(b))
	}
	if n.Moments.N >= MinPublic {
		out.Counts.Moments = n.Moments
		out.Counts.Moments.N = roundDown(n.Moments.N)
		out.Counts.Moments.Min, out.Counts.Moments.Max = 0, 0
	}
	return out
}

func suppress(n int64) int64 {
	if n < MinPublic {
		return 0
	}
	return n
}

func roundDown(n int64) int64 { return n - n%MinPublic }
