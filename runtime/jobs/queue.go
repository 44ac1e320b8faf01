package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"edgeward"
)

// Store keeps jobs and their logs. Its methods append the event of the change in the same transaction.
type Store interface {
	// QueueJob keeps j unless a job of the same group and non-empty Key exists; it returns the kept one.
	QueueJob(ctx context.Context, j Job) (kept Job, fresh bool, err error)
	Job(ctx context.Context, group, id string) (Job, error)
	// UpdateJob applies change to the stored job and keeps the result. change may run more than once.
	UpdateJob(ctx context.Context, group, id string, change func(*Job) error) (Job, error)
	// OpenJobs returns every job that has not ended, oldest first.
	OpenJobs(ctx context.Context) ([]Job, error)
}

// Work does one kind of job. It must be idempotent if the kind is to be resumed after a crash: it runs again from the
// start with the same job. Its result is kept as JSON.
type Work func(ctx context.Context, job Job, report Reporter) (result any, err error)

// Reporter is how work tells what it does. Both functions may be called from any goroutine.
type Reporter struct {
	Stage func(stage string, done float64) // done is the share from 0 to 1
	Log   func(format string, args ...any) // one line of the job's log
}

// Handler is a kind's work and whether it may be started again after a crash.
type Handler struct {
	Work      Work
	Resumable bool
}

// maxLines bounds the log kept per job; older lines go first.
const maxLines = 2000

// Queue runs jobs. Make one with NewQueue; Run owns all its goroutines.
type Queue struct {
	Timeout time.Duration // a job that runs longer fails with job.timeout; 0: no limit. Set before Run

	store    Store
	handlers map[Kind]Handler
	slots    int
	now      func() time.Time
	log      *slog.Logger

	wake chan struct{}

	mu      sync.Mutex
	cancels map[string]context.CancelCauseFunc
	logs    map[string]*lines
	done    map[string]chan struct{}
}

type lines struct {
	first int
	all   []Line
}

// errCancelled is the cause a cancelled job's context carries.
var errCancelled = errors.New("cancelled by a person")

// NewQueue returns a queue of at most slots jobs at once.
func NewQueue(store Store, handlers map[Kind]Handler, slots int, now func() time.Time, log *slog.Logger) *Queue {
	return &Queue{store: store, handlers: handlers, slots: max(1, slots), now: now, log: log, wake: make(chan struct{}, 1),
		cancels: map[string]context.CancelCauseFunc{}, logs: map[string]*lines{}, done: map[string]chan struct{}{}}
}

// Add queues j, which needs Group, ID, Kind, Title, Spec and By. A job with the same Key is returned instead.
func (q *Queue) Add(ctx context.Context, j Job) (Job, error) {
	if _, ok := q.handlers[j.Kind]; !ok {
		return Job{}, edgeward.E("jobs.Add", edgeward.Invalid, "job.kind", "no job kind %q", j.Kind)
	}
	j.State, j.Created, j.Attempt = Queued, q.now(), 0
	kept, _, err := q.store.QueueJob(ctx, j)
	if err != nil {
		return Job{}, edgeward.Wrap("jobs.Add", err)
	}
	q.poke()
	return kept, nil
}

