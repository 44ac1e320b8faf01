package serve

import (
	"testing"
	"time"
)

func TestTheSamplerTakesItsRateAndNoMore(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	var s sampler
	count := func(perSecond int, d, each time.Duration) (n int) {
		for end := now.Add(d); now.Before(end); now = now.Add(each) {
			if s.take(now, perSecond) {
				n++
			}
		}
		return n
	}
	if n := count(100, 10*time.Second, 20*time.Millisecond); n != 500 {
		t.Errorf("of 500 in ten seconds %d were taken, though 100 a second may", n)
	}
	if n := count(100, 10*time.Second, time.Millisecond); n < 1000 || n > 1101 {
		t.Errorf("of 10,000 in ten seconds %d were taken, at 100 a second", n)
	}
	now = now.Add(time.Hour)
	if n := count(100, time.Nanosecond*200, time.Nanosecond); n != 100 {
		t.Errorf("after a quiet hour %d at once were taken, want a second's worth", n)
	}
}
