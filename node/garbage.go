package node

import (
	"context"
	"runtime"
	"runtime/debug"
	gauges "runtime/metrics"
	"sync/atomic"
	"time"

	"edgeward/runtime/pages"
)

// fresh is how much the heap may grow between two collections, where twice what lives (Go's own rule) would be less: a
// server at rest is small, and collecting after every few megabytes would cost a busy one a tenth of its time.
const fresh = 32 << 20

// large is what the heap may grow by at most at Go's own rule: one that is larger grows by a quarter at least. It is that of a hub of thousands of nodes, which wait, and
// whose memory is mostly what lives.
const large = 64 << 20

// tuneGarbage keeps the collector's percentage so for as long as the process lives. It starts once.
func tuneGarbage() {
	if !tuned.Swap(true) {
		afterCollections(tune)
		runtime.GC() // starting has left garbage
	}
}

var tuned atomic.Bool

// afterCollections calls f after every collection.
func afterCollections(f func()) {
	f()
	runtime.AddCleanup(&struct{ _ *int }{}, func(f func()) { afterCollections(f) }, f)
}

func tune() {
	live := []gauges.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/gogc:percent"}}
	gauges.Read(live)
	percent := percentAt(live[0].Value.Uint64())
	if was := live[1].Value.Uint64(); percent > was*11/10 || percent < was*9/10 { // setting it stops the world for a moment
		debug.SetGCPercent(int(percent))
	}
}

// percentAt is the percentage for a heap of which so much lives.
func percentAt(live uint64) uint64 {
	live = max(live, 1<<20)
	return max(25, min(100, large*100/live), fresh*100/live)
}

// A node rests when it has allocated less than atRest in restAfter, and gives memory back where it has allocated more than
// worked since it did so last.
const (
	restAfter = 10 * time.Second
	atRest    = 4 << 20
	worked    = 64 << 20
)

// rests gives back what is needed for work only, once after each time of work and after the start, until ctx ends.
func rests(ctx context.Context) error {
	tick := time.NewTicker(restAfter)
	defer tick.Stop()
	for before, rested := allocated(), uint64(0); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := allocated()
		if now-before < atRest && (rested == 0 || now-rested > worked) {
			pages.Release()
			rested = allocated()
		}
		before = now
	}
}

// allocated is what this process has ever allocated on Go's heap.
func allocated() uint64 {
	s := []gauges.Sample{{Name: "/gc/heap/allocs:bytes"}}
	gauges.Read(s)
	return s[0].Value.Uint64()
}
