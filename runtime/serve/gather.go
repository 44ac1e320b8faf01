package serve

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// turns is how often a run that is about to begin lets those go on who ask at the same time: by then they have brought their
// requests to the queue, and it takes them along. It waits for no clock, and not at all where nobody else asks.
const turns = 4

// gather takes the jobs that can be joined to j, which has a slot, out of the queue, and returns the context of their run: it
// ends when the last of them has gone, and after timeout.
func (q *queue) gather(j *job, timeout time.Duration) ([]*job, context.Context, context.CancelFunc) {
	if j.key != "" {
		for i := 0; i < turns && q.asking.Load() > 1; i++ {
			runtime.Gosched()
		}
		if batch, ctx, cancel := q.company(j, timeout); batch != nil {
			return batch, ctx, cancel
		}
	}
	if _, ok := j.ctx.Deadline(); ok {
		return []*job{j}, j.ctx, func() {}
	}
	ctx, cancel := context.WithTimeout(j.ctx, timeout)
	return []*job{j}, ctx, cancel
}

// company is gather where others wait who can be joined to j; else it returns nil.
func (q *queue) company(j *job, timeout time.Duration) ([]*job, context.Context, context.CancelFunc) {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch, rows, bytes, most := []*job{j}, j.rows, j.bytes, int(q.batch.Load())
	rest := q.waiting[:0]
	for _, x := range q.waiting {
		if x.key == j.key && rows+x.rows <= most && bytes+x.bytes <= maxJoined {
			batch, rows, bytes = append(batch, x), rows+x.rows, bytes+x.bytes
			continue
		}
		rest = append(rest, x)
	}
	if len(batch) == 1 {
		return nil, nil, nil
	}
	clear(q.waiting[len(rest):])
	q.settle(rest)
	now := time.Now() // room:clock waiting is measured
	q.end = now.Add(q.cost.of(rows))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(j.ctx), timeout)
	all := &together{end: cancel}
	all.there.Store(int64(len(batch)))
	for _, x := range batch[1:] {
		x.with = all
		q.began(x, now)
	}
	stop := context.AfterFunc(j.ctx, all.left) // the others wait for their turn, and see for themselves
	return batch, ctx, func() { stop(); cancel() }
}

// together are the jobs of one run.
type together struct {
	there atomic.Int64 // those that have not gone
	end   context.CancelFunc
}

// left notes that one has gone: with the last one the run ends.
func (t *together) left() {
	if t.there.Add(-1) == 0 {
		t.end()
	}
}
