package train

import (
	"bytes"
	"math"
	"reflect"
	"testing"

	"edgeward"
)

func TestFramesReadBack(t *testing.T) {
	b, err := packResult(&Result{Task: Forecast, Iterations: 7, Model: []byte("tree"), ONNX: []byte{1, 2, 3}, Offsets: []Offset{{Low: -1, High: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := unpackResult(b)
	if err != nil || string(r.Model) != "tree" || !bytes.Equal(r.ONNX, []byte{1, 2, 3}) || r.Iterations != 7 || r.Offsets[0].High != 2 {
		t.Errorf("got %+v, %v", r, err)
	}
	b, err = packRows(predictHead{Head{Classes: 2, GroupFeature: -1, LevelFeature: -1}, 2, 2, 3}, []byte("abc"), []float64{1, 2, math.Inf(1), 4})
	if err != nil {
		t.Fatal(err)
	}
	h, model, x, err := unpackRows(b)
	if err != nil || string(model) != "abc" || !reflect.DeepEqual(x, []float64{1, 2, math.Inf(1), 4}) || h.Head.Classes != 2 {
		t.Errorf("got %+v %q %v, %v", h, model, x, err)
	}
	var one, two []float64
	if err := unpackVectors(packVectors([]float64{1.5}, nil), &one, &two); err != nil || one[0] != 1.5 || two != nil {
		t.Errorf("got %v %v, %v", one, two, err)
	}
}

func FuzzFrames(f *testing.F) {
	b, _ := packResult(&Result{Model: []byte("m")})
	f.Add(b)
	b, _ = packRows(predictHead{Cols: 1, Rows: 1, Model: 1}, []byte("m"), []float64{1})
	f.Add(b)
	f.Add(packVectors([]float64{1, 2}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var spec Spec
		if _, err := unpack(b, &spec); err != nil && edgeward.KindOf(err) != edgeward.Invalid {
			t.Fatal(err)
		}
		if _, err := unpackResult(b); err != nil && edgeward.KindOf(err) != edgeward.Invalid {
			t.Fatal(err)
		}
		if _, _, _, err := unpackRows(b); err != nil && edgeward.KindOf(err) != edgeward.Invalid {
			t.Fatal(err)
		}
		var v, w []float64
		if err := unpackVectors(b, &v, &w); err != nil && edgeward.KindOf(err) != edgeward.Invalid {
			t.Fatal(err)
		}
	})
}
