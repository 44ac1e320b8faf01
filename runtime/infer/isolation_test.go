package infer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/engine/enginetest"
	"edgeward/runtime/engine/fake"
	"edgeward/runtime/infer"
	"edgeward/runtime/tensor"
	"edgeward/runtime/worker"
)

// pool is a client with workers of one's own, which it keeps.
type pool struct {
	*infer.Client
	shared, prove *worker.Worker

	mu  sync.Mutex
	own []*worker.Worker
}

func newPool(t testing.TB, kind string, change func(*infer.Options)) *pool {
	t.Helper()
	p := &pool{shared: start(t, kind), prove: start(t, kind)}
	o := infer.Options{Serve: p.shared, Prove: p.prove, Residency: time.Nanosecond, Room: 300 * time.Millisecond, Own: func(string, infer.Candidate) infer.Own {
		w := worker.New(worker.Options{Kind: kind, Env: worker.Env{NativeDir: nativeDir, Threads: 1}, MemoryLimit: 1 << 30, Concurrency: 4, Grace: 200 * time.Millisecond})
		t.Cleanup(func() { w.Close() })
		p.mu.Lock()
		defer p.mu.Unlock()
		p.own = append(p.own, w)
		return w
	}}
	if change != nil {
		change(&o)
	}
	p.Client = infer.New(o)
	return p
}

// starts is how many processes the workers of one's own have had.
func (p *pool) starts() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.own {
		n += w.Status().Starts
	}
	return n
}

// ask runs x, and once more where the worker died or had no memory, as the server does.
func (p *pool) ask(t testing.TB, key string, x float32) (float32, error) {
	in := []tensor.Tensor{enginetest.Floats(t, "x", []int64{1, 1}, x)}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := p.Run(ctx, key, in)
	if err != nil && (edgeward.KindOf(err) == edgeward.Unavailable || edgeward.CodeOf(err) == "worker.memory") {
		out, err = p.Run(ctx, key, in)
	}
	if err != nil {
		return 0, err
	}
	y, err := out[0].Float32s()
	return y[0], err
}

func (p *pool) put(t testing.TB, key string, a fake.Affine, change func(*infer.LoadRequest)) {
	t.Helper()
	r := fakeRequest(key, a)
	r.Candidates, r.Name = r.Candidates[:1], key
	if change != nil {
		change(&r)
	}
	if _, err := p.Load(within(t), r); err != nil {
		t.Fatal(err)
	}
}

// TestAModelThatKillsItsWorkerHarmsNoOther: models share a worker with one that crashes, loops or takes all memory on a
// certain input. Their callers see no error, and the bad one lives alone from its first death on.
func TestAModelThatKillsItsWorkerHarmsNoOther(t *testing.T) {
	for _, how := range []string{"panic", "loop", "memory"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			p := newPool(t, kindFake, nil)
			p.shared = worker.New(worker.Options{Kind: kindFake, MemoryLimit: 1 << 30, Concurrency: 4, Grace: 200 * time.Millisecond})
			t.Cleanup(func() { p.shared.Close() })
			p.Client = infer.New(infer.Options{Serve: p.shared, Prove: p.prove, Own: p.Own})
			p.put(t, "bad", fake.Affine{Weights: []float32{1}, Poison: &fake.Poison{At: 666, How: how}}, nil)
			for i := range 3 {
				p.put(t, fmt.Sprint("good", i), fake.Affine{Weights: []float32{2}}, nil)
			}
			var stop atomic.Bool
			var good sync.WaitGroup
			var answered atomic.Int64
			for i := range 3 {
				good.Go(func() {
					for !stop.Load() {
						if y, err := p.ask(t, fmt.Sprint("good", i), 21); err != nil || y != 42 {
							t.Errorf("good%d: %v, %v", i, y, err)
							return
						}
						answered.Add(1)
					}
				})
			}
			processes := map[string]bool{}
			for range 3 {
				for had := answered.Load(); answered.Load() < had+100 && !t.Failed(); {
					time.Sleep(time.Millisecond)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				if how == "loop" {
					ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
				}
				_, err := p.Run(ctx, "bad", []tensor.Tensor{enginetest.Floats(t, "x", []int64{1, 1}, 666)})
				cancel()
				d, ok := errors.AsType[*worker.Death](err)
				if !ok || !d.Suspect {
					t.Errorf("the bad model's caller got %v", err)
				} else {
					processes[d.Process] = true
				}
				if y, err := p.ask(t, "bad", 1); err != nil || y != 1 {
					t.Errorf("the bad model does not come back: %v, %v", y, err)
				}
			}
			stop.Store(true)
			good.Wait()
			if n := p.shared.Status().Deaths; n != 1 {
				t.Errorf("the shared worker died %d times, want once: after that the bad model lives alone", n)
			}
			if len(processes) != 3 {
				t.Errorf("three deaths were of %v", processes)
			}
			all, _ := p.Models()
			for _, m := range all {
				if m.Name == "bad" && !m.Alone {
					t.Error("the bad model shares a worker again")
				}
			}
		})
	}
}

