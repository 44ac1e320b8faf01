package delta

import (
	"encoding/binary"
	"math/bits"
)

// Matches: what lies between numbers — lists of whole numbers, names, graphs — is made of runs that stood in the base, or a little before. This is a coder
// of the family LZ77 with adaptive binary models (as LZMA has them): literals in the context of the byte that the last match would have gone on with, distances that repeat, lengths of any size.
//
// The window is the base's bytes that the operation names, and then the block itself.

// A probability that the next bit is 0, of 1 << 16, never 0 or 1.
type bit uint16

const (
	evenBit  = bit(1 << 15)
	bitShift = 4 // how fast it learns
)

// A matcher is the models of one block.
type matcher struct {
	isMatch [16][8]bit // by the last four operations and the position
	isRep   [16]bit
	repZero [16]bit
	repOne  [16]bit
	repTwo  [16]bit
	lengths [2][8]lengthModel // of matches and of repeated distances
	slots   [4][64]bit
	low     [16]bit
	special [32][32]bit // the bits of short distances, by slot
	literal []bit       // by the bits of the context, then 3 times 256
	lp, lc  uint
}

type lengthModel struct {
	class [32]bit
	upper [32][8]bit
}

func newMatcher(lp, lc uint) *matcher {
	m := &matcher{lp: lp, lc: lc, literal: make([]bit, 0x300<<(lp+lc))}
	fill := func(b []bit) {
		for i := range b {
			b[i] = evenBit
		}
	}
	for i := range m.isMatch {
		fill(m.isMatch[i][:])
	}
	fill(m.isRep[:])
	fill(m.repZero[:])
	fill(m.repOne[:])
	fill(m.repTwo[:])
	fill(m.low[:])
	for i := range m.slots {
		fill(m.slots[i][:])
	}
	for i := range m.special {
		fill(m.special[i][:])
	}
	for i := range m.lengths {
		for j := range m.lengths[i] {
			fill(m.lengths[i][j].class[:])
			for k := range m.lengths[i][j].upper {
				fill(m.lengths[i][j].upper[k][:])
			}
		}
	}
	fill(m.literal)
	return m
}

// literals are the models of a literal at a position after a byte.
func (m *matcher) literals(at int, before byte) []bit {
	c := at&(1<<m.lp-1)<<m.lc | int(before)>>(8-m.lc)
	return m.literal[c*0x300 : (c+1)*0x300]
}

// coder codes bits: an interval is divided (as in M. Mahoney's fpaq). One type reads and writes.
type coder struct {
	low, high, at uint32
	b             []byte // what is written, or what is still to be read
	reads, short  bool
	dry           bool // nothing is written and nothing learnt, only reckoned:
	cost          int  // in 1/256 bit
}

func newWriter() *coder { return &coder{high: 1<<32 - 1} }

func newReader(b []byte) *coder {
	c := &coder{high: 1<<32 - 1, b: b, reads: true}
	for range 4 {
		c.at = c.at<<8 | c.byte()
	}
	return c
}

func (c *coder) byte() uint32 {
	if len(c.b) == 0 {
		c.short = true
		return 0
	}
	v := uint32(c.b[0])
	c.b = c.b[1:]
	return v
}

// code writes v, or reads and returns a bit, that has the model p.
func (c *coder) code(p *bit, v uint32) uint32 {
	if c.dry {
		zero := uint32(*p) >> 5
		if v != 0 {
			zero = 2048 - zero
		}
		c.cost += costs[zero]
		return v
	}
	mid := c.low + uint32(uint64(c.high-c.low)*uint64(*p)>>16)
	if c.reads {
		v = 0
		if c.at > mid {
			v = 1
		}
	}
	if v == 0 {
		c.high = mid
		*p += (1<<16 - 1 - *p) >> bitShift
	} else {
		c.low = mid + 1
		*p -= *p >> bitShift
	}
	if *p < 32 {
		*p = 32
	}
	for (c.low^c.high)>>24 == 0 {
		if c.reads {
			c.at = c.at<<8 | c.byte()
		} else {
			c.b = append(c.b, byte(c.high>>24))
		}
		c.low <<= 8
		c.high = c.high<<8 | 255
	}
	return v
}

// tree codes n bits, the highest first.
func (c *coder) tree(p []bit, n uint, v uint32) uint32 {
	k := uint32(1)
	for i := int(n) - 1; i >= 0; i-- {
		k = k<<1 | c.code(&p[k], v>>uint(i)&1)
	}
	return k - 1<<n
}

// reverse codes n bits, the lowest first.
func (c *coder) reverse(p []bit, n uint, v uint32) uint32 {
	k, out := uint32(1), uint32(0)
	for i := uint(0); i < n; i++ {
		b := c.code(&p[k], v>>i&1)
		k = k<<1 | b
		out |= b << i
	}
	return out
}

// plain codes n bits that nothing is known of.
func (c *coder) plain(n uint, v uint32) uint32 {
	out := uint32(0)
	for i := int(n) - 1; i >= 0; i-- {
		p := evenBit
		out = out<<1 | c.code(&p, v>>uint(i)&1)
	}
	return out
}

func (c *coder) end() []byte { return binary.BigEndian.AppendUint32(c.b, c.low+(c.high-c.low)/2) }

// minMatch is the shortest match.
const minMatch = 2

