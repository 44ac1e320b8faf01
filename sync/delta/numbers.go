package delta

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
	wide        []byte // columns as a reader needs them
	moves       []uint8
	steps, all  []step
	base        []byte
	hot         *hot // of a reader
}

// newNumbers is a model of a kind of numbers; only one that writes can encode.
func newNumbers(f layout, writes bool) *numbers {
	m := &numbers{}
	m.writes = writes
	if f.width == 1 {
		m.bare, m.fill = valueAt, expectBytes
		m.make(byteContexts, byteScale)
		return m
	}
	m.fill = expect
	if !writes {
		m.hot = newHot()
		m.in, m.count = m.hot.in[:], m.hot.count[:]
	}
	m.make(numberContexts, numberScale)
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

// decode writes what encode was given, and reports whether the input was whole. All three have slack, and the base is no more what it was.
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
	dst, base = dst[:len(dst)+slack], base[:len(base)+slack]
	p := place{row: row, left: row, columns: columns > 0}
	if columns == 0 {
		m.column = fit(m.column, min(row, chunkOf))
	}
	switch f.width {
	case 2:
		m.wide = sizeParts[uint16](m.wide[:0], m.column)
	case 4:
		m.wide = sizeParts[uint32](m.wide[:0], m.column)
	default:
		m.wide = sizeParts[uint64](m.wide[:0], m.column)
	}
	for columns > 0 && len(m.wide) < row*f.width+slack { // rows are of several times as many
		m.wide = append(m.wide[:len(m.wide)-slack], m.wide[:columns*f.width+slack]...)
	}
	for at := 0; at < n; {
		g := m.next(n - at)
		if !r.open(numberScale) {
			return false
		}
		for end := at + g; at < end; {
			k := min(end-at, chunkOf)
			m.decodeChunk(dst[at*f.width:], base[at*f.width:], k, f, &r, &p)
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
	row     int  // of the grid
	columns bool // sizes of columns say something
	i, left int  // which row, and what is left of it
}

// decodeChunk is where a reader's time goes: contexts of the base's numbers, then the differences, then what becomes of the numbers.
func (m *numbers) decodeChunk(dst, base []byte, n int, f layout, r *reader, p *place) {
	m.contexts(n, base, f, p)
	if n == chunkOf {
		m.any = true
	} else {
		for _, c := range m.hot.contexts[:n] {
			m.touched[c] = true
		}
	}
	for i := 0; i < n && !r.short; i++ {
		if f.width == 2 {
			i = m.hot.pairs(i, n, r)
		} else {
			i = m.hot.differences(i, n, r)
		}
		if i < n { // one by itself
			m.hot.moves[i] = uint64(value(r.next(&m.tables, int(m.hot.contexts[i]), i)))
		}
	}
	switch f.width {
	case 2:
		addParts[uint16](dst, base, n, f, &m.hot.moves)
	case 4:
		addParts[uint32](dst, base, n, f, &m.hot.moves)
	default:
		addParts[uint64](dst, base, n, f, &m.hot.moves)
	}
}

// contexts fills those of the next n numbers.
func (m *numbers) contexts(n int, base []byte, f layout, p *place) {
	for at := 0; at < n; {
		k, column := min(n-at, p.left), 0
		if p.columns {
			column = p.row - p.left
		}
		ctx, base, columns, level := m.hot.contexts[at:], base[at*f.width:], m.wide[column*f.width:], m.row[p.i]
		switch f.width {
		case 2:
			contextParts[uint16](ctx, k, base, f, level, columns)
		case 4:
			contextParts[uint32](ctx, k, base, f, level, columns)
		default:
			contextParts[uint64](ctx, k, base, f, level, columns)
		}
		if p.left -= k; p.left == 0 && p.i+1 < len(m.row) {
			p.i, p.left = p.i+1, p.row
		}
		at += k
	}
}
