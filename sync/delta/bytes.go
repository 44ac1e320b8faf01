package delta

import (
	"encoding/binary"
	"math/bits"
)

// Bytes are quantised weights: most are what they were, the others a step or two away. So two are taken at a time, one symbol saying what both became. How much a row
// of them moved is sent ahead, as its level; rows that did not move are of level 0, and nothing is said of them. The level is a pair's context: nothing depends on the pair
// before, and a reader has four in work. A pair with a larger difference is the symbol pairOther, and the differences follow.
const (
	reach     = 3                // the largest difference within a pair
	side      = 2*reach + 1      // differences of one of two
	pairOther = side * side      // neither
	levels    = 8                // of rows
	levelAt   = levels           // first context of a level: that of the row before counts
	valueAt   = levelAt + levels // of a difference by itself
	leastRow  = 128              // bytes; shorter rows are taken together

	byteContexts = valueAt + levels
	byteScale    = 10 // 1,024 places: an unchanged pair is to cost next to nothing
)

// moved is what a pair's symbol adds to two bytes.
var moved = func() (t [symbols]uint16) {
	for s := range pairOther {
		t[s] = uint16(uint8(s/side-reach)) | uint16(uint8(s%side-reach))<<8
	}
	return t
}()

// decay is how rare a difference is beside one that is smaller by one, of 1,024, by level.
var decay = [levels]uint32{0, 8, 16, 32, 63, 126, 242, 424}

// expectBytes fills what a context begins with.
func expectBytes(count *[symbols]uint32, ctx int) {
	switch {
	case ctx < levels:
		for s := range pairOther {
			c := uint32(256 << 10)
			for range distance(s/side) + distance(s%side) {
				c = c * decay[ctx] >> 10
			}
			count[s] = c >> 10
		}
		count[pairOther] = 1
	case ctx < valueAt:
		for s := range levels {
			count[s] = 1
		}
		count[ctx-levelAt] = 4
	default:
		for s := range 10 {
			count[s] = uint32(8 >> (s / 3))
		}
	}
}

func distance(i int) int { return max(i-reach, reach-i) }

// rowOf is how many bytes have a level, an even number.
func rowOf(stride int) int {
	if stride == 1 { // nothing is known
		return 2 * leastRow
	}
	row := stride
	for row < leastRow || row&1 == 1 {
		row += stride
	}
	return row
}

// levelOf says how far bytes moved.
func levelOf(now, base []byte) uint8 {
	sum := 0
	for i, b := range base {
		d := int(int8(now[i] - b))
		sum += min(max(d, -d), reach+1)
	}
	if sum == 0 {
		return 0
	}
	return uint8(min(max(bits.Len(uint(sum*90/len(base))), 1), levels-1))
}

func (m *numbers) encodeBytes(dst, now, base []byte, stride int) []byte {
	n, row := len(now), rowOf(stride)
	steps := m.steps[:0]
	level, last := fitBytes(&m.moves, (n+row-1)/row), uint8(0)
	for i := range level {
		from, to := i*row, min((i+1)*row, n)
		level[i] = levelOf(now[from:to], base[from:to])
		steps = append(steps, step{ctx: levelAt + uint16(last), sym: level[i], who: uint8(i & (lanes - 1))})
		last = level[i]
	}
	dst = m.group(dst, steps)
	for i := 0; i < len(level); {
		steps = steps[:0]
		for end := m.nextRows(n, row, i); i < end; i++ {
			if level[i] == 0 {
				continue
			}
			a, b := now[i*row:min((i+1)*row, n)], base[i*row:min((i+1)*row, n)]
			for j := 0; j < len(a); j += 2 {
				d := [2]int{int(int8(a[j] - b[j]))}
				if j+1 < len(a) {
					d[1] = int(int8(a[j+1] - b[j+1]))
				}
				s := step{ctx: uint16(level[i]), sym: pairOther, who: uint8(j >> 1 & (lanes - 1))}
				if max(d[0], -d[0], d[1], -d[1]) <= reach {
					s.sym = uint8((d[0]+reach)*side + d[1] + reach)
					steps = append(steps, s)
					continue
				}
				steps = append(steps, s)
				for _, d := range d {
					s.ctx = valueAt + uint16(level[i])
					s.sym, s.raw = symbol(int64(d))
					steps = append(steps, s)
				}
			}
		}
		dst = m.group(dst, steps)
	}
	m.steps = steps
	return dst
}

