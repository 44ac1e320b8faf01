package pull_test

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/sync/delta"
	"edgeward/sync/pull"
)

func TestADifferenceThatIsBeingMadeIsWaitedFor(t *testing.T) {
	old := content(10, 8<<20)
	b := bytes.Clone(old)
	copy(b[1000:], "another version")
	var d bytes.Buffer
	if err := delta.Encode(t.Context(), &d, delta.Of(old), delta.Of(b), delta.Fast); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		made      time.Duration // the difference is there after
		after     int           // retry_after
		cancelled time.Duration
		whole     bool
		asked     [2]int // at least, at most
		took      time.Duration
	}{
		{"soon", 3 * time.Second, 1, 0, false, [2]int{4, 5}, 5 * time.Second},
		{"at the hub's pace", 20 * time.Second, 7, 0, false, [2]int{4, 4}, 22 * time.Second},
		{"a hub that says a day", 20 * time.Second, 86400, 0, false, [2]int{3, 3}, 21 * time.Second},
		{"a hub that says nothing useful", 2 * time.Second, -5, 0, false, [2]int{3, 3}, 3 * time.Second},
		{"longer than the patience, 32 s", time.Hour, 9, 0, true, [2]int{4, 4}, 33 * time.Second},
		{"nobody waits any more", time.Hour, 9, 12 * time.Second, false, [2]int{2, 2}, 13 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := here(t)
				like, _, err := p.Blobs.Put(t.Context(), bytes.NewReader(old), 8<<20)
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				src := &source{blob: serving(b), delta: func() (io.ReadCloser, error) {
					if time.Since(began) < c.made {
						return nil, edgeward.E("source", edgeward.Unavailable, pull.Making, "it is being made").With("retry_after", strconv.Itoa(c.after))
					}
					return whole(d.Bytes()), nil
				}}
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				if c.cancelled > 0 {
					time.AfterFunc(c.cancelled, stop)
				}
				_, err = p.Fetch(ctx, src, pull.Want{Digest: edgeward.DigestOf(b), Size: 8 << 20, Like: like}, func(int64) {})
				if (err != nil) != (c.cancelled > 0) {
					t.Error(err)
				}
				if took := time.Since(began); took > c.took || src.deltas < c.asked[0] || src.deltas > c.asked[1] || (len(src.offsets) > 0) != c.whole {
					t.Errorf("after %s: asked for %d deltas and %d wholes", took, src.deltas, len(src.offsets))
				}
			})
		})
	}
}

func TestPatience(t *testing.T) {
	for size, want := range map[int64]time.Duration{0: 15 * time.Second, 1 << 20: 15 * time.Second, 8 << 20: 32 * time.Second, 1 << 30: 10 * time.Minute, 1 << 62: 10 * time.Minute} {
		if got := pull.Patience(size); got != want {
			t.Errorf("%d bytes: %s, want %s", size, got, want)
		}
	}
}
