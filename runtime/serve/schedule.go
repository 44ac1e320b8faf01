package serve

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"edgeward"
	"edgeward/runtime/tensor"
)

// Priorities go from Urgent to Patient; 0 means Normal.
const (
	Urgent  = 1
	Normal  = 3
	Patient = 5
)

// patience is how much later a request may have come to be answered before one of the next priority: nobody waits for ever.
const patience = time.Second

// scheduler shares the slots of the machine, one for each thread of a run, among all versions. A request that finds its
// slots free is run at once, on the goroutine that asks; the others wait in their version's queue, and who ends a run
// hands its slots to the most urgent of them, which is run together with all that can be joined to it (gather). There is no
// delay and no goroutine of its own.
type scheduler struct {
	mu     sync.Mutex
	slots  int      // free
	queues []*queue // those with waiting jobs
	short  bool     // the most urgent of them waits for more slots than are free: none that comes passes it
}

// queue is one loaded version's place in the scheduler. batch is the most rows of a run that joins requests, 1 where they
// are not joined: as the version proved, or less where its endpoint says so.
type queue struct {
	*scheduler
	session Session
	sig     tensor.Signature
	batch   atomic.Int32
	threads int          // slots that a run takes, at least 1 and at most all
	asking  atomic.Int32 // jobs that wait or are run

	// under scheduler.mu
	waiting []*job // by rank
	running int
	end     time.Time // when the run that began last should end
	cost    cost

	*runs
}

// job is one request in the scheduler.
type job struct {
	ctx      context.Context
	inputs   []tensor.Tensor
	rows     int
	bytes    int
	key      string // requests of one key can be joined; empty: with none
	priority int
	came     time.Time
	waited   time.Duration
	rank     time.Time // came and as much patience as its priority has: the least goes first

	turn  chan struct{} // something happened: leads, or out and err are there
	leads bool          // it has a slot, and runs those that are joined to it
	with  *together     // the run of another that it was joined to
	out   []tensor.Tensor
	err   error
}

// do answers inputs. alone keeps them from being joined with others'. Errors are the session's, ctx's, and Exhausted
// "endpoint.overloaded" where the answer would come after ctx's deadline.
func (q *queue) do(ctx context.Context, inputs []tensor.Tensor, priority int, alone bool, timeout time.Duration) (out []tensor.Tensor, waited time.Duration, err error) {
	j := &job{ctx: ctx, inputs: inputs, rows: 1, priority: priority, turn: make(chan struct{}, 1)}
	if priority < Urgent || priority > Patient {
		j.priority = Normal
	}
	if most := int(q.batch.Load()); most > 1 && !alone {
		var room [64]byte
		if rows, bytes, key := rowsOf(q.sig, inputs, room[:0]); rows > 0 && rows < most {
			j.rows, j.bytes, j.key = rows, bytes, string(key)
		}
	}
	q.asking.Add(1)
	defer q.asking.Add(-1)
	begun, err := q.enter(j)
	if err != nil {
		return nil, 0, err
	}
	if !begun {
		select {
		case <-j.turn:
		case <-ctx.Done():
			switch {
			case q.leave(j):
				return nil, 0, late(ctx)
			case !j.leads: // it is being answered together with others, who go on
				j.with.left()
				return nil, 0, late(ctx)
			}
			<-j.turn
		}
	}
	if j.leads {
		q.lead(j, timeout)
	}
	return j.out, j.waited, j.err
}

// enter gives j a slot, and says so, or a place in the queue.
func (q *queue) enter(j *job) (begun bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	j.came = time.Now() // room:clock waiting is measured
	j.rank = j.came.Add(time.Duration(j.priority) * patience)
	if q.slots >= q.threads && !q.short && len(q.waiting) == 0 && q.pays(j.came) { // what nearly every request finds
		q.begin(j, j.came)
		return true, nil
	}
	if at, ok := j.ctx.Deadline(); ok && q.cost.n >= enough {
		if wait := q.wait(j); j.came.Add(wait + q.cost.of(j.rows)).After(at) {
			return false, edgeward.E("serve.queue", edgeward.Exhausted, "endpoint.overloaded", "%d requests wait, and the answer would come after its deadline", len(q.waiting)).
				With("retry_after", retryAfter(wait)).WithHint("send again later, allow more time, or send fewer requests at once")
		}
	}
	at := len(q.waiting)
	for at > 0 && q.waiting[at-1].rank.After(j.rank) {
		at--
	}
	if q.waiting = slices.Insert(q.waiting, at, j); len(q.waiting) == 1 {
		q.queues = append(q.queues, q)
	}
	q.dispatch(j.came)
	return false, nil
}

// retryAfter is a wait in whole seconds, as Retry-After wants it.
func retryAfter(wait time.Duration) string {
	return strconv.Itoa(int(max(1, (wait+time.Second-1)/time.Second)))
}