// length codes a length: how many bits it has, the two after the first in that context, the others as they come.
func (l *lengthModel) code(c *coder, n uint32) uint32 {
	n -= minMatch - 1 // from 1
	class := c.tree(l.class[:], 5, uint32(bits.Len32(n)-1)&31)
	if class == 0 {
		return minMatch
	}
	known := min(uint(class), 2)
	v := 1<<known | c.tree(l.upper[class][:], known, n>>(uint(class)-known)&(1<<known-1))
	if rest := uint(class) - known; rest > 0 {
		v = v<<rest | c.plain(rest, n&(1<<rest-1))
	}
	return v + minMatch - 1
}

// distance codes how far back a match begins, from 1.
func (m *matcher) distance(c *coder, length, d uint32) uint32 {
	d--
	slot := d
	if d >= 4 {
		n := uint32(bits.Len32(d)) - 1
		slot = 2*n | d>>(n-1)&1
	}
	slot = c.tree(m.slots[min(length-minMatch, 3)][:], 6, slot)
	if slot < 4 {
		return slot + 1
	}
	n := uint(slot/2 - 1)
	v := (2 | slot&1) << n
	switch {
	case n <= 4:
		v |= c.reverse(m.special[slot&31][:], n, d&(1<<n-1))
	default:
		v |= c.plain(n-4, d>>4&(1<<(n-4)-1)) << 4
		v |= c.reverse(m.low[:], 4, d&15)
	}
	return v + 1
}

// state is where a coder of matches stands.
type state struct {
	last int // of the last four operations, a bit each: 1 a match
	reps [4]uint32
}

// literalByte codes a byte at window[at].
func (m *matcher) literalByte(c *coder, s *state, window []byte, at int, v byte) byte {
	before := byte(0)
	if at > 0 {
		before = window[at-1]
	}
	p := m.literals(at, before)
	k := uint32(1)
	if s.last&1 == 1 && int(s.reps[0]) <= at { // after a match: the byte it would have gone on with differs
		like := uint32(window[at-int(s.reps[0])])
		for i := 7; i >= 0; i-- {
			lb := like >> uint(i) & 1
			b := c.code(&p[(1+lb)<<8|k], uint32(v)>>uint(i)&1)
			k = k<<1 | b
			if b != lb {
				for i--; i >= 0; i-- {
					k = k<<1 | c.code(&p[k], uint32(v)>>uint(i)&1)
				}
			}
		}
	} else {
		k = 1<<8 | c.tree(p, 8, uint32(v))
	}
	s.last = s.last << 1 & 15
	return byte(k)
}

// flag is a bool as a bit.
func flag(on bool) uint32 {
	if on {
		return 1
	}
	return 0
}

// step codes an operation: n is 1 and rep -2 for a literal; rep -1 is a match at a new distance d.
func (m *matcher) step(c *coder, s *state, at int, n, d uint32, rep int) (uint32, uint32, int) {
	pos := at & 7
	if c.code(&m.isMatch[s.last][pos], flag(rep >= -1)) == 0 {
		return 1, 0, -2
	}
	if c.code(&m.isRep[s.last], flag(rep >= 0)) == 0 {
		n = m.lengths[0][pos].code(c, n)
		d = m.distance(c, n, d)
		s.reps = [4]uint32{d, s.reps[0], s.reps[1], s.reps[2]}
		s.last = s.last<<1&15 | 1
		return n, d, -1
	}
	switch {
	case c.code(&m.repZero[s.last], flag(rep > 0)) == 0:
		rep = 0
	case c.code(&m.repOne[s.last], flag(rep > 1)) == 0:
		rep = 1
	case c.code(&m.repTwo[s.last], flag(rep > 2)) == 0:
		rep = 2
	default:
		rep = 3
	}
	d = s.reps[rep]
	copy(s.reps[1:rep+1], s.reps[:rep])
	s.reps[0] = d
	n = m.lengths[1][pos].code(c, n)
	s.last = s.last<<1&15 | 1
	return n, d, rep
}

// unmatch reads a block after what is in window already, in place: window is dictionary and block.
func unmatch(window []byte, from int, in []byte, lp, lc uint) bool {
	m, c := newMatcher(lp, lc), newReader(in)
	s := state{reps: [4]uint32{1, 1, 1, 1}}
	for at := from; at < len(window); {
		n, d, rep := m.step(c, &s, at, 0, 0, 0)
		if rep == -2 {
			window[at] = m.literalByte(c, &s, window, at, 0)
			at++
			continue
		}
		if c.short || int64(d) > int64(at) || int64(n) > int64(len(window)-at) {
			return false
		}
		if src := at - int(d); int(d) >= int(n) {
			copy(window[at:at+int(n)], window[src:])
		} else {
			for i := range int(n) {
				window[at+i] = window[src+i]
			}
		}
		at += int(n)
	}
	return len(c.b) <= 8
}

// matched codes a block, the bytes of like being known to the reader. The shape is what the format says.
func matched(block, like []byte, shape byte) []byte {
	window, from := append(append(make([]byte, 0, len(like)+len(block)), like...), block...), len(like)
	m, c := newMatcher(uint(shape>>4), uint(shape&15)), newWriter()
	s := state{reps: [4]uint32{1, 1, 1, 1}}
	p := planner{m: m, f: newFinder(window)}
	for at := from; at < len(window); {
		for _, by := range p.plan(s, at) {
			if by.rep == -2 {
				m.step(c, &s, at, 1, 0, -2)
				m.literalByte(c, &s, window, at, window[at])
				at++
				continue
			}
			m.step(c, &s, at, uint32(by.n), uint32(by.d), by.rep)
			at += by.n
		}
	}
	return c.end()
}
