package serve_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/engine/fake"
	"edgeward/runtime/infer"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
	"edgeward/runtime/worker"
)

// killed is an error of a call that may have ended process.
type killed struct{ process string }

func (k killed) Error() string  { return "the process ended: segmentation fault" }
func (k killed) Killed() string { return k.process }

// dies makes the next runs of a version end its process.
func (e *adder) dies(version int, process ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.kills[version] = append(e.kills[version], process...)
}

func TestAVersionThatKillsItsWorkerTwiceIsQuarantined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, nil)
		w.ready(w.promote(1))
		s := w.promote(2)
		w.ready(s)
		w.engine.dies(2, "a#1")
		w.answers(2) // asked once more
		w.engine.dies(2, "a#1")
		w.answers(2) // the same death, met by another call
		time.Sleep(9 * time.Minute)
		w.engine.dies(2, "a#2")
		if _, err := w.infer(0, row(1, 2)); err != nil { // asked once more
			t.Errorf("the request that met the second death: %v", err)
		}
		st := w.until("degraded", func(st serve.Status) bool { return st.State == serve.Degraded })
		w.answers(1)
		q := st.Quarantined
		if st.Live != 1 || len(q) != 1 || q[0].Version != 2 || q[0].Deaths != 2 || q[0].Cause != "the process ended: segmentation fault" {
			t.Errorf("status %+v", st)
		}
		if v := st.Versions[0]; v.Version != 2 || v.Loaded || v.Code != "version.quarantined" {
			t.Errorf("version %+v", v)
		}
		if all := w.Quarantined(); len(all[beds]) != 1 {
			t.Errorf("listed %v", all)
		}
		synctest.Wait()
		if n := w.engine.open(2); n != 0 {
			t.Errorf("%d sessions of it are open", n)
		}
		w.stop()
		w.run(nil) // it survives a restart
		w.until("degraded again", func(st serve.Status) bool { return st.State == serve.Degraded && st.Live == 1 })
		w.answers(1)
		if n := w.engine.open(2); n != 0 {
			t.Errorf("%d sessions of it are open after a restart", n)
		}
		w.ready(w.change(func(s serve.Spec, c serve.Change) (serve.Spec, error) { return s.Release(c, 2, digest(2)) }))
		w.answers(2)
		if st, _ := w.Status(beds); len(st.Quarantined) != 0 {
			t.Errorf("released, and still %+v", st.Quarantined)
		}
		w.engine.dies(2, "a#3", "a#4") // a release is no licence
		_, _ = w.infer(0, row(1, 2))
		w.until("degraded once more", func(st serve.Status) bool { return len(st.Quarantined) == 1 })
		w.answers(1)
	})
}

func TestDeathsFarApartAreForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, nil)
		w.ready(w.promote(1))
		for i := range 5 {
			w.engine.dies(1, fmt.Sprint("a#", i))
			w.answers(1)
			time.Sleep(11 * time.Minute)
		}
		if st, _ := w.Status(beds); st.State != serve.Ready || len(st.Quarantined) != 0 {
			t.Errorf("status %+v", st)
		}
	})
}

func TestWithoutAnotherVersionQuarantineSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, nil)
		w.ready(w.promote(1))
		w.engine.dies(1, "a#1", "a#2")
		if _, err := w.infer(0, row(1, 2)); err == nil {
			t.Fatal("two deaths and an answer")
		}
		w.until("failed", func(st serve.Status) bool { return st.State == serve.Failed })
		_, err := w.infer(0, row(1, 2))
		if edgeward.KindOf(err) != edgeward.Unavailable || edgeward.CodeOf(err) != "version.quarantined" || edgeward.HintOf(err) == "" {
			t.Errorf("got %v", err)
		}
	})
}

// TestWhoLivesAlone: a canary, a shadow and a variant have workers of their own, and so has every version of an endpoint
// that says so. A version moves when its role changes, and nobody notices.
func TestWhoLivesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(e *serve.Endpoint) { e.Pinned, e.IdleUnloadS = true, 60 }, nil)
		alone := func(v int) bool {
			w.engine.mu.Lock()
			defer w.engine.mu.Unlock()
			return w.engine.terms[v].Alone
		}
		w.ready(w.promote(1))
		w.change(func(s serve.Spec, c serve.Change) (serve.Spec, error) { return s.Canary(c, 2, digest(2), 1000) })
		w.ready(w.change(func(s serve.Spec, c serve.Change) (serve.Spec, error) { return s.Shadow(c, 3, digest(3)) }))
		if alone(1) || !alone(2) || !alone(3) {
			t.Errorf("alone: %t %t %t, want only the canary and the shadow", alone(1), alone(2), alone(3))
		}
		if x := w.engine.terms[1]; !x.Pinned || x.IdleUnload != time.Minute {
			t.Errorf("terms %+v", x)
		}
		before := w.engine.loads.Load()
		w.ready(w.promote(2))
		synctest.Wait()
		if alone(2) || w.engine.loads.Load() != before+1 || w.engine.open(2) != 1 {
			t.Errorf("promoted: alone %t, %d loads, %d open", alone(2), w.engine.loads.Load()-before, w.engine.open(2))
		}
		w.answers(2)
		w.store.mu.Lock()
		d := w.store.all[beds]
		d.Endpoint.Worker = serve.OwnWorker
		w.store.all[beds] = d
		w.store.mu.Unlock()
		w.Notify(beds)
		w.until("moved", func(serve.Status) bool { return alone(2) })
		synctest.Wait()
		w.answers(2)
		if n := w.engine.open(2); n != 1 {
			t.Errorf("%d sessions are open", n)
		}
	})
}

