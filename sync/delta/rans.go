package delta

import "encoding/binary"

// A table is what one context has seen of symbols, and the frequencies that were made of it. It learns: a reader that was given the same symbols has the same
// table. Frequencies are made anew when as many symbols came as `due` says, so that a symbol costs a count and rarely more.
type table struct {
	count [256]uint16
	total uint32 // of count
	since uint16 // symbols since the frequencies were made
	due   uint16 // when they are made again
	built bool
	code  [256]code
	slot  [scale]uint8 // the symbol that lies there
}

// code of a symbol: its frequency, of scale, above 16 bits of where it starts; 0 was never seen.
type code uint32

const (
	scaleBits = 11
	scale     = 1 << scaleBits
	escape    = 255     // what stands for symbols that were never seen
	firstDue  = 24      // symbols until the first frequencies
	lastDue   = 2048    // and at most between later ones
	forget    = 1 << 15 // counts are halved from here on
)

// see counts a symbol.
func (t *table) see(s uint8) {
	t.count[s]++
	t.since++
	if t.since >= t.due {
		t.build()
	}
}

// build makes the frequencies: whole numbers only, so that every machine makes the same.
func (t *table) build() {
	t.since = 0
	t.due = min(max(t.due*3/2, firstDue), lastDue)
	total, kinds, single := uint32(0), uint32(1), uint32(0)
	halve := t.total+uint32(t.due) > forget
	for s := range escape {
		c := t.count[s]
		if halve && c > 0 {
			c = c>>1 | 1
			t.count[s] = c
		}
		if c > 0 {
			total += uint32(c)
			kinds++
		}
		if c == 1 {
			single++
		}
	}
	t.total = total
	rare := 1 + single/2 // how often something new is expected
	whole := total + rare
	left, most, mostAt := uint32(scale), uint16(0), 0
	for s := range escape {
		f := uint16(0)
		if c := uint32(t.count[s]); c > 0 {
			f = uint16(1 + c*(scale-kinds)/whole)
		}
		t.code[s] = code(f)
		left -= uint32(f)
		if f > most {
			most, mostAt = f, s
		}
	}
	t.code[escape] = code(1 + rare*(scale-kinds)/whole)
	left -= uint32(t.code[escape])
	t.code[mostAt] += code(left) // what rounding left over
	at := uint32(0)
	for s := range 256 {
		f := uint32(t.code[s])
		if f == 0 {
			continue
		}
		t.code[s] = code(f<<16 | at)
		part := t.slot[at : at+f]
		for i := range part {
			part[i] = uint8(s)
		}
		at += f
	}
	t.built = true
}

// A range coder of several states that take turns (rANS, J. Duda): the writer goes backwards, the reader forwards.
const (
	lanes    = 4
	stateLow = 1 << 16 // a state lies in [stateLow, stateLow << 16)
)

// step is a symbol to be written: its frequency, where it starts, and whose turn it is.
type step uint32

func newStep(c code, lane int) step {
	return step(uint32(c)>>16<<16 | uint32(c)&(scale-1)<<2 | uint32(lane))
}

// pack writes steps: the states, then the words as the reader wants them.
func pack(dst []byte, steps []step) []byte {
	var states [lanes]uint32
	for k := range states {
		states[k] = stateLow
	}
	words := make([]uint16, 0, len(steps)/2)
	for i := len(steps) - 1; i >= 0; i-- {
		freq, start, lane := uint32(steps[i])>>16, uint32(steps[i])>>2&(scale-1), steps[i]&3
		x := states[lane]
		if uint64(x) >= uint64(freq)<<(32-scaleBits) {
			words = append(words, uint16(x))
			x >>= 16
		}
		states[lane] = x/freq<<scaleBits + x%freq + start
	}
	for _, x := range states {
		dst = append(dst, byte(x), byte(x>>8), byte(x>>16), byte(x>>24))
	}
	for i := len(words) - 1; i >= 0; i-- {
		dst = append(dst, byte(words[i]), byte(words[i]>>8))
	}
	return dst
}

// unpacker reads what pack wrote. Beyond the end it reads zeros and says so.
type unpacker struct {
	states [lanes]uint32
	words  []byte
	at     int
	short  bool
}

func newUnpacker(b []byte) (u unpacker, ok bool) {
	if len(b) < 4*lanes {
		return u, false
	}
	for i := range u.states {
		u.states[i] = uint32(b[4*i]) | uint32(b[4*i+1])<<8 | uint32(b[4*i+2])<<16 | uint32(b[4*i+3])<<24
	}
	u.words = b[4*lanes:]
	return u, true
}

func (u *unpacker) next(t *table, lane int) uint8 {
	x := u.states[lane&(lanes-1)]
	s := t.slot[x&(scale-1)]
	c := uint32(t.code[s])
	x = (c>>16)*(x>>scaleBits) + x&(scale-1) - c&(scale-1)
	if x < stateLow {
		x = u.refill(x)
	}
	u.states[lane&(lanes-1)] = x
	return s
}

// refill takes a word where the state is low.
func (u *unpacker) refill(x uint32) uint32 {
	if x >= stateLow {
		return x
	}
	at := u.at
	if at+1 >= len(u.words) {
		u.short = true
		return x<<16 | 1<<31
	}
	u.at = at + 2
	return x<<16 | uint32(u.words[at]) | uint32(u.words[at+1])<<8
}

// raw bits, that nothing is known of: the lowest first.
type bitWriter struct {
	out  []byte
	acc  uint64
	bits uint
}

// put writes the low n bits of v, at most 32.
func (w *bitWriter) put(v uint64, n uint) {
	w.acc |= (v & (1<<n - 1)) << w.bits
	w.bits += n
	for w.bits >= 8 {
		w.out = append(w.out, byte(w.acc))
		w.acc >>= 8
		w.bits -= 8
	}
}

func (w *bitWriter) end() []byte {
	if w.bits > 0 {
		w.out = append(w.out, byte(w.acc))
	}
	return w.out
}

// bitReader reads what bitWriter wrote; beyond the end there are zeros.
type bitReader struct {
	in []byte // with eight more at the end
	at uint   // bits
}

func newBitReader(b []byte) bitReader { return bitReader{in: append(b, 0, 0, 0, 0, 0, 0, 0, 0)} }

// bits reads n bits, at most 63.
func (r *bitReader) bits(n uint) uint64 {
	if n > 32 {
		low := r.bits(32)
		return low | r.bits(n-32)<<32
	}
	at := int(r.at >> 3)
	if at+8 > len(r.in) {
		return 0
	}
	v := binary.LittleEndian.Uint64(r.in[at:]) >> (r.at & 7) & (1<<n - 1)
	r.at += n
	return v
}
