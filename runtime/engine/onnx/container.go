package onnx

// #include <stdlib.h>
// #include "ort.h"
import "C"

import (
	"runtime"

	"google.golang.org/protobuf/proto"

	"edgeward/runtime/onnxgraph/onnxpb"
	"edgeward/runtime/tensor"
)

// mapInput makes a map of its keys and values.
func (p port) mapInput(ts [2]tensor.Tensor, pin *runtime.Pinner) (v handle, err error) {
	if ts[0].Shape[0] != ts[1].Shape[0] {
		return nil, unsupported("map %q has %d keys and %d values", p.name, ts[0].Shape[0], ts[1].Shape[0])
	}
	var parts [2]handle
	defer func() { releaseValues(parts[:]) }()
	for i, elem := range []int32{p.typ.key, p.typ.of.element} {
		if parts[i], err = newValue(elem, ts[i], pin); err != nil {
			return nil, err
		}
	}
	return v, failed("onnx.Run", "engine.run", C.ort_collect(C.KIND_MAP, &parts[0], 2, &v))
}

// mapOutput takes a map apart.
func (p port) mapOutput(v handle) ([]tensor.Tensor, error) {
	var out []tensor.Tensor
	for i, what := range []string{".keys", ".values"} {
		t, err := with(v, i, func(part handle, l *C.look) (tensor.Tensor, error) { return tensorOf(p.name+what, part, l) })
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// with reads part i of a sequence or map.
func with[T any](v handle, i int, read func(part handle, l *C.look) (T, error)) (T, error) {
	var part handle
	var l C.look
	var none T
	err := failed("onnx.Run", "engine.run", C.ort_at(C.GET_VALUE, v, C.size_t(i), &part))
	if err != nil {
		return none, err
	}
	defer release(C.RELEASE_VALUE, part)
	if err := failed("onnx.Run", "engine.run", C.ort_look(part, &l)); err != nil {
		return none, err
	}
	return read(part, &l)
}

// containerInput makes sequences and optionals of the ONNX tensors in t's elements; see the package comment.
func (p port) containerInput(t tensor.Tensor, pin *runtime.Pinner) (handle, error) {
	items, err := t.Strings()
	if err != nil {
		return nil, err
	}
	return p.wrap(p.typ, t.Shape, items, pin)
}

// wrap makes a value of type t of items, which lie along the dimensions of shape.
func (p port) wrap(t typ, shape []int64, items []string, pin *runtime.Pinner) (handle, error) {
	if t.kind == C.KIND_TENSOR {
		return p.item(t, items[0], pin)
	}
	n := int(shape[0])
	if t.kind == C.KIND_OPTIONAL && n > 1 {
		return nil, unsupported("input %q is %s, so its first dimension is 0 or 1, not %d", p.name, p.typ, n)
	}
	if n == 0 {
		return empty(t)
	}
	each := len(items) / n
	var parts []handle
	defer func() { releaseValues(parts) }()
	for i := range n {
		v, err := p.wrap(*t.of, shape[1:], items[i*each:(i+1)*each], pin)
		if err != nil {
			return nil, err
		}
		if v == nil {
			return nil, unsupported("input %q is %s: nothing inside of something cannot be passed", p.name, p.typ)
		}
		parts = append(parts, v)
	}
	if t.kind == C.KIND_OPTIONAL { // something that is there is passed as it is
		v := parts[0]
		parts = nil
		return v, nil
	}
	var v handle
	return v, failed("onnx.Run", "engine.run", C.ort_collect(C.KIND_SEQUENCE, &parts[0], C.size_t(n), &v))
}

// item makes a tensor of a serialised onnx.TensorProto.
func (p port) item(t typ, b string, pin *runtime.Pinner) (handle, error) {
	var pb onnxpb.TensorProto
	if err := proto.Unmarshal([]byte(b), &pb); err != nil {
		return nil, unsupported("input %q: an element is no onnx.TensorProto", p.name)
	}
	if pb.GetDataType() != t.element || pb.GetDataLocation() != onnxpb.TensorProto_DEFAULT {
		return nil, unsupported("input %q: an element has data type %s, and the model wants %s", p.name, onnxpb.TensorProto_DataType(pb.GetDataType()), t)
	}
	n, err := tensor.Elements(pb.GetDims())
	if err != nil {
		return nil, err
	}
	e := elements[t.element]
	if e.bits == 0 {
		x := tensor.Tensor{Name: p.name, Datatype: tensor.Bytes, Shape: pb.GetDims()}
		if int64(len(pb.GetStringData())) != n {
			return nil, unsupported("input %q: an element has %d strings and should have %d", p.name, len(pb.GetStringData()), n)
		}
		for _, s := range pb.GetStringData() {
			x.Data = append(append(x.Data, byte(len(s)), byte(len(s)>>8), byte(len(s)>>16), byte(len(s)>>24)), s...)
		}
		return newValue(t.element, x, pin)
	}
	if n > tensor.MaxData || len(pb.GetRawData()) != e.bytes(int(n)) {
		return nil, unsupported("input %q: an element has %d bytes of raw_data and should have %d", p.name, len(pb.GetRawData()), e.bytes(int(n)))
	}
	var v handle
	return v, rawValue(t.element, pb.GetDims(), pb.GetRawData(), pin, &v)
}

// empty makes a sequence with nothing in it, which the API cannot: a model of one node answers it. An optional with nothing
// in it is no value at all: the input is left out (given as a value, the library reads it through a null pointer).
func empty(t typ) (handle, error) {
	if t.kind == C.KIND_OPTIONAL {
		return nil, nil
	}
	node := &onnxpb.NodeProto{OpType: new("SequenceEmpty"), Output: []string{"v"},
		Attribute: []*onnxpb.AttributeProto{{Name: new("dtype"), Type: onnxpb.AttributeProto_INT.Enum(), I: new(int64(t.of.element))}}}
	b, err := proto.Marshal(&onnxpb.ModelProto{IrVersion: new(int64(8)), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: new(int64(15))}},
		Graph: &onnxpb.GraphProto{Name: new("empty"), Node: []*onnxpb.NodeProto{node}, Output: []*onnxpb.ValueInfoProto{{Name: new("v"), Type: sequenceOf(t.of.element)}}}})
	if err != nil {
		return nil, err
	}
	s, err := newSession("", b, manner{gpu: -1})
	if err != nil {
		return nil, err
	}
	defer release(C.RELEASE_SESSION, s)
	name := cnames([]port{{name: "v"}})
	defer freeNames(name)
	out, looks := make([]handle, 1), make([]C.look, 1)
	err = failed("onnx.Run", "engine.run", C.ort_run(s, nil, nil, nil, 0, &name[0], &out[0], &looks[0], 1))
	return out[0], err
}

