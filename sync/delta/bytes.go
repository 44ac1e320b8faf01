package delta

import "math/bits"

// Bytes are quantised weights: most are what they were, the others a step or two away. So four are taken at a time: one symbol says which of them differ, in a
// context of how many did lately and how large the four are; then come the differences of those that do, each in a context of the base's value and of whether
// differences led away from zero lately, as they all do where a scale has changed. A block is read at four places in turns.
const four = 4

// firstValue is the first context of a difference; those below are of the four.
const firstValue = 60

// lane is what is known lately at one of the places.
type lane struct {
	level int32 // how many of four differ
	lean  int32 // whether differences lead away from zero
}

func (l *lane) fourContext(base []byte) int {
	sum := uint32(0)
	for _, b := range base {
		v := int32(int8(b))
		sum += uint32(max(v, -v))
	}
	return min(bits.Len32(uint32(l.level)>>6), 11)*5 + int(min(sum>>6, 4))
}

func (l *lane) valueContext(base byte) int {
	lean := 1
	if l.lean > 1<<11 {
		lean = 2
	} else if l.lean < -1<<11 {
		lean = 0
	}
	return firstValue + int(base>>5)*3 + lean
}

// learnFour takes which of four differed.
func (l *lane) learnFour(which uint8) {
	l.level += (int32(bits.OnesCount8(which))<<14 - l.level) >> 3
}

func (l *lane) learnValue(base byte, sym uint8) {
	to := int32(1 << 13)
	if (sym&1 == 1) == (int8(base) < 0) { // odd symbols are of positive differences
		to = -to
	}
	l.lean += (to - l.lean) >> 4
}

var ofBytes = beginnings{fill: expectBytes}

// expectBytes fills what a context begins with: each of the four differs as often as the level says.
func expectBytes(t *table, ctx int) {
	if ctx >= firstValue {
		for s := range 8 {
			t.count[1+s] = 8 >> (s / 2)
		}
		return
	}
	t.bare = true
	often := min(uint32(1)<<(ctx/5)/3, 600) // of 1024
	for which := range 1 << four {
		c := uint32(512)
		for j := range four {
			if which>>j&1 == 1 {
				c = c * often >> 10
			} else {
				c = c * (1024 - often) >> 10
			}
		}
		t.count[which] = c + 1
	}
}

// part is how many bytes each of the places has.
func part(n int) int { return ((n+lanes-1)/lanes + four - 1) / four * four }

func (m *numbers) encodeBytes(dst, now, base []byte) []byte {
	m.first = &ofBytes
	n := len(now)
	part := part(n)
	var ls [lanes]lane
	for i := 0; i < part; {
		steps := m.steps[:0]
		for end := i + m.next((part-i)*lanes)/lanes/four*four; i < end || len(steps) == 0; i += four {
			for k := range ls {
				at := i + k*part
				if at >= n {
					break
				}
				a, b := now[at:min(at+four, n)], base[at:min(at+four, n)]
				l := &ls[k]
				which := uint8(0)
				for j := range a {
					if a[j] != b[j] {
						which |= 1 << j
					}
				}
				steps = append(steps, step{ctx: uint16(l.fourContext(b)), sym: which, who: uint8(k)})
				l.learnFour(which)
				for j := range a {
					if a[j] == b[j] {
						continue
					}
					s := step{ctx: uint16(l.valueContext(b[j])), who: uint8(k)}
					s.sym, s.below = symbol(int64(int8(a[j] - b[j])))
					steps = append(steps, s)
					l.learnValue(b[j], s.sym)
				}
			}
		}
		m.steps = steps
		dst = m.group(dst, steps)
	}
	return dst
}

func (m *numbers) decodeBytes(dst, base []byte, r *reader) bool {
	m.first = &ofBytes
	n := len(dst)
	part := part(n)
	copy(dst, base)
	var ls [lanes]lane
	for i := 0; i < part; {
		if !r.open() {
			return false
		}
		begin := i
		for end := i + m.next((part-i)*lanes)/lanes/four*four; i < end || i == begin; i += four {
			for k := range ls {
				at := i + k*part
				if at >= n {
					break
				}
				b := dst[at:min(at+four, n)]
				l := &ls[k]
				which, _ := r.next(m.at(l.fourContext(b)), k)
				which &= 1<<four - 1
				l.learnFour(which)
				for ; which != 0; which &= which - 1 {
					j := bits.TrailingZeros8(which)
					if j >= len(b) {
						return false
					}
					sym, below := r.next(m.at(l.valueContext(b[j])), k)
					l.learnValue(b[j], sym)
					b[j] += byte(value(sym, below))
				}
			}
		}
		if r.short {
			return false
		}
		m.learn()
	}
	return true
}
