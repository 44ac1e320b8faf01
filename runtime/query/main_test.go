package query_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/datasets"
	"edgeward/runtime/query"
	"edgeward/runtime/worker"
)

func TestMain(m *testing.M) {
	worker.Dispatch(worker.Kinds{query.Kind: query.Service})
	os.Exit(m.Run())
}

// newClient starts a query worker of its own.
func newClient(t testing.TB) (*query.Client, *worker.Worker) {
	t.Helper()
	w := worker.New(worker.Options{Kind: query.Kind, Env: worker.Env{Threads: 2}, MemoryLimit: 1 << 30})
	t.Cleanup(func() { w.Close() })
	return query.NewClient(w), w
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

const demo = "../../node/demo/data/er-attendances.parquet"

// file writes content and returns its path.
func file(t testing.TB, name, content string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// normal imports a file and returns the path of its normalised form.
func normal(t testing.TB, c *query.Client, path string, types map[string]datasets.Type) (string, query.Normalised) {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "data.parquet")
	n, err := c.Normalise(within(t, time.Minute), query.NormaliseRequest{Path: abs, Out: out, Types: types})
	if err != nil {
		t.Fatalf("normalise %s: %v (hint: %s)", path, err, edgeward.HintOf(err))
	}
	return out, n
}

func wantError(t testing.TB, err error, kind edgeward.Kind, code string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s %s", kind, code)
	}
	if edgeward.KindOf(err) != kind || edgeward.CodeOf(err) != code {
		t.Fatalf("got %s %q (%v), want %s %q", edgeward.KindOf(err), edgeward.CodeOf(err), err, kind, code)
	}
	if edgeward.HintOf(err) == "" {
		t.Errorf("error %v has no hint", err)
	}
}

func types(cols []datasets.Column) map[string]datasets.Type {
	out := map[string]datasets.Type{}
	for _, c := range cols {
		out[c.Name] = c.Type
	}
	return out
}
