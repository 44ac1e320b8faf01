package serve_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgeward/runtime/engine"
	"edgeward/runtime/engine/enginetest"
	"edgeward/runtime/engine/fake"
	"edgeward/runtime/infer"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// soaks reports whether long tests are wanted whole.
func soaks() bool { return os.Getenv("EDGEWARD_SOAK") != "" }

// driver asks at a fixed rate, whatever the answers take, with at most 200 requests under way.
type driver struct {
	sent, answered, late atomic.Int64 // late: not sent, because 200 were under way
	mu                   sync.Mutex
	took                 []time.Duration
	last                 atomic.Int64 // when the last answer came, in nanoseconds of the clock
	gap                  atomic.Int64 // the longest time without an answer
}

// run calls ask perSecond times a second until ctx ends, and waits for the last.
func (d *driver) run(ctx context.Context, perSecond int, ask func() bool) {
	var all sync.WaitGroup
	defer all.Wait()
	began := time.Now()
	d.last.Store(began.UnixNano())
	under := make(chan struct{}, 200)
	for n := 0; ctx.Err() == nil; {
		due := int(time.Since(began).Seconds() * float64(perSecond))
		for ; n < due; n++ {
			select {
			case under <- struct{}{}:
			default:
				d.late.Add(1)
				continue
			}
			d.sent.Add(1)
			all.Go(func() {
				defer func() { <-under }()
				at := time.Now()
				if !ask() {
					return
				}
				now := time.Now()
				d.answered.Add(1)
				gap := now.UnixNano() - d.last.Swap(now.UnixNano())
				for old := d.gap.Load(); gap > old && !d.gap.CompareAndSwap(old, gap); old = d.gap.Load() {
				}
				d.mu.Lock()
				d.took = append(d.took, now.Sub(at))
				d.mu.Unlock()
			})
		}
		time.Sleep(time.Millisecond)
	}
}

func (d *driver) quantile(q float64) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.took) == 0 {
		return 0
	}
	slices.Sort(d.took)
	return d.took[min(len(d.took)-1, int(q*float64(len(d.took))))].Round(10 * time.Microsecond)
}

// bothRows are two rows that one version must answer.
var bothRows = row(1, 2, 3, 4)

// oneVersion asks and reports whether it was answered, and wholly by the version that the answer names.
func oneVersion(t *testing.T, w *world, key serve.Key) bool {
	a, err := w.Infer(t.Context(), serve.Request{ID: w.id(), Endpoint: key, Inputs: []tensor.Tensor{bothRows}, ReceivedAt: time.Now()})
	if err != nil {
		t.Errorf("request failed: %v", err)
		return false
	}
	y, err := a.Outputs[0].Float32s()
	if err != nil || len(y) != 2 || y[0] != float32(1000*a.Version+3) || y[1] != float32(1000*a.Version+7) {
		t.Errorf("version %d answered %v", a.Version, y)
		return false
	}
	return true
}

// TestSoakHotSwaps swaps versions in a real worker under 2,000 requests a second, 1,000 times with EDGEWARD_SOAK: no request
// fails and none is answered by two versions.
func TestSoakHotSwaps(t *testing.T) {
	swaps, rate := 50, 500
	if soaks() {
		swaps, rate = 1000, 2000
	}
	p := pool(t, kindFake)
	client, shared := p.Client, p.shared
	runner := &inWorker{client: client, candidates: []infer.Candidate{{Engine: "fake", Device: engine.CPU}},
		model: func(v int) engine.Model {
			return fake.Affine{Weights: []float32{1, 1}, Bias: float32(1000 * v)}.Model()
		}}
	w := start(t, nil, func(c *serve.Config) { c.Runner, c.Record = runner, nil })
	w.ready(w.promote(1))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	d, ended := &driver{}, make(chan struct{})
	go func() { defer close(ended); d.run(ctx, rate, func() bool { return oneVersion(t, w, beds) }) }()
	began := time.Now()
	for v := 2; v < 2+swaps && !t.Failed(); v++ {
		w.ready(w.promote(1 + v%900)) // the registry has versions up to 999
	}
	took := time.Since(began)
	stop()
	<-ended
	t.Logf("%d swaps in %v under %.0f requests a second: %d answered, %d sent, %d not sent because 200 were under way; p50 %v, p99 %v, longest gap %v",
		swaps, took.Round(time.Millisecond), float64(d.sent.Load())/took.Seconds(), d.answered.Load(), d.sent.Load(), d.late.Load(), d.quantile(0.5), d.quantile(0.99), time.Duration(d.gap.Load()))
	if d.answered.Load() != d.sent.Load() || d.answered.Load() < int64(swaps) || shared.Status().Deaths != 0 {
		t.Errorf("%d sent, %d answered, %d deaths", d.sent.Load(), d.answered.Load(), shared.Status().Deaths)
	}
}