// processes are a client with real worker processes, as the node has them.
type processes struct {
	*infer.Client
	shared *worker.Worker

	mu  sync.Mutex
	own []*worker.Worker
}

func pool(t testing.TB, kind string) *processes {
	p, native := &processes{}, t.TempDir()
	make := func(name string) *worker.Worker {
		w := worker.New(worker.Options{Kind: kind, Name: name, Env: worker.Env{NativeDir: native, Threads: 1}, MemoryLimit: 1 << 30, Concurrency: 4, Grace: 300 * time.Millisecond})
		t.Cleanup(func() { w.Close() })
		return w
	}
	p.shared = make("shared")
	p.Client = infer.New(infer.Options{Serve: p.shared, Prove: make("prove"), Own: func(name string, _ infer.Candidate) infer.Own {
		w := make(name)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.own = append(p.own, w)
		return w
	}})
	return p
}

// ownPID is the process of the first worker of one's own that runs.
func (p *processes) ownPID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.own {
		if s := w.Status(); s.PID != 0 {
			return s.PID
		}
	}
	return 0
}

// TestAPoisonousVersionHarmsNoOtherEndpoint: behind one endpoint stands a version that crashes on a certain input, beside
// another endpoint in the same worker. The other's callers see no error; the bad version is quarantined and the one before
// it answers.
func TestAPoisonousVersionHarmsNoOtherEndpoint(t *testing.T) {
	for _, how := range []string{"panic", "loop", "memory"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			p := pool(t, kindFake)
			client, shared := p.Client, p.shared
			runner := &inWorker{client: client, candidates: []infer.Candidate{{Engine: "fake", Device: engine.CPU}}, model: func(v int) engine.Model {
				m := fake.Affine{Weights: []float32{1, 1}, Bias: float32(1000 * v)}
				if v == 2 {
					m.Poison = &fake.Poison{At: 666, How: how}
				}
				return m.Model()
			}}
			w := start(t, nil, func(c *serve.Config) {
				c.Runner = runner
				if how == "loop" {
					c.Timeout = 3 * time.Second // the others wait as long while their worker starts again
				}
			})
			rooms := serve.Key{Group: "ward", Name: "rooms"}
			w.store.mu.Lock()
			one, err := serve.Spec{}.Promote(because(0), 1, digest(1))
			if err != nil {
				t.Fatal(err)
			}
			w.store.all[rooms] = serve.Deployment{Endpoint: serve.Endpoint{Group: "ward", Name: "rooms", Kind: serve.Table, Model: "beds"}, Spec: one}
			w.store.mu.Unlock()
			w.Notify(rooms)
			w.ready(w.promote(1))
			w.ready(w.promote(2))
			w.until("ready beside it", func(serve.Status) bool { st, _ := w.Status(rooms); return st.State == serve.Ready })
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var others sync.WaitGroup
			var answered atomic.Int64
			for range 2 {
				others.Go(func() {
					for ctx.Err() == nil {
						a, err := w.Infer(ctx, serve.Request{ID: w.id(), Endpoint: rooms, Inputs: []tensor.Tensor{row(1, 2)}, ReceivedAt: time.Now()})
						if ctx.Err() != nil {
							return
						}
						if err != nil {
							t.Errorf("another endpoint's request failed: %v", err)
							return
						}
						if y, _ := a.Outputs[0].Float32s(); y[0] != 1003 {
							t.Errorf("got %v", y)
						}
						answered.Add(1)
					}
				})
			}
			for answered.Load() < 200 && !t.Failed() {
				time.Sleep(time.Millisecond)
			}
			if _, err := w.infer(0, row(666, 0)); err == nil {
				t.Error("the poison was answered")
			}
			st := w.until("quarantined", func(st serve.Status) bool { return len(st.Quarantined) == 1 && st.Live == 1 })
			w.answers(1)
			for had := answered.Load(); answered.Load() < had+200 && !t.Failed(); {
				time.Sleep(time.Millisecond)
			}
			stop()
			others.Wait()
			t.Logf("%s; the shared worker died %d times, %d answers beside it", st.Quarantined[0].Cause, shared.Status().Deaths, answered.Load())
			if n := shared.Status().Deaths; n != 1 {
				t.Errorf("the shared worker died %d times, want once", n)
			}
			if s, _ := w.Status(rooms); len(s.Quarantined) != 0 || s.State != serve.Ready {
				t.Errorf("the innocent: %+v", s)
			}
			if c := w.counters(1, record.Live); c.Errors != 0 {
				t.Errorf("%d errors of the version before", c.Errors)
			}
		})
	}
}
