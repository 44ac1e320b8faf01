package graph

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"edgeward"
	"edgeward/runtime/tensor"
	"edgeward/sync/canonical"
)

// Format is the format number of a graph document.
const Format = 1

// Kind is the kind of a model version that is a graph, and File the name of the document among its files.
const (
	Kind = "graph"
	File = "graph.json"
)

// The bounds of a graph.
const (
	MaxNodes    = 64
	MaxDocument = 1 << 20 // bytes
)

// Graph is the document. Compile says whether it can be answered.
type Graph struct {
	Format  int      `json:"format,omitempty"` // 0 is taken for Format
	Inputs  []Input  `json:"inputs,omitempty"`
	Nodes   []Node   `json:"nodes"` // in any order
	Outputs []Output `json:"outputs"`
}

// Node is a model or a step; exactly one of Model and Step is there.
type Node struct {
	Name   string            `json:"name"`
	Model  string            `json:"model,omitempty"`  // "name/number", or "name@alias" before it is applied
	Digest edgeward.Digest   `json:"digest,omitempty"` // of the model's manifest; in the canonical form always
	Step   string            `json:"step,omitempty"`
	With   json.RawMessage   `json:"with,omitempty"`   // the step's parameters
	Inputs map[string]string `json:"inputs,omitempty"` // references, by name of the node's input
}

// Output is one output of the graph.
type Output struct {
	Name string `json:"name"`
	From string `json:"from"` // a reference
}

