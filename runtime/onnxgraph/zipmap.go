package onnxgraph

import (
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"edgeward"
	"edgeward/runtime/onnxgraph/onnxpb"
)

// WithoutZipMaps returns a model whose ZipMap nodes are gone: their outputs, sequences of one map per row, become what they
// were made of, float32 [rows, classes]. classes are the names of the columns by output.
func WithoutZipMaps(raw []byte) (model []byte, classes map[string][]string, err error) {
	var m onnxpb.ModelProto
	if err := proto.Unmarshal(raw, &m); err != nil || m.GetGraph() == nil {
		return nil, nil, edgeward.E("onnxgraph.WithoutZipMaps", edgeward.Invalid, "onnx.bad_model", "this is no ONNX model")
	}
	g := m.GetGraph()
	classes = map[string][]string{}
	for _, n := range g.GetNode() {
		if n.GetOpType() != "ZipMap" || n.GetDomain() != domainML || len(n.GetInput()) != 1 || len(n.GetOutput()) != 1 {
			continue
		}
		names := classNames(n)
		n.OpType, n.Domain, n.Attribute = new("Identity"), new(""), nil
		classes[n.GetOutput()[0]] = names
	}
	for _, o := range g.GetOutput() {
		names, ok := classes[o.GetName()]
		if !ok {
			continue
		}
		o.Type = value(o.GetName(), typeFloat, len(names)).Type
	}
	if !slices.ContainsFunc(m.GetOpsetImport(), func(o *onnxpb.OperatorSetIdProto) bool { return o.GetDomain() == "" }) {
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: new(""), Version: new(int64(13))})
	}
	b, err := proto.Marshal(&m)
	return b, classes, err
}

func classNames(n *onnxpb.NodeProto) []string {
	var out []string
	for _, a := range n.GetAttribute() {
		switch a.GetName() {
		case "classlabels_strings":
			for _, s := range a.GetStrings() {
				out = append(out, string(s))
			}
		case "classlabels_int64s":
			for _, v := range a.GetInts() {
				out = append(out, strconv.FormatInt(v, 10))
			}
		}
	}
	return out
}
