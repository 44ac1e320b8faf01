package query_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"edgeward/runtime/query"
)

func frames() []*query.Frame {
	return []*query.Frame{
		{},
		{Rows: 2, Time: []time.Time{time.UnixMicro(17).UTC(), {}}, Numbers: [][]float64{{1.5, math.Inf(-1)}}, Strings: [][]string{{"é", ""}, {"x", "x"}}, Missing: [][]bool{{false, true}, nil}},
		{Rows: 3, Strings: [][]string{{"", "a", ""}}, Missing: [][]bool{nil}},
	}
}

func TestFramesSurviveTheWire(t *testing.T) {
	for _, f := range frames() {
		back, err := query.DecodeFrame(f.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprintf("%v", *back), fmt.Sprintf("%v", *f); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func FuzzDecodeFrame(f *testing.F) {
	for _, x := range frames() {
		f.Add(x.Encode())
	}
	f.Add([]byte("EWQ1\x20\x00\x00\x00{\"rows\":99999999,\"numbers\":4096}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := query.DecodeFrame(b)
		if err != nil {
			return
		}
		again, err := query.DecodeFrame(x.Encode())
		if err != nil || again.Rows != x.Rows || len(again.Numbers) != len(x.Numbers) || len(again.Strings) != len(x.Strings) {
			t.Errorf("a decoded frame does not survive: %v", err)
		}
	})
}
