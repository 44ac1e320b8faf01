package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"google.golang.org/protobuf/proto"

	"edgeward/runtime/onnxgraph/onnxpb"
)

// model is a generated model, one question to it and the right answer, reckoned here and not by any engine.
type model struct {
	name   string // also of its file: NAME.onnx
	title  string // for the tables
	file   string
	shape  []int64 // of the question: one row
	values []float32
	answer []float64
}

// Names of the only input and the only output.
const (
	inputName  = "x"
	outputName = "y"
)

// Size of the trees: 100 of depth 4 over 30 columns, as gradient boosting makes them.
const (
	trees, depth, columns = 100, 4, 30
	inner, leaves         = 1<<depth - 1, 1 << depth
)

// write writes the model's file below dir.
func (m *model) write(dir string, raw *onnxpb.ModelProto) error {
	m.file = filepath.Join(dir, m.name+".onnx")
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(raw)
	return errors.Join(err, os.WriteFile(m.file, b, 0o600))
}

// treeModel makes full trees with thresholds and leaves from a seed, as the TreeEnsembleRegressor that converters write.
// The question is the same for all seeds.
func treeModel(name string, seed uint64) (*model, *onnxpb.ModelProto) {
	r := rand.New(rand.NewPCG(seed, 1))
	m := &model{name: name, title: "100 trees", shape: []int64{1, columns}, values: questionOf(rand.New(rand.NewPCG(7, 3)), columns)}
	var treeIDs, nodeIDs, features, yes, no, leafTrees, leafNodes, targets []int64
	var thresholds, weights []float32
	var modes [][]byte
	sum := 0.0
	for t := range int64(trees) {
		at, found := int64(0), false
		for n := range int64(inner + leaves) {
			treeIDs, nodeIDs = append(treeIDs, t), append(nodeIDs, n)
			if n < inner { // the children of node n are 2n+1 and 2n+2
				f, v := r.Int64N(columns), r.Float32()
				features, thresholds, modes, yes, no = append(features, f), append(thresholds, v), append(modes, []byte("BRANCH_LT")), append(yes, 2*n+1), append(no, 2*n+2)
				if n == at {
					if at = 2*n + 2; m.values[f] < v {
						at = 2*n + 1
					}
				}
				continue
			}
			w := r.Float32() - 0.5
			features, thresholds, modes, yes, no = append(features, 0), append(thresholds, 0), append(modes, []byte("LEAF")), append(yes, 0), append(no, 0)
			leafTrees, leafNodes, targets, weights = append(leafTrees, t), append(leafNodes, n), append(targets, 0), append(weights, w)
			if n == at && !found {
				sum, found = sum+float64(w), true
			}
		}
	}
	m.answer = []float64{sum}
	node := &onnxpb.NodeProto{OpType: new("TreeEnsembleRegressor"), Domain: new("ai.onnx.ml"), Input: []string{inputName}, Output: []string{outputName}, Attribute: []*onnxpb.AttributeProto{
		whole("n_targets", 1), wholes("nodes_treeids", treeIDs), wholes("nodes_nodeids", nodeIDs), wholes("nodes_featureids", features), floats("nodes_values", thresholds),
		{Name: new("nodes_modes"), Type: onnxpb.AttributeProto_STRINGS.Enum(), Strings: modes}, wholes("nodes_truenodeids", yes), wholes("nodes_falsenodeids", no),
		wholes("target_treeids", leafTrees), wholes("target_nodeids", leafNodes), wholes("target_ids", targets), floats("target_weights", weights)}}
	return m, modelProto(m, 1, []*onnxpb.NodeProto{node}, nil)
}

// cnnModel is 3x32x32 → 16 → 32 channels, each 3x3 convolution with ReLU and halved, then 10 numbers.
func cnnModel() (*model, *onnxpb.ModelProto) {
	r := rand.New(rand.NewPCG(7, 2))
	m := &model{name: "cnn", title: "CNN", shape: []int64{1, 3, 32, 32}, values: questionOf(r, 3*32*32)}
	weights := func(n, fan int) []float32 {
		w := make([]float32, n)
		for i := range w {
			w[i] = float32(r.NormFloat64() * math.Sqrt(2/float64(fan)))
		}
		return w
	}
	w1, w2, w3 := weights(16*3*9, 3*9), weights(32*16*9, 16*9), weights(10*32*64, 32*64)
	m.answer = dense(halve(convolve(halve(convolve(m.values, w1, 3, 32), 32), w2, 16, 16), 16), w3)
	step := func(op, in, out string, more ...string) *onnxpb.NodeProto {
		return &onnxpb.NodeProto{OpType: &op, Input: append([]string{in}, more...), Output: []string{out}}
	}
	with := func(n *onnxpb.NodeProto, at ...*onnxpb.AttributeProto) *onnxpb.NodeProto { n.Attribute = at; return n }
	pads, two := wholes("pads", []int64{1, 1, 1, 1}), []int64{2, 2}
	nodes := []*onnxpb.NodeProto{
		with(step("Conv", inputName, "c1", "w1"), pads), step("Relu", "c1", "r1"), with(step("MaxPool", "r1", "p1"), wholes("kernel_shape", two), wholes("strides", two)),
		with(step("Conv", "p1", "c2", "w2"), pads), step("Relu", "c2", "r2"), with(step("MaxPool", "r2", "p2"), wholes("kernel_shape", two), wholes("strides", two)),
		step("Flatten", "p2", "f"), with(step("Gemm", "f", outputName, "w3"), whole("transB", 1)),
	}
	return m, modelProto(m, 10, nodes, []*onnxpb.TensorProto{constant("w1", w1, 16, 3, 3, 3), constant("w2", w2, 32, 16, 3, 3), constant("w3", w3, 10, 32*64)})
}

