package delta

import (
	"encoding/binary"
	"math/bits"
)

const lanes = 4 // states that take turns: the processor works at several at a time

// step is a symbol to be written, in its context, with the raw bits that follow, by the state whose turn it is.
type step struct {
	raw      uint64
	ctx      uint16
	sym, who uint8
	bits     uint8  // that lead to the next state
	code     uint16 // and what they are
}

// group appends steps: their length in bytes, the states a reader begins with, and then what belongs to each. The tables learn.
func (m *tables) group(dst []byte, steps []step) []byte {
	var states [lanes]uint32
	for i := len(steps) - 1; i >= 0; i-- { // backwards: a reader goes forwards
		s := &steps[i]
		ctx := int(s.ctx)
		m.touch(ctx)
		c := m.out[ctx*symbols+int(s.sym)]
		if c.n == 0 {
			c = m.out[ctx*symbols+escape]
		}
		x := states[s.who] + 1<<m.scaleBits
		n := uint32(bits.Len32(x) - bits.Len16(c.n))
		if x>>n < uint32(c.n) {
			n--
		}
		s.bits, s.code = uint8(n), uint16(x&(1<<n-1))
		states[s.who] = uint32(m.to[uint32(ctx)<<m.scaleBits+uint32(c.at)+x>>n-uint32(c.n)])
	}
	w := bitWriter{out: m.packed[:0]}
	for _, x := range states {
		w.put(uint64(x), m.scaleBits)
	}
	for i := range steps {
		s := &steps[i]
		ctx := int(s.ctx)
		w.put(uint64(s.code), uint(s.bits))
		if m.out[ctx*symbols+int(s.sym)].n == 0 {
			w.put(uint64(s.sym), 7)
		}
		if ctx < m.bare {
			continue
		}
		n := uint(meant[s.sym].raw)
		if n > 32 {
			w.put(s.raw, 32)
			w.put(s.raw>>32, n-32)
			continue
		}
		w.put(s.raw, n)
	}
	for i := range steps {
		m.count[int(steps[i].ctx)*symbols+int(steps[i].sym)]++
	}
	m.learn()
	m.packed = w.end()
	dst = binary.AppendUvarint(dst, uint64(len(m.packed)))
	return append(dst, m.packed...)
}

// bitWriter writes bits, the lowest first.
type bitWriter struct {
	out  []byte
	acc  uint64
	bits uint
}

// put writes the low n bits of v, at most 32.
func (w *bitWriter) put(v uint64, n uint) {
	w.acc |= (v & (1<<n - 1)) << w.bits
	w.bits += n
	for w.bits >= 32 {
		w.out = binary.LittleEndian.AppendUint32(w.out, uint32(w.acc))
		w.acc >>= 32
		w.bits -= 32
	}
}

func (w *bitWriter) end() []byte {
	for ; w.bits > 0; w.bits -= min(w.bits, 8) {
		w.out = append(w.out, byte(w.acc))
		w.acc >>= 8
	}
	return w.out
}
