package datasets_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"edgeward"
	"edgeward/runtime/datasets"
	"edgeward/runtime/profile"
)

func Example() {
	v := datasets.Version{Files: []datasets.File{
		{Name: datasets.DataFile, Size: 4, Digest: edgeward.DigestOf([]byte("PAR1"))},
		{Name: datasets.SourceCSV, Size: 8, Digest: edgeward.DigestOf([]byte("a,b\n1,2\n"))},
	}}
	v.Digest = datasets.TreeDigest(v.Files)
	fmt.Println(v.Digest.Short(), v.Data().Short())
	// Output: a1596d6d9b8b fbc62d3b5113
}

func TestTreeDigestIsOfTheCanonicalForm(t *testing.T) {
	files := []datasets.File{{Name: "b", Size: 2, Digest: edgeward.DigestOf(nil)}, {Name: "a", Size: 1, Digest: edgeward.DigestOf(nil)}}
	d := edgeward.DigestOf(nil)
	want := edgeward.DigestOf(fmt.Appendf(nil, `[{"name":"a","sha256":"%s","size":1},{"name":"b","sha256":"%s","size":2}]`, d, d))
	if got := datasets.TreeDigest(files); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if files[0].Name != "b" {
		t.Error("the argument was reordered")
	}
	slices.Reverse(files)
	if datasets.TreeDigest(files) != want {
		t.Error("the digest depends on the order")
	}
	files[0].Size++
	if datasets.TreeDigest(files) == want {
		t.Error("the digest does not cover the size")
	}
}

func TestDetect(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		want          datasets.Format
		code          string
	}{
		{"comma separated", "a,b\n1,2\n", datasets.CSV, ""},
		{"UTF-16", "\xff\xfea\x00", datasets.CSV, ""},
		{"whole Parquet", "PAR1" + strings.Repeat("x", 20) + "\x04\x00\x00\x00PAR1", datasets.Parquet, ""},
		{"nothing", "", "", "dataset.empty"},
		{"Parquet without an end", "PAR1" + strings.Repeat("x", 20), "", "dataset.corrupt"},
		{"Parquet with a footer longer than the file", "PAR1" + strings.Repeat("x", 20) + "\xff\xff\xff\x7fPAR1", "", "dataset.corrupt"},
		{"four bytes of Parquet", "PAR1", "", "dataset.corrupt"},
		{"workbook", "PK\x03\x04", "", "dataset.format_unknown"},
		{"gzip", "\x1f\x8b\x08", "", "dataset.format_unknown"},
		{"binary", "\x7fELF\x02\x01\x00", "", "dataset.format_unknown"},
	} {
		got, err := datasets.Detect(strings.NewReader(tt.content), int64(len(tt.content)))
		if got != tt.want || edgeward.CodeOf(err) != tt.code || (err != nil) != (edgeward.HintOf(err) != "") {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
}

func FuzzDetect(f *testing.F) {
	f.Add([]byte("a,b\n1,2\n"))
	f.Add([]byte("PAR1xxxxxxxx\x04\x00\x00\x00PAR1"))
	f.Add([]byte("PAR1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := datasets.Detect(bytes.NewReader(b), int64(len(b)))
		if (got == "") != (err != nil) || (err != nil && edgeward.KindOf(err) != edgeward.Invalid) {
			t.Errorf("%q %v", got, err)
		}
	})
}

func TestParseType(t *testing.T) {
	for _, s := range []string{"float", "integer", "text", "boolean", "date", "timestamp"} {
		if got, err := datasets.ParseType(s); err != nil || string(got) != s {
			t.Errorf("%s: %v", s, err)
		}
	}
	if _, err := datasets.ParseType("DOUBLE"); edgeward.CodeOf(err) != "dataset.type_invalid" {
		t.Error(err)
	}
}

// TestGuess works on profiles alone; what it makes of files is tested with the importer.
func TestGuess(t *testing.T) {
	col := func(name string, typ datasets.Type, kind profile.Kind, distinct, missing int64) (datasets.Column, profile.Column) {
		return datasets.Column{Name: name, Type: typ}, profile.Column{Name: name, Kind: kind, Counts: profile.Counts{Count: 100, Missing: missing, Distinct: distinct}}
	}
	type c struct {
		name     string
		typ      datasets.Type
		kind     profile.Kind
		distinct int64
		missing  int64
	}
	for _, tt := range []struct {
		name    string
		columns []c
		key     string // the combination that is a key
		want    string
	}{
		{"no time", []c{{"a", datasets.Float, profile.Numeric, 90, 0}, {"b", datasets.Text, profile.Categorical, 3, 0}}, "", "{ [] b}"},
		{"one series", []c{{"t", datasets.Date, profile.Time, 100, 0}, {"a", datasets.Float, profile.Numeric, 90, 0}}, "t", "{t [] a}"},
		{"a time with gaps is none", []c{{"t", datasets.Date, profile.Time, 99, 1}, {"a", datasets.Float, profile.Numeric, 90, 0}}, "t", "{ [] a}"},
		{"the finer of two times", []c{{"day", datasets.Date, profile.Time, 10, 0}, {"t", datasets.Timestamp, profile.Time, 100, 0}, {"a", datasets.Float, profile.Numeric, 90, 0}}, "t", "{t [] a}"},
		{"two columns name a series", []c{{"t", datasets.Date, profile.Time, 10, 0}, {"line", datasets.Text, profile.Categorical, 4, 0}, {"pump", datasets.Text, profile.Categorical, 5, 0}, {"a", datasets.Float, profile.Numeric, 90, 0}}, "t line pump", "{t [line pump] a}"},
		{"nothing makes a key", []c{{"t", datasets.Date, profile.Time, 10, 0}, {"line", datasets.Text, profile.Categorical, 40, 0}, {"a", datasets.Float, profile.Numeric, 90, 0}}, "never", "{t [] a}"},
		{"a telling name", []c{{"t", datasets.Date, profile.Time, 100, 0}, {"a", datasets.Float, profile.Numeric, 90, 0}, {"Demand", datasets.Float, profile.Numeric, 5, 0}}, "t", "{t [] Demand}"},
		{"a column of codes is no target beside a time", []c{{"t", datasets.Date, profile.Time, 100, 0}, {"code", datasets.Integer, profile.Numeric, 6, 0}, {"a", datasets.Float, profile.Numeric, 90, 0}}, "t", "{t [] a}"},
		{"free text is no target", []c{{"a", datasets.Float, profile.Numeric, 9, 0}, {"note", datasets.Text, profile.Text, 100, 0}}, "", "{ [] a}"},
	} {
		var columns []datasets.Column
		p := &profile.Profile{Schema: 1, Rows: 100}
		for _, x := range tt.columns {
			dc, pc := col(x.name, x.typ, x.kind, x.distinct, x.missing)
			columns, p.Columns = append(columns, dc), append(p.Columns, pc)
		}
		got, err := datasets.Guess(columns, p, func(cols []string) (bool, error) { return strings.Join(cols, " ") == tt.key, nil })
		if s := fmt.Sprint(got); err != nil || s != tt.want {
			t.Errorf("%s: %s, want %s (%v)", tt.name, s, tt.want, err)
		}
	}
}
