package delta

import (
	"encoding/binary"
	"math/bits"
)

// part is a number among those that 64 bits have room for: a reader works at so many at a time, each in a part of its own that nothing is carried out of. It may work at
// some more than it is asked for; slack has room for these, and they are written again.
type part interface{ uint16 | uint32 | uint64 }

// ones has the lowest bit of each part.
func ones[T part]() uint64 { return ^uint64(0) / uint64(^T(0)) }

// top is where the highest bit of a part is.
func top[T part]() uint { return uint(bits.Len64(uint64(^T(0)))) - 1 }

// bias is what is added to a size so that it is above 0. Sizes are taken as at most half as large, which all are that a writer makes.
func bias[T part]() int32 { return 1 << min(top[T]()-2, 20) }

// sizePart is the size of a row or a column.
func sizePart[T part](level int32) T {
	return T(max(min(level, bias[T]()/2), -bias[T]()/2) + bias[T]())
}

// sizeParts appends those of columns.
func sizeParts[T part](dst []byte, column []int32) []byte {
	for _, c := range column {
		v := uint64(sizePart[T](c))
		for range (top[T]() + 1) / 8 {
			dst = append(dst, byte(v))
			v >>= 8
		}
	}
	return append(dst, make([]byte, slack)...)
}

// contextParts fills n contexts of a row's numbers, as contextOf would.
func contextParts[T part](ctx []uint8, n int, base []byte, f layout, level int32, columns []byte) {
	shift, mask := (f.exponent+f.drop)&63, f.mask*ones[T]()
	row, tops := uint64(sizePart[T](level))*ones[T](), ones[T]()<<top[T]()
	for i := 0; i < n && len(base) >= 8 && len(columns) >= 8; {
		x := row + binary.LittleEndian.Uint64(columns) - binary.LittleEndian.Uint64(base)>>shift&mask<<2
		x = (x>>1&^tops | tops) - uint64(bias[T]())*ones[T]() // half of it: what is below 0 loses the top bit
		over := x & tops
		x &= over - over>>top[T]()
		over = (x + tops - sizes*ones[T]()) & tops // what is too large has it
		x = (x | (over - over>>top[T]())) & ((sizes - 1) * ones[T]())
		switch top[T]() {
		case 15:
			x |= x >> 8
			binary.LittleEndian.PutUint32(ctx[i:], uint32(x&0xffff)|uint32(x>>16)&0xffff0000)
			i += 4
		case 31:
			binary.LittleEndian.PutUint16(ctx[i:], uint16(x|x>>24))
			i += 2
		default:
			ctx[i] = uint8(x)
			i++
		}
		base, columns = base[8:], columns[8:]
	}
}

// addParts makes n numbers of the base and what moved them, away from zero being positive: what differ undoes.
func addParts[T part](dst, base []byte, n int, f layout, moves *[chunkOf + 4]uint64) {
	drop, tops := f.drop&63, ones[T]()<<top[T]()
	sign := f.sign() << drop * ones[T]()
	keep := uint64(^T(0)<<drop) * ones[T]()
	for i := 0; i < min(n, chunkOf) && len(dst) >= 8 && len(base) >= 8; {
		d := moves[i]
		switch top[T]() {
		case 15:
			d = uint64(uint16(d)) | uint64(uint16(moves[i+1]))<<16 | uint64(uint16(moves[i+2]))<<32 | moves[i+3]<<48
			i += 4
		case 31:
			d = uint64(uint32(d)) | moves[i+1]<<32
			i += 2
		default:
			i++
		}
		b := binary.LittleEndian.Uint64(base) & keep
		neg := b & sign
		b ^= neg
		d = d << drop & keep
		b = (b&^tops + d&^tops) ^ (b^d)&tops
		over := b & sign
		binary.LittleEndian.PutUint64(dst, b^(over-over>>top[T]())&keep^neg)
		dst, base = dst[8:], base[8:]
	}
}
