package node

import "testing"

func TestALargeHeapGrowsByLess(t *testing.T) {
	for live, want := range map[uint64]uint64{0: 3200, 10 << 20: 320, 32 << 20: 100, 64 << 20: 100, 96 << 20: 66, 128 << 20: 50, 256 << 20: 25, 1 << 30: 25} {
		if got := percentAt(live); got != want {
			t.Errorf("%d MiB live: %d %%, want %d", live>>20, got, want)
		}
	}
}
