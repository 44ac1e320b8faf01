package query

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"edgeward"
	"edgeward/runtime/datasets"
	"edgeward/runtime/profile"
)

// blank are the characters that alone make a text missing, as in profile.Column.ObserveText.
const blank = `chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || ' '`

// profileBatch is how many numeric columns are profiled at once: quantiles keep a column's values in memory.
const profileBatch = 8

// profiler makes one profile.
type profiler struct {
	*session
	where string
	args  []any
}

func profileFile(ctx context.Context, l limits, in ProfileRequest) (*profile.Profile, error) {
	const op = "query.profile"
	l.threads = 1 // sums of floating point numbers depend on their order
	s, fields, err := openData(ctx, l, in.Path)
	if err != nil {
		return nil, err
	}
	defer s.close()
	t := tableOf(fields)
	p := profiler{session: s}
	if p.where, p.args, err = t.where(in.Where, "", time.Time{}, time.Time{}); err != nil {
		return nil, err
	}
	out := &profile.Profile{Schema: profile.Schema, Columns: make([]profile.Column, len(in.Columns))}
	if err := s.conn.QueryRowContext(ctx, "SELECT count(*) FROM data"+p.where, p.args...).Scan(&out.Rows); err != nil {
		return nil, valueFault(op, err)
	}
	var numeric []*profile.Column
	for i, c := range in.Columns {
		if err := t.check(c.Name); err != nil {
			return nil, err
		}
		col := &out.Columns[i]
		*col = profile.Column{Name: c.Name, Kind: c.Type.Kind(), Type: string(c.Type)}
		switch c.Type {
		case datasets.Float, datasets.Integer:
			numeric = append(numeric, col)
		case datasets.Text:
			if err := p.text(ctx, col); err != nil {
				return nil, err
			}
			if col.Kind == profile.Text {
				numeric = append(numeric, col)
			}
		case datasets.Boolean:
			err = p.boolean(ctx, col)
		case datasets.Date, datasets.Timestamp:
			err = p.time(ctx, col)
		default:
			err = edgeward.E(op, edgeward.Invalid, "dataset.type_invalid", "no column type is called %.40q", c.Type)
		}
		if err != nil {
			return nil, err
		}
	}
	for part := range slices.Chunk(numeric, profileBatch) {
		if err := p.numeric(ctx, part); err != nil {
			return nil, err
		}
	}
	return out, out.Check()
}

// measure is what is counted of a column as a number: its value, or the length of a text in characters.
func measure(c *profile.Column) string {
	if c.Kind == profile.Text {
		return "CASE WHEN trim(" + name(c.Name) + ", " + blank + ") <> '' THEN CAST(length(" + name(c.Name) + ") AS DOUBLE) END"
	}
	return "CAST(" + name(c.Name) + " AS DOUBLE)"
}

