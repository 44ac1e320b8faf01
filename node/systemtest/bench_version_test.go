package systemtest

import (
	"bytes"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
	"edgeward/runtime/engine/enginetest"
)

// TestAVersionIsMeasured: without an endpoint, beside what serves, and nothing of it is recorded or counted.
func TestAVersionIsMeasured(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	ctx := within(t, 2*time.Minute)
	for _, m := range []string{"affine", "strings", "digits"} {
		must[client.ImportedVersion](t)(s.ImportModel(ctx, m, bytes.NewReader(enginetest.ONNX(t, m).Bytes), client.ModelUpload{Filename: m + ".onnx"}))
	}
	var q client.GraphRequest
	unmarshal(t, []byte(`{"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}], "nodes": [{"name": "a", "model": "affine", "inputs": {"x": "x"}}], "outputs": [{"name": "y", "from": "a.y"}]}`), &q)
	must[client.ImportedVersion](t)(s.ApplyGraph(ctx, "graph", q))
	short := client.BenchRequest{Rows: []int{1, 3}, Clients: []int{1, 2}, Seconds: 0.1}
	for _, m := range []string{"affine", "graph", "digits"} {
		b := must[client.Bench](t)(s.Bench(ctx, m, 0, short))
		if b.Model != m || b.Version != 1 || b.Engine == "" || b.Device != "CPU" || b.LoadMS <= 0 || len(b.Points) == 0 || m != "digits" && len(b.Points) != 4 {
			t.Errorf("%+v", b)
		}
		for _, p := range b.Points {
			if p.Calls < 1 || p.PerS <= 0 || p.RowsS < p.PerS || p.P50US <= 0 || p.P50US > p.P95US || p.P95US > p.P99US {
				t.Errorf("%s: %+v", m, p)
			}
		}
	}
	_, err := s.Bench(ctx, "strings", 1, short)
	wantError(t, err, edgeward.Invalid, "bench.no_example")
	for _, bad := range []client.BenchRequest{{Rows: []int{0}}, {Clients: []int{65}}, {Seconds: 6}, {Rows: []int{1, 2, 4, 8}, Clients: []int{1, 2, 3}, Seconds: 5}} {
		_, err := s.Bench(ctx, "affine", 1, bad)
		wantError(t, err, edgeward.Invalid, "bench.request")
	}
	_, err = s.Bench(ctx, "affine", 2, short)
	wantError(t, err, edgeward.NotFound, "model.version_not_found")
	if n := must[client.NodeStatus](t)(s.Node(ctx)); n.Models.Models != 0 {
		t.Errorf("%+v stays", n.Models)
	}
}
