package serve_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

func TestPromoteThenRollBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, nil)
		if _, err := w.infer(0, row(1, 2)); edgeward.CodeOf(err) != "endpoint.not_found" && edgeward.CodeOf(err) != "endpoint.not_ready" {
			t.Fatalf("an endpoint without versions: %v", err)
		}
		st := w.ready(w.promote(1))
		w.answers(1)
		if v := st.Versions[0]; !v.Loaded || v.Golden != 1 || v.Engine != "test" || v.MaxDiff != 0 {
			t.Errorf("status of version 1: %+v", v)
		}
		w.ready(w.promote(2))
		w.answers(2)
		if n := w.engine.open(1); n != 1 {
			t.Errorf("the previous version has %d sessions, want 1", n)
		}
		loads := w.engine.loads.Load()
		w.ready(w.change(serve.Spec.Rollback))
		w.answers(1)
		if n := w.engine.loads.Load(); n != loads {
			t.Errorf("a roll back loaded %d versions, want none", n-loads)
		}
		w.ready(w.promote(3))
		synctest.Wait()
		if n := w.engine.open(2); n != 0 {
			t.Errorf("version 2 has %d sessions, want none", n)
		}
		w.stop()
		for v := 1; v <= 3; v++ {
			if n := w.engine.open(v); n != 0 {
				t.Errorf("after the end version %d has %d sessions", v, n)
			}
		}
	})
}

// TestTheLastGoodOneGoesOn: a version that fails to load, or loads and answers other than its golden outputs, never
// answers; the status says why, also after a restart.
func TestTheLastGoodOneGoesOn(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*adder)
		code  string
		tries int // within ten seconds
	}{
		"no model":      {func(e *adder) { e.fail[2] = edgeward.E("engine", edgeward.Invalid, "engine.model", "no model") }, "engine.model", 1},
		"wrong answers": {func(e *adder) { e.skew[2] = 7 }, "version.golden", 1},
		"no memory": {func(e *adder) {
			e.fail[2] = edgeward.E("engine", edgeward.Exhausted, "engine.memory", "no memory")
		}, "engine.memory", 4}, // at 0, 1, 3 and 7 s
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, nil, nil)
				w.ready(w.promote(1))
				c.spoil(w.engine)
				before := w.engine.loads.Load()
				w.promote(2)
				check := func() {
					t.Helper()
					st := w.until("degraded", func(st serve.Status) bool { return st.State == serve.Degraded })
					w.answers(1)
					if st.Live != 1 || st.Versions[0].Version != 2 || st.Versions[0].Loaded || st.Versions[0].Code != c.code {
						t.Errorf("status %+v", st)
					}
				}
				check()
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if n := int(w.engine.loads.Load() - before); n != c.tries {
					t.Errorf("%d loads in ten seconds, want %d", n, c.tries)
				}
				w.stop()
				w.run(nil)
				check()
				w.ready(w.change(serve.Spec.Rollback)) // the bad version becomes previous, and nothing waits for it
				w.answers(1)
			})
		})
	}
}

func TestARetryThatSucceedsTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, nil)
		w.engine.fail[1] = edgeward.E("engine", edgeward.Unavailable, "worker.lost", "the worker ended")
		s := w.promote(1)
		w.until("failed", func(st serve.Status) bool { return st.State == serve.Failed })
		w.engine.mu.Lock()
		delete(w.engine.fail, 1)
		w.engine.mu.Unlock()
		time.Sleep(2 * time.Second)
		w.ready(s)
		w.answers(1)
	})
}

// TestDrain: a swap waits for nobody, and the old version is closed only when its last request has its answer.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, nil)
		w.ready(w.promote(1))
		gate := make(chan struct{})
		w.engine.mu.Lock()
		w.engine.hold[1] = gate
		w.engine.mu.Unlock()
		type result struct {
			a   serve.Answer
			err error
		}
		slow := make(chan result)
		go func() { a, err := w.infer(0, row(1, 2)); slow <- result{a, err} }()
		synctest.Wait()
		w.ready(w.promote(2))
		w.ready(w.promote(3)) // version 1 is nobody's previous any more
		w.answers(3)
		synctest.Wait()
		if n := w.engine.open(1); n != 1 {
			t.Fatalf("version 1 has %d sessions while it answers", n)
		}
		close(gate)
		if r := <-slow; r.err != nil || r.a.Version != 1 {
			t.Fatalf("the slow request: %+v", r)
		}
		synctest.Wait()
		if n := w.engine.open(1); n != 0 {
			t.Errorf("version 1 has %d sessions after its last answer", n)
		}
	})
}

func TestAShadowAnswersEveryRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(e *serve.Endpoint) { e.ShadowWait = true }, func(c *serve.Config) { c.ShadowQueue, c.ShadowWorkers = 1, 1 })
		w.promote(1)
		w.ready(w.change(func(s serve.Spec, c serve.Change) (serve.Spec, error) { return s.Shadow(c, 2, digest(2)) }))
		for range 50 {
			w.answers(1)
		}
		synctest.Wait()
		c := w.counters(2, record.Shadow)
		if w.record.count(record.Live) != 50 || w.record.count(record.Shadow) != 50 || c.Requests != 50 || c.Dropped != 0 || c.Compared != 50 || c.Differ != 50 {
			t.Errorf("%d live and %d shadow records; counters %+v", w.record.count(record.Live), w.record.count(record.Shadow), c)
		}
		if _, err := w.infer(1, row(1, 2)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := w.record.count(record.Shadow); n != 50 {
			t.Errorf("a request for a version by number went to the shadow")
		}
	})
}

func TestAFullShadowQueueDropsAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, func(c *serve.Config) { c.ShadowQueue, c.ShadowWorkers = 4, 1 })
		w.promote(1)
		w.ready(w.change(func(s serve.Spec, c serve.Change) (serve.Spec, error) { return s.Shadow(c, 2, digest(2)) }))
		gate := make(chan struct{})
		w.engine.mu.Lock()
		w.engine.hold[2] = gate
		w.engine.mu.Unlock()
		for range 20 {
			w.answers(1)
			synctest.Wait()
		}
		close(gate)
		synctest.Wait()
		if c := w.counters(2, record.Shadow); c.Requests != 5 || c.Dropped != 15 { // one under way, four waiting
			t.Errorf("counters %+v", c)
		}
	})
}

func TestACanaryGetsItsShare(t *testing.T) {
	w := start(t, nil, nil)
	w.promote(1)
	w.ready(w.change(func(s serve.Spec, c serve.Change) (serve.Spec, error) { return s.Canary(c, 2, digest(2), 1000) }))
	const n = 5000
	for range n {
		r := serve.Request{ID: w.id(), Endpoint: beds, Inputs: []tensor.Tensor{row(1, 2)}, ReceivedAt: time.Now()}
		a, err := w.Infer(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		want := 1
		if serve.Share(r.ID) < 1000 {
			want = 2
		}
		if a.Version != want {
			t.Fatalf("id %s went to version %d, want %d", r.ID, a.Version, want)
		}
		if again, _ := w.Infer(t.Context(), r); again.Version != a.Version {
			t.Fatalf("id %s went to version %d and then to %d", r.ID, a.Version, again.Version)
		}
	}
	if got := w.counters(2, record.Canary).Requests; got < 2*n/10-200 || got > 2*n/10+200 {
		t.Errorf("the canary got %d of %d requests, want about a tenth", got, 2*n)
	}
}

func TestWhatIsRefused(t *testing.T) {
	w := start(t, nil, nil)
	w.promote(1)
	w.ready(w.promote(2))
	text, _ := tensor.FromStrings("x", []int64{1, 2}, []string{"a", "b"})
	for name, c := range map[string]struct {
		key     serve.Key
		version int
		in      []tensor.Tensor
		code    string
	}{
		"a row":                          {beds, 0, []tensor.Tensor{row(1, 2)}, ""},
		"many rows":                      {beds, 0, []tensor.Tensor{row(1, 2, 3, 4)}, ""},
		"a missing value":                {beds, 0, []tensor.Tensor{row(1, float32(math.NaN()))}, ""},
		"the previous version":           {beds, 1, []tensor.Tensor{row(1, 2)}, ""},
		"an infinite value":              {beds, 0, []tensor.Tensor{row(1, float32(math.Inf(1)))}, "input.not_finite"},
		"a version that is not behind":   {beds, 3, []tensor.Tensor{row(1, 2)}, "endpoint.no_version"},
		"an unknown endpoint":            {serve.Key{Group: "ward", Name: "x"}, 0, nil, "endpoint.not_found"},
		"another group's endpoint":       {serve.Key{Group: "other", Name: "beds"}, 0, nil, "endpoint.not_found"},
		"no input":                       {beds, 0, nil, "input.missing"},
		"the same input twice":           {beds, 0, []tensor.Tensor{row(1, 2), row(1, 2)}, "input.duplicate"},
		"an unknown input":               {beds, 0, []tensor.Tensor{mustFloats("z", []int64{1}, 1)}, "input.unknown"},
		"another datatype":               {beds, 0, []tensor.Tensor{text}, "input.datatype"},
		"another shape":                  {beds, 0, []tensor.Tensor{mustFloats("x", []int64{1, 3}, 1, 2, 3)}, "input.shape"},
		"data that do not fit the shape": {beds, 0, []tensor.Tensor{{Name: "x", Datatype: tensor.FP32, Shape: []int64{1, 2}, Data: make([]byte, 7)}}, "tensor.size"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Infer(t.Context(), serve.Request{ID: w.id(), Endpoint: c.key, Version: c.version, Inputs: c.in, ReceivedAt: time.Now()})
			if edgeward.CodeOf(err) != c.code {
				t.Errorf("got %v, want code %q", err, c.code)
			}
		})
	}
	if c := w.counters(2, record.Live); c.Requests != 3 || c.Refused != 7 || c.Errors != 0 {
		t.Errorf("counters %+v", c)
	}
}

