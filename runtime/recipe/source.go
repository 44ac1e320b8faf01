package recipe

import (
	"slices"
	"time"

	"edgeward"
)

// Bounds of a Source and of what is made of it. A larger table belongs to a job of its own, not to this recipe.
const (
	MaxRows     = 5_000_000 // rows of a Source, and of a Table
	MaxFeatures = 512
	MaxGroups   = 10_000
	MaxCells    = 32 << 20 // values of X
)

// Column is one column of a Source: exactly one of Numbers and Strings is set. A missing number is NaN; Missing, if
// not nil, marks missing strings (an empty string is a value of its own).
type Column struct {
	Numbers []float64
	Strings []string
	Missing []bool
}

// Source is the plain columnar input of Build, filled by whoever can read the data (the query worker). Time holds the
// recipe's time column, in UTC; it is nil for a plain table. All columns have the same length. The order of the rows
// does not matter to a forecast; a plain table keeps it.
type Source struct {
	Time    []time.Time
	Columns map[string]Column
}

// Filter keeps the rows whose column, as text, equals Value.
type Filter struct {
	Column string `json:"column"`
	Value  string `json:"value"`
}

// Selection is what a recipe needs of a data set: read these columns of the rows that pass all filters. Filtering is
// the reader's part; the filter columns need not be returned.
type Selection struct {
	Time    string   `json:"time,omitempty"` // column to fill Source.Time from; "" for a plain table
	Numbers []string `json:"numbers"`        // columns to read as DOUBLE
	Strings []string `json:"strings"`        // columns to read as VARCHAR
	Filters []Filter `json:"filters,omitempty"`
}

// rows returns the number of rows after checking that the source has what the selection asks for.
func (s Source) rows(want Selection) (int, error) {
	const op = "recipe.Build"
	n := -1
	length := func(name string, l int) error {
		if n >= 0 && l != n {
			return invalid(op, "column %q has %d rows, others have %d", name, l, n)
		}
		n = l
		return nil
	}
	if want.Time != "" {
		if err := length(want.Time, len(s.Time)); err != nil {
			return 0, err
		}
	}
	for _, name := range slices.Concat(want.Numbers, want.Strings) {
		c, ok := s.Columns[name]
		if !ok {
			return 0, edgeward.E(op, edgeward.Invalid, "recipe.no_column", "the data has no column %q", name).With("column", name).
				WithHint("check the recipe's column names against the data set")
		}
		text := slices.Contains(want.Strings, name)
		if text && c.Strings == nil && c.Numbers != nil || !text && c.Numbers == nil && c.Strings != nil {
			return 0, edgeward.E(op, edgeward.Invalid, "recipe.column_type", "column %q is not of the kind the recipe says", name).With("column", name)
		}
		l := len(c.Numbers)
		if text {
			l = len(c.Strings)
		}
		if err := length(name, l); err != nil {
			return 0, err
		}
		if c.Missing != nil && len(c.Missing) != l {
			return 0, invalid(op, "column %q: Missing has %d entries for %d rows", name, len(c.Missing), l)
		}
	}
	if n > MaxRows {
		return 0, edgeward.E(op, edgeward.TooLarge, "recipe.too_many_rows", "%d rows, at most %d are read", n, MaxRows).
			WithHint("aggregate the data first, for instance to one row per group and day")
	}
	return n, nil
}

// text returns the string at row i and whether it is there.
func (c Column) text(i int) (string, bool) {
	if c.Missing != nil && c.Missing[i] {
		return "", false
	}
	return c.Strings[i], true
}
