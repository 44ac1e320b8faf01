package delta

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
