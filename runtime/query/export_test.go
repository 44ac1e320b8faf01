package query_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/query"
	"edgeward/runtime/record"
	"edgeward/runtime/tensor"
	"edgeward/runtime/vault"
)

// records makes a prediction log with an endpoint "beds" of two answers, one of them of two rows, and another endpoint.
func records(t *testing.T, n int) *record.Log {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	l, err := record.Open(filepath.Join(t.TempDir(), "records"), record.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for i := range n {
		x, _ := tensor.FromFloat64s("x", []int64{1}, []float64{float64(i)})
		s, _ := tensor.FromStrings("ward", []int64{1}, []string{`a "b", c`})
		y, _ := tensor.FromFloat32s("y", []int64{2, 1}, []float32{0.5, float32(i)})
		for _, endpoint := range []string{"beds", "other"} {
			id := fmt.Sprintf("01HQWZ%05d000000000000000", i)
			if endpoint == "other" {
				id = fmt.Sprintf("01HQWX%05d000000000000000", i)
			}
			if err := l.Add(record.Prediction{ID: id, Group: "g", Endpoint: endpoint, Version: 1, Role: record.Live, ReceivedAt: now,
				EventTime: now.AddDate(0, 0, i), Key: "north", Inputs: []tensor.Tensor{x, s}, Outputs: []tensor.Tensor{y}, LatencyUS: 7}); err != nil {
				t.Fatal(err)
			}
			v, w := float64(i)+0.25, 9.0
			if _, err := l.AddFeedback(t.Context(), []record.Feedback{
				{Group: "g", PredictionID: id, Row: 1, Source: "his", Kind: record.Truth, Value: &w, At: now},
				{Group: "g", PredictionID: id, Row: 1, Source: "ada", Kind: record.Correction, Value: &v, At: now},
				{Group: "g", PredictionID: id, Row: 1, Source: "his", Kind: record.Truth, Value: &v, At: now},
				{Group: "g", PredictionID: id, Source: "ada", Kind: record.Wrong, Note: "=strike, \"2\"", At: now},
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return l
}

var secret = vault.NewSecret()

// entries writes what a table is made of, encrypted.
func entries(t *testing.T, l *record.Log, tab record.Table) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "entries")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	keys, err := vault.OneTime(secret)
	if err != nil {
		t.Fatal(err)
	}
	w, err := vault.NewWriter(f, keys, query.InfoIn)
	if err == nil {
		err = l.WriteTable(t.Context(), tab, w)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// written is what is encrypted in the file of an export.
func written(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := vault.OneTime(secret)
	if err != nil {
		t.Fatal(err)
	}
	r, err := vault.NewReader(bytes.NewReader(b), int64(len(b)), keys, query.InfoOut)
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestExportOfPredictionsWithTheirFeedback(t *testing.T) {
	c, _ := newClient(t)
	l := records(t, 3)
	day := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	tab := record.Table{Group: "g", Endpoint: "beds", From: day, To: day.AddDate(0, 0, 1), Inputs: true}
	req := query.ExportRequest{Path: entries(t, l, tab), Key: secret, Ask: l.Ask(tab), Count: tab.Count(), Select: tab.Select(), MaxRows: 4, MaxBytes: 1 << 20, Format: query.CSV, Out: filepath.Join(t.TempDir(), "out.csv")}
	got, err := c.Export(within(t, time.Minute), req)
	if err != nil || got.Rows != 2 {
		t.Fatalf("export: %+v, %v (%s)", got, err, edgeward.HintOf(err))
	}
	lines, err := csv.NewReader(bytes.NewReader(written(t, req.Out))).ReadAll()
	if err != nil || len(lines) != 3 {
		t.Fatalf("lines %q, %v", lines, err)
	}
	cell := func(n int, column string) string {
		for i, name := range lines[0] {
			if name == column {
				return lines[n][i]
			}
		}
		t.Fatalf("no column %s in %q", column, lines[0])
		return ""
	}
	for _, w := range []struct {
		line         int
		column, want string
	}{
		{1, "prediction_id", "01HQWZ00001000000000000000"}, {1, "row", "0"}, {1, "value", "0.5"}, {1, "values", "[0.5]"}, {1, "truth", ""}, {1, "wrong", "1"}, {1, "note", "=strike, \"2\""},
		{2, "row", "1"}, {2, "value", "1.0"}, {2, "truth", "1.25"}, {2, "truth_kind", "correction"}, {2, "truth_source", "ada"}, {2, "wrong", "0"}, {2, "series", "north"}, {2, "version", "1"},
		{2, "event_time", "2026-03-02 12:00:00.123456789"}, {2, "target", ""},
		{2, "outputs", `[{"name":"y","datatype":"FP32","shape":[2,1],"values":[0.5,1]}]`},
		{2, "inputs", `[{"name":"x","datatype":"FP64","shape":[1],"values":[1]},{"name":"ward","datatype":"BYTES","shape":[1],"values":["a \"b\", c"]}]`},
	} {
		if got := cell(w.line, w.column); got != w.want {
			t.Errorf("line %d, %s is %q, want %q", w.line, w.column, got, w.want)
		}
	}

	req.Format, req.Out = query.Parquet, filepath.Join(t.TempDir(), "out.parquet")
	tab = record.Table{Group: "g", Endpoint: "beds"}
	req.Path, req.Ask, req.Count, req.Select, req.MaxRows = entries(t, l, tab), l.Ask(tab), tab.Count(), tab.Select(), 6
	if got, err := c.Export(within(t, time.Minute), req); err != nil || got.Rows != 6 {
		t.Fatalf("export of all: %+v, %v", got, err)
	}
	ins, err := c.Inspect(within(t, time.Minute), query.InspectRequest{Path: file(t, "out.parquet", string(written(t, req.Out)))})
	if err != nil || ins.Rows != 6 {
		t.Fatalf("inspect: %+v, %v", ins, err)
	}
	for _, col := range ins.Columns {
		if col.Name == "inputs" {
			t.Error("inputs that nobody asked for")
		}
	}
	req.MaxRows, req.Out = 5, filepath.Join(t.TempDir(), "more.parquet")
	if _, err := c.Export(within(t, time.Minute), req); edgeward.KindOf(err) != edgeward.TooLarge {
		t.Errorf("over the bound: %v", err)
	}
	if _, err := os.Stat(req.Out); err == nil {
		t.Error("a file over the bound was written")
	}
	if err := l.Forget(t.Context(), "g", "beds"); err != nil {
		t.Fatal(err)
	}
	req.Ask = l.Ask(tab) // of the same files
	if got, err := c.Export(within(t, time.Minute), req); err != nil || got.Rows != 0 {
		t.Errorf("after Forget: %+v, %v", got, err)
	}
}

func TestExportTouchesItsFilesOnly(t *testing.T) {
	c, _ := newClient(t)
	path := entries(t, records(t, 1), record.Table{Group: "g", Endpoint: "beds"})
	other := file(t, "secret.csv", "a\n1\n")
	out := filepath.Join(t.TempDir(), "out.csv")
	for name, q := range map[string]string{
		"another file cannot be read":       "SELECT * FROM read_csv('" + other + "')",
		"a statement that does not run":     "SELECT nothing FROM data",
		"a value cannot become a statement": "SELECT * FROM ask WHERE v = (SELECT 1 FROM gone)",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Export(within(t, time.Minute), query.ExportRequest{Path: path, Key: secret, Ask: map[string]string{"v": "'; DROP TABLE ask; --"},
				Count: "SELECT 1::BIGINT, 1::BIGINT", Select: q, MaxRows: 1, MaxBytes: 1, Format: query.CSV, Out: out})
			if err == nil || strings.Contains(err.Error(), other) {
				t.Errorf("got %v", err)
			}
		})
	}
	got, err := c.Export(within(t, time.Minute), query.ExportRequest{Path: path, Key: secret, Ask: map[string]string{"v": "'; DROP TABLE ask; --"},
		Count: "SELECT 1::BIGINT, 1::BIGINT", Select: "SELECT v FROM ask", MaxRows: 1, MaxBytes: 1, Format: query.CSV, Out: out})
	if err != nil {
		t.Fatal(err)
	}
	if b := written(t, out); got.Rows != 1 || string(b) != "v\n'; DROP TABLE ask; --\n" {
		t.Errorf("got %+v, %q", got, b)
	}
	if _, err := c.Export(within(t, time.Minute), query.ExportRequest{Path: path, Key: secret, Count: "SELECT 1, 1", Select: "SELECT 1", Format: "xml", Out: out}); edgeward.KindOf(err) != edgeward.Invalid {
		t.Errorf("format xml: %v", err)
	}
}
