package node

import (
	"runtime"
	"runtime/debug"
	gauges "runtime/metrics"
	"sync/atomic"
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
