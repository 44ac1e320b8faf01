// Package onnx is the ONNX Runtime engine: it reads ONNX models and answers on the CPU. It is the only user of
// yalue/onnxruntime_go and runs in a worker process only.
//
// # What it sets
//
// One session per model, shared by all callers. Threads as asked (default 1), sleeping when idle; no memory arena, and
// free memory goes back to the system after a model is unloaded (300 small sessions otherwise keep 188 MiB). A run ends
// between two nodes when its ctx ends; a load cannot be stopped, whoever loads has to limit the process.
//
// # What it works around
//
// The wrapper (1.35.0) allocates float16, bfloat16 and rank-0 outputs wrongly. Outputs of definite shape are therefore
// allocated here; of open shape by the wrapper, except those datatypes: for them a first run learns the shape from the
// library, and a second fills it. Opening a session tells nothing about inputs, so each load first reads the model
// without optimising it.
//
// # What it refuses
//
// Inputs and outputs that are no tensors (sequences, maps, optionals), 4-bit, 8-bit float and complex elements, strings of rank 0 or
// with a NUL byte, float16 and bfloat16 of rank 0.
package onnx

import (
	"context"
	"fmt"
	"os"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/tensor"
)

// Name is the engine's name in reports and requests.
const Name = "onnxruntime"

// Engine opens the library at the first Load.
type Engine struct {
	locate func(context.Context) (string, error)
}

var _ engine.Engine = (*Engine)(nil)

// New returns the engine whose library is the file locate tells. A process has one ONNX Runtime: the first file that
// opens stays for all engines.
func New(locate func(context.Context) (string, error)) *Engine { return &Engine{locate} }

// Name returns "onnxruntime".
func (*Engine) Name() string { return Name }

// Version returns the library's version, such as "1.31.1", or "" before the first Load.
func (*Engine) Version() string {
	library.Lock()
	defer library.Unlock()
	if !ort.IsInitialized() {
		return ""
	}
	return ort.GetVersion()
}

// library guards the one environment of this process.
var library sync.Mutex

func (e *Engine) open(ctx context.Context) error {
	library.Lock()
	defer library.Unlock()
	if ort.IsInitialized() {
		return nil
	}
	path, err := e.locate(ctx)
	if err != nil {
		return err
	}
	ort.SetSharedLibraryPath(path)
	// Errors come back from every call; logged as well they would repeat each wrong request on stderr.
	if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
		return edgeward.E("onnx.Load", edgeward.Unavailable, "engine.missing", "ONNX Runtime cannot be opened: %w", err).
			WithHint("the installation is damaged or the system's C library is too old; see the log")
	}
	return nil
}

// Load opens a model. See package engine for the errors.
func (e *Engine) Load(ctx context.Context, m engine.Model) (engine.Session, error) {
	const op = "onnx.Load"
	if m.Format != engine.ONNX {
		return nil, edgeward.E(op, edgeward.Invalid, "engine.format", "ONNX Runtime does not read the format %q", m.Format)
	}
	if m.Device != "" && m.Device != engine.CPU {
		return nil, edgeward.E(op, edgeward.Invalid, "engine.device", "this ONNX Runtime has no device %q", m.Device)
	}
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	path := m.Path
	if path == "" {
		if len(m.Bytes) == 0 {
			return nil, edgeward.E(op, edgeward.Invalid, "engine.model", "the model is empty")
		}
		f, err := memoryFile(m.Bytes)
		if err != nil {
			return nil, edgeward.E(op, edgeward.Exhausted, "engine.memory", "the model does not fit into memory: %w", err)
		}
		defer f.Close()
		path = fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	}
	sig, err := signature(path)
	if err != nil {
		return nil, err
	}
	opts, err := options(m.Threads, ort.GraphOptimizationLevelEnableAll)
	if err != nil {
		return nil, err
	}
	defer opts.Destroy()
	s := &session{sig: sig, outputs: make([]output, len(sig.Outputs))}
	for i, spec := range sig.Outputs {
		s.outputs[i] = newOutput(spec)
	}
	s.ort, err = ort.NewDynamicAdvancedSession(path, names(sig.Inputs), names(sig.Outputs), opts)
	if err != nil {
		return nil, engine.Fail(op, "engine.model", err.Error())
	}
	return s, nil
}

