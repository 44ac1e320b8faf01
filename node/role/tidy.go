package role

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// leastMemory is what a hub may take, as Go counts it, before its garbage is collected more often than usual.
const leastMemory = 384 << 20

// keepSmall collects garbage more often while this server is a hub of many nodes: half of what ten thousand open connections take would be garbage and stacks
// that are too large. The limit is never near what is in use, or collecting would take all the time. Who sets GOMEMLIMIT decides alone.
func keepSmall(ctx context.Context) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	defer debug.SetMemoryLimit(math.MaxInt64)
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}, {Name: "/memory/classes/metadata/mspan/inuse:bytes"}, {Name: "/memory/classes/metadata/other:bytes"}}
	for ctx.Err() == nil {
		metrics.Read(s)
		var used uint64
		for _, x := range s {
			if x.Value.Kind() == metrics.KindUint64 {
				used += x.Value.Uint64()
			}
		}
		debug.SetMemoryLimit(memoryLimit(int64(used)))
		pause(ctx, time.Second)
	}
}

// memoryLimit leaves a sixth of what is in use for garbage, and at least what there is up to leastMemory.
func memoryLimit(used int64) int64 { return max(leastMemory, used+used/6) }
