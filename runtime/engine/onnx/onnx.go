// Package onnx is the ONNX Runtime engine: it reads ONNX models and answers on the CPU, or on an NVIDIA GPU where its library
// is a build for CUDA. It is the only user of yalue/onnxruntime_go and runs in a worker process only.
//
// # What it sets
//
// One session per model, shared by all callers. Threads as asked (default 1), sleeping when idle; no memory arena, and
// free memory goes back to the system after a model is unloaded (300 small sessions otherwise keep 188 MiB). A run ends
// between two nodes when its ctx ends; a load cannot be stopped, whoever loads has to limit the process.
//
// On a GPU ("CUDA", "CUDA:1") products are not rounded to TF32, the GPU's memory is taken as it is needed up to Library.Memory,
// and what of a graph the GPU has no kernel for runs on the CPU: a session tells which (engine.Placed). A model of which no
// node runs on the GPU is refused there, and so is one whose GPU or its libraries fail: Unavailable "engine.device".
//
// The Go wrapper opens the library and holds its environment. Sessions, runs and values go past it, to the C API: it
// allocates float16, bfloat16 and rank-0 outputs wrongly, has no way to pass many types, and cannot tell the signature of
// a session that it has made. What it lacks stands in ort.h; no header of the library is needed.
//
// # How values travel
//
// Tensors of every element type and rank, none included; strings hold any bytes. What the protocol has no name for travels
// so, and Spec.Holds says it:
//
//	INT4, INT2              INT8, one element a byte; out of range is refused
//	UINT4, UINT2            UINT8, likewise
//	FLOAT8…, FLOAT4E2M1     UINT8, the element's bits in the low end of a byte
//	seq(tensor)             BYTES [n], each element a serialised onnx.TensorProto with raw_data or string_data
//	optional(…)             one dimension more in front: 0 is nothing, 1 is something
//	map(K,V) NAME           two tensors NAME.keys and NAME.values [n]
//	seq(map) of a ZipMap    FP32 [rows, classes] as before the ZipMap; Spec.Labels are the classes
//
// # What it refuses
//
// Complex elements, sparse tensors, sequences of maps from elsewhere; sequences of sequences that are not all of one length.
package onnx

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/onnxgraph"
)

// Name is the engine's name in reports and requests.
const Name = "onnxruntime"

// Engine opens the library at the first Load.
type Engine struct {
	locate func(context.Context) (Library, error)
}

// Library is a build of ONNX Runtime.
type Library struct {
	Path    string
	Preload []string // libraries that it will look for by name, in the order to open them
	CUDA    bool     // it is a build for CUDA
	Memory  uint64   // most bytes of a GPU's memory that a session takes; 0: all
}

var _ interface {
	engine.Engine
	engine.Opener
} = (*Engine)(nil)

// New returns the engine whose library is the file locate tells. A process has one ONNX Runtime: the first file that
// opens stays for all engines.
func New(locate func(context.Context) (string, error)) *Engine {
	return Of(func(ctx context.Context) (Library, error) {
		path, err := locate(ctx)
		return Library{Path: path}, err
	})
}

// Of is New for a library that is more than a file.
func Of(locate func(context.Context) (Library, error)) *Engine { return &Engine{locate} }

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

// library guards the one environment of this process; opened is what it was made of.
var (
	library sync.Mutex
	opened  Library
)

// Open opens the library, once.
func (e *Engine) Open(ctx context.Context) error {
	library.Lock()
	defer library.Unlock()
	if ort.IsInitialized() {
		return nil
	}
	lib, err := e.locate(ctx)
	if err != nil {
		return err
	}
	path := lib.Path
	for _, p := range lib.Preload {
		if err := preload(p); err != nil {
			return engine.DeviceFailed("onnx.Load", fmt.Errorf("a library of the runtime cannot be opened: %w", err))
		}
	}
	ort.SetSharedLibraryPath(path)
	// Errors come back from every call; logged as well they would repeat each wrong request on stderr.
	if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
		return edgeward.E("onnx.Load", edgeward.Unavailable, "engine.missing", "ONNX Runtime cannot be opened: %w", err).
			WithHint("the installation is damaged or the system's C library is too old; see the log")
	}
	if err := openAPI(path); err != nil {
		return edgeward.E("onnx.Load", edgeward.Unavailable, "engine.missing", "ONNX Runtime cannot be opened: %w", err)
	}
	opened = lib
	return nil
}

// cuda is the device of a build for CUDA, with ":" and a number for another GPU than the first.
const cuda = "CUDA"

// gpuOf returns the number of the GPU that a device names, -1 for the CPU.
func gpuOf(device string) (int, bool) {
	if device == "" || device == engine.CPU {
		return -1, true
	}
	if device == cuda {
		return 0, true
	}
	text, ok := strings.CutPrefix(device, cuda+":")
	n, err := strconv.Atoi(text)
	return n, ok && err == nil && n >= 0
}

// Load opens a model. See package engine for the errors.
func (e *Engine) Load(ctx context.Context, m engine.Model) (engine.Session, error) {
	const op = "onnx.Load"
	if m.Format != engine.ONNX {
		return nil, edgeward.E(op, edgeward.Invalid, "engine.format", "ONNX Runtime does not read the format %q", m.Format)
	}
	if err := e.Open(ctx); err != nil {
		return nil, err
	}
	gpu, ok := gpuOf(m.Device)
	if !ok || gpu >= 0 && !opened.CUDA {
		return nil, edgeward.E(op, edgeward.Invalid, "engine.device", "this ONNX Runtime has no device %q", m.Device)
	}
	how := manner{threads: m.Threads, gpu: gpu, bytes: opened.Memory, place: m.Place || gpu >= 0}
	s, err := load(m, how)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func load(m engine.Model, how manner) (*session, error) {
	if m.Path == "" && len(m.Bytes) == 0 {
		return nil, edgeward.E("onnx.Load", edgeward.Invalid, "engine.model", "the model is empty")
	}
	s, err := open(m.Path, m.Bytes, how)
	if !errors.Is(err, errZipped) {
		return s, err
	}
	b, err := m.Read()
	if err != nil {
		return nil, err
	}
	b, classes, err := onnxgraph.WithoutZipMaps(b)
	if err != nil {
		return nil, err
	}
	if s, err = open("", b, how); errors.Is(err, errZipped) {
		return nil, edgeward.E("onnx.Load", edgeward.Invalid, "engine.model", "an output is a sequence of maps that no ZipMap makes, which cannot be served")
	}
	if err != nil {
		return nil, err
	}
	for i, o := range s.sig.Outputs {
		s.sig.Outputs[i].Labels = classes[o.Name]
	}
	return s, nil
}
