// Package openvino is the OpenVINO engine, through the library's C API, opened at run time; no header, no cgo. It reads
// ONNX, OpenVINO IR, TensorFlow, TFLite and Paddle models and runs them on the CPU of any x86-64 machine and on the
// devices that the library finds. It runs in a worker process only.
//
// It has no rule for tree ensembles and answers Load of one with Invalid "engine.model" and the library's words: such
// models go to ONNX Runtime. Sums are made in 32-bit floats (the library would choose 16 bits on some processors), so
// that answers agree with other engines.
//
// A session keeps one infer request per concurrent caller; they are made on demand. A run is cancelled when its ctx
// ends, between two operations of the graph; a Loop operation counts as one and cannot be stopped, so the process has to
// be limited from outside. The CPU plugin computes 64-bit integers in 32 bits: inputs that do not fit are refused.
// Strings are not supported.
package openvino

import (
	"context"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/tensor"
)

// Name is the engine's name in reports and requests.
const Name = "openvino"

// Engine opens the library at the first Load.
type Engine struct {
	locate func(context.Context) (string, error)

	mu      sync.Mutex
	api     *api
	core    uintptr
	version string
	devices []string
}

var _ interface {
	engine.Engine
	engine.Opener
} = (*Engine)(nil)

// New returns the engine whose C library (libopenvino_c.so) is the file locate tells; the rest lies beside it. Make one
// per process: the library is never closed.
func New(locate func(context.Context) (string, error)) *Engine { return &Engine{locate: locate} }

// Name returns "openvino".
func (*Engine) Name() string { return Name }

// Version returns the library's build, such as "2026.4.1-22982-…", or "" before the first Load.
func (e *Engine) Version() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.version
}

// Devices opens the library and returns what it can run on: "CPU", "GPU", "NPU".
func (e *Engine) Devices(ctx context.Context) ([]string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	return slices.Clone(e.devices), nil
}

// Open opens the library, once.
func (e *Engine) Open(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.open(ctx)
}

// open opens the library once. e.mu is held.
func (e *Engine) open(ctx context.Context) error {
	const op = "openvino.Load"
	if e.api != nil {
		return nil
	}
	path, err := e.locate(ctx)
	if err != nil {
		return err
	}
	a, err := openLibrary(path)
	if err != nil {
		return edgeward.E(op, edgeward.Unavailable, "engine.missing", "OpenVINO cannot be opened: %w", err).
			WithHint("the installation is damaged or the system's C library is too old; see the log")
	}
	if a.coreCreate(&e.core) != 0 {
		return edgeward.E(op, edgeward.Unavailable, "engine.missing", "OpenVINO does not start: %s", a.why())
	}
	var v cVersion
	if a.getVersion(&v) == 0 {
		e.version = text(v.build) // two static strings of the library's own copy, kept for good
	}
	var d cDevices
	if a.devices(e.core, &d) == 0 {
		for _, p := range unsafe.Slice((*unsafe.Pointer)(d.names), d.n) {
			e.devices = append(e.devices, text(p))
		}
		a.devFree(&d)
	}
	e.api = a
	return nil
}

// why returns the library's words about the last failure, in one line and without where in its source it was.
func (a *api) why() string {
	var words []string
	for line := range strings.Lines(a.owned(a.lastError())) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "Exception from ") && !strings.HasPrefix(line, "Check '") && !strings.HasPrefix(line, "To facilitate ") {
			words = append(words, line)
		}
	}
	if len(words) == 0 {
		return "the library gives no reason"
	}
	return strings.Join(words, " ")
}

// Load opens a model. See package engine for the errors. Loads of one engine run one after the other.
func (e *Engine) Load(ctx context.Context, m engine.Model) (engine.Session, error) {
	const op = "openvino.Load"
	if !slices.Contains([]engine.Format{engine.ONNX, engine.OpenVINO, engine.TensorFlow, engine.TFLite, engine.Paddle}, m.Format) {
		return nil, edgeward.E(op, edgeward.Invalid, "engine.format", "OpenVINO does not read the format %q", m.Format)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	device := m.Device
	if device == "" {
		device = engine.CPU
	}
	if !slices.Contains(e.devices, device) {
		return nil, edgeward.E(op, edgeward.Invalid, "engine.device", "OpenVINO finds no device %q here, only %v", device, e.devices)
	}
	s := &session{api: e.api, weights: m.Weights}
	if err := e.load(s, m, device); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (e *Engine) load(s *session, m engine.Model, device string) error {
	const op = "openvino.Load"
	a := e.api
	var status int32
	switch {
	case m.Path != "":
		at := m.Path
		if filepath.Base(at) == "saved_model.pb" { // a SavedModel is read by its folder
			at = filepath.Dir(at)
		}
		status = a.readFile(e.core, at, nil, &s.model)
	case len(m.Bytes) == 0:
		return edgeward.E(op, edgeward.Invalid, "engine.model", "the model is empty")
	default:
		var weights uintptr
		if n := int64(len(m.Weights)); n > 0 {
			if a.tensorFrom(elementU8, 1, &n, unsafe.Pointer(unsafe.SliceData(m.Weights)), &weights) != 0 {
				return engine.Fail(op, "engine.model", a.why())
			}
			defer a.tensorFree(weights)
		}
		status = a.readBytes(e.core, unsafe.SliceData(m.Bytes), uintptr(len(m.Bytes)), weights, &s.model)
	}
	if status != 0 {
		return engine.Fail(op, "engine.model", a.why())
	}
	var err error
	if s.sig, err = s.signature(); err != nil {
		return err
	}
	props := properties(device, m.Threads)
	if a.compile(e.core, s.model, device, uintptr(len(props)), unsafe.SliceData(props), &s.compiled) != 0 {
		return engine.Fail(op, "engine.model", a.why())
	}
	runtime.KeepAlive(props)
	return nil
}

// properties returns the settings of a compiled model: up to four callers at once, each with its threads.
func properties(device string, threads int) []cProperty {
	if device != engine.CPU {
		return nil
	}
	threads = max(threads, 1)
	streams := min(max(runtime.NumCPU()/threads, 1), 4)
	return []cProperty{
		{cstring("INFERENCE_NUM_THREADS"), cstring(strconv.Itoa(streams * threads))},
		{cstring("NUM_STREAMS"), cstring(strconv.Itoa(streams))},
		{cstring("INFERENCE_PRECISION_HINT"), cstring("f32")},
		{cstring("ENABLE_CPU_PINNING"), cstring("NO")},
	}
}

// elementU8 is the element type of weights.
const elementU8 = 16

// elements is the library's enumeration of element types, as far as a tensor has a name for them.
var elements = map[int32]tensor.Datatype{
	1: tensor.Bool, 2: tensor.BF16, 3: tensor.FP16, 4: tensor.FP32, 5: tensor.FP64, 7: tensor.Int8, 8: tensor.Int16,
	9: tensor.Int32, 10: tensor.Int64, elementU8: tensor.Uint8, 17: tensor.Uint16, 18: tensor.Uint32, 19: tensor.Uint64,
}

func elementType(d tensor.Datatype) int32 {
	for t, x := range elements {
		if x == d {
			return t
		}
	}
	return 0
}
