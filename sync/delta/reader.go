package delta

import "encoding/binary"

// reader reads groups. Beyond the end there are zeros, and short says so.
type reader struct {
	states [lanes]uint
	in     []byte // of the group, with more at the end
	at     uint   // bits
	rest   []byte // what follows the group
	short  bool
}

// slack is how many bytes a reader reads on behind what it is given, which must have that capacity.
const slack = 8

// open begins with the next group of tables of a scale, and reports whether there is one.
func (r *reader) open(scaleBits uint) bool {
	n, k := binary.Uvarint(r.rest)
	if k <= 0 || n > uint64(len(r.rest)-k) {
		r.short = true
		return false
	}
	end := k + int(n)
	r.in, r.rest, r.at = r.rest[k:end+slack], r.rest[end:], 0
	for i := range r.states {
		r.states[i] = uint(r.bits(scaleBits))
	}
	return !r.short
}

// bits reads n bits, at most 56.
func (r *reader) bits(n uint) uint64 {
	at := int(r.at >> 3)
	if at+8 > len(r.in) {
		r.short = true
		return 0
	}
	v := binary.LittleEndian.Uint64(r.in[at:]) >> (r.at & 7) & (1<<n - 1)
	r.at += n
	return v
}

// raw reads the bits that follow a symbol.
func (r *reader) raw(n uint) uint64 {
	if n > 32 {
		low := r.bits(32)
		return low | r.bits(n-32)<<32
	}
	return r.bits(n)
}

// next reads a symbol and the raw bits that follow it.
func (r *reader) next(m *tables, ctx, who int) (sym uint8, raw uint64) {
	m.touch(ctx)
	state := &r.states[who&(lanes-1)]
	e := m.in[uint(ctx)<<m.scaleBits|*state]
	*state = e.next() + uint(r.bits(e.bits()))
	if sym = uint8(e.sym()); sym == escape {
		sym = uint8(r.bits(7))
	}
	m.count[ctx*symbols+int(sym)]++
	if ctx < m.bare {
		return sym, 0
	}
	return sym, r.raw(uint(meant[sym].raw))
}

// turn is the states in the order of their turns from number i on, and back puts them back.
func (r *reader) turn(i int) (a, b, c, d uint8) {
	at := func(k int) uint8 { return uint8(r.states[(i+k)&(lanes-1)]) }
	return at(0), at(1), at(2), at(3)
}

func (r *reader) back(i int, states ...uint8) {
	for k, s := range states {
		r.states[(i+k)&(lanes-1)] = uint(s)
	}
}
