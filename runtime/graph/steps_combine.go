package graph

import (
	"maps"
	"math"
	"slices"

	"edgeward/runtime/tensor"
)

// sum adds all rows up: the first dimension becomes one. variance is that of the sum of independent yes-or-no answers with
// these probabilities, Σ p(1-p); where a number is none of 0 to 1, it is missing.
type sum struct{}

func (*sum) check(in map[string]tensor.Spec) ([]tensor.Spec, error) {
	x, err := only(in)
	if err == nil {
		err = numbers(x)
	}
	if err != nil {
		return nil, err
	}
	if x.AnyRank || len(x.Shape) == 0 {
		return nil, wrong("x has shape %s, which has no rows", tensor.ShapeString(x.Shape))
	}
	y := like(x, "sum", tensor.FP64)
	y.Shape[0] = 1
	return []tensor.Spec{y, like(y, "variance", tensor.FP64), {Name: "rows", Datatype: tensor.FP64, Shape: []int64{1}}}, nil
}

func (*sum) run(in map[string]tensor.Tensor) ([]tensor.Tensor, error) {
	x := in["x"]
	v, err := x.Float64s()
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(x.Shape)
	shape[0] = 1
	width, err := tensor.Elements(shape)
	if err != nil {
		return nil, err
	}
	if width > tensor.MaxData/8 {
		return nil, values("%d columns are too many", width)
	}
	total, variance := make([]float64, width), make([]float64, width)
	for i, f := range v {
		k := i % int(width)
		total[k] += f
		if f >= 0 && f <= 1 {
			variance[k] += f * (1 - f)
		} else {
			variance[k] = math.NaN()
		}
	}
	out, err := pair(shape, "sum", total, "variance", variance)
	if err != nil {
		return nil, err
	}
	rows, err := tensor.FromFloat64s("rows", []int64{1}, []float64{float64(x.Shape[0])})
	return append(out, rows), err
}

// add is bias + Σ weight·input, over inputs of one shape; an input of one element counts for every element of the others.
// A weight that is not given is 1. Least, where given, is the smallest answer.
type add struct {
	Weights map[string]float64 `json:"weights"`
	Bias    float64            `json:"bias"`
	Least   *float64           `json:"least"`

	names []string
	lead  string
}

func (a *add) check(in map[string]tensor.Spec) ([]tensor.Spec, error) {
	var err error
	if a.names, err = ordered(nil, in); err != nil {
		return nil, err
	}
	for n := range a.Weights {
		if _, ok := in[n]; !ok {
			return nil, wrong("weight of %.80q, which is no input", n)
		}
	}
	y, lead, err := shaped(a.names, in)
	a.lead = lead
	return []tensor.Spec{like(y, "y", tensor.FP64)}, err
}

// shaped is the shape that inputs of one shape or of one element have together, and an input that has it.
func shaped(names []string, in map[string]tensor.Spec) (tensor.Spec, string, error) {
	var wide []string
	for _, n := range names {
		s := in[n]
		if err := numbers(s); err != nil {
			return s, n, err
		}
		if s.AnyRank || slices.ContainsFunc(s.Shape, func(d int64) bool { return d != 1 }) {
			wide = append(wide, n)
		}
	}
	if len(wide) == 0 { // all of one element: the shape of the first
		return in[names[0]], names[0], nil
	}
	y, err := same(wide, in)
	return y, wide[0], err
}

func (a *add) run(in map[string]tensor.Tensor) ([]tensor.Tensor, error) {
	shape, all, err := spread(a.names, a.lead, in)
	if err != nil {
		return nil, err
	}
	n, err := tensor.Elements(shape)
	if err != nil {
		return nil, err
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = a.Bias
		for k, name := range a.names {
			w, ok := a.Weights[name]
			if !ok {
				w = 1
			}
			out[i] += w * all[k][i%len(all[k])]
		}
		if a.Least != nil && out[i] < *a.Least {
			out[i] = *a.Least
		}
	}
	t, err := tensor.FromFloat64s("y", shape, out)
	return []tensor.Tensor{t}, err
}

