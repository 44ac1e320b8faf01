package graph

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"math"
	"slices"

	"edgeward"
	"edgeward/runtime/tensor"
)

// step is one built-in step with its parameters: a pure function on tensors. check says what it gives for what it takes, and
// refuses parameters and specs that cannot be right; run is called with tensors that fit specs that check let through.
type step interface {
	check(in map[string]tensor.Spec) ([]tensor.Spec, error)
	run(in map[string]tensor.Tensor) ([]tensor.Tensor, error)
}

// steps are all built-in steps by name.
var steps = map[string]func() step{
	"cast":      func() step { return &cast{} },
	"encode":    func() step { return &encode{} },
	"impute":    func() step { return &impute{} },
	"scale":     func() step { return &scale{} },
	"select":    func() step { return &selectColumns{} },
	"concat":    func() step { return &concat{} },
	"resize":    func() step { return &resize{} },
	"threshold": func() step { return &threshold{} },
	"calibrate": func() step { return &calibrate{} },
	"argmax":    func() step { return &argmax{} },
	"labels":    func() step { return &labels{} },
	"vote":      func() step { return &vote{} },
	"sum":       func() step { return &sum{} },
	"add":       func() step { return &add{} },
	"interval":  func() step { return &interval{} },
}

// Steps lists the names of the built-in steps.
func Steps() []string { return slices.Sorted(maps.Keys(steps)) }

// MaxList bounds a list among a step's parameters.
const MaxList = 10_000

func newStep(name string, with json.RawMessage) (step, error) {
	make, ok := steps[name]
	if !ok {
		return nil, wrong("there is no such step").WithHint("the nearest is %q; the steps are %v", edgeward.Nearest(name, Steps()), Steps())
	}
	s := make()
	if len(with) == 0 || string(with) == "null" {
		return s, nil
	}
	d := json.NewDecoder(bytes.NewReader(with))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, wrong("its parameters cannot be read: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, wrong("something follows its parameters")
	}
	return s, nil
}

// wrong is a step that cannot be right; values is a request that it cannot answer.
func wrong(format string, args ...any) *edgeward.Error {
	return edgeward.E("", edgeward.Invalid, "graph.step", format, args...)
}

func values(format string, args ...any) *edgeward.Error {
	return edgeward.E("", edgeward.Invalid, "graph.values", format, args...).WithHint("docs/graphs.md says what each step takes and gives")
}

// only checks that a step has exactly one input, called x.
func only(in map[string]tensor.Spec) (tensor.Spec, error) {
	x, ok := in["x"]
	if !ok || len(in) != 1 {
		return x, wrong("it takes one input, x, and has %v", slices.Sorted(maps.Keys(in)))
	}
	return x, nil
}

// numbers checks that a spec is of numbers.
func numbers(s tensor.Spec) error {
	if s.Datatype == tensor.Bytes {
		return wrong("input %s is BYTES, which has no numbers", s.Name).WithHint("the step encode makes numbers of texts")
	}
	return nil
}

// real is the datatype in which a step answers numbers of d: FP64 stays, floats of at most 32 bits are FP32, others FP64.
func real(d tensor.Datatype) tensor.Datatype {
	switch d {
	case tensor.FP32, tensor.FP16, tensor.BF16:
		return tensor.FP32
	}
	return tensor.FP64
}

// like is a spec of the same shape.
func like(s tensor.Spec, name string, d tensor.Datatype) tensor.Spec {
	return tensor.Spec{Name: name, Datatype: d, Shape: slices.Clone(s.Shape), AnyRank: s.AnyRank}
}

// reals makes a tensor of datatype FP32 or FP64.
func reals(name string, d tensor.Datatype, shape []int64, v []float64) (tensor.Tensor, error) {
	if d == tensor.FP64 {
		return tensor.FromFloat64s(name, shape, v)
	}
	f := make([]float32, len(v))
	for i, x := range v {
		f[i] = float32(x)
	}
	return tensor.FromFloat32s(name, shape, f)
}

// each answers a tensor of one real number for each of x's; at is its place.
func each(x tensor.Tensor, name string, f func(v float64, at int) float64) ([]tensor.Tensor, error) {
	in, err := x.Float64s()
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(in))
	for i, v := range in {
		out[i] = f(v, i)
	}
	t, err := reals(name, real(x.Datatype), x.Shape, out)
	return []tensor.Tensor{t}, err
}

// perColumn checks a parameter that has one value, or one for each of the last dimension's.
func perColumn(name string, list []float64, x tensor.Spec) error {
	if len(list) == 0 || len(list) > MaxList {
		return wrong("%s has %d values; one, or one for each column", name, len(list))
	}
	for _, v := range list {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return wrong("%s has a value that is no number", name)
		}
	}
	if len(list) == 1 {
		return nil
	}
	if x.AnyRank || len(x.Shape) == 0 {
		return wrong("%s has %d values, and x has no columns", name, len(list))
	}
	if n := x.Shape[len(x.Shape)-1]; n != tensor.Any && n != int64(len(list)) {
		return wrong("%s has %d values, and x has %d columns", name, len(list), n)
	}
	return nil
}

// ofColumn is the value of a list that perColumn has checked, for the element at a place of x.
func ofColumn(list []float64, x tensor.Tensor, at int) float64 {
	if len(list) == 1 {
		return list[0]
	}
	return list[at%len(list)]
}

// columns checks at run time what a signature left open.
func columns(x tensor.Tensor, n int) error {
	if n > 1 && (len(x.Shape) == 0 || x.Shape[len(x.Shape)-1] != int64(n)) {
		return values("x has shape %s, and the step has %d columns", tensor.ShapeString(x.Shape), n)
	}
	return nil
}

// names are the inputs of a step that takes any, in the order given or else by name.
func ordered(order []string, in map[string]tensor.Spec) ([]string, error) {
	have := slices.Sorted(maps.Keys(in))
	if len(have) == 0 {
		return nil, wrong("it has no input")
	}
	if len(order) == 0 {
		return have, nil
	}
	if sorted := slices.Sorted(slices.Values(order)); !slices.Equal(sorted, have) {
		return nil, wrong("order names %v, and the inputs are %v", order, have)
	}
	return order, nil
}

// same checks that all inputs can have one shape, and returns the narrowest.
func same(names []string, in map[string]tensor.Spec) (tensor.Spec, error) {
	first := in[names[0]]
	for _, n := range names[1:] {
		s := in[n]
		if !meets(first, s) {
			return first, wrong("inputs %s and %s have shapes %s and %s", names[0], n, tensor.ShapeString(first.Shape), tensor.ShapeString(s.Shape))
		}
		if first.AnyRank {
			first.Shape, first.AnyRank = s.Shape, s.AnyRank
		} else if !s.AnyRank {
			shape := slices.Clone(first.Shape)
			for i, d := range s.Shape {
				if shape[i] == tensor.Any {
					shape[i] = d
				}
			}
			first.Shape = shape
		}
	}
	return first, nil
}

// sameShape checks at run time what signatures left open.
func sameShape(names []string, in map[string]tensor.Tensor) error {
	for _, n := range names[1:] {
		if !slices.Equal(in[n].Shape, in[names[0]].Shape) {
			return values("inputs %s and %s have shapes %s and %s", names[0], n, tensor.ShapeString(in[names[0]].Shape), tensor.ShapeString(in[n].Shape))
		}
	}
	return nil
}
