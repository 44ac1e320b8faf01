package infer

import (
	"context"
	"encoding/json"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"edgeward"
	"edgeward/runtime/tensor"
)

// Caller is a worker, as far as a Client needs it; *worker.Worker is one. When Call returns it has no more use for body.
type Caller interface {
	Call(ctx context.Context, method string, body []byte, progress func([]byte)) ([]byte, error)
}

// Own is a worker that holds one model only.
type Own interface {
	Caller
	Close() error
}

// The defaults of Options.
const (
	DefaultResidency = 10 * time.Second
	DefaultRoom      = 5 * time.Second
	DefaultTrust     = 10 * time.Minute
)

// Options are what a Client is made of. Serve is needed.
type Options struct {
	Serve Caller                             // holds the models that are trusted, all in one process
	Prove Caller                             // where models are proved; nil: Serve, where a bad one takes the others down for a moment
	Own   func(name string, c Candidate) Own // makes a worker for one model, to run it as c; nil: every model lives in Serve, and none leaves the CPU
	Kept  *Reports                           // engine reports of earlier lives; nil: every load proves anew

	Threads   int           // most threads that proving tries for one call; 0 or 1: one
	Budget    int64         // bytes of all loaded models as they were measured; 0: no limit
	Residency time.Duration // a model stays so long after a load, whoever else needs room
	Room      time.Duration // a request waits so long for room, then it is refused
	Trust     time.Duration // a model that was suspected of a death lives so long by itself
}

func (o Options) withDefaults() Options {
	if o.Prove == nil {
		o.Prove = o.Serve
	}
	for v, d := range map[*time.Duration]time.Duration{&o.Residency: DefaultResidency, &o.Room: DefaultRoom, &o.Trust: DefaultTrust} {
		if *v <= 0 {
			*v = d
		}
	}
	return o
}

// Client is the parent's half. Safe for use by many goroutines.
type Client struct {
	Options
	shared *host

	mu     sync.RWMutex
	models map[string]*entry
	held   int64         // bytes of the budget that are taken
	freed  chan struct{} // closed and made anew when some are given back
}

// NewClient returns a client whose models are served by one worker and proved in another, which may be nil.
func NewClient(serve, probe Caller) *Client { return New(Options{Serve: serve, Prove: probe}) }

// New returns a client that holds no model.
func New(o Options) *Client {
	o = o.withDefaults()
	return &Client{Options: o, shared: &host{Caller: o.Serve}, models: map[string]*entry{}, freed: make(chan struct{})}
}

// entry is a model as it was proved, whether it is loaded now or not.
type entry struct {
	key     string
	request LoadRequest // with the chosen candidate and threads only, no timing
	size    int64
	turn    chan struct{} // holds one: who takes it loads or unloads

	at    atomic.Pointer[place] // where it is loaded; nil: nowhere
	used  atomic.Int64          // last, in nanoseconds of the clock
	gone  atomic.Bool           // unloaded for good
	moved atomic.Int64          // when it was suspected of a death; 0: trusted

	home *host // where it is to be loaded; belongs to who has the turn
}

// place is a life of a loaded model.
type place struct {
	host  *host
	epoch uint64 // of the host, before the load
	since int64  // nanoseconds of the clock
	runs  atomic.Int64
}

// enter returns where a model is loaded, with a run more that the caller takes away; nil where it is not loaded. It counts
// before it looks again: who makes room looks in the other order, so that a model with a run under way is never taken away.
func (e *entry) enter() *place {
	for {
		at := e.at.Load()
		if at == nil {
			return nil
		}
		at.runs.Add(1)
		if e.at.Load() == at {
			return at
		}
		at.runs.Add(-1)
	}
}

func newEntry(r LoadRequest, rep Report, home *host) *entry {
	r.Candidates, r.Runs, r.Threads = []Candidate{*rep.Chosen}, 0, max(1, rep.Threads)
	if len(r.Examples) > 1 {
		r.Examples = r.Examples[:1] // enough to warm it and to see that it is right
	}
	e := &entry{key: r.Key, request: r, size: r.size(rep), turn: make(chan struct{}, 1), home: home}
	e.turn <- struct{}{}
	e.used.Store(now())
	return e
}

// size is what a model takes of the budget: what was measured, and no less than its file, which a measure in pages may miss.
func (r LoadRequest) size(rep Report) int64 {
	n := max(rep.chosen().MemoryBytes, int64(len(r.Model)+len(r.Weights)))
	if in, err := os.Stat(r.Path); r.Path != "" && err == nil {
		n = max(n, in.Size())
	}
	return n
}

func now() int64 { return time.Now().UnixNano() } // room:clock how long ago a model was used or loaded

