package query

import (
	"time"

	"edgeward/runtime/datasets"
	"edgeward/runtime/profile"
)

// Inspection is what inspect says of a file before it is imported.
type Inspection struct {
	Format    datasets.Format   `json:"format"`
	Rows      int64             `json:"rows"`
	Columns   []datasets.Column `json:"columns"`             // as they would be normalised without declared types
	Delimiter string            `json:"delimiter,omitempty"` // of a CSV file
	Encoding  string            `json:"encoding,omitempty"`  // of a CSV file: utf-8, utf-16 or latin-1
	Header    bool              `json:"header,omitempty"`    // the first line of a CSV file holds names
	Notes     []string          `json:"notes,omitempty"`     // what a person should look at, in English
}

// InspectRequest names a CSV or Parquet file.
type InspectRequest struct {
	Path string `json:"path"`
}

// NormaliseRequest asks for the rows of Path as one Parquet file at Out, which must not exist. Types declares the type of
// columns by name; the others are inferred.
type NormaliseRequest struct {
	Path  string                   `json:"path"`
	Out   string                   `json:"out"`
	Types map[string]datasets.Type `json:"types,omitempty"`
}

// ProfileRequest names a normalised file and its columns.
type ProfileRequest struct {
	Path    string            `json:"path"`
	Columns []datasets.Column `json:"columns"`
	Where   []Filter          `json:"where,omitempty"` // profile these rows only
}

// CoverageRequest asks which calendar steps are there. Value may be empty.
type CoverageRequest struct {
	Path   string   `json:"path"`
	Time   string   `json:"time"`
	Groups []string `json:"groups,omitempty"`
	Value  string   `json:"value,omitempty"`
	Where  []Filter `json:"where,omitempty"`
}

// DistinctRequest asks in how many combinations the values of some columns come.
type DistinctRequest struct {
	Path    string   `json:"path"`
	Columns []string `json:"columns"`
}

// Distinct is the answer. A column combination is a key when both are equal.
type Distinct struct {
	Rows     int64 `json:"rows"`
	Distinct int64 `json:"distinct"`
}

// Op is a comparison in a Filter.
type Op string

// The comparisons. Eq to Ge and In compare with Values, of which all but In need exactly one.
const (
	Eq      Op = "eq"
	Ne      Op = "ne"
	Lt      Op = "lt"
	Le      Op = "le"
	Gt      Op = "gt"
	Ge      Op = "ge"
	In      Op = "in"
	Null    Op = "null"
	NotNull Op = "not_null"
)

// Filter keeps the rows of one column that compare so. Values are texts that are brought to the column's type; one that
// does not fit is Invalid "query.value". Filters are joined by "and". A missing value passes Null only.
type Filter struct {
	Column string   `json:"column"`
	Op     Op       `json:"op"`
	Values []string `json:"values,omitempty"`
}

// Bounds of a page.
const (
	MaxPageRows  = 1000
	MaxPageBytes = 8 << 20
	maxCell      = 4096 // bytes of a text shown
)

// PageRequest asks for rows in the order of the file, or for a random sample that is the same for the same Seed.
type PageRequest struct {
	Path    string   `json:"path"`
	Columns []string `json:"columns,omitempty"` // none: all
	Where   []Filter `json:"where,omitempty"`
	Offset  int64    `json:"offset,omitempty"`
	Limit   int      `json:"limit"`           // 1 to MaxPageRows
	Seed    int64    `json:"seed,omitempty"`  // not 0: a sample of Limit rows; Offset must be 0
	Whole   bool     `json:"whole,omitempty"` // long texts are not clipped; a page then has as many rows as fit into MaxPageBytes
}

// Page is rows for people. A cell is nil (missing), a bool, a json number, or a string: text, a date "2006-01-02", a time
// in RFC 3339, or "NaN", "Infinity", "-Infinity". Texts longer than 4096 bytes are clipped.
type Page struct {
	Columns []datasets.Column `json:"columns"`
	Rows    [][]any           `json:"rows"`
	Total   int64             `json:"total"`          // rows that pass the filters; -1 for method sql
	More    bool              `json:"more,omitempty"` // there are rows after these
}

// SQLRequest is one SELECT of a person over the view "data".
type SQLRequest struct {
	Path  string `json:"path"`
	SQL   string `json:"sql"`
	Limit int    `json:"limit"` // 1 to MaxPageRows
}

// MaxSQL bounds the text of a query in bytes.
const MaxSQL = 64 << 10

// SelectRequest asks for columns as typed arrays. From and To bound the time column: From <= t < To; the zero time is no
// bound.
type SelectRequest struct {
	Path    string    `json:"path"`
	Time    string    `json:"time,omitempty"`
	Numbers []string  `json:"numbers,omitempty"` // as float64; of a text column only if all its values are numbers
	Strings []string  `json:"strings,omitempty"` // as text, whatever the type
	Where   []Filter  `json:"where,omitempty"`
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"`
	Limit   int       `json:"limit,omitempty"` // rows; 0: as many as a Frame holds, more are TooLarge
}

// Normalised says what normalise wrote.
type Normalised struct {
	Format  datasets.Format   `json:"format"` // of the source
	Rows    int64             `json:"rows"`
	Columns []datasets.Column `json:"columns"`
	Notes   []string          `json:"notes,omitempty"`
}

// profiled is the answer of the method profile.
type profiled struct {
	Profile *profile.Profile `json:"profile"`
}
