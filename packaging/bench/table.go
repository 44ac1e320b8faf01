package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// sample is what was measured of one thing, once per round.
type sample []float64

func (s sample) median() float64 {
	v := slices.Sorted(slices.Values(s))
	if len(v) == 0 {
		return 0
	}
	return (v[len(v)/2] + v[(len(v)-1)/2]) / 2
}

// String is the median with the range.
func (s sample) String() string {
	switch len(s) {
	case 0:
		return "-"
	case 1:
		return short(s[0])
	}
	return fmt.Sprintf("%s (%s-%s)", short(s.median()), short(slices.Min(s)), short(slices.Max(s)))
}

// short writes three digits.
func short(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// table keeps samples by row and column in the order in which they first came, and prints Markdown.
type table struct {
	columns []string
	rows    []string
	cells   map[[2]string]sample
}

// plain is a table as it is kept in a file.
type plain struct {
	Columns []string                     `json:"columns"`
	Rows    []string                     `json:"rows"`
	Cells   map[string]map[string]sample `json:"cells"` // by row and column
}

// MarshalJSON writes the samples.
func (t *table) MarshalJSON() ([]byte, error) {
	p := plain{t.columns, t.rows, map[string]map[string]sample{}}
	for at, s := range t.cells {
		if p.Cells[at[0]] == nil {
			p.Cells[at[0]] = map[string]sample{}
		}
		p.Cells[at[0]][at[1]] = s
	}
	return json.Marshal(p)
}

// UnmarshalJSON reads them back.
func (t *table) UnmarshalJSON(b []byte) error {
	var p plain
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*t = table{p.Columns, p.Rows, map[[2]string]sample{}}
	for row, columns := range p.Cells {
		for column, s := range columns {
			t.cells[[2]string{row, column}] = s
		}
	}
	return nil
}

func newTable(columns ...string) *table {
	return &table{columns: columns, cells: map[[2]string]sample{}}
}

// add adds a sample; what is not a number, such as a ratio to something that was not measured, is none.
func (t *table) add(row, column string, v float64) {
	if math.IsNaN(v) {
		return
	}
	if !slices.Contains(t.rows, row) {
		t.rows = append(t.rows, row)
	}
	t.cells[[2]string{row, column}] = append(t.cells[[2]string{row, column}], v)
}

// last is what was added to a cell last; NaN if nothing was.
func (t *table) last(row, column string) float64 {
	s := t.cells[[2]string{row, column}]
	if len(s) == 0 {
		return math.NaN()
	}
	return s[len(s)-1]
}

func (t *table) print() {
	fmt.Printf("\n| | %s |\n|---%s|\n", strings.Join(t.columns, " | "), strings.Repeat("|---", len(t.columns)))
	for _, row := range t.rows {
		fmt.Printf("| %s |", row)
		for _, c := range t.columns {
			fmt.Printf(" %s |", t.cells[[2]string{row, c}])
		}
		fmt.Println()
	}
}
