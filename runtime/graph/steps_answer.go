package graph

import (
	"math"
	"slices"

	"edgeward/runtime/tensor"
)

// threshold counts how many of its borders, ascending, x has reached: with one border 0 or 1. A missing value is refused.
type threshold struct {
	At []float64 `json:"at"`
}

func (h *threshold) check(in map[string]tensor.Spec) ([]tensor.Spec, error) {
	x, err := only(in)
	if err == nil {
		err = numbers(x)
	}
	if err != nil {
		return nil, err
	}
	if n := len(h.At); n == 0 || n > MaxList || !slices.IsSorted(h.At) {
		return nil, wrong("at has %d borders; it needs at least one, ascending", n)
	}
	return []tensor.Spec{like(x, "y", tensor.Int64)}, nil
}

func (h *threshold) run(in map[string]tensor.Tensor) ([]tensor.Tensor, error) {
	x := in["x"]
	v, err := x.Float64s()
	if err != nil {
		return nil, err
	}
	out := make([]int64, len(v))
	for i, f := range v {
		if math.IsNaN(f) {
			return nil, values("element %d is missing, and a threshold needs a number", i).WithHint("put the step impute before it")
		}
		for _, b := range h.At {
			if f < b {
				break
			}
			out[i]++
		}
	}
	t, err := tensor.FromInt64s("y", x.Shape, out)
	return []tensor.Tensor{t}, err
}

// calibrate corrects probabilities: by Platt's sigmoid, 1/(1+exp(-(a·logit(p)+b))), or by points of a curve that is straight
// between them (what isotonic regression gives) and level outside.
type calibrate struct {
	A *float64  `json:"a"` // 1 where not given
	B float64   `json:"b"`
	X []float64 `json:"x"` // ascending
	Y []float64 `json:"y"` // of each x
}

func (c *calibrate) check(in map[string]tensor.Spec) ([]tensor.Spec, error) {
	x, err := only(in)
	if err == nil {
		err = numbers(x)
	}
	if err != nil {
		return nil, err
	}
	points := len(c.X) > 0 || len(c.Y) > 0
	switch {
	case points && (c.A != nil || c.B != 0):
		return nil, wrong("a and b, or x and y: one of the two")
	case points && (len(c.X) != len(c.Y) || len(c.X) < 2 || len(c.X) > MaxList):
		return nil, wrong("%d points of x and %d of y; as many of each, at least 2", len(c.X), len(c.Y))
	}
	for i := 1; i < len(c.X); i++ {
		if !(c.X[i] > c.X[i-1]) {
			return nil, wrong("x must ascend, and %v stands before %v", c.X[i-1], c.X[i])
		}
	}
	return []tensor.Spec{like(x, "y", real(x.Datatype))}, nil
}

func (c *calibrate) run(in map[string]tensor.Tensor) ([]tensor.Tensor, error) {
	if len(c.X) > 0 {
		return each(in["x"], "y", func(v float64, _ int) float64 { return c.curve(v) })
	}
	v, err := in["x"].Float64s()
	if err != nil {
		return nil, err
	}
	for i, p := range v {
		if p < 0 || p > 1 {
			return nil, values("element %d is %v, which is no probability", i, p)
		}
	}
	a := 1.0
	if c.A != nil {
		a = *c.A
	}
	return each(in["x"], "y", func(p float64, _ int) float64 {
		const edge = 1e-12
		if p == p {
			p = min(max(p, edge), 1-edge)
		}
		return 1 / (1 + math.Exp(-(a*math.Log(p/(1-p)) + c.B)))
	})
}

func (c *calibrate) curve(v float64) float64 {
	last := len(c.X) - 1
	switch {
	case math.IsNaN(v):
		return v
	case v <= c.X[0]:
		return c.Y[0]
	case v >= c.X[last]:
		return c.Y[last]
	}
	i, _ := slices.BinarySearch(c.X, v) // X[i-1] < v <= X[i]
	return c.Y[i-1] + (c.Y[i]-c.Y[i-1])*(v-c.X[i-1])/(c.X[i]-c.X[i-1])
}

// argmax is the place of the largest number of the last dimension, the first of equals; missing values are never the largest.
type argmax struct{}

