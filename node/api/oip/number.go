package oip

import (
	"encoding/binary"
	"math"
	"math/bits"

	"edgeward/runtime/tensor"
)

// floats consumes the elements of a flat array of FP32 or FP64 from after its bracket to its end, one for each number; slow
// consumes what usual does not read, and knows what is wrong.
func (s *scanner) floats(in *tensor.Tensor, slow func() error) (n int64, err error) {
	b, single := s.b, in.Datatype == tensor.FP32
	if s.take(']') {
		return 0, nil
	}
	for {
		if single {
			before := len(in.Data)
			s.i, in.Data = common(b, s.i, in.Data)
			n += int64(len(in.Data)-before) / 4
		}
		s.peek() // passes white space
		v, end, ok := usual(b, s.i, single)
		switch {
		case !ok:
			if err := slow(); err != nil {
				return n, err
			}
		case single:
			in.Data = binary.LittleEndian.AppendUint32(in.Data, math.Float32bits(float32(v)))
			s.i = end
		default:
			in.Data = binary.LittleEndian.AppendUint64(in.Data, math.Float64bits(v))
			s.i = end
		}
		n++
		if s.i < len(b) && b[s.i] == ',' {
			s.i++
			continue
		}
		if s.take(']') {
			return n, nil
		}
		if !s.take(',') {
			return n, s.bad("a comma or the end of an array should stand here")
		}
	}
}

// common reads the numbers from b[i] on that are written as most are, each with the comma behind it: one digit, a point and one to
// seven more. It appends them to data as float32 and returns where the first stands that is not written so. The quotient by a
// power of ten is reckoned as a product here, which is wrong by two units in the last place of a float64 at most: a number for
// which they could tell which float32 is nearest is left to usual.
func common(b []byte, i int, data []byte) (int, []byte) {
	for i+11 <= len(b) {
		at, sign := i, uint32(0)
		if b[at] == '-' {
			at, sign = i+1, 1<<31
		}
		first, w := uint64(b[at]-'0'), binary.LittleEndian.Uint64(b[at+2:])
		n := leading(w)
		if first > 9 || b[at+1] != '.' || n == 0 || n > 7 || byte(w>>(8*n)) != ',' {
			break
		}
		shift := uint(64 - 8*n)
		m := first*tens[n] + eight(w<<shift|0x3030303030303030&(1<<shift-1))
		v := float64(m) * tenths[n]
		if half := math.Float64bits(v) & (1<<29 - 1); half-(1<<28-4) <= 8 {
			break
		}
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(v))|sign)
		i = at + n + 3
	}
	return i, data
}

// tenths are the inverses of tens, as near as a float64 comes.
var tenths = [8]float64{1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7}

// powers are the powers of ten that a float64 holds exactly.
var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// usual reads the JSON number that begins at b[i], if it is one of the usual kind: at most 15 digits and no exponent. Its
// digits and the power of ten are then exact in a float64 and their quotient is rounded once (Clinger, How to read floating
// point numbers accurately, 1990). For single precision it must not lie halfway between two float32, where a second
// rounding could go the wrong way, nor outside their normal range.
func usual(b []byte, i int, single bool) (v float64, end int, ok bool) {
	negative := i < len(b) && b[i] == '-'
	if negative {
		i++
	}
	start, m := i, uint64(0)
	for i < len(b) && b[i]-'0' <= 9 {
		m = m*10 + uint64(b[i]-'0')
		i++
	}
	digits := i - start
	if digits == 0 || digits > 15 || digits > 1 && b[start] == '0' {
		return 0, 0, false
	}
	fraction := 0
	if i < len(b) && b[i] == '.' {
		i++
		from := i
		if i+8 <= len(b) && digits <= 7 { // up to eight digits at once, without a branch for each
			w := binary.LittleEndian.Uint64(b[i:])
			n := leading(w)
			if n < 8 {
				shift := uint(64 - 8*n)
				w = w<<shift | 0x3030303030303030&(1<<shift-1)
			}
			m = m*tens[n] + eight(w)
			i += n
		}
		for i < len(b) && b[i]-'0' <= 9 && i-from <= 15 {
			m = m*10 + uint64(b[i]-'0')
			i++
		}
		if fraction = i - from; fraction == 0 || digits+fraction > 15 {
			return 0, 0, false
		}
	}
	if i < len(b) && b[i]|32 == 'e' {
		return 0, 0, false
	}
	v = float64(m) / powers[fraction]
	if single && m != 0 {
		if f := math.Float64bits(v); f&(1<<29-1) == 1<<28 || v < 0x1p-126 || v > 0x1p127 {
			return 0, 0, false
		}
	}
	if negative {
		v = -v
	}
	return v, i, true
}

// tens are the powers of ten up to 10⁸.
var tens = [9]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}

// leading is how many of the eight bytes of a little-endian word are digits before the first that is none, and eight what
// number eight digits write (Mula, SIMD-ized atoi; Lemire, Quickly parsing eight digits, 2018).
func leading(w uint64) int {
	none := (w&0xf0f0f0f0f0f0f0f0 | (w+0x0606060606060606)&0xf0f0f0f0f0f0f0f0>>4) ^ 0x3333333333333333
	return bits.TrailingZeros64(none) / 8
}

func eight(w uint64) uint64 {
	w -= 0x3030303030303030
	w = w*10 + w>>8
	return (w&0x000000ff000000ff*0x000f424000000064 + w>>16&0x000000ff000000ff*0x0000271000000001) >> 32
}
