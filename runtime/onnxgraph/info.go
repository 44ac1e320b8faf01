package onnxgraph

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"edgeward"
	"edgeward/runtime/onnxgraph/onnxpb"
)

// The newest of each that the product's ONNX Runtime (1.31.1) runs; a test asks the library.
const (
	NewestIR      = 13
	NewestOpset   = 26
	NewestOpsetML = 5
)

// maxDepth bounds graphs within graphs.
const maxDepth = 64

// Info is what an ONNX file says of itself.
type Info struct {
	IR        int64
	Opset     map[string]int64    // by operator domain, "" is ai.onnx
	Operators []string            // that it needs, sorted: "Conv", "ai.onnx.ml:TreeEnsemble"
	Axes      map[string][]string // by input and output: the names of open dimensions, "" where a dimension has none
	External  []External          // weights that lie in other files
	Classes   []string            // names of the classes of its answer, by index: its metadata property edgeward.classes, a JSON list
}

// External is a piece of another file that a model wants.
type External struct {
	Location       string // as the model writes it
	Offset, Length int64  // Length 0: to the end
}

// Inspect reads an ONNX file without running anything. What is none is Invalid "model.not_onnx".
func Inspect(raw []byte) (*Info, error) {
	var m onnxpb.ModelProto
	if err := proto.Unmarshal(raw, &m); err != nil {
		return nil, notONNX("it cannot be parsed")
	}
	if m.GetGraph() == nil || len(m.GetOpsetImport()) == 0 {
		return nil, notONNX("it has no graph")
	}
	s := &inspector{info: &Info{IR: m.GetIrVersion(), Opset: map[string]int64{}, Axes: map[string][]string{}}, operators: map[string]bool{}, own: map[string]bool{}}
	for _, o := range m.GetOpsetImport() {
		s.info.Opset[standard(o.GetDomain())] = o.GetVersion()
	}
	for _, f := range m.GetFunctions() { // an operator that the file brings along is none that it needs
		s.own[name(f.GetDomain(), f.GetName())] = true
	}
	for _, f := range m.GetFunctions() {
		if err := s.nodes(f.GetNode(), 0); err != nil {
			return nil, err
		}
	}
	if err := s.graph(m.GetGraph(), 0); err != nil {
		return nil, err
	}
	for _, v := range slices.Concat(m.GetGraph().GetInput(), m.GetGraph().GetOutput()) {
		if a := axes(v.GetType()); a != nil {
			s.info.Axes[v.GetName()] = a
		}
	}
	s.info.Operators = slices.Sorted(maps.Keys(s.operators))
	for _, p := range m.GetMetadataProps() {
		if p.GetKey() == "edgeward.classes" {
			s.info.Classes = classes(p.GetValue())
		}
	}
	return s.info, nil
}

// maxClasses bounds the classes a file names, maxClassName each name in bytes.
const (
	maxClasses   = 10_000
	maxClassName = 256
)

// classes reads a JSON list of distinct texts; anything else names no classes.
func classes(list string) []string {
	var out []string
	if json.Unmarshal([]byte(list), &out) != nil || len(out) > maxClasses {
		return nil
	}
	seen := map[string]bool{}
	for _, c := range out {
		if c == "" || len(c) > maxClassName || seen[c] {
			return nil
		}
		seen[c] = true
	}
	return out
}

func notONNX(why string) error {
	return edgeward.E("onnxgraph.Inspect", edgeward.Invalid, "model.not_onnx", "this is no ONNX model: %s", why).
		WithHint("export the model as ONNX (opset %d or older) and send that file", NewestOpset)
}

