package delta

import (
	"encoding/binary"
	"math/bits"

	"edgeward/sync/chunk"
)

// contexts of a kind of numbers: first those of numbers, then those of what rows and columns have. Bytes have others (bytes.go).
const (
	sizes          = 128
	rowsAt         = 128
	columnsAt      = 129
	factorsAt      = 130
	numberContexts = 1 << 8  // most are never used; so many, that a byte is one
	numberScale    = 8       // and a byte a state
	chunkOf        = 1024    // numbers that are worked at together
	leastGroup     = 512     // numbers
	mostGroup      = 1 << 14 // between two times of learning
)

// numbers codes numbers by what they were in the base. One is kept for each kind of number and learns from block to block.
//
// The difference of two floats is taken in their order (see the package comment), in units of the last place, away from zero being positive. Its size in bits is
// what there is to know: a training step moves a row of weights, and a column, by about as much, whatever their own size. So the usual size of each row and column is sent
// ahead, and the context of a number is that size less the base's exponent. The symbol is the difference's size and first bit after the leading one; what is below
// that is noise and stored as it is, and so is the sign. Nothing depends on the symbol before: a reader has several numbers in work at a time.
//
// Bytes (quantised weights) are in bytes.go.
type numbers struct {
	tables
	seen        int // numbers since the model began
	row, column []int32
	moves       []uint8
	steps, all  []step
	base        []byte
	chunk       struct {
		numbers  [chunkOf]uint64
		contexts [chunkOf]uint8
	}
}

// newNumbers is a model of a kind of numbers; only one that writes can encode.
func newNumbers(f layout, writes bool) *numbers {
	m := &numbers{}
	m.writes = writes
	if f.width == 1 {
		m.bare, m.fill = valueAt, expectBytes
		m.make(byteContexts, byteScale)
	} else {
		m.fill = expect
		m.make(numberContexts, numberScale)
	}
	return m
}

// reset forgets everything.
func (m *numbers) reset() {
	m.tables.reset()
	m.seen = 0
}

// next is how many numbers the next group has, of n.
func (m *numbers) next(n int) int {
	g := min(n, max(leastGroup, min(m.seen/2, mostGroup)))
	m.seen += g
	return g
}

// symbol of a difference, and its bits below, the lowest of which is its sign.
func symbol(d int64) (sym uint8, raw uint64) {
	s := uint64(d >> 63)
	size := (uint64(d) ^ s) - s
	k := uint(bits.Len64(size))
	switch k {
	case 0:
		return 0, 0
	case 1:
		return 1, s & 1
	}
	half := size >> (k - 2) & 1
	return 2 + uint8((k-2)<<1) + uint8(half), size&(1<<(k-2)-1)<<1 | s&1
}

// meant is what symbols stand for: the size of a difference in half bits, its leading bits, and how many follow, the sign among them.
var meant = func() (t [symbols]struct {
	half int32
	raw  uint8
	lead uint8
}) {
	t[1].half, t[1].raw, t[1].lead = 2, 1, 1
	for s := 2; s < escape; s++ {
		t[s].half, t[s].raw, t[s].lead = int32(s-2)+4, uint8(s-2)>>1+1, 2|uint8(s-2)&1
	}
	return t
}()

// value of a symbol with the bits that follow it.
func value(sym uint8, raw uint64) int64 {
	x := &meant[sym&(symbols-1)]
	s := -(raw & 1)
	return int64((uint64(x.lead)<<((x.raw-1)&63) | raw>>1) ^ s - s)
}

// usual is how often differences are of which size, in half bits from eight below what is foretold on.
var usual = [...]uint32{1, 1, 2, 2, 3, 4, 6, 8, 10, 12, 11, 7, 3, 1, 1}

// expect fills what a context of numbers begins with.
func expect(count *[symbols]uint32, ctx int) {
	if ctx >= sizes { // what rows and columns have
		for i := range 9 {
			count[i] = uint32(16 >> ((i + 1) / 2))
		}
		return
	}
	for i, n := range usual {
		half := ctx + i - 8
		switch {
		case half < 2:
			count[0] += 2 * n
		case half < 4:
			count[1] += 2 * n
		case half-2 < escape:
			count[half-2] += 2 * n
		}
	}
}

