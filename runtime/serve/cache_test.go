package serve

import (
	"slices"
	"sync"
	"testing"

	"edgeward/runtime/tensor"
)

func TestTheCacheKnowsEqualQuestionsOnly(t *testing.T) {
	sig := tensor.Signature{Inputs: []tensor.Spec{{Name: "a", Datatype: tensor.FP32, Shape: []int64{tensor.Any}}, {Name: "b", Datatype: tensor.FP32, Shape: []int64{tensor.Any}}}}
	in := func(name string, v ...float32) tensor.Tensor {
		x, err := tensor.FromFloat32s(name, []int64{int64(len(v))}, v)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	base := questionOf(sig, []tensor.Tensor{in("a", 1, 2), in("b", 3)})
	if questionOf(sig, []tensor.Tensor{in("b", 3), in("a", 1, 2)}) != base {
		t.Error("the order of the inputs makes another question")
	}
	for _, other := range [][]tensor.Tensor{{in("a", 1), in("b", 2, 3)}, {in("a", 1, 2), in("b", 4)}, {in("a", 1, 2)}} {
		if questionOf(sig, other) == base {
			t.Errorf("%v is the same question", other)
		}
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	var c cache
	big := []tensor.Tensor{{Name: "y", Datatype: tensor.Uint8, Shape: []int64{1 << 20}, Data: make([]byte, 1<<20)}}
	for i := range 200 {
		c.keep(question{byte(i)}, big, 1000)
	}
	if _, old := c.find(question{0}); old || c.bytes > maxCacheBytes || c.lru.Len() < 50 {
		t.Errorf("%d answers of a megabyte are kept, %d bytes", c.lru.Len(), c.bytes)
	}
	for i := range 10 {
		c.keep(question{1, byte(i)}, column(1), 3)
	}
	if _, there := c.find(question{1, 9}); !there || c.lru.Len() != 3 {
		t.Errorf("%d answers where three may be", c.lru.Len())
	}
	c.keep(question{7}, []tensor.Tensor{{Data: make([]byte, maxCacheBytes)}}, 3)
	if _, there := c.find(question{7}); there {
		t.Error("one answer took all the room")
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 500 {
				q := question{byte(k % 16)}
				if out, ok := c.find(q); ok && !slices.Equal(out[0].Shape, []int64{1, 1}) {
					t.Error(out)
				}
				c.keep(q, column(float32(i)), 8)
			}
		})
	}
	wg.Wait()
}
