package onnx

// #include <stdlib.h>
// #include "ort.h"
import "C"

import (
	"fmt"
	"unsafe"

	"edgeward"
	"edgeward/runtime/tensor"
)

// element is an ONNX element type: how it travels, and in how many bits the library keeps it. An element type that the
// protocol has no name for has one here.
type element struct {
	datatype tensor.Datatype
	bits     int // 0: strings
	name     string
}

// elements by ONNX's number. Complex numbers are not among them: the library computes none.
var elements = map[int32]element{
	1: {tensor.FP32, 32, ""}, 2: {tensor.Uint8, 8, ""}, 3: {tensor.Int8, 8, ""}, 4: {tensor.Uint16, 16, ""}, 5: {tensor.Int16, 16, ""},
	6: {tensor.Int32, 32, ""}, 7: {tensor.Int64, 64, ""}, elementString: {tensor.Bytes, 0, ""}, 9: {tensor.Bool, 8, ""}, 10: {tensor.FP16, 16, ""},
	11: {tensor.FP64, 64, ""}, 12: {tensor.Uint32, 32, ""}, 13: {tensor.Uint64, 64, ""}, 16: {tensor.BF16, 16, ""},
	17: {tensor.Uint8, 8, "FLOAT8E4M3FN"}, 18: {tensor.Uint8, 8, "FLOAT8E4M3FNUZ"}, 19: {tensor.Uint8, 8, "FLOAT8E5M2"}, 20: {tensor.Uint8, 8, "FLOAT8E5M2FNUZ"},
	21: {tensor.Uint8, 4, "UINT4"}, 22: {tensor.Int8, 4, "INT4"}, 23: {tensor.Uint8, 4, "FLOAT4E2M1"}, 24: {tensor.Uint8, 2, "UINT2"}, 25: {tensor.Int8, 2, "INT2"},
	26: {tensor.Uint8, 8, "FLOAT8E8M0"},
}

const elementString = 8

// bytes is how much room n elements take in the library.
func (e element) bytes(n int) int { return (n*e.bits + 7) / 8 }

// typ is the type of an input or output as the model declares it.
type typ struct {
	kind    int32 // C.KIND_…
	element int32 // of a tensor
	shape   []int64
	anyRank bool
	key     int32 // of a map: the element type of its keys
	of      *typ  // of a sequence, an optional, a map: what is in it
}

// String writes a type as ONNX does: "seq(tensor(FP32))".
func (t typ) String() string {
	switch t.kind {
	case C.KIND_TENSOR:
		e := elements[t.element]
		if e.name == "" {
			e.name = string(e.datatype)
		}
		return "tensor(" + e.name + ")"
	case C.KIND_SEQUENCE:
		return "seq(" + t.of.String() + ")"
	case C.KIND_OPTIONAL:
		return "optional(" + t.of.String() + ")"
	case C.KIND_MAP:
		return fmt.Sprintf("map(%s,%s)", elements[t.key].datatype, elements[t.of.element].datatype)
	}
	return "something unknown"
}

// wraps counts the sequences and optionals around a tensor; -1 where there is something else inside.
func (t typ) wraps() int {
	n := 0
	for t.kind == C.KIND_SEQUENCE || t.kind == C.KIND_OPTIONAL {
		n, t = n+1, *t.of
	}
	if t.kind != C.KIND_TENSOR {
		return -1
	}
	return n
}

// specs tells how a value of this type travels, or ok false where it cannot.
func (t typ) specs(name string) (specs []tensor.Spec, ok bool) {
	switch {
	case t.kind == C.KIND_TENSOR:
		e, ok := elements[t.element]
		return []tensor.Spec{{Name: name, Datatype: e.datatype, Shape: t.shape, AnyRank: t.anyRank, Holds: e.name}}, ok
	case t.kind == C.KIND_MAP:
		k, ok1 := elements[t.key]
		v, ok2 := elements[t.of.element]
		return []tensor.Spec{
			{Name: name + ".keys", Datatype: k.datatype, Shape: []int64{tensor.Any}, Holds: t.String()},
			{Name: name + ".values", Datatype: v.datatype, Shape: []int64{tensor.Any}, Holds: t.String()},
		}, ok1 && ok2 && t.of.kind == C.KIND_TENSOR
	case t.wraps() > 0:
		shape := make([]int64, t.wraps())
		for i := range shape {
			shape[i] = tensor.Any
		}
		return []tensor.Spec{{Name: name, Datatype: tensor.Bytes, Shape: shape, Holds: t.String()}}, true
	}
	return nil, false
}

