package onnx_test

import (
	"context"
	"testing"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/engine/enginetest"
)

func TestASessionTellsWhatItsOperationsRunOn(t *testing.T) {
	e := newEngine(t)
	m := enginetest.ONNX(t, "affine")
	m.Place = true
	s, err := e.Load(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := s.(engine.Placed).Placed()
	if len(got) != 1 || got["CPU"] < 1 {
		t.Errorf("got %v, want all of it on the CPU", got)
	}
}

func TestALibraryWithoutCUDAHasNoGPU(t *testing.T) {
	e := newEngine(t)
	for _, device := range []string{"CUDA", "CUDA:1", "CUDA:-1", "CUDA:x", "GPU"} {
		m := enginetest.ONNX(t, "affine")
		m.Device = device
		if _, err := e.Load(context.Background(), m); edgeward.KindOf(err) != edgeward.Invalid || edgeward.CodeOf(err) != "engine.device" {
			t.Errorf("%s: got %v", device, err)
		}
	}
}
