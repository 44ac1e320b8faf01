package delta

import "math/bits"

const (
	forget    = 1 << 15 // counts are halved from here on
	mostScale = 10
)

// entry is what a reader finds at a state: the symbol (7 bits), how many bits lead to the next state (4), whether it is plain (1), from where the bits lead (10, from the
// 16th on), and how many bits are read in all (6; of bytes 0).
//
// Symbols never seen are not plain, nor those that more than 31 raw bits follow; and no entry is before a context's first table is made.
type entry uint32

const plain entry = 1 << 11

func (e entry) sym() uint   { return uint(e & (symbols - 1)) }
func (e entry) bits() uint  { return uint(e>>7) & 15 }
func (e entry) plain() bool { return e&plain != 0 }
func (e entry) next() uint  { return uint(e>>16) & (1<<mostScale - 1) }
func (e entry) both() uint  { return uint(e >> 26) }

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
	in        []entry                               // of a reader: by context, then state
	count     []uint32                              // by context, then symbol
	total     []uint32                              // of count when the code was made
	used      []bool
	touched   [256]bool // since they learned last
	any       bool      // all used ones may have been
	writes    bool
	out       []symbolCode // by context, then symbol
	to        []uint16     // where a writer goes, by context, then symbol
	packed    []byte
}

// make makes room for contexts.
func (m *tables) make(contexts int, scaleBits uint) {
	m.scaleBits = scaleBits
	if m.count == nil {
		m.count = make([]uint32, contexts*symbols)
	}
	if m.in == nil && !m.writes {
		m.in = make([]entry, contexts<<scaleBits)
	}
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
	for ctx, used := range m.used {
		if !used || !m.any && !m.touched[ctx] {
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
	m.any = false
}

// reset forgets everything.
func (m *tables) reset() {
	clear(m.used)
	clear(m.touched[:])
	clear(m.in)
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
	if m.writes {
		to := m.to[ctx<<m.scaleBits:][:scale]
		for i := range to {
			s := spread[i&(1<<mostScale-1)] & (symbols - 1)
			to[first[s]+next[s]-places[s]] = uint16(i)
			next[s]++
		}
		for s := range places {
			m.out[ctx*symbols+s] = symbolCode{places[s], first[s]}
		}
		return
	}
	in, after, bit := m.in[ctx<<m.scaleBits:][:scale], &afterNumbers, entry(1<<7|1<<26)
	if ctx < m.bare {
		after, bit = &afterPairs, 1<<7
	}
	for i := range in {
		s := spread[i&(1<<mostScale-1)] & (symbols - 1)
		x := next[s]
		next[s]++
		n := m.scaleBits + 1 - uint(bits.Len16(x))
		in[i] = after[s] + entry(n)*bit + entry(uint32(x)<<n-scale)<<16
	}
}

// afterNumbers and afterPairs are what entries have whatever their state.
var afterNumbers, afterPairs = func() (numbers, pairs [symbols]entry) {
	for s, x := range meant {
		numbers[s], pairs[s] = entry(s), entry(s)
		if s != escape && x.raw < 32 {
			numbers[s] |= plain | entry(x.raw)<<26
		}
		if s < pairOther {
			pairs[s] |= plain
		}
	}
	return numbers, pairs
}()

// keep copies what was learned to another of the same kind.
func (m *tables) keep(to *tables) {
	for ctx, used := range m.used {
		to.used[ctx] = used
		if used {
			copy(to.counts(ctx)[:], m.counts(ctx)[:])
			to.total[ctx] = m.total[ctx]
			at, end := ctx<<m.scaleBits, (ctx+1)<<m.scaleBits
			copy(to.to[at:end], m.to[at:end])
			copy(to.out[ctx*symbols:(ctx+1)*symbols], m.out[ctx*symbols:(ctx+1)*symbols])
		}
	}
}
