package serve_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// store keeps everything in memory.
type store struct {
	mu     sync.Mutex
	all    map[serve.Key]serve.Deployment
	status map[serve.Key]serve.Status
	writes int
}

func newStore() *store {
	return &store{all: map[serve.Key]serve.Deployment{}, status: map[serve.Key]serve.Status{}}
}

func (s *store) Deployments(context.Context) ([]serve.Deployment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []serve.Deployment
	for _, d := range s.all {
		out = append(out, d)
	}
	return out, nil
}

func (s *store) Deployment(_ context.Context, k serve.Key) (serve.Deployment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.all[k]; ok {
		return d, nil
	}
	return serve.Deployment{}, edgeward.E("store", edgeward.NotFound, "endpoint.not_found", "no %s", k)
}

func (s *store) PutSpec(_ context.Context, k serve.Key, spec serve.Spec) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.all[k]
	if d.Spec.Revision+1 != spec.Revision {
		return edgeward.E("store", edgeward.Conflict, "endpoint.stale", "at %d", d.Spec.Revision)
	}
	d.Spec = spec
	s.all[k] = d
	return nil
}

func (s *store) Status(_ context.Context, k serve.Key) (serve.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status[k], nil
}

func (s *store) PutStatus(_ context.Context, k serve.Key, st serve.Status) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status[k] = st
	s.writes++
	return nil
}

// adder answers 1000·version + the sum of the row. It is the whole engine: it computes, may be slow, fail and crash.
type adder struct {
	mu     sync.Mutex
	fail   map[int]error         // Load of a version
	delay  time.Duration         // of Run
	hold   map[int]chan struct{} // Run of a version waits for it
	skew   map[int]float32       // added to a version's answers
	loaded map[int]int           // open sessions by version
	terms  map[int]serve.Terms   // of the last load of a version
	kills  map[int][]string      // processes that the next runs of a version end
	loads  atomic.Int64
	cold   atomic.Bool   // its sessions have left the memory
	device string        // "": the CPU
	anew   time.Duration // of a Run of other rows than the one before
	rows   atomic.Int64  // of the last Run
}

func newAdder() *adder {
	return &adder{fail: map[int]error{}, hold: map[int]chan struct{}{}, skew: map[int]float32{}, loaded: map[int]int{}, terms: map[int]serve.Terms{}, kills: map[int][]string{}}
}

func (e *adder) Load(ctx context.Context, v models.Version, terms serve.Terms) (serve.Session, error) {
	e.loads.Add(1)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.fail[v.Number]; err != nil {
		return nil, err
	}
	e.loaded[v.Number]++
	e.terms[v.Number] = terms
	return &session{adder: e, version: v.Number}, nil
}

func (e *adder) open(version int) int { e.mu.Lock(); defer e.mu.Unlock(); return e.loaded[version] }

type session struct {
	*adder
	version int
	crashed atomic.Bool
	closed  atomic.Bool
}

func (s *session) About() serve.About {
	return serve.About{Engine: "test", Device: cmp.Or(s.device, engine.CPU), Cold: s.cold.Load()}
}

func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Swap(true) {
		return errors.New("closed twice")
	}
	s.loaded[s.version]--
	return nil
}

func (s *session) Run(ctx context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
	s.mu.Lock()
	hold, delay, skew := s.hold[s.version], s.delay, s.skew[s.version]
	if s.rows.Swap(in[0].Shape[0]) != in[0].Shape[0] {
		delay += s.anew
	}
	if k := s.kills[s.version]; len(k) > 0 {
		s.kills[s.version] = k[1:]
		s.mu.Unlock()
		return nil, edgeward.E("engine", edgeward.Unavailable, "worker.died", "%w", killed{k[0]})
	}
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if delay > 0 {
		time.Sleep(delay)
	}
	if s.closed.Load() {
		return nil, errors.New("run after close")
	}
	x, err := in[0].Float32s()
	if err != nil {
		return nil, err
	}
	if len(x) > 0 && x[0] == 666 && !s.crashed.Swap(true) || s.crashed.Load() {
		return nil, edgeward.E("engine", edgeward.Unavailable, "worker.lost", "the worker ended")
	}
	rows := int(in[0].Shape[0])
	out := make([]float32, rows)
	for i := range out {
		out[i] = float32(1000*s.version) + skew
		for _, f := range x[i*len(x)/rows : (i+1)*len(x)/rows] {
			out[i] += f
		}
	}
	t, err := tensor.FromFloat32s("y", []int64{int64(rows), 1}, out)
	return []tensor.Tensor{t}, err
}

// registry has every version of every model up to 999; the newest is 9, and 8 was rejected.
type registry struct{}