// wait predicts when j would begin. scheduler.mu is held.
func (q *queue) wait(j *job) time.Duration {
	rows, runs := 0, 1
	for i, o := range q.waiting {
		if !o.rank.After(j.rank) {
			rows += o.rows
			runs = 1 + i/int(q.batch.Load())
		}
	}
	fixed, perRow := q.cost.fit()
	return max(0, q.end.Sub(j.came)) + (fixed*time.Duration(runs)+perRow*time.Duration(rows))/time.Duration(max(1, q.slots+q.running))
}

// pays reports whether another run of this version should begin now. With none under way it always should. Else, where
// requests can be joined, the one under way is waited for while its rows take less than another run's fixed cost would:
// then its end starts one run for all that came meanwhile. scheduler.mu is held.
func (q *queue) pays(now time.Time) bool {
	if q.running == 0 || q.batch.Load() == 1 {
		return true
	}
	fixed, _ := q.cost.fit()
	left := q.end.Sub(now)
	return left > 2*fixed || left < -fixed // long after its end the prediction was wrong
}

// dispatch gives free slots to waiting jobs. scheduler.mu is held.
func (s *scheduler) dispatch(now time.Time) {
	s.short = false
	for s.slots > 0 {
		var best *queue
		for _, q := range s.queues {
			if (best == nil || q.waiting[0].rank.Before(best.waiting[0].rank)) && q.pays(now) {
				best = q
			}
		}
		if best == nil {
			return
		}
		if s.short = best.threads > s.slots; s.short {
			return
		}
		j := best.waiting[0]
		best.settle(slices.Delete(best.waiting, 0, 1))
		best.begin(j, now)
		j.turn <- struct{}{}
	}
}

// settle sets what waits, and forgets the queue where nothing does.
func (q *queue) settle(waiting []*job) {
	if q.waiting = waiting; len(waiting) == 0 {
		q.queues = slices.DeleteFunc(q.queues, func(x *queue) bool { return x == q })
	}
}

// begin notes that a run led by j has its slots. scheduler.mu is held.
func (q *queue) begin(j *job, now time.Time) {
	j.leads = true
	q.began(j, now)
	q.slots -= q.threads
	q.running++
	q.end = now.Add(q.cost.of(j.rows))
}

// began notes that j waits no more.
func (q *queue) began(j *job, now time.Time) {
	j.waited = max(0, now.Sub(j.came))
	q.queuedUS.Add(uint64(j.waited.Microseconds()))
}

// leave takes a job that nobody waits for out of the queue; false if it has left already.
func (q *queue) leave(j *job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, j)
	if i < 0 {
		return false
	}
	q.settle(slices.Delete(q.waiting, i, i+1))
	return true
}

// lead runs j's batch and tells the others.
func (q *queue) lead(j *job, timeout time.Duration) {
	batch, ctx, cancel := q.gather(j, timeout)
	defer cancel()
	inputs, rows := j.inputs, j.rows
	if len(batch) > 1 {
		memory := joined.Get().(*[]byte)
		defer joined.Put(memory)
		inputs, rows = join(q.sig, batch, memory), 0
		for _, x := range batch {
			rows += x.rows
		}
	}
	began := time.Now() // room:clock elapsed time of a run
	out, err := q.session.Run(ctx, inputs)
	took := time.Since(began) // room:clock elapsed time of a run
	q.ended(rows, took, err)
	switch {
	case len(batch) == 1:
		j.out, j.err = out, err
		return
	case err == nil:
		err = split(out, batch)
	case edgeward.KindOf(err) == edgeward.Invalid: // one of them may be at fault: each by itself
		q.singly(batch, timeout)
		err = nil
	}
	for _, x := range batch {
		if err != nil {
			x.out, x.err = nil, err
		}
		if x != j {
			x.turn <- struct{}{}
		}
	}
}

// singly runs each job of a batch that failed.
func (q *queue) singly(batch []*job, timeout time.Duration) {
	for _, x := range batch {
		x.out, _, x.err = q.do(x.ctx, x.inputs, x.priority, true, timeout)
	}
}

// ended gives the slot of a run back, to whoever waits.
func (q *queue) ended(rows int, took time.Duration, err error) {
	q.observed(rows, took)
	q.mu.Lock()
	defer q.mu.Unlock()
	if err == nil {
		q.cost.observe(rows, took)
	}
	q.running--
	q.slots += q.threads
	if len(q.queues) > 0 {
		q.dispatch(time.Now()) // room:clock what a prediction is held against
	}
}

// late is the error of a request whose time was over before it was its turn.
func late(ctx context.Context) error {
	return edgeward.E("serve.queue", edgeward.Unavailable, "endpoint.late", "the request was still waiting when its time was over: %w", ctx.Err()).
		WithHint("allow more time, or send fewer requests at once")
}