// fitBytes is n bytes of a buffer.
func fitBytes(b *[]uint8, n int) []uint8 {
	if cap(*b) < n {
		*b = make([]uint8, n)
	}
	*b = (*b)[:n]
	return *b
}

// nextRows is the row where the group ends that begins with row i.
func (m *numbers) nextRows(n, row, i int) int {
	return i + (m.next(n-i*row)+row-1)/row
}

func (m *numbers) decodeBytes(dst, base []byte, r *reader, stride int) bool {
	n, row := len(dst), rowOf(stride)
	copy(dst, base)
	level, last := fitBytes(&m.moves, (n+row-1)/row), uint8(0)
	if !r.open(byteScale) {
		return false
	}
	for i := range level {
		last, _ = r.next(&m.tables, levelAt+int(last), i)
		if last >= levels {
			return false
		}
		level[i] = last
	}
	if m.learn(); r.short {
		return false
	}
	for i := 0; i < len(level); {
		if !r.open(byteScale) {
			return false
		}
		for end := m.nextRows(n, row, i); i < end; i++ {
			if level[i] != 0 && !m.decodeRow(dst[i*row:min((i+1)*row, n)], r, int(level[i])) {
				return false
			}
		}
		if m.learn(); r.short {
			return false
		}
	}
	return true
}

// decodeRow is where a reader's time goes: eight bytes at a time, unless one of them is out of the ordinary.
func (m *numbers) decodeRow(dst []byte, r *reader, level int) bool {
	m.touch(level)
	table := (*[1 << byteScale]entry)(m.in[level<<byteScale:])
	count := m.counts(level)
	const mask = 1<<byteScale - 1
	for len(dst) >= 8 {
		from := int(r.at >> 3)
		if from+8 > len(r.in) {
			r.short = true
			return false
		}
		v := binary.LittleEndian.Uint64(r.in[from:]) >> (r.at & 7)
		a, b, c, d := table[r.states[0]&mask], table[r.states[1]&mask], table[r.states[2]&mask], table[r.states[3]&mask]
		if !(a & b & c & d).plain() {
			if !m.decodePairs(dst[:8], r, level) {
				return false
			}
			dst = dst[8:]
			continue
		}
		n := a.bits()
		r.states[0] = uint(a>>16) + uint(v&(1<<n-1))
		v >>= n
		at := n
		n = b.bits()
		r.states[1] = uint(b>>16) + uint(v&(1<<n-1))
		v >>= n
		at += n
		n = c.bits()
		r.states[2] = uint(c>>16) + uint(v&(1<<n-1))
		v >>= n
		at += n
		n = d.bits()
		r.states[3] = uint(d>>16) + uint(v&(1<<n-1))
		r.at += at + n
		count[a.sym()]++
		count[b.sym()]++
		count[c.sym()]++
		count[d.sym()]++
		x := uint64(moved[a.sym()]) | uint64(moved[b.sym()])<<16 | uint64(moved[c.sym()])<<32 | uint64(moved[d.sym()])<<48
		y := binary.LittleEndian.Uint64(dst)
		const low = 0x7f7f7f7f7f7f7f7f // each byte by itself
		binary.LittleEndian.PutUint64(dst, (x&low+y&low)^(x^y)&^low)
		dst = dst[8:]
	}
	return m.decodePairs(dst, r, level)
}

// decodePairs reads up to four pairs, one by one.
func (m *numbers) decodePairs(dst []byte, r *reader, level int) bool {
	for j := 0; j < len(dst); j += 2 {
		sym, _ := r.next(&m.tables, level, j>>1)
		if sym > pairOther {
			return false
		}
		d := [2]byte{byte(moved[sym]), byte(moved[sym] >> 8)}
		if sym == pairOther {
			for k := range d {
				s, raw := r.next(&m.tables, valueAt+level, j>>1)
				d[k] = byte(value(s, raw))
			}
		}
		dst[j] += d[0]
		if j+1 < len(dst) {
			dst[j+1] += d[1]
		} else if d[1] != 0 {
			return false
		}
	}
	return true
}
