package serve

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// runs counts what a version's queue did, also while the version is loaded again.
type runs struct {
	version             int
	runs, rows          atomic.Uint64
	queuedUS, computeUS atomic.Uint64
	now                 atomic.Pointer[queue] // the loaded one; nil: none

	counting sync.Mutex
	sizes    []Size // by rows, those of one row first
}

// Size is what the runs of so many rows took. A request that cannot be joined with others counts as one row, however many
// it has.
type Size struct {
	Rows      int
	Runs      uint64
	ComputeUS uint64 // together
}

// batchBuckets is for runs of at most 1, 2, 4, … MaxBatch rows.
const batchBuckets = 7

// Runs is a snapshot of how one version's requests were put together and run since the process started.
type Runs struct {
	Version   int      `json:"version"`
	Batch     int      `json:"batch"`      // most rows of a run that joins requests; 1: they are not joined, 0: not loaded
	Waiting   int      `json:"waiting"`    // requests in the queue now
	Running   int      `json:"running"`    // runs under way now
	Runs      uint64   `json:"runs"`       // ended runs
	Rows      uint64   `json:"rows"`       // that they answered
	QueuedUS  uint64   `json:"queued_us"`  // sum of the requests' waiting
	ComputeUS uint64   `json:"compute_us"` // sum of the runs' times, the way to the worker included
	FixedUS   float64  `json:"fixed_us"`   // what a run costs whatever its size, as learnt
	PerRowUS  float64  `json:"per_row_us"` // and what each row adds
	Sizes     []uint64 `json:"sizes"`      // runs of 1, 2, 3 to 4, 5 to 8, … rows
	BySize    []Size   `json:"-"`          // those there were, the smallest first
}

func (r *runs) snapshot() Runs {
	s := Runs{Version: r.version, Runs: r.runs.Load(), Rows: r.rows.Load(), QueuedUS: r.queuedUS.Load(), ComputeUS: r.computeUS.Load(), Sizes: make([]uint64, batchBuckets)}
	r.counting.Lock()
	for _, x := range r.sizes {
		if x.Runs > 0 {
			s.BySize = append(s.BySize, x)
			s.Sizes[bits.Len(uint(x.Rows-1))] += x.Runs
		}
	}
	r.counting.Unlock()
	if q := r.now.Load(); q != nil {
		q.mu.Lock()
		defer q.mu.Unlock()
		s.Batch, s.Waiting, s.Running = int(q.batch.Load()), len(q.waiting), q.running
		fixed, perRow := q.cost.fit()
		s.FixedUS, s.PerRowUS = float64(fixed.Nanoseconds())/1e3, float64(perRow.Nanoseconds())/1e3
	}
	return s
}

// observed counts a run.
func (r *runs) observed(rows int, took time.Duration) {
	r.runs.Add(1)
	r.rows.Add(uint64(rows))
	r.computeUS.Add(uint64(took.Microseconds()))
	r.counting.Lock()
	defer r.counting.Unlock()
	for len(r.sizes) < rows { // at most MaxBatch
		r.sizes = append(r.sizes, Size{Rows: len(r.sizes) + 1})
	}
	x := &r.sizes[rows-1]
	x.Runs++
	x.ComputeUS += uint64(took.Microseconds())
}
