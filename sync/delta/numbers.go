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
// Bytes (quantised weights) are in bytes.go.
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
	t := &table{}
	if n := len(m.spare); n > 0 {
		t = m.spare[n-1]
		m.spare = m.spare[:n-1]
		*t = table{}
	}
	t.due = firstDue
	return t
}

func (m *numbers) at(c int) *table {
	t := m.tables[c]
	if t == nil {
		t = m.fresh()
		m.tables[c] = t
	}
	return t
}

// start prepares columns.
func (m *numbers) start(stride int) {
	if m.all == nil {
		m.reset()
	}
	if cap(m.column) < stride {
		m.column, m.zero = make([]int32, stride), make([]uint8, stride)
	}
	m.column, m.zero = m.column[:stride], m.zero[:stride]
	clear(m.column)
	clear(m.zero)
}

// lane is a part of a block: the parts are read in turns, which keeps several chains of the processor busy.
type lane struct {
	level int32 // what size a difference has, in the units of size below, beside its column
	last  uint8 // 1: the number before is unchanged
	lean  int32 // bytes: whether differences lead away from zero
	j     int   // column
}

func newLanes(part, columns int, level int32) (ls [lanes]lane) {
	for k := range ls {
		ls[k].level, ls[k].j = level, k*part%columns
	}
	return ls
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
	l.last, m.zero[j] = 0, 0
	if sym == 0 {
		l.last, m.zero[j] = 1, 1
	}
	miss := (meant[sym].half+2*e)*unit - expected
	if sym == 0 && (miss > 0 || miss < -8*unit) { // no news, or a weight that cannot move
		return
	}
	l.level += miss >> 4
	m.column[j] += miss >> 2
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
	exponent uint   // where it begins
	mask     uint64 // and what it is; 0 of a whole number
	fine     uint   // how exactly a size is told apart
	drop     uint   // low bits that no number of the block has
}

// without is the layout of numbers whose low bits are all 0.
func (f layout) without(drop uint) layout {
	f.exponent -= min(drop, f.exponent)
	f.drop = drop
	return f
}

func (f layout) bits() uint { return 8*uint(f.width) - f.drop }

// empty is how many low bits no number of two blocks has; of floats at most those of the fraction.
func (f layout) empty(a, b []byte) uint {
	all := uint64(0)
	for i := 0; i < len(a); i += f.width {
		all |= load(a[i:], f.width) | load(b[i:], f.width)
	}
	if f.mask == 0 || all == 0 {
		return 0
	}
	return min(uint(bits.TrailingZeros64(all)), f.exponent)
}

var layouts = [...]layout{
	chunk.Int8: {width: 1}, chunk.Int16: {2, 0, 0, 4, 0}, chunk.Int32: {4, 0, 0, 4, 0}, chunk.Int64: {8, 0, 0, 4, 0},
	chunk.Float16: {2, 10, 31, 4, 0}, chunk.BFloat16: {2, 7, 255, 4, 0}, chunk.Float32: {4, 23, 255, 4, 0}, chunk.Float64: {8, 52, 2047, 4, 0},
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
	m.steps = m.steps[:0]
	var raw bitWriter
	if f.width == 1 {
		m.encodeBytes(now, base, &raw)
	} else {
		m.encodeNumbers(now, base, f, level, &raw)
	}
	coded := pack(nil, m.steps)
	dst = binary.AppendUvarint(dst, uint64(len(coded)))
	dst = append(dst, coded...)
	return append(dst, raw.end()...)
}

// encodeNumbers writes numbers of more than a byte.
func (m *numbers) encodeNumbers(now, base []byte, f layout, level int32, raw *bitWriter) {
	w := f.width
	n := len(now) / w
	part := (n + lanes - 1) / lanes
	ls := newLanes(part, len(m.column), level)
	for i := range part {
		for k := range ls {
			at := (i + k*part) * w
			if at >= n*w {
				break
			}
			l := &ls[k]
			d, e := f.differ(load(now[at:], w)>>f.drop, load(base[at:], w)>>f.drop)
			c, expected := m.context(l, e, f.fine)
			sym, below, bits := symbol(d)
			m.write(c, sym, k, raw)
			if bits > 32 {
				raw.put(below, 32)
				below, bits = below>>32, bits-32
			}
			raw.put(below, bits)
			m.learn(l, e, expected, sym)
		}
	}
}

// differ returns the difference of a number to the base's, away from zero being positive, and the base's exponent.
func (f layout) differ(a, b uint64) (d int64, exponent int32) {
	width := f.bits()
	sign := uint64(1) << (width - 1)
	neg := b & sign
	a, b = a^neg, b^neg
	if a&sign != 0 {
		a ^= sign - 1
	}
	return int64((a-b)<<(64-width)) >> (64 - width), int32(b >> f.exponent & f.mask)
}

// write codes a symbol in a context.
func (m *numbers) write(c int, sym uint8, k int, raw *bitWriter) {
	t := m.at(c)
	if t.built {
		if x := t.code[sym]; x > 0 {
			m.steps = append(m.steps, newStep(x, k))
			t.see(sym)
			return
		}
		m.steps = append(m.steps, newStep(t.code[escape], k))
	}
	t.see(sym)
	if m.all.built && m.all.code[sym] > 0 {
		m.steps = append(m.steps, newStep(m.all.code[sym], k))
	} else {
		if m.all.built {
			m.steps = append(m.steps, newStep(m.all.code[escape], k))
		}
		raw.put(uint64(sym), 8)
	}
	m.all.see(sym)
}

