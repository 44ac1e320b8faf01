package delta

import "encoding/binary"

// hot is what a reader of numbers needs all the time, in one place.
type hot struct {
	in       [numberContexts << numberScale]entry
	count    [numberContexts * symbols]uint32
	masks    [16]uint64
	leads    [symbols]struct{ mask, lead uint64 }
	contexts [chunkOf + 4]uint8 // a little more than there are
	moves    [chunkOf + 4]uint64
}

func newHot() *hot {
	h := &hot{}
	for n := range h.masks {
		h.masks[n] = 1<<n - 1
	}
	for s, x := range meant {
		h.leads[s].mask, h.leads[s].lead = 1<<x.raw-1, uint64(x.lead)<<x.raw
	}
	return h
}

// differences reads what moved numbers, of from to n, until one comes that is not plain, and returns which that is.
func (h *hot) differences(i, n int, r *reader) int {
	in, at := r.in, r.at
	s0, s1, s2, s3 := r.turn(i)
	for i, n = max(i, 0), min(n, chunkOf); i < n; i++ {
		ctx := uint(h.contexts[i])
		e := h.in[ctx<<8|uint(s0)]
		from := int(at >> 3)
		if !e.plain() || from > len(in)-8 {
			break
		}
		v := binary.LittleEndian.Uint64(in[from:]) >> (at & 7)
		at += e.both()
		sym := e.sym()
		h.count[ctx<<7|sym]++
		s0, s1, s2, s3 = s1, s2, s3, uint8(e>>16)+uint8(v&h.masks[e.bits()])
		x := v>>e.bits()&h.leads[sym].mask | h.leads[sym].lead
		minus := -(x & 1)
		h.moves[i] = x>>1 ^ minus - minus
	}
	r.at = at
	r.back(i, s0, s1, s2, s3)
	return i
}

// pairs does the same for numbers of 16 bits, two at a time.
func (h *hot) pairs(i, n int, r *reader) int {
	in, at := r.in, r.at
	s0, s1, s2, s3 := r.turn(i)
	for i, n = max(i, 0), min(n, chunkOf)-1; i < n; i += 2 {
		c0, c1 := uint(h.contexts[i]), uint(h.contexts[i+1])
		a, b := h.in[c0<<8|uint(s0)], h.in[c1<<8|uint(s1)]
		from := int(at >> 3)
		if !(a & b).plain() || from > len(in)-8 {
			break
		}
		v := binary.LittleEndian.Uint64(in[from:]) >> (at & 7)
		at += a.both() + b.both()
		sym := a.sym()
		h.count[c0<<7|sym]++
		s0 = uint8(a>>16) + uint8(v&h.masks[a.bits()])
		x := v>>a.bits()&h.leads[sym].mask | h.leads[sym].lead
		minus := -(x & 1)
		h.moves[i] = x>>1 ^ minus - minus
		v >>= a.both()
		sym = b.sym()
		h.count[c1<<7|sym]++
		s1 = uint8(b>>16) + uint8(v&h.masks[b.bits()])
		x = v>>b.bits()&h.leads[sym].mask | h.leads[sym].lead
		minus = -(x & 1)
		h.moves[i+1] = x>>1 ^ minus - minus
		s0, s1, s2, s3 = s2, s3, s0, s1
	}
	r.at = at
	r.back(i, s0, s1, s2, s3)
	return i
}
