package graph_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"edgeward"
	"edgeward/runtime/graph"
	"edgeward/runtime/tensor"
)

func f32(shape []int64, v ...float32) tensor.Tensor {
	t, err := tensor.FromFloat32s("x", shape, v)
	if err != nil {
		panic(err)
	}
	return t
}

func f64(shape []int64, v ...float64) tensor.Tensor {
	t, err := tensor.FromFloat64s("x", shape, v)
	if err != nil {
		panic(err)
	}
	return t
}

func ints(shape []int64, v ...int64) tensor.Tensor {
	t, err := tensor.FromInt64s("x", shape, v)
	if err != nil {
		panic(err)
	}
	return t
}

func texts(shape []int64, v ...string) tensor.Tensor {
	t, err := tensor.FromStrings("x", shape, v)
	if err != nil {
		panic(err)
	}
	return t
}

func bytes(shape []int64, v ...byte) tensor.Tensor {
	t, err := tensor.New("x", tensor.Uint8, shape, v)
	if err != nil {
		panic(err)
	}
	return t
}

// in are inputs by name.
type in map[string]tensor.Tensor

// open is the spec of a tensor whose rows may be any; one number stays one.
func open(t tensor.Tensor) tensor.Spec {
	s := tensor.Spec{Name: t.Name, Datatype: t.Datatype, Shape: slices.Clone(t.Shape)}
	if len(s.Shape) > 1 || len(s.Shape) == 1 && s.Shape[0] != 1 {
		s.Shape[0] = tensor.Any
	}
	return s
}

// single is the plan of one step, all of whose outputs are the graph's.
func single(step, with string, inputs in, spec func(tensor.Tensor) tensor.Spec, outputs ...string) (*graph.Plan, []tensor.Tensor, error) {
	n := graph.Node{Name: "n", Step: step, Inputs: map[string]string{}}
	if with != "" {
		n.With = json.RawMessage(with)
	}
	g := graph.Graph{}
	var tensors []tensor.Tensor
	for name, t := range inputs {
		t.Name = name
		tensors = append(tensors, t)
		g.Inputs = append(g.Inputs, graph.Input{Spec: spec(t)})
		n.Inputs[name] = name
	}
	g.Nodes = []graph.Node{n}
	for _, o := range outputs {
		g.Outputs = append(g.Outputs, graph.Output{Name: o, From: "n." + o})
	}
	p, err := g.Compile(signature)
	return p, tensors, err
}

func say(t tensor.Tensor) string {
	if t.Datatype == tensor.Bytes {
		s, _ := t.Strings()
		return fmt.Sprintf("%s %s %q", t.Datatype, tensor.ShapeString(t.Shape), s)
	}
	v, _ := t.Float64s()
	for i := range v {
		v[i] = math.Round(v[i]*1e6) / 1e6
	}
	return fmt.Sprintf("%s %s %v", t.Datatype, tensor.ShapeString(t.Shape), v)
}

