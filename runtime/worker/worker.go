package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"edgeward"
)

// Options say which worker to run and within which bounds. The zero value of each field but Kind has a default.
type Options struct {
	Kind         string        // which of the child's Kinds
	Name         string        // for logs; default Kind
	Env          Env           // what the child is told
	MemoryLimit  uint64        // bytes of address space beyond the bare process; default DefaultMemoryLimit
	Concurrency  int           // handlers that run at once in the child; default 1
	MaxInFlight  int           // calls accepted at once, running or waiting; default DefaultMaxInFlight
	MaxFrame     int           // bytes of a request or an answer; default DefaultMaxFrame
	StartTimeout time.Duration // default DefaultStartTimeout
	Grace        time.Duration // from the end of a call's ctx to the kill; default DefaultGrace
	Idle         time.Duration // without a call for so long the process ends, and the next call starts another; 0: it stays
	Log          *slog.Logger  // starts and deaths; the child's lines at debug level; default: none
	Program      string        // what to start; default this very program

	build string // this program's build; a test may lie
}

func (o Options) withDefaults() Options {
	o.Name = or(o.Name, o.Kind)
	o.MemoryLimit = or(o.MemoryLimit, DefaultMemoryLimit)
	o.Concurrency = or(o.Concurrency, 1)
	o.MaxInFlight = or(o.MaxInFlight, DefaultMaxInFlight)
	o.MaxFrame = or(o.MaxFrame, DefaultMaxFrame)
	o.StartTimeout = or(o.StartTimeout, DefaultStartTimeout)
	o.Grace = or(o.Grace, DefaultGrace)
	o.Program = or(o.Program, self)
	o.Env.MemoryLimit = o.MemoryLimit
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.build == "" {
		o.build = Build()
	}
	return o
}

func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Worker is the parent's end: a process that is started by the first call and again after each death. Safe for use by
// many goroutines. Close it when done.
type Worker struct {
	opts  Options
	log   *slog.Logger
	slots chan struct{} // one per call in flight
	idle  *time.Timer   // nil: the process stays

	resting sync.WaitGroup // processes that are being ended for want of work

	mu       sync.Mutex
	closed   bool
	proc     *process // the last one started, alive or dead; nil before the first
	starting *start   // not nil while one is being started
	starts   int
	deaths   int
	failures int       // deaths and failed starts since the last good answer
	died     time.Time // of the last failure
	lastWhy  string
	lines    []string
}

// start is one attempt to start a process, shared by all calls that wait for it.
type start struct {
	done   chan struct{}
	cancel context.CancelFunc
	proc   *process
	err    error
}

// New returns a worker that will start its process at the first call.
func New(o Options) *Worker {
	o = o.withDefaults()
	w := &Worker{opts: o, log: o.Log.With("worker", o.Name), slots: make(chan struct{}, o.MaxInFlight)}
	if o.Idle > 0 {
		w.idle = time.AfterFunc(o.Idle, w.rest)
	}
	return w
}

// Call runs method with body in the worker process and returns its answer. progress, if not nil, is called on this
// goroutine, in order, for each message of the handler. See the package comment for the errors; those of the handler
// itself arrive with their kind, code, parameters and hint.
func (w *Worker) Call(ctx context.Context, method string, body []byte, progress func([]byte)) ([]byte, error) {
	const op = "worker.Call"
	if len(method) > 255 {
		return nil, edgeward.E(op, edgeward.Internal, "", "method name of %d bytes", len(method))
	}
	if n := len(callHead(method)) + len(body); n > w.opts.MaxFrame {
		return nil, edgeward.E(op, edgeward.TooLarge, "worker.too_large", "the request has %d bytes, and at most %d fit", n, w.opts.MaxFrame)
	}
	select {
	case w.slots <- struct{}{}:
		defer func() { <-w.slots; w.rested() }()
	default:
		return nil, edgeward.E(op, edgeward.Exhausted, "worker.busy", "%d calls are already under way", w.opts.MaxInFlight).
			WithHint("try again in a moment, or send fewer requests at once")
	}
	p, err := w.process(ctx)
	if err != nil {
		return nil, err
	}
	out, err := p.call(ctx, w.opts.Grace, method, body, progress)
	w.mu.Lock()
	if w.proc == p && !p.dead() {
		w.failures = 0
	}
	w.mu.Unlock()
	return out, err
}

