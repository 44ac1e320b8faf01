package graph_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"edgeward"
	"edgeward/runtime/graph"
	"edgeward/runtime/tensor"
)

var double = edgeward.DigestOf([]byte("double"))

// doubles is the signature of the model of these tests: y = 2x, rows of two.
var doubles = tensor.Signature{Inputs: []tensor.Spec{{Name: "x", Datatype: tensor.FP32, Shape: []int64{tensor.Any, 2}}},
	Outputs: []tensor.Spec{{Name: "y", Datatype: tensor.FP32, Shape: []int64{tensor.Any, 2}}}}

func signature(d edgeward.Digest) (tensor.Signature, bool) { return doubles, d == double }

func twice(_ context.Context, _ int, in []tensor.Tensor) ([]tensor.Tensor, error) {
	v, err := in[0].Float32s()
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(v))
	for i := range v {
		out[i] = 2 * v[i]
	}
	t, err := tensor.FromFloat32s("y", in[0].Shape, out)
	return []tensor.Tensor{t}, err
}

// compile makes a plan of a document in which MODEL is the model.
func compile(t testing.TB, doc string) (*graph.Plan, error) {
	t.Helper()
	g, err := graph.Parse([]byte(strings.ReplaceAll(doc, "MODEL", `"model": "double/1", "digest": "`+string(double)+`"`)))
	if err != nil {
		return nil, err
	}
	return g.Compile(signature)
}

const xs = `"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]`

