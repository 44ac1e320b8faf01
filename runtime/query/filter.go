package query

import (
	"strings"
	"time"

	"edgeward"
)

// table is what a normalised file offers to a request.
type table struct {
	types map[string]string // column name -> DuckDB type
	names []string
}

func tableOf(fields []field) table {
	t := table{types: make(map[string]string, len(fields))}
	for _, f := range fields {
		t.types[f.name] = f.typ
		t.names = append(t.names, f.name)
	}
	return t
}

// check refuses a column the file does not have. Nothing else from outside becomes an identifier.
func (t table) check(columns ...string) error {
	for _, c := range columns {
		if _, ok := t.types[c]; !ok {
			return edgeward.E("query.columns", edgeward.Invalid, "dataset.column_unknown", "there is no column %.60q", c).
				With("column", c).WithHint("the columns are %.300s", strings.Join(t.names, ", "))
		}
	}
	return nil
}

var comparisons = map[Op]string{Eq: "=", Ne: "<>", Lt: "<", Le: "<=", Gt: ">", Ge: ">="}

// maxFilters bounds the filters of a request and the values of one.
const maxFilters = 1000

// where writes filters and time bounds as " WHERE …" with bound parameters; "" without any.
func (t table) where(filters []Filter, column string, from, to time.Time) (string, []any, error) {
	const op = "query.where"
	var parts []string
	var args []any
	if len(filters) > maxFilters {
		return "", nil, edgeward.E(op, edgeward.TooLarge, "query.filters", "%d filters; at most %d", len(filters), maxFilters)
	}
	for _, f := range filters {
		if err := t.check(f.Column); err != nil {
			return "", nil, err
		}
		c := name(f.Column)
		cast := "CAST(? AS " + t.types[f.Column] + ")"
		cmp, one := comparisons[f.Op]
		switch {
		case one && len(f.Values) == 1:
			parts = append(parts, c+" "+cmp+" "+cast)
			args = append(args, f.Values[0])
		case f.Op == In && len(f.Values) > 0 && len(f.Values) <= maxFilters:
			parts = append(parts, c+" IN ("+strings.TrimSuffix(strings.Repeat(cast+", ", len(f.Values)), ", ")+")")
			for _, v := range f.Values {
				args = append(args, v)
			}
		case f.Op == Null && len(f.Values) == 0:
			parts = append(parts, c+" IS NULL")
		case f.Op == NotNull && len(f.Values) == 0:
			parts = append(parts, c+" IS NOT NULL")
		default:
			return "", nil, edgeward.E(op, edgeward.Invalid, "query.filter", "no comparison %.20q with %d values", f.Op, len(f.Values)).
				WithHint("eq, ne, lt, le, gt and ge take one value, in takes 1 to %d, null and not_null take none", maxFilters)
		}
	}
	if !from.IsZero() || !to.IsZero() {
		if err := t.check(column); err != nil {
			return "", nil, err
		}
		if !from.IsZero() {
			parts, args = append(parts, name(column)+" >= ?"), append(args, from.UTC())
		}
		if !to.IsZero() {
			parts, args = append(parts, name(column)+" < ?"), append(args, to.UTC())
		}
	}
	if len(parts) == 0 {
		return "", nil, nil
	}
	return " WHERE " + strings.Join(parts, " AND "), args, nil
}

// valueFault is fault for a statement with values from outside: a value that does not fit its column is the asker's.
func valueFault(op string, err error) error {
	e := fault(op, err)
	if edgeward.CodeOf(e) == "dataset.corrupt" && strings.Contains(err.Error(), "Conversion Error") {
		return edgeward.E(op, edgeward.Invalid, "query.value", "a value does not fit the type of its column: %s", firstLine(err.Error())).
			WithHint("compare numbers with numbers, days with 2006-01-02, times with RFC 3339")
	}
	return e
}