// questionOf is n numbers from 0 to 1 with six digits, so that they are as long in JSON as measured numbers are.
func questionOf(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(math.Round(r.Float64()*1e6) / 1e6)
	}
	return v
}

// convolve is a 3x3 convolution with a border of zeros, then ReLU, over channels of size x size.
func convolve(in, w []float32, channels, size int) []float32 {
	out := make([]float32, len(w)/9/channels*size*size)
	for i := range out {
		k, y, x, sum := i/size/size, i/size%size, i%size, float32(0)
		for c := range channels {
			for d := range 9 {
				if yy, xx := y+d/3-1, x+d%3-1; yy >= 0 && yy < size && xx >= 0 && xx < size {
					sum += in[(c*size+yy)*size+xx] * w[(k*channels+c)*9+d]
				}
			}
		}
		out[i] = max(0, sum)
	}
	return out
}

// halve takes the largest of each 2x2.
func halve(in []float32, size int) []float32 {
	half := size / 2
	out := make([]float32, len(in)/4)
	for i := range out {
		at := (i/half/half*size+i/half%half*2)*size + i%half*2
		out[i] = max(in[at], in[at+1], in[at+size], in[at+size+1])
	}
	return out
}

func dense(in, w []float32) []float64 {
	out := make([]float64, len(w)/len(in))
	for i := range out {
		for k, v := range in {
			out[i] += float64(v) * float64(w[i*len(in)+k])
		}
	}
	return out
}

func modelProto(m *model, width int64, nodes []*onnxpb.NodeProto, constants []*onnxpb.TensorProto) *onnxpb.ModelProto {
	value := func(name string, dims ...int64) *onnxpb.ValueInfoProto {
		shape := &onnxpb.TensorShapeProto{Dim: []*onnxpb.TensorShapeProto_Dimension{{Value: &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "rows"}}}}
		for _, d := range dims {
			shape.Dim = append(shape.Dim, &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d}})
		}
		return &onnxpb.ValueInfoProto{Name: &name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{ElemType: new(int32(onnxpb.TensorProto_FLOAT)), Shape: shape}}}}
	}
	return &onnxpb.ModelProto{IrVersion: new(int64(8)), ProducerName: new("edgeward bench"),
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: new(""), Version: new(int64(17))}, {Domain: new("ai.onnx.ml"), Version: new(int64(3))}},
		Graph: &onnxpb.GraphProto{Name: &m.name, Node: nodes, Initializer: constants,
			Input: []*onnxpb.ValueInfoProto{value(inputName, m.shape[1:]...)}, Output: []*onnxpb.ValueInfoProto{value(outputName, width)}}}
}

func constant(name string, v []float32, dims ...int64) *onnxpb.TensorProto {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return &onnxpb.TensorProto{Name: &name, Dims: dims, DataType: new(int32(onnxpb.TensorProto_FLOAT)), RawData: raw}
}

func whole(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INT.Enum(), I: &v}
}

func wholes(name string, v []int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INTS.Enum(), Ints: v}
}

func floats(name string, v []float32) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_FLOATS.Enum(), Floats: v}
}

// nested are the question's values as lists in lists.
func (m *model) nested() any {
	var build func(shape []int64, v []float32) any
	build = func(shape []int64, v []float32) any {
		if len(shape) == 1 {
			return v
		}
		out, each := make([]any, shape[0]), len(v)/int(shape[0])
		for i := range out {
			out[i] = build(shape[1:], v[i*each:(i+1)*each])
		}
		return out
	}
	return build(m.shape, m.values)
}

// check holds an answer against the right one: in the Open Inference Protocol, plain or with tensors after the JSON, in
// mlflow's "predictions", or as bare lists.
func (m *model) check(h http.Header, body []byte) error {
	head := body
	if n, _ := strconv.Atoi(h.Get("Inference-Header-Content-Length")); n > 0 && n <= len(body) {
		head = body[:n]
	}
	var bare any
	if err := json.Unmarshal(head, &bare); err != nil {
		return fmt.Errorf("answer %.100q: %w", head, err)
	}
	var got []float64
	if len(head) < len(body) {
		for raw := body[len(head):]; len(raw) >= 4; raw = raw[4:] {
			got = append(got, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw))))
		}
	} else {
		got = numbers(bare, nil)
	}
	if len(got) != len(m.answer) {
		return fmt.Errorf("%d numbers, want %d: %.200s", len(got), len(m.answer), head)
	}
	for i, want := range m.answer {
		if !(math.Abs(got[i]-want) <= 1e-3*max(1, math.Abs(want))) {
			return fmt.Errorf("number %d is %v, want %v", i, got[i], want)
		}
	}
	return nil
}

// numbers collects the values of an answer, in order.
func numbers(v any, to []float64) []float64 {
	switch v := v.(type) {
	case float64:
		return append(to, v)
	case []any:
		for _, x := range v {
			to = numbers(x, to)
		}
	case map[string]any:
		for _, key := range []string{"outputs", "predictions", "data", outputName} {
			if x, ok := v[key]; ok {
				return numbers(x, to)
			}
		}
	}
	return to
}