func (*argmax) check(in map[string]tensor.Spec) ([]tensor.Spec, error) {
	x, err := only(in)
	if err == nil {
		err = numbers(x)
	}
	if err != nil {
		return nil, err
	}
	if x.AnyRank || len(x.Shape) == 0 || x.Shape[len(x.Shape)-1] == 0 {
		return nil, wrong("x has shape %s, which has no columns", tensor.ShapeString(x.Shape))
	}
	y := like(x, "y", tensor.Int64)
	y.Shape = y.Shape[:len(y.Shape)-1]
	return []tensor.Spec{y}, nil
}

func (*argmax) run(in map[string]tensor.Tensor) ([]tensor.Tensor, error) {
	x := in["x"]
	v, err := x.Float64s()
	if err != nil {
		return nil, err
	}
	rest := x.Shape[:len(x.Shape)-1]
	n, err := tensor.Elements(rest)
	if err != nil {
		return nil, err
	}
	width := int(x.Shape[len(rest)])
	if width == 0 {
		return nil, values("x has shape %s, which has no columns", tensor.ShapeString(x.Shape))
	}
	out := make([]int64, n)
	for i := range out {
		best := math.Inf(-1)
		for k, f := range v[i*width : (i+1)*width] {
			if f > best {
				best, out[i] = f, int64(k)
			}
		}
	}
	t, err := tensor.FromInt64s("y", rest, out)
	return []tensor.Tensor{t}, err
}

// labels gives whole numbers their names: 0 the first. Without a name is other, or, where that is empty, refused.
type labels struct {
	Labels []string `json:"labels"`
	Other  string   `json:"other"`
}

func (l *labels) check(in map[string]tensor.Spec) ([]tensor.Spec, error) {
	x, err := only(in)
	if err == nil {
		err = numbers(x)
	}
	if err != nil {
		return nil, err
	}
	switch x.Datatype {
	case tensor.FP16, tensor.BF16, tensor.FP32, tensor.FP64:
		return nil, wrong("x is %s, and it takes whole numbers", x.Datatype).WithHint("the steps argmax, threshold and cast make whole numbers")
	}
	if n := len(l.Labels); n == 0 || n > MaxList {
		return nil, wrong("%d labels; 1 to %d", n, MaxList)
	}
	size := len(l.Other)
	for _, s := range l.Labels {
		size = max(size, len(s))
	}
	if size > tensor.MaxName {
		return nil, wrong("a label has %d bytes; at most %d", size, tensor.MaxName)
	}
	return []tensor.Spec{like(x, "y", tensor.Bytes)}, nil
}

func (l *labels) run(in map[string]tensor.Tensor) ([]tensor.Tensor, error) {
	x := in["x"]
	v, err := x.Int64s()
	if err != nil {
		return nil, err
	}
	out := make([]string, len(v))
	for i, k := range v {
		switch {
		case k >= 0 && k < int64(len(l.Labels)):
			out[i] = l.Labels[k]
		case l.Other != "":
			out[i] = l.Other
		default:
			return nil, values("element %d is %d, and there are %d labels", i, k, len(l.Labels))
		}
	}
	t, err := tensor.FromStrings("y", x.Shape, out)
	return []tensor.Tensor{t}, err
}

// vote joins the answers of several models, any number of inputs of one shape. mean and median are of numbers, by weight
// where weights are given (mean only); majority takes the answer that most inputs give, the one of the first input among equals.
// y is the answer; agreement the share of the inputs that gave it (majority), or spread, the largest less the smallest.
type vote struct {
	Method  string             `json:"method"` // "mean", the default, "median" or "majority"
	Weights map[string]float64 `json:"weights"`

	names []string
}

