package systemtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"edgeward/node/client"
)

// BenchmarkScoring is one run over a data set of 20,000 rows, from asking for it until its file is there: each row routed,
// answered by ONNX Runtime in its worker, recorded, and written beside its columns.
func BenchmarkScoring(b *testing.B) {
	needNative(b)
	const rows = 20_000
	s := start(b, options{})
	leakFinder(b, s, rows)
	ctx := within(b, 4*time.Minute)
	for _, format := range []string{"csv", "parquet"} {
		must[client.Scoring](b)(s.CreateScoring(ctx, client.ScoringRequest{Name: "all-" + format, Endpoint: "leak-finder", Format: format, Source: client.ScoringSource{Kind: "data_set", DataSet: "pumps"}}))
		b.Run(format, func(b *testing.B) {
			n := 0
			for b.Loop() {
				j := must[client.Job](b)(s.RunScoring(ctx, "all-"+format))
				if j = must[client.Job](b)(s.Wait(ctx, j.ID, nil)); j.State != "succeeded" {
					b.Fatalf("%+v", j)
				}
				n += rows
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkGraph asks by HTTP, one request after the other: a model alone, the same as a graph of one node, behind twenty steps
// that each divide by one, and twice side by side; and the two answers that a client would ask for itself.
func BenchmarkGraph(b *testing.B) {
	needNative(b)
	s := start(b, options{})
	leakFinder(b, s, 1)
	ctx := within(b, 4*time.Minute)
	const model = `{"name": %q, "model": "leak-finder/1", "inputs": {"x": %q}}`
	steps, last := []string{}, "x"
	for i := range 20 {
		steps = append(steps, fmt.Sprintf(`{"name": "step-%d", "step": "scale", "with": {"divisor": [1, 1]}, "inputs": {"x": %q}}`, i, last))
		last = fmt.Sprintf("step-%d.y", i)
	}
	for name, nodes := range map[string][]string{
		"graph-of-one": {fmt.Sprintf(model, "a", "x")},
		"graph-steps":  append(steps, fmt.Sprintf(model, "a", last)),
		"graph-of-two": {fmt.Sprintf(model, "a", "x"), fmt.Sprintf(model, "b", "x"), `{"name": "both", "step": "vote", "inputs": {"a": "a.y", "b": "b.y"}}`},
	} {
		from := "a.y"
		if name == "graph-of-two" {
			from = "both.y"
		}
		var q client.GraphRequest
		if err := json.Unmarshal([]byte(`{"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}], "nodes": [`+strings.Join(nodes, ",")+`], "outputs": [{"name": "y", "from": "`+from+`"}]}`), &q); err != nil {
			b.Fatal(err)
		}
		must[client.ImportedVersion](b)(s.ApplyGraph(ctx, name, q))
		deployed(b, s.Client, name, 1)
	}
	for _, c := range []struct {
		what, endpoint string
		times          int
	}{{"model-alone", "leak-finder", 1}, {"graph-of-it", "graph-of-one", 1}, {"graph-of-it-behind-20-steps", "graph-steps", 1}, {"graph-of-two-side-by-side", "graph-of-two", 1}, {"two-requests", "leak-finder", 2}} {
		b.Run(c.what, func(b *testing.B) {
			for b.Loop() {
				for range c.times {
					p, err := s.Predict(ctx, c.endpoint, client.PredictRequest{Fields: map[string]any{"x": []any{3.0, 1.0}}})
					if err != nil || len(p) != 1 {
						b.Fatal(p, err)
					}
				}
			}
		})
	}
}
