package oip

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// check holds usual against strconv, which rounds correctly.
func check(t *testing.T, text string) {
	t.Helper()
	for _, bits := range []int{32, 64} {
		v, end, ok := usual([]byte(text), 0, bits == 32)
		if !ok {
			continue
		}
		want, err := strconv.ParseFloat(text[:end], bits)
		if err != nil {
			t.Fatalf("%q: took %q: %v", text, text[:end], err)
		}
		got := v
		if bits == 32 {
			got = float64(float32(v))
		}
		if math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%q as float%d is %v, want %v", text, bits, got, want)
		}
	}
}

func TestUsualNumbersAreRoundedOnce(t *testing.T) {
	for _, s := range []string{"0", "-0", "0.0", "1", "-1", "16777217", "16777217.0", "16777219", "0.1", "0.84705883", "0.12345678", "0.123456789", "1234567.12345678",
		"9007199254740993", "999999999999999", "0.00000000000001", "33554433.5", "8388608.5", "8388609.5", "1.00000005960464", "123456789012.345"} {
		check(t, s)
		if _, _, ok := usual([]byte(s), 0, false); !ok && len(s) < 15 {
			t.Errorf("%q is not read the quick way", s)
		}
	}
	for _, s := range []string{"", "-", "01", "1.", ".5", "1e5", "1E5", "0.5e1", "nan", "1234567890123456", "0.1234567890123456"} {
		if v, end, ok := usual([]byte(s), 0, false); ok {
			t.Errorf("%q was taken as %v to %d", s, v, end)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		f := math.Float32frombits(random.Uint32())
		if a := math.Abs(float64(f)); a > 1e-6 && a < 1e12 {
			check(t, strconv.FormatFloat(float64(f), 'f', -1, 32))
		}
		check(t, fmt.Sprintf("%.*f", random.IntN(14), random.Float64()*math.Pow(10, float64(random.IntN(12)))))
		// halfway between two float32, and beside it
		half := float64(math.Float32frombits(0x3f800000+random.Uint32N(1<<27))) * (1 + 0x1p-25)
		check(t, strconv.FormatFloat(half, 'f', -1, 64))
	}
}

func FuzzUsual(f *testing.F) {
	for _, s := range []string{"0.84705883", "-12.5,", "16777217", "1.0000000596046448"} {
		f.Add(s)
	}
	f.Fuzz(check)
}

func TestDataMayStandBeforeTheirShape(t *testing.T) {
	for data, right := range map[string]bool{"[1,2.5,-3]": true, " [ 1 , 2.5,\n-3 ] ": true, "[1e0,2.5,null]": true, `[1,"]",3]`: false, "[1,2.5,[3]]": false, "[1,2.5,3}": false,
		"[1,2.5,3,]": false, "[1,2.5": false, "[1,2.5,3]]": false, "[1,2.5,3,4]": false, "[01,2,3]": false, "[[1,2,3]]": false} {
		for _, form := range []string{`{"inputs":[{"data":%s,"datatype":"FP32","name":"x","shape":[3]}]}`, `{"inputs":[{"datatype":"FP32","name":"x","shape":[3],"data":%s}]}`} {
			body := fmt.Appendf(nil, form, data)
			r, err := parse(body, len(body))
			if (err == nil) != right || right && len(r.Inputs[0].Data) != 12 {
				t.Errorf("%s: %v, %v", body, r.Inputs, err)
			}
		}
	}
}
