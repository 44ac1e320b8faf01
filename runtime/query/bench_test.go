package query_test

import (
	"testing"
	"time"

	"edgeward/runtime/datasets"
	"edgeward/runtime/query"
)

// BenchmarkSmallPage is the cost of a call: a DuckDB of its own is opened and locked for it.
func BenchmarkSmallPage(b *testing.B) {
	c, _ := newClient(b)
	data, _ := normal(b, c, "testdata/seed-quality.csv", nil)
	for b.Loop() {
		if _, err := c.Page(within(b, time.Minute), query.PageRequest{Path: data, Limit: 10}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSelectDemo reads what a recipe of the demonstration reads, and the whole table.
func BenchmarkSelectDemo(b *testing.B) {
	c, _ := newClient(b)
	data, _ := normal(b, c, demo, nil)
	for name, where := range map[string][]query.Filter{"one cause": {{Column: "cause_id", Op: query.Eq, Values: []string{"1"}}}, "all": nil} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f, err := c.Select(within(b, time.Minute), query.SelectRequest{Path: data, Time: "date", Numbers: []string{"count"}, Strings: []string{"facility_code"}, Where: where})
				if err != nil || f.Rows < 3000 {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkImportDemo is what an import does with the file: find its types, check every row, write it anew.
func BenchmarkImportDemo(b *testing.B) {
	c, _ := newClient(b)
	for b.Loop() {
		normal(b, c, demo, map[string]datasets.Type{"cause_id": datasets.Text})
	}
}