func TestARawEndpointRefusesMissingValues(t *testing.T) {
	w := start(t, func(e *serve.Endpoint) { e.Kind = serve.Raw }, nil)
	w.ready(w.promote(1))
	if _, err := w.infer(0, row(1, float32(math.NaN()))); edgeward.CodeOf(err) != "input.not_finite" {
		t.Errorf("got %v", err)
	}
}

func TestRangesAreCounted(t *testing.T) {
	w := start(t, nil, nil)
	w.ready(w.promote(1))
	for _, in := range []tensor.Tensor{row(1, 2, 200, 200, 3, 4), row(1, 11), row(-1, float32(math.NaN())), row(9000, 1)} {
		if _, err := w.infer(0, in); err != nil {
			t.Fatal(err)
		}
	}
	if c := w.counters(1, record.Live); c.Rows != 6 || c.InputsOut != 4 || c.AnswersOut != 2 {
		t.Errorf("counters %+v", c)
	}
}

func TestOneTooManyIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(e *serve.Endpoint) { e.MaxInFlight = 3 }, nil)
		w.ready(w.promote(1))
		gate := make(chan struct{})
		w.engine.mu.Lock()
		w.engine.hold[1] = gate
		w.engine.mu.Unlock()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { w.infer(0, row(1, 2)) })
		}
		synctest.Wait()
		_, err := w.infer(0, row(1, 2))
		if edgeward.KindOf(err) != edgeward.Exhausted || edgeward.ParamsOf(err)["retry_after"] != "1" {
			t.Errorf("got %v, params %v", err, edgeward.ParamsOf(err))
		}
		close(gate)
		wg.Wait()
		w.answers(1)
		if m, _ := w.Metrics(beds); m.Overloaded != 1 || m.InFlight != 0 {
			t.Errorf("metrics %+v", m)
		}
	})
}

// TestACrashIsHealed: the request under way when the worker ended is answered by the version loaded again, and so is
// everybody after it.
func TestACrashIsHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, nil)
		s := w.promote(1)
		w.ready(s)
		_, err := w.infer(0, row(666, 0)) // kills every session it meets, so the retry fails too
		if edgeward.KindOf(err) != edgeward.Unavailable {
			t.Fatalf("the poison: %v", err)
		}
		w.answers(1) // crashed again by the retry; waits for the reload
		w.ready(s)
		synctest.Wait()
		if n := w.engine.open(1); n != 1 {
			t.Errorf("%d sessions of version 1 are open", n)
		}
		if c := w.counters(1, record.Live); c.Errors < 2 || c.InFlight != 0 {
			t.Errorf("counters %+v", c)
		}
	})
}

func TestARequestEndsWithItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, func(c *serve.Config) { c.Timeout = 3 * time.Second })
		w.ready(w.promote(1))
		w.engine.mu.Lock()
		w.engine.hold[1] = make(chan struct{})
		w.engine.mu.Unlock()
		begin := time.Now()
		if _, err := w.infer(0, row(1, 2)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestARemovedEndpointIsUnloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, nil)
		w.ready(w.promote(1))
		w.store.mu.Lock()
		d := w.store.all[beds]
		delete(w.store.all, beds)
		w.store.mu.Unlock()
		w.Notify(beds)
		synctest.Wait()
		if _, err := w.infer(0, row(1, 2)); edgeward.CodeOf(err) != "endpoint.not_found" {
			t.Errorf("got %v", err)
		}
		if n := w.engine.open(1); n != 0 {
			t.Errorf("%d sessions are open", n)
		}
		w.store.mu.Lock()
		w.store.all[beds] = d
		w.store.mu.Unlock()
		w.Notify(beds)
		synctest.Wait()
		w.answers(1)
	})
}

// TestHotSwapsUnderLoad: 200 promotions while clients ask without pause. No request fails and none is answered by two
// versions: the number in the answer names the version it says.
func TestHotSwapsUnderLoad(t *testing.T) {
	w := start(t, nil, nil)
	w.ready(w.promote(1))
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	var clients sync.WaitGroup
	var asked [4]int
	for c := range asked {
		clients.Go(func() {
			for ctx.Err() == nil {
				a, err := w.infer(0, row(1, 2, 3, 4))
				if err != nil {
					t.Errorf("request failed: %v", err)
					return
				}
				y, _ := a.Outputs[0].Float32s()
				if v := float32(1000 * a.Version); y[0] != v+3 || y[1] != v+7 {
					t.Errorf("version %d answered %v", a.Version, y)
					return
				}
				asked[c]++
			}
		})
	}
	swaps := 0
	for ; swaps < 200 && ctx.Err() == nil && !t.Failed(); swaps++ {
		w.ready(w.promote(2 + swaps%7))
	}
	stop()
	clients.Wait()
	if swaps < 200 {
		t.Errorf("only %d swaps in ten seconds", swaps)
	}
	t.Logf("%d swaps, %v requests, 0 errors", swaps, asked)
}

func TestASpecThatTheRegistryContradictsNeverAnswers(t *testing.T) {
	w := start(t, nil, nil)
	w.change(func(s serve.Spec, c serve.Change) (serve.Spec, error) { return s.Promote(c, 1, digest(2)) })
	st := w.until("failed", func(st serve.Status) bool { return st.State == serve.Failed })
	if st.Versions[0].Code != "endpoint.digest" {
		t.Errorf("status %+v", st)
	}
}

func TestDescribe(t *testing.T) {
	w := start(t, nil, nil)
	w.promote(1)
	w.ready(w.promote(2))
	d, err := w.Describe(beds, 0)
	if err != nil || d.Version.Number != 2 || !d.Ready || len(d.Versions) != 2 || d.Endpoint.Name != "beds" {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err := w.Describe(beds, 1); err != nil || d.Version.Number != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := w.Describe(beds, 7); edgeward.CodeOf(err) != "endpoint.no_version" {
		t.Errorf("got %v", err)
	}
}

// TestStatusSaysWhatIsInMemory: a version leaves the memory and comes back without the reconciler.
func TestStatusSaysWhatIsInMemory(t *testing.T) {
	w := start(t, nil, nil)
	w.ready(w.promote(1))
	for _, cold := range []bool{false, true, false} {
		w.engine.cold.Store(cold)
		if st, _ := w.Status(beds); len(st.Versions) != 1 || st.Versions[0].Cold != cold || !st.Versions[0].Loaded {
			t.Errorf("out of memory %v: %+v", cold, st.Versions)
		}
	}
}

// BenchmarkInfer is what the request path costs beside the model, which adds two numbers here.
func BenchmarkInfer(b *testing.B) {
	st := newStore()
	st.all[beds] = serve.Deployment{Endpoint: serve.Endpoint{Group: "ward", Name: "beds", Kind: serve.Table, Model: "beds"},
		Spec: must(serve.Spec{}.Promote(because(0), 1, digest(1)))}
	s := serve.New(serve.Config{Store: st, Models: registry{}, Runner: newAdder(), Assets: assets, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	defer func() { cancel(); <-done }()
	r := serve.Request{ID: "01HQWZ0000000000000000000A", Endpoint: beds, Inputs: []tensor.Tensor{row(1, 2)}, ReceivedAt: time.Now()}
	for {
		if d, err := s.Describe(beds, 0); err == nil && d.Ready {
			break
		}
		time.Sleep(time.Millisecond)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Infer(ctx, r); err != nil {
			b.Fatal(err)
		}
	}
}