// Load proves a model with every candidate, loads it with the best one and returns the report. Where the same model was
// proved on this machine before, by the same engines, the report kept then stands; a model that is not pinned is then only
// loaded if it finds room, and by its first Run otherwise. Where none serves, the report is complete all the same and the
// error is "infer.no_engine": Invalid, or Exhausted or Unavailable where memory or a library is missing; Unavailable
// "infer.no_device" where the request takes no other device than one that does not serve.
func (c *Client) Load(ctx context.Context, r LoadRequest) (Report, error) {
	r, err := r.withDefaults()
	if err != nil {
		return Report{}, err
	}
	rep, known := c.Kept.find(r)
	if known {
		err := c.load(ctx, r, rep, true)
		if err == nil || edgeward.KindOf(err) != edgeward.Invalid && !rep.Chosen.Away() || ctx.Err() != nil { // a device may have gone
			return rep, edgeward.Wrap("infer.Load", err)
		}
		c.Kept.forget(r) // it does not load as it did then
	}
	if rep, err = c.Probe(ctx, r); err != nil {
		return rep, err
	}
	return rep, edgeward.Wrap("infer.Load", c.load(ctx, r, rep, false))
}

// load makes the entry of a proved model and loads it.
func (c *Client) load(ctx context.Context, r LoadRequest, rep Report, mayWait bool) error {
	home := c.shared
	if (r.Alone || rep.Chosen.Away()) && c.Own != nil {
		home = c.ownHost(r, *rep.Chosen)
	}
	e := newEntry(r, rep, home)
	if !mayWait || r.Pinned || c.fits(e.size) {
		if err := c.bring(ctx, e); err != nil {
			home.close()
			return err
		}
	}
	c.mu.Lock()
	old := c.models[r.Key]
	c.models[r.Key] = e
	c.mu.Unlock()
	if old != nil {
		c.replaced(old, e)
	}
	return nil
}

// Run answers inputs with the model loaded as key, loading it first if it is not. Errors: NotFound "infer.not_loaded",
// Unavailable "infer.no_room" with params retry_after in seconds, those of the engines (runtime/engine) and of the worker
// (runtime/worker).
func (c *Client) Run(ctx context.Context, key string, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	c.mu.RLock()
	e := c.models[key]
	c.mu.RUnlock()
	if e == nil {
		return nil, notLoaded(key)
	}
	e.used.Store(now())
	message := messages.Get().(*[]byte)
	defer messages.Put(message)
	body := tensor.Append(runHead((*message)[:0], key, tensor.EncodedSize(inputs)), inputs)
	if cap(body) <= mostMessage {
		*message = body
	}
	for attempt := 0; ; attempt++ {
		at, err := c.ready(ctx, e)
		if err != nil {
			return nil, err
		}
		out, err := at.host.Call(ctx, methodRun, body, nil)
		at.runs.Add(-1)
		if edgeward.CodeOf(err) == notLoadedCode && attempt == 0 { // its process is another one by now
			c.lost(at)
			c.vacate(e, at) // who saw it before may not have come to this model yet
			continue
		}
		if err != nil {
			c.failed(e, at, err)
			return nil, err
		}
		return tensor.Decode(out)
	}
}

// messages are the memory of requests on their way to a worker, of mostMessage bytes at most.
var messages = sync.Pool{New: func() any { return new([]byte) }}

const mostMessage = 1 << 20

// ready enters a model, which is loaded first if it is not.
func (c *Client) ready(ctx context.Context, e *entry) (*place, error) {
	for {
		if at := e.enter(); at != nil {
			return at, nil
		}
		if err := c.bring(ctx, e); err != nil {
			return nil, edgeward.Wrap("infer.Run", err)
		}
	}
}

// Unload forgets a model and frees its memory. An unknown key is no error.
func (c *Client) Unload(ctx context.Context, key string) error {
	c.mu.Lock()
	e := c.models[key]
	delete(c.models, key)
	c.mu.Unlock()
	if e == nil {
		return nil
	}
	e.gone.Store(true)
	select {
	case <-e.turn:
		defer func() { e.turn <- struct{}{} }()
	case <-ctx.Done():
		return edgeward.Wrap("infer.Unload", ctx.Err())
	}
	err := c.leave(ctx, e)
	e.home.close()
	return edgeward.Wrap("infer.Unload", err)
}

// Stats returns what the shared worker holds.
func (c *Client) Stats(ctx context.Context) (Stats, error) {
	var st Stats
	out, err := c.Serve.Call(ctx, methodStats, nil, nil)
	if err != nil {
		return st, err
	}
	return st, edgeward.Wrap("infer.Stats", json.Unmarshal(out, &st))
}

// parallel is how many models are loaded at once after a death.
var parallel = max(2, runtime.GOMAXPROCS(0))
