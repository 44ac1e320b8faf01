package serve

import (
	"context"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"edgeward"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
)

// AssetsFunc returns what a version brings to be proved and watched.
type AssetsFunc func(ctx context.Context, v models.Version) (Assets, error)

// Recorder takes every answer: live, canary and direct ones before Infer returns, shadows later. It is called by many
// goroutines and must not wait for a disk.
type Recorder interface {
	Add(p record.Prediction) error
}

// TraceFunc is told of each request when it comes, and what it returns of its answer. Both run on the request's goroutine.
type TraceFunc func(ctx context.Context, r *Request) func(Answer, error)

// Config is what a Server is made of. Store, Models, Runner, Now and Log are needed.
type Config struct {
	Store  Store
	Models models.Reader
	Runner Runner
	Assets AssetsFunc // nil: versions are neither proved nor watched
	Record Recorder   // nil: nothing is recorded
	Trace  TraceFunc  // nil: nobody is told
	Now    func() time.Time
	Log    *slog.Logger

	Timeout       time.Duration // of a request that has no deadline; 0 means 30 s
	LoadTimeout   time.Duration // of loading, warming and proving one version; 0 means 2 min
	Slots         int           // runs at once over all versions; 0 means GOMAXPROCS
	Loads         int           // versions loaded and proved at once; 0 means twice GOMAXPROCS, at least 4
	ShadowQueue   int           // shadow copies waiting per endpoint; 0 means 256
	ShadowWorkers int           // shadow copies answered at once per endpoint; 0 means 2
}

// Server answers requests and makes what is loaded follow the specs. Make it with New; it answers while Run runs.
type Server struct {
	Config
	scheduler *scheduler
	loading   chan struct{} // one for each load under way
	decoding  chan struct{} // one for each request whose pictures are decoded
	mu        sync.Mutex    // for writing endpoints and touched
	endpoints atomic.Pointer[map[Key]*served]
	touched   map[Key]bool
	poke      chan struct{}
	devices   atomic.Uint64 // how often devices or their libraries have changed

	partsMu sync.Mutex
	parts   map[edgeward.Digest]*part // loaded for graphs
}

// served is an endpoint as the Server knows it. Its goroutine, follow, alone changes what is loaded.
type served struct {
	key      Key
	table    atomic.Pointer[table]
	inFlight atomic.Int64
	wake     chan struct{}
	shadow   chan shadowJob
	status   atomic.Pointer[Status]
	overload atomic.Uint64
	sampler  sampler
	limiter  limiter
	limited  atomic.Uint64

	mu       sync.Mutex // for counters and evidence
	counters map[versionRole]*counters
	runs     map[int]*runs
	evidence []Evidence

	deaths    map[edgeward.Digest]deaths     // of versions' processes
	condemned map[edgeward.Digest]Quarantine // since follow looked last
}

type versionRole struct {
	version int
	role    record.Role
}

// maxCounters bounds the counters kept of versions that came and went.
const maxCounters = 256

// New returns a Server that knows no endpoint yet.
func New(c Config) *Server {
	orDefault(&c.Timeout, 30*time.Second)
	orDefault(&c.LoadTimeout, 2*time.Minute)
	orDefault(&c.Slots, runtime.GOMAXPROCS(0))
	orDefault(&c.Loads, max(4, 2*runtime.GOMAXPROCS(0)))
	orDefault(&c.ShadowQueue, 256)
	orDefault(&c.ShadowWorkers, 2)
	s := &Server{Config: c, loading: make(chan struct{}, c.Loads), decoding: make(chan struct{}, runtime.GOMAXPROCS(0)), scheduler: &scheduler{slots: c.Slots}, touched: map[Key]bool{}, poke: make(chan struct{}, 1), parts: map[edgeward.Digest]*part{}}
	s.endpoints.Store(&map[Key]*served{})
	return s
}

func orDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Run follows the specs until ctx ends; then it refuses new requests, lets those under way and the waiting shadow copies
// end, unloads everything and returns nil. An error means that the store could not be read at the start.
func (s *Server) Run(ctx context.Context) error {
	all, err := s.Store.Deployments(ctx)
	if err != nil {
		return edgeward.Wrap("serve.Run", err)
	}
	var owned sync.WaitGroup
	defer owned.Wait()
	for _, d := range all {
		s.Notify(d.Endpoint.Key())
	}
	for {
		s.mu.Lock()
		touched := s.touched
		s.touched = map[Key]bool{}
		s.mu.Unlock()
		for key := range touched {
			e, isNew := s.ensure(key)
			if isNew {
				owned.Go(func() { s.follow(ctx, e) })
			}
			select {
			case e.wake <- struct{}{}:
			default:
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.poke:
		}
	}
}

// Notify says that an endpoint or its spec was written, made or removed. It never waits.
func (s *Server) Notify(key Key) {
	s.mu.Lock()
	s.touched[key] = true
	s.mu.Unlock()
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// DevicesChanged says that there are other devices, or libraries for them: versions that run where nobody wanted them are
// tried once more. It never waits.
func (s *Server) DevicesChanged() {
	s.devices.Add(1)
	for key := range *s.endpoints.Load() {
		s.Notify(key)
	}
}

// Elsewhere lists the versions that do not run on the device that is wanted, by endpoint.
func (s *Server) Elsewhere() map[Key][]VersionStatus {
	out := map[Key][]VersionStatus{}
	for key, e := range *s.endpoints.Load() {
		for _, v := range e.status.Load().Versions {
			if v.Loaded && v.Choice.elsewhere() {
				out[key] = append(out[key], v)
			}
		}
	}
	return out
}

// Change applies one of Spec's methods to the stored spec and stores the result: the way a person's or the loop's word
// becomes a spec. The reconciler follows by itself.
func (s *Server) Change(ctx context.Context, key Key, change func(Spec) (Spec, error)) (Spec, error) {
	const op = "serve.Change"
	d, err := s.Store.Deployment(ctx, key)
	if err != nil {
		return Spec{}, edgeward.Wrap(op, err)
	}
	next, err := change(d.Spec)
	if err != nil {
		return Spec{}, edgeward.Wrap(op, err)
	}
	if err := s.Store.PutSpec(ctx, key, next); err != nil {
		return Spec{}, edgeward.Wrap(op, err)
	}
	s.Notify(key)
	return next, nil
}

// Status returns what was observed last; false if the Server does not know the endpoint.
func (s *Server) Status(key Key) (Status, bool) {
	e := (*s.endpoints.Load())[key]
	if e == nil {
		return Status{}, false
	}
	st := *e.status.Load()
	t := e.table.Load()
	st.Versions = slices.Clone(st.Versions)
	for i, v := range st.Versions {
		if in := t.versions[v.Version]; in != nil && v.Loaded {
			st.Versions[i].Cold = in.session.About().Cold // it comes and goes
		}
	}
	return st, true
}

// Metrics is a snapshot of one endpoint.
type Metrics struct {
	Key        Key        `json:"endpoint"`
	State      State      `json:"state"`
	InFlight   int64      `json:"in_flight"`
	Overloaded uint64     `json:"overloaded"` // requests refused because too many were in flight
	Limited    uint64     `json:"limited"`    // requests refused by a rate limit
	Versions   []Counters `json:"versions"`   // by version, then role
	Runs       []Runs     `json:"runs"`       // by version
}

// Metrics returns the counters of one endpoint; false if the Server does not know it.
func (s *Server) Metrics(key Key) (Metrics, bool) {
	e := (*s.endpoints.Load())[key]
	if e == nil {
		return Metrics{}, false
	}
	return e.metrics(), true
}

// AllMetrics returns the counters of every endpoint, by group and name.
func (s *Server) AllMetrics() []Metrics {
	all := *s.endpoints.Load()
	out := make([]Metrics, 0, len(all))
	for _, key := range slices.SortedFunc(maps.Keys(all), func(a, b Key) int { return strings.Compare(a.String(), b.String()) }) {
		out = append(out, all[key].metrics())
	}
	return out
}

func (e *served) metrics() Metrics {
	m := Metrics{Key: e.key, State: e.status.Load().State, InFlight: e.inFlight.Load(), Overloaded: e.overload.Load(), Limited: e.limited.Load()}
	e.mu.Lock()
	defer e.mu.Unlock()
	variants := e.table.Load().variants
	for _, c := range e.counters {
		n := c.snapshot()
		for name, in := range variants {
			if c.role == record.Variant && in.version.Number == c.version {
				n.Variant = name
			}
		}
		m.Versions = append(m.Versions, n)
	}
	for _, r := range e.runs {
		m.Runs = append(m.Runs, r.snapshot())
	}
	slices.SortFunc(m.Runs, func(a, b Runs) int { return a.Version - b.Version })
	slices.SortFunc(m.Versions, func(a, b Counters) int {
		if a.Version != b.Version {
			return a.Version - b.Version
		}
		return strings.Compare(string(a.Role), string(b.Role))
	})
	return m
}

// ensure returns the endpoint's entry, making one that answers nothing yet.
func (s *Server) ensure(key Key) (*served, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := *s.endpoints.Load()
	if e := old[key]; e != nil {
		return e, false
	}
	e := &served{
		key: key, wake: make(chan struct{}, 1), shadow: make(chan shadowJob, s.ShadowQueue),
		counters: map[versionRole]*counters{}, runs: map[int]*runs{},
	}
	e.table.Store(&table{replaced: make(chan struct{})})
	e.status.Store(&Status{State: Pending})
	next := maps.Clone(old)
	next[key] = e
	s.endpoints.Store(&next)
	return e, true
}

// forget removes the entry of an endpoint that is gone.
func (s *Server) forget(key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := maps.Clone(*s.endpoints.Load())
	delete(next, key)
	s.endpoints.Store(&next)
}

// countersOf returns the counters of a version by role, made on first use and kept while the process lives, so that a
// version loaded again goes on counting.
func (e *served) countersOf(version int) map[record.Role]*counters {
	e.mu.Lock()
	defer e.mu.Unlock()
	for k := range e.counters {
		if len(e.counters) > maxCounters && k.version < version-maxCounters/4 {
			delete(e.counters, k) // an old version still loaded goes on counting unseen
		}
	}
	out := map[record.Role]*counters{}
	for _, role := range []record.Role{record.Live, record.Canary, record.Shadow, record.Direct, record.Variant} {
		k := versionRole{version, role}
		if e.counters[k] == nil {
			e.counters[k] = &counters{version: version, role: role}
		}
		out[role] = e.counters[k]
	}
	return out
}

// runsOf returns the counts of a version's queue, kept like its counters.
func (e *served) runsOf(version int) *runs {
	e.mu.Lock()
	defer e.mu.Unlock()
	for v := range e.runs {
		if len(e.runs) > maxCounters && v < version-maxCounters/4 {
			delete(e.runs, v)
		}
	}
	if e.runs[version] == nil {
		e.runs[version] = &runs{version: version}
	}
	return e.runs[version]
}

// note keeps an observation as evidence.
func (e *served) note(v Evidence) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.evidence = append(e.evidence, v)
	if n := len(e.evidence) - MaxEvidence; n > 0 {
		e.evidence = slices.Delete(e.evidence, 0, n)
	}
}
