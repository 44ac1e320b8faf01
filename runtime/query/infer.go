package query

import (
	"context"
	"fmt"
	"strings"

	"edgeward/runtime/datasets"
)

// form is one way a text stands for a value of a type. test and cast are SQL over {v}, the trimmed text; test is true or
// false, cast gives null for what does not fit.
type form struct {
	typ  datasets.Type
	name string
	test string
	cast string
}

func stamps(formats ...string) string { return "['" + strings.Join(formats, "', '") + "']" }

var (
	dayFirst      = stamps("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y")
	monthFirst    = stamps("%m/%d/%Y", "%m-%d-%Y")
	dayFirstTime  = stamps("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M")
	monthFirstTwo = stamps("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m-%d-%Y %H:%M:%S", "%m-%d-%Y %H:%M")
)

// forms in the order of preference: the first that fits all values is taken. A number with a leading zero is an
// identifier, so it fits none of the number forms.
var forms = []form{
	{datasets.Boolean, "true/false", `lower({v}) IN ('true', 'false')`, `CASE lower({v}) WHEN 'true' THEN true WHEN 'false' THEN false END`},
	{datasets.Integer, "integer", `regexp_full_match({v}, '[+-]?(0|[1-9][0-9]{0,17})')`, `TRY_CAST({v} AS BIGINT)`},
	{datasets.Float, "decimal point", `regexp_full_match({v}, '[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?|[+-]?(?i:inf|infinity)')`, `TRY_CAST({v} AS DOUBLE)`},
	{datasets.Float, "decimal comma", `regexp_full_match({v}, '[+-]?(0|[1-9][0-9]*)(,[0-9]+)?')`, `TRY_CAST(replace({v}, ',', '.') AS DOUBLE)`},
	{datasets.Date, "year-month-day", `regexp_full_match({v}, '[0-9]{4}-[0-9]{2}-[0-9]{2}') AND TRY_CAST({v} AS DATE) IS NOT NULL`, `TRY_CAST({v} AS DATE)`},
	{datasets.Timestamp, "ISO 8601", `regexp_matches({v}, '^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}|$)') AND TRY_CAST({v} AS TIMESTAMPTZ) IS NOT NULL`, `timezone('UTC', TRY_CAST({v} AS TIMESTAMPTZ))`},
	{datasets.Date, "day first", `try_strptime({v}, ` + dayFirst + `) IS NOT NULL`, `CAST(try_strptime({v}, ` + dayFirst + `) AS DATE)`},
	{datasets.Date, "month first", `try_strptime({v}, ` + monthFirst + `) IS NOT NULL`, `CAST(try_strptime({v}, ` + monthFirst + `) AS DATE)`},
	{datasets.Timestamp, "day first", `try_strptime({v}, ` + dayFirstTime + `) IS NOT NULL`, `try_strptime({v}, ` + dayFirstTime + `)`},
	{datasets.Timestamp, "month first", `try_strptime({v}, ` + monthFirstTwo + `) IS NOT NULL`, `try_strptime({v}, ` + monthFirstTwo + `)`},
}

// asText takes every value as it is.
var asText = form{datasets.Text, "text", "true", "{raw}"}

// missing are the texts that stand for no value in columns of other types than text.
const missing = `('', 'NA', 'N/A', 'na', 'n/a', 'null', 'NULL', 'None', 'NaN', 'nan')`

// value is the SQL of a text column's value as the forms see it: trimmed, null when missing.
func value(column string) string {
	t := "trim(" + name(column) + ")"
	return "CASE WHEN " + t + " NOT IN " + missing + " THEN " + t + " END"
}

// sql puts column into the form's cast.
func (f form) sql(column string) string {
	return strings.NewReplacer("{v}", value(column), "{raw}", name(column)).Replace(f.cast)
}

// fits is how many of a column's values a form fits.
type fits struct {
	present int64
	forms   []int64 // as forms
}

