package orttest

import (
	"context"
	"sync"
	"testing"

	"edgeward"
	"edgeward/packaging/needtest"
	"edgeward/runtime/engine"
	"edgeward/runtime/engine/onnx"
	"edgeward/runtime/native"
	"edgeward/runtime/tensor"
)

var (
	once   sync.Once
	ours   *onnx.Engine
	failed error
)

// Run feeds rows of float32 features to a graph's input "features", in the product's own ONNX Runtime.
func Run(t testing.TB, model []byte, x []float64, cols int) map[string]Output {
	t.Helper()
	once.Do(func() {
		var at native.Located
		if at, failed = native.Open(t.TempDir()).Locate(t.Context(), native.ONNXRuntime); failed == nil {
			ours = onnx.New(func(context.Context) (string, error) { return at.Files["libonnxruntime.so.1.31.1"], nil })
			var s engine.Session // opens the library before the folder goes
			if s, failed = ours.Load(t.Context(), engine.Model{Format: engine.ONNX, Bytes: model}); failed == nil {
				failed = s.Close()
			}
		}
	})
	if edgeward.CodeOf(failed) == "native.missing" {
		needtest.Missing(t, "native-pack")
	}
	if failed != nil {
		t.Fatal(failed)
	}
	s, err := ours.Load(t.Context(), engine.Model{Format: engine.ONNX, Bytes: model, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	in := make([]float32, len(x))
	for i, v := range x {
		in[i] = float32(v)
	}
	features, err := tensor.Of("features", []int64{int64(len(x) / cols), int64(cols)}, in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Run(t.Context(), []tensor.Tensor{features})
	if err != nil {
		t.Fatal(err)
	}
	res := map[string]Output{}
	for _, o := range out {
		v, err := o.Float64s()
		if err != nil {
			t.Fatal(err)
		}
		got := Output{Type: string(o.Datatype), V: v}
		for _, n := range o.Shape {
			got.Shape = append(got.Shape, int(n))
		}
		res[o.Name] = got
	}
	return res
}
