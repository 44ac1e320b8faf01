package delta

import "math/bits"

const (
	symbols = 128
	escape  = symbols - 1 // what stands for symbols that were never seen
)

// symbol of a difference, and its bits below, the lowest of which is its sign.
func symbol(d int64) (sym uint8, raw uint64) {
	s := uint64(d >> 63)
	size := (uint64(d) ^ s) - s
	k := uint(bits.Len64(size))
	switch k {
	case 0:
		return 0, 0
	case 1:
		return 1, s & 1
	}
	half := size >> (k - 2) & 1
	return 2 + uint8((k-2)<<1) + uint8(half), size&(1<<(k-2)-1)<<1 | s&1
}

// meant is what symbols stand for: the size of a difference in half bits, its leading bits, and how many follow, the sign among them.
var meant = func() (t [symbols]struct {
	half int32
	raw  uint8
	lead uint8
}) {
	t[1].half, t[1].raw, t[1].lead = 2, 1, 1
	for s := 2; s < escape; s++ {
		t[s].half, t[s].raw, t[s].lead = int32(s-2)+4, uint8(s-2)>>1+1, 2|uint8(s-2)&1
	}
	return t
}()

// value of a symbol with the bits that follow it.
func value(sym uint8, raw uint64) int64 {
	x := &meant[sym&(symbols-1)]
	s := -(raw & 1)
	return int64((uint64(x.lead)<<((x.raw-1)&63) | raw>>1) ^ s - s)
}

// usual is how often differences are of which size, in half bits from eight below what is foretold on.
var usual = [...]uint32{1, 1, 2, 2, 3, 4, 6, 8, 10, 12, 11, 7, 3, 1, 1}

// expect fills what a context of numbers begins with.
func expect(count *[symbols]uint32, ctx int) {
	if ctx >= sizes { // what rows and columns have
		for i := range 9 {
			count[i] = uint32(16 >> ((i + 1) / 2))
		}
		return
	}
	for i, n := range usual {
		half := ctx + i - 8
		switch {
		case half < 2:
			count[0] += 2 * n
		case half < 4:
			count[1] += 2 * n
		case half-2 < escape:
			count[half-2] += 2 * n
		}
	}
}