// numeric profiles columns in two passes: counts, range, mean and quantiles; then central sums and bins.
func (p profiler) numeric(ctx context.Context, cols []*profile.Column) error {
	const op = "query.profile"
	fractions := make([]string, profile.MaxEdges)
	for i := range fractions {
		fractions[i] = fmt.Sprintf("%d/64.0", i+1)
	}
	list := "[" + strings.Join(fractions, ", ") + "]"
	var values, asks []string
	for i, c := range cols {
		v := fmt.Sprintf("v%d", i)
		f := fmt.Sprintf("f%d", i)
		values = append(values, measure(c)+" AS "+v, "CASE WHEN isfinite("+v+") THEN "+v+" END AS "+f)
		asks = append(asks, "count("+v+")", "count("+f+")", "count(*) FILTER ("+f+" = 0)", "coalesce(min("+f+"), 0)", "coalesce(max("+f+"), 0)", "coalesce(avg("+f+"), 0)",
			"approx_count_distinct("+f+")", "quantile_disc("+f+", "+list+")")
	}
	from := " FROM (SELECT " + strings.Join(values, ", ") + " FROM data" + p.where + ")"
	type first struct {
		present, finite, zeros, distinct int64
		low, high, mean                  float64
		quantiles                        any
	}
	got := make([]first, len(cols))
	dest := []any{new(int64)}
	for i := range got {
		g := &got[i]
		dest = append(dest, &g.present, &g.finite, &g.zeros, &g.low, &g.high, &g.mean, &g.distinct, &g.quantiles)
	}
	if err := p.conn.QueryRowContext(ctx, "SELECT count(*), "+strings.Join(asks, ", ")+from, p.args...).Scan(dest...); err != nil {
		return fault(op, err)
	}
	rows := *(dest[0].(*int64))
	asks = asks[:0]
	for i, c := range cols {
		g := got[i]
		c.Low, c.High = g.low, g.high
		c.Edges = edges(g.quantiles, g.high)
		c.Counts = profile.Counts{Count: rows, Missing: rows - g.present, NonFinite: g.present - g.finite, Distinct: g.distinct, Approx: true, Bins: make([]int64, c.BinCount())}
		if c.Kind == profile.Numeric {
			c.Counts.Zeros = g.zeros
		}
		c.Counts.Moments = profile.Moments{N: g.finite, Mean: g.mean, Min: g.low, Max: g.high}
		f, d := fmt.Sprintf("f%d", i), fmt.Sprintf("(f%d - %s)", i, number(g.mean))
		bounds := make([]string, len(c.Edges))
		for k, e := range c.Edges {
			bounds[k] = number(e)
		}
		hist := "histogram(" + f + ", [" + strings.Join(bounds, ", ") + "])"
		if len(bounds) == 0 {
			hist = "map {}"
		}
		exact := "NULL"
		if g.distinct <= 2000 {
			exact = "count(DISTINCT " + f + ")"
		}
		asks = append(asks, "coalesce(sum("+d+"**2), 0)", "coalesce(sum("+d+"**3), 0)", "coalesce(sum("+d+"**4), 0)", hist, exact)
	}
	hists, exacts := make([]any, len(cols)), make([]*int64, len(cols))
	dest = dest[:0]
	for i, c := range cols {
		m := &c.Counts.Moments
		dest = append(dest, &m.M2, &m.M3, &m.M4, &hists[i], &exacts[i])
	}
	if err := p.conn.QueryRowContext(ctx, "SELECT "+strings.Join(asks, ", ")+from, p.args...).Scan(dest...); err != nil {
		return fault(op, err)
	}
	for i, c := range cols {
		if exacts[i] != nil {
			c.Counts.Distinct, c.Counts.Approx = *exacts[i], false
		}
		c.Counts.Distinct = min(c.Counts.Distinct, c.Counts.Moments.N)
		if err := fill(c, hists[i]); err != nil {
			return err
		}
	}
	return nil
}

// edges makes strictly increasing edges below high out of quantiles.
func edges(quantiles any, high float64) []float64 {
	list, _ := quantiles.([]any)
	var out []float64
	for _, q := range list {
		v, ok := q.(float64)
		if ok && v < high && (len(out) == 0 || v > out[len(out)-1]) {
			out = append(out, v)
		}
	}
	return out
}

// fill takes DuckDB's histogram, whose keys are the upper edges of the bins and +Inf, into the counts of c.
func fill(c *profile.Column, hist any) error {
	if len(c.Edges) == 0 {
		c.Counts.Bins[0] = c.Counts.Moments.N
		return nil
	}
	var bad error
	put := func(k, v any) {
		e, ok1 := k.(float64)
		n, ok2 := toInt(v)
		b := len(c.Edges)
		if !math.IsInf(e, 1) {
			b = c.Bin(e)
		}
		if !ok1 || !ok2 || b >= len(c.Counts.Bins) {
			bad = edgeward.E("query.profile", edgeward.Internal, "", "histogram of %q has entry %T %T", c.Name, k, v)
			return
		}
		c.Counts.Bins[b] += n
	}
	switch m := hist.(type) {
	case duckdb.OrderedMap:
		for i, k := range m.Keys() {
			put(k, m.Values()[i])
		}
	case nil:
	default:
		return edgeward.E("query.profile", edgeward.Internal, "", "histogram of %q is a %T", c.Name, hist)
	}
	return bad
}