// process returns a living process, starting one if need be.
func (w *Worker) process(ctx context.Context) (*process, error) {
	const op = "worker.Call"
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil, edgeward.E(op, edgeward.Unavailable, "worker.closed", "the worker %s is closed", w.opts.Name)
	}
	if w.proc != nil && !w.proc.dead() {
		defer w.mu.Unlock()
		return w.proc, nil
	}
	s := w.starting
	if s == nil {
		sctx, cancel := context.WithCancel(context.Background())
		s = &start{done: make(chan struct{}), cancel: cancel}
		w.starting = s
		go w.start(sctx, s, w.delay())
	}
	w.mu.Unlock()
	select {
	case <-s.done:
		return s.proc, s.err
	case <-ctx.Done():
		return nil, ended(ctx)
	}
}

// delay is how long to wait before the next start. w.mu is held.
func (w *Worker) delay() time.Duration {
	const first, most = 50 * time.Millisecond, 5 * time.Second
	if w.failures < 2 {
		return 0
	}
	d := min(first<<min(w.failures-2, 10), most)
	return max(0, d-time.Since(w.died)) // room:clock elapsed since the death
}

// start launches a process and, when it dies, records why. It owns the process from birth to death.
func (w *Worker) start(ctx context.Context, s *start, delay time.Duration) {
	defer s.cancel()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
	}
	lctx, cancel := context.WithTimeout(ctx, w.opts.StartTimeout)
	s.proc, s.err = launch(lctx, w.opts, w.log)
	cancel()
	w.mu.Lock()
	w.starting = nil
	if s.err != nil {
		w.failed(s.err, nil)
		w.mu.Unlock()
		close(s.done)
		w.log.Warn("worker did not start", "error", s.err)
		return
	}
	w.starts++
	w.proc = s.proc
	w.mu.Unlock()
	close(s.done)
	w.log.Debug("worker started", "pid", s.proc.pid)

	<-s.proc.reaped
	defer close(s.proc.done)
	w.mu.Lock()
	wanted := w.closed || s.proc.why() == resting
	if !wanted {
		w.deaths++
		w.failed(s.proc.reason, s.proc.lines.last())
	}
	w.mu.Unlock()
	if !wanted {
		w.log.Warn("worker died", "pid", s.proc.pid, "error", s.proc.reason)
	}
}

// failed notes a death or a failed start. w.mu is held.
func (w *Worker) failed(why error, lines []string) {
	w.failures++
	w.died = time.Now() // room:clock for the delay of the next start only
	w.lastWhy, w.lines = why.Error(), lines
}

// Status is what a page shows about a worker.
type Status struct {
	Name      string   `json:"name"`
	Kind      string   `json:"kind"`
	PID       int      `json:"pid"` // 0: no process now
	Starts    int      `json:"starts"`
	Deaths    int      `json:"deaths"`
	InFlight  int      `json:"in_flight"`
	RSS       uint64   `json:"rss_bytes"` // resident memory now; 0: no process
	LastDeath string   `json:"last_death,omitempty"`
	LastLines []string `json:"last_lines,omitempty"` // what the process wrote last, at most 20 lines
}

// Status returns the state of the worker now.
func (w *Worker) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := Status{Name: w.opts.Name, Kind: w.opts.Kind, Starts: w.starts, Deaths: w.deaths, InFlight: len(w.slots), LastDeath: w.lastWhy, LastLines: w.lines}
	if w.proc != nil && !w.proc.dead() {
		s.PID = w.proc.pid
		_, s.RSS, _ = memory(s.PID) // 0 if it dies this moment
		if l := w.proc.lines.last(); len(l) > 0 {
			s.LastLines = l
		}
	}
	return s
}

// Close ends the process: it closes the socket, gives the child Grace to end by itself, then kills it. Calls in flight
// and later ones get Unavailable. Close may be called again.
func (w *Worker) Close() error {
	w.mu.Lock()
	w.closed = true
	s, p := w.starting, w.proc
	w.mu.Unlock()
	if w.idle != nil {
		w.idle.Stop()
	}
	defer w.resting.Wait()
	if s != nil {
		s.cancel()
		<-s.done
		if s.proc != nil {
			p = s.proc
		}
	}
	if p == nil {
		return nil
	}
	p.hangUp(closing)
	p.end(closing, w.opts.Grace)
	return nil
}

const timeoutCode = "worker.timeout"

// ended turns the end of a ctx into the error a caller gets.
func ended(ctx context.Context) error {
	const op = "worker.Call"
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return edgeward.E(op, edgeward.Unavailable, timeoutCode, "the worker did not answer in time: %w", ctx.Err()).
			WithHint("the model or the job takes longer than its time limit allows")
	}
	return edgeward.E(op, edgeward.Unavailable, "worker.canceled", "the call was cancelled: %w", ctx.Err())
}