func (registry) Version(_ context.Context, group string, ref models.Ref) (models.Version, error) {
	state := models.Registered
	switch ref.Version {
	case 0:
		ref.Version = 9
	case 8:
		state = models.Rejected
	}
	if ref.Version >= 1000 {
		return models.Version{}, edgeward.E("registry", edgeward.NotFound, "model.not_found", "no %s", ref)
	}
	return models.Version{Group: group, Model: ref.Model, Number: ref.Version, Digest: digest(ref.Version), State: state, Manifest: models.Manifest{
		Signature: tensor.Signature{
			Inputs:  []tensor.Spec{{Name: "x", Datatype: tensor.FP32, Shape: []int64{-1, 2}}},
			Outputs: []tensor.Spec{{Name: "y", Datatype: tensor.FP32, Shape: []int64{-1, 1}}},
		}}}, nil
}

func assets(_ context.Context, v models.Version) (serve.Assets, error) {
	return serve.Assets{
		Examples: []tensor.Tensor{row(1, 2)}, Golden: []tensor.Tensor{mustFloats("y", []int64{1, 1}, float32(1000*v.Number+3))},
		Inputs: []serve.Range{{Low: 0, High: 100}, {Low: 0, High: 10}}, Answers: &serve.Range{Low: 0, High: 9000},
	}, nil
}

func mustFloats(name string, shape []int64, v ...float32) tensor.Tensor {
	t, err := tensor.FromFloat32s(name, shape, v)
	if err != nil {
		panic(err)
	}
	return t
}

func row(v ...float32) tensor.Tensor { return mustFloats("x", []int64{int64(len(v) / 2), 2}, v...) }

// recorder keeps what it is given.
type recorder struct {
	mu  sync.Mutex
	all []record.Prediction
}

func (r *recorder) Add(p record.Prediction) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, p)
	return nil
}

func (r *recorder) count(role record.Role) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.all {
		if p.Role == role {
			n++
		}
	}
	return n
}

// world is a running server with one endpoint, ward/beds.
type world struct {
	*testing.T
	*serve.Server
	store  *store
	engine *adder
	record *recorder
	ids    atomic.Uint64
	stop   func()
}

var beds = serve.Key{Group: "ward", Name: "beds"}

func start(t *testing.T, change func(*serve.Endpoint), config func(*serve.Config)) *world {
	t.Helper()
	w := &world{T: t, store: newStore(), engine: newAdder(), record: &recorder{}}
	e := serve.Endpoint{Group: "ward", Name: "beds", Kind: serve.Table, Model: "beds", Record: record.Full}
	if change != nil {
		change(&e)
	}
	w.store.all[beds] = serve.Deployment{Endpoint: e}
	w.run(config)
	return w
}

// run starts a server on the world's store, as after a restart.
func (w *world) run(config func(*serve.Config)) {
	c := serve.Config{Store: w.store, Models: registry{}, Runner: w.engine, Assets: assets, Record: w.record, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	if config != nil {
		config(&c)
	}
	w.Server = serve.New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Server.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.Errorf("Run: %v", err)
		}
	})
	w.Cleanup(w.stop)
}

// change writes the spec as ada.
func (w *world) change(f func(serve.Spec, serve.Change) (serve.Spec, error)) serve.Spec {
	w.Helper()
	s, err := w.Change(w.Context(), beds, func(s serve.Spec) (serve.Spec, error) { return f(s, because(s.Revision)) })
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func (w *world) promote(v int) serve.Spec {
	w.Helper()
	return w.change(func(s serve.Spec, c serve.Change) (serve.Spec, error) { return s.Promote(c, v, digest(v)) })
}

func (w *world) id() string {
	var u ulid.ULID
	_ = u.SetTime(1700000000000 + w.ids.Add(1))
	return u.String()
}

func (w *world) infer(version int, in ...tensor.Tensor) (serve.Answer, error) {
	return w.Infer(w.Context(), serve.Request{ID: w.id(), Endpoint: beds, Version: version, Inputs: in, ReceivedAt: time.Now()})
}

// answers expects version v to answer the row (1, 2).
func (w *world) answers(v int) {
	w.Helper()
	a, err := w.infer(0, row(1, 2))
	if err != nil {
		w.Fatal(err)
	}
	y, _ := a.Outputs[0].Float32s()
	if a.Version != v || y[0] != float32(1000*v+3) {
		w.Fatalf("version %d answered %v, want version %d", a.Version, y, v)
	}
}

// until waits for the status to follow.
func (w *world) until(what string, is func(serve.Status) bool) serve.Status {
	w.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		st, _ := w.Status(beds)
		if is(st) {
			return st
		}
		if time.Now().After(deadline) {
			w.Fatalf("never %s; status %s", what, fmt.Sprintf("%+v", st))
		}
		time.Sleep(time.Millisecond)
	}
}

func (w *world) ready(s serve.Spec) serve.Status {
	w.Helper()
	return w.until("ready", func(st serve.Status) bool { return st.State == serve.Ready && st.ObservedRevision == s.Revision })
}

func (w *world) counters(v int, role record.Role) serve.Counters {
	m, _ := w.Metrics(beds)
	for _, c := range m.Versions {
		if c.Version == v && c.Role == role {
			return c
		}
	}
	return serve.Counters{}
}