// layout of a kind of number.
type layout struct {
	width    int
	exponent uint   // where it begins
	mask     uint64 // and what it is; 0 of a whole number
	drop     uint   // low bits that no number of the block has
}

// without is the layout of numbers whose low bits are all 0.
func (f layout) without(drop uint) layout {
	f.exponent -= min(drop, f.exponent)
	f.drop = drop
	return f
}

// ranks says whether blocks of n numbers are foretold by factors.
func (f layout) ranks(n, stride int) bool {
	return f.width == 4 && f.exponent == 23 && stride >= leastRows && n/stride >= leastRows
}

func (f layout) bits() uint { return 8*uint(f.width) - f.drop }

// sign is the bit of the sign; whole numbers have none that stands apart.
func (f layout) sign() uint64 {
	if f.mask == 0 {
		return 0
	}
	return 1 << (f.bits() - 1)
}

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
	chunk.Int8: {width: 1}, chunk.Int16: {width: 2}, chunk.Int32: {width: 4}, chunk.Int64: {width: 8},
	chunk.Float16: {2, 10, 31, 0}, chunk.BFloat16: {2, 7, 255, 0}, chunk.Float32: {4, 23, 255, 0}, chunk.Float64: {8, 52, 2047, 0},
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

// differ returns the difference of a number to the base's, away from zero being positive, and the base's exponent.
func (f layout) differ(a, b uint64) (d int64, exponent int32) {
	width := f.bits()
	sign := f.sign()
	neg := b & sign
	a, b = a^neg, b^neg
	if a&sign != 0 {
		a ^= sign - 1
	}
	return int64((a-b)<<(64-width)) >> (64 - width), int32(b >> f.exponent & f.mask)
}

// grid is how a block of n numbers is divided: rows of so many numbers, and columns if there are enough rows to know something of them.
func grid(n, stride int) (row, columns int) {
	row = stride
	if row < 64 {
		row *= (63 + row) / row
	}
	if stride > 1 && stride <= 1<<13 && n/row >= 8 {
		columns = stride
	}
	return row, columns
}

// start prepares rows and columns.
func (m *numbers) start(n, stride int) (row, columns int) {
	row, columns = grid(n, stride)
	m.row, m.column = fit(m.row, (n+row-1)/row), fit(m.column, max(columns, 1))
	return row, columns
}

// fit is n zeros.
func fit(b []int32, n int) []int32 {
	if cap(b) < n {
		return make([]int32, n)
	}
	b = b[:n]
	clear(b)
	return b
}

// Sizes of rows and columns are in quarters of a bit, of the difference itself: exponent included.
func contextOf(row, column, e int32) uint16 {
	return uint16(min(max((row+column-4*e)>>1, 0), sizes-1))
}

// encode appends what makes now of base, which it foretells by factors of at most that rank.
func (m *numbers) encode(dst []byte, now, base []byte, f layout, stride, most int) []byte {
	if f.width == 1 {
		return m.encodeBytes(dst, now, base, stride)
	}
	w := f.width
	n := len(now) / w
	row, columns := m.start(n, stride)
	if f.ranks(n, stride) {
		x := factor(now, base, stride, most)
		dst = x.append(dst, m)
		if len(x.scale) > 0 {
			m.base = append(m.base[:0], base...)
			x.add(m.base, base, stride)
			base = m.base
		}
	}
	all := m.all[:0]
	for i := range n {
		d, e := f.differ(load(now[i*w:], w)>>f.drop, load(base[i*w:], w)>>f.drop)
		s := step{code: uint16(e)}
		s.sym, s.raw = symbol(d)
		all = append(all, s)
	}
	m.all = all
	m.level(all, row, columns)
	dst = m.levels(dst, m.row, rowsAt)
	if columns > 0 {
		dst = m.levels(dst, m.column, columnsAt)
	}
	j := 0
	for i := range all {
		s := &all[i]
		s.ctx = contextOf(m.row[i/row], m.column[j], int32(s.code))
		if j++; j >= columns {
			j = 0
		}
	}
	for at := 0; at < n; {
		g := m.next(n - at)
		for i := range g {
			all[at+i].who = uint8(i & (lanes - 1))
		}
		dst = m.group(dst, all[at:at+g])
		at += g
	}
	return dst
}

