// Package engine is the seam between the product and native inference: what an engine (ONNX Runtime, OpenVINO) can do,
// and no word about how.
//
// An Engine loads models into Sessions; a Session answers. The implementations live below this package and run in a
// worker process only (runtime/worker), because a native library may crash, loop or allocate without bound. All of them
// pass the contract in runtime/engine/enginetest; read it as the specification of what is written here.
//
//   - Run may be called by many goroutines at once. It checks its inputs against the signature and answers outputs in
//     the signature's order. Inputs are only read, and not after the answer; outputs are the caller's.
//   - When ctx ends, Run stops as soon as the library lets it and answers an error that is ctx's error.
//   - Close waits for running calls, frees the model and gives its memory back to the system. Run after Close is
//     Unavailable "engine.closed"; Close may be called again.
//
// Errors of Load: Invalid "engine.model" for what is no model or what the engine cannot run (the library's own words in
// the text), Exhausted "engine.memory", Unavailable "engine.missing" when the library itself cannot be opened, Unavailable
// "engine.device" when the device is to blame. Errors of
// Run: those of tensor.Signature.Check, Invalid "engine.run" when the model fails on these inputs, Exhausted
// "engine.memory".
package engine

import (
	"context"
	"os"
	"strings"

	"edgeward"
	"edgeward/runtime/tensor"
)

// Format is how a model is written down.
type Format string

// The formats an engine may read.
const (
	ONNX       Format = "onnx"
	OpenVINO   Format = "openvino"   // IR: Bytes is the .xml, Weights the .bin
	TensorFlow Format = "tensorflow" // a frozen graph
	TFLite     Format = "tflite"
	Paddle     Format = "paddle"
)

// CPU is the device every engine has.
const CPU = "CPU"

// Model is what to load. One of Bytes and Path is given; with Path, files beside it (external weights) are found.
type Model struct {
	Format  Format
	Bytes   []byte
	Weights []byte // OpenVINO IR only
	Path    string
	Threads int    // threads for one call of Run; 0: 1
	Device  string // "" is CPU
	Place   bool   // so that the session can tell what its operations run on
}

// Read returns the model's bytes, from Path where they are not given.
func (m Model) Read() ([]byte, error) {
	if m.Path == "" {
		if len(m.Bytes) == 0 {
			return nil, edgeward.E("engine.Load", edgeward.Invalid, "engine.model", "the model is empty")
		}
		return m.Bytes, nil
	}
	b, err := os.ReadFile(m.Path)
	if err != nil {
		return nil, edgeward.E("engine.Load", edgeward.Invalid, "engine.model", "the model file cannot be read: %w", err)
	}
	return b, nil
}

// Engine loads models. Safe for use by many goroutines.
type Engine interface {
	Name() string    // "onnxruntime", "openvino"
	Version() string // of the library; "" before it was opened
	Load(ctx context.Context, m Model) (Session, error)
}

// Opener is an Engine whose library can be opened before a model is there, so that what it takes is not taken for the model's.
type Opener interface {
	Open(ctx context.Context) error
}

// Session is a loaded model. Safe for use by many goroutines.
type Session interface {
	Signature() tensor.Signature
	Run(ctx context.Context, inputs []tensor.Tensor) ([]tensor.Tensor, error)
	Close() error
}

// Placed is a Session that can tell what the operations of its graph run on: operations by device, such as CUDA 14, CPU 2; nil
// where Model.Place did not ask for it. An engine runs on the CPU what another device has no code for, and says nothing.
type Placed interface {
	Placed() map[string]int
}

// DeviceFailed is the error of Load where the device or its libraries are to blame and not the model: Unavailable
// "engine.device".
func DeviceFailed(op string, err error) error {
	return edgeward.E(op, edgeward.Unavailable, "engine.device", "the device cannot be used: %w", err).
		WithHint("see the device's driver and the runtime pack: edgeward runtime list")
}

// Closed is the error of Run after Close.
func Closed(op string) error {
	return edgeward.E(op, edgeward.Unavailable, "engine.closed", "the model has been unloaded")
}

// Fail classifies the text of a native library's error: Exhausted when it speaks of memory, else kind Invalid with the
// given code. Libraries give no better handle than their words.
func Fail(op, code, text string) error {
	low := strings.ToLower(text)
	for _, w := range []string{"bad_alloc", "bad allocation", "failed to allocate memory", "cannot allocate", "out of memory", "allocation failed"} {
		if strings.Contains(low, w) {
			return edgeward.E(op, edgeward.Exhausted, "engine.memory", "%s", text).
				WithHint("the model or its input needs more memory than the worker may have; use a smaller one, or raise the worker's memory limit")
		}
	}
	return edgeward.E(op, edgeward.Invalid, code, "%s", text)
}