func toInt(v any) (int64, bool) {
	switch v := v.(type) {
	case uint64:
		return int64(v), v <= math.MaxInt64
	case int64:
		return v, true
	}
	return 0, false
}

// text decides between Categorical and Text and counts the categories: categorical when there are at most MaxCategories
// plus MaxOther different values, each twice on average.
func (p profiler) text(ctx context.Context, c *profile.Column) error {
	const op = "query.profile"
	v := "CASE WHEN trim(" + name(c.Name) + ", " + blank + ") <> '' THEN " + name(c.Name) + " END"
	var rows, present, distinct int64
	q := "SELECT count(*), count(v), approx_count_distinct(v) FROM (SELECT " + v + " AS v FROM data" + p.where + ")"
	if err := p.conn.QueryRowContext(ctx, q, p.args...).Scan(&rows, &present, &distinct); err != nil {
		return fault(op, err)
	}
	const most = profile.MaxCategories + profile.MaxOther
	if distinct > 2*most { // far beyond what the estimate may err
		return nil
	}
	got, err := p.conn.QueryContext(ctx, fmt.Sprintf("SELECT v, count(*) FROM (SELECT %s AS v FROM data%s) WHERE v IS NOT NULL GROUP BY v ORDER BY count(*) DESC, v LIMIT %d", v, p.where, most+1), p.args...)
	if err != nil {
		return fault(op, err)
	}
	defer got.Close()
	type category struct {
		value string
		n     int64
	}
	var all []category
	for got.Next() {
		var x category
		if err := got.Scan(&x.value, &x.n); err != nil {
			return fault(op, err)
		}
		all = append(all, x)
	}
	if err := got.Err(); err != nil {
		return fault(op, err)
	}
	if len(all) > most || int64(len(all))*2 > present {
		return nil
	}
	c.Kind = profile.Categorical
	named := all[:min(len(all), profile.MaxCategories)]
	slices.SortFunc(named, func(a, b category) int { return strings.Compare(a.value, b.value) })
	c.Counts = profile.Counts{Count: rows, Missing: rows - present, Distinct: int64(len(all))}
	for _, x := range named {
		c.Categories = append(c.Categories, x.value)
		c.Counts.Bins = append(c.Counts.Bins, x.n)
	}
	var other int64
	for _, x := range all[len(named):] {
		c.Others = append(c.Others, profile.HashCategory(x.value))
		other += x.n
	}
	slices.Sort(c.Others)
	c.Others = slices.Compact(c.Others)
	c.Counts.Bins = append(c.Counts.Bins, other)
	return nil
}

func (p profiler) boolean(ctx context.Context, c *profile.Column) error {
	n := name(c.Name)
	var rows, yes, no int64
	q := "SELECT count(*), count(*) FILTER (" + n + "), count(*) FILTER (NOT " + n + ") FROM data" + p.where
	if err := p.conn.QueryRowContext(ctx, q, p.args...).Scan(&rows, &yes, &no); err != nil {
		return fault("query.profile", err)
	}
	c.Categories = []string{"false", "true"}
	c.Counts = profile.Counts{Count: rows, Missing: rows - yes - no, Bins: []int64{no, yes, 0}, Distinct: min(yes, 1) + min(no, 1)}
	return nil
}

func (p profiler) time(ctx context.Context, c *profile.Column) error {
	n := "CAST(" + name(c.Name) + " AS TIMESTAMP)"
	var rows, present, distinct int64
	var from, to *time.Time
	q := "SELECT count(*), count(v), count(DISTINCT v), min(f), max(f) FROM (SELECT v, CASE WHEN isfinite(v) THEN v END AS f FROM (SELECT " + n + " AS v FROM data" + p.where + "))"
	if err := p.conn.QueryRowContext(ctx, q, p.args...).Scan(&rows, &present, &distinct, &from, &to); err != nil {
		return fault("query.profile", err)
	}
	c.Counts = profile.Counts{Count: rows, Missing: rows - present, Distinct: distinct}
	if from != nil {
		c.Counts.From, c.Counts.To = profile.FormatTime(*from), profile.FormatTime(*to)
	}
	return nil
}