// level finds the usual sizes of rows and columns.
func (m *numbers) level(all []step, row, columns int) {
	size := func(s step) int32 { return 2*meant[s.sym].half + 4*int32(s.code) }
	for i := range m.row {
		part := all[i*row : min((i+1)*row, len(all))]
		sum := int64(0)
		for _, s := range part {
			sum += int64(size(s))
		}
		m.row[i] = int32(sum / int64(len(part)))
	}
	if columns == 0 {
		return
	}
	j := 0
	for i, s := range all {
		m.column[j] += size(s) - m.row[i/row]
		if j++; j == columns {
			j = 0
		}
	}
	count := int32(len(all) / columns)
	for j := range m.column {
		m.column[j] = (m.column[j] + count/2) / count
	}
}

// levels writes sizes, each as its difference to the one before.
func (m *numbers) levels(dst []byte, list []int32, ctx uint16) []byte {
	d := make([]int32, len(list))
	last := int32(0)
	for i, v := range list {
		d[i], last = v-last, v
	}
	return m.list(dst, d, ctx)
}

func (m *numbers) readLevels(r *reader, list []int32, ctx int) bool {
	ok := m.readList(r, list, ctx)
	last := int32(0)
	for i := range list {
		last += list[i]
		list[i] = last
	}
	return ok
}

// list writes whole numbers in a context of their own.
func (m *numbers) list(dst []byte, list []int32, ctx uint16) []byte {
	steps := m.steps[:0]
	for i, v := range list {
		s := step{ctx: ctx, who: uint8(i & (lanes - 1))}
		s.sym, s.raw = symbol(int64(v))
		steps = append(steps, s)
	}
	return m.group(dst, steps)
}

func (m *numbers) readList(r *reader, list []int32, ctx int) bool {
	if !r.open(numberScale) {
		return false
	}
	for i := range list {
		list[i] = int32(value(r.next(&m.tables, ctx, i)))
	}
	m.learn()
	return !r.short
}

// decode writes what encode was given, and reports whether the input was whole. The input has slack, and the base is no more what it was.
func (m *numbers) decode(dst []byte, in []byte, base []byte, f layout, stride int) bool {
	r := reader{rest: in}
	if f.width == 1 {
		return m.decodeBytes(dst, base, &r, stride)
	}
	n := len(dst) / f.width
	row, columns := m.start(n, stride)
	if f.ranks(n, stride) {
		x, ok := m.factors(&r, (n+stride-1)/stride, stride)
		if !ok {
			return false
		}
		if len(x.scale) > 0 {
			x.add(base, base, stride)
		}
	}
	if !m.readLevels(&r, m.row, rowsAt) || columns > 0 && !m.readLevels(&r, m.column, columnsAt) {
		return false
	}
	p := place{row: row, left: row, columns: columns}
	for at := 0; at < n; {
		g := m.next(n - at)
		if !r.open(numberScale) {
			return false
		}
		for end := at + g; at < end; {
			k := min(end-at, chunkOf)
			m.decodeChunk(dst[at*f.width:(at+k)*f.width], base[at*f.width:], f, &r, &p)
			at += k
		}
		if r.short {
			return false
		}
		m.learn()
	}
	return true
}

// place is where in the grid a reader is.
type place struct {
	row, columns int // of the grid
	i, left, j   int // which row, what is left of it, and which column
}

