package query_test

import (
	"bytes"
	"os"
	"slices"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/query"
)

// TestAChangedNameIsSaid is for headers whose names cannot be kept: a person reads how a column is called now.
func TestAChangedNameIsSaid(t *testing.T) {
	c, _ := newClient(t)
	for _, tt := range []struct {
		name, csv string
		want      []string
	}{
		{"good names", "day,value\n2024-01-01,1\n", nil},
		{"no header", "2024-01-01,1\n2024-01-02,2\n", nil},
		{"one without a name", "day,\n2024-01-01,1\n", []string{`column 2 has no name in the file and is called "column_2"`}},
		{"two that differ by case", "a,b,A\n1,2,3\n", []string{`column 3, "A" in the file, is called "A_2": another one differs by case only, or has that name`}},
	} {
		got, err := c.Inspect(within(t, time.Minute), query.InspectRequest{Path: file(t, "in.csv", tt.csv)})
		if err != nil || !slices.Equal(got.Notes, tt.want) {
			t.Errorf("%s: notes %q (%v), want %q", tt.name, got.Notes, err, tt.want)
		}
		if _, n := normal(t, c, file(t, "in.csv", tt.csv), nil); !slices.Equal(n.Notes, tt.want) {
			t.Errorf("%s: the import notes %q, want %q", tt.name, n.Notes, tt.want)
		}
	}
}

func TestAParquetFileWithTwoColumnsOfOneNameIsRefused(t *testing.T) {
	c, _ := newClient(t)
	good, _ := normal(t, c, file(t, "in.csv", "level_a,level_b\n1,2\n"), nil)
	b, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	in := file(t, "in.parquet", string(bytes.ReplaceAll(b, []byte("level_b"), []byte("level_a"))))
	_, err = c.Inspect(within(t, time.Minute), query.InspectRequest{Path: in})
	wantError(t, err, edgeward.Invalid, "dataset.column_twice")
	if _, err := c.Inspect(within(t, time.Minute), query.InspectRequest{Path: good}); err != nil {
		t.Errorf("two names were taken for one: %v", err)
	}
}
