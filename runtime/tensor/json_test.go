package tensor_test

import (
	"encoding/json"
	"math"
	"testing"

	"edgeward/runtime/tensor"
)

func TestTensorsAsJSON(t *testing.T) {
	must := func(x tensor.Tensor, err error) tensor.Tensor {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	n := []int64{3}
	for name, c := range map[string]struct {
		t    tensor.Tensor
		most int
		want string
	}{
		"FP32 has no digits it does not have":   {must(tensor.FromFloat32s("x", n, []float32{0.1, -2, 1e30})), 9, `{"name":"x","datatype":"FP32","shape":[3],"values":[0.1,-2,1e+30]}`},
		"what is no number of JSON is null":     {must(tensor.FromFloat64s("x", n, []float64{math.NaN(), math.Inf(1), math.Inf(-1)})), 9, `{"name":"x","datatype":"FP64","shape":[3],"values":[null,null,null]}`},
		"whole numbers keep every digit":        {must(tensor.FromInt64s("x", n, []int64{math.MaxInt64, math.MinInt64, 0})), 9, `{"name":"x","datatype":"INT64","shape":[3],"values":[9223372036854775807,-9223372036854775808,0]}`},
		"and so do those without a sign":        {must(tensor.Of("x", n, []uint64{math.MaxUint64, 1, 2})), 9, `{"name":"x","datatype":"UINT64","shape":[3],"values":[18446744073709551615,1,2]}`},
		"and have no exponent":                  {must(tensor.Of("x", n, []int32{1065353216, -2147483648, 7})), 9, `{"name":"x","datatype":"INT32","shape":[3],"values":[1065353216,-2147483648,7]}`},
		"bools are bools":                       {must(tensor.FromBools("x", n, []bool{true, false, true})), 9, `{"name":"x","datatype":"BOOL","shape":[3],"values":[true,false,true]}`},
		"texts are texts, other bytes base64":   {must(tensor.FromStrings("x", n, []string{"a\"ü", "", "\xff\x00"})), 9, `{"name":"x","datatype":"BYTES","shape":[3],"values":["a\"ü","","/wA="]}`},
		"more than was asked for is cut":        {must(tensor.Of("x", n, []uint8{1, 2, 3})), 2, `{"name":"x","datatype":"UINT8","shape":[3],"values":[1,2],"more":true}`},
		"more texts than asked for are cut":     {must(tensor.FromStrings("x", n, []string{"a", "b", "c"})), 1, `{"name":"x","datatype":"BYTES","shape":[3],"values":["a"],"more":true}`},
		"as many as was asked for are all":      {must(tensor.FromStrings("x", n, []string{"a", "b", "c"})), 3, `{"name":"x","datatype":"BYTES","shape":[3],"values":["a","b","c"]}`},
		"an empty tensor has an empty list":     {must(tensor.Of("x", []int64{0}, []int8{})), 2, `{"name":"x","datatype":"INT8","shape":[0],"values":[]}`},
		"an empty list of texts is one as well": {must(tensor.FromStrings("x", []int64{0}, nil)), 2, `{"name":"x","datatype":"BYTES","shape":[0],"values":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := json.Marshal(tensor.Readables([]tensor.Tensor{c.t}, c.most)[0])
			if err != nil || string(got) != c.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
}