// TestASuspectComesBack: a model that shared the worker with the bad one in the moment of its death is suspected too; once
// it has behaved it lives with the others again.
func TestASuspectComesBack(t *testing.T) {
	p := newPool(t, kindFake, func(o *infer.Options) { o.Trust = 100 * time.Millisecond })
	p.put(t, "bad", fake.Affine{Weights: []float32{1}, Poison: &fake.Poison{At: 666, How: "panic"}}, nil)
	if _, err := p.Run(within(t), "bad", []tensor.Tensor{enginetest.Floats(t, "x", []int64{1, 1}, 666)}); err == nil {
		t.Fatal("no death")
	}
	alone := func() bool { all, _ := p.Models(); return all[0].Alone }
	if y, err := p.ask(t, "bad", 2); err != nil || y != 2 || !alone() {
		t.Errorf("%v, %v, alone %t", y, err, alone())
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go p.Tend(ctx)
	for end := time.Now().Add(20 * time.Second); alone(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came back")
		}
		if y, err := p.ask(t, "bad", 2); err != nil || y != 2 {
			t.Fatalf("while it comes back: %v, %v", y, err)
		}
	}
	if y, err := p.ask(t, "bad", 3); err != nil || y != 3 {
		t.Errorf("%v, %v", y, err)
	}
}

// TestAKillFromOutsideIsNobodysFault: whoever is killed by hand is loaded again at once, where it was.
func TestAKillFromOutsideIsNobodysFault(t *testing.T) {
	p := newPool(t, kindFake, nil)
	for i := range 5 {
		p.put(t, fmt.Sprint("m", i), fake.Affine{Weights: []float32{2}}, nil)
	}
	if err := syscall.Kill(p.shared.Status().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if y, err := p.ask(t, "m0", 21); err != nil || y != 42 {
		t.Errorf("%v, %v", y, err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if st, err := p.Stats(within(t)); err == nil && len(st.Sessions) == 5 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the others were not loaded again")
		}
	}
	if n := p.starts(); n != 0 {
		t.Errorf("%d models got workers of their own", n)
	}
}

// TestAModelAloneDiesAlone: one with a worker of its own from the start takes nobody along.
func TestAModelAloneDiesAlone(t *testing.T) {
	p := newPool(t, kindFake, nil)
	p.put(t, "good", fake.Affine{Weights: []float32{2}}, nil)
	p.put(t, "canary", fake.Affine{Weights: []float32{1}, Poison: &fake.Poison{At: 666, How: "panic"}}, func(r *infer.LoadRequest) { r.Alone = true })
	before := p.shared.Status().PID
	for range 2 {
		if _, err := p.ask(t, "canary", 666); edgeward.CodeOf(err) != "worker.died" {
			t.Errorf("got %v", err)
		}
		if y, err := p.ask(t, "canary", 4); err != nil || y != 4 {
			t.Errorf("%v, %v", y, err)
		}
	}
	if p.shared.Status().PID != before || p.starts() < 2 {
		t.Errorf("the shared worker is %d, before %d; own workers started %d times", p.shared.Status().PID, before, p.starts())
	}
	if err := p.Unload(within(t), "canary"); err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(20 * time.Second); p.own[0].Status().PID != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("its worker runs on without it")
		}
	}
}

