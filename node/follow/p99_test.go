package follow

import (
	"testing"

	"edgeward/runtime/serve"
)

func TestFewSlowAnswersAreNoReason(t *testing.T) {
	for _, c := range []struct {
		name        string
		fast, slow  uint64
		overTheFast bool
	}{
		{"none", 0, 0, false},
		{"one answer", 0, 1, true},
		{"two of sixty", 58, 2, false},
		{"three of sixty", 57, 3, true},
		{"one in fifty of a thousand", 980, 20, true},
		{"one in a hundred of ten thousand", 9900, 100, false},
		{"one in fifty of ten thousand", 9800, 200, true},
	} {
		var b []serve.Bucket
		if c.fast > 0 {
			b = append(b, serve.Bucket{UpToUS: 100, Count: c.fast})
		}
		if c.slow > 0 {
			b = append(b, serve.Bucket{UpToUS: 10_000, Count: c.fast + c.slow})
		}
		if got := leastP99(b) > 100; got != c.overTheFast {
			t.Errorf("%s: %d µs", c.name, leastP99(b))
		}
	}
}
