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
	percent := max(100, fresh*100/max(live[0].Value.Uint64(), 1<<20))
	if was := live[1].Value.Uint64(); percent > was*11/10 || percent < was*9/10 { // setting it stops the world for a moment
		debug.SetGCPercent(int(percent))
	}
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