func (o *vote) check(in map[string]tensor.Spec) ([]tensor.Spec, error) {
	names, err := ordered(nil, in)
	if err != nil {
		return nil, err
	}
	o.names = names
	y, err := same(names, in)
	if err != nil {
		return nil, err
	}
	total := 0.0
	for n, w := range o.Weights {
		if _, ok := in[n]; !ok || !(w >= 0) || math.IsInf(w, 0) {
			return nil, wrong("weight %v of %.80q; each input may have one, 0 or more", w, n)
		}
	}
	for _, n := range names {
		total += o.weight(n)
		switch {
		case o.Method == "majority":
			if d := in[n].Datatype; d != in[names[0]].Datatype || real(d) == tensor.FP32 || d == tensor.FP64 {
				return nil, wrong("input %s is %s; a majority is of texts, whole numbers or BOOL, all of one kind", n, d)
			}
		default:
			if err := numbers(in[n]); err != nil {
				return nil, err
			}
		}
	}
	if !(total > 0) {
		return nil, wrong("all weights are 0")
	}
	switch o.Method {
	case "", "mean":
		return []tensor.Spec{like(y, "y", tensor.FP64), like(y, "spread", tensor.FP64)}, nil
	case "median":
		if len(o.Weights) > 0 {
			return nil, wrong("a median has no weights")
		}
		return []tensor.Spec{like(y, "y", tensor.FP64), like(y, "spread", tensor.FP64)}, nil
	case "majority":
		return []tensor.Spec{like(y, "y", in[names[0]].Datatype), like(y, "agreement", tensor.FP64)}, nil
	}
	return nil, wrong("method is %.20q; mean, median or majority", o.Method)
}

func (o *vote) weight(name string) float64 {
	if w, ok := o.Weights[name]; ok {
		return w
	}
	return 1
}

func (o *vote) run(in map[string]tensor.Tensor) ([]tensor.Tensor, error) {
	if err := sameShape(o.names, in); err != nil {
		return nil, err
	}
	if o.Method == "majority" {
		return o.majority(in)
	}
	all := make([][]float64, len(o.names))
	for k, n := range o.names {
		var err error
		if all[k], err = in[n].Float64s(); err != nil {
			return nil, err
		}
	}
	shape := in[o.names[0]].Shape
	out, spread := make([]float64, len(all[0])), make([]float64, len(all[0]))
	one := make([]float64, len(all))
	for i := range out {
		sum, weight := 0.0, 0.0
		for k, n := range o.names {
			one[k] = all[k][i]
			sum, weight = sum+o.weight(n)*one[k], weight+o.weight(n)
		}
		spread[i] = slices.Max(one) - slices.Min(one)
		if out[i] = sum / weight; o.Method == "median" {
			out[i] = median(one)
		}
	}
	return pair(shape, "y", out, "spread", spread)
}

// median sorts v. A missing value makes it missing.
func median(v []float64) float64 {
	if slices.ContainsFunc(v, math.IsNaN) {
		return math.NaN()
	}
	slices.Sort(v)
	if n := len(v); n%2 == 1 {
		return v[n/2]
	}
	return v[len(v)/2-1]/2 + v[len(v)/2]/2
}

func (o *vote) majority(in map[string]tensor.Tensor) ([]tensor.Tensor, error) {
	first := in[o.names[0]]
	all := make([][]string, len(o.names)) // each element as its bytes: equal elements, equal texts
	for k, n := range o.names {
		x := in[n]
		if x.Datatype == tensor.Bytes {
			var err error
			if all[k], err = x.Strings(); err != nil {
				return nil, err
			}
			continue
		}
		for b := range slices.Chunk(x.Data, x.Datatype.Size()) {
			all[k] = append(all[k], string(b))
		}
	}
	total := 0.0
	for _, n := range o.names {
		total += o.weight(n)
	}
	won, agreement := make([]string, len(all[0])), make([]float64, len(all[0]))
	for i := range won {
		best := -1.0
		for k := range all {
			votes := 0.0
			for j, n := range o.names {
				if all[j][i] == all[k][i] {
					votes += o.weight(n)
				}
			}
			if votes > best {
				best, won[i] = votes, all[k][i]
			}
		}
		agreement[i] = best / total
	}
	a, err := tensor.FromFloat64s("agreement", first.Shape, agreement)
	if err != nil {
		return nil, err
	}
	if first.Datatype == tensor.Bytes {
		y, err := tensor.FromStrings("y", first.Shape, won)
		return []tensor.Tensor{y, a}, err
	}
	var data []byte
	for _, s := range won {
		data = append(data, s...)
	}
	y, err := tensor.New("y", first.Datatype, first.Shape, data)
	return []tensor.Tensor{y, a}, err
}

// pair is two FP64 tensors of one shape.
func pair(shape []int64, a string, x []float64, b string, y []float64) ([]tensor.Tensor, error) {
	one, err := tensor.FromFloat64s(a, shape, x)
	if err != nil {
		return nil, err
	}
	two, err := tensor.FromFloat64s(b, shape, y)
	return []tensor.Tensor{one, two}, err
}
