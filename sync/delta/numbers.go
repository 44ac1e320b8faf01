package delta

import (
	"encoding/binary"
	"math/bits"

	"edgeward/sync/chunk"
)

// contexts is how many tables a kind of numbers has.
const contexts = 512

// numbers codes numbers by what they were in the base. One is kept for each kind of number and learns from block to block.
//
// The difference of two floats is taken in their order (see the package comment), in units of the last place, away from zero being positive. Its size in bits is
// what there is to know: a training step moves the weights of a neighbourhood by about as much, whatever their own size, and so the size of the
// difference is foretold by the size of its neighbours' — those before it in the row, and those above it in the column — less the exponent of the base. The symbol is the
// difference's sign, size and first bit after the leading one; what is below that is noise and stored as it is.
//
// Whole numbers (8 bits mostly: quantised weights) differ by a step or not at all; contexts are the base's own value and what neighbours did.
type numbers struct {
	tables [contexts]*table
	all    *table // what a context begins with, and where it looks for what it has never seen
	column []int32
	zero   []uint8 // per column: unchanged
	steps  []step
	spare  []*table
}

// reset forgets everything.
func (m *numbers) reset() {
	for i, t := range m.tables {
		if t != nil {
			m.spare = append(m.spare, t)
			m.tables[i] = nil
		}
	}
	m.all = m.fresh()
}

func (m *numbers) fresh() *table {
	if n := len(m.spare); n > 0 {
		t := m.spare[n-1]
		m.spare = m.spare[:n-1]
		*t = table{}
		return t
	}
	return &table{}
}

func (m *numbers) at(c int) *table {
	t := m.tables[c]
	if t == nil {
		t = m.fresh()
		t.due = firstDue
		m.tables[c] = t
	}
	return t
}

// start prepares columns.
func (m *numbers) start(stride int) {
	if m.all == nil {
		m.reset()
	}
	if m.all.due == 0 {
		m.all.due = firstDue
	}
	if cap(m.column) < stride {
		m.column, m.zero = make([]int32, stride), make([]uint8, stride)
	}
	m.column, m.zero = m.column[:stride], m.zero[:stride]
	clear(m.column)
	clear(m.zero)
}

// lane is a half of a block: both are read in turns, which keeps two chains of the processor busy.
type lane struct {
	level int32 // what size a difference has, in the units of size below, beside its column
	last  uint8 // 1: the number before is unchanged
	lean  int32 // whole numbers: whether differences lead away from zero
	j     int   // column
}

// sizes are in sixteenths of half a bit, of the difference itself: exponent included.
const unit = 16

// context of a float whose exponent is e.
func (m *numbers) context(l *lane, e int32, fine uint) (c int, expected int32) {
	expected = l.level + m.column[l.j]
	h := min(max((expected-2*unit*e)>>fine+4, 0), 127)
	return int(h)<<2 | int(l.last)<<1 | int(m.zero[l.j]), expected
}

// learn takes what became of that float: its symbol.
func (m *numbers) learn(l *lane, e, expected int32, sym uint8) {
	j := l.j
	if l.j++; l.j == len(m.column) {
		l.j = 0
	}
	h := int32(-2)
	l.last, m.zero[j] = 0, 0
	switch {
	case sym > 2:
		h = int32(sym-3)>>1 + 4
	case sym > 0:
		h = 2
	default:
		l.last, m.zero[j] = 1, 1
	}
	miss := (h+2*e)*unit - expected
	if sym == 0 && (miss > 0 || miss < -8*unit) { // no news, or a weight that cannot move
		return
	}
	l.level += miss >> 4
	m.column[j] += miss >> 2
}

// wholeContext of a whole number.
func (m *numbers) wholeContext(l *lane, base uint8) int {
	a := l.level >> 12 // 0..15
	busy := 0
	switch {
	case a >= 8:
		busy = 3
	case a >= 3:
		busy = 2
	case a >= 1:
		busy = 1
	}
	lean := 1
	if l.lean > 1<<10 {
		lean = 2
	} else if l.lean < -1<<10 {
		lean = 0
	}
	return (int(base>>3)*4+busy)*3 + lean
}

