package query

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"edgeward"
	"edgeward/runtime/tensor"
	"edgeward/runtime/vault"
)

// FileFormat is what export writes.
type FileFormat string

// The formats of export.
const (
	Parquet FileFormat = "parquet"
	CSV     FileFormat = "csv"
)

// ExportRequest asks for the answer of a statement as a file at Out, which must not exist. Path and Out are encrypted files
// of package vault under the one-time key Key, In and Out by their infos; what is in them is in the worker's memory only.
// The statements are of this program, never from outside. They read the view "data", which is the Parquet file in Path, and
// the table "ask", whose one row holds the texts of Ask, and may use the function tensors(BLOB), which makes a message of
// package tensor a text of JSON. Count answers with rows and bytes, which are compared with the bounds first.
type ExportRequest struct {
	Path     string            `json:"path"`
	Key      []byte            `json:"key"`
	Ask      map[string]string `json:"ask"`
	Count    string            `json:"count"`
	Select   string            `json:"select"`
	MaxRows  int64             `json:"max_rows"`
	MaxBytes int64             `json:"max_bytes"`
	Format   FileFormat        `json:"format"`
	Out      string            `json:"out"`
}

// Infos of the two files of an export.
const (
	InfoIn  = "edgeward export: entries"
	InfoOut = "edgeward export: table"
)

// Exported says what export wrote.
type Exported struct {
	Rows int64 `json:"rows"`
}

func export(ctx context.Context, l limits, in ExportRequest) (out Exported, err error) {
	const op = "query.export"
	options, ok := map[FileFormat]string{Parquet: "FORMAT parquet, COMPRESSION zstd", CSV: "FORMAT csv, HEADER"}[in.Format]
	if !ok {
		return out, edgeward.E(op, edgeward.Invalid, "query.format", "there is no format %.20q", in.Format).WithHint("write parquet or csv")
	}
	keys, err := vault.OneTime(in.Key)
	if err != nil {
		return out, err
	}
	data, err := inMemory(in.Path, keys)
	if err != nil {
		return out, edgeward.Wrap(op, err)
	}
	defer data.Close()
	to, err := newOutlet(in.Out, keys)
	if err != nil {
		return out, edgeward.Wrap(op, err)
	}
	defer func() {
		if cerr := to.close(); err == nil && cerr != nil {
			err = edgeward.Wrap(op, cerr)
		}
		if err != nil {
			os.Remove(in.Out)
		}
	}()
	s, err := open(ctx, l, to.path(), pathOf(data))
	if err != nil {
		return out, err
	}
	defer s.close()
	if err := duckdb.RegisterScalarUDF(s.conn, "tensors", tensorsJSON{}); err != nil {
		return out, edgeward.Wrap(op, err)
	}
	if _, err := s.conn.ExecContext(ctx, "CREATE VIEW data AS SELECT * FROM read_parquet("+text(pathOf(data))+")"); err != nil {
		return out, fault(op, err)
	}
	if err := s.ask(ctx, in.Ask); err != nil {
		return out, fault(op, err)
	}
	var size int64
	if err := s.conn.QueryRowContext(ctx, in.Count).Scan(&out.Rows, &size); err != nil {
		return out, fault(op, err)
	}
	if out.Rows > in.MaxRows || size > in.MaxBytes {
		return out, edgeward.E(op, edgeward.TooLarge, "query.rows", "%d rows with %d bytes; at most %d with %d are written at once", out.Rows, size, in.MaxRows, in.MaxBytes).
			WithHint("ask for a shorter time")
	}
	_, err = s.conn.ExecContext(ctx, fmt.Sprintf("COPY (\n%s\n) TO %s (%s, USE_TMP_FILE false)", in.Select, text(to.path()), options))
	return out, fault(op, err)
}

// ask makes the table ask.
func (s *session) ask(ctx context.Context, values map[string]string) error {
	names := slices.Sorted(maps.Keys(values))
	columns, marks, args := make([]string, len(names)), make([]string, len(names)), make([]any, len(names))
	for i, n := range names {
		columns[i], marks[i], args[i] = name(n)+" VARCHAR", "?", values[n]
	}
	if _, err := s.conn.ExecContext(ctx, "CREATE TEMP TABLE ask ("+strings.Join(columns, ", ")+")"); err != nil {
		return err
	}
	_, err := s.conn.ExecContext(ctx, "INSERT INTO ask VALUES ("+strings.Join(marks, ", ")+")", args...)
	return err
}

// maxElements bounds the elements of one tensor that the function tensors writes.
const maxElements = 1 << 20

// tensorsJSON is the SQL function tensors(BLOB) -> VARCHAR: NULL for no bytes, and for bytes that are no message.
type tensorsJSON struct{}

func (tensorsJSON) Config() duckdb.ScalarFuncConfig {
	blob, err := duckdb.NewTypeInfo(duckdb.TYPE_BLOB)
	if err != nil {
		panic("query: DuckDB has no type BLOB: " + err.Error())
	}
	varchar, err := duckdb.NewTypeInfo(duckdb.TYPE_VARCHAR)
	if err != nil {
		panic("query: DuckDB has no type VARCHAR: " + err.Error())
	}
	return duckdb.ScalarFuncConfig{InputTypeInfos: []duckdb.TypeInfo{blob}, ResultTypeInfo: varchar}
}

func (tensorsJSON) Executor() duckdb.ScalarFuncExecutor {
	return duckdb.ScalarFuncExecutor{RowExecutor: func(values []driver.Value) (any, error) {
		b, ok := values[0].([]byte)
		if !ok || len(b) == 0 {
			return nil, nil
		}
		ts, err := tensor.Decode(b)
		if err != nil {
			return nil, nil
		}
		out, err := json.Marshal(tensor.Readables(ts, maxElements))
		if err != nil {
			return nil, err
		}
		return string(out), nil
	}}
}
