// Package profile is the one definition of a profile: what is known about each column of a table, in a form that can be
// stored, compared and added up.
//
// # Parties
//
// runtime/query computes a profile once, when a data set version is imported. It is stored with the version, copied into
// the manifest of each model trained on it, and used unchanged as drift reference. A serving node counts live values into
// an empty profile of the same shape (Fresh), and runtime/drift compares the two. A hub adds the profiles of many nodes.
//
// # Guarantees
//
//   - The shape of a column (kind, edges, categories, range) is fixed by the reference; only counts change afterwards. So
//     the counts of two nodes add up to the counts of the pooled data, bit for bit, in any order (Merge).
//   - Observe, ObserveText and ObserveMissing do not allocate.
//   - Encode is canonical: the same profile gives the same bytes, so a digest names it.
//   - Public gives what may leave the server: no value of the data, no cell with fewer than MinPublic cases.
//
// # What a caller may not assume
//
// A Profile and its columns are plain values without locks: whoever counts live values owns the lock. Moments are sums of
// floating point numbers: they agree to rounding, not to the bit, when the order of merging differs. Distinct is not
// additive; after Merge it is a lower bound.
package profile

import (
	"time"
)

// Schema is the number of the stored form. A reader accepts Schema and the one before it.
const Schema = 1

// Limits of the shape of a column.
const (
	MaxEdges      = 63   // quantile edges of a numeric column
	MaxBins       = 64   // MaxEdges + 1
	MaxCategories = 64   // named categories; the rest of the reference is Other
	MaxOther      = 1000 // distinct values behind Other whose hashes are kept; a column with more is Text
	MaxColumns    = 4096 // columns of a table
	MinPublic     = 10   // cases a cell needs before it may leave the server
)

// Kind says how a column is counted.
type Kind string

// The kinds of a column.
const (
	Numeric     Kind = "numeric"     // bins between reference quantiles
	Categorical Kind = "categorical" // one cell per named category, one for the others
	Boolean     Kind = "boolean"     // categorical with the categories "false" and "true"
	Time        Kind = "time"        // range only; its steps are described by Coverage
	Text        Kind = "text"        // identifiers and free text: the length in characters is counted like a number
)

// Profile describes one table, or one window of live values counted in the shape of a reference table.
type Profile struct {
	Schema   int       `json:"schema"`
	Rows     int64     `json:"rows"`
	Columns  []Column  `json:"columns"`
	Coverage *Coverage `json:"coverage,omitempty"` // nil when the table has no time column, and in live windows
}

// Column is the shape of one column and its counts. Fresh clears the counts and keeps the shape.
type Column struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	Type string `json:"type"` // column type as in datasets: float, integer, text, boolean, date, timestamp

	// Shape of a Numeric or Text column. Bin i holds Edges[i-1] < v <= Edges[i]; the last bin is open above. Edges are
	// strictly increasing data values (the k/64 quantiles of the reference, equal ones merged), so a column with few
	// different values has fewer bins. Low and High are the range of the reference.
	Edges []float64 `json:"edges,omitempty"`
	Low   float64   `json:"low,omitempty"`
	High  float64   `json:"high,omitempty"`

	// Shape of a Categorical or Boolean column: the most frequent values, sorted by their bytes. Others holds the sorted
	// 32-bit FNV-1a hashes of the remaining values of the reference: it tells Other from Unseen.
	Categories []string `json:"categories,omitempty"`
	Others     []uint32 `json:"others,omitempty"`

	Counts Counts `json:"counts"`
}