func (q *Queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Cancel ends a queued or running job; an ended one is a Conflict.
func (q *Queue) Cancel(ctx context.Context, group, id string) (Job, error) {
	j, err := q.store.UpdateJob(ctx, group, id, func(j *Job) error {
		if j.State.Ended() {
			return edgeward.E("jobs.Cancel", edgeward.Conflict, "job.ended", "job %s has already ended as %s", id, j.State)
		}
		if j.State == Queued {
			at := q.now()
			j.State, j.Ended = Cancelled, &at
		}
		return nil
	})
	if err != nil {
		return Job{}, edgeward.Wrap("jobs.Cancel", err)
	}
	q.mu.Lock()
	if cancel := q.cancels[id]; cancel != nil {
		cancel(errCancelled)
	}
	if j.State.Ended() {
		q.ended(id)
	}
	q.mu.Unlock()
	return j, nil
}

// Wait returns when the job has ended or ctx has.
func (q *Queue) Wait(ctx context.Context, group, id string) (Job, error) {
	for {
		q.mu.Lock()
		ch := q.done[id]
		if ch == nil {
			ch = make(chan struct{})
			q.done[id] = ch
		}
		q.mu.Unlock()
		j, err := q.store.Job(ctx, group, id)
		if err != nil || j.State.Ended() {
			return j, err
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return j, ctx.Err()
		}
	}
}

// Log returns up to limit lines after line number after.
func (q *Queue) Log(id string, after, limit int) []Line {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.logs[id]
	if l == nil {
		return nil
	}
	i := min(max(0, after+1-l.first), len(l.all))
	return append([]Line(nil), l.all[i:min(len(l.all), i+limit)]...)
}

// Run takes up interrupted jobs, then runs queued ones until ctx ends, and waits for those running.
func (q *Queue) Run(ctx context.Context) error {
	if err := q.recover(ctx); err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	free := make(chan struct{}, q.slots)
	for {
		open, err := q.store.OpenJobs(ctx)
		if err != nil && ctx.Err() == nil {
			return edgeward.Wrap("jobs.Run", err)
		}
		for _, j := range open {
			if j.State != Queued {
				continue
			}
			select {
			case free <- struct{}{}:
			case <-ctx.Done():
				return nil
			}
			wg.Add(1)
			go func() {
				defer func() { <-free; wg.Done(); q.poke() }()
				q.run(ctx, j)
			}()
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// recover queues interrupted resumable jobs again and marks the others lost.
func (q *Queue) recover(ctx context.Context) error {
	open, err := q.store.OpenJobs(ctx)
	if err != nil {
		return edgeward.Wrap("jobs.recover", err)
	}
	for _, j := range open {
		if j.State != Running {
			continue
		}
		_, err := q.store.UpdateJob(ctx, j.Group, j.ID, func(j *Job) error {
			if q.handlers[j.Kind].Resumable {
				j.State, j.Started, j.Progress = Queued, nil, Progress{}
				return nil
			}
			at := q.now()
			j.State, j.Ended = Lost, &at
			j.Error = &Failure{Kind: "unavailable", Code: "job.lost", Message: "the server stopped while the job ran", Hint: "start it again"}
			return nil
		})
		if err != nil {
			return edgeward.Wrap("jobs.recover", err)
		}
		q.mu.Lock()
		q.ended(j.ID) // wakes who waits; a job queued again is looked at again
		q.mu.Unlock()
	}
	return nil
}

// run does one job from claim to end.
func (q *Queue) run(parent context.Context, j Job) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	q.mu.Lock()
	if q.cancels[j.ID] != nil { // already claimed by an earlier look at the queue
		q.mu.Unlock()
		return
	}
	q.cancels[j.ID] = cancel
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		delete(q.cancels, j.ID)
		q.ended(j.ID)
		q.mu.Unlock()
	}()
	claimed, err := q.store.UpdateJob(ctx, j.Group, j.ID, func(j *Job) error {
		if j.State != Queued {
			return edgeward.E("jobs.run", edgeward.Conflict, "job.claimed", "job is %s", j.State)
		}
		at := q.now()
		j.State, j.Started, j.Attempt = Running, &at, j.Attempt+1
		return nil
	})
	if err != nil {
		return // claimed or cancelled meanwhile
	}
	q.mu.Lock()
	q.logs[j.ID] = &lines{first: 1}
	q.mu.Unlock()
	limited, stop := q.limit(ctx)
	defer stop()
	result, err := q.handlers[j.Kind].Work(limited, claimed, q.reporter(ctx, claimed))
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		err = edgeward.E("jobs.run", edgeward.Unavailable, "job.timeout", "the job ran longer than %s", q.Timeout).WithHint("raise jobs.timeout, or give it less to do")
	}
	if parent.Err() != nil {
		return // the server stops: recover decides at the next start
	}
	q.finish(parent, claimed, result, err, errors.Is(context.Cause(ctx), errCancelled))
}

func (q *Queue) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if q.Timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, q.Timeout)
}

func (q *Queue) finish(ctx context.Context, j Job, result any, failure error, cancelled bool) {
	kept, err := json.Marshal(result)
	if failure == nil && err != nil {
		failure = err
	}
	_, err = q.store.UpdateJob(ctx, j.Group, j.ID, func(j *Job) error {
		at := q.now()
		j.Ended = &at
		switch {
		case failure == nil:
			j.State, j.Result, j.Progress.Done = Succeeded, kept, 1
		case cancelled:
			j.State = Cancelled
		default:
			j.State, j.Error = Failed, FailureOf(failure)
		}
		return nil
	})
	if failure != nil && !cancelled {
		q.log.Warn("job failed", "job", j.ID, "kind", j.Kind, "err", failure)
	}
	if err != nil {
		q.log.Error("job end not kept", "job", j.ID, "err", err)
	}
}

// ended wakes those who wait for the job. The caller holds mu.
func (q *Queue) ended(id string) {
	if ch := q.done[id]; ch != nil {
		close(ch)
		delete(q.done, id)
	}
}

func (q *Queue) reporter(ctx context.Context, j Job) Reporter {
	var last time.Time
	var mu sync.Mutex
	return Reporter{
		Stage: func(stage string, done float64) {
			mu.Lock()
			defer mu.Unlock()
			now := q.now()
			if done < 1 && now.Sub(last) < 200*time.Millisecond && !last.IsZero() {
				return // a job that reports each iteration must not cost a commit each
			}
			last = now
			_, _ = q.store.UpdateJob(ctx, j.Group, j.ID, func(j *Job) error {
				j.Progress = Progress{Stage: stage, Done: done}
				return nil
			})
		},
		Log: func(format string, args ...any) { q.append(j.ID, format, args...) },
	}
}
