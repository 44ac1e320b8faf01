package serve_test

import (
	"math"
	"testing"
	"testing/synctest"

	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

var row1 = []tensor.Tensor{row(1, 2)}

func TestComparisonOfAnswers(t *testing.T) {
	one := func(ts ...tensor.Tensor) []tensor.Tensor { return ts }
	f := func(name string, shape []int64, v ...float32) tensor.Tensor { return mustFloats(name, shape, v...) }
	label := func(v ...int64) tensor.Tensor {
		x, err := tensor.FromInt64s("label", []int64{int64(len(v))}, v)
		if err != nil {
			panic(err)
		}
		return x
	}
	word := func(v ...string) tensor.Tensor {
		x, err := tensor.FromStrings("word", []int64{int64(len(v))}, v)
		if err != nil {
			panic(err)
		}
		return x
	}
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		client, shadow []tensor.Tensor
		want           serve.Comparison
	}{
		"equal":                        {one(f("y", []int64{2}, 1, 2)), one(f("y", []int64{2}, 1, 2)), serve.Comparison{Answers: 1, Values: 2, MeanAbs: 1.5}},
		"within rounding":              {one(f("y", []int64{1}, 1000)), one(f("y", []int64{1}, 1000.0001)), serve.Comparison{Answers: 1, Values: 1, MeanAbs: 1000}},
		"other numbers":                {one(f("y", []int64{2}, 1, 2)), one(f("y", []int64{2}, 2, 0)), serve.Comparison{Answers: 1, Differ: 1, Values: 2, MeanDiff: -.5, MeanAbsDiff: 1.5, MaxAbsDiff: 2, MeanAbs: 1.5}},
		"missing on both sides":        {one(f("y", []int64{1}, nan)), one(f("y", []int64{1}, nan)), serve.Comparison{Answers: 1}},
		"missing on one side":          {one(f("y", []int64{1}, nan)), one(f("y", []int64{1}, 1)), serve.Comparison{Answers: 1, Differ: 1}},
		"another shape":                {one(f("y", []int64{1}, 1)), one(f("y", []int64{1, 1}, 1)), serve.Comparison{Answers: 1, Differ: 1, Unlike: 1}},
		"another output":               {one(f("y", []int64{1}, 1)), one(f("z", []int64{1}, 1)), serve.Comparison{Answers: 1, Differ: 1, Unlike: 1}},
		"a class beside its scores":    {one(label(1, 0), f("p", []int64{2, 2}, .1, .9, .8, .2)), one(label(1, 1), f("p", []int64{2, 2}, .1, .9, .8, .2)), serve.Comparison{Answers: 1, Differ: 1, Values: 4, MeanAbs: .5, Labels: 2, Disagree: 1}},
		"the largest score is a class": {one(f("p", []int64{1, 3}, 0, 1, 0)), one(f("p", []int64{1, 3}, 0, 0, 1)), serve.Comparison{Answers: 1, Differ: 1, Values: 3, MeanAbsDiff: 2. / 3, MaxAbsDiff: 1, MeanAbs: 1. / 3, Labels: 1, Disagree: 1}},
		"words":                        {one(word("a", "b", "c")), one(word("a", "x", "c")), serve.Comparison{Answers: 1, Differ: 1, Labels: 3, Disagree: 1}},
		"no rows":                      {one(f("p", []int64{0, 3})), one(f("p", []int64{0, 3})), serve.Comparison{Answers: 1}},
	} {
		got := serve.Comparison{}.Add(c.client, c.shadow)
		got.MeanAbsDiff, c.want.MeanAbsDiff = round(got.MeanAbsDiff), round(c.want.MeanAbsDiff)
		got.MaxAbsDiff = round(got.MaxAbsDiff)
		got.MeanAbs, c.want.MeanAbs = round(got.MeanAbs), round(c.want.MeanAbs)
		if name == "within rounding" {
			got.MeanDiff, got.MeanAbsDiff, got.MaxAbsDiff = 0, 0, 0
		}
		if math.Abs(got.MeanDiff-c.want.MeanDiff) > 1e-6 {
			t.Errorf("%s: mean %v, want %v", name, got.MeanDiff, c.want.MeanDiff)
		}
		got.MeanDiff = c.want.MeanDiff
		if got != c.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, c.want)
		}
	}
}

func round(x float64) float64 { return math.Round(x*1e6) / 1e6 }

func TestAShadowIsComparedWithEachVersionThatAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(e *serve.Endpoint) { e.ShadowWait = true }, nil)
		w.promote(1)
		w.ready(w.change(func(s serve.Spec, c serve.Change) (serve.Spec, error) { return s.Shadow(c, 9, digest(9)) }))
		for range 10 {
			w.answers(1)
		}
		synctest.Wait()
		for v := 2; v <= 5; v++ {
			w.ready(w.promote(v))
			w.answers(v)
			synctest.Wait()
		}
		all := w.counters(9, record.Shadow).Comparisons
		if len(all) != 4 || all[0].With != 2 || all[3].With != 5 || all[3].Answers != 1 || all[3].Values != 1 || all[3].MeanDiff != 4000 || all[3].MaxAbsDiff != 4000 {
			t.Errorf("%+v", all)
		}
		if c := w.counters(9, record.Shadow); c.Compared != 14 || c.Differ != 14 {
			t.Errorf("%+v", c)
		}
	})
}

// TestShiftIsAShareOfTheClientsNumbers holds the measure by which a fleet judges a version that answers numbers.
func TestShiftIsAShareOfTheClientsNumbers(t *testing.T) {
	f := func(v ...float32) []tensor.Tensor {
		return []tensor.Tensor{mustFloats("y", []int64{int64(len(v))}, v...)}
	}
	for name, c := range map[string]struct {
		client, shadow []tensor.Tensor
		want           float64
	}{
		"nothing yet": {nil, nil, 0},
		"equal":       {f(10, -10), f(10, -10), 0},
		"a tenth":     {f(10, -10), f(11, -9), 0.1},
		"out of zero": {f(0, 0), f(1, 1), 1e9},
	} {
		got := serve.Comparison{}
		if c.client != nil {
			got = got.Add(c.client, c.shadow)
		}
		if math.Abs(got.Shift()-c.want) > 1e-6*max(1, c.want) {
			t.Errorf("%s: shift %v, want %v", name, got.Shift(), c.want)
		}
	}
}