func TestSteps(t *testing.T) {
	nan := float32(math.NaN())
	one, two := []int64{2}, []int64{2, 2}
	for _, c := range []struct {
		name, step, with string
		in               in
		want             map[string]string // outputs as said
		code             string            // of the refusal by Compile (graph.step) or Run (graph.values)
	}{
		{"numbers of another kind", "cast", `{"to":"FP64"}`, in{"x": f32(one, 1, nan)}, map[string]string{"y": "FP64 [2] [1 NaN]"}, ""},
		{"whole numbers of whole floats", "cast", `{"to":"INT64"}`, in{"x": f32(one, -3, 4)}, map[string]string{"y": "INT64 [2] [-3 4]"}, ""},
		{"small whole numbers", "cast", `{"to":"INT32"}`, in{"x": f64(one, -3, 4)}, map[string]string{"y": "INT32 [2] [-3 4]"}, ""},
		{"yes or no", "cast", `{"to":"BOOL"}`, in{"x": ints(one, 0, 7)}, map[string]string{"y": "BOOL [2] [0 1]"}, ""},
		{"a fraction is no whole number", "cast", `{"to":"INT64"}`, in{"x": f32(one, 1, 1.5)}, map[string]string{"y": ""}, "graph.values"},
		{"missing is no whole number", "cast", `{"to":"INT64"}`, in{"x": f32(one, 1, nan)}, map[string]string{"y": ""}, "graph.values"},
		{"too large for the kind", "cast", `{"to":"INT32"}`, in{"x": f64(one, 1, 1<<40)}, map[string]string{"y": ""}, "graph.values"},
		{"no kind", "cast", ``, in{"x": f32(one, 1, 1)}, map[string]string{"y": ""}, "graph.step"},

		{"codes of texts, the unknown missing", "encode", `{"categories":["a","b"]}`, in{"x": texts(two, "b", "a", "z", "b")}, map[string]string{"y": "FP32 [2 2] [1 0 NaN 1]"}, ""},
		{"a column for each text", "encode", `{"categories":["a","b"],"one_hot":true}`, in{"x": texts([]int64{3}, "b", "z", "a")}, map[string]string{"y": "FP32 [3 2] [0 1 0 0 1 0]"}, ""},
		{"the unknown is refused", "encode", `{"categories":["a"],"refuse":true}`, in{"x": texts(one, "a", "z")}, map[string]string{"y": ""}, "graph.values"},
		{"numbers are no texts", "encode", `{"categories":["a"]}`, in{"x": f32(one, 1, 2)}, map[string]string{"y": ""}, "graph.step"},
		{"a category twice", "encode", `{"categories":["a","a"]}`, in{"x": texts(one, "a", "z")}, map[string]string{"y": ""}, "graph.step"},

		{"one number for what is missing", "impute", `{"value":[7]}`, in{"x": f32(two, nan, 1, 2, nan)}, map[string]string{"y": "FP32 [2 2] [7 1 2 7]"}, ""},
		{"a number for each column", "impute", `{"value":[7,8]}`, in{"x": f32(two, nan, 1, 2, nan)}, map[string]string{"y": "FP32 [2 2] [7 1 2 8]"}, ""},
		{"another number of columns", "impute", `{"value":[7,8,9]}`, in{"x": f32(two, nan, 1, 2, nan)}, map[string]string{"y": ""}, "graph.step"},
		{"texts cannot be missing", "impute", `{"value":[7]}`, in{"x": texts(one, "a", "b")}, map[string]string{"y": ""}, "graph.step"},

		{"offset and divisor by column", "scale", `{"offset":[1,10],"divisor":[2,5]}`, in{"x": f32(two, 1, 10, 5, 20)}, map[string]string{"y": "FP32 [2 2] [0 0 2 2]"}, ""},
		{"kept between bounds, missing stays", "scale", `{"least":0,"most":1}`, in{"x": f32([]int64{4}, -1, .5, 3, nan)}, map[string]string{"y": "FP32 [4] [0 0.5 1 NaN]"}, ""},
		{"bytes to numbers from 0 to 1", "scale", `{"divisor":[255]}`, in{"x": bytes(one, 0, 255)}, map[string]string{"y": "FP64 [2] [0 1]"}, ""},
		{"a divisor of 0", "scale", `{"divisor":[0]}`, in{"x": f32(one, 1, 2)}, map[string]string{"y": ""}, "graph.step"},
		{"bounds the wrong way", "scale", `{"least":2,"most":1}`, in{"x": f32(one, 1, 2)}, map[string]string{"y": ""}, "graph.step"},

		{"columns in another order", "select", `{"columns":[1,0,1]}`, in{"x": ints(two, 1, 2, 3, 4)}, map[string]string{"y": "INT64 [2 3] [2 1 2 4 3 4]"}, ""},
		{"a column that is not there", "select", `{"columns":[2]}`, in{"x": ints(two, 1, 2, 3, 4)}, map[string]string{"y": ""}, "graph.step"},
		{"a column that this request lacks", "select", `{"columns":[2]}`, in{"x": ints(one, 1, 2)}, map[string]string{"y": ""}, "graph.values"},

		{"columns side by side", "concat", `{"order":["b","a"]}`, in{"a": f32(two, 1, 2, 3, 4), "b": f32(one, 8, 9)}, map[string]string{"y": "FP32 [2 3] [8 1 2 9 3 4]"}, ""},
		{"numbers of two kinds", "concat", ``, in{"a": f32([]int64{2, 1}, 1, 2), "b": ints([]int64{2, 1}, 3, 4)}, map[string]string{"y": "FP64 [2 2] [1 3 2 4]"}, ""},
		{"another number of rows", "concat", ``, in{"a": f32(two, 1, 2, 3, 4), "b": f32([]int64{3}, 1, 2, 3)}, map[string]string{"y": ""}, "graph.values"},
		{"an order of others", "concat", `{"order":["c"]}`, in{"a": f32(two, 1, 2, 3, 4)}, map[string]string{"y": ""}, "graph.step"},
		{"two dimensions more", "concat", ``, in{"a": f32([]int64{1, 1, 1}, 1), "b": f32([]int64{1}, 1)}, map[string]string{"y": ""}, "graph.step"},

		{"a picture twice as large", "resize", `{"height":2,"width":4,"method":"nearest"}`, in{"x": f32([]int64{1, 1, 1, 2}, 1, 2)}, map[string]string{"y": "FP32 [1 1 2 4] [1 1 2 2 1 1 2 2]"}, ""},
		{"half as large, between the pixels", "resize", `{"height":1,"width":1}`, in{"x": f32([]int64{1, 1, 2, 2}, 0, 2, 4, 6)}, map[string]string{"y": "FP32 [1 1 1 1] [3]"}, ""},
		{"bytes stay bytes", "resize", `{"height":1,"width":1}`, in{"x": bytes([]int64{1, 1, 1, 2}, 0, 255)}, map[string]string{"y": "UINT8 [1 1 1 1] [128]"}, ""},
		{"channels last", "resize", `{"height":1,"width":1,"layout":"nhwc"}`, in{"x": f32([]int64{1, 1, 2, 2}, 0, 10, 2, 20)}, map[string]string{"y": "FP32 [1 1 1 2] [1 15]"}, ""},
		{"the same size is the same picture", "resize", `{"height":2,"width":2}`, in{"x": f32([]int64{1, 1, 2, 2}, 1, nan, 3, 4)}, map[string]string{"y": "FP32 [1 1 2 2] [1 NaN 3 4]"}, ""},
		{"no picture", "resize", `{"height":2,"width":2}`, in{"x": f32(two, 1, 2, 3, 4)}, map[string]string{"y": ""}, "graph.step"},
		{"no size", "resize", `{"height":0,"width":2}`, in{"x": f32([]int64{1, 1, 1, 1}, 1)}, map[string]string{"y": ""}, "graph.step"},
		{"an empty picture", "resize", `{"height":1,"width":2}`, in{"x": f32([]int64{1, 1, 0, 2})}, map[string]string{"y": ""}, "graph.values"},

		{"yes from the border on", "threshold", `{"at":[0.5]}`, in{"x": f32([]int64{3}, .4, .5, .6)}, map[string]string{"y": "INT64 [3] [0 1 1]"}, ""},
		{"classes between borders", "threshold", `{"at":[1,2]}`, in{"x": f64([]int64{3}, 0, 1.5, 9)}, map[string]string{"y": "INT64 [3] [0 1 2]"}, ""},
		{"missing is on no side", "threshold", `{"at":[1]}`, in{"x": f32(one, 1, nan)}, map[string]string{"y": ""}, "graph.values"},
		{"borders the wrong way", "threshold", `{"at":[2,1]}`, in{"x": f32(one, 1, 2)}, map[string]string{"y": ""}, "graph.step"},

		{"by itself it changes nothing", "calibrate", ``, in{"x": f64([]int64{4}, 0, .25, 1, math.NaN())}, map[string]string{"y": "FP64 [4] [0 0.25 1 NaN]"}, ""},
		{"Platt's sigmoid", "calibrate", `{"a":2,"b":1}`, in{"x": f64([]int64{1}, .5)}, map[string]string{"y": "FP64 [1] [0.731059]"}, ""},
		{"points of a curve", "calibrate", `{"x":[0.2,0.6],"y":[0,1]}`, in{"x": f64([]int64{4}, 0, .2, .4, 1)}, map[string]string{"y": "FP64 [4] [0 0 0.5 1]"}, ""},
		{"no probability", "calibrate", `{"b":1}`, in{"x": f64([]int64{1}, 2)}, map[string]string{"y": ""}, "graph.values"},
		{"points that go back", "calibrate", `{"x":[1,0],"y":[0,1]}`, in{"x": f64([]int64{1}, 2)}, map[string]string{"y": ""}, "graph.step"},
		{"two ways at once", "calibrate", `{"a":1,"x":[0,1],"y":[0,1]}`, in{"x": f64([]int64{1}, 2)}, map[string]string{"y": ""}, "graph.step"},

		{"the likeliest class", "argmax", ``, in{"x": f32(two, .1, .9, .5, .5)}, map[string]string{"y": "INT64 [2] [1 0]"}, ""},
		{"missing is never the largest", "argmax", ``, in{"x": f32(two, nan, -1, nan, nan)}, map[string]string{"y": "INT64 [2] [1 0]"}, ""},

		{"names of classes", "labels", `{"labels":["no","yes"]}`, in{"x": ints(one, 1, 0)}, map[string]string{"y": `BYTES [2] ["yes" "no"]`}, ""},
		{"a name for the rest", "labels", `{"labels":["no"],"other":"?"}`, in{"x": ints(one, -1, 0)}, map[string]string{"y": `BYTES [2] ["?" "no"]`}, ""},
		{"a class without a name", "labels", `{"labels":["no"]}`, in{"x": ints(one, 1, 0)}, map[string]string{"y": ""}, "graph.values"},
		{"fractions have no names", "labels", `{"labels":["no"]}`, in{"x": f32(one, 1, 0)}, map[string]string{"y": ""}, "graph.step"},

		{"the mean of models", "vote", ``, in{"a": f32(one, 1, 2), "b": f64(one, 3, 6)}, map[string]string{"y": "FP64 [2] [2 4]", "spread": "FP64 [2] [2 4]"}, ""},
		{"by weight", "vote", `{"weights":{"a":3}}`, in{"a": f32(one, 1, 2), "b": f64(one, 3, 6)}, map[string]string{"y": "FP64 [2] [1.5 3]"}, ""},
		{"the middle one", "vote", `{"method":"median"}`, in{"a": f32(one, 1, 2), "b": f64(one, 3, 6), "c": f64(one, 9, 1)}, map[string]string{"y": "FP64 [2] [3 2]"}, ""},
		{"what most say", "vote", `{"method":"majority"}`, in{"a": ints(one, 1, 2), "b": ints(one, 3, 4), "c": ints(one, 3, 5)}, map[string]string{"y": "INT64 [2] [3 2]", "agreement": "FP64 [2] [0.666667 0.333333]"}, ""},
		{"what most say in words", "vote", `{"method":"majority"}`, in{"a": texts(one, "x", "yes"), "b": texts(one, "x", "no")}, map[string]string{"y": `BYTES [2] ["x" "yes"]`}, ""},
		{"models of different shapes", "vote", ``, in{"a": f32(one, 1, 2), "b": f32(two, 1, 2, 3, 4)}, map[string]string{"y": ""}, "graph.step"},
		{"models of different rows", "vote", ``, in{"a": f32(one, 1, 2), "b": f32([]int64{3}, 1, 2, 3)}, map[string]string{"y": ""}, "graph.values"},
		{"nobody counts", "vote", `{"weights":{"a":0}}`, in{"a": f32(one, 1, 2)}, map[string]string{"y": ""}, "graph.step"},
		{"a majority of fractions", "vote", `{"method":"majority"}`, in{"a": f32(one, 1, 2)}, map[string]string{"y": ""}, "graph.step"},

		{"what is expected and how sure", "sum", ``, in{"x": f32([]int64{3}, .5, 1, .25)}, map[string]string{"sum": "FP64 [1] [1.75]", "variance": "FP64 [1] [0.4375]", "rows": "FP64 [1] [3]"}, ""},
		{"by column", "sum", ``, in{"x": f32(two, 1, 20, 3, 40)}, map[string]string{"sum": "FP64 [1 2] [4 60]", "variance": "FP64 [1 2] [NaN NaN]"}, ""},
		{"nobody is there", "sum", ``, in{"x": f32([]int64{0, 1})}, map[string]string{"sum": "FP64 [1 1] [0]", "variance": "FP64 [1 1] [0]", "rows": "FP64 [1] [0]"}, ""},

		{"weighted, with a floor", "add", `{"weights":{"b":-1},"bias":1,"least":0}`, in{"a": f32(one, 1, 2), "b": f64(one, 5, 1)}, map[string]string{"y": "FP64 [2] [0 2]"}, ""},
		{"one number for all", "add", ``, in{"a": f32(two, 1, 2, 3, 4), "b": f64([]int64{1}, 10)}, map[string]string{"y": "FP64 [2 2] [11 12 13 14]"}, ""},
		{"a weight of nobody", "add", `{"weights":{"z":1}}`, in{"a": f32(one, 1, 2)}, map[string]string{"y": ""}, "graph.step"},

		{"variances and intervals joined", "interval", `{"level":0.8}`, in{"center": f64([]int64{1, 1}, 20), "variance": f64([]int64{1}, 9), "in-value": f64([]int64{1, 1}, 5), "in-low": f64([]int64{1, 1}, 1), "in-high": f64([]int64{1, 1}, 5)},
			map[string]string{"low": "FP64 [1 1] [14.451904]", "high": "FP64 [1 1] [23.844655]"}, ""},
		{"widened, with a floor", "interval", `{"level":0.8,"widen":2,"least":0}`, in{"center": f64([]int64{1}, 5), "variance": f64([]int64{1}, 9)}, map[string]string{"low": "FP64 [1] [0]", "high": "FP64 [1] [12.689309]"}, ""},
		{"no level", "interval", ``, in{"center": f64([]int64{1}, 5)}, map[string]string{"low": ""}, "graph.step"},
		{"half an interval", "interval", `{"level":0.8}`, in{"center": f64([]int64{1}, 5), "a-value": f64([]int64{1}, 5)}, map[string]string{"low": ""}, "graph.step"},
		{"a value outside its interval", "interval", `{"level":0.8}`, in{"center": f64([]int64{1}, 5), "a-value": f64([]int64{1}, 5), "a-low": f64([]int64{1}, 6), "a-high": f64([]int64{1}, 7)}, map[string]string{"low": ""}, "graph.values"},
		{"a variance below 0", "interval", `{"level":0.8}`, in{"center": f64([]int64{1}, 5), "variance": f64([]int64{1}, -1)}, map[string]string{"low": ""}, "graph.values"},
	} {
		t.Run(c.step+" "+c.name, func(t *testing.T) {
			var names []string
			for n := range c.want {
				names = append(names, n)
			}
			p, inputs, err := single(c.step, c.with, c.in, open, names...)
			if c.code == "graph.values" && err != nil {
				t.Fatalf("refused before its values: %v", err)
			}
			var out []tensor.Tensor
			if err == nil {
				out, _, err = p.Run(t.Context(), inputs, nil)
			}
			if edgeward.CodeOf(err) != c.code || err != nil && (edgeward.KindOf(err) != edgeward.Invalid || edgeward.ParamsOf(err)["node"] != "n") {
				t.Fatalf("%v, want code %q", err, c.code)
			}
			for i, x := range out {
				if got := say(x); got != c.want[x.Name] {
					t.Errorf("%s is %s, want %s", x.Name, got, c.want[x.Name])
				}
				if s := p.Signature.Outputs[i]; s.Datatype != x.Datatype || !s.Fits(x.Shape) {
					t.Errorf("%s is %s %s, and the signature says %s", x.Name, x.Datatype, tensor.ShapeString(x.Shape), s)
				}
			}
		})
	}
}

