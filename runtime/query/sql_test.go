package query_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/query"
)

func TestExplorationAnswersOneSelect(t *testing.T) {
	c, _ := newClient(t)
	data, _ := normal(t, c, "testdata/pump-sensors.csv", nil)
	for _, tt := range []struct{ sql, rows string }{
		{"SELECT pump, count(*) FROM data GROUP BY pump ORDER BY pump", `[["P-03",1440],["P-07",1435]]`},
		{"SELECT pump FROM data GROUP BY ALL ORDER BY 1 DESC -- a comment at the end", `[["P-07"],["P-03"]]`},
		{"WITH x AS (SELECT 1.5 AS a) SELECT a, 'nan'::DOUBLE, NULL, DATE '2024-02-29', 170141183460469231731687303715884105727::HUGEINT FROM x;", `[[1.5,"NaN",null,"2024-02-29",170141183460469231731687303715884105727]]`},
		{"DESCRIBE SELECT 1 AS a", `[["a","INTEGER","YES",null,null,null]]`},
	} {
		p, err := c.SQL(within(t, time.Minute), query.SQLRequest{Path: data, SQL: tt.sql, Limit: 10})
		if err != nil {
			t.Errorf("%s: %v", tt.sql, err)
			continue
		}
		if got, _ := json.Marshal(p.Rows); string(got) != tt.rows {
			t.Errorf("%s: %s, want %s", tt.sql, got, tt.rows)
		}
	}
	p, err := c.SQL(within(t, time.Minute), query.SQLRequest{Path: data, SQL: "FROM data", Limit: 7})
	if err != nil || len(p.Rows) != 7 || !p.More {
		t.Errorf("%d rows, more %v, %v", len(p.Rows), p.More, err)
	}
}

