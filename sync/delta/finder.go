package delta

import (
	"encoding/binary"
	"math/bits"
)

// finder finds matches in a window: chains of places with the same four bytes.
type finder struct {
	b    []byte
	head []int32
	prev []int32
	next int  // places before are in the chains
	drop uint // bits of a hash that are not in its chain's number
}

const (
	chainBits = 16 // at most
	chainMost = 256
)

func newFinder(b []byte) *finder {
	n := min(bits.Len(uint(len(b)))+1, chainBits)
	f := &finder{b: b, head: make([]int32, 1<<n), prev: make([]int32, len(b)), drop: 32 - uint(n)}
	for i := range f.head {
		f.head[i] = -1
	}
	return f
}

func (f *finder) hash(at int) uint32 {
	return (binary.LittleEndian.Uint32(f.b[at:]) & 0xffffff) * 2654435761 >> f.drop
}

func (f *finder) to(at int) {
	for ; f.next < at; f.next++ {
		if f.next+4 <= len(f.b) {
			h := f.hash(f.next)
			f.prev[f.next] = f.head[h]
			f.head[h] = int32(f.next)
		}
	}
}

func common(a, b []byte) int {
	n := 0
	for len(a) >= 8 && len(b) >= 8 {
		if x := binary.LittleEndian.Uint64(a) ^ binary.LittleEndian.Uint64(b); x != 0 {
			return n + bits.TrailingZeros64(x)/8
		}
		a, b, n = a[8:], b[8:], n+8
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return n + i
		}
	}
	return n + min(len(a), len(b))
}

// found is a match.
type found struct {
	n, d int
}

// all returns matches at a place, each longer and farther than the one before.
func (f *finder) all(at int, out []found) []found {
	f.to(at)
	out = out[:0]
	if at+4 > len(f.b) {
		return out
	}
	best, tries := 2, chainMost
	for p := f.head[f.hash(at)]; p >= 0 && tries > 0; p, tries = f.prev[p], tries-1 {
		if at+best < len(f.b) && f.b[int(p)+best] != f.b[at+best] {
			continue
		}
		if n := common(f.b[p:], f.b[at:]); n > best {
			best = n
			out = append(out, found{n, at - int(p)})
			if n > 512 {
				break
			}
		}
	}
	return out
}
