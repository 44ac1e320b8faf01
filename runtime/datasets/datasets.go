// Package datasets holds the nouns of data: a data set is a name in a group, a version of it is immutable and named by
// the digest of its files.
//
// # Parties
//
// A person, a job or the S3 door brings a CSV or Parquet file. Package datasets/importer detects its format by content,
// keeps the bytes as they came, has the query worker write the same rows as one Parquet file with settled column types,
// profiles that, and makes a Version, which node adds to the Store together with its event. Training, recipes and
// exploration read the Parquet file only.
//
// # Identity
//
// A version has two files: "source.csv" or "source.parquet", the bytes as they came, and "data.parquet", the normalised
// rows. Its digest is the tree digest of both (TreeDigest). So the digest covers what was trained on, and what it came
// from can always be shown. The profile is derived and not part of the identity; it has its own digest.
//
// # Guarantees
//
//   - A version never changes. Importing the same bytes with the same declared types into the same data set answers with
//     the version that is there already, unless the engine that writes Parquet has changed in between.
//   - Nothing is imputed, dropped or reordered: the rows of data.parquet are the rows of the source, in its order.
//   - A file that cannot be read is refused whole, with code dataset.corrupt and, where known, the line.
//
// # What a caller may not assume
//
// Roles are guesses until a person confirms them. Rows are not unique. Column names are what the file says: they are not
// edgeward names and may hold any printable character.
package datasets

import (
	"context"
	"time"

	"edgeward"
	"edgeward/runtime/profile"
)

// Dataset is a named line of versions in a group.
type Dataset struct {
	Group       string    `json:"group"`
	Name        string    `json:"name"` // edgeward name, unique in the group
	Description string    `json:"description,omitempty"`
	Created     time.Time `json:"created"`
	CreatedBy   string    `json:"created_by"`
	Demo        bool      `json:"demo,omitempty"` // made by the demonstration, removed with it
}

// Version is one immutable state of a data set.
type Version struct {
	Number        int             `json:"number"` // 1, 2, …: given by the Store, a label; 0 before that
	Digest        edgeward.Digest `json:"digest"` // TreeDigest(Files), the identity
	Files         []File          `json:"files"`  // sorted by name
	Format        Format          `json:"format"` // of the source
	Rows          int64           `json:"rows"`
	Columns       []Column        `json:"columns"`
	ProfileDigest edgeward.Digest `json:"profile_digest"` // blob of profile.Encode
	Roles         Roles           `json:"roles"`
	Source        Source          `json:"source"`
	Created       time.Time       `json:"created"`
	CreatedBy     string          `json:"created_by"`
	Message       string          `json:"message,omitempty"`
}

// Names of the files of a version.
const (
	DataFile      = "data.parquet"   // normalised rows: what everything reads
	SourceCSV     = "source.csv"     // the bytes as they came
	SourceParquet = "source.parquet" // likewise
)

// File is one file of a version; its bytes are a blob.
type File struct {
	Name   string          `json:"name"`
	Size   int64           `json:"size"`
	Digest edgeward.Digest `json:"sha256"`
}

// File returns the file of that name; ok is false if the version has none.
func (v *Version) File(name string) (File, bool) {
	for _, f := range v.Files {
		if f.Name == name {
			return f, true
		}
	}
	return File{}, false
}

// Data returns the digest of the normalised Parquet file, or "" for the zero Version.
func (v *Version) Data() edgeward.Digest {
	f, _ := v.File(DataFile)
	return f.Digest
}

// Column returns the column of that name; ok is false if the version has none.
func (v *Version) Column(name string) (Column, bool) {
	for _, c := range v.Columns {
		if c.Name == name {
			return c, true
		}
	}
	return Column{}, false
}

// Column is one column of the normalised rows.
type Column struct {
	Name     string `json:"name"`
	Type     Type   `json:"type"`
	Declared bool   `json:"declared,omitempty"` // the type was given by a person, not inferred
	Source   string `json:"source,omitempty"`   // type in the source file, as the engine names it
}

// Type is the type of a column. The set is closed: everything a file holds is brought to one of these.
type Type string

// The column types.
const (
	Float     Type = "float"     // float64
	Integer   Type = "integer"   // int64
	Text      Type = "text"      // UTF-8; identifiers with leading zeros are text
	Boolean   Type = "boolean"   //
	Date      Type = "date"      // calendar day without a zone
	Timestamp Type = "timestamp" // microseconds; a zone in the source is turned into UTC, none is read as UTC
)

// ParseType is the only way text from outside becomes a Type.
func ParseType(s string) (Type, error) {
	switch t := Type(s); t {
	case Float, Integer, Text, Boolean, Date, Timestamp:
		return t, nil
	}
	return "", edgeward.E("datasets.ParseType", edgeward.Invalid, "dataset.type_invalid", "no column type is called %.40q", s).
		WithHint("use float, integer, text, boolean, date or timestamp")
}

// Kind returns how a profile counts a column of this type before looking at its values; Text becomes Categorical when it
// has few different values.
func (t Type) Kind() profile.Kind {
	switch t {
	case Float, Integer:
		return profile.Numeric
	case Boolean:
		return profile.Boolean
	case Date, Timestamp:
		return profile.Time
	default:
		return profile.Text
	}
}

// Format is the format of a source file, detected by content.
type Format string

// The formats an import accepts.
const (
	CSV     Format = "csv"
	Parquet Format = "parquet"
)

// Roles say what the columns of a table are for. As part of a Version they are a guess, offered to the person who makes
// the first recipe; every field may be empty.
type Roles struct {
	Time   string   `json:"time,omitempty"`   // when a row was true
	Groups []string `json:"groups,omitempty"` // columns that together name one series
	Target string   `json:"target,omitempty"` // what one would want to know
}

// Source says where a version came from, in words for people.
type Source struct {
	File        string `json:"file,omitempty"`        // file name as given; never opened
	Note        string `json:"note,omitempty"`        // how it was obtained
	Licence     string `json:"licence,omitempty"`     // name of the licence
	Attribution string `json:"attribution,omitempty"` // text that must stay beside the data
}

// Store keeps data sets and the rows of their versions; node/store implements it. Objects of another group answer as
// absent: NotFound with code dataset.not_found or dataset.version_not_found.
type Store interface {
	// PutDataset creates d, or changes the description of the one that is there; group, name, created and demo of an
	// existing one stay.
	PutDataset(ctx context.Context, d Dataset) error
	Dataset(ctx context.Context, group, name string) (Dataset, error)
	// AddVersion gives v the next number and keeps it. If the data set has a version with v.Digest already, that one is
	// returned and nothing is written.
	AddVersion(ctx context.Context, group, name string, v Version) (Version, error)
	// Version returns one version; number 0 means the newest.
	Version(ctx context.Context, group, name string, number int) (Version, error)
}
