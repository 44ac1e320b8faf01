package infer

import (
	"encoding/binary"
	"math"

	"edgeward/runtime/engine"
	"edgeward/runtime/tensor"
)

// Golden is a model of this package with an answer that is known: y = 2·a - b + 0.5. An edgeward that gives another one,
// or none, has no business serving models on this machine.
func Golden(key string) (LoadRequest, error) {
	numbers := func(v ...float32) []byte {
		var b []byte
		for _, f := range v {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
		}
		return b
	}
	x, err := tensor.New("x", tensor.FP32, []int64{2, 2}, numbers(3, 1, -1, 0.25))
	if err != nil {
		return LoadRequest{}, err
	}
	y, err := tensor.New("y", tensor.FP32, []int64{2, 1}, numbers(5.5, -1.75))
	return LoadRequest{Key: key, Name: "golden", Format: engine.ONNX, Model: tiny, Runs: 1, Examples: []Example{{Inputs: []tensor.Tensor{x}, Golden: []tensor.Tensor{y}}}}, err
}
