package record

import (
	"bytes"
	"testing"
	"time"

	"edgeward/runtime/tensor"
)

// FuzzDecode: no bytes make decode panic, and what it accepts is written back as an entry that reads the same.
func FuzzDecode(f *testing.F) {
	x, err := tensor.FromFloat32s("x", []int64{1, 2}, []float32{1, 2})
	if err != nil {
		f.Fatal(err)
	}
	v := 3.5
	f.Add(encodePrediction(Prediction{ID: "01HQWZ0000000000000000000A", Group: "g", Endpoint: "e", Version: 2, Role: Live, ReceivedAt: time.Unix(1, 5),
		EventTime: time.Unix(2, 0), Key: "k", Inputs: []tensor.Tensor{x}, Outputs: []tensor.Tensor{x}, LatencyUS: 7, Error: "e", Cut: true, Source: "batch"}))
	f.Add(encodeFeedback(Feedback{Group: "g", PredictionID: "01HQWZ0000000000000000000A", Row: 1, Source: "s", Kind: Truth, Value: &v, At: time.Unix(3, 0), Note: "n"}))
	f.Add(encodeForget("g", "e"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decode(b)
		if err != nil {
			return
		}
		write := func(e entryOf) []byte {
			switch {
			case e.prediction != nil:
				return encodePrediction(*e.prediction)
			case e.feedback != nil:
				return encodeFeedback(*e.feedback)
			}
			return encodeForget(e.forget[0], e.forget[1])
		}
		once := write(e)
		again, err := decode(once)
		if err != nil {
			t.Fatalf("%x was accepted, and written back it is not: %v", b, err)
		}
		if twice := write(again); !bytes.Equal(once, twice) {
			t.Fatalf("%x is read back as %x", once, twice)
		}
	})
}