// standard is the one name of ONNX's own domain.
func standard(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

func name(domain, op string) string {
	if domain = standard(domain); domain != "" {
		return domain + ":" + op
	}
	return op
}

type inspector struct {
	info      *Info
	operators map[string]bool
	own       map[string]bool
}

func (s *inspector) graph(g *onnxpb.GraphProto, depth int) error {
	for _, t := range g.GetInitializer() {
		if err := s.tensor(t); err != nil {
			return err
		}
	}
	for _, t := range g.GetSparseInitializer() {
		for _, x := range []*onnxpb.TensorProto{t.GetValues(), t.GetIndices()} {
			if err := s.tensor(x); err != nil {
				return err
			}
		}
	}
	return s.nodes(g.GetNode(), depth)
}

func (s *inspector) nodes(nodes []*onnxpb.NodeProto, depth int) error {
	if depth > maxDepth {
		return notONNX("its graphs are nested too deeply")
	}
	for _, n := range nodes {
		if op := name(n.GetDomain(), n.GetOpType()); !s.own[op] {
			s.operators[op] = true
		}
		for _, a := range n.GetAttribute() {
			for _, t := range append(a.GetTensors(), a.GetT()) {
				if err := s.tensor(t); err != nil {
					return err
				}
			}
			for _, g := range append(a.GetGraphs(), a.GetG()) {
				if err := s.graph(g, depth+1); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s *inspector) tensor(t *onnxpb.TensorProto) error {
	if t.GetDataLocation() != onnxpb.TensorProto_EXTERNAL && len(t.GetExternalData()) == 0 {
		return nil
	}
	var x External
	for _, e := range t.GetExternalData() {
		var err error
		switch e.GetKey() {
		case "location":
			x.Location = e.GetValue()
		case "offset":
			x.Offset, err = strconv.ParseInt(e.GetValue(), 10, 64)
		case "length":
			x.Length, err = strconv.ParseInt(e.GetValue(), 10, 64)
		}
		if err != nil || x.Offset < 0 || x.Length < 0 {
			return notONNX("the place of its external data is no number")
		}
	}
	s.info.External = append(s.info.External, x)
	return nil
}

func axes(t *onnxpb.TypeProto) []string {
	var out []string
	any := false
	for _, d := range t.GetTensorType().GetShape().GetDim() {
		n := d.GetDimParam()
		if len(n) > 80 {
			n = n[:80]
		}
		out, any = append(out, n), any || n != ""
	}
	if !any {
		return nil
	}
	return out
}

// Check refuses, by name, what ONNX Runtime here cannot run: a newer format or operator set, operators of others.
func (i *Info) Check() error {
	const op = "onnxgraph.Check"
	if i.IR > NewestIR {
		return edgeward.E(op, edgeward.Invalid, "model.ir", "the file has ONNX format version %d, and this server reads up to %d", i.IR, NewestIR).
			With("version", strconv.FormatInt(i.IR, 10)).WithHint("export the model with an older version of onnx, or with ir_version=%d", NewestIR)
	}
	for domain, newest := range map[string]int64{"": NewestOpset, domainML: NewestOpsetML} {
		if v := i.Opset[domain]; v > newest {
			if domain == "" {
				domain = "ai.onnx"
			}
			return edgeward.E(op, edgeward.Invalid, "model.opset", "the model asks for operator set %d of %s, and this server runs up to %d", v, domain, newest).
				With("opset", strconv.FormatInt(v, 10)).WithHint("export the model with opset %d or older", newest)
		}
	}
	for _, o := range i.Operators {
		if domain, _, ok := cutDomain(o); ok && !known[domain] {
			return edgeward.E(op, edgeward.Invalid, "model.custom_operator", "the model needs the operator %.120s, which is not part of ONNX or ONNX Runtime", o).
				With("operator", o).WithHint("export the model without custom operators; what comes before the model (tokenizers, decoding of pictures) cannot be part of it")
		}
	}
	return nil
}

// known are the domains whose operators ONNX Runtime has.
var known = map[string]bool{"": true, domainML: true, "ai.onnx.preview.training": true, "ai.onnx.training": true, "com.microsoft": true}

func cutDomain(operator string) (domain, op string, ok bool) {
	for i := len(operator) - 1; i >= 0; i-- {
		if operator[i] == ':' {
			return operator[:i], operator[i+1:], true
		}
	}
	return "", operator, false
}
