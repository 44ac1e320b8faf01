package delta

import (
	"encoding/binary"
	"math/bits"
	"sync"
)

// A table is what one context has seen of symbols, and a code made of it: asymmetric numeral systems by table (tANS, J. Duda). It learns between groups: a reader
// that was given the same symbols has the same table. Whole numbers only, so that every machine makes the same.
type table struct {
	bare  bool // no raw bits follow its symbols
	count [256]uint32
	total uint32 // of count when the code was made; 0: there is none
	out   [256]symbolCode
	to    [scale]uint16 // where a writer goes, by symbol
	in    [scale]entry
}

const (
	scaleBits = 10
	scale     = 1 << scaleBits
	escape    = 255     // what stands for symbols that were never seen
	forget    = 1 << 15 // counts are halved from here on
	lanes     = 4       // states that take turns: the processor works at several at a time
)

// entry is what a reader finds at a state: the symbol (8 bits), how many bits lead to the next state (4), how many raw ones follow (6), and from where they lead (11).
type entry uint32

func (e entry) sym() uint8   { return uint8(e) }
func (e entry) bits() uint   { return uint(e>>8) & 15 }
func (e entry) below() uint  { return uint(e>>12) & 63 }
func (e entry) next() uint32 { return uint32(e) >> 18 }

// symbolCode is how a writer codes a symbol: how often it stands in the table (0: never), and where its places begin in to.
type symbolCode struct{ n, at uint16 }

// learn makes the code anew if as much again came as it knows of.
func (t *table) learn() {
	total := uint32(0)
	for _, c := range &t.count {
		total += c
	}
	if t.total > 0 && total < 2*t.total {
		return
	}
	if total > forget {
		total = 0
		for s, c := range &t.count {
			if c > 0 {
				t.count[s] = c>>1 | 1
				total += t.count[s]
			}
		}
	}
	t.total = total
	t.build()
}

// build makes the code of the counts.
func (t *table) build() {
	kinds, single := uint32(1), uint32(0)
	for _, c := range t.count[:escape] {
		if c > 0 {
			kinds++
		}
		if c == 1 {
			single++
		}
	}
	rare := 1 + single/4 // how often something new is expected
	whole := uint64(t.total + rare)
	t.count[escape] = rare
	var places [256]uint16
	left, most := uint32(scale), 0
	for s, c := range &t.count {
		if c == 0 {
			continue
		}
		n := 1 + uint32(uint64(c)*uint64(scale-kinds)/whole)
		places[s] = uint16(n)
		left -= n
		if n > uint32(places[most]) {
			most = s
		}
	}
	t.count[escape] = 0
	places[most] += uint16(left) // what rounding left over
	var symbols [scale]uint8
	at, place := uint16(0), uint32(0)
	for s, n := range &places {
		t.out[s] = symbolCode{n, at}
		at += n
		for range n { // spread over the table
			symbols[place] = uint8(s)
			place = (place + scale>>1 + scale>>3 + 3) & (scale - 1)
		}
	}
	next := places
	for i := range t.in {
		s := symbols[i]
		x := next[s]
		next[s]++
		below := meant[s].below
		if t.bare {
			below = 0
		}
		n := scaleBits + 1 - bits.Len16(x)
		t.in[i] = entry(uint32(s) | uint32(n)<<8 | uint32(below)<<12 | (uint32(x)<<n-scale)<<18)
		t.to[t.out[s].at+x-t.out[s].n] = uint16(i)
	}
}

// step is a symbol to be written, in its context, with the raw bits that follow, by the state whose turn it is.
type step struct {
	below    uint64
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
		t := m.at(int(s.ctx))
		c := t.out[s.sym]
		if c.n == 0 {
			c = t.out[escape]
		}
		x := states[s.who] + scale
		n := uint32(bits.Len32(x) - bits.Len16(c.n))
		if x>>n < uint32(c.n) {
			n--
		}
		s.bits, s.code = uint8(n), uint16(x&(1<<n-1))
		states[s.who] = uint32(t.to[uint32(c.at)+x>>n-uint32(c.n)])
	}
	w := bitWriter{out: m.packed[:0]}
	for _, x := range states {
		w.put(uint64(x), scaleBits)
	}
	for i := range steps {
		s := &steps[i]
		t := m.at(int(s.ctx))
		w.put(uint64(s.code), uint(s.bits))
		if t.bare {
			continue
		}
		if t.out[s.sym].n == 0 {
			w.put(uint64(s.sym), 8)
		}
		n := uint(meant[s.sym].below)
		if n > 32 {
			w.put(s.below, 32)
			w.put(s.below>>32, n-32)
			continue
		}
		w.put(s.below, n)
	}
	for i := range steps {
		m.at(int(steps[i].ctx)).count[steps[i].sym]++
	}
	m.learn()
	m.packed = w.end()
	dst = binary.AppendUvarint(dst, uint64(len(m.packed)))
	return append(dst, m.packed...)
}

// tables are those of a model, by context.
type tables struct {
	of     [contexts]*table
	first  *beginnings
	spare  []*table
	packed []byte
}

// beginnings are what contexts begin with, made when they are first wanted.
type beginnings struct {
	fill func(t *table, ctx int) // counts
	of   [contexts]struct {
		once sync.Once
		t    *table
	}
}

func (m *tables) at(ctx int) *table {
	t := m.of[ctx]
	if t == nil {
		t = m.fresh(ctx)
	}
	return t
}

func (m *tables) fresh(ctx int) *table {
	first := &m.first.of[ctx]
	first.once.Do(func() {
		first.t = &table{}
		m.first.fill(first.t, ctx)
		first.t.learn()
	})
	t := &table{}
	if n := len(m.spare); n > 0 {
		t = m.spare[n-1]
		m.spare = m.spare[:n-1]
	}
	*t = *first.t
	m.of[ctx] = t
	return t
}

func (m *tables) learn() {
	for _, t := range &m.of {
		if t != nil {
			t.learn()
		}
	}
}

// reset forgets everything.
func (m *tables) reset() {
	for i, t := range &m.of {
		if t != nil {
			m.spare = append(m.spare, t)
			m.of[i] = nil
		}
	}
}

// reader reads groups. Beyond the end there are zeros, and short says so.
type reader struct {
	states [lanes]uint32
	in     []byte // of the group, with more at the end
	at     uint   // bits
	rest   []byte // what follows the group
	short  bool
}

// slack is how many bytes a reader reads on behind what it is given, which must have that capacity.
const slack = 8

// open begins with the next group, and reports whether there is one.
func (r *reader) open() bool {
	n, k := binary.Uvarint(r.rest)
	if k <= 0 || n > uint64(len(r.rest)-k) {
		r.short = true
		return false
	}
	end := k + int(n)
	r.in, r.rest, r.at = r.rest[k:end+slack], r.rest[end:], 0
	for i := range r.states {
		r.states[i] = uint32(r.bits(scaleBits))
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
func (r *reader) next(t *table, who int) (sym uint8, below uint64) {
	e := t.in[r.states[who&(lanes-1)]&(scale-1)]
	r.states[who&(lanes-1)] = e.next() + uint32(r.bits(e.bits()))
	if sym = e.sym(); sym == escape {
		sym = uint8(r.bits(8))
		e = entry(meant[sym].below) << 12
	}
	t.count[sym]++
	return sym, r.raw(e.below())
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