// Counts is everything about a column that adds up. Bins has BinCount entries.
type Counts struct {
	Count     int64   `json:"count"`                // rows, missing ones included
	Missing   int64   `json:"missing"`              // null, or empty after trimming
	NonFinite int64   `json:"non_finite,omitempty"` // NaN and infinities of a Numeric column
	Zeros     int64   `json:"zeros,omitempty"`      // values equal to 0 of a Numeric column
	Bins      []int64 `json:"bins,omitempty"`       // numeric: per bin; categorical: per category, then Other
	Below     int64   `json:"below,omitempty"`      // values < Low; these are in the first bin as well
	Above     int64   `json:"above,omitempty"`      // values > High; these are in the last bin as well
	Unseen    int64   `json:"unseen,omitempty"`     // categories the reference never had; in no bin
	Distinct  int64   `json:"distinct,omitempty"`   // different values; 0 in live windows
	Approx    bool    `json:"approx,omitempty"`     // Distinct is an estimate (HyperLogLog, about 2 %) or a lower bound
	Moments   Moments `json:"moments"`              // of the finite values, or of the lengths of a Text column
	From      string  `json:"from,omitempty"`       // Time: first value, RFC 3339 in UTC
	To        string  `json:"to,omitempty"`         // Time: last value
}

// BinCount returns the number of bins the shape of c asks for.
func (c *Column) BinCount() int {
	switch c.Kind {
	case Numeric, Text:
		return len(c.Edges) + 1
	case Categorical, Boolean:
		return len(c.Categories) + 1
	default:
		return 0
	}
}

// Column returns the column of that name, or nil.
func (p *Profile) Column(name string) *Column {
	for i := range p.Columns {
		if p.Columns[i].Name == name {
			return &p.Columns[i]
		}
	}
	return nil
}

// Fresh returns an empty profile with the shape of p for the named columns, or for all columns if none is named. It
// shares edges and categories with p, which nobody may change. Names that p lacks are left out.
func (p *Profile) Fresh(names ...string) *Profile {
	out := &Profile{Schema: p.Schema}
	add := func(c *Column) {
		f := *c
		f.Counts = Counts{}
		if n := c.BinCount(); n > 0 {
			f.Counts.Bins = make([]int64, n)
		}
		out.Columns = append(out.Columns, f)
	}
	if len(names) == 0 {
		for i := range p.Columns {
			add(&p.Columns[i])
		}
		return out
	}
	for _, n := range names {
		if c := p.Column(n); c != nil {
			add(c)
		}
	}
	return out
}

// Coverage says which calendar steps of a time series are there. Gaps are reported and never filled.
type Coverage struct {
	Time        string   `json:"time"`             // the time column
	Groups      []string `json:"groups,omitempty"` // the columns that name a series
	Value       string   `json:"value,omitempty"`  // the column whose zeros and missing values are counted
	Step        string   `json:"step"`             // "hour", "day", "week", "month", "15 minutes"; "" when irregular
	StepSeconds int64    `json:"step_seconds"`     // length of a step; 0 for "month" and when irregular
	From        string   `json:"from"`             // first and last step of all series, RFC 3339 in UTC
	To          string   `json:"to"`
	Series      []Series `json:"series"` // at most MaxSeries, sorted by key
	Total       int      `json:"total"`  // number of series, listed or not
}

// Limits of a Coverage.
const (
	MaxSeries    = 500  // series listed
	MaxGaps      = 100  // gaps listed per series
	MaxGapsInAll = 2000 // gaps listed: with many series each lists fewer, but at least three
)

// Series is the coverage of one series, between its own first and last step.
type Series struct {
	Key        []string `json:"key,omitempty"` // one value per group column
	Rows       int64    `json:"rows"`
	Steps      int64    `json:"steps"`      // different time stamps
	Missing    int64    `json:"missing"`    // calendar steps between From and To without a row
	Duplicates int64    `json:"duplicates"` // rows beyond the first of a time stamp
	Zeros      int64    `json:"zeros"`      // rows whose value is 0
	Empty      int64    `json:"empty"`      // rows whose value is missing
	From       string   `json:"from"`
	To         string   `json:"to"`
	Gaps       []Gap    `json:"gaps,omitempty"` // runs of missing steps, oldest first; bounded, see MaxGapsInAll
}

// Gap is a run of missing steps, both ends missing.
type Gap struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Steps int64  `json:"steps"`
}

// FormatTime writes t as every time in a profile is written: RFC 3339 in UTC.
func FormatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
