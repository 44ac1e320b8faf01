package onnx

// #cgo LDFLAGS: -ldl
// #include <stdlib.h>
// #include "ort.h"
import "C"

import (
	"errors"
	"strings"
	"unsafe"

	"edgeward/runtime/engine"
)

// handle is an object of the library.
type handle = C.handle

// failed is the error of a status that is not success: its text, classified.
func failed(op, code string, status handle) error {
	if status == nil {
		return nil
	}
	text := C.ort_text(status)
	defer C.free(unsafe.Pointer(text))
	return engine.Fail(op, code, C.GoString(text))
}

// openAPI finds the library's functions once the wrapper has loaded it.
func openAPI(path string) error {
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	if why := C.ort_open(p); why != nil {
		return errors.New(C.GoString(why))
	}
	return nil
}

// preload opens a library that others will look for by its name.
func preload(path string) error {
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	if why := C.ort_preload(p); why != nil {
		return errors.New(C.GoString(why))
	}
	return nil
}

// manner is how a session is made.
type manner struct {
	threads int
	gpu     int    // its number, or -1
	bytes   uint64 // of its memory at most; 0: all
	place   bool   // keep where the nodes run
}

// newSession loads the file at path, or b where path is empty.
func newSession(path string, b []byte, how manner) (handle, error) {
	var p *C.char
	if path != "" {
		p = C.CString(path)
		defer C.free(unsafe.Pointer(p))
	}
	m := C.manner{threads: C.int(max(how.threads, 1)), cuda: C.int(how.gpu), bytes: C.uint64_t(how.bytes)}
	if how.place {
		m.placement = 1
	}
	var s handle
	var device C.int
	status := C.ort_session(p, unsafe.Pointer(unsafe.SliceData(b)), C.size_t(len(b)), &m, &device, &s)
	if status == nil {
		return s, nil
	}
	err := failed("onnx.Load", "engine.model", status)
	if device == 0 && !deviceWords(how.gpu, err) {
		return nil, err
	}
	return nil, engine.DeviceFailed("onnx.Load", errors.New(deviceReason(err.Error())))
}

// deviceReason is what the library says of a device without where in its source it was and without paths of this machine.
func deviceReason(text string) string {
	_, why, found := strings.Cut(text, "with error: ")
	if !found {
		_, why, found = strings.Cut(text, "[ONNXRuntimeError] : ")
	}
	if !found {
		why = text
	}
	why = strings.TrimSpace(why)
	if strings.HasPrefix(why, "libcuda.so") {
		return "NVIDIA's driver is not installed here, or this service cannot see it (" + why + ")"
	}
	if _, room, found := strings.Cut(why, arena); found {
		return "the model needs more of the GPU's memory than it may have (" + strings.ToLower(arena[:1]) + arena[1:] + room + ")"
	}
	return why
}

// arena is how the library begins to say that a model does not fit in what it may take of a GPU's memory.
const arena = "Available memory of"

// deviceWords reports whether a load on a GPU failed by the GPU's fault, as far as the library's words tell.
func deviceWords(gpu int, err error) bool {
	if gpu < 0 {
		return false
	}
	for _, w := range []string{"CUDA failure", "CUDA error", "CUDNN failure", "CUBLAS failure", "cudaError", "no kernel image", arena} {
		if strings.Contains(err.Error(), w) {
			return true
		}
	}
	return false
}

// places tells what the nodes of a session run on.
func places(s handle) (map[string]int, error) {
	var all [C.MAX_PLACES]C.place
	var n C.size_t
	if err := failed("onnx.Load", "engine.model", C.ort_places(s, &all[0], &n)); err != nil {
		return nil, err
	}
	out := map[string]int{}
	for _, p := range all[:n] {
		name := strings.ToUpper(strings.TrimSuffix(C.GoString(&p.name[0]), "ExecutionProvider"))
		out[name] += int(p.nodes)
	}
	return out, nil
}

// get reads a property of an object: a handle that belongs to the object, or a number.
func get[T handle | C.size_t | C.int32_t](function C.int, object handle) (T, error) {
	var v T
	return v, failed("onnx.Load", "engine.model", C.ort_get(function, object, unsafe.Pointer(&v)))
}

// release gives an object back; nil is none.
func release(function C.int, object handle) { C.ort_release(function, object) }

func releaseValues(values []handle) {
	if len(values) > 0 {
		C.ort_release_values(unsafe.SliceData(values), C.size_t(len(values)))
	}
}

// Trim gives memory that C code has freed back to the system.
func Trim() { C.ort_trim() }
