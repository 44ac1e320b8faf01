package onnx

// #include <stdlib.h>
// #include "ort.h"
import "C"

import (
	"runtime"
	"unsafe"

	"edgeward"
	"edgeward/runtime/tensor"
)

// input makes the library's value of a port's tensors. Numbers are not copied: their data are pinned for the run.
func (p port) input(ts [2]tensor.Tensor, pin *runtime.Pinner) (handle, error) {
	switch {
	case p.typ.kind == C.KIND_MAP:
		return p.mapInput(ts, pin)
	case p.typ.kind != C.KIND_TENSOR:
		return p.containerInput(ts[0], pin)
	}
	return newValue(p.typ.element, ts[0], pin)
}

// newValue makes a tensor of the library.
func newValue(elem int32, t tensor.Tensor, pin *runtime.Pinner) (handle, error) {
	const op = "onnx.Run"
	var v handle
	shape := (*C.int64_t)(unsafe.SliceData(t.Shape))
	rank := C.size_t(len(t.Shape))
	e := elements[elem]
	if e.bits == 0 {
		n, err := tensor.Elements(t.Shape)
		if err != nil {
			return nil, err
		}
		if err := failed(op, "engine.run", C.ort_strings(shape, rank, (*C.uint8_t)(unsafe.SliceData(t.Data)), C.size_t(n), &v)); err != nil {
			release(C.RELEASE_VALUE, v)
			return nil, err
		}
		return v, nil
	}
	data := t.Data
	if e.bits < 8 {
		var err error
		if data, err = pack(t, e); err != nil {
			return nil, err
		}
	}
	return v, rawValue(elem, t.Shape, data, pin, &v)
}

// rawValue makes a tensor of numbers over data, which are as the library keeps them.
func rawValue(elem int32, shape []int64, data []byte, pin *runtime.Pinner, v *handle) error {
	data = aligned(data, max(elements[elem].bits/8, 1))
	if len(data) > 0 {
		pin.Pin(unsafe.SliceData(data))
	}
	return failed("onnx.Run", "engine.run", C.ort_tensor(C.int32_t(elem), (*C.int64_t)(unsafe.SliceData(shape)), C.size_t(len(shape)),
		unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)), v))
}

// aligned returns data, copied if its address does not suit elements of size bytes.
func aligned(data []byte, size int) []byte {
	if len(data) == 0 || uintptr(unsafe.Pointer(unsafe.SliceData(data)))%uintptr(size) == 0 {
		return data
	}
	words := make([]uint64, (len(data)+7)/8)
	out := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(data))
	copy(out, data)
	return out
}

// output reads a port's tensors from the library's value.
func (p port) output(v handle, l *C.look) ([]tensor.Tensor, error) {
	switch {
	case p.typ.kind == C.KIND_MAP:
		return p.mapOutput(v)
	case p.typ.kind != C.KIND_TENSOR:
		return p.containerOutput(v)
	}
	if l.kind != C.KIND_TENSOR || l.none != 0 || int32(l.element) != p.typ.element {
		return nil, edgeward.E("onnx.Run", edgeward.Invalid, "engine.run", "output %q is not the %s that the model declares", p.name, p.typ)
	}
	t, err := tensorOf(p.name, v, l)
	return []tensor.Tensor{t}, err
}

// tensorOf copies a tensor out of the library.
func tensorOf(name string, v handle, l *C.look) (tensor.Tensor, error) {
	e := elements[int32(l.element)]
	t := tensor.Tensor{Name: name, Datatype: e.datatype}
	var err error
	if t.Shape, err = shapeOf(name, l); err != nil {
		return t, err
	}
	if t.Data, err = dataOf(v, l, e); err == nil && e.bits != 0 && e.bits < 8 {
		t.Data = unpack(t.Data, int(l.count), e)
	}
	return t, err
}

func shapeOf(name string, l *C.look) ([]int64, error) {
	if l.rank > tensor.MaxRank {
		return nil, edgeward.E("onnx.Run", edgeward.Invalid, "engine.run", "output %q has %d dimensions; at most %d are allowed", name, l.rank, tensor.MaxRank)
	}
	shape := make([]int64, l.rank)
	for i := range shape {
		shape[i] = int64(l.shape[i])
	}
	return shape, nil
}

// dataOf copies a tensor's elements as the library keeps them; strings in the form they travel in.
func dataOf(v handle, l *C.look, e element) ([]byte, error) {
	const op = "onnx.Run"
	count, bytes := uint64(l.count), uint64(l.bytes)
	if count > tensor.MaxData || bytes > tensor.MaxData || 4*count+bytes > tensor.MaxData && e.bits == 0 || e.bytes(int(count)) > tensor.MaxData {
		return nil, edgeward.E(op, edgeward.Exhausted, "engine.memory", "an output of %d elements is too large", count)
	}
	if e.bits == 0 {
		out := make([]byte, 4*count+bytes)
		return out, failed(op, "engine.run", C.ort_strings_out(v, l.count, l.bytes, (*C.uint8_t)(unsafe.SliceData(out))))
	}
	if count == 0 {
		return nil, nil
	}
	out := make([]byte, e.bytes(int(count)))
	copy(out, unsafe.Slice((*byte)(l.data), len(out)))
	return out, nil
}

// pack puts elements of less than a byte side by side, the first in the lowest bits, as ONNX keeps them.
func pack(t tensor.Tensor, e element) ([]byte, error) {
	low, high := 0, 1<<e.bits-1
	if e.datatype == tensor.Int8 {
		low, high = -1<<(e.bits-1), 1<<(e.bits-1)-1
	}
	per := 8 / e.bits
	out := make([]byte, e.bytes(len(t.Data)))
	for i, b := range t.Data {
		v := int(b)
		if e.datatype == tensor.Int8 {
			v = int(int8(b))
		}
		if v < low || v > high {
			return nil, edgeward.E("onnx.Run", edgeward.Invalid, "tensor.value", "tensor %q: element %d is %d, and an %s lies between %d and %d", t.Name, i, v, e.name, low, high).With("tensor", t.Name)
		}
		out[i/per] |= b & (1<<e.bits - 1) << (i % per * e.bits)
	}
	return out, nil
}

// unpack is the inverse of pack for n elements.
func unpack(data []byte, n int, e element) []byte {
	per := 8 / e.bits
	out := make([]byte, n)
	for i := range out {
		b := data[i/per] >> (i % per * e.bits) & (1<<e.bits - 1)
		if e.datatype == tensor.Int8 {
			b = byte(int8(b<<(8-e.bits)) >> (8 - e.bits))
		}
		out[i] = b
	}
	return out
}

// unsupported is the error of a value that cannot be passed.
func unsupported(format string, args ...any) error {
	return edgeward.E("onnx.Run", edgeward.Invalid, "engine.unsupported", format, args...)
}
