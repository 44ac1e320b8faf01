package query

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strings"
	"time"

	"edgeward"
)

// selectFrame reads columns as typed arrays, in the order of the file.
func selectFrame(ctx context.Context, l limits, in SelectRequest) (*Frame, error) {
	const op = "query.select"
	s, fields, err := openData(ctx, l, in.Path)
	if err != nil {
		return nil, err
	}
	defer s.close()
	t := tableOf(fields)
	asks, err := in.columns(t)
	if err != nil {
		return nil, err
	}
	where, args, err := t.where(in.Where, in.Time, in.From, in.To)
	if err != nil {
		return nil, err
	}
	most := MaxFrameCells / len(asks)
	if in.Limit < 0 || in.Limit > most {
		return nil, tooMany(op, most)
	}
	limit := most + 1
	if in.Limit > 0 {
		limit = in.Limit
	}
	rows, err := s.conn.QueryContext(ctx, fmt.Sprintf("SELECT %s FROM data%s LIMIT %d", strings.Join(asks, ", "), where, limit), args...)
	if err != nil {
		return nil, valueFault(op, err)
	}
	defer rows.Close()
	f, err := in.read(rows, most)
	if err != nil {
		return nil, err
	}
	return f, valueFault(op, rows.Err())
}

func tooMany(op string, most int) error {
	return edgeward.E(op, edgeward.TooLarge, "query.rows", "more than %d rows of that many columns", most).
		WithHint("choose fewer columns, a filter or a shorter time")
}

func (in SelectRequest) columns(t table) ([]string, error) {
	const op = "query.select"
	var asks []string
	if in.Time != "" {
		if err := t.check(in.Time); err != nil {
			return nil, err
		}
		if typ := t.types[in.Time]; typ != "DATE" && typ != "TIMESTAMP" {
			return nil, edgeward.E(op, edgeward.Invalid, "query.time_column", "column %.60q holds no times", in.Time).WithHint("choose a column of type date or timestamp")
		}
		c := "CAST(" + name(in.Time) + " AS TIMESTAMP)"
		asks = append(asks, fmt.Sprintf("CASE WHEN isfinite(%s) THEN epoch_us(%s) ELSE %d END", c, c, int64(noTime)+1))
	}
	for _, c := range in.Numbers {
		if err := t.check(c); err != nil {
			return nil, err
		}
		if typ := t.types[c]; typ == "DATE" || typ == "TIMESTAMP" {
			return nil, edgeward.E(op, edgeward.Invalid, "query.number_column", "column %.60q holds times, no numbers", c).WithHint("use it as time column")
		}
		asks = append(asks, "coalesce(CAST("+name(c)+" AS DOUBLE), 'nan'::DOUBLE)")
	}
	for _, c := range in.Strings {
		if err := t.check(c); err != nil {
			return nil, err
		}
		asks = append(asks, "CAST("+name(c)+" AS VARCHAR)")
	}
	if len(asks) == 0 {
		return nil, edgeward.E(op, edgeward.Invalid, "query.columns", "no column is asked for").WithHint("name at least one column")
	}
	return asks, nil
}

func (in SelectRequest) read(rows *sql.Rows, most int) (*Frame, error) {
	const op = "query.select"
	f := &Frame{Numbers: make([][]float64, len(in.Numbers)), Strings: make([][]string, len(in.Strings)), Missing: make([][]bool, len(in.Strings))}
	if in.Time != "" {
		f.Time = []time.Time{}
	}
	var us int64
	numbers, texts := make([]float64, len(in.Numbers)), make([]sql.NullString, len(in.Strings))
	var dest []any
	if in.Time != "" {
		dest = append(dest, &us)
	}
	for i := range numbers {
		dest = append(dest, &numbers[i])
	}
	for i := range texts {
		dest = append(dest, &texts[i])
	}
	for rows.Next() {
		if f.Rows == most {
			return nil, tooMany(op, most)
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, fault(op, err)
		}
		if in.Time != "" {
			var t time.Time
			if us != math.MinInt64+1 {
				t = time.UnixMicro(us).UTC()
			}
			f.Time = append(f.Time, t)
		}
		for i, v := range numbers {
			f.Numbers[i] = append(f.Numbers[i], v)
		}
		for i, v := range texts {
			f.Strings[i] = append(f.Strings[i], v.String)
			if !v.Valid && f.Missing[i] == nil {
				f.Missing[i] = make([]bool, f.Rows, f.Rows+64)
			}
			if f.Missing[i] != nil {
				f.Missing[i] = append(f.Missing[i], !v.Valid)
			}
		}
		f.Rows++
	}
	return f, nil
}
