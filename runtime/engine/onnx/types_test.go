package onnx_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/engine/enginetest"
	"edgeward/runtime/onnxgraph"
	"edgeward/runtime/onnxgraph/onnxpb"
	"edgeward/runtime/tensor"
)

func texts(t testing.TB, name string, shape []int64, v ...string) tensor.Tensor {
	t.Helper()
	x, err := tensor.FromStrings(name, shape, v)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestScalarsOfEveryDatatype(t *testing.T) {
	s := load(t, "scalars")
	if n := len(s.Signature().Inputs); n != 14 {
		t.Fatalf("%d inputs", n)
	}
	var in []tensor.Tensor
	for _, spec := range s.Signature().Inputs {
		if len(spec.Shape) != 0 || spec.AnyRank {
			t.Errorf("%+v", spec)
		}
		x := texts(t, spec.Name, []int64{}, "Größe\x00!")
		if n := spec.Datatype.Size(); n > 0 {
			x = tensor.Tensor{Name: spec.Name, Datatype: spec.Datatype, Shape: []int64{}, Data: make([]byte, n)}
			x.Data[0] = 1
		}
		in = append(in, x)
	}
	for i, o := range run(t, s, in...) {
		if o.Datatype != in[i].Datatype || len(o.Shape) != 0 || string(o.Data) != string(in[i].Data) {
			t.Errorf("sent %+v, got %+v", in[i], o)
		}
	}
}

func TestElementsOfFewBits(t *testing.T) {
	s := load(t, "packed")
	want := "[i4 INT8 [-1] INT4 u4 UINT8 [-1] UINT4 f8 UINT8 [-1] FLOAT8E4M3FN]"
	var got []string
	for _, i := range s.Signature().Inputs {
		got = append(got, i.String()+" "+i.Holds)
	}
	if fmt.Sprint(got) != want {
		t.Errorf("signature %v, want %v", got, want)
	}
	for _, n := range []int{0, 1, 4, 5} { // an odd count leaves half a byte
		data := func(v ...byte) []byte { return v[:n] }
		in := []tensor.Tensor{
			{Name: "i4", Datatype: tensor.Int8, Shape: []int64{int64(n)}, Data: data(0xf8, 7, 0xff, 0, 1)}, // -8 7 -1 0 1
			{Name: "u4", Datatype: tensor.Uint8, Shape: []int64{int64(n)}, Data: data(15, 0, 8, 1, 9)},
			{Name: "f8", Datatype: tensor.Uint8, Shape: []int64{int64(n)}, Data: data(0x38, 0xff, 0x7f, 0, 0x80)},
		}
		for i, o := range run(t, s, in...) {
			if o.Datatype != in[i].Datatype || string(o.Data) != string(in[i].Data) {
				t.Errorf("sent %+v, got %+v", in[i], o)
			}
		}
	}
	bad := []tensor.Tensor{
		{Name: "i4", Datatype: tensor.Int8, Shape: []int64{1}, Data: []byte{8}},
		{Name: "u4", Datatype: tensor.Uint8, Shape: []int64{1}, Data: []byte{0}},
		{Name: "f8", Datatype: tensor.Uint8, Shape: []int64{1}, Data: []byte{0}},
	}
	if _, err := s.Run(t.Context(), bad); edgeward.CodeOf(err) != "tensor.value" {
		t.Errorf("8 as INT4: %v", err)
	}
}

// item is an ONNX tensor as it travels in a sequence.
func item(t testing.TB, pb *onnxpb.TensorProto) string {
	t.Helper()
	b, err := proto.Marshal(pb)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSequencesAndOptionals(t *testing.T) {
	s := load(t, "containers")
	one := item(t, &onnxpb.TensorProto{Dims: []int64{1, 2}, DataType: new(int32(1)), RawData: []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0x40}})
	two := item(t, &onnxpb.TensorProto{Dims: []int64{0}, DataType: new(int32(1)), RawData: []byte{}})
	words := item(t, &onnxpb.TensorProto{Dims: []int64{2}, DataType: new(int32(8)), StringData: [][]byte{[]byte("a\x00"), {}}})
	whole := item(t, &onnxpb.TensorProto{Dims: []int64{1}, DataType: new(int32(7)), RawData: binary.LittleEndian.AppendUint64(nil, 7)})
	for _, c := range []struct{ seq, texts, opt []string }{
		{[]string{one, two}, []string{words}, []string{whole}}, {nil, nil, nil},
	} {
		out := run(t, s, texts(t, "s", []int64{int64(len(c.seq))}, c.seq...), texts(t, "t", []int64{int64(len(c.texts))}, c.texts...), texts(t, "o", []int64{int64(len(c.opt))}, c.opt...))
		for i, want := range map[int][]string{0: c.seq, 2: c.texts, 4: c.opt} {
			if got, err := out[i].Strings(); err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) || out[i].Shape[0] != int64(len(want)) {
				t.Errorf("%s: got %q %v %v, want %q", out[i].Name, got, out[i].Shape, err, want)
			}
		}
		if n, _ := out[1].Int64s(); n[0] != int64(len(c.seq)) || int(out[3].Data[0]) != len(c.opt) {
			t.Errorf("got %+v %+v", out[1], out[3])
		}
	}
	for what, bad := range map[string]string{"no tensor": "\xff", "another datatype": whole, "too short": item(t, &onnxpb.TensorProto{Dims: []int64{9}, DataType: new(int32(1))}),
		"a negative dimension": item(t, &onnxpb.TensorProto{Dims: []int64{-1}, DataType: new(int32(1))}),
		"too many":             item(t, &onnxpb.TensorProto{Dims: []int64{1 << 62}, DataType: new(int32(1))})} {
		if _, err := s.Run(t.Context(), []tensor.Tensor{texts(t, "s", []int64{1}, bad), texts(t, "t", []int64{0}), texts(t, "o", []int64{0})}); edgeward.KindOf(err) != edgeward.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.Run(t.Context(), []tensor.Tensor{texts(t, "s", []int64{0}), texts(t, "t", []int64{0}), texts(t, "o", []int64{2}, whole, whole)}); edgeward.CodeOf(err) != "engine.unsupported" {
		t.Errorf("an optional with two elements: %v", err)
	}
}

func TestClassProbabilitiesAreAMatrix(t *testing.T) {
	s := load(t, "zipmap")
	o := s.Signature().Outputs[1]
	if o.String() != "probabilities FP32 [-1 3]" || fmt.Sprint(o.Labels) != "[cat dog eel]" {
		t.Errorf("signature %v %v", o, o.Labels)
	}
	out := run(t, s, enginetest.Floats(t, "x", []int64{2, 2}, 3, 0, 0, 3))
	labels, _ := out[0].Strings()
	p, _ := out[1].Float32s()
	if fmt.Sprint(labels) != "[cat dog]" || len(p) != 6 || p[0] < 0.9 || p[4] < 0.9 {
		t.Errorf("got %v %v", labels, p)
	}
}

func TestMapsAreKeysAndValues(t *testing.T) {
	s := load(t, "dict")
	if got := fmt.Sprint(s.Signature().Inputs); got != "[m.keys BYTES [-1] m.values FP32 [-1]]" {
		t.Errorf("inputs %s", got)
	}
	out := run(t, s, texts(t, "m.keys", []int64{2}, "heart_rate", "age"), enginetest.Floats(t, "m.values", []int64{2}, 71, 40))
	if v, _ := out[0].Float32s(); fmt.Sprint(v) != "[40 71]" {
		t.Errorf("got %v", v)
	}
	_, err := s.Run(t.Context(), []tensor.Tensor{texts(t, "m.keys", []int64{1}, "age"), enginetest.Floats(t, "m.values", []int64{2}, 1, 2)})
	if edgeward.KindOf(err) != edgeward.Invalid {
		t.Errorf("one key and two values: %v", err)
	}
}

func TestNoInputAndOpenRank(t *testing.T) {
	if v, _ := run(t, load(t, "constant"))[0].Int64s(); fmt.Sprint(v) != "[1 2 3]" {
		t.Errorf("got %v", v)
	}
	s := load(t, "anyrank")
	for _, shape := range [][]int64{{}, {2}, {2, 1, 3}, {0, 4}} {
		n, _ := tensor.Elements(shape)
		out := run(t, s, enginetest.Floats(t, "x", shape, make([]float32, n)...))
		if tensor.ShapeString(out[0].Shape) != tensor.ShapeString(shape) {
			t.Errorf("shape %v came back as %v", shape, out[0].Shape)
		}
	}
}

// TestMemoryOfRunsComesBack runs every kind of value many times: what a run takes it gives back.
func TestMemoryOfRunsComesBack(t *testing.T) {
	s, dict := load(t, "containers"), load(t, "dict")
	big := item(t, &onnxpb.TensorProto{Dims: []int64{1 << 15}, DataType: new(int32(1)), RawData: make([]byte, 4<<15)})
	words := item(t, &onnxpb.TensorProto{Dims: []int64{1}, DataType: new(int32(8)), StringData: [][]byte{[]byte(strings.Repeat("x", 1<<15))}})
	in := []tensor.Tensor{texts(t, "s", []int64{2}, big, big), texts(t, "t", []int64{1}, words), texts(t, "o", []int64{0})}
	cycle := func(n int) {
		for range n {
			run(t, s, in...)
			run(t, dict, texts(t, "m.keys", []int64{1}, "age"), enginetest.Floats(t, "m.values", []int64{1}, 1))
			bad := []tensor.Tensor{texts(t, "s", []int64{2}, big, "\xff"), in[1], in[2]}
			if _, err := s.Run(t.Context(), bad); err == nil {
				t.Fatal("no tensor was taken for one")
			}
		}
	}
	cycle(20)
	before := rss(t)
	cycle(300)
	if after := rss(t); after-before > 25 {
		t.Errorf("%.1f MiB before, %.1f MiB after 300 runs", before, after)
	}
}

func TestWhatCannotBeServedIsSaidClearly(t *testing.T) {
	e := newEngine(t)
	typ := &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{ElemType: new(int32(onnxpb.TensorProto_COMPLEX64))}}}
	b, err := proto.Marshal(&onnxpb.ModelProto{IrVersion: new(int64(10)), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: new(int64(21))}},
		Graph: &onnxpb.GraphProto{Name: new("g"), Node: []*onnxpb.NodeProto{{OpType: new("Identity"), Input: []string{"x"}, Output: []string{"y"}}},
			Input: []*onnxpb.ValueInfoProto{{Name: new("x"), Type: typ}}, Output: []*onnxpb.ValueInfoProto{{Name: new("y"), Type: typ}}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Load(t.Context(), engine.Model{Format: engine.ONNX, Bytes: b})
	if edgeward.CodeOf(err) != "engine.model" {
		t.Errorf("%v, hint %q", err, edgeward.HintOf(err))
	}
	t.Log(err)
}

