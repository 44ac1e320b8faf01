package serve_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgeward/runtime/engine"
	"edgeward/runtime/engine/enginetest"
	"edgeward/runtime/engine/fake"
	"edgeward/runtime/infer"
	"edgeward/runtime/models"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
	"edgeward/runtime/worker"
)

const kindFake = "infer-fake"

func TestMain(m *testing.M) {
	worker.Dispatch(worker.Kinds{
		infer.Kind: infer.NewService,
		kindFake:   func(worker.Env) (worker.Service, error) { return infer.ServiceOf(fake.Engine{}), nil },
	})
	os.Exit(m.Run())
}

// inWorker runs versions in a real infer worker process.
type inWorker struct {
	client     *infer.Client
	model      func(version int) engine.Model
	candidates []infer.Candidate
	keys       atomic.Int64
}

func (r *inWorker) Load(ctx context.Context, v models.Version, t serve.Terms) (serve.Session, error) {
	key := fmt.Sprint(v.Digest, "/", r.keys.Add(1)) // two sessions of one version are two models
	m := r.model(v.Number)
	rep, err := r.client.Load(ctx, infer.LoadRequest{Key: key, Format: m.Format, Model: m.Bytes, Candidates: r.candidates, Runs: 2, Alone: t.Alone})
	if err != nil {
		return nil, err
	}
	return &workerSession{r.client, key, *rep.Chosen}, nil
}

type workerSession struct {
	client *infer.Client
	key    string
	chosen infer.Candidate
}

func (s *workerSession) About() serve.About {
	return serve.About{Engine: s.chosen.Engine, Device: s.chosen.Device}
}
func (s *workerSession) Close() error { return s.client.Unload(context.Background(), s.key) }
func (s *workerSession) Run(ctx context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
	return s.client.Run(ctx, s.key, in)
}

// TestKilledWorkersAndSwaps runs versions in a real worker process, kills it again and again and swaps versions, while
// clients ask: everybody gets an answer, of one version.
func TestKilledWorkersAndSwaps(t *testing.T) {
	proc := worker.New(worker.Options{Kind: kindFake, Env: worker.Env{Threads: 1}, Concurrency: 4, Grace: time.Second})
	t.Cleanup(func() { proc.Close() })
	runner := &inWorker{client: infer.NewClient(proc, nil), candidates: []infer.Candidate{{Engine: "fake", Device: engine.CPU}},
		model: func(v int) engine.Model {
			return fake.Affine{Weights: []float32{1, 1}, Bias: float32(1000 * v)}.Model()
		}}
	w := start(t, nil, func(c *serve.Config) { c.Runner = runner })
	w.ready(w.promote(1))
	w.answers(1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var clients sync.WaitGroup
	var answered atomic.Int64
	for range 3 {
		clients.Go(func() {
			for ctx.Err() == nil {
				a, err := w.infer(0, row(1, 2))
				if err != nil {
					t.Errorf("request failed: %v", err)
					return
				}
				if y, _ := a.Outputs[0].Float32s(); y[0] != float32(1000*a.Version+3) {
					t.Errorf("version %d answered %v", a.Version, y)
					return
				}
				answered.Add(1)
			}
		})
	}
	const kills = 4
	for i := range kills {
		for had := answered.Load(); answered.Load() < had+50 && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		if err := syscall.Kill(proc.Status().PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for had := answered.Load(); answered.Load() < had+50 && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		w.ready(w.promote(2 + i))
	}
	stop()
	clients.Wait()
	if d := proc.Status().Deaths; d != kills {
		t.Errorf("the worker died %d times, want %d", d, kills)
	}
	t.Logf("%d answers over %d kills and swaps", answered.Load(), kills)
}

// TestARealModelBehindAnEndpoint loads an ONNX file by ONNX Runtime in the worker and asks it through an endpoint.
func TestARealModelBehindAnEndpoint(t *testing.T) {
	proc := worker.New(worker.Options{Kind: infer.Kind, Env: worker.Env{NativeDir: t.TempDir(), Threads: 1}, Concurrency: 2, Grace: time.Second})
	t.Cleanup(func() { proc.Close() })
	runner := &inWorker{client: infer.NewClient(proc, nil), candidates: []infer.Candidate{{Engine: "onnxruntime", Device: engine.CPU}},
		model: func(int) engine.Model { return enginetest.ONNX(t, "affine") }}
	w := start(t, nil, func(c *serve.Config) { c.Runner, c.Assets = runner, nil })
	s := w.promote(1)
	st := w.until("loaded or failed", func(st serve.Status) bool {
		return st.State != serve.Pending && st.ObservedRevision == s.Revision
	})
	if st.Versions[0].Code == "infer.no_engine" {
		t.Skipf("built without native libraries: %s", st.Versions[0].Error)
	}
	a, err := w.infer(0, row(3, 1, 0, 0)) // y = 2·x0 - x1 + 0.5
	if err != nil {
		t.Fatal(err)
	}
	if y, _ := a.Outputs[0].Float32s(); len(y) != 2 || y[0] != 5.5 || y[1] != 0.5 || st.Versions[0].Engine != "onnxruntime" {
		t.Errorf("got %v by %s", y, st.Versions[0].Engine)
	}
}