func (m *numbers) wholeLearn(l *lane, base uint8, sym uint8) {
	if sym == 0 {
		l.level -= l.level >> 5
		l.lean -= l.lean >> 5
		return
	}
	l.level += (1<<16 - l.level) >> 5
	away := int32(1 << 13)
	if (sym&1 == 1) != (int8(base) < 0) { // odd: 1 and 3, 5…: positive
		l.lean += (away - l.lean) >> 5
	} else {
		l.lean += (-away - l.lean) >> 5
	}
}

// symbol of a difference, and its bits below.
func symbol(d int64) (sym uint8, below uint64, n uint) {
	s := uint64(d >> 63)
	size := (uint64(d) ^ s) - s
	k := uint(bits.Len64(size))
	switch k {
	case 0:
		return 0, 0, 0
	case 1:
		return 1 + uint8(s&1), 0, 0
	}
	half := size >> (k - 2) & 1
	return 3 + uint8((k-2)<<2) + uint8(half<<1) + uint8(s&1), size & (1<<(k-2) - 1), k - 2
}

// layout of a kind of number.
type layout struct {
	width    int
	exponent uint // where it begins, 0: a whole number
	mask     uint64
	fine     uint // how exactly a size is told apart
}

var layouts = [...]layout{
	chunk.Int8: {width: 1}, chunk.Int16: {width: 2}, chunk.Int32: {width: 4}, chunk.Int64: {width: 8},
	chunk.Float16: {2, 10, 31, 3}, chunk.BFloat16: {2, 7, 255, 3}, chunk.Float32: {4, 23, 255, 3}, chunk.Float64: {8, 52, 2047, 4},
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

func store(b []byte, v uint64, width int) {
	switch width {
	case 1:
		b[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(b, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(b, uint32(v))
	default:
		binary.LittleEndian.PutUint64(b, v)
	}
}

// encode appends what makes now of base.
func (m *numbers) encode(dst []byte, now, base []byte, f layout, stride int, level int32) []byte {
	m.start(stride)
	w := f.width
	n := len(now) / w
	half := (n + 1) / 2
	m.steps = m.steps[:0]
	var raw bitWriter
	ls := [lanes]lane{{level: level}, {level: level, j: half % stride}}
	shift := 64 - 8*uint(w)
	sign := uint64(1) << (8*uint(w) - 1)
	one := func(i, k int) {
		l := &ls[k]
		a, b := load(now[i*w:], w), load(base[i*w:], w)
		var d int64
		var c int
		var e, expected int32
		if f.exponent == 0 {
			d = int64((a-b)<<shift) >> shift
			c = m.wholeContext(l, uint8(b>>(8*uint(w)-8)))
		} else {
			neg := b & sign
			a, b = a^neg, b^neg
			if a&sign != 0 {
				a ^= sign - 1
			}
			d = int64((a-b)<<shift) >> shift
			e = int32(b >> f.exponent & f.mask)
			c, expected = m.context(l, e, f.fine)
		}
		sym, below, k2 := symbol(d)
		m.write(c, sym, k, &raw)
		if k2 > 32 {
			raw.put(below, 32)
			raw.put(below>>32, k2-32)
		} else {
			raw.put(below, k2)
		}
		if f.exponent == 0 {
			m.wholeLearn(l, uint8(b>>(8*uint(w)-8)), sym)
		} else {
			m.learn(l, e, expected, sym)
		}
	}
	for i := range half {
		one(i, 0)
		if half+i < n {
			one(half+i, 1)
		}
	}
	coded := pack(nil, m.steps)
	dst = binary.AppendUvarint(dst, uint64(len(coded)))
	dst = append(dst, coded...)
	return append(dst, raw.end()...)
}

// write codes a symbol in a context.
func (m *numbers) write(c int, sym uint8, k int, raw *bitWriter) {
	t := m.at(c)
	if t.built {
		if t.freq[sym] > 0 {
			m.steps = append(m.steps, newStep(t.freq[sym], t.start[sym], k))
			t.see(sym)
			return
		}
		m.steps = append(m.steps, newStep(t.freq[escape], t.start[escape], k))
	}
	t.see(sym)
	if m.all.built && m.all.freq[sym] > 0 {
		m.steps = append(m.steps, newStep(m.all.freq[sym], m.all.start[sym], k))
	} else {
		if m.all.built {
			m.steps = append(m.steps, newStep(m.all.freq[escape], m.all.start[escape], k))
		}
		raw.put(uint64(sym), 8)
	}
	m.all.see(sym)
}

// read is the reader's write.
func (m *numbers) read(c int, k int, u *unpacker, raw *bitReader) uint8 {
	t := m.at(c)
	if t.built {
		if sym := u.next(t, k); sym != escape {
			t.see(sym)
			return sym
		}
	}
	var sym uint8 = escape
	if m.all.built {
		sym = u.next(m.all, k)
	}
	if sym == escape {
		sym = uint8(raw.get(8))
		if sym == escape {
			u.short = true
			sym = 0
		}
	}
	t.see(sym)
	m.all.see(sym)
	return sym
}

// decode writes what encode was given, and reports whether the input was whole.
func (m *numbers) decode(dst []byte, in []byte, base []byte, f layout, stride int, level int32) bool {
	m.start(stride)
	size, k := binary.Uvarint(in)
	if k <= 0 || size > uint64(len(in)-k) {
		return false
	}
	u, ok := newUnpacker(in[k : k+int(size)])
	if !ok {
		return false
	}
	raw := bitReader{in: in[k+int(size):]}
	w := f.width
	n := len(dst) / w
	half := (n + 1) / 2
	ls := [lanes]lane{{level: level}, {level: level, j: half % stride}}
	sign := uint64(1) << (8*uint(w) - 1)
	one := func(i, k int) {
		l := &ls[k]
		b := load(base[i*w:], w)
		var e, expected int32
		var neg uint64
		var c int
		if f.exponent == 0 {
			c = m.wholeContext(l, uint8(b>>(8*uint(w)-8)))
		} else {
			neg = b & sign
			b ^= neg
			e = int32(b >> f.exponent & f.mask)
			c, expected = m.context(l, e, f.fine)
		}
		sym := m.read(c, k, &u, &raw)
		var d uint64
		switch {
		case sym > 2:
			n := uint(sym-3) >> 2
			d = (2|uint64(sym-3)>>1&1)<<n | raw.get(min(n, 32))
			if n > 32 {
				d |= raw.get(n-32) << 32
			}
			d = (d ^ -uint64((sym-3)&1)) + uint64((sym-3)&1)
		case sym > 0:
			d = 1
			if sym == 2 {
				d = ^uint64(0)
			}
		}
		a := b + d
		if f.exponent == 0 {
			m.wholeLearn(l, uint8(b>>(8*uint(w)-8)), sym)
		} else {
			m.learn(l, e, expected, sym)
			if a&sign != 0 {
				a ^= sign - 1
			}
			a ^= neg
		}
		store(dst[i*w:], a, w)
	}
	for i := range half {
		one(i, 0)
		if half+i < n {
			one(half+i, 1)
		}
	}
	return !u.short
}

// level is the usual size of a difference in a block, for a reader to begin with.
func level(now, base []byte, f layout) int32 {
	if f.exponent == 0 {
		return 0
	}
	w := f.width
	n := len(now) / w
	sign := uint64(1) << (8*uint(w) - 1)
	shift := 64 - 8*uint(w)
	sum, count := int64(0), int64(0)
	for i := 0; i < n; i += 1 + n/4096 {
		a, b := load(now[i*w:], w), load(base[i*w:], w)
		neg := b & sign
		a, b = a^neg, b^neg
		if a&sign != 0 {
			a ^= sign - 1
		}
		if sym, _, _ := symbol(int64((a-b)<<shift) >> shift); sym > 0 {
			h := int64(2)
			if sym > 2 {
				h = int64(sym-3)>>1 + 4
			}
			sum += (h + 2*int64(b>>f.exponent&f.mask)) * unit
			count++
		}
	}
	return int32(sum / max(count, 1))
}