// TestARealModelWithoutMemoryHarmsNoOther: ONNX Runtime is asked for 12 GB by one model; another in the same worker answers.
func TestARealModelWithoutMemoryHarmsNoOther(t *testing.T) {
	p := newPool(t, infer.Kind, nil)
	load(t, p.Client, request("good", enginetest.ONNX(t, "affine")))
	small, err := tensor.FromInt64s("n", []int64{1}, []int64{3})
	if err != nil {
		t.Fatal(err)
	}
	big, err := tensor.FromInt64s("n", []int64{1}, []int64{3_000_000_000})
	if err != nil {
		t.Fatal(err)
	}
	r := request("huge", enginetest.ONNX(t, "huge"), []tensor.Tensor{small})
	r.Candidates = infer.DefaultCandidates()[:1]
	load(t, p.Client, r)
	for range 2 {
		if _, err := p.Run(within(t), "huge", []tensor.Tensor{big}); edgeward.KindOf(err) != edgeward.Exhausted {
			t.Errorf("got %v", err)
		}
		if _, err := p.Run(within(t), "good", []tensor.Tensor{enginetest.Floats(t, "x", []int64{1, 2}, 1, 1)}); err != nil {
			t.Errorf("the good model: %v", err)
		}
		if _, err := p.Run(within(t), "huge", []tensor.Tensor{small}); err != nil {
			t.Errorf("the huge model on a small input: %v", err)
		}
	}
	if all, _ := p.Models(); p.shared.Status().Deaths != 0 || len(all) != 2 {
		t.Errorf("deaths %d, models %+v", p.shared.Status().Deaths, all)
	} else {
		for _, m := range all {
			if m.Name == "huge" && !m.Alone {
				t.Error("it still shares a worker")
			}
		}
	}
}

