package query

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"edgeward"
	"edgeward/runtime/datasets"
)

// column is one column of the source and the SQL that makes it a column of the result.
type column struct {
	datasets.Column
	sql     string
	present string // SQL: there is a value, so a null of sql is a value that does not fit
}

// source is an opened file that is not normalised yet.
type source struct {
	*session
	format   datasets.Format
	relation string
	dialect  dialect
	fields   []field
}

func openSource(ctx context.Context, l limits, path string, more ...string) (*source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, edgeward.Wrap("query.openSource", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, edgeward.Wrap("query.openSource", err)
	}
	src := &source{}
	if src.format, err = datasets.Detect(f, st.Size()); err != nil {
		return nil, err
	}
	if src.format == datasets.CSV {
		if src.dialect, err = readDialect(path); err != nil {
			return nil, err
		}
		src.relation = src.dialect.relation(path)
	} else {
		src.relation = "read_parquet(" + text(path) + ")"
	}
	if src.session, err = open(ctx, l, append([]string{path}, more...)...); err != nil {
		return nil, err
	}
	if err := src.look(ctx, path); err != nil {
		src.close()
		return nil, err
	}
	return src, nil
}

// look reads the names and types of the columns and refuses what is too large, before any row is read.
func (s *source) look(ctx context.Context, path string) error {
	const op = "query.openSource"
	if s.format == datasets.Parquet {
		var rows int64
		if err := s.conn.QueryRowContext(ctx, "SELECT num_rows FROM parquet_file_metadata("+text(path)+")").Scan(&rows); err != nil {
			return fault(op, err)
		}
		if rows < 0 || rows > MaxRows {
			return edgeward.E(op, edgeward.TooLarge, "dataset.rows", "%d rows; at most %d", rows, MaxRows)
		}
		names, err := s.parquetNames(ctx, path)
		if err == nil {
			err = twice(op, names)
		}
		if err != nil {
			return err
		}
	}
	var err error
	if s.fields, err = s.describe(ctx, s.relation); err != nil {
		return err
	}
	if len(s.fields) > MaxColumns {
		return edgeward.E(op, edgeward.TooLarge, "dataset.columns", "%d columns; at most %d", len(s.fields), MaxColumns)
	}
	return nil
}

// plan decides the type of every column. rows is known for CSV, else -1.
func (s *source) plan(ctx context.Context, types map[string]datasets.Type) (cols []column, notes []string, rows int64, err error) {
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = f.name
	}
	clean := cleanNames(names)
	if err := known(clean, types); err != nil {
		return nil, nil, 0, err
	}
	if s.format == datasets.CSV {
		return s.planCSV(ctx, clean, types)
	}
	for i, f := range s.fields {
		c, err := parquetColumn(f, types[clean[i]])
		if err != nil {
			return nil, nil, 0, err
		}
		c.Name = clean[i]
		cols = append(cols, c)
	}
	return cols, nil, -1, nil
}

func known(names []string, types map[string]datasets.Type) error {
	have := map[string]bool{}
	for _, n := range names {
		have[n] = true
	}
	for n, t := range types {
		if !have[n] {
			return edgeward.E("query.normalise", edgeward.Invalid, "dataset.column_unknown", "a type is declared for column %.60q, which the file does not have", n).
				With("column", n).WithHint("the columns are %.300s", strings.Join(names, ", "))
		}
		if _, err := datasets.ParseType(string(t)); err != nil {
			return err
		}
	}
	return nil
}

func (s *source) planCSV(ctx context.Context, names []string, types map[string]datasets.Type) ([]column, []string, int64, error) {
	guess, notes, rows, err := s.infer(ctx, s.relation, names)
	if err != nil {
		return nil, nil, 0, err
	}
	cols := make([]column, len(names))
	for i, n := range names {
		f := guess[i]
		t, declared := types[n]
		if declared && t != f.typ {
			if f, err = s.declared(ctx, s.relation, n, t); err != nil {
				return nil, nil, 0, err
			}
		}
		cols[i] = column{Column: datasets.Column{Name: n, Type: f.typ, Declared: declared, Source: f.name}, sql: f.sql(n), present: value(n) + " IS NOT NULL"}
		if f.typ == datasets.Text {
			cols[i].present = "false" // every text fits
		}
	}
	return cols, slices.Concat(s.dialect.notes, notes), rows, nil
}

// parquetColumn brings a Parquet type to one of ours.
func parquetColumn(f field, declared datasets.Type) (column, error) {
	n := name(f.name)
	c := column{Column: datasets.Column{Source: f.typ}, present: n + " IS NOT NULL"}
	base, _, _ := strings.Cut(f.typ, "(")
	switch base {
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER":
		c.Type, c.sql = datasets.Integer, "CAST("+n+" AS BIGINT)"
	case "UBIGINT", "HUGEINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL":
		c.Type, c.sql = datasets.Float, "CAST("+n+" AS DOUBLE)"
	case "BOOLEAN":
		c.Type, c.sql = datasets.Boolean, n
	case "DATE":
		c.Type, c.sql = datasets.Date, n
	case "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS":
		c.Type, c.sql = datasets.Timestamp, "CAST("+n+" AS TIMESTAMP)"
	case "TIMESTAMP WITH TIME ZONE":
		c.Type, c.sql = datasets.Timestamp, "timezone('UTC', "+n+")"
	case "VARCHAR", "UUID", "ENUM", "TIME", "JSON":
		c.Type, c.sql = datasets.Text, "CAST("+n+" AS VARCHAR)"
	default:
		return column{}, edgeward.E("query.normalise", edgeward.Invalid, "dataset.column_unsupported", "column %.60q has type %.60s", f.name, f.typ).
			With("column", f.name).WithHint("leave the column out or turn it into numbers, texts or times before the import")
	}
	if declared == "" {
		return c, nil
	}
	c.Declared = true
	if declared == c.Type {
		return c, nil
	}
	to := map[datasets.Type]string{datasets.Float: "DOUBLE", datasets.Integer: "BIGINT", datasets.Text: "VARCHAR", datasets.Boolean: "BOOLEAN", datasets.Date: "DATE", datasets.Timestamp: "TIMESTAMP"}[declared]
	c.Type, c.sql = declared, "TRY_CAST("+c.sql+" AS "+to+")"
	return c, nil
}

