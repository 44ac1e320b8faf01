// Package enginetest is the contract of package engine as tests that every implementation runs, and the small models
// that tests of engines and of the infer worker load. The models are written by testdata/generate.py and described
// there.
package enginetest

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/tensor"
)

//go:embed testdata/*.onnx
var files embed.FS

// ONNX returns one of the models of testdata, by name without ".onnx".
func ONNX(t testing.TB, name string) engine.Model {
	t.Helper()
	b, err := files.ReadFile("testdata/" + name + ".onnx")
	if err != nil {
		t.Fatal(err)
	}
	return engine.Model{Format: engine.ONNX, Bytes: b}
}

// Floats returns an FP32 tensor or ends the test.
func Floats(t testing.TB, name string, shape []int64, v ...float32) tensor.Tensor {
	t.Helper()
	x, err := tensor.FromFloat32s(name, shape, v)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// Run runs the contract. affine is, in a format the engine reads, the model y = 2*x0 - x1 + 0.5 with input x FP32
// [-1 2] and output y FP32 [-1 1].
func Run(t *testing.T, newEngine func(testing.TB) engine.Engine, affine engine.Model) {
	load := func(t *testing.T) engine.Session {
		t.Helper()
		s, err := newEngine(t).Load(t.Context(), affine)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error("Close:", err)
			}
		})
		return s
	}
	t.Run("it has a name, and a version once it has loaded", func(t *testing.T) {
		e := newEngine(t)
		s, err := e.Load(t.Context(), affine)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if e.Name() == "" || e.Version() == "" {
			t.Errorf("name %q, version %q", e.Name(), e.Version())
		}
	})
	t.Run("the signature is the model's", func(t *testing.T) {
		want := "{[x FP32 [-1 2]] [y FP32 [-1 1]]}"
		if got := fmt.Sprint(load(t).Signature()); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("it answers rows of any number, none included", func(t *testing.T) {
		s := load(t)
		for _, n := range []int{1, 3, 0, 64} {
			check(t, s, n)
		}
	})
	t.Run("it answers many callers at once", func(t *testing.T) {
		s := load(t)
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				for j := range 20 {
					check(t, s, 1+(i+j)%5)
				}
			})
		}
		wg.Wait()
	})
	t.Run("inputs that do not fit are refused by the signature's codes", func(t *testing.T) {
		s := load(t)
		x := Floats(t, "x", []int64{1, 2}, 1, 2)
		long, _ := tensor.FromInt64s("x", []int64{1, 2}, []int64{1, 2})
		for code, inputs := range map[string][]tensor.Tensor{
			"input.missing":   nil,
			"input.unknown":   {Floats(t, "z", []int64{1, 2}, 1, 2)},
			"input.duplicate": {x, x},
			"input.datatype":  {long},
			"input.shape":     {Floats(t, "x", []int64{2, 1}, 1, 2)},
			"tensor.size":     {{Name: "x", Datatype: tensor.FP32, Shape: []int64{1, 2}, Data: make([]byte, 7)}},
		} {
			if _, err := s.Run(t.Context(), inputs); edgeward.KindOf(err) != edgeward.Invalid || edgeward.CodeOf(err) != code {
				t.Errorf("want %s, got %v", code, err)
			}
		}
	})
	t.Run("data at an odd address are read rightly", func(t *testing.T) {
		s := load(t)
		x := Floats(t, "x", []int64{1, 2}, 3, 1)
		odd := append(make([]byte, 1, 9), x.Data...)[1:]
		out, err := s.Run(t.Context(), []tensor.Tensor{{Name: "x", Datatype: tensor.FP32, Shape: []int64{1, 2}, Data: odd}})
		if err != nil {
			t.Fatal(err)
		}
		if y, _ := out[0].Float32s(); y[0] != 5.5 {
			t.Errorf("got %v, want 5.5", y)
		}
	})
	t.Run("NaN goes in and comes out", func(t *testing.T) {
		nan := float32(math.NaN())
		out, err := load(t).Run(t.Context(), []tensor.Tensor{Floats(t, "x", []int64{1, 2}, nan, 1)})
		if err != nil {
			t.Fatal(err)
		}
		if y, _ := out[0].Float32s(); !math.IsNaN(float64(y[0])) {
			t.Errorf("got %v", y)
		}
	})
	t.Run("what is no model is Invalid", func(t *testing.T) {
		for _, b := range [][]byte{nil, []byte("this is no model"), affine.Bytes[:len(affine.Bytes)/2]} {
			s, err := newEngine(t).Load(t.Context(), engine.Model{Format: affine.Format, Bytes: b})
			if err == nil {
				s.Close()
			}
			if edgeward.KindOf(err) != edgeward.Invalid || edgeward.CodeOf(err) == "" {
				t.Errorf("%d bytes: %v is %v %q", len(b), err, edgeward.KindOf(err), edgeward.CodeOf(err))
			}
		}
	})
	t.Run("a format it cannot read is Invalid", func(t *testing.T) {
		if _, err := newEngine(t).Load(t.Context(), engine.Model{Format: "clay", Bytes: []byte{1}}); edgeward.CodeOf(err) != "engine.format" {
			t.Error(err)
		}
	})
	t.Run("a device it has not is Invalid", func(t *testing.T) {
		m := affine
		m.Device = "ABACUS"
		if affine.Format == "fake" {
			t.Skip("the fake has no devices")
		}
		if _, err := newEngine(t).Load(t.Context(), m); edgeward.CodeOf(err) != "engine.device" {
			t.Error(err)
		}
	})
	t.Run("a ctx that has ended stops the run", func(t *testing.T) {
		s := load(t)
		ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
		defer cancel()
		if _, err := s.Run(ctx, []tensor.Tensor{Floats(t, "x", []int64{1, 2}, 1, 2)}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	t.Run("Close waits for runs, and later ones are Unavailable", func(t *testing.T) {
		s := load(t)
		x := []tensor.Tensor{Floats(t, "x", []int64{1, 2}, 1, 2)}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					if _, err := s.Run(t.Context(), x); err != nil {
						if edgeward.CodeOf(err) != "engine.closed" || edgeward.KindOf(err) != edgeward.Unavailable {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
	})
}

// check runs n rows and compares with the formula.
func check(t *testing.T, s engine.Session, n int) {
	v := make([]float32, 2*n)
	for i := range v {
		v[i] = float32(i*i%17) / 4
	}
	x, err := tensor.FromFloat32s("x", []int64{int64(n), 2}, v)
	if err != nil {
		t.Error(err)
		return
	}
	out, err := s.Run(t.Context(), []tensor.Tensor{x})
	if err != nil {
		t.Errorf("%d rows: %v", n, err)
		return
	}
	if len(out) != 1 || out[0].Name != "y" || tensor.ShapeString(out[0].Shape) != fmt.Sprintf("[%d 1]", n) || out[0].Check() != nil {
		t.Errorf("%d rows gave %+v", n, out)
		return
	}
	y, err := out[0].Float32s()
	if err != nil {
		t.Error(err)
	}
	for i, got := range y {
		if want := 2*v[2*i] - v[2*i+1] + 0.5; got != want {
			t.Errorf("row %d of %d: got %v, want %v", i, n, got, want)
		}
	}
}
