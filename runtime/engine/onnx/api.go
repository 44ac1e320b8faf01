package onnx

// #cgo LDFLAGS: -ldl
// #include <stdlib.h>
// #include "ort.h"
import "C"

import (
	"errors"
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

// newSession loads the file at path, or b where path is empty.
func newSession(path string, b []byte, threads int) (handle, error) {
	var p *C.char
	if path != "" {
		p = C.CString(path)
		defer C.free(unsafe.Pointer(p))
	}
	var s handle
	return s, failed("onnx.Load", "engine.model", C.ort_session(p, unsafe.Pointer(unsafe.SliceData(b)), C.size_t(len(b)), C.int(max(threads, 1)), &s))
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
