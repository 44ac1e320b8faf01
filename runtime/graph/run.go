package graph

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"edgeward"
	"edgeward/runtime/tensor"
)

// Ask answers with a model: part is its place in Plan.Parts. It must not keep ctx.
type Ask func(ctx context.Context, part int, inputs []tensor.Tensor) ([]tensor.Tensor, error)

// Span is what one node took of a run.
type Span struct {
	Node  string
	What  string        // the model, "name/number", or the step
	Start time.Duration // since the run began
	Took  time.Duration
}

// Run answers inputs that Plan.Signature.Check lets through, and says what each node took, in the order of Plan.Nodes.
// Outputs may share memory with inputs.
func (p *Plan) Run(ctx context.Context, inputs []tensor.Tensor, ask Ask) ([]tensor.Tensor, []Span, error) {
	r := run{Plan: p, inputs: inputs, ask: ask, began: time.Now(), values: make([][]tensor.Tensor, len(p.Nodes)), spans: make([]Span, len(p.Nodes))} // room:clock elapsed time
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	waits := make([]int, len(p.Nodes))
	var ready []int
	for i, n := range p.Nodes {
		if waits[i] = len(n.After); waits[i] == 0 {
			ready = append(ready, i)
		}
	}
	done := make(chan result, len(p.Nodes))
	running, failed := 0, error(nil)
	for len(ready) > 0 || running > 0 {
		switch {
		case failed != nil || ctx.Err() != nil: // only those that run are waited for
			ready = nil
		case len(ready) == 1 && running == 0: // nothing beside it: no goroutine
			done <- result{ready[0], r.node(ctx, ready[0])}
			running, ready = 1, nil
		default:
			for _, i := range ready {
				go func() { done <- result{i, r.node(ctx, i)} }()
			}
			running, ready = running+len(ready), nil
		}
		if running == 0 {
			break
		}
		d := <-done
		running--
		if d.err != nil {
			if failed == nil {
				failed = d.err
				cancel()
			}
			continue
		}
		for i, n := range p.Nodes {
			if slices.Contains(n.After, d.node) {
				if waits[i]--; waits[i] == 0 {
					ready = append(ready, i)
				}
			}
		}
	}
	if failed != nil {
		return nil, r.spans, failed
	}
	if err := ctx.Err(); err != nil {
		return nil, r.spans, edgeward.E("graph.Run", edgeward.Unavailable, "graph.stopped", "the graph was stopped: %w", err).WithHint("allow more time")
	}
	out := make([]tensor.Tensor, len(p.outputs))
	for i, f := range p.outputs {
		t, ok := r.value(f)
		if !ok {
			return nil, r.spans, edgeward.E("graph.Run", edgeward.Internal, "", "output %q was not made", p.Signature.Outputs[i].Name)
		}
		t.Name = p.Signature.Outputs[i].Name
		out[i] = t
	}
	return out, r.spans, nil
}

type result struct {
	node int
	err  error
}

// run is one answer in the making. Each node writes its own place of values and spans; who reads them was told by done.
type run struct {
	*Plan
	inputs []tensor.Tensor
	ask    Ask
	began  time.Time
	values [][]tensor.Tensor
	spans  []Span
}

// value is the tensor at a reference.
func (r *run) value(f from) (tensor.Tensor, bool) {
	all := r.inputs
	if f.node >= 0 {
		all = r.values[f.node]
	}
	for _, t := range all {
		if t.Name == f.output {
			return t, true
		}
	}
	return tensor.Tensor{}, false
}

// node runs one node.
func (r *run) node(ctx context.Context, i int) (err error) {
	n := &r.Nodes[i]
	begin := time.Now() // room:clock elapsed time
	r.spans[i] = Span{Node: n.Name, What: n.Step, Start: begin.Sub(r.began)}
	if n.part >= 0 {
		r.spans[i].What = n.Model
	}
	defer func() {
		r.spans[i].Took = time.Since(begin) // room:clock elapsed time
		if err != nil {
			err = n.failed(err)
		}
	}()
	if err := ctx.Err(); err != nil {
		return edgeward.E("graph.Run", edgeward.Unavailable, "graph.stopped", "the graph was stopped: %w", err)
	}
	in := make([]tensor.Tensor, len(n.Takes))
	for k, f := range n.sources {
		t, ok := r.value(f)
		if !ok {
			return edgeward.E("graph.Run", edgeward.Internal, "", "input %q was not made", n.Takes[k].Name)
		}
		t.Name = n.Takes[k].Name
		in[k] = t
	}
	if n.part >= 0 {
		r.values[i], err = r.ask(ctx, n.part, in)
		return err
	}
	named := make(map[string]tensor.Tensor, len(in))
	for _, t := range in {
		named[t.Name] = t
	}
	r.values[i], err = n.step.run(named)
	return err
}

// failed says which node it was.
func (n *Planned) failed(err error) error {
	e := &edgeward.Error{Op: "graph.Run", Kind: edgeward.KindOf(err), Code: edgeward.CodeOf(err), Hint: edgeward.HintOf(err), Params: maps.Clone(edgeward.ParamsOf(err)), // a joined run gives several callers one error
		Err: fmt.Errorf("node %s: %w", n.Name, err)}
	if e.Code == "" && e.Kind == edgeward.Invalid {
		e.Code = "graph.values"
	}
	return e.With("node", n.Name)
}