// FuzzStep: whatever document and tensors come, a step answers what its signature says or refuses.
func FuzzStep(f *testing.F) {
	x := tensor.Append(nil, []tensor.Tensor{named("x", f32([]int64{2, 2}, 1, 2, 3, 4))})
	pair := tensor.Append(nil, []tensor.Tensor{named("center", f64([]int64{1, 1}, 1)), named("variance", f64([]int64{1}, 1))})
	words := tensor.Append(nil, []tensor.Tensor{named("x", texts([]int64{2}, "a", "b"))})
	picture := tensor.Append(nil, []tensor.Tensor{named("x", bytes([]int64{1, 1, 2, 1}, 1, 2))})
	for _, s := range graph.Steps() {
		f.Add(s, "", x)
	}
	f.Add("encode", `{"categories":["a"],"one_hot":true}`, words)
	f.Add("select", `{"columns":[1]}`, x)
	f.Add("cast", `{"to":"INT64"}`, x)
	f.Add("impute", `{"value":[1,2]}`, x)
	f.Add("threshold", `{"at":[1,2]}`, x)
	f.Add("calibrate", `{"x":[0,1],"y":[1,0]}`, x)
	f.Add("vote", `{"method":"majority"}`, words)
	f.Add("interval", `{"level":0.8}`, pair)
	f.Add("resize", `{"height":3,"width":2}`, picture)
	f.Fuzz(func(t *testing.T, step, with string, encoded []byte) {
		tensors, err := tensor.Decode(encoded)
		if err != nil || strings.Contains(with, "8192") {
			return
		}
		inputs := in{}
		for _, x := range tensors {
			inputs[x.Name] = x
		}
		first := func(x tensor.Tensor) tensor.Spec { return open(x) }
		p, all, err := single(step, with, inputs, first, "y")
		if err != nil {
			if p, all, err = single(step, with, inputs, first, "low", "high"); err != nil {
				return
			}
		}
		if p.Signature.Check(all) != nil {
			return
		}
		out, _, err := p.Run(t.Context(), all, nil)
		if err != nil {
			if edgeward.KindOf(err) != edgeward.Invalid {
				t.Fatal(err)
			}
			return
		}
		for i, x := range out {
			if err := x.Check(); err != nil {
				t.Fatal(err)
			}
			if s := p.Signature.Outputs[i]; s.Datatype != x.Datatype || !s.Fits(x.Shape) {
				t.Fatalf("%s %s is %s %s, and the signature says %s", step, with, x.Datatype, tensor.ShapeString(x.Shape), s)
			}
		}
	})
}

func named(name string, t tensor.Tensor) tensor.Tensor {
	t.Name = name
	return t
}

func FuzzParse(f *testing.F) {
	f.Add(strings.ReplaceAll(diamond, "MODEL", `"model": "double/1", "digest": "`+string(double)+`"`))
	f.Add(`{"nodes":[{"name":"a","step":"add","inputs":{"x":"a.y"}}],"outputs":[{"name":"y","from":"a.y"}]}`)
	f.Fuzz(func(t *testing.T, doc string) {
		g, err := graph.Parse([]byte(doc))
		if err != nil {
			return
		}
		p, err := g.Compile(signature)
		if err != nil {
			if edgeward.KindOf(err) != edgeward.Invalid || edgeward.CodeOf(err) == "" {
				t.Fatalf("%v is %v %q", err, edgeward.KindOf(err), edgeward.CodeOf(err))
			}
			return
		}
		b, err := g.Canonical()
		if err != nil {
			return // numbers that JSON has no canonical form for
		}
		again, err := graph.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		q, err := again.Compile(signature)
		if err != nil || fmt.Sprint(q.Signature) != fmt.Sprint(p.Signature) {
			t.Fatalf("%v: %v became %v", err, p.Signature, q)
		}
	})
}