func TestWhatCannotBeAnsweredIsRefusedWithItsNode(t *testing.T) {
	for _, c := range []struct{ name, doc, code, says string }{
		{"nothing", `{}`, "graph.invalid", "0 nodes"},
		{"a misspelt field", `{"inputz": []}`, "graph.invalid", "inputz"},
		{"something behind", `{"nodes":[{"name":"a","step":"sum"}],"outputs":[{"name":"y","from":"a.sum"}]} x`, "graph.invalid", "follows"},
		{"a format of tomorrow", `{"format": 2}`, "graph.invalid", "format 2"},
		{"a node that is nothing", `{` + xs + `, "nodes":[{"name":"a","inputs":{"x":"x"}}],"outputs":[{"name":"y","from":"a.y"}]}`, "graph.invalid", "node a:"},
		{"two of one name", `{` + xs + `, "nodes":[{"name":"a","step":"sum","inputs":{"x":"x"}},{"name":"a","step":"sum","inputs":{"x":"x"}}],"outputs":[{"name":"y","from":"a.sum"}]}`, "graph.invalid", "two nodes"},
		{"a name that is none", `{` + xs + `, "nodes":[{"name":"A.b","step":"sum"}],"outputs":[{"name":"y","from":"a.y"}]}`, "name.invalid", "A.b"},
		{"a cycle", `{` + xs + `, "nodes":[{"name":"a","step":"add","inputs":{"x":"x","b":"c.y"}},{"name":"b","step":"add","inputs":{"x":"a.y"}},{"name":"c","step":"add","inputs":{"x":"b.y"}}],"outputs":[{"name":"y","from":"a.y"}]}`, "graph.cycle", "a ← c ← b ← a"},
		{"itself", `{` + xs + `, "nodes":[{"name":"a","step":"add","inputs":{"x":"a.y"}}],"outputs":[{"name":"y","from":"a.y"}]}`, "graph.cycle", "a ← a"},
		{"a node that is not there", `{` + xs + `, "nodes":[{"name":"a","step":"sum","inputs":{"x":"b.y"}}],"outputs":[{"name":"y","from":"a.sum"}]}`, "graph.reference", "node a:"},
		{"an output that is not there", `{` + xs + `, "nodes":[{"name":"a","step":"sum","inputs":{"x":"x"}},{"name":"b","step":"sum","inputs":{"x":"a.som"}}],"outputs":[{"name":"y","from":"a.sum"}]}`, "graph.reference", "node b:"},
		{"an answer from nowhere", `{` + xs + `, "nodes":[{"name":"a","step":"sum","inputs":{"x":"x"}}],"outputs":[{"name":"y","from":"a.som"}]}`, "graph.reference", `output "y"`},
		{"a step that is not there", `{` + xs + `, "nodes":[{"name":"a","step":"som","inputs":{"x":"x"}}],"outputs":[{"name":"y","from":"a.y"}]}`, "graph.step", "node a: step som"},
		{"a parameter that is not there", `{` + xs + `, "nodes":[{"name":"a","step":"scale","with":{"by":2},"inputs":{"x":"x"}}],"outputs":[{"name":"y","from":"a.y"}]}`, "graph.step", "by"},
		{"a model nobody knows", `{` + xs + `, "nodes":[{"name":"a","model":"m/1","digest":"` + string(edgeward.DigestOf(nil)) + `","inputs":{"x":"x"}}],"outputs":[{"name":"y","from":"a.y"}]}`, "graph.model", "node a:"},
		{"a model without its input", `{` + xs + `, "nodes":[{"name":"a",MODEL}],"outputs":[{"name":"y","from":"a.y"}]}`, "graph.input", "node a: input \"x\" of model"},
		{"a model with one too many", `{` + xs + `, "nodes":[{"name":"a",MODEL,"inputs":{"x":"x","z":"x"}}],"outputs":[{"name":"y","from":"a.y"}]}`, "graph.input", "no input \"z\""},
		{"another datatype", `{` + xs + `, "nodes":[{"name":"a","step":"cast","with":{"to":"FP64"},"inputs":{"x":"x"}},{"name":"b",MODEL,"inputs":{"x":"a.y"}}],"outputs":[{"name":"y","from":"b.y"}]}`, "graph.datatype", "node b:"},
		{"another shape", `{` + xs + `, "nodes":[{"name":"a","step":"select","with":{"columns":[0]},"inputs":{"x":"x"}},{"name":"b",MODEL,"inputs":{"x":"a.y"}}],"outputs":[{"name":"y","from":"b.y"}]}`, "graph.shape", "[-1 1]"},
		{"parameters for a model", `{` + xs + `, "nodes":[{"name":"a",MODEL,"with":{},"inputs":{"x":"x"}}],"outputs":[{"name":"y","from":"a.y"}]}`, "graph.invalid", "with is for steps"},
		{"an input of no datatype", `{"inputs":[{"name":"x","datatype":"F","shape":[1]}],"nodes":[{"name":"a","step":"sum","inputs":{"x":"x"}}],"outputs":[{"name":"y","from":"a.sum"}]}`, "signature.invalid", "F"},
		{"an input with a dot", `{"inputs":[{"name":"x.y","datatype":"FP32","shape":[1]}],"nodes":[{"name":"a","step":"sum","inputs":{"x":"x"}}],"outputs":[{"name":"y","from":"a.sum"}]}`, "graph.invalid", "dot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := compile(t, c.doc)
			if edgeward.KindOf(err) != edgeward.Invalid || edgeward.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) || edgeward.HintOf(err) == "" && c.code != "signature.invalid" {
				t.Errorf("%v\nis %v %q with hint %q, want %q and %q", err, edgeward.KindOf(err), edgeward.CodeOf(err), edgeward.HintOf(err), c.code, c.says)
			}
		})
	}
	var many []string
	for i := range graph.MaxNodes + 1 {
		many = append(many, fmt.Sprintf(`{"name":"n%d","step":"sum","inputs":{"x":"x"}}`, i))
	}
	if _, err := compile(t, `{`+xs+`,"nodes":[`+strings.Join(many, ",")+`],"outputs":[{"name":"y","from":"n0.sum"}]}`); edgeward.CodeOf(err) != "graph.invalid" {
		t.Errorf("%d nodes: %v", len(many), err)
	}
	if _, err := graph.Parse(make([]byte, graph.MaxDocument+1)); edgeward.KindOf(err) != edgeward.TooLarge {
		t.Error(err)
	}
}

const diamond = `{` + xs + `, "nodes": [
	{"name": "both", "step": "add", "inputs": {"a": "left.y", "b": "right.y"}},
	{"name": "left", MODEL, "inputs": {"x": "x"}},
	{"name": "right", MODEL, "inputs": {"x": "half.y"}},
	{"name": "half", "step": "scale", "with": {"divisor": [2]}, "inputs": {"x": "x"}}],
	"outputs": [{"name": "answer", "from": "both.y"}, {"name": "asked", "from": "x"}]}`

func TestAGraphAnswersAsOneModel(t *testing.T) {
	p, err := compile(t, diamond)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(p.Signature); got != "{[x FP32 [-1 2]] [answer FP64 [-1 2] asked FP32 [-1 2]]}" || len(p.Parts) != 1 {
		t.Errorf("signature %s, %d parts", got, len(p.Parts))
	}
	x, _ := tensor.FromFloat32s("x", []int64{2, 2}, []float32{1, 2, 3, 4})
	out, spans, err := p.Run(t.Context(), []tensor.Tensor{x}, twice)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := out[0].Float64s()
	if out[0].Name != "answer" || out[1].Name != "asked" || !slices.Equal(v, []float64{3, 6, 9, 12}) {
		t.Errorf("%+v %v", out, v)
	}
	var names []string
	for _, s := range spans {
		names = append(names, s.Node+" "+s.What)
		if s.Took <= 0 {
			t.Errorf("%s took %v", s.Node, s.Took)
		}
	}
	if got := strings.Join(names, ", "); got != "left double/1, half scale, right double/1, both add" {
		t.Errorf("spans %s", got)
	}
}