func sequenceOf(element int32) *onnxpb.TypeProto {
	of := &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{ElemType: &element}}}
	return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{SequenceType: &onnxpb.TypeProto_Sequence{ElemType: of}}}
}

// containerOutput writes the tensors of sequences and optionals as ONNX does, one BYTES element each.
func (p port) containerOutput(v handle) ([]tensor.Tensor, error) {
	var items []string
	shape := make([]int64, p.typ.wraps())
	if err := p.unwrap(p.typ, v, shape, 0, &items); err != nil {
		return nil, err
	}
	t, err := tensor.FromStrings(p.name, shape, items)
	return []tensor.Tensor{t}, err
}

func (p port) unwrap(t typ, v handle, shape []int64, level int, items *[]string) error {
	var l C.look
	if err := failed("onnx.Run", "engine.run", C.ort_look(v, &l)); err != nil {
		return err
	}
	switch {
	case t.kind == C.KIND_OPTIONAL && l.none != 0:
		return nil
	case t.kind == C.KIND_OPTIONAL:
		shape[level] = 1
		return p.unwrap(*t.of, v, shape, level+1, items)
	case t.kind == C.KIND_TENSOR:
		b, err := p.write(v, &l)
		*items = append(*items, b)
		return err
	}
	n, err := get[C.size_t](C.VALUE_COUNT, v)
	if err != nil {
		return err
	}
	shape[level] = int64(n)
	for i := range int(n) {
		if _, err := with(v, i, func(part handle, _ *C.look) (any, error) {
			return nil, p.unwrap(*t.of, part, shape, level+1, items)
		}); err != nil {
			return err
		}
	}
	return nil
}

// write serialises a tensor as onnx.TensorProto.
func (p port) write(v handle, l *C.look) (string, error) {
	shape, err := shapeOf(p.name, l)
	if err != nil {
		return "", err
	}
	e := elements[int32(l.element)]
	data, err := dataOf(v, l, e)
	if err != nil {
		return "", err
	}
	pb := &onnxpb.TensorProto{Dims: shape, DataType: new(int32(l.element)), RawData: data}
	if e.bits == 0 {
		texts, err := tensor.Tensor{Name: p.name, Datatype: tensor.Bytes, Shape: shape, Data: data}.Strings()
		if err != nil {
			return "", err
		}
		pb.RawData = nil
		for _, s := range texts {
			pb.StringData = append(pb.StringData, []byte(s))
		}
	} else if pb.RawData == nil {
		pb.RawData = []byte{}
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(pb)
	return string(b), err
}
