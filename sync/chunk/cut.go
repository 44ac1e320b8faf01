package chunk

// The sizes of a chunk that Cut makes.
const (
	MinCut = 16 << 10
	AvgCut = 64 << 10
	MaxCut = 256 << 10
)

// Borders are stricter before the usual size and laxer after it, which keeps most chunks near it.
const (
	strict = uint64(1)<<18 - 1
	lax    = uint64(1)<<14 - 1
)

// gear are random numbers, a byte each: splitmix64 from 1 on.
var gear = func() (g [256]uint64) {
	x := uint64(1)
	for i := range g {
		x += 0x9e3779b97f4a7c15
		z := (x ^ x>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		g[i] = z ^ z>>31
	}
	return g
}()

// Cut returns the size of the first chunk of b, which is the rest of what is cut. It depends on the chunk's own bytes alone.
func Cut(b []byte) int {
	if len(b) <= MinCut {
		return len(b)
	}
	h, end := uint64(0), min(len(b), MaxCut)
	for i := MinCut; i < end; i++ {
		h = h<<1 + gear[b[i]]
		mask := strict
		if i >= AvgCut {
			mask = lax
		}
		if h>>40&mask == 0 {
			return i + 1
		}
	}
	return end
}
