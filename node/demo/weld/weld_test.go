package weld_test

import (
	"slices"
	"testing"

	"edgeward/node/demo/weld"
)

func see(number int, dirt float64) []uint8 {
	return weld.Lens{Seed: 3, Dirt: dirt}.See(weld.Draw(3, number, 0.5))
}

func TestASeedGivesTheSamePictures(t *testing.T) {
	for n := range 20 {
		if !slices.Equal(see(n, 0.4), see(n, 0.4)) {
			t.Fatalf("part %d differs from itself", n)
		}
	}
	if slices.Equal(see(1, 0), see(2, 0)) {
		t.Error("two parts are one picture")
	}
}

func TestDirtTakesLight(t *testing.T) {
	light := func(dirt float64) (sum int) {
		for n := range 50 {
			for _, v := range see(n, dirt) {
				sum += int(v)
			}
		}
		return sum
	}
	last := light(0)
	for _, dirt := range []float64{0.25, 0.5, 1} {
		now := light(dirt)
		if now >= last {
			t.Errorf("dirt %v gives light %d, less dirt gave %d", dirt, now, last)
		}
		last = now
	}
	if light(7) != light(1) || light(-1) != light(0) {
		t.Error("dirt is not held between 0 and 1")
	}
}

func TestDefectsAreAsFrequentAsAsked(t *testing.T) {
	var n [4]int
	for i := range 4000 {
		n[weld.Draw(9, i, 0.15).Class]++
	}
	if n[weld.OK] < 3300 || n[weld.OK] > 3500 {
		t.Errorf("%v of 4000 are sound, want about 3400", n)
	}
	for _, c := range []weld.Class{weld.Porosity, weld.Crack, weld.Undercut} {
		if n[c] < 150 || n[c] > 250 {
			t.Errorf("%d have %s, want about 200", n[c], c)
		}
	}
}