// mismatch finds values that do not fit the declared type of their column.
func (s *source) mismatch(ctx context.Context, cols []column) error {
	for _, c := range cols {
		if !c.Declared || c.Type == datasets.Text {
			continue
		}
		var n int64
		var first *int64
		q := "SELECT count(*), min(r) FROM (SELECT row_number() OVER () AS r, " + c.present + " AND (" + c.sql + ") IS NULL AS bad FROM " + s.relation + ") WHERE bad"
		if err := s.conn.QueryRowContext(ctx, q).Scan(&n, &first); err != nil {
			return fault("query.normalise", err)
		}
		if n > 0 {
			return edgeward.E("query.normalise", edgeward.Invalid, "dataset.type_mismatch", "column %.60q is declared as %s, but %d values are not, the first in row %d", c.Name, c.Type, n, *first).
				With("column", c.Name).With("row", strconv.FormatInt(*first, 10)).WithHint("declare it as text, or correct the file")
		}
	}
	return nil
}

func inspect(ctx context.Context, l limits, in InspectRequest) (Inspection, error) {
	src, err := openSource(ctx, l, in.Path)
	if err != nil {
		return Inspection{}, err
	}
	defer src.close()
	cols, notes, rows, err := src.plan(ctx, nil)
	if err != nil {
		return Inspection{}, err
	}
	out := Inspection{Format: src.format, Rows: rows, Notes: notes}
	for _, c := range cols {
		out.Columns = append(out.Columns, c.Column)
	}
	if src.format == datasets.CSV {
		out.Delimiter, out.Encoding, out.Header = string(src.dialect.delimiter), src.dialect.encoding, src.dialect.header
		return out, nil
	}
	// Every value is read once, so that a damaged page is found here and not later.
	var sums []string
	for _, c := range cols {
		sums = append(sums, "count("+c.sql+")")
	}
	rows64 := make([]int64, len(sums)+1)
	dest := make([]any, len(rows64))
	for i := range rows64 {
		dest[i] = &rows64[i]
	}
	if err := src.conn.QueryRowContext(ctx, "SELECT "+strings.Join(append([]string{"count(*)"}, sums...), ", ")+" FROM "+src.relation).Scan(dest...); err != nil {
		return Inspection{}, fault("query.inspect", err)
	}
	out.Rows = rows64[0]
	return out, nil
}

func normalise(ctx context.Context, l limits, in NormaliseRequest) (Normalised, error) {
	const op = "query.normalise"
	if _, err := os.Lstat(in.Out); err == nil {
		return Normalised{}, edgeward.E(op, edgeward.Internal, "", "the result's path is taken")
	}
	l.threads = 1 // the bytes of the result do not depend on the machine
	src, err := openSource(ctx, l, in.Path, in.Out)
	if err != nil {
		return Normalised{}, err
	}
	defer src.close()
	cols, notes, rows, err := src.plan(ctx, in.Types)
	if err != nil {
		return Normalised{}, err
	}
	if rows > MaxRows {
		return Normalised{}, edgeward.E(op, edgeward.TooLarge, "dataset.rows", "%d rows; at most %d", rows, MaxRows)
	}
	if err := src.mismatch(ctx, cols); err != nil {
		return Normalised{}, err
	}
	exprs := make([]string, len(cols))
	out := Normalised{Format: src.format, Notes: notes}
	for i, c := range cols {
		exprs[i] = c.sql + " AS " + name(c.Name)
		out.Columns = append(out.Columns, c.Column)
	}
	q := fmt.Sprintf("COPY (SELECT %s FROM %s) TO %s (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880, USE_TMP_FILE false)",
		strings.Join(exprs, ", "), src.relation, text(in.Out))
	if _, err := src.conn.ExecContext(ctx, q); err != nil {
		os.Remove(in.Out)
		return Normalised{}, fault(op, err)
	}
	if err := src.conn.QueryRowContext(ctx, "SELECT count(*) FROM read_parquet("+text(in.Out)+")").Scan(&out.Rows); err != nil {
		os.Remove(in.Out)
		return Normalised{}, fault(op, err)
	}
	if out.Rows == 0 {
		os.Remove(in.Out)
		return Normalised{}, edgeward.E(op, edgeward.Invalid, "dataset.empty", "the file has columns and no rows").WithHint("a CSV file has a header line and one line per row")
	}
	return out, nil
}