func TestTheCanonicalFormIsTheSameForTheSameGraph(t *testing.T) {
	canonical := func(doc string) string {
		g, err := graph.Parse([]byte(strings.ReplaceAll(doc, "MODEL", `"model": "double/1", "digest": "`+string(double)+`"`)))
		if err != nil {
			t.Fatal(err)
		}
		b, err := g.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	one := canonical(diamond)
	if again := canonical(one); again != one {
		t.Errorf("%s\nand %s", one, again)
	}
	if spaced := canonical(strings.ReplaceAll(diamond, "\t", "   ")); spaced != one {
		t.Error("white space makes another graph")
	}
	g, _ := graph.Parse([]byte(strings.ReplaceAll(diamond, "MODEL", `"model": "double/1"`)))
	if _, err := g.Canonical(); err == nil {
		t.Error("a model without a digest has a canonical form")
	}
}

// TestNodesRunSideBySide: each of two models waits until the other runs.
func TestNodesRunSideBySide(t *testing.T) {
	p, err := compile(t, diamond)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := tensor.FromFloat32s("x", []int64{1, 2}, []float32{1, 2})
	var came atomic.Int32
	both := make(chan struct{})
	_, _, err = p.Run(t.Context(), []tensor.Tensor{x}, func(ctx context.Context, part int, in []tensor.Tensor) ([]tensor.Tensor, error) {
		if came.Add(1) == 2 {
			close(both)
		}
		select {
		case <-both:
			return twice(ctx, part, in)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	// left and half begin together, right when both have ended: only a run that starts right while left is under way answers.
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheFirstFailureStopsTheOthers(t *testing.T) {
	p, err := compile(t, diamond)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := tensor.FromFloat32s("x", []int64{1, 2}, []float32{1, 2})
	var calls, running atomic.Int32
	fail := edgeward.E("engine", edgeward.Exhausted, "engine.memory", "no memory").WithHint("buy some")
	_, _, err = p.Run(t.Context(), []tensor.Tensor{x}, func(ctx context.Context, _ int, in []tensor.Tensor) ([]tensor.Tensor, error) {
		running.Add(1)
		defer running.Add(-1)
		if calls.Add(1) == 1 {
			<-ctx.Done() // stopped by the other's failure
			return nil, ctx.Err()
		}
		return nil, fail
	})
	if edgeward.KindOf(err) != edgeward.Exhausted || edgeward.CodeOf(err) != "engine.memory" || edgeward.HintOf(err) != "buy some" || edgeward.ParamsOf(err)["node"] == "" {
		t.Errorf("%v %v", err, edgeward.ParamsOf(err))
	}
	if fail.Params != nil {
		t.Error("the engine's own error was changed")
	}
	if n := running.Load(); n != 0 {
		t.Errorf("%d models run on", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err = p.Run(ctx, []tensor.Tensor{x}, func(ctx context.Context, _ int, in []tensor.Tensor) ([]tensor.Tensor, error) {
		cancel()
		<-ctx.Done()
		return nil, edgeward.E("worker", edgeward.Unavailable, "worker.canceled", "stopped: %w", ctx.Err())
	})
	if !errors.Is(err, context.Canceled) || edgeward.KindOf(err) != edgeward.Unavailable {
		t.Errorf("a caller that goes: %v", err)
	}
}

func ExampleGraph_Compile() {
	g, err := graph.Parse([]byte(`{
		"inputs":  [{"name": "chance", "datatype": "FP32", "shape": [-1]}],
		"nodes":   [{"name": "expected", "step": "sum", "inputs": {"x": "chance"}}],
		"outputs": [{"name": "discharges", "from": "expected.sum"}]}`))
	if err != nil {
		panic(err)
	}
	p, err := g.Compile(func(edgeward.Digest) (tensor.Signature, bool) { return tensor.Signature{}, false })
	if err != nil {
		panic(err)
	}
	chance, _ := tensor.FromFloat32s("chance", []int64{3}, []float32{0.5, 0.25, 1})
	out, _, _ := p.Run(context.Background(), []tensor.Tensor{chance}, nil)
	v, _ := out[0].Float64s()
	fmt.Println(out[0].Name, v)
	// Output: discharges [1.75]
}
