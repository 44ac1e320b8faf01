package query

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"edgeward"
	"edgeward/runtime/datasets"
)

func page(ctx context.Context, l limits, in PageRequest) (Page, error) {
	const op = "query.page"
	if in.Limit < 1 || in.Limit > MaxPageRows || in.Offset < 0 || (in.Seed != 0 && in.Offset != 0) {
		return Page{}, edgeward.E(op, edgeward.Invalid, "query.limit", "limit %d, offset %d", in.Limit, in.Offset).
			WithHint("limit is 1 to %d, offset 0 or more, and 0 for a sample", MaxPageRows)
	}
	if in.Seed != 0 {
		l.threads = 1 // else a seed does not repeat
	}
	s, fields, err := openData(ctx, l, in.Path)
	if err != nil {
		return Page{}, err
	}
	defer s.close()
	t := tableOf(fields)
	if len(in.Columns) == 0 {
		in.Columns = t.names
	}
	if err := t.check(in.Columns...); err != nil {
		return Page{}, err
	}
	quoted := make([]string, len(in.Columns))
	for i, c := range in.Columns {
		quoted[i] = name(c)
	}
	where, args, err := t.where(in.Where, "", time.Time{}, time.Time{})
	if err != nil {
		return Page{}, err
	}
	var total int64
	if err := s.conn.QueryRowContext(ctx, "SELECT count(*) FROM data"+where, args...).Scan(&total); err != nil {
		return Page{}, valueFault(op, err)
	}
	q := "SELECT " + strings.Join(quoted, ", ") + " FROM data" + where
	if in.Seed != 0 {
		q = fmt.Sprintf("SELECT * FROM (%s) USING SAMPLE reservoir(%d ROWS) REPEATABLE (%d)", q, in.Limit, uint32(in.Seed))
	} else {
		q += fmt.Sprintf(" LIMIT %d OFFSET %d", in.Limit, in.Offset)
	}
	rows, err := s.conn.QueryContext(ctx, q, args...)
	if err != nil {
		return Page{}, valueFault(op, err)
	}
	cut := maxCell
	if in.Whole {
		cut = MaxPageBytes
	}
	out, err := readPage(rows, in.Limit, cut)
	out.Total = total
	out.More = out.More || (in.Seed == 0 && in.Offset+int64(len(out.Rows)) < total)
	return out, err
}

// readPage takes at most limit rows and MaxPageBytes, of a text at most cut bytes; More says that there are other rows.
func readPage(rows *sql.Rows, limit, cut int) (Page, error) {
	const op = "query.page"
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return Page{}, fault(op, err)
	}
	out := Page{Rows: [][]any{}, Total: -1}
	for _, t := range types {
		out.Columns = append(out.Columns, datasets.Column{Name: t.Name(), Type: shown(t.DatabaseTypeName()), Source: t.DatabaseTypeName()})
	}
	size := 0
	for rows.Next() {
		if len(out.Rows) == limit || size > MaxPageBytes {
			out.More = true
			break
		}
		row := make([]any, len(types))
		dest := make([]any, len(types))
		for i := range row {
			dest[i] = &row[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return Page{}, fault(op, err)
		}
		for i, v := range row {
			c := cell(v, out.Columns[i].Type, cut)
			if s, ok := c.(string); ok {
				size += len(s)
			}
			row[i] = c
			size += 8
		}
		out.Rows = append(out.Rows, row)
	}
	return out, fault(op, rows.Err())
}

// shown maps a type of DuckDB to ours, for display; what we have no type for is shown as text.
func shown(t string) datasets.Type {
	base, _, _ := strings.Cut(t, "(")
	switch base {
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT", "UHUGEINT":
		return datasets.Integer
	case "FLOAT", "DOUBLE", "DECIMAL":
		return datasets.Float
	case "BOOLEAN":
		return datasets.Boolean
	case "DATE":
		return datasets.Date
	case "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE":
		return datasets.Timestamp
	}
	return datasets.Text
}

