package node

import (
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
)

func TestIDsGrowWhateverTheClockDoes(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	next := ids(func() time.Time { return now })
	last := ""
	for i := range 20000 {
		switch {
		case i == 10000:
			now = now.Add(-time.Hour)
		case i%3 == 0:
			now = now.Add(time.Millisecond)
		}
		id := next()
		u, err := ulid.ParseStrict(id)
		if err != nil || id <= last {
			t.Fatalf("id %d is %s after %s (%v)", i, id, last, err)
		}
		if i == 5000 && u.Time() != ulid.Timestamp(now) {
			t.Errorf("id %s does not carry the time %v", id, now)
		}
		last = id
	}
	if a, b := ids(time.Now)(), ids(time.Now)(); a[10:] == b[10:] {
		t.Error("two processes make the same ids")
	}
}