// TestSoakKilledWorkers kills, under load, the worker of one endpoint and then the one that the others share: nobody sees an
// error, and the log says how long each was away.
func TestSoakKilledWorkers(t *testing.T) {
	rounds := 2
	if soaks() {
		rounds = 20
	}
	p := pool(t, infer.Kind)
	client, shared := p.Client, p.shared
	runner := &inWorker{client: client, candidates: []infer.Candidate{{Engine: "onnxruntime", Device: engine.CPU}},
		model: func(int) engine.Model { return enginetest.ONNX(t, "affine") }}
	w := start(t, func(e *serve.Endpoint) { e.Worker = serve.OwnWorker }, func(c *serve.Config) { c.Runner, c.Assets, c.Record = runner, nil, nil })
	rooms := serve.Key{Group: "ward", Name: "rooms"}
	one, err := serve.Spec{}.Promote(because(0), 1, digest(1))
	if err != nil {
		t.Fatal(err)
	}
	w.store.mu.Lock()
	w.store.all[rooms] = serve.Deployment{Endpoint: serve.Endpoint{Group: "ward", Name: "rooms", Kind: serve.Table, Model: "beds"}, Spec: one}
	w.store.mu.Unlock()
	w.Notify(rooms)
	w.promote(1)
	st := w.until("loaded or failed", func(s serve.Status) bool {
		return s.ObservedRevision == 1 && (s.State == serve.Ready || s.State == serve.Failed)
	})
	if st.State == serve.Failed && st.Versions[0].Code == "infer.no_engine" {
		t.Skipf("built without native libraries: %s", st.Versions[0].Error)
	}
	for ready := false; !ready; time.Sleep(time.Millisecond) {
		s, _ := w.Status(rooms)
		ready = s.State == serve.Ready
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	alone, others := &driver{}, &driver{}
	var all sync.WaitGroup
	for key, d := range map[serve.Key]*driver{beds: alone, rooms: others} {
		all.Go(func() {
			d.run(ctx, 300, func() bool {
				a, err := w.Infer(t.Context(), serve.Request{ID: w.id(), Endpoint: key, Inputs: []tensor.Tensor{row(3, 1)}, ReceivedAt: time.Now()})
				if err != nil {
					t.Errorf("%s: %v", key, err)
					return false
				}
				if y, _ := a.Outputs[0].Float32s(); y[0] != 5.5 {
					t.Errorf("%s answered %v", key, y)
				}
				return true
			})
		})
	}
	more := func(d *driver) {
		for had := d.answered.Load(); d.answered.Load() < had+100 && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
	}
	for range rounds {
		for _, kill := range []struct {
			who  string
			pid  int
			away *driver
		}{{"its own", p.ownPID(), alone}, {"the shared", shared.Status().PID, others}} {
			more(alone)
			more(others)
			alone.gap.Store(0)
			others.gap.Store(0)
			if err := syscall.Kill(kill.pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			more(kill.away)
			t.Logf("%s worker killed: %v without an answer there, %v at the other endpoint", kill.who, ms(kill.away), ms(map[bool]*driver{true: others, false: alone}[kill.away == alone]))
		}
	}
	stop()
	all.Wait()
	if s, _ := w.Status(beds); len(s.Quarantined) != 0 || alone.answered.Load() != alone.sent.Load() || others.answered.Load() != others.sent.Load() {
		t.Errorf("answered %d of %d and %d of %d; quarantined %+v", alone.answered.Load(), alone.sent.Load(), others.answered.Load(), others.sent.Load(), s.Quarantined)
	}
}

func ms(d *driver) time.Duration { return time.Duration(d.gap.Load()).Round(time.Millisecond) }