// readType reads what the library says of a type. info stays the caller's.
func readType(info handle) (typ, error) {
	var t typ
	kind, err := get[C.int32_t](C.TYPE_KIND, info)
	if err != nil {
		return t, err
	}
	t.kind = int32(kind)
	inner := func(cast, read C.int) (*typ, handle, error) {
		at, err := get[handle](cast, info)
		if err != nil {
			return nil, nil, err
		}
		in, err := get[handle](read, at)
		if err != nil {
			return nil, nil, err
		}
		defer release(C.RELEASE_TYPE, in)
		of, err := readType(in)
		return &of, at, err
	}
	var at handle
	switch kind {
	case C.KIND_TENSOR:
		if at, err = get[handle](C.TYPE_TENSOR, info); err == nil {
			err = t.readTensor(at)
		}
	case C.KIND_SEQUENCE:
		t.of, _, err = inner(C.TYPE_SEQUENCE, C.SEQUENCE_ELEMENT)
	case C.KIND_OPTIONAL:
		t.of, _, err = inner(C.TYPE_OPTIONAL, C.OPTIONAL_CONTAINED)
	case C.KIND_MAP:
		if t.of, at, err = inner(C.TYPE_MAP, C.MAP_VALUE); err == nil {
			var key C.int32_t
			key, err = get[C.int32_t](C.MAP_KEY, at)
			t.key = int32(key)
		}
	}
	return t, err
}

func (t *typ) readTensor(at handle) error {
	e, err := get[C.int32_t](C.TENSOR_ELEMENT, at)
	if err != nil {
		return err
	}
	rank, err := get[C.size_t](C.DIMENSION_COUNT, at)
	if err != nil {
		return err
	}
	t.element, t.shape = int32(e), make([]int64, rank)
	if t.anyRank = C.ort_has_shape(at) == 0; t.anyRank || rank == 0 {
		return nil
	}
	if err := failed("onnx.Load", "engine.model", C.ort_dimensions(at, (*C.int64_t)(unsafe.SliceData(t.shape)), rank)); err != nil {
		return err
	}
	for i, d := range t.shape {
		t.shape[i] = max(d, tensor.Any)
	}
	return nil
}

// port is one input or output of the model and where its tensors stand in the signature.
type port struct {
	name  string
	typ   typ
	first int // index of its first spec
	n     int // 1, or 2 for a map
}

// ports reads all inputs or outputs of a session and how they travel.
func ports(session handle, what string, count, typeOf, nameOf C.int) ([]port, []tensor.Spec, error) {
	n, err := get[C.size_t](count, session)
	if err != nil {
		return nil, nil, err
	}
	if n > tensor.MaxTensors {
		return nil, nil, edgeward.E("onnx.Load", edgeward.Invalid, "engine.model", "%d %ss; at most %d can be served", n, what, tensor.MaxTensors)
	}
	var out []port
	specs := []tensor.Spec{}
	for i := range n {
		p, err := readPort(session, i, typeOf, nameOf)
		if err != nil {
			return nil, nil, err
		}
		s, ok := p.typ.specs(p.name)
		if !ok && what == "output" && p.typ.kind == C.KIND_SEQUENCE && p.typ.of.kind == C.KIND_MAP {
			return nil, nil, errZipped
		}
		if !ok {
			return nil, nil, edgeward.E("onnx.Load", edgeward.Invalid, "engine.model", "%s %q is %s, which cannot be served", what, p.name, p.typ).
				WithHint("export the model with plain tensors as %ss", what)
		}
		p.first, p.n = len(specs), len(s)
		out, specs = append(out, p), append(specs, s...)
	}
	return out, specs, nil
}

func readPort(session handle, i C.size_t, typeOf, nameOf C.int) (port, error) {
	var p port
	var name *C.char
	if err := failed("onnx.Load", "engine.model", C.ort_name(nameOf, session, i, &name)); err != nil {
		return p, err
	}
	p.name = C.GoString(name)
	C.ort_free(unsafe.Pointer(name))
	var info handle
	if err := failed("onnx.Load", "engine.model", C.ort_at(typeOf, session, i, &info)); err != nil {
		return p, err
	}
	defer release(C.RELEASE_TYPE, info)
	var err error
	p.typ, err = readType(info)
	return p, err
}