// cell makes a value of DuckDB one of JSON, a text of at most cut bytes.
func cell(v any, t datasets.Type, cut int) any {
	switch v := v.(type) {
	case nil:
		return nil
	case bool:
		return v
	case float32:
		return float(float64(v))
	case float64:
		return float(v)
	case string:
		return clip(v, cut)
	case time.Time:
		if t == datasets.Date {
			return v.UTC().Format(time.DateOnly)
		}
		return v.UTC().Format(time.RFC3339Nano)
	case duckdb.Decimal:
		return json.Number(v.String())
	case int8, int16, int32, int64, uint8, uint16, uint32, uint64:
		return json.Number(fmt.Sprint(v))
	case fmt.Stringer: // big integers and the like
		if t == datasets.Integer {
			return json.Number(v.String())
		}
		return clip(v.String(), cut)
	default:
		return clip(fmt.Sprint(v), cut)
	}
}

func float(v float64) any {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	return json.Number(strconv.FormatFloat(v, 'g', -1, 64))
}

func clip(s string, cut int) string {
	if len(s) <= cut {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	s = s[:cut]
	for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) {
		s = s[:len(s)-1]
	}
	return s + "…"
}

// explore runs one SELECT of a person.
func explore(ctx context.Context, l limits, in SQLRequest) (Page, error) {
	const op = "query.sql"
	if in.Limit < 1 || in.Limit > MaxPageRows {
		return Page{}, edgeward.E(op, edgeward.Invalid, "query.limit", "limit %d", in.Limit).WithHint("limit is 1 to %d", MaxPageRows)
	}
	if len(in.SQL) > MaxSQL {
		return Page{}, edgeward.E(op, edgeward.TooLarge, "query.sql", "a query of %d bytes; at most %d", len(in.SQL), MaxSQL)
	}
	s, _, err := openData(ctx, l, in.Path)
	if err != nil {
		return Page{}, err
	}
	defer s.close()
	if err := s.oneSelect(ctx, in.SQL); err != nil {
		return Page{}, err
	}
	// The text is one whole SELECT by itself, so it stays inside these brackets.
	q := strings.TrimRight(in.SQL, "; \t\r\n")
	rows, err := s.conn.QueryContext(ctx, fmt.Sprintf("SELECT * FROM (\n%s\n) LIMIT %d", q, in.Limit+1))
	if err != nil {
		return Page{}, sqlFault(op, err)
	}
	out, err := readPage(rows, in.Limit, maxCell)
	return out, sqlFault(op, err)
}

// oneSelect has DuckDB's parser say that text is exactly one SELECT. The parser gets it as a value: nothing runs.
func (s *session) oneSelect(ctx context.Context, query string) error {
	const op = "query.sql"
	var wrong bool
	var message *string
	var statements int
	err := s.conn.QueryRowContext(ctx, `SELECT CAST(j->>'error' AS BOOLEAN), j->>'error_message', coalesce(json_array_length(j, '$.statements'), 0)
		FROM (SELECT CAST(json_serialize_sql(CAST(? AS VARCHAR)) AS JSON) AS j)`, query).Scan(&wrong, &message, &statements)
	if err != nil {
		return sqlFault(op, err)
	}
	switch {
	case wrong:
		why := "cannot be read"
		if message != nil {
			why = firstLine(*message)
		}
		return edgeward.E(op, edgeward.Invalid, "query.sql", "%s", why).WithHint(`write one SELECT over the view data, such as: SELECT count(*) FROM data`)
	case statements != 1:
		return edgeward.E(op, edgeward.Invalid, "query.sql", "%d statements", statements).WithHint("write one SELECT at a time")
	}
	return nil
}

// sqlFault is fault for a text from a person: what DuckDB says against it is the answer.
func sqlFault(op string, err error) error {
	if err == nil {
		return nil
	}
	e := fault(op, err)
	if edgeward.CodeOf(e) == "dataset.corrupt" {
		return edgeward.E(op, edgeward.Invalid, "query.sql", "%s", firstLine(strings.TrimPrefix(err.Error(), op+": "))).WithHint("the view is called data; its columns are those of the data set")
	}
	return e
}
