package record_test

import (
	"strconv"
	"testing"
	"time"

	"edgeward/runtime/record"
)

// BenchmarkFeedback is a call that answers when its items are on the disk.
func BenchmarkFeedback(b *testing.B) {
	for _, items := range []int{1, 100} {
		b.Run(strconv.Itoa(items), func(b *testing.B) {
			l, err := record.Open(b.TempDir(), record.Options{Now: func() time.Time { return start }})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			const known = 20_000 // enough that no prediction gets more truths than it may have
			for n := range known {
				if err := l.Add(prediction(n, 1, record.Live)); err != nil {
					b.Fatal(err)
				}
			}
			all := make([]record.Feedback, items)
			for n := 0; b.Loop(); n++ {
				for i := range all { // a new value each time: what is known already is not written again
					all[i] = truth((n*items+i)%known, "his", float64(n))
				}
				if out, err := l.AddFeedback(b.Context(), all); err != nil || !out[0].Stored {
					b.Fatal(out[0], err)
				}
			}
		})
	}
}