func TestRoom(t *testing.T) {
	const mib = 1 << 20
	big := fake.Affine{Weights: []float32{1}, Bytes: 32 * mib}
	p := newPool(t, kindFake, func(o *infer.Options) { o.Budget = 120 * mib })
	loaded := func() (out string) {
		for _, k := range []string{"a", "b", "c", "d", "pinned"} {
			if p.Loaded(k) {
				out += k + " "
			}
		}
		return out
	}
	ok := func(key string, want string) {
		t.Helper()
		if y, err := p.ask(t, key, 7); err != nil || y != 7 {
			t.Errorf("%s: %v, %v", key, y, err)
		}
		if got := loaded(); got != want {
			t.Errorf("after %s there are %q, want %q", key, got, want)
		}
	}
	p.put(t, "pinned", big, func(r *infer.LoadRequest) { r.Pinned = true })
	p.put(t, "a", big, nil)
	p.put(t, "b", big, nil)
	ok("a", "a b pinned ")
	p.put(t, "c", big, nil) // b was used longest ago
	ok("c", "a c pinned ")
	ok("b", "b c pinned ")
	ok("a", "a b pinned ")
	if _, held := p.Models(); held < 96*mib || held > 120*mib {
		t.Errorf("%d MiB are held", held/mib)
	}
	t.Run("one that does not fit is refused with a time", func(t *testing.T) {
		r := fakeRequest("d", fake.Affine{Weights: []float32{1}, Bytes: 160 * mib})
		r.Candidates = r.Candidates[:1]
		_, err := p.Load(within(t), r)
		if edgeward.CodeOf(err) != "infer.no_room" || edgeward.KindOf(err) != edgeward.Unavailable || edgeward.ParamsOf(err)["retry_after"] == "" || edgeward.HintOf(err) == "" {
			t.Errorf("got %v %v", err, edgeward.ParamsOf(err))
		}
	})
	t.Run("nobody is taken away while he answers", func(t *testing.T) {
		slow := big
		slow.Delay = 2 * time.Second
		q := newPool(t, kindFake, func(o *infer.Options) { o.Budget = 80 * mib })
		q.put(t, "slow", slow, func(r *infer.LoadRequest) { r.Runs = 1 })
		q.put(t, "pinned", big, func(r *infer.LoadRequest) { r.Pinned = true })
		done := make(chan error, 1)
		go func() { _, err := q.ask(t, "slow", 1); done <- err }()
		time.Sleep(100 * time.Millisecond)
		r := fakeRequest("d", big)
		r.Candidates = r.Candidates[:1]
		if _, err := q.Load(within(t), r); edgeward.CodeOf(err) != "infer.no_room" {
			t.Errorf("got %v", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Run("what nobody asks goes, and comes back", func(t *testing.T) {
		q := newPool(t, kindFake, nil)
		q.put(t, "idle", fake.Affine{Weights: []float32{1}}, func(r *infer.LoadRequest) { r.IdleUnload = 50 * time.Millisecond })
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go q.Tend(ctx)
		held := int64(1)
		for end := time.Now().Add(20 * time.Second); q.Loaded("idle") || held != 0; time.Sleep(10 * time.Millisecond) {
			if _, held = q.Models(); time.Now().After(end) {
				t.Fatalf("it stays, %d bytes are held", held)
			}
		}
		if y, err := q.ask(t, "idle", 5); err != nil || y != 5 {
			t.Errorf("%v, %v", y, err)
		}
	})
}

// TestManyAskForRoomAtOnce: more models than fit, asked by many at once: everybody is answered and the sum is never passed.
func TestManyAskForRoomAtOnce(t *testing.T) {
	const mib = 1 << 20
	p := newPool(t, kindFake, func(o *infer.Options) { o.Budget, o.Room = 150*mib, 20*time.Second })
	for i := range 8 {
		p.put(t, fmt.Sprint("m", i), fake.Affine{Weights: []float32{float32(i + 1)}, Bytes: 32 * mib}, nil)
	}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 60 {
				k := (i*7 + g*3) % 8
				if y, err := p.ask(t, fmt.Sprint("m", k), 10); err != nil || y != float32(10*(k+1)) {
					t.Errorf("m%d: %v, %v", k, y, err)
				}
				if _, held := p.Models(); held > 150*mib {
					t.Errorf("%d bytes are held", held)
				}
			}
		})
	}
	all.Wait()
}

func TestReportsAreKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "reports")
	kept, err := infer.KeepReports(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p := newPool(t, kindFake, func(o *infer.Options) { o.Kept = kept })
	x := []tensor.Tensor{enginetest.Floats(t, "x", []int64{1, 1}, 1)}
	r := fakeRequest("m1", fake.Affine{Weights: []float32{2}})
	r.Digest = "sha256:abc"
	r.Examples = []infer.Example{{Inputs: x, Golden: []tensor.Tensor{enginetest.Floats(t, "y", []int64{1, 1}, 2)}}}
	proofs := func(r infer.LoadRequest) (infer.Report, int) {
		t.Helper()
		before := len(p.prove.Status().LastLines) + p.prove.Status().Starts
		_ = p.prove.Close()
		p.prove = start(t, kindFake)
		o := p.Options
		o.Prove = p.prove
		p.Client = infer.New(o)
		_ = before
		rep, err := p.Load(within(t), r)
		if err != nil {
			t.Fatal(err)
		}
		return rep, p.prove.Status().Starts
	}
	first, n := proofs(r)
	if n != 1 {
		t.Errorf("the first load proved %d times", n)
	}
	again, n := proofs(r)
	if n != 0 || text(again) != text(first) {
		t.Errorf("the second load proved %d times and reports %s, before %s", n, text(again), text(first))
	}
	for name, change := range map[string]func(*infer.LoadRequest){
		"another model":    func(r *infer.LoadRequest) { r.Digest = "sha256:abd" },
		"no digest":        func(r *infer.LoadRequest) { r.Digest = "" },
		"other candidates": func(r *infer.LoadRequest) { r.Candidates = r.Candidates[1:] },
		"other examples":   func(r *infer.LoadRequest) { r.Examples = nil },
	} {
		q := r
		change(&q)
		if _, n := proofs(q); n != 1 {
			t.Errorf("%s: proved %d times", name, n)
		}
	}
	files, _ := filepath.Glob(dir + "/*.json")
	for _, f := range files {
		if err := os.WriteFile(f, []byte(`{"chosen":{"engine":"../../x"}}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, n := proofs(r); n != 1 {
		t.Errorf("a damaged report was taken")
	}
	if _, n := proofs(r); n != 0 {
		t.Errorf("and not made anew")
	}
	t.Run("a model that is kept as right and answers wrong is proved again and refused", func(t *testing.T) {
		q := r
		q.Model = fake.Affine{Weights: []float32{3}}.Model().Bytes
		if _, err := p.Load(within(t), q); edgeward.CodeOf(err) != "infer.no_engine" {
			t.Errorf("got %v", err)
		}
	})
}

func TestThreadsAreChosenWhereTheyPay(t *testing.T) {
	for _, scales := range []bool{true, false} {
		p := newPool(t, kindFake, func(o *infer.Options) { o.Threads = 8 })
		r := fakeRequest("m", fake.Affine{Weights: []float32{2}, Delay: 30 * time.Millisecond, Scales: scales})
		r.Candidates = r.Candidates[:1]
		rep, err := p.Load(within(t), r)
		want := map[bool]int{true: 8, false: 1}[scales]
		if err != nil || rep.Threads != want || len(rep.Timings) != 2 {
			t.Errorf("scales %t: %v, %d threads, %+v", scales, err, rep.Threads, rep.Timings)
		}
	}
	p := newPool(t, kindFake, func(o *infer.Options) { o.Threads = 8 })
	if rep, err := p.Load(within(t), fakeRequest("quick", fake.Affine{Weights: []float32{2}})); err != nil || rep.Threads != 1 {
		t.Errorf("%v, %d threads", err, rep.Threads)
	}
}

// TestWhatWasAskedBeforeIsTriedInProbation: recorded requests warm a version where it is proved, so that one that does not
// survive them never serves; one that only refuses them does.
func TestWhatWasAskedBeforeIsTriedInProbation(t *testing.T) {
	p := newPool(t, kindFake, nil)
	p.put(t, "good", fake.Affine{Weights: []float32{2}}, nil)
	asked := func(x ...float32) [][]tensor.Tensor {
		var out [][]tensor.Tensor
		for _, v := range x {
			out = append(out, []tensor.Tensor{enginetest.Floats(t, "x", []int64{1, 1}, v)})
		}
		return out
	}
	bad := fakeRequest("bad", fake.Affine{Weights: []float32{1}, Poison: &fake.Poison{At: 666, How: "panic"}})
	bad.Candidates, bad.Warm = bad.Candidates[:1], asked(1, 666)
	rep, err := p.Load(within(t), bad)
	if edgeward.CodeOf(err) != "infer.no_engine" || rep.Candidates[0].Code != "worker.died" {
		t.Errorf("got %v; %s", err, text(rep))
	}
	if p.shared.Status().Deaths != 0 || p.prove.Status().Deaths != 2 {
		t.Errorf("the shared worker died %d times, the prove worker %d times", p.shared.Status().Deaths, p.prove.Status().Deaths)
	}
	p.put(t, "other", fake.Affine{Weights: []float32{1, 1}}, func(r *infer.LoadRequest) { r.Warm = asked(1) }) // it takes two columns
	p.put(t, "warm", fake.Affine{Weights: []float32{3}}, func(r *infer.LoadRequest) { r.Warm = asked(1, 2, 3) })
	if y, err := p.ask(t, "warm", 2); err != nil || y != 6 {
		t.Errorf("%v, %v", y, err)
	}
}
