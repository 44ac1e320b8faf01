package delta

import (
	"encoding/binary"
	"math/bits"

	"edgeward/sync/chunk"
)

// layout of a kind of number.
type layout struct {
	width    int
	exponent uint   // where it begins
	mask     uint64 // and what it is; 0 of a whole number
	drop     uint   // low bits that no number of the block has
}

// without is the layout of numbers whose low bits are all 0.
func (f layout) without(drop uint) layout {
	f.exponent -= min(drop, f.exponent)
	f.drop = drop
	return f
}

// ranks says whether blocks of n numbers are foretold by factors.
func (f layout) ranks(n, stride int) bool {
	return f.width == 4 && f.exponent == 23 && stride >= leastRows && n/stride >= leastRows
}

func (f layout) bits() uint { return 8*uint(f.width) - f.drop }

// sign is the bit of the sign; whole numbers have none that stands apart.
func (f layout) sign() uint64 {
	if f.mask == 0 {
		return 0
	}
	return 1 << (f.bits() - 1)
}

// empty is how many low bits no number of two blocks has; of floats at most those of the fraction.
func (f layout) empty(a, b []byte) uint {
	all := uint64(0)
	for i := 0; i < len(a); i += f.width {
		all |= load(a[i:], f.width) | load(b[i:], f.width)
	}
	if f.mask == 0 || all == 0 {
		return 0
	}
	return min(uint(bits.TrailingZeros64(all)), f.exponent)
}

var layouts = [...]layout{
	chunk.Int8: {width: 1}, chunk.Int16: {width: 2}, chunk.Int32: {width: 4}, chunk.Int64: {width: 8},
	chunk.Float16: {2, 10, 31, 0}, chunk.BFloat16: {2, 7, 255, 0}, chunk.Float32: {4, 23, 255, 0}, chunk.Float64: {8, 52, 2047, 0},
}

func load(b []byte, width int) uint64 {
	switch width {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// differ returns the difference of a number to the base's, away from zero being positive, and the base's exponent.
func (f layout) differ(a, b uint64) (d int64, exponent int32) {
	width := f.bits()
	sign := f.sign()
	neg := b & sign
	a, b = a^neg, b^neg
	if a&sign != 0 {
		a ^= sign - 1
	}
	return int64((a-b)<<(64-width)) >> (64 - width), int32(b >> f.exponent & f.mask)
}
