package delta

import (
	"encoding/binary"
	"math/bits"
)

const (
	symbols = 128
	escape  = symbols - 1 // what stands for symbols that were never seen
	forget  = 1 << 15     // counts are halved from here on
	lanes   = 4           // states that take turns: the processor works at several at a time
)

// entry is what a reader finds at a state: the symbol (7 bits), how many bits lead to the next state (4), how many raw ones follow (6), what stands before
// those (2), and from where the bits lead (10). Of what a reader has to look at more closely more than 31 raw bits follow: of a symbol never seen it is odd.
type entry uint32

const odd = 63

func (e entry) sym() uint8   { return uint8(e & (symbols - 1)) }
func (e entry) bits() uint   { return uint(e>>7) & 15 }
func (e entry) raw() uint    { return uint(e>>11) & 63 }
func (e entry) rare() bool   { return e&(1<<16) != 0 }
func (e entry) lead() uint64 { return uint64(e>>17) & 3 }
func (e entry) next() uint   { return uint(e >> 19) }

// symbolCode is how a writer codes a symbol: how often it stands in the table (0: never), and where its places begin in to.
type symbolCode struct{ n, at uint16 }

// tables are those of a model, by context: what each has seen of symbols, and a code made of it, asymmetric numeral systems by table (tANS, J. Duda). They learn
// between groups: a reader that was given the same symbols has the same tables. Whole numbers only, so that every machine makes the same.
//
// A reader's tables lie after each other, few places each: what is used of them has to stay in the nearest cache.
type tables struct {
	scaleBits uint
	bare      int                                   // contexts below it are of symbols whose raw bits are none
	fill      func(count *[symbols]uint32, ctx int) // what a context begins with
	in        []entry                               // by context, then state
	count     []uint32                              // by context, then symbol
	total     []uint32                              // of count when the code was made
	used      []bool
	touched   [256]bool // since they learned last
	writes    bool
	out       []symbolCode // by context, then symbol
	to        []uint16     // where a writer goes, by context, then symbol
	packed    []byte
}

// make makes room for contexts.
func (m *tables) make(contexts int, scaleBits uint) {
	m.scaleBits = scaleBits
	m.in = make([]entry, contexts<<scaleBits)
	m.count = make([]uint32, contexts*symbols)
	m.total, m.used = make([]uint32, contexts), make([]bool, contexts)
	if m.writes {
		m.out, m.to = make([]symbolCode, contexts*symbols), make([]uint16, contexts<<scaleBits)
	}
}

// counts of a context.
func (m *tables) counts(ctx int) *[symbols]uint32 {
	return (*[symbols]uint32)(m.count[ctx*symbols:])
}

// touch says that a context is used until the tables learn again.
func (m *tables) touch(ctx int) {
	m.touched[ctx] = true
	if !m.used[ctx] {
		m.begin(ctx)
	}
}

// begin makes a context's first table.
func (m *tables) begin(ctx int) {
	m.used[ctx] = true
	c := m.counts(ctx)
	clear(c[:])
	m.fill(c, ctx)
	m.total[ctx] = 0
	for _, n := range c {
		m.total[ctx] += n
	}
	m.build(ctx)
}

// learn makes those codes anew of which twice as much again came as they know of.
func (m *tables) learn() {
	for ctx := range m.used {
		if !m.touched[ctx] {
			continue
		}
		m.touched[ctx] = false
		c := m.counts(ctx)
		total := uint32(0)
		for _, n := range c {
			total += n
		}
		if total < 3*m.total[ctx] {
			continue
		}
		if total > forget {
			total = 0
			for s, n := range c {
				if n > 0 {
					c[s] = n>>1 | 1
					total += c[s]
				}
			}
		}
		m.total[ctx] = total
		m.build(ctx)
	}
}

// reset forgets everything.
func (m *tables) reset() {
	clear(m.used)
	clear(m.touched[:])
}

// build makes the code of a context's counts.
func (m *tables) build(ctx int) {
	scale := uint32(1) << m.scaleBits
	count := m.counts(ctx)
	kinds, single := uint32(1), uint32(0)
	for _, c := range count[:escape] {
		if c > 0 {
			kinds++
		}
		if c == 1 {
			single++
		}
	}
	rare := 1 + single/4 // how often something new is expected
	whole := uint64(m.total[ctx] + rare)
	var places [symbols]uint16
	left, most := scale, 0
	for s, c := range count {
		if s == escape {
			c = rare
		}
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
	places[most] += uint16(left) // what rounding left over
	var spread [1 << mostScale]uint8
	at, place := uint16(0), uint32(0)
	var first [symbols]uint16
	for s, n := range places {
		first[s] = at
		at += n
		for range n { // spread over the table
			spread[place&(1<<mostScale-1)] = uint8(s)
			place = (place + scale>>1 + scale>>3 + 3) & (scale - 1)
		}
	}
	next := places
	in := m.in[ctx<<m.scaleBits:][:scale]
	bare := ctx < m.bare
	for i := range in {
		s := spread[i&(1<<mostScale-1)] & (symbols - 1)
		x := next[s]
		next[s]++
		e := after[s]
		if bare {
			e = 0
			if s >= pairOther {
				e = odd << 11
			}
		}
		n := m.scaleBits + 1 - uint(bits.Len16(x))
		in[i] = e | entry(s) | entry(n)<<7 | entry(uint32(x)<<n-scale)<<19
		if m.writes {
			m.to[ctx<<m.scaleBits+int(first[s]+x-places[s])] = uint16(i)
		}
	}
	if m.writes {
		for s := range places {
			m.out[ctx*symbols+s] = symbolCode{places[s], first[s]}
		}
	}
}

const mostScale = 10

// after is what entries say of the raw bits behind a symbol.
var after = func() (t [symbols]entry) {
	for s, x := range meant {
		t[s] = entry(x.raw)<<11 | entry(x.lead)<<17
	}
	t[escape] = odd << 11
	return t
}()

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

// keep copies what was learned to another of the same kind.
func (m *tables) keep(to *tables) {
	for ctx, used := range m.used {
		to.used[ctx] = used
		if used {
			copy(to.counts(ctx)[:], m.counts(ctx)[:])
			to.total[ctx] = m.total[ctx]
			at, end := ctx<<m.scaleBits, (ctx+1)<<m.scaleBits
			copy(to.in[at:end], m.in[at:end])
			copy(to.to[at:end], m.to[at:end])
			copy(to.out[ctx*symbols:(ctx+1)*symbols], m.out[ctx*symbols:(ctx+1)*symbols])
		}
	}
}

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
	if sym = e.sym(); sym == escape {
		sym = uint8(r.bits(7))
	}
	m.count[ctx*symbols+int(sym)]++
	if ctx < m.bare {
		return sym, 0
	}
	return sym, r.raw(uint(meant[sym].raw))
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
