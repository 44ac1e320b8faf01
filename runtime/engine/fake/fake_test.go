package fake_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/engine/enginetest"
	"edgeward/runtime/engine/fake"
	"edgeward/runtime/tensor"
)

func TestContract(t *testing.T) {
	affine := fake.Affine{Weights: []float32{2, -1}, Bias: 0.5}
	enginetest.Run(t, func(testing.TB) engine.Engine { return fake.Engine{} }, affine.Model())
}

func TestToldToFailAndToBeSlow(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	x, _ := tensor.FromFloat32s("x", []int64{1, 1}, []float32{1})
	s, err := fake.Engine{}.Load(ctx, fake.Affine{Weights: []float32{1}, Delay: time.Hour}.Model())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(ctx, []tensor.Tensor{x}); edgeward.CodeOf(err) != "engine.stopped" {
		t.Errorf("slow model: %v", err)
	}
	s, err = fake.Engine{}.Load(ctx, fake.Affine{Weights: []float32{1}, Fail: "std::bad_alloc"}.Model())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context(), []tensor.Tensor{x}); edgeward.KindOf(err) != edgeward.Exhausted {
		t.Errorf("model out of memory: %v", err)
	}
	if _, err = (fake.Engine{}).Load(ctx, fake.Affine{Weights: []float32{1}, Refuse: "no rule"}.Model()); edgeward.CodeOf(err) != "engine.model" {
		t.Errorf("refused model: %v", err)
	}
}

func Example() {
	s, _ := fake.Engine{}.Load(context.Background(), fake.Affine{Weights: []float32{2, -1}, Bias: 0.5}.Model())
	defer s.Close()
	x, _ := tensor.FromFloat32s("x", []int64{2, 2}, []float32{1, 0, 0, 1})
	out, _ := s.Run(context.Background(), []tensor.Tensor{x})
	y, _ := out[0].Float32s()
	fmt.Println(y)
	// Output: [2.5 -0.5]
}
