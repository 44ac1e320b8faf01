package onnxgraph

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"edgeward"
	"edgeward/runtime/onnxgraph/onnxpb"
)

const (
	domainML   = "ai.onnx.ml"
	irVersion  = 10
	opset      = 21
	opsetML    = 5
	typeFloat  = onnxpb.TensorProto_FLOAT
	typeDouble = onnxpb.TensorProto_DOUBLE
	typeInt64  = onnxpb.TensorProto_INT64
)

// graph is an ONNX graph under construction. Values are named in the order they are made, so that the same calls give
// the same bytes.
type graph struct {
	pb *onnxpb.GraphProto
	n  int
}

func newGraph(name string) *graph { return &graph{pb: &onnxpb.GraphProto{Name: &name}} }

// op adds a node with one output and returns its name.
func (g *graph) op(op, domain string, in []string, at ...*onnxpb.AttributeProto) string {
	g.n++
	out := fmt.Sprintf("v%d", g.n)
	g.pb.Node = append(g.pb.Node, &onnxpb.NodeProto{OpType: &op, Domain: &domain, Input: in, Output: []string{out}, Attribute: at})
	return out
}

// do adds a node of the standard domain without attributes.
func (g *graph) do(op string, in ...string) string { return g.op(op, "", in) }

func (g *graph) cast(x string, to onnxpb.TensorProto_DataType) string {
	return g.op("Cast", "", []string{x}, integer("to", int64(to)))
}

// constant adds an initializer and returns its name.
func (g *graph) constant(t *onnxpb.TensorProto) string {
	g.n++
	t.Name = new(fmt.Sprintf("c%d", g.n))
	g.pb.Initializer = append(g.pb.Initializer, t)
	return *t.Name
}

// number adds a double of shape [1, 1].
func (g *graph) number(v float64) string {
	return g.constant(doubles([]int64{1, 1}, []float64{v}))
}

// column takes column i of x and keeps two dimensions.
func (g *graph) column(x string, i int) string {
	at := g.constant(integers64([]int64{1}, []int64{int64(i)}))
	return g.op("Gather", "", []string{x, at}, integer("axis", 1))
}

func (g *graph) input(name string, elem onnxpb.TensorProto_DataType, cols int) {
	g.pb.Input = append(g.pb.Input, value(name, elem, cols))
}

// output names a value as an output; cols 0 is a vector.
func (g *graph) output(v, name string, elem onnxpb.TensorProto_DataType, cols int) {
	g.pb.Node = append(g.pb.Node, &onnxpb.NodeProto{OpType: new("Identity"), Domain: new(""), Input: []string{v}, Output: []string{name}})
	g.pb.Output = append(g.pb.Output, value(name, elem, cols))
}

// marshal writes the model file.
func (g *graph) marshal(meta map[string]string) ([]byte, error) {
	m := &onnxpb.ModelProto{IrVersion: proto.Int64(irVersion), ProducerName: new("edgeward"), Graph: g.pb,
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: new(""), Version: proto.Int64(opset)}, {Domain: new(domainML), Version: proto.Int64(opsetML)}}}
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: new(k), Value: new(meta[k])})
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	return b, edgeward.Wrap("onnxgraph.Marshal", err)
}

func value(name string, elem onnxpb.TensorProto_DataType, cols int) *onnxpb.ValueInfoProto {
	dims := []*onnxpb.TensorShapeProto_Dimension{{Value: &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "N"}}}
	if cols > 0 {
		dims = append(dims, &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(cols)}})
	}
	return &onnxpb.ValueInfoProto{Name: &name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: new(int32(elem)), Shape: &onnxpb.TensorShapeProto{Dim: dims}}}}}
}

func integer(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INT.Enum(), I: &v}
}

func integerList(name string, v []int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INTS.Enum(), Ints: v}
}

func tensorAttr(name string, t *onnxpb.TensorProto) *onnxpb.AttributeProto {
	t.Name = &name
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_TENSOR.Enum(), T: t}
}

// doubles makes a tensor; nil dims is a vector.
func doubles(dims []int64, v []float64) *onnxpb.TensorProto {
	if dims == nil {
		dims = []int64{int64(len(v))}
	}
	raw := make([]byte, 0, 8*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(x))
	}
	return &onnxpb.TensorProto{Dims: dims, DataType: new(int32(typeDouble)), RawData: raw}
}

func integers64(dims, v []int64) *onnxpb.TensorProto {
	raw := make([]byte, 0, 8*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
	}
	return &onnxpb.TensorProto{Dims: dims, DataType: new(int32(typeInt64)), RawData: raw}
}

func bytesTensor(v []byte) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{Dims: []int64{int64(len(v))}, DataType: proto.Int32(int32(onnxpb.TensorProto_UINT8)), RawData: v}
}

func booleans(dims []int64, v []bool) *onnxpb.TensorProto {
	raw := make([]byte, len(v))
	for i, b := range v {
		if b {
			raw[i] = 1
		}
	}
	return &onnxpb.TensorProto{Dims: dims, DataType: proto.Int32(int32(onnxpb.TensorProto_BOOL)), RawData: raw}
}