// rare reads a symbol that its context has no frequency for.
func (m *numbers) rare(t *table, k int, u *unpacker, raw *bitReader) uint8 {
	var sym uint8 = escape
	if m.all.built {
		sym = u.next(m.all, k)
	}
	if sym == escape {
		if sym = uint8(raw.bits(8)); sym == escape {
			u.short = true
			sym = 0
		}
	}
	t.see(sym)
	m.all.see(sym)
	return sym
}

// read is the reader's write.
func (m *numbers) read(c int, k int, u *unpacker, raw *bitReader) uint8 {
	t := m.tables[c]
	if t == nil {
		t = m.at(c)
	}
	if !t.built {
		return m.rare(t, k, u, raw)
	}
	sym := u.next(t, k)
	if sym == escape {
		return m.rare(t, k, u, raw)
	}
	t.count[sym]++
	if t.since++; t.since >= t.due {
		t.build()
	}
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
	raw := newBitReader(in[k+int(size):])
	if f.width == 1 {
		m.decodeBytes(dst, base, &u, &raw)
	} else {
		m.decodeNumbers(dst, base, f, level, &u, &raw)
	}
	return !u.short
}

// meant is what symbols stand for: the size of a difference in half bits, its leading bits, how many are below, and all ones if it is negative.
var meant = func() (t [256]struct {
	half  int32
	below uint8
	lead  uint8
	minus uint64
}) {
	t[0].half, t[1].half, t[2].half = -2, 2, 2
	t[1].lead, t[2].lead = 1, 1
	t[2].minus = ^uint64(0)
	for s := 3; s < escape; s++ {
		t[s].half, t[s].below, t[s].lead = int32(s-3)>>1+4, uint8(s-3)>>2, 2|uint8(s-3)>>1&1
		t[s].minus = -(uint64(s-3) & 1)
	}
	return t
}()

// decodeNumbers is where a reader's time goes: context, next and learn stand here once more, without branches that nobody can foretell.
func (m *numbers) decodeNumbers(dst, base []byte, f layout, level int32, u *unpacker, raw *bitReader) {
	w := f.width
	n := len(dst) / w
	part := (n + lanes - 1) / lanes
	columns, zeros := m.column, m.zero[:len(m.column)]
	ls := newLanes(part, len(columns), level)
	top := f.bits() - 1
	sign, drop := uint64(1)<<top, f.drop&63
	words, exponent, mask, fine := u.words, f.exponent&63, f.mask, f.fine&31
	for i := range part {
		for k := range ls {
			at := (i + k*part) * w
			if at >= n*w {
				break
			}
			l := &ls[k]
			j := l.j
			if l.j = j + 1; l.j == len(columns) {
				l.j = 0
			}
			b := load(base[at:], w) >> drop
			neg := b & sign
			b ^= neg
			e := int32(b >> exponent & mask)
			above := columns[j]
			expected := l.level + above
			t := m.tables[int(min(max((expected-2*unit*e)>>fine+4, 0), 127))<<2|int(l.last)<<1|int(zeros[j])]
			var sym uint8
			if t != nil && t.built {
				x := u.states[k]
				sym = t.slot[x&(scale-1)]
				code := uint32(t.code[sym])
				x = (code>>16)*(x>>scaleBits) + x&(scale-1) - code&(scale-1)
				if u.at+1 >= len(words) { // the end, or beyond it
					x = u.refill(x)
				} else {
					low := uint32((int64(x)-stateLow)>>63) & 0xffff // all ones: it needs a word
					x = x<<(low&16) | (uint32(words[u.at])|uint32(words[u.at+1])<<8)&low
					u.at += int(low & 2)
				}
				u.states[k] = x
			} else {
				sym = escape
			}
			if sym == escape {
				sym = m.rare(m.at(int(min(max((expected-2*unit*e)>>fine+4, 0), 127))<<2|int(l.last)<<1|int(zeros[j])), k, u, raw)
			} else {
				t.see(sym)
			}
			what := &meant[sym]
			miss := (what.half+2*e)*unit - expected
			same := uint8((int32(sym) - 1) >> 31 & 1)
			if sym == 0 && (miss > 0 || miss < -8*unit) {
				miss = 0
			}
			l.last, zeros[j] = same, same
			l.level += miss >> 4
			columns[j] = above + miss>>2
			d := uint64(what.lead)<<(what.below&63) | raw.bits(uint(what.below))
			b += d ^ what.minus - what.minus
			b ^= (sign - 1) & -(b & sign >> top)
			store(dst[at:], (b^neg)<<drop, w)
		}
	}
}

// level is the usual size of a difference in a block, for a reader to begin with.
func level(now, base []byte, f layout) int32 {
	if f.width == 1 {
		return 0
	}
	w := f.width
	n := len(now) / w
	sum, count := int64(0), int64(0)
	for i := 0; i < n; i += 1 + n/4096 {
		d, e := f.differ(load(now[i*w:], w)>>f.drop, load(base[i*w:], w)>>f.drop)
		if sym, _, _ := symbol(d); sym > 0 {
			sum += (int64(meant[sym].half) + 2*int64(e)) * unit
			count++
		}
	}
	return int32(sum / max(count, 1))
}
