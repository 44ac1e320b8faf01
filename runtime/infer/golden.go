package infer

import (
	"edgeward/runtime/engine"
	"edgeward/runtime/tensor"
)

// Golden is a model of this package with an answer that is known: y = 2·a - b + 0.5. An edgeward that gives another one,
// or none, has no business serving models on this machine.
func Golden(key string) (LoadRequest, error) {
	x, err := tensor.FromFloat32s("x", []int64{2, 2}, []float32{3, 1, -1, 0.25})
	if err != nil {
		return LoadRequest{}, err
	}
	y, err := tensor.FromFloat32s("y", []int64{2, 1}, []float32{5.5, -1.75})
	return LoadRequest{Key: key, Name: "golden", Format: engine.ONNX, Model: tiny, Runs: 1, Examples: []Example{{Inputs: []tensor.Tensor{x}, Golden: []tensor.Tensor{y}}}}, err
}
