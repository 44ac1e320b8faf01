package chunk_test

import (
	"os"
	"testing"

	"edgeward/sync/chunk"
)

func TestTheTensorsOfARealModel(t *testing.T) {
	b, err := os.ReadFile("../../node/demo/data/digits/digits-cnn.onnx")
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	all := chunk.Tensors(b)
	for _, x := range all {
		if x.Width != 4 && x.Width != 8 || x.Name == "" {
			t.Errorf("%+v", x)
		}
		sum += x.Size
	}
	if len(all) < 4 || sum*10 < int64(len(b))*8 {
		t.Errorf("%d tensors of %d bytes in a file of %d", len(all), sum, len(b))
	}
}

func FuzzTensors(f *testing.F) {
	f.Add([]byte("\x3a\x10\x2a\x0e\x08\x01\x10\x01\x42\x01w\x4a\x041234"))
	f.Fuzz(func(t *testing.T, b []byte) {
		end := int64(0)
		for _, x := range chunk.Tensors(b) {
			if x.At < end || x.At+x.Size > int64(len(b)) || x.Width == 0 || x.Size%int64(x.Width) != 0 {
				t.Fatalf("%+v in %d bytes, after %d", x, len(b), end)
			}
			end = x.At + x.Size
		}
	})
}