// Parse reads a document. Unknown fields are refused, so that a misspelt parameter is no default.
func Parse(b []byte) (Graph, error) {
	var g Graph
	if len(b) > MaxDocument {
		return g, edgeward.E("graph.Parse", edgeward.TooLarge, "graph.too_large", "the graph has %d bytes; at most %d", len(b), MaxDocument)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&g); err != nil {
		return g, invalid("the graph cannot be read: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return g, invalid("something follows the graph")
	}
	return g, g.check()
}

// check reports what is wrong with the document itself.
func (g Graph) check() error {
	switch {
	case g.Format != 0 && g.Format != Format:
		return invalid("graph format %d; this server reads %d", g.Format, Format)
	case len(g.Nodes) == 0 || len(g.Nodes) > MaxNodes:
		return invalid("%d nodes; a graph has 1 to %d", len(g.Nodes), MaxNodes)
	case len(g.Outputs) == 0 || len(g.Outputs) > tensor.MaxTensors || len(g.Inputs) > tensor.MaxTensors:
		return invalid("%d inputs and %d outputs; at most %d each, and at least one output", len(g.Inputs), len(g.Outputs), tensor.MaxTensors)
	}
	for _, s := range g.Inputs {
		if strings.Contains(s.Name, ".") {
			return invalid("input %.80q: a name with a dot could be a node's output", s.Name)
		}
	}
	seen := map[string]bool{}
	for _, n := range g.Nodes {
		if err := edgeward.CheckName("node", n.Name); err != nil {
			return err
		}
		if seen[n.Name] {
			return invalid("two nodes are called %q", n.Name)
		}
		seen[n.Name] = true
		if (n.Model == "") == (n.Step == "") {
			return n.invalid("it names a model or a step, one of the two")
		}
		if n.Model != "" && len(n.With) > 0 {
			return n.invalid("with is for steps; a model has no parameters")
		}
		if len(n.Inputs) > tensor.MaxTensors {
			return n.invalid("%d inputs; at most %d", len(n.Inputs), tensor.MaxTensors)
		}
	}
	return nil
}

// Canonical returns the canonical bytes, in which every model is named by its digest and nodes stand in an order in which
// they can run, and declarations of pictures are complete.
func (g Graph) Canonical() ([]byte, error) {
	g.Format = Format
	order, err := g.order()
	if err != nil {
		return nil, err
	}
	if g.Inputs, err = withPictures(g.Inputs); err != nil {
		return nil, err
	}
	nodes := make([]Node, len(order))
	for i, k := range order {
		nodes[i] = g.Nodes[k]
		if nodes[i].Model != "" && nodes[i].Digest == "" {
			return nil, nodes[i].invalid("model %.80q has no digest", nodes[i].Model)
		}
	}
	g.Nodes = nodes
	return canonical.JSON(g)
}

// Parts are the digests of the models, each once, in the order of the nodes.
func (g Graph) Parts() []edgeward.Digest {
	var out []edgeward.Digest
	for _, n := range g.Nodes {
		if n.Model != "" && !slices.Contains(out, n.Digest) {
			out = append(out, n.Digest)
		}
	}
	return out
}

// source splits a reference: node "" is an input of the graph.
func source(ref string) (node, output string) {
	if n, o, ok := strings.Cut(ref, "."); ok {
		return n, o
	}
	return "", ref
}

// order lists the nodes so that each stands behind those it waits for, the rest as written.
func (g Graph) order() ([]int, error) {
	index := map[string]int{}
	for i, n := range g.Nodes {
		index[n.Name] = i
	}
	waits := make([]map[int]bool, len(g.Nodes))
	for i, n := range g.Nodes {
		waits[i] = map[int]bool{}
		for in, ref := range n.Inputs {
			name, _ := source(ref)
			if name == "" {
				continue
			}
			k, ok := index[name]
			if !ok {
				return nil, n.unknown(in, ref, index)
			}
			waits[i][k] = true
		}
	}
	var order []int
	placed := make([]bool, len(g.Nodes))
	for len(order) < len(g.Nodes) {
		next := -1
		for i := range g.Nodes {
			if placed[i] {
				continue
			}
			free := true
			for k := range waits[i] {
				free = free && placed[k]
			}
			if free {
				next = i
				break
			}
		}
		if next < 0 {
			return nil, g.cycle(waits, placed)
		}
		order, placed[next] = append(order, next), true
	}
	return order, nil
}

// cycle is the error that names the nodes that wait for each other.
func (g Graph) cycle(waits []map[int]bool, placed []bool) error {
	at := slices.Index(placed, false)
	var way []int
	for !slices.Contains(way, at) {
		way = append(way, at)
		for k := range g.Nodes { // the first it waits for that never runs: there is one
			if waits[at][k] && !placed[k] {
				at = k
				break
			}
		}
	}
	var names []string
	for _, i := range append(way[slices.Index(way, at):], at) {
		names = append(names, g.Nodes[i].Name)
	}
	return g.Nodes[at].fail("graph.cycle", "it waits for itself: %s", strings.Join(names, " ← ")).WithHint("an inference graph has no way back; take the output from a node further up")
}

func invalid(format string, args ...any) *edgeward.Error {
	return edgeward.E("graph", edgeward.Invalid, "graph.invalid", format, args...).WithHint("docs/graphs.md says how a graph is written")
}

func (n Node) invalid(format string, args ...any) *edgeward.Error {
	return n.fail("graph.invalid", format, args...).WithHint("docs/graphs.md says how a graph is written")
}

// fail is an error about the node.
func (n Node) fail(code, format string, args ...any) *edgeward.Error {
	return edgeward.E("graph", edgeward.Invalid, code, "node "+n.short()+": "+format, args...).With("node", n.short())
}

// short is the node's name as far as it is safe in a format.
func (n Node) short() string {
	return strings.ReplaceAll(n.Name[:min(len(n.Name), edgeward.MaxName)], "%", "")
}

// unknown is the error of a reference to a node that is not there.
func (n Node) unknown(in, ref string, index map[string]int) error {
	names := make([]string, 0, len(index))
	for name := range index {
		names = append(names, name)
	}
	slices.Sort(names)
	name, _ := source(ref)
	return n.fail("graph.reference", "input %.80q comes from %.80q, and there is no node of that name", in, ref).
		WithHint("the nearest is %q; write the name of an input of the graph, or node.output", edgeward.Nearest(name, names))
}
