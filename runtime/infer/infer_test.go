package infer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/engine/enginetest"
	"edgeward/runtime/engine/fake"
	"edgeward/runtime/infer"
	"edgeward/runtime/tensor"
	"edgeward/runtime/worker"
)

// kindFake is an infer worker with two engines that need no native library.
const kindFake = "infer-fake"

var nativeDir string

func TestMain(m *testing.M) {
	worker.Dispatch(worker.Kinds{
		infer.Kind: infer.NewService,
		kindFake: func(worker.Env) (worker.Service, error) {
			return infer.ServiceOf(fake.Engine{Called: "one"}, fake.Engine{Called: "two"}), nil
		},
	})
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if nativeDir, err = os.MkdirTemp("", "edgeward-infer-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(nativeDir)
	return m.Run()
}

func start(t testing.TB, kind string) *worker.Worker {
	t.Helper()
	w := worker.New(worker.Options{Kind: kind, Env: worker.Env{NativeDir: nativeDir, Threads: 1}, Concurrency: 4, Grace: time.Second})
	t.Cleanup(func() { w.Close() })
	return w
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func request(key string, m engine.Model, examples ...[]tensor.Tensor) infer.LoadRequest {
	r := infer.LoadRequest{Key: key, Format: m.Format, Model: m.Bytes}
	for _, in := range examples {
		r.Examples = append(r.Examples, infer.Example{Inputs: in})
	}
	return r
}

// load loads with the product's engines, or skips the test in a program built without them.
func load(t testing.TB, c *infer.Client, r infer.LoadRequest) infer.Report {
	t.Helper()
	rep, err := c.Load(within(t), r)
	if len(rep.Candidates) > 0 && rep.Candidates[0].Code == "native.missing" {
		t.Skip("built without native libraries")
	}
	if err != nil {
		t.Fatalf("%v; report %s", err, text(rep))
	}
	return rep
}

func text(rep infer.Report) string {
	b, err := json.MarshalIndent(rep, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func image(t testing.TB) []tensor.Tensor {
	v := make([]float32, 2*64)
	for i := range v {
		v[i] = float32(math.Sin(float64(i)))
	}
	return []tensor.Tensor{enginetest.Floats(t, "image", []int64{2, 1, 8, 8}, v...)}
}

func rows(t testing.TB, v ...float32) []tensor.Tensor {
	return []tensor.Tensor{enginetest.Floats(t, "features", []int64{int64(len(v) / 4), 4}, v...)}
}

// TestAModelWithoutAnExampleIsTriedWithZeros: an input of every kind can be made up, also a map, whose keys and values are as many.
func TestAModelWithoutAnExampleIsTriedWithZeros(t *testing.T) {
	c := infer.NewClient(start(t, infer.Kind), start(t, infer.Kind))
	for _, m := range []string{"affine", "strings", "scalars", "types", "half", "packed", "sequence", "containers", "dict", "zipmap", "anyrank", "constant"} {
		load(t, c, request(m, enginetest.ONNX(t, m)))
	}
}

func TestANetworkRunsOnBothEnginesAndTheyAgree(t *testing.T) {
	c := infer.NewClient(start(t, infer.Kind), start(t, infer.Kind))
	rep := load(t, c, request("digits", enginetest.ONNX(t, "digits"), image(t)))
	t.Log(text(rep))
	if len(rep.Candidates) != 2 || rep.Chosen == nil || rep.Reference != "onnxruntime" || rep.Examples != 1 {
		t.Fatal("the report is not whole")
	}
	for _, tr := range rep.Candidates {
		if !tr.Loads || !tr.Agrees || tr.P50Micros <= 0 || tr.MaxAbsDiff == nil || *tr.MaxAbsDiff > 1e-3 || tr.Version == "" {
			t.Errorf("trial %+v", tr)
		}
	}
	out, err := c.Run(within(t), "digits", image(t))
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := out[0].Float32s(); len(p) != 20 || out[0].Name != "probabilities" {
		t.Errorf("answered %+v", out)
	}
	if err := rep.Signature.Check(image(t)); err != nil {
		t.Errorf("the reported signature refuses the example: %v", err)
	}
}

func TestTreesGoToONNXRuntimeAndTheReportSaysWhy(t *testing.T) {
	c := infer.NewClient(start(t, infer.Kind), nil)
	r := request("trees", enginetest.ONNX(t, "trees"), rows(t, 1, 2, 3, 4))
	r.Path = t.TempDir() + "/trees.onnx" // as a file, as large models are
	if err := os.WriteFile(r.Path, r.Model, 0o600); err != nil {
		t.Fatal(err)
	}
	r.Model = nil
	rep := load(t, c, r)
	t.Log(rep.Why)
	ov := rep.Candidates[1]
	if rep.Chosen.Engine != "onnxruntime" || ov.Loads || ov.Code != "engine.model" || !strings.Contains(ov.Error, "No conversion rule found for operations: ai.onnx.ml.TreeEnsemble") {
		t.Error(text(rep))
	}
}

// TestBadInputModelsThatLoopOrAllocate is the reason for worker processes: 238 bytes that run for ever and 92 that
// ask for 12 GB cost a clear error, and a model served in another worker does not notice.
func TestBadInputModelsThatLoopOrAllocate(t *testing.T) {
	serve, probe := start(t, infer.Kind), start(t, infer.Kind)
	c := infer.NewClient(serve, probe)
	load(t, c, request("good", enginetest.ONNX(t, "affine")))
	served := serve.Status().PID
	n, err := tensor.FromInt64s("n", []int64{1}, []int64{3_000_000_000})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []struct {
		model  string
		inputs []tensor.Tensor
		kind   edgeward.Kind
		says   string
	}{
		{"loop", []tensor.Tensor{enginetest.Floats(t, "x", []int64{1}, 1)}, edgeward.Invalid, "did not load and answer within"},
		{"huge", []tensor.Tensor{n}, edgeward.Exhausted, "alloc"},
		{"hugeconst", []tensor.Tensor{enginetest.Floats(t, "x", []int64{1}, 1)}, edgeward.Exhausted, "alloc"},
	} {
		t.Run(bad.model, func(t *testing.T) {
			r := request(bad.model, enginetest.ONNX(t, bad.model), bad.inputs)
			r.Limit = 2 * time.Second
			began := time.Now()
			rep, err := c.Load(within(t), r)
			t.Logf("after %v: %v", time.Since(began).Round(time.Millisecond), err)
			if edgeward.KindOf(err) != bad.kind || edgeward.CodeOf(err) != "infer.no_engine" || !strings.Contains(err.Error(), bad.says) || edgeward.HintOf(err) == "" {
				t.Errorf("%v is %v %q, hint %q; report %s", err, edgeward.KindOf(err), edgeward.CodeOf(err), edgeward.HintOf(err), text(rep))
			}
			if len(rep.Candidates) != 2 || rep.Candidates[0].Loads || rep.Candidates[1].Loads {
				t.Error(text(rep))
			}
			if _, err := c.Run(within(t), "good", []tensor.Tensor{enginetest.Floats(t, "x", []int64{1, 2}, 1, 1)}); err != nil {
				t.Errorf("the good model: %v", err)
			}
		})
	}
	if serve.Status().PID != served || serve.Status().Deaths != 0 {
		t.Error("the serving worker was touched")
	}
	load(t, c, request("after", enginetest.ONNX(t, "affine"))) // the probation worker is back
}

func TestAWorkerThatDiedGetsItsModelsBack(t *testing.T) {
	serve := start(t, kindFake)
	c := infer.NewClient(serve, start(t, kindFake))
	if _, err := c.Load(within(t), fakeRequest("m", fake.Affine{Weights: []float32{2}})); err != nil {
		t.Fatal(err)
	}
	x := []tensor.Tensor{enginetest.Floats(t, "x", []int64{1, 1}, 21)}
	for range 2 {
		if err := syscall.Kill(serve.Status().PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for {
					out, err := c.Run(within(t), "m", x)
					if edgeward.CodeOf(err) == "worker.died" {
						continue // this call met the death; asking again is the caller's choice
					}
					if err != nil {
						t.Error(err)
						return
					}
					if y, _ := out[0].Float32s(); y[0] != 42 {
						t.Errorf("got %v", y)
					}
					return
				}
			})
		}
		wg.Wait()
	}
	if st, err := c.Stats(within(t)); err != nil || len(st.Sessions) != 1 || st.Sessions[0].Key != "m" || st.Sessions[0].Runs < 8 {
		t.Errorf("stats %+v, %v", st, err)
	}
	if err := c.Unload(within(t), "m"); err != nil {
		t.Error(err)
	}
	if _, err := c.Run(within(t), "m", x); edgeward.CodeOf(err) != "infer.not_loaded" || edgeward.KindOf(err) != edgeward.NotFound {
		t.Errorf("after unload: %v", err)
	}
}

func fakeRequest(key string, a fake.Affine) infer.LoadRequest {
	r := request(key, a.Model())
	r.Candidates = []infer.Candidate{{Engine: "one", Device: "CPU"}, {Engine: "two", Device: "CPU"}}
	r.Runs = 3
	return r
}

func TestJudgement(t *testing.T) {
	c := infer.NewClient(start(t, kindFake), nil)
	x := []tensor.Tensor{enginetest.Floats(t, "x", []int64{1, 1}, 1)}
	golden := func(y float32) infer.LoadRequest {
		r := fakeRequest("m", fake.Affine{Weights: []float32{2}})
		r.Examples = []infer.Example{{Inputs: x, Golden: []tensor.Tensor{enginetest.Floats(t, "y", []int64{1, 1}, y)}}}
		return r
	}
	t.Run("golden outputs within the tolerance", func(t *testing.T) {
		rep, err := c.Load(within(t), golden(2.0005))
		if err != nil || rep.Reference != "golden" || *rep.Candidates[0].MaxAbsDiff < 4e-4 {
			t.Errorf("%v %s", err, text(rep))
		}
	})
	t.Run("golden outputs that differ refuse the model", func(t *testing.T) {
		rep, err := c.Load(within(t), golden(2.1))
		if edgeward.KindOf(err) != edgeward.Invalid || edgeward.CodeOf(err) != "infer.no_engine" || rep.Chosen != nil || !rep.Candidates[0].Loads {
			t.Errorf("%v %s", err, text(rep))
		}
	})
	t.Run("NaN against a number never agrees", func(t *testing.T) {
		rep, err := c.Load(within(t), golden(float32(math.NaN())))
		if err == nil || rep.Candidates[0].MaxAbsDiff != nil {
			t.Errorf("%v %s", err, text(rep))
		}
	})
	t.Run("golden outputs of another shape", func(t *testing.T) {
		r := golden(2)
		r.Examples[0].Golden[0].Shape = []int64{1}
		rep, err := c.Load(within(t), r)
		if err == nil || rep.Candidates[0].Code != "infer.differs" {
			t.Errorf("%v %s", err, text(rep))
		}
	})
	t.Run("without examples it is tried with zeros, and says so", func(t *testing.T) {
		rep, err := c.Load(within(t), fakeRequest("m", fake.Affine{Weights: []float32{2}}))
		if err != nil || !strings.Contains(rep.Why, "zeros") {
			t.Errorf("%v %s", err, text(rep))
		}
	})
	t.Run("an engine nobody has", func(t *testing.T) {
		r := golden(2)
		r.Candidates = []infer.Candidate{{Engine: "abacus"}}
		if _, err := c.Load(within(t), r); edgeward.CodeOf(err) != "infer.no_engine" {
			t.Error(err)
		}
	})
	t.Run("a key that is too long", func(t *testing.T) {
		r := golden(2)
		r.Key = strings.Repeat("k", infer.MaxKey+1)
		if _, err := c.Load(within(t), r); edgeward.CodeOf(err) != "infer.request" {
			t.Error(err)
		}
	})
	t.Run("inputs that do not fit keep their code over the wire", func(t *testing.T) {
		if _, err := c.Load(within(t), golden(2)); err != nil {
			t.Fatal(err)
		}
		_, err := c.Run(within(t), "m", nil)
		if edgeward.CodeOf(err) != "input.missing" || edgeward.ParamsOf(err)["input"] != "x" || edgeward.HintOf(err) == "" {
			t.Errorf("%v %v", err, edgeward.ParamsOf(err))
		}
	})
}

// TestMemoryComesBack loads and unloads many models in one worker.
func TestMemoryComesBack(t *testing.T) {
	serve := start(t, infer.Kind)
	c := infer.NewClient(serve, nil)
	m := enginetest.ONNX(t, "trees")
	all := func(n int) {
		for i := range n {
			r := request(fmt.Sprintf("m%d", i), m)
			r.Candidates, r.Runs = infer.DefaultCandidates()[:1], 1
			load(t, c, r)
		}
		for i := range n {
			if err := c.Unload(within(t), fmt.Sprintf("m%d", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	all(20)
	before := serve.Status().RSS
	all(150)
	after := serve.Status().RSS
	t.Logf("worker holds %.1f MiB before, %.1f MiB after 150 more models", float64(before)/(1<<20), float64(after)/(1<<20))
	if after > before+25<<20 {
		t.Errorf("%d bytes stayed", after-before)
	}
}

func BenchmarkRun(b *testing.B) {
	for name, in := range map[string][]tensor.Tensor{"trees": rows(b, 1, 2, 3, 4), "digits": image(b)} {
		b.Run(name, func(b *testing.B) {
			c := infer.NewClient(start(b, infer.Kind), nil)
			r := request(name, enginetest.ONNX(b, name), in)
			r.Candidates = infer.DefaultCandidates()[:1]
			load(b, c, r)
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Run(ctx, name, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, name := range []string{"trees", "digits"} {
		b.Run(name, func(b *testing.B) {
			c := infer.NewClient(start(b, infer.Kind), nil)
			r := request(name, enginetest.ONNX(b, name))
			load(b, c, r)
			for b.Loop() {
				load(b, c, r)
			}
		})
	}
}