// spread checks at run time what signatures left open, and returns the shape and the values of each. lead is the input whose
// shape the answer has where all have one element.
func spread(names []string, lead string, in map[string]tensor.Tensor) (shape []int64, all [][]float64, err error) {
	all = make([][]float64, len(names))
	wide := false
	for k, n := range names {
		if all[k], err = in[n].Float64s(); err != nil {
			return nil, nil, err
		}
		if len(all[k]) == 1 {
			continue
		}
		if wide && !slices.Equal(in[n].Shape, in[lead].Shape) {
			return nil, nil, values("inputs %s and %s have shapes %s and %s", lead, n, tensor.ShapeString(in[lead].Shape), tensor.ShapeString(in[n].Shape))
		}
		wide, lead = true, n
	}
	return in[lead].Shape, all, nil
}

// interval joins what is not known of independent parts into low and high around a center: a variance, from which comes
// z·√variance with z of the level's normal interval, and any number of other answers with an interval of their own, given as
// NAME-value, NAME-low and NAME-high. Half-widths are joined as the root of the sum of their squares, upwards and downwards
// apart; that is exact where parts are independent and normal, and a rule of thumb elsewhere: measure the coverage. widen
// multiplies both, and is what a measurement corrects. Least, where given, is the smallest low.
type interval struct {
	Level float64  `json:"level"`
	Widen *float64 `json:"widen"` // 1 where not given
	Least *float64 `json:"least"`

	names, others []string
	lead          string
}

func (v *interval) check(in map[string]tensor.Spec) ([]tensor.Spec, error) {
	if !(v.Level > 0 && v.Level < 1) {
		return nil, wrong("level is %v, and it is between 0 and 1", v.Level)
	}
	if v.Widen != nil && !(*v.Widen > 0 && *v.Widen <= 100) {
		return nil, wrong("widen is %v, and it is above 0 and at most 100", *v.Widen)
	}
	if _, ok := in["center"]; !ok {
		return nil, wrong("input center is missing")
	}
	v.names, v.others = slices.Sorted(maps.Keys(in)), nil
	known := map[string]bool{"center": true, "variance": true}
	for n := range in {
		name, ok := cutSuffix(n, "-value")
		if !ok {
			continue
		}
		for _, x := range []string{"-low", "-high"} {
			if _, ok := in[name+x]; !ok {
				return nil, wrong("input %s has no %s beside it", n, name+x)
			}
		}
		known[n], known[name+"-low"], known[name+"-high"] = true, true, true
		v.others = append(v.others, name)
	}
	slices.Sort(v.others)
	for _, n := range v.names {
		if !known[n] {
			return nil, wrong("it has no input %.80q", n).WithHint("its inputs are center, variance, and NAME-value with NAME-low and NAME-high")
		}
	}
	y, lead, err := shaped(v.names, in)
	v.lead = lead
	return []tensor.Spec{like(y, "low", tensor.FP64), like(y, "high", tensor.FP64)}, err
}

func cutSuffix(s, suffix string) (string, bool) {
	if len(s) > len(suffix) && s[len(s)-len(suffix):] == suffix {
		return s[:len(s)-len(suffix)], true
	}
	return s, false
}

func (v *interval) run(in map[string]tensor.Tensor) ([]tensor.Tensor, error) {
	shape, all, err := spread(v.names, v.lead, in)
	if err != nil {
		return nil, err
	}
	n, err := tensor.Elements(shape)
	if err != nil {
		return nil, err
	}
	of := func(name string, i int) float64 {
		k, ok := slices.BinarySearch(v.names, name)
		if !ok {
			return 0
		}
		return all[k][i%len(all[k])]
	}
	z, widen := math.Sqrt2*math.Erfinv(v.Level), 1.0
	if v.Widen != nil {
		widen = *v.Widen
	}
	low, high := make([]float64, n), make([]float64, n)
	for i := range low {
		variance := of("variance", i)
		if variance < 0 {
			return nil, values("variance is %v, below 0", variance)
		}
		down := z * z * variance
		up := down
		for _, o := range v.others {
			value := of(o+"-value", i)
			d, u := value-of(o+"-low", i), of(o+"-high", i)-value
			if d < 0 || u < 0 {
				return nil, values("%s: the value %v is outside its interval", o, value)
			}
			down, up = down+d*d, up+u*u
		}
		center := of("center", i)
		low[i], high[i] = center-widen*math.Sqrt(down), center+widen*math.Sqrt(up)
		if v.Least != nil && low[i] < *v.Least {
			low[i] = *v.Least
		}
	}
	return pair(shape, "low", low, "high", high)
}
