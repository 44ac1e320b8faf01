package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"edgeward"
)

// limits bound one call.
type limits struct {
	threads int
	memory  uint64 // bytes DuckDB may use
}

// session is one DuckDB for one call.
type session struct {
	db   *sql.DB
	conn *sql.Conn
}

func (s *session) close() {
	s.conn.Close()
	s.db.Close()
}

// open starts a DuckDB that may touch the files at paths and nothing else, with its configuration locked.
func open(ctx context.Context, l limits, paths ...string) (*session, error) {
	const op = "query.open"
	for _, p := range paths {
		if p == "" || strings.ContainsAny(p, "*?[]{}\x00") {
			return nil, edgeward.E(op, edgeward.Internal, "", "not the path of one file: %q", p)
		}
	}
	c, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, edgeward.Wrap(op, err)
	}
	s := &session{db: sql.OpenDB(c)}
	s.db.SetMaxOpenConns(1)
	if s.conn, err = s.db.Conn(ctx); err != nil {
		s.db.Close()
		return nil, fault(op, err)
	}
	quoted := make([]string, len(paths))
	for i, p := range paths {
		quoted[i] = text(p)
	}
	for _, set := range []string{
		"threads = " + strconv.Itoa(max(1, l.threads)),
		"memory_limit = " + text(strconv.FormatUint(max(l.memory, 64<<20)>>20, 10)+"MiB"),
		"temp_directory = ''", // what does not fit into memory is refused, not spilled
		"autoinstall_known_extensions = false",
		"autoload_known_extensions = false",
		"allow_community_extensions = false",
		"TimeZone = 'UTC'",
		"preserve_insertion_order = true",
		"enable_progress_bar = false",
		"allowed_paths = [" + strings.Join(quoted, ", ") + "]",
		"enable_external_access = false",
		"lock_configuration = true", // last
	} {
		if _, err := s.conn.ExecContext(ctx, "SET "+set); err != nil {
			s.close()
			return nil, fault(op, err)
		}
	}
	return s, nil
}

// openData is open with the Parquet file at path behind the view "data".
func openData(ctx context.Context, l limits, path string) (*session, []field, error) {
	s, err := open(ctx, l, path)
	if err != nil {
		return nil, nil, err
	}
	if _, err := s.conn.ExecContext(ctx, "CREATE VIEW data AS SELECT * FROM read_parquet("+text(path)+")"); err != nil {
		s.close()
		return nil, nil, fault("query.open", err)
	}
	fields, err := s.describe(ctx, "data")
	if err != nil {
		s.close()
		return nil, nil, err
	}
	return s, fields, nil
}

// field is a column as DuckDB names it.
type field struct{ name, typ string }

func (s *session) describe(ctx context.Context, relation string) ([]field, error) {
	rows, err := s.conn.QueryContext(ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+relation+")")
	if err != nil {
		return nil, fault("query.describe", err)
	}
	defer rows.Close()
	var out []field
	for rows.Next() {
		var f field
		if err := rows.Scan(&f.name, &f.typ); err != nil {
			return nil, fault("query.describe", err)
		}
		out = append(out, f)
	}
	return out, fault("query.describe", rows.Err())
}

// text quotes a string for SQL, name an identifier.
func text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
func name(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// number writes a finite float so that DuckDB reads the same float.
func number(v float64) string { return "(" + strconv.FormatFloat(v, 'e', -1, 64) + ")::DOUBLE" }

var lineOf = regexp.MustCompile(`(?i)\bline:? (\d+)`)

// fault turns an error of DuckDB into one of ours. The texts of DuckDB name files of this server, so only those without
// a path go on.
func fault(op string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &edgeward.Error{Op: op, Kind: edgeward.Unavailable, Code: "query.stopped", Err: err,
			Hint: "it took too long or was cancelled; ask for less"}
	}
	de, ok := errors.AsType[*duckdb.Error](err)
	if !ok {
		return edgeward.Wrap(op, err)
	}
	switch de.Type {
	case duckdb.ErrorTypeInterrupt:
		return &edgeward.Error{Op: op, Kind: edgeward.Unavailable, Code: "query.stopped", Err: err, Hint: "it took too long or was cancelled; ask for less"}
	case duckdb.ErrorTypeOutOfMemory:
		return &edgeward.Error{Op: op, Kind: edgeward.Exhausted, Code: "query.memory", Err: err,
			Hint: "the query worker may not use more memory; ask for fewer columns or rows, or raise its limit"}
	}
	e := &edgeward.Error{Op: op, Kind: edgeward.Invalid, Code: "dataset.corrupt", Err: errors.New(firstLine(de.Msg)),
		Hint: "the file cannot be read to its end: copy or export it again"}
	if m := lineOf.FindStringSubmatch(de.Msg); m != nil {
		e.Hint = fmt.Sprintf("look at line %s of the file: a row there has another number of columns or an open quote", m[1])
		e.With("line", m[1])
	}
	return e
}

var pathLike = regexp.MustCompile(`"?(/[^\s"':]+)+"?`)

// firstLine is the first line of DuckDB's text without paths, clipped.
func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	s = pathLike.ReplaceAllString(s, "the file")
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	return s
}
