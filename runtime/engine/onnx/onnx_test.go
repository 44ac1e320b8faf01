package onnx_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/engine/enginetest"
	"edgeward/runtime/engine/onnx"
	"edgeward/runtime/native"
	"edgeward/runtime/tensor"
)

var pack *native.Pack

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "edgeward-onnx-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	pack = native.Open(dir)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// newEngine skips the test in a program built without native libraries.
func newEngine(t testing.TB) engine.Engine {
	t.Helper()
	e := onnx.New(func(ctx context.Context) (string, error) {
		at, err := pack.Locate(ctx, native.ONNXRuntime)
		for name, path := range at.Files {
			if strings.HasPrefix(name, "libonnxruntime.so") {
				return path, nil
			}
		}
		return "", errors.Join(err, errors.New("the set has no libonnxruntime.so"))
	})
	s, err := e.Load(context.Background(), enginetest.ONNX(t, "affine"))
	if edgeward.CodeOf(err) == "native.missing" {
		t.Skip("built without native libraries")
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	return e
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

func run(t testing.TB, s engine.Session, in ...tensor.Tensor) []tensor.Tensor {
	t.Helper()
	out, err := s.Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range out {
		if err := o.Check(); err != nil {
			t.Error(err)
		}
	}
	return out
}

func TestContract(t *testing.T) { enginetest.Run(t, newEngine, enginetest.ONNX(t, "affine")) }

func TestEveryDatatypeGoesThroughUnchanged(t *testing.T) {
	s := load(t, "types")
	if n := len(s.Signature().Inputs); n != 13 {
		t.Fatalf("%d inputs", n)
	}
	for _, rows := range []int64{3, 0} {
		var in []tensor.Tensor
		for _, spec := range s.Signature().Inputs {
			data := make([]byte, int(rows)*2*spec.Datatype.Size())
			for i := range data {
				data[i] = byte(i % 2)
			}
			in = append(in, tensor.Tensor{Name: spec.Name, Datatype: spec.Datatype, Shape: []int64{rows, 2}, Data: data})
		}
		for i, o := range run(t, s, in...) {
			if o.Datatype != in[i].Datatype || string(o.Data) != string(in[i].Data) || o.Name != in[i].Name+"_out" || tensor.ShapeString(o.Shape) != tensor.ShapeString(in[i].Shape) {
				t.Errorf("sent %+v, got %+v", in[i], o)
			}
		}
	}
}

func TestHalfPrecisionOfOpenShape(t *testing.T) {
	bits := []byte{0x00, 0x3c, 0x00, 0x40, 0x00, 0x42} // 1 2 3
	out := run(t, load(t, "half"), tensor.Tensor{Name: "x", Datatype: tensor.FP16, Shape: []int64{1, 3}, Data: bits})
	if v, _ := out[0].Float32s(); fmt.Sprint(v) != "[2 4 6]" {
		t.Errorf("got %v", v)
	}
	// A size that depends on the values: the guess is wrong, the library names the right one.
	out = run(t, load(t, "halfopen"), enginetest.Floats(t, "x", []int64{5}, 1, 0, 1, 0, 1))
	if v, _ := out[0].Float32s(); fmt.Sprint(v) != "[0 2 4]" || tensor.ShapeString(out[0].Shape) != "[1 3]" {
		t.Errorf("got %v %v", v, out[0].Shape)
	}
}

func TestOutputsThatDependOnValues(t *testing.T) {
	s := load(t, "open")
	out := run(t, s, enginetest.Floats(t, "x", []int64{4}, 0, 7, 0, 7))
	if v, _ := out[0].Int64s(); fmt.Sprint(v) != "[1 3]" {
		t.Errorf("got %v", v)
	}
	if out = run(t, s, enginetest.Floats(t, "x", []int64{2}, 0, 0)); tensor.ShapeString(out[0].Shape) != "[1 0]" {
		t.Errorf("no element at all gave %+v", out[0])
	}
}

func TestScalars(t *testing.T) {
	out := run(t, load(t, "scalar"), enginetest.Floats(t, "b", []int64{}, 2.5), enginetest.Floats(t, "a", []int64{}, 4))
	sum, _ := out[0].Float32s()
	whole, _ := out[2].Int64s()
	if sum[0] != 6.5 || out[1].Data[0] != 1 || whole[0] != 6 || len(out[0].Shape) != 0 {
		t.Errorf("got %+v", out)
	}
}

func TestStrings(t *testing.T) {
	s := load(t, "strings")
	for _, want := range [][]string{{"Größe", "", "x"}, {}, {""}, {"a\x00b"}} {
		in, err := tensor.FromStrings("s", []int64{int64(len(want))}, want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := run(t, s, in)[0].Strings(); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %q %v, want %q", got, err, want)
		}
	}
}

func TestTreesFollowMissingValues(t *testing.T) {
	s := load(t, "trees")
	nan := float32(math.NaN())
	out := run(t, s, enginetest.Floats(t, "features", []int64{3, 4}, 0, 0, 0, 0, nan, 1, -1, .5, 1, nan, nan, 2))
	v, _ := out[0].Float32s()
	if len(v) != 3 || v[0] == v[1] || math.IsNaN(float64(v[1])) || math.IsNaN(float64(v[2])) {
		t.Errorf("got %v", v)
	}
}

func TestARunThatNeverEndsIsStopped(t *testing.T) {
	s := load(t, "loop")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := s.Run(ctx, []tensor.Tensor{enginetest.Floats(t, "x", []int64{1}, 1)})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 20*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

func TestFromFile(t *testing.T) {
	path := t.TempDir() + "/m.onnx"
	if err := os.WriteFile(path, enginetest.ONNX(t, "digits").Bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := newEngine(t).Load(t.Context(), engine.Model{Format: engine.ONNX, Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p, _ := run(t, s, enginetest.Floats(t, "image", []int64{1, 1, 8, 8}, make([]float32, 64)...))[0].Float32s()
	sum := float32(0)
	for _, v := range p {
		sum += v
	}
	if len(p) != 10 || math.Abs(float64(sum-1)) > 1e-5 {
		t.Errorf("probabilities %v", p)
	}
}

// TestMemoryComesBack holds the promise that unloading gives memory back: many models in and out leave little behind.
func TestMemoryComesBack(t *testing.T) {
	e := newEngine(t)
	m := enginetest.ONNX(t, "digits")
	cycle := func(n int) {
		var all []engine.Session
		for range n {
			s, err := e.Load(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		for _, s := range all {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	cycle(20)
	before := rss(t)
	cycle(200)
	after := rss(t)
	t.Logf("resident memory %.1f MiB before, %.1f MiB after 200 models loaded at once and unloaded", before, after)
	if after-before > 25 {
		t.Errorf("%.1f MiB stayed", after-before)
	}
}

func rss(t testing.TB) float64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return float64(resident*os.Getpagesize()) / (1 << 20)
}

func BenchmarkRun(b *testing.B) {
	for name, in := range map[string]tensor.Tensor{
		"trees":  enginetest.Floats(b, "features", []int64{1, 4}, 1, 2, 3, 4),
		"digits": enginetest.Floats(b, "image", []int64{1, 1, 8, 8}, make([]float32, 64)...),
	} {
		b.Run(name, func(b *testing.B) {
			s := load(b, name)
			b.ReportAllocs()
			for b.Loop() {
				run(b, s, in)
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	e := newEngine(b)
	for _, name := range []string{"trees", "digits"} {
		m := enginetest.ONNX(b, name)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s, err := e.Load(context.Background(), m)
				if err != nil {
					b.Fatal(err)
				}
				s.Close()
			}
		})
	}
}