// TestTheNewestIsTheNewest holds what an import refuses against what the library takes.
func TestTheNewestIsTheNewest(t *testing.T) {
	e := newEngine(t)
	load := func(ir, opset, ml int64) error {
		x := &onnxpb.ValueInfoProto{Name: new("x"), Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{ElemType: new(int32(1)), Shape: &onnxpb.TensorShapeProto{}}}}}
		y := proto.CloneOf(x)
		y.Name = new("y")
		b, err := proto.Marshal(&onnxpb.ModelProto{IrVersion: &ir, OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: &opset}, {Domain: new("ai.onnx.ml"), Version: &ml}},
			Graph: &onnxpb.GraphProto{Name: new("g"), Node: []*onnxpb.NodeProto{{OpType: new("Neg"), Input: []string{"x"}, Output: []string{"y"}}},
				Input: []*onnxpb.ValueInfoProto{x}, Output: []*onnxpb.ValueInfoProto{y}}})
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.Load(t.Context(), engine.Model{Format: engine.ONNX, Bytes: b})
		if err == nil {
			s.Close()
		}
		return err
	}
	if err := load(onnxgraph.NewestIR, onnxgraph.NewestOpset, onnxgraph.NewestOpsetML); err != nil {
		t.Error(err)
	}
	if load(onnxgraph.NewestIR+1, onnxgraph.NewestOpset, onnxgraph.NewestOpsetML) == nil || load(onnxgraph.NewestIR, onnxgraph.NewestOpset+1, onnxgraph.NewestOpsetML) == nil ||
		load(onnxgraph.NewestIR, onnxgraph.NewestOpset, onnxgraph.NewestOpsetML+1) == nil {
		t.Error("the library takes something newer: raise the numbers in runtime/onnxgraph")
	}
}
