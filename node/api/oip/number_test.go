package oip

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
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

// checkCommon holds common against strconv.
func checkCommon(t *testing.T, text string) {
	t.Helper()
	const room = "0.5 0.5 0.5 "
	end, data := common([]byte(text+room), 0, nil)
	numbers := strings.Split(text[:min(end, len(text))], ",")
	if got, want := len(data)/4, len(numbers)-1; got != want {
		t.Fatalf("%q: %d numbers, want %d", text, got, want)
	}
	for i, s := range numbers[:len(numbers)-1] {
		want, err := strconv.ParseFloat(s, 32)
		if err != nil {
			t.Fatalf("%q: took %q: %v", text, s, err)
		}
		if got := binary.LittleEndian.Uint32(data[4*i:]); got != math.Float32bits(float32(want)) {
			t.Fatalf("%q is %v, want %v", s, math.Float32frombits(got), float32(want))
		}
	}
}

func TestCommonNumbersAreTheNearest(t *testing.T) {
	for text, want := range map[string]int{"0.5,": 1, "-0.5,": 1, "0.0,": 1, "-0.0,1.2345678,": 2, "9.9999999,": 1, "0.1,-0.25,8.125,": 3, "1,": 0, "1.,": 0, "12.5,": 0, "0.5e1,": 0, "0.123456789,": 0,
		".5,": 0, "0.5]": 0, "0.5 ,": 0, "+0.5,": 0, "--0.5,": 0, "-,": 0, "": 0} {
		if _, data := common([]byte(text+"                "), 0, nil); len(data)/4 != want {
			t.Errorf("%q: %d numbers, want %d", text, len(data)/4, want)
		}
		checkCommon(t, text)
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 300_000 {
		n := 1 + random.IntN(7)
		checkCommon(t, fmt.Sprintf("%.*f,%.*f,", n, random.Float64()*10-1e-7, n, -random.Float64()))
	}
	for m := uint32(0x3f800000); m < 0x3f800000+1<<22; m += 97 { // beside what lies halfway between two float32
		half := (float64(math.Float32frombits(m)) + float64(math.Float32frombits(m+1))) / 2
		checkCommon(t, strconv.FormatFloat(half, 'f', 7, 64)+",")
	}
}

func FuzzCommon(f *testing.F) {
	for _, s := range []string{"0.84705883,", "-1.5,0.25,", "0.1234567,1.0000001,", "9.5]"} {
		f.Add(s)
	}
	f.Fuzz(checkCommon)
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
