package query

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"edgeward"
)

// cleanName makes a column's name printable and at most 200 bytes long.
func cleanName(n string) string {
	n = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, n))
	for len(n) > 200 {
		_, size := utf8.DecodeLastRuneInString(n)
		n = n[:len(n)-size]
	}
	return n
}

// cleanNames makes column names printable, at most 200 bytes long, not empty and unique regardless of case (SQL does not
// tell "A" from "a").
func cleanNames(in []string) []string {
	out := make([]string, len(in))
	taken := map[string]bool{}
	for i, n := range in {
		n = cleanName(n)
		if n == "" {
			n = fmt.Sprintf("column_%d", i+1)
		}
		base := n
		for k := 2; taken[strings.ToLower(n)]; k++ {
			n = fmt.Sprintf("%s_%d", base, k)
		}
		taken[strings.ToLower(n)] = true
		out[i] = n
	}
	return out
}

// twice refuses names of which two are the same: nobody could say which of the columns a recipe means.
func twice(op string, names []string) error {
	at := map[string]int{}
	for i, n := range names {
		n = cleanName(n)
		first, taken := at[n]
		if at[n] = i; n == "" || !taken {
			continue
		}
		return edgeward.E(op, edgeward.Invalid, "dataset.column_twice", "columns %d and %d are both named %.60q", first+1, i+1, n).
			With("column", n).With("first", strconv.Itoa(first+1)).With("second", strconv.Itoa(i+1)).
			WithHint("give each column of the file its own name, or leave one of them out")
	}
	return nil
}

// renamed says which names of a header were changed, for a person to look at.
func renamed(header, clean []string) (notes []string) {
	for i, n := range clean {
		switch was := cleanName(header[i]); {
		case was == "":
			notes = append(notes, fmt.Sprintf("column %d has no name in the file and is called %q", i+1, n))
		case was != n:
			notes = append(notes, fmt.Sprintf("column %d, %q in the file, is called %q: another one differs by case only, or has that name", i+1, was, n))
		}
	}
	return notes
}

// parquetNames reads the names of a flat Parquet file's columns as they are in the file: DuckDB makes them unique when it
// reads. A file with nested columns gives none.
func (s *source) parquetNames(ctx context.Context, path string) ([]string, error) {
	rows, err := s.conn.QueryContext(ctx, "SELECT name, coalesce(num_children, 0) FROM parquet_schema("+text(path)+")")
	if err != nil {
		return nil, fault("query.openSource", err)
	}
	defer rows.Close()
	var names []string
	for first := true; rows.Next(); first = false {
		var n string
		var children int64
		if err := rows.Scan(&n, &children); err != nil {
			return nil, fault("query.openSource", err)
		}
		switch {
		case first: // the root
		case children > 0 || len(names) > MaxColumns:
			return nil, rows.Err()
		default:
			names = append(names, n)
		}
	}
	return names, rows.Err()
}
