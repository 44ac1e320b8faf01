package recipe

import "time"

// Bounds of a Source and of what is made of it. A larger table belongs to a job of its own, not to this recipe.
const (
	MaxRows     = 5_000_000
	MaxFeatures = 512
	MaxGroups   = 10_000
	MaxCells    = 64 << 20 // values of X
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
// does not matter to a forecast.
type Source struct {
	Time    []time.Time
	Columns map[string]Column
}

// Filter keeps the rows whose column, as text, equals Value.
type Filter struct {
	Column string `json:"column"`
	Value  string `json:"value"`
}

// Selection is what a recipe needs of a data set: read these columns of the rows that pass all filters. Filter columns
// need not be returned; if a Source has them, Build applies the filters again.
type Selection struct {
	Time    string   `json:"time,omitempty"` // column to fill Source.Time from; "" for a plain table
	Numbers []string `json:"numbers"`        // columns to read as DOUBLE
	Strings []string `json:"strings"`        // columns to read as VARCHAR
	Filters []Filter `json:"filters,omitempty"`
}
