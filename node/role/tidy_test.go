package role

import "testing"

func TestTheLimitIsNeverBelowWhatIsInUse(t *testing.T) {
	for used, want := range map[int64]int64{0: leastMemory, 100 << 20: leastMemory, 600 << 20: 700 << 20, 6 << 30: 7 << 30} {
		if got := memoryLimit(used); got != want {
			t.Errorf("%d in use: %d, want %d", used, got, want)
		}
	}
}