func TestExplorationReachesNothingElse(t *testing.T) {
	c, w := newClient(t)
	data, _ := normal(t, c, "testdata/seed-quality.csv", nil)
	before, err := os.ReadFile(data)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret.csv")
	if err := os.WriteFile(secret, []byte("a\nTOPSECRET\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	q := func(s string) string {
		return strings.NewReplacer("SECRET", secret, "DATA", data, "DIR", dir).Replace(s)
	}
	for _, text := range []string{
		"SELECT * FROM read_csv('SECRET')",
		"SELECT * FROM 'SECRET'",
		"SELECT * FROM read_text('SECRET')",
		"SELECT * FROM read_blob('/etc/passwd')",
		"SELECT * FROM glob('DIR/*')",
		"COPY (SELECT 1) TO 'DIR/out.csv'",
		"COPY (SELECT 1 AS a) TO 'DATA' (FORMAT parquet)",
		"SELECT 1; COPY (SELECT 1 AS a) TO 'DATA' (FORMAT parquet)",
		"SELECT 1) ; COPY (SELECT 1 AS a) TO 'DATA' (FORMAT parquet); SELECT * FROM (SELECT 1",
		"SELECT 1); DROP VIEW data; (SELECT 1",
		"ATTACH 'DIR/x.db'",
		"SET memory_limit = '100GB'",
		"SET enable_external_access = true",
		"RESET lock_configuration",
		"PRAGMA database_list",
		"INSTALL httpfs",
		"LOAD httpfs",
		"SELECT * FROM read_parquet('https://example.invalid/x.parquet')",
		"CREATE TABLE x AS SELECT 1",
		"DROP VIEW data",
		"EXPORT DATABASE 'DIR'",
		"SELECT getenv('PATH')",
		"SELECT * FROM json_execute_serialized_sql('SECRET')",
		"CALL pragma_version()",
		"",
		";",
		"SELECT",
		"SELECT nothing FROM data",
		"SELECT 1; SELECT 2",
	} {
		_, err := c.SQL(within(t, time.Minute), query.SQLRequest{Path: data, SQL: q(text), Limit: 10})
		if err == nil {
			t.Errorf("%s: allowed", text)
			continue
		}
		if edgeward.KindOf(err) != edgeward.Invalid || edgeward.CodeOf(err) != "query.sql" || edgeward.HintOf(err) == "" {
			t.Errorf("%s: %s %q %v", text, edgeward.KindOf(err), edgeward.CodeOf(err), err)
		}
	}
	if after, _ := os.ReadFile(data); string(after) != string(before) {
		t.Error("the file was changed")
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("files were written: %v", left)
	}
	if s := w.Status(); s.Deaths != 0 {
		t.Errorf("the worker died: %s", s.LastDeath)
	}
}

func TestExplorationIsBounded(t *testing.T) {
	c, w := newClient(t)
	data, _ := normal(t, c, "testdata/seed-quality.csv", nil)
	_, err := c.SQL(within(t, 500*time.Millisecond), query.SQLRequest{Path: data, SQL: "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b", Limit: 1})
	if !(edgeward.KindOf(err) == edgeward.Unavailable) {
		t.Errorf("an endless query: %v", err)
	}
	_, err = c.SQL(within(t, time.Minute), query.SQLRequest{Path: data, SQL: "SELECT list(range || repeat('x', 1000)) FROM range(20000000)", Limit: 1})
	wantError(t, err, edgeward.Exhausted, "query.memory")
	p, err := c.SQL(within(t, time.Minute), query.SQLRequest{Path: data, SQL: "SELECT repeat('é', 1000000)", Limit: 1})
	if err != nil || len(p.Rows[0][0].(string)) > 5000 {
		t.Errorf("a long text: %v", err)
	}
	if s := w.Status(); s.Deaths != 0 {
		t.Errorf("the worker died: %s", s.LastDeath)
	}
}

func TestPagesAndSamples(t *testing.T) {
	c, _ := newClient(t)
	data, _ := normal(t, c, "testdata/seed-quality.csv", nil)
	ctx := within(t, time.Minute)
	p, err := c.Page(ctx, query.PageRequest{Path: data, Columns: []string{"grade", "lot"}, Limit: 2, Offset: 40, Where: []query.Filter{{Column: "grade", Op: query.In, Values: []string{"dun", "russet"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := json.Marshal(p.Rows); string(got) != `[["russet","00061"],["dun","00062"]]` || p.Total != 200 || !p.More {
		t.Errorf("%s, total %d, more %v", got, p.Total, p.More)
	}
	a, err := c.Page(ctx, query.PageRequest{Path: data, Limit: 20, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := c.Page(ctx, query.PageRequest{Path: data, Limit: 20, Seed: 5})
	other, _ := c.Page(ctx, query.PageRequest{Path: data, Limit: 20, Seed: 6})
	x, _ := json.Marshal(a.Rows)
	y, _ := json.Marshal(b.Rows)
	z, _ := json.Marshal(other.Rows)
	if len(a.Rows) != 20 || string(x) != string(y) || string(x) == string(z) {
		t.Errorf("samples of one seed differ, or of two seeds do not")
	}
	for _, tt := range []struct {
		in   query.PageRequest
		code string
	}{
		{query.PageRequest{Limit: 0}, "query.limit"},
		{query.PageRequest{Limit: 1001}, "query.limit"},
		{query.PageRequest{Limit: 1, Columns: []string{`lot", 1 AS "x`}}, "dataset.column_unknown"},
		{query.PageRequest{Limit: 1, Where: []query.Filter{{Column: "lot", Op: "like", Values: []string{"x"}}}}, "query.filter"},
		{query.PageRequest{Limit: 1, Where: []query.Filter{{Column: "lot", Op: query.Eq}}}, "query.filter"},
		{query.PageRequest{Limit: 1, Where: []query.Filter{{Column: "length_mm", Op: query.Gt, Values: []string{"long"}}}}, "query.value"},
	} {
		tt.in.Path = data
		_, err := c.Page(ctx, tt.in)
		wantError(t, err, edgeward.Invalid, tt.code)
	}
}

func TestSelectGivesTypedArrays(t *testing.T) {
	c, _ := newClient(t)
	data, _ := normal(t, c, "testdata/pump-sensors.csv", nil)
	day := time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC)
	f, err := c.Select(within(t, time.Minute), query.SelectRequest{Path: data, Time: "measured_at", Numbers: []string{"vibration_mms", "valve_trip"}, Strings: []string{"pump"},
		Where: []query.Filter{{Column: "pump", Op: query.Eq, Values: []string{"P-03"}}}, From: day.Add(17 * time.Hour), To: day.Add(20 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if f.Rows != 3 || !f.Time[2].Equal(day.Add(19*time.Hour)) || !math.IsNaN(f.Numbers[0][0]) || math.IsNaN(f.Numbers[0][2]) || !slices.Equal(f.Strings[0], []string{"P-03", "P-03", "P-03"}) {
		t.Errorf("%+v", f)
	}
	small := file(t, "in.csv", "d,s,b,n\n2024-01-01,x,true,1\n,,false,\n")
	data, _ = normal(t, c, small, nil)
	f, err = c.Select(within(t, time.Minute), query.SelectRequest{Path: data, Time: "d", Strings: []string{"s", "n", "b", "d"}, Numbers: []string{"b"}})
	if err != nil {
		t.Fatal(err)
	}
	if !f.Time[1].IsZero() || !slices.Equal(f.Missing[0], []bool{false, true}) || f.Strings[1][0] != "1" || f.Missing[2] != nil || f.Numbers[0][0] != 1 || f.Strings[3][0] != "2024-01-01" {
		t.Errorf("%+v", f)
	}
	for _, tt := range []struct {
		in   query.SelectRequest
		code string
	}{
		{query.SelectRequest{}, "query.columns"},
		{query.SelectRequest{Time: "s"}, "query.time_column"},
		{query.SelectRequest{Numbers: []string{"d"}}, "query.number_column"},
		{query.SelectRequest{Numbers: []string{"s"}}, "query.value"},
		{query.SelectRequest{Numbers: []string{"missing"}}, "dataset.column_unknown"},
	} {
		tt.in.Path = data
		_, err := c.Select(within(t, time.Minute), tt.in)
		wantError(t, err, edgeward.Invalid, tt.code)
	}
}

func TestWorkAfterACancelledCall(t *testing.T) {
	c, _ := newClient(t)
	data, _ := normal(t, c, "testdata/seed-quality.csv", nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Page(ctx, query.PageRequest{Path: data, Limit: 1}); err == nil {
		t.Error("a cancelled call answered")
	}
	if _, err := c.Page(within(t, time.Minute), query.PageRequest{Path: data, Limit: 1}); err != nil {
		t.Error(err)
	}
}
