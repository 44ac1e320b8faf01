package openvino_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/engine/enginetest"
	"edgeward/runtime/engine/openvino"
	"edgeward/runtime/native"
	"edgeward/runtime/tensor"
)

var shared *openvino.Engine

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "edgeward-openvino-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	pack := native.Open(dir)
	shared = openvino.New(func(ctx context.Context) (string, error) {
		at, err := pack.Locate(ctx, native.OpenVINO)
		for name, path := range at.Files {
			if strings.HasPrefix(name, "libopenvino_c.so") {
				return path, nil
			}
		}
		return "", errors.Join(err, errors.New("the set has no libopenvino_c.so"))
	})
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// newEngine skips the test in a program built without native libraries.
func newEngine(t testing.TB) engine.Engine {
	t.Helper()
	if _, err := shared.Devices(context.Background()); edgeward.CodeOf(err) == "native.missing" {
		t.Skip("built without native libraries")
	} else if err != nil {
		t.Fatal(err)
	}
	return shared
}

func load(t testing.TB, name string) engine.Session {
	t.Helper()
	s, err := newEngine(t).Load(context.Background(), enginetest.ONNX(t, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestContract(t *testing.T) { enginetest.Run(t, newEngine, enginetest.ONNX(t, "affine")) }

func TestTreesHaveNoRuleAndItSaysSo(t *testing.T) {
	_, err := newEngine(t).Load(t.Context(), enginetest.ONNX(t, "trees"))
	if edgeward.KindOf(err) != edgeward.Invalid || edgeward.CodeOf(err) != "engine.model" || !strings.Contains(err.Error(), "TreeEnsemble") {
		t.Errorf("%v", err)
	}
	t.Log(err)
}

func TestEveryDatatypeGoesThroughUnchanged(t *testing.T) {
	s := load(t, "types")
	var in []tensor.Tensor
	for _, spec := range s.Signature().Inputs {
		data := make([]byte, 3*2*spec.Datatype.Size())
		for i := 0; i < len(data); i += spec.Datatype.Size() {
			data[i] = 1 // small: 64-bit integers are computed in 32 bits
		}
		in = append(in, tensor.Tensor{Name: spec.Name, Datatype: spec.Datatype, Shape: []int64{3, 2}, Data: data})
	}
	out, err := s.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range out {
		if o.Datatype != in[i].Datatype || string(o.Data) != string(in[i].Data) {
			t.Errorf("sent %+v, got %+v", in[i], o)
		}
	}
}

func TestOutputsThatDependOnValues(t *testing.T) {
	s := load(t, "open")
	for _, c := range []struct {
		in   []float32
		want string
	}{{[]float32{0, 7, 0, 7}, "[1 3]"}, {[]float32{0, 0}, "[]"}, {[]float32{5}, "[0]"}} {
		out, err := s.Run(t.Context(), []tensor.Tensor{enginetest.Floats(t, "x", []int64{int64(len(c.in))}, c.in...)})
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := out[0].Int64s(); fmt.Sprint(v) != c.want {
			t.Errorf("got %v, want %s", v, c.want)
		}
	}
}

func TestScalars(t *testing.T) {
	out, err := load(t, "scalar").Run(t.Context(), []tensor.Tensor{enginetest.Floats(t, "b", []int64{}, 2.5), enginetest.Floats(t, "a", []int64{}, 4)})
	if err != nil {
		t.Fatal(err)
	}
	sum, _ := out[0].Float32s()
	whole, _ := out[2].Int64s()
	if sum[0] != 6.5 || out[1].Data[0] != 1 || whole[0] != 6 || len(out[0].Shape) != 0 {
		t.Errorf("got %+v", out)
	}
}

// TestIntermediateRepresentation loads OpenVINO's own format: y = 2*x0 - x1 + 0.5 with its constants in the weights.
func TestIntermediateRepresentation(t *testing.T) {
	const xml = `<?xml version="1.0"?><net name="affine" version="11"><layers>
<layer id="0" name="x" type="Parameter" version="opset1"><data shape="?,2" element_type="f32"/><output><port id="0" precision="FP32" names="x"><dim>-1</dim><dim>2</dim></port></output></layer>
<layer id="1" name="w" type="Const" version="opset1"><data element_type="f32" shape="2,1" offset="0" size="8"/><output><port id="0" precision="FP32"><dim>2</dim><dim>1</dim></port></output></layer>
<layer id="2" name="m" type="MatMul" version="opset1"><data transpose_a="false" transpose_b="false"/><input><port id="0"><dim>-1</dim><dim>2</dim></port><port id="1"><dim>2</dim><dim>1</dim></port></input><output><port id="2" precision="FP32"><dim>-1</dim><dim>1</dim></port></output></layer>
<layer id="3" name="b" type="Const" version="opset1"><data element_type="f32" shape="1,1" offset="8" size="4"/><output><port id="0" precision="FP32"><dim>1</dim><dim>1</dim></port></output></layer>
<layer id="4" name="a" type="Add" version="opset1"><data auto_broadcast="numpy"/><input><port id="0"><dim>-1</dim><dim>1</dim></port><port id="1"><dim>1</dim><dim>1</dim></port></input><output><port id="2" precision="FP32" names="y"><dim>-1</dim><dim>1</dim></port></output></layer>
<layer id="5" name="r" type="Result" version="opset1"><input><port id="0"><dim>-1</dim><dim>1</dim></port></input></layer>
</layers><edges><edge from-layer="0" from-port="0" to-layer="2" to-port="0"/><edge from-layer="1" from-port="0" to-layer="2" to-port="1"/><edge from-layer="2" from-port="2" to-layer="4" to-port="0"/><edge from-layer="3" from-port="0" to-layer="4" to-port="1"/><edge from-layer="4" from-port="2" to-layer="5" to-port="0"/></edges></net>`
	weights := enginetest.Floats(t, "w", []int64{3}, 2, -1, .5).Data
	enginetest.Run(t, newEngine, engine.Model{Format: engine.OpenVINO, Bytes: []byte(xml), Weights: weights})
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(dir+"/m.xml", []byte(xml), 0o600), os.WriteFile(dir+"/m.bin", weights, 0o600)); err != nil {
		t.Fatal(err)
	}
	s, err := newEngine(t).Load(t.Context(), engine.Model{Format: engine.OpenVINO, Path: dir + "/m.xml"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Run(t.Context(), []tensor.Tensor{enginetest.Floats(t, "x", []int64{1, 2}, 1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if y, _ := out[0].Float32s(); y[0] != 2.5 {
		t.Errorf("from a file: %v", y)
	}
}

func TestIntegersThatWouldBeCutAreRefused(t *testing.T) {
	s := load(t, "types")
	var in []tensor.Tensor
	for _, spec := range s.Signature().Inputs {
		in = append(in, tensor.Tensor{Name: spec.Name, Datatype: spec.Datatype, Shape: []int64{1, 2}, Data: make([]byte, 2*spec.Datatype.Size())})
		if spec.Datatype == tensor.Int64 {
			in[len(in)-1].Data[4] = 1
		}
	}
	if _, err := s.Run(t.Context(), in); edgeward.CodeOf(err) != "engine.range" {
		t.Error(err)
	}
}

func BenchmarkRun(b *testing.B) {
	s := load(b, "digits")
	in := []tensor.Tensor{enginetest.Floats(b, "image", []int64{1, 1, 8, 8}, make([]float32, 64)...)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Run(context.Background(), in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	e := newEngine(b)
	m := enginetest.ONNX(b, "digits")
	for b.Loop() {
		s, err := e.Load(context.Background(), m)
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
