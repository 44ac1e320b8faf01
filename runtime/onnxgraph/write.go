package onnxgraph

import (
	"math"

	"edgeward"
)

// The names of inputs and outputs.
const (
	Features    = "features"
	Forecast    = "forecast"
	Prediction  = "prediction"
	Low         = "low"
	High        = "high"
	Probability = "probability"
	Label       = "label"
)

// Interval holds what a forecast's graph needs beside the trees.
type Interval struct {
	// Low and High are added to the forecast: one entry per group code, and one more, the last, for any other code.
	// Without a group they have that one entry. Low is at or below zero, High at or above.
	Low, High []float64
	Group     int  // column of the group's code, or -1
	Level     int  // column of the level that forecast and offsets are multiplied by, or -1
	Counts    bool // nothing is below zero
}

// Forecast writes a regression model with its interval. meta goes into the file as metadata properties.
func (e *Ensemble) Forecast(iv Interval, meta map[string]string) ([]byte, error) {
	if err := iv.check(e); err != nil {
		return nil, err
	}
	g := newGraph("forecast")
	x := g.features(e)
	y := g.ensemble(e, x)
	y = g.linked(e, y)
	scale := ""
	if iv.Level >= 0 {
		scale = g.column(x, iv.Level)
		y = g.do("Mul", y, scale)
	}
	floor := func(v string) string {
		if iv.Counts {
			return g.do("Max", v, g.number(0))
		}
		return v
	}
	y = floor(y)
	code := ""
	if iv.Group >= 0 {
		code = g.code(x, iv.Group, len(iv.Low)-1)
	}
	bound := func(table []float64) string {
		offset := ""
		if code == "" {
			offset = g.number(table[0])
		} else {
			offset = g.do("Gather", g.constant(doubles(nil, table)), code)
		}
		if scale != "" {
			offset = g.do("Mul", offset, scale)
		}
		return floor(g.do("Add", y, offset))
	}
	low, high := bound(iv.Low), bound(iv.High)
	g.output(y, Forecast, typeDouble, 1)
	g.output(low, Low, typeDouble, 1)
	g.output(high, High, typeDouble, 1)
	return g.marshal(meta)
}

func (iv Interval) check(e *Ensemble) error {
	fail := func(format string, args ...any) error {
		return edgeward.E("onnxgraph.Forecast", edgeward.Invalid, "onnx.bad_interval", format, args...)
	}
	if e.classifier() {
		return fail("objective %q is a classifier's", e.Objective)
	}
	if len(iv.Low) == 0 || len(iv.Low) != len(iv.High) || iv.Group < 0 && len(iv.Low) != 1 || iv.Group >= e.Features || iv.Level >= e.Features {
		return fail("%d and %d offsets, group column %d, level column %d of %d", len(iv.Low), len(iv.High), iv.Group, iv.Level, e.Features)
	}
	for i := range iv.Low {
		if !(iv.Low[i] <= 0 && iv.High[i] >= 0) || math.IsInf(iv.Low[i], 0) || math.IsInf(iv.High[i], 0) {
			return fail("offsets %v and %v do not enclose the forecast", iv.Low[i], iv.High[i])
		}
	}
	return nil
}

// Classifier writes a model whose answers are probabilities. A model of two classes gives both: 1-p and p.
func (e *Ensemble) Classifier(meta map[string]string) ([]byte, error) {
	if !e.classifier() {
		return nil, edgeward.E("onnxgraph.Classifier", edgeward.Invalid, "onnx.unsupported", "objective %q is no classifier's", e.Objective)
	}
	g := newGraph("classifier")
	p := g.ensemble(e, g.features(e))
	p = g.linked(e, p)
	classes := e.Classes
	if classes == 1 {
		classes = 2
		p = g.op("Concat", "", []string{g.do("Sub", g.number(1), p), p}, integer("axis", 1))
	}
	label := g.op("ArgMax", "", []string{p}, integer("axis", 1), integer("keepdims", 0))
	g.output(g.cast(p, typeFloat), Probability, typeFloat, classes)
	g.output(label, Label, typeInt64, 0)
	return g.marshal(meta)
}

// linked turns the sum of leaves into the answer.
func (g *graph) linked(e *Ensemble, y string) string {
	switch e.link {
	case "":
		return y
	case "Softmax":
		return g.op("Softmax", "", []string{y}, integer("axis", 1))
	}
	return g.do(e.link, y)
}

// Regression writes a model that answers one number a row, "prediction" double [N, 1].
func (e *Ensemble) Regression(meta map[string]string) ([]byte, error) {
	if e.classifier() {
		return nil, edgeward.E("onnxgraph.Regression", edgeward.Invalid, "onnx.unsupported", "objective %q is a classifier's", e.Objective)
	}
	g := newGraph("regression")
	g.output(g.linked(e, g.ensemble(e, g.features(e))), Prediction, typeDouble, 1)
	return g.marshal(meta)
}

// features adds the input and returns it as double, category codes truncated as LightGBM does.
func (g *graph) features(e *Ensemble) string {
	g.input(Features, typeFloat, e.Features)
	x := g.cast(Features, typeDouble)
	cats := e.Categorical()
	if len(cats) == 0 {
		return x
	}
	mask := make([]bool, e.Features)
	for _, c := range cats {
		mask[c] = true
	}
	fraction := g.op("Mod", "", []string{x, g.number(1)}, integer("fmod", 1))
	return g.do("Where", g.constant(booleans([]int64{1, int64(e.Features)}, mask)), g.do("Sub", x, fraction), x)
}

// code turns column i into an index from 0 to n: a known code itself, anything else (missing, negative, unknown) n.
func (g *graph) code(x string, i, n int) string {
	c, limit := g.column(x, i), g.number(float64(n))
	known := g.do("And", g.do("GreaterOrEqual", c, g.number(0)), g.do("Less", c, limit))
	return g.cast(g.do("Where", known, c, limit), typeInt64)
}

// Version counts the forms of graphs this package has written; a change of the bytes for the same model raises it.
const Version = 1