// decodeChunk is where a reader's time goes: the base's numbers, then their contexts, then the symbols and what becomes of the numbers.
func (m *numbers) decodeChunk(dst, base []byte, f layout, r *reader, p *place) {
	n := len(dst) / f.width
	list, ctx := m.chunk.numbers[:n], m.chunk.contexts[:n]
	switch f.width {
	case 2:
		for i := range list {
			list[i] = uint64(binary.LittleEndian.Uint16(base[2*i:]))
		}
	case 4:
		for i := range list {
			list[i] = uint64(binary.LittleEndian.Uint32(base[4*i:]))
		}
	default:
		for i := range list {
			list[i] = binary.LittleEndian.Uint64(base[8*i:])
		}
	}
	m.contexts(ctx, list, f, p)
	m.symbols(ctx, list, f, r)
	switch f.width {
	case 2:
		for i, v := range list {
			binary.LittleEndian.PutUint16(dst[2*i:], uint16(v))
		}
	case 4:
		for i, v := range list {
			binary.LittleEndian.PutUint32(dst[4*i:], uint32(v))
		}
	default:
		for i, v := range list {
			binary.LittleEndian.PutUint64(dst[8*i:], v)
		}
	}
}

// symbols reads what became of numbers in their contexts.
func (m *numbers) symbols(ctx []uint8, list []uint64, f layout, r *reader) {
	for _, c := range ctx {
		m.touched[c] = true
	}
	for c := range sizes {
		if m.touched[c] && !m.used[c] {
			m.begin(c)
		}
	}
	table, count := (*[1 << 16]entry)(m.in), (*[numberContexts * symbols]uint32)(m.count)
	sign, drop := f.sign(), f.drop&63
	in, at := r.in, r.at
	s0, s1, s2, s3 := uint8(r.states[0]), uint8(r.states[1]), uint8(r.states[2]), uint8(r.states[3])
	ctx = ctx[:len(list)]
	for i, old := range list {
		c := uint(ctx[i])
		e := table[c<<8|uint(s0)]
		from := int(at >> 3)
		if from+8 > len(in) {
			r.short = true
			return
		}
		v := binary.LittleEndian.Uint64(in[from:]) >> (at & 7)
		n, raw := e.bits(), e.raw()
		s0, s1, s2, s3 = s1, s2, s3, uint8(e.next()+uint(v&(1<<n-1)))
		at += n
		sym := e.sym()
		var d uint64
		if e.rare() {
			r.at = at
			if sym == escape {
				sym = uint8(r.bits(7))
			}
			d = uint64(value(sym, r.raw(uint(meant[sym].raw))))
			at = r.at
		} else {
			at += raw
			x := e.lead()<<raw | v>>n&(1<<raw-1)
			minus := -(x & 1)
			d = x>>1 ^ minus - minus
		}
		count[c*symbols+uint(sym)&(symbols-1)]++
		b := old >> drop
		neg := b & sign
		b = b ^ neg + d
		if b&sign != 0 {
			b ^= sign - 1
		}
		list[i] = (b ^ neg) << drop
	}
	r.states = [lanes]uint{uint(s0), uint(s1), uint(s2), uint(s3)} // all had their turns, or the group is over
	r.at = at
}

// contexts of numbers by the sizes of their rows and columns.
func (m *numbers) contexts(ctx []uint8, list []uint64, f layout, p *place) {
	exponent, mask := (f.exponent+f.drop)&63, f.mask
	for i := 0; i < len(list); {
		k := min(len(list)-i, p.left)
		level := m.row[p.i]
		if p.columns == 0 {
			for x, v := range list[i : i+k] {
				ctx[i+x] = uint8(contextOf(level, 0, int32(v>>exponent&mask)))
			}
		} else {
			k = min(k, p.columns-p.j)
			column, part := m.column[p.j:p.j+k], ctx[i:i+k]
			for x, v := range list[i : i+k] {
				part[x] = uint8(contextOf(level, column[x], int32(v>>exponent&mask)))
			}
			if p.j += k; p.j == p.columns {
				p.j = 0
			}
		}
		if p.left -= k; p.left == 0 && p.i+1 < len(m.row) {
			p.i, p.left = p.i+1, p.row
		}
		i += k
	}
}
