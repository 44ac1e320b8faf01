package delta

import "math/bits"

// Bytes are quantised weights: most are what they were, the others a step or two away. So four are taken at a time: one symbol says which of them differ, in a
// context of how many did lately and how large the four are; then come the differences of those that do, each in a context of the base's value and of whether
// differences led away from zero lately, as they all do where a scale has changed.
const four = 4

// firstValue is the first context of a difference; those below are of the four.
const firstValue = 160

func bytesContext(l *lane, base []byte) int {
	sum := uint32(0)
	for _, b := range base {
		v := int32(int8(b))
		sum += uint32(max(v, -v))
	}
	return bits.Len32(uint32(l.level)>>6)*9 + int(min(sum>>5, 8))
}

func valueContext(l *lane, base byte) int {
	lean := 1
	if l.lean > 1<<11 {
		lean = 2
	} else if l.lean < -1<<11 {
		lean = 0
	}
	return firstValue + int(base>>3)*3 + lean
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

// parts is how many bytes a lane has.
func parts(n int) int { return ((n+lanes-1)/lanes + four - 1) / four * four }

func (m *numbers) encodeBytes(now, base []byte, raw *bitWriter) {
	n := len(now)
	part := parts(n)
	var ls [lanes]lane
	for i := 0; i < part; i += four {
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
			m.write(bytesContext(l, b), which, k, raw)
			l.learnFour(which)
			for j := range a {
				if a[j] == b[j] {
					continue
				}
				sym, below, size := symbol(int64(int8(a[j] - b[j])))
				m.write(valueContext(l, b[j]), sym, k, raw)
				raw.put(below, size)
				l.learnValue(b[j], sym)
			}
		}
	}
}

func (m *numbers) decodeBytes(dst, base []byte, u *unpacker, raw *bitReader) {
	n := len(dst)
	part := parts(n)
	copy(dst, base)
	var ls [lanes]lane
	for i := 0; i < part; i += four {
		for k := range ls {
			at := i + k*part
			if at >= n {
				break
			}
			b := dst[at:min(at+four, n)]
			l := &ls[k]
			which := m.read(bytesContext(l, b), k, u, raw) & (1<<four - 1)
			l.learnFour(which)
			for ; which != 0; which &= which - 1 {
				j := bits.TrailingZeros8(which)
				if j >= len(b) {
					u.short = true
					return
				}
				sym := m.read(valueContext(l, b[j]), k, u, raw)
				l.learnValue(b[j], sym)
				what := &meant[sym]
				b[j] += byte((uint64(what.lead)<<what.below | raw.bits(uint(what.below))) ^ what.minus - what.minus)
			}
		}
	}
}
