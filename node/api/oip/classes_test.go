package oip

import (
	"math"
	"slices"
	"testing"

	"edgeward"
	"edgeward/runtime/tensor"
)

func TestClassify(t *testing.T) {
	f32 := func(shape []int64, v ...float32) tensor.Tensor { x, _ := tensor.FromFloat32s("y", shape, v); return x }
	of := func(x tensor.Tensor, err error) tensor.Tensor {
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for name, c := range map[string]struct {
		t      tensor.Tensor
		k      int
		labels []string
		shape  []int64
		want   []string
	}{
		"the two highest of one row":       {f32([]int64{4}, 1, 5, 10, 4), 2, nil, []int64{2}, []string{"10.000000:2", "5.000000:1"}},
		"of each row":                      {f32([]int64{2, 3}, 1, 3, 2, -1, -3, -2), 1, nil, []int64{2, 1}, []string{"3.000000:1", "-1.000000:0"}},
		"with labels":                      {f32([]int64{1, 2}, 0.25, 0.75), 2, []string{"apple", "pickle"}, []int64{1, 2}, []string{"0.750000:1:pickle", "0.250000:0:apple"}},
		"labels of another number":         {f32([]int64{1, 2}, 0.25, 0.75), 1, []string{"apple"}, []int64{1, 1}, []string{"0.750000:1"}},
		"more than there are":              {f32([]int64{1, 2}, 2, 1), 9, nil, []int64{1, 2}, []string{"2.000000:0", "1.000000:1"}},
		"equal ones keep their order":      {f32([]int64{3}, 1, 1, 1), 3, nil, []int64{3}, []string{"1.000000:0", "1.000000:1", "1.000000:2"}},
		"NaN comes last":                   {f32([]int64{3}, float32(math.NaN()), -5, 2), 3, nil, []int64{3}, []string{"2.000000:2", "-5.000000:1", "nan:0"}},
		"no rows":                          {f32([]int64{0, 3}), 2, nil, []int64{0, 0}, []string{}},
		"a scalar":                         {f32([]int64{}, 7), 2, nil, []int64{1}, []string{"7.000000:0"}},
		"more dimensions are one row each": {f32([]int64{1, 2, 2}, 1, 2, 4, 3), 1, nil, []int64{1, 1}, []string{"4.000000:2"}},
		"whole numbers":                    {of(tensor.FromInt64s("y", []int64{2}, []int64{-1, 9})), 1, nil, []int64{1}, []string{"9:1"}},
		"the largest whole numbers":        {of(tensor.Of("y", []int64{2}, []uint64{math.MaxUint64 - 1, math.MaxUint64})), 1, nil, []int64{1}, []string{"18446744073709551615:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := classify(c.t, c.k, c.labels)
			if err != nil || got.Check() != nil {
				t.Fatal(err, got.Check())
			}
			texts, _ := got.Strings()
			if !slices.Equal(got.Shape, c.shape) || !slices.Equal(texts, c.want) {
				t.Errorf("got %v %q, want %v %q", got.Shape, texts, c.shape, c.want)
			}
		})
	}
	if _, err := classify(tensor.Tensor{Name: "b", Datatype: tensor.Bool, Shape: []int64{1}, Data: []byte{1}}, 1, nil); edgeward.CodeOf(err) != "output.classification" {
		t.Error(err)
	}
}