// memoryFile returns an open file without a name that holds b.
func memoryFile(b []byte) (*os.File, error) {
	fd, err := memfd()
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "model.onnx")
	if _, err := f.Write(b); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func options(threads int, level ort.GraphOptimizationLevel) (*ort.SessionOptions, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, engine.Fail("onnx.Load", "engine.model", err.Error())
	}
	for _, set := range []func() error{
		func() error { return o.SetIntraOpNumThreads(max(threads, 1)) },
		func() error { return o.SetInterOpNumThreads(1) },
		func() error { return o.SetGraphOptimizationLevel(level) },
		func() error { return o.SetCpuMemArena(false) },
		func() error { return o.SetMemPattern(false) },
		func() error { return o.AddSessionConfigEntry("session.intra_op.allow_spinning", "0") },
		func() error { return o.AddSessionConfigEntry("session.inter_op.allow_spinning", "0") },
	} {
		if err := set(); err != nil {
			o.Destroy()
			return nil, engine.Fail("onnx.Load", "engine.model", err.Error())
		}
	}
	return o, nil
}

// signature reads names, datatypes and shapes without optimising the model.
func signature(path string) (tensor.Signature, error) {
	const op = "onnx.Load"
	var sig tensor.Signature
	o, err := options(1, ort.GraphOptimizationLevelDisableAll)
	if err != nil {
		return sig, err
	}
	defer o.Destroy()
	ins, outs, err := ort.GetInputOutputInfoWithOptions(path, o)
	if err != nil {
		return sig, engine.Fail(op, "engine.model", err.Error())
	}
	if sig.Inputs, err = specs("input", ins); err != nil {
		return sig, err
	}
	if sig.Outputs, err = specs("output", outs); err != nil {
		return sig, err
	}
	if err := sig.Validate(); err != nil {
		return sig, edgeward.E(op, edgeward.Invalid, "engine.model", "the model has a signature that cannot be served: %w", err)
	}
	return sig, nil
}

func specs(what string, infos []ort.InputOutputInfo) ([]tensor.Spec, error) {
	out := make([]tensor.Spec, len(infos))
	for i, in := range infos {
		d, ok := datatypes[in.DataType]
		if in.OrtValueType != ort.ONNXTypeTensor || !ok {
			return nil, edgeward.E("onnx.Load", edgeward.Invalid, "engine.model", "%s %q is %s, which cannot be served yet", what, in.Name, in.String()).
				WithHint("export the model with plain tensors as %ss; for scikit-learn classifiers set zipmap=False", what)
		}
		shape := make([]int64, len(in.Dimensions))
		for j, n := range in.Dimensions {
			shape[j] = max(n, tensor.Any)
		}
		out[i] = tensor.Spec{Name: in.Name, Datatype: d, Shape: shape}
	}
	return out, nil
}

var datatypes = map[ort.TensorElementDataType]tensor.Datatype{
	ort.TensorElementDataTypeBool: tensor.Bool, ort.TensorElementDataTypeString: tensor.Bytes,
	ort.TensorElementDataTypeUint8: tensor.Uint8, ort.TensorElementDataTypeUint16: tensor.Uint16,
	ort.TensorElementDataTypeUint32: tensor.Uint32, ort.TensorElementDataTypeUint64: tensor.Uint64,
	ort.TensorElementDataTypeInt8: tensor.Int8, ort.TensorElementDataTypeInt16: tensor.Int16,
	ort.TensorElementDataTypeInt32: tensor.Int32, ort.TensorElementDataTypeInt64: tensor.Int64,
	ort.TensorElementDataTypeFloat16: tensor.FP16, ort.TensorElementDataTypeBFloat16: tensor.BF16,
	ort.TensorElementDataTypeFloat: tensor.FP32, ort.TensorElementDataTypeDouble: tensor.FP64,
}

func elementType(d tensor.Datatype) ort.TensorElementDataType {
	for t, x := range datatypes {
		if x == d {
			return t
		}
	}
	return ort.TensorElementDataTypeUndefined
}

func names(specs []tensor.Spec) []string {
	out := make([]string, len(specs))
	for i, s := range specs {
		out[i] = s.Name
	}
	return out
}
