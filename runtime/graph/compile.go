package graph

import (
	"maps"
	"slices"
	"strings"

	"edgeward"
	"edgeward/runtime/picture"
	"edgeward/runtime/tensor"
)

// Plan is a graph that was found answerable, in the order in which it runs. It is read only and may be run by many
// goroutines.
type Plan struct {
	Signature tensor.Signature
	Pictures  []picture.Preprocessing // of the inputs that take pictures too, as a manifest has them
	Nodes     []Planned
	Parts     []edgeward.Digest // what an Asked is an index of
	outputs   []from
}

// Planned is a node with what was found out about it.
type Planned struct {
	Node
	Takes []tensor.Spec // by name of the node's input
	Gives []tensor.Spec
	After []int // the nodes it waits for

	part    int // index of Parts; -1: a step
	step    step
	sources []from // of Takes
}

// from is where a tensor comes from: an output of a node, by place, or an input of the graph (node -1).
type from struct {
	node   int
	output string
}

// SignatureFunc returns the signature of a part.
type SignatureFunc func(d edgeward.Digest) (tensor.Signature, bool)

// Compile checks a graph against the signatures of its models.
func (g Graph) Compile(signature SignatureFunc) (*Plan, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	order, err := g.order()
	if err != nil {
		return nil, err
	}
	p := &Plan{Parts: g.Parts()}
	c := compiler{Plan: p, inputs: map[string]tensor.Spec{}, place: map[string]int{}, signature: signature}
	for _, in := range g.Inputs {
		c.inputs[in.Name] = in.Spec
		p.Signature.Inputs = append(p.Signature.Inputs, in.Spec)
	}
	if p.Pictures, err = g.declared(p.Signature); err != nil {
		return nil, err
	}
	for _, k := range order {
		if err := c.add(g.Nodes[k]); err != nil {
			return nil, err
		}
	}
	for _, o := range g.Outputs {
		f, s, ok := c.find(o.From)
		if !ok {
			return nil, edgeward.E("graph", edgeward.Invalid, "graph.reference", "output %.80q comes from %.80q, and there is no such tensor", o.Name, o.From).
				WithHint("the nearest is %q", edgeward.Nearest(o.From, c.known()))
		}
		s.Name = o.Name
		p.outputs = append(p.outputs, f)
		p.Signature.Outputs = append(p.Signature.Outputs, s)
	}
	return p, p.Signature.Validate()
}

// compiler is a Plan in the making.
type compiler struct {
	*Plan
	inputs    map[string]tensor.Spec
	place     map[string]int // of a node by name
	signature SignatureFunc
}

// add checks one node whose sources were added before.
func (c *compiler) add(n Node) error {
	p := Planned{Node: n, part: -1}
	specs := map[string]tensor.Spec{}
	for _, in := range slices.Sorted(maps.Keys(n.Inputs)) {
		f, s, ok := c.find(n.Inputs[in])
		if !ok {
			return n.fail("graph.reference", "input %.80q comes from %.80q, and there is no such tensor", in, n.Inputs[in]).
				WithHint("the nearest is %q", edgeward.Nearest(n.Inputs[in], c.known()))
		}
		s.Name = in
		specs[in] = s
		p.Takes, p.sources = append(p.Takes, s), append(p.sources, f)
		if f.node >= 0 && !slices.Contains(p.After, f.node) {
			p.After = append(p.After, f.node)
		}
	}
	var err error
	if n.Step != "" {
		err = c.addStep(&p, specs)
	} else {
		err = c.addModel(&p, specs)
	}
	if err != nil {
		return err
	}
	c.place[n.Name] = len(c.Nodes)
	c.Nodes = append(c.Nodes, p)
	return nil
}

func (c *compiler) addStep(p *Planned, specs map[string]tensor.Spec) (err error) {
	if p.step, err = newStep(p.Step, p.With); err == nil {
		p.Gives, err = p.step.check(specs)
	}
	if err == nil {
		return nil
	}
	code := edgeward.CodeOf(err)
	if code == "" {
		code = "graph.step"
	}
	e := p.fail(code, "step %s: %w", strings.ReplaceAll(p.Step[:min(len(p.Step), 40)], "%", ""), err)
	if h := edgeward.HintOf(err); h != "" {
		return e.WithHint("%s", h)
	}
	return e.WithHint("docs/graphs.md says what each step takes and gives")
}

func (c *compiler) addModel(p *Planned, specs map[string]tensor.Spec) error {
	sig, ok := c.signature(p.Digest)
	if !ok {
		return p.fail("graph.model", "there is no model %.80q with digest %.80q", p.Model, p.Digest).WithHint("name a version that is there, as name/number")
	}
	p.part, p.Gives = slices.Index(c.Parts, p.Digest), sig.Outputs
	for in, got := range specs {
		want, ok := sig.Input(in)
		if !ok {
			return p.fail("graph.input", "model %.80q has no input %.80q", p.Model, in).WithHint("its inputs are %s", listed(sig.Inputs))
		}
		if got.Datatype != want.Datatype {
			return p.fail("graph.datatype", "input %.80q is %s, and model %.80q wants %s", in, got.Datatype, p.Model, want.Datatype).
				WithHint(`put a step between that makes it so: {"step": "cast", "with": {"to": %q}}`, want.Datatype)
		}
		if !meets(got, want) {
			return p.fail("graph.shape", "input %.80q has shape %s, and model %.80q wants %s", in, tensor.ShapeString(got.Shape), p.Model, tensor.ShapeString(want.Shape)).
				WithHint("-1 is any size; the steps select, concat and resize change shapes")
		}
	}
	for _, want := range sig.Inputs {
		if _, ok := specs[want.Name]; !ok {
			return p.fail("graph.input", "input %.80q of model %.80q is missing", want.Name, p.Model).WithHint("the model wants %s", want)
		}
	}
	return nil
}

// meets reports whether some tensor of spec a is one of spec b.
func meets(a, b tensor.Spec) bool {
	if a.AnyRank || b.AnyRank {
		return true
	}
	if len(a.Shape) != len(b.Shape) {
		return false
	}
	for i := range a.Shape {
		if a.Shape[i] != tensor.Any && b.Shape[i] != tensor.Any && a.Shape[i] != b.Shape[i] {
			return false
		}
	}
	return true
}

// find looks a reference up among the inputs and the nodes added so far.
func (c *compiler) find(ref string) (from, tensor.Spec, bool) {
	node, output := source(ref)
	if node == "" {
		s, ok := c.inputs[output]
		return from{-1, output}, s, ok
	}
	k, ok := c.place[node]
	if !ok {
		return from{}, tensor.Spec{}, false
	}
	for _, s := range c.Nodes[k].Gives {
		if s.Name == output {
			return from{k, output}, s, true
		}
	}
	return from{}, tensor.Spec{}, false
}

// known lists every reference there is so far.
func (c *compiler) known() (out []string) {
	out = slices.Sorted(maps.Keys(c.inputs))
	for _, n := range c.Nodes {
		for _, s := range n.Gives {
			out = append(out, n.Name+"."+s.Name)
		}
	}
	return out
}

func listed(specs []tensor.Spec) string {
	names := make([]string, 0, min(len(specs), 40))
	for _, s := range specs[:min(len(specs), 40)] {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}