// count tests every form on the first limit rows of columns in relation (0: all rows).
func (s *session) count(ctx context.Context, relation string, columns []string, limit int) ([]fits, error) {
	out := make([]fits, 0, len(columns))
	const batch = 32
	for len(columns) > 0 {
		part := columns[:min(batch, len(columns))]
		columns = columns[len(part):]
		var values, counts []string
		for i, c := range part {
			v := fmt.Sprintf("v%d", i)
			values = append(values, value(c)+" AS "+v)
			counts = append(counts, "count("+v+")")
			for _, f := range forms {
				counts = append(counts, "count(*) FILTER ("+strings.ReplaceAll(f.test, "{v}", v)+")")
			}
		}
		from := relation
		if limit > 0 {
			from = fmt.Sprintf("(SELECT * FROM %s LIMIT %d)", relation, limit)
		}
		got := make([]int64, len(counts))
		dest := make([]any, len(counts))
		for i := range got {
			dest[i] = &got[i]
		}
		q := "SELECT " + strings.Join(counts, ", ") + " FROM (SELECT " + strings.Join(values, ", ") + " FROM " + from + ")"
		if err := s.conn.QueryRowContext(ctx, q).Scan(dest...); err != nil {
			return nil, fault("query.infer", err)
		}
		for i := range part {
			row := got[i*(len(forms)+1) : (i+1)*(len(forms)+1)]
			out = append(out, fits{present: row[0], forms: row[1:]})
		}
	}
	return out, nil
}

// decide takes the first form that fits all values. Days that may be read day first and month first stay text, with a
// note; a column without values is text.
func (f fits) decide() (form, string) {
	if f.present == 0 {
		return asText, ""
	}
	for i, c := range forms {
		if f.forms[i] != f.present {
			continue
		}
		if c.name == "day first" {
			for j, o := range forms {
				if o.typ == c.typ && o.name == "month first" && f.forms[j] == f.present {
					return asText, "its dates can be read day first and month first: write them as 2006-01-02"
				}
			}
		}
		return c, ""
	}
	return asText, ""
}

// sampleRows are looked at first; only columns whose guess fails on the whole file are tested with every form again.
const sampleRows = 20_000

// infer decides the form of each column: a guess from the first rows, then proven on all rows. rows is their number.
func (s *session) infer(ctx context.Context, relation string, columns []string) (guess []form, notes []string, rows int64, err error) {
	first, err := s.count(ctx, relation, columns, sampleRows)
	if err != nil {
		return nil, nil, 0, err
	}
	guess, remarks := make([]form, len(columns)), make([]string, len(columns))
	checks := []string{"count(*)"}
	for i, f := range first {
		guess[i], remarks[i] = f.decide()
		v := value(columns[i])
		checks = append(checks, "count(*) FILTER ("+v+" IS NOT NULL AND NOT ("+strings.ReplaceAll(guess[i].test, "{v}", "("+v+")")+"))")
	}
	got := make([]int64, len(checks))
	dest := make([]any, len(checks))
	for i := range got {
		dest[i] = &got[i]
	}
	if err := s.conn.QueryRowContext(ctx, "SELECT "+strings.Join(checks, ", ")+" FROM "+relation).Scan(dest...); err != nil {
		return nil, nil, 0, fault("query.infer", err)
	}
	rows = got[0]
	var again []string
	var at []int
	for i := range columns {
		// An ambiguous or empty beginning may be settled by later rows as well.
		if got[i+1] > 0 || (rows > sampleRows && guess[i].typ == datasets.Text) {
			again, at = append(again, columns[i]), append(at, i)
		}
	}
	if len(again) > 0 {
		full, err := s.count(ctx, relation, again, 0)
		if err != nil {
			return nil, nil, 0, err
		}
		for k, f := range full {
			guess[at[k]], remarks[at[k]] = f.decide()
		}
	}
	for i, r := range remarks {
		if r != "" {
			notes = append(notes, fmt.Sprintf("column %q: %s", columns[i], r))
		}
	}
	return guess, notes, rows, nil
}

// declared finds the form in which most values of a column are of type t.
func (s *session) declared(ctx context.Context, relation, column string, t datasets.Type) (form, error) {
	if t == datasets.Text {
		return asText, nil
	}
	full, err := s.count(ctx, relation, []string{column}, 0)
	if err != nil {
		return form{}, err
	}
	best, n := form{}, int64(-1)
	for i, f := range forms {
		if f.typ == t && full[0].forms[i] > n {
			best, n = f, full[0].forms[i]
		}
	}
	if t == datasets.Float && n < full[0].present {
		// A declared number may be padded with zeros.
		padded := form{datasets.Float, "number", "TRY_CAST({v} AS DOUBLE) IS NOT NULL", "TRY_CAST({v} AS DOUBLE)"}
		if best.name != "decimal comma" {
			best = padded
		}
	}
	return best, nil
}
