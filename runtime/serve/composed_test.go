package serve_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/graph"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// grapher loads versions below 10 as graphs: version n is part 100+n and part 100, added up; others are the adder's.
type grapher struct {
	*adder
	open atomic.Int64 // graphs
	runs atomic.Int64 // of parts
}

func (g *grapher) Load(ctx context.Context, v models.Version, terms serve.Terms) (serve.Session, error) {
	if v.Number >= 10 {
		s, err := g.adder.Load(ctx, v, terms)
		return counted{s, &g.runs}, err
	}
	doc, err := graph.Parse([]byte(strings.NewReplacer("A", string(digest(100)), "B", string(digest(100+v.Number))).Replace(`{
		"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
		"nodes": [{"name": "one", "model": "m/1", "digest": "A", "inputs": {"x": "x"}},
		          {"name": "other", "model": "m/2", "digest": "B", "inputs": {"x": "x"}},
		          {"name": "both", "step": "add", "inputs": {"a": "one.y", "b": "other.y"}},
		          {"name": "small", "step": "cast", "with": {"to": "FP32"}, "inputs": {"x": "both.y"}}],
		"outputs": [{"name": "y", "from": "small.y"}]}`)))
	if err != nil {
		return nil, err
	}
	parts := map[edgeward.Digest]models.Version{}
	for _, n := range []int{100, 100 + v.Number} {
		parts[digest(n)], _ = registry{}.Version(ctx, "ward", models.Ref{Model: "m", Version: n})
	}
	plan, err := doc.Compile(func(d edgeward.Digest) (tensor.Signature, bool) { p, ok := parts[d]; return p.Manifest.Signature, ok })
	if err != nil {
		return nil, err
	}
	g.open.Add(1)
	return &whole{plan, parts, g}, nil
}

type counted struct {
	serve.Session
	runs *atomic.Int64
}

func (c counted) Run(ctx context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
	c.runs.Add(1)
	return c.Session.Run(ctx, in)
}

type whole struct {
	*graph.Plan
	parts map[edgeward.Digest]models.Version
	g     *grapher
}

func (w *whole) Parts() (out []models.Version) {
	for _, d := range w.Plan.Parts {
		out = append(out, w.parts[d])
	}
	return out
}

func (w *whole) RunParts(ctx context.Context, in []tensor.Tensor, ask graph.Ask) ([]tensor.Tensor, []graph.Span, error) {
	return w.Plan.Run(ctx, in, ask)
}

func (w *whole) Run(context.Context, []tensor.Tensor) ([]tensor.Tensor, error) { panic("never asked") }
func (w *whole) About() serve.About                                            { panic("never asked") }
func (w *whole) Close() error                                                  { w.g.open.Add(-1); return nil }

// composed starts a server whose versions below 10 are graphs. Version n answers 100,000 + 1000·(100+n) + 6 for the row (1, 2).
func composed(t *testing.T, change func(*serve.Config)) (*world, *grapher) {
	g := &grapher{}
	w := start(t, nil, func(c *serve.Config) {
		g.adder = c.Runner.(*adder)
		c.Runner = g
		c.Assets = func(_ context.Context, v models.Version) (serve.Assets, error) {
			a := serve.Assets{Examples: []tensor.Tensor{row(1, 2, 1, 2)}}
			y := float32(1000*v.Number + 3)
			if v.Number < 10 {
				y = float32(100_000 + 1000*(100+v.Number) + 6)
			}
			a.Golden = []tensor.Tensor{mustFloats("y", []int64{2, 1}, y, y)}
			return a, nil
		}
		if change != nil {
			change(c)
		}
	})
	return w, g
}

func TestAGraphServesAsAVersion(t *testing.T) {
	w, g := composed(t, nil)
	st := w.ready(w.promote(1))
	if v := st.Versions[0]; v.Engine != "graph: test" || v.Device != "CPU" || v.Golden != 2 || v.Batch != 1 {
		t.Errorf("status %+v", v)
	}
	a, err := w.infer(0, row(1, 2))
	if err != nil {
		t.Fatal(err)
	}
	y, _ := a.Outputs[0].Float32s()
	if y[0] != 201_006 || len(a.Trace) != 4 || a.Trace[0].Node == "" || a.Trace[3].Node != "small" || a.Trace[3].Start < a.Trace[0].Start+a.Trace[0].Took {
		t.Errorf("%v, trace %+v", y, a.Trace)
	}
	if n := w.record.count(record.Live); n != 1 {
		t.Errorf("%d prediction records, want one of the whole", n)
	}
	// A second version shares a part and answers as canary, then rolls back; nothing stays loaded that nobody is made of.
	w.ready(w.change(func(s serve.Spec, c serve.Change) (serve.Spec, error) { return s.Shadow(c, 2, digest(2)) }))
	if n := w.engine.open(100); n != 1 {
		t.Errorf("the shared part is loaded %d times", n)
	}
	w.ready(w.change(func(s serve.Spec, c serve.Change) (serve.Spec, error) { return s.Promote(c, 2, digest(2)) }))
	w.ready(w.change(func(s serve.Spec, c serve.Change) (serve.Spec, error) { return s.Rollback(c) }))
	if a, err = w.infer(0, row(1, 2)); err != nil || a.Version != 1 {
		t.Errorf("after the roll back version %d answers, %v", a.Version, err)
	}
	w.stop()
	for _, n := range []int{100, 101, 102} {
		if left := w.engine.open(n); left != 0 {
			t.Errorf("part %d is loaded %d times after the end", n, left)
		}
	}
	if n := g.open.Load(); n != 0 {
		t.Errorf("%d graphs are open after the end", n)
	}
}

// TestGraphsShareTheMachine: with one slot, graphs wait for their parts and not for themselves, and what they ask of a part
// is joined.
func TestGraphsShareTheMachine(t *testing.T) {
	w, g := composed(t, func(c *serve.Config) { c.Slots = 1 })
	w.ready(w.promote(1))
	w.engine.mu.Lock()
	w.engine.delay = 2 * time.Millisecond
	w.engine.mu.Unlock()
	before := g.runs.Load()
	const asks = 64
	var all sync.WaitGroup
	for i := range asks {
		all.Go(func() {
			a, err := w.infer(0, row(float32(i), 2))
			if err != nil {
				t.Error(err)
				return
			}
			if y, _ := a.Outputs[0].Float32s(); y[0] != float32(201_000+2*(i+2)) {
				t.Errorf("request %d got %v", i, y)
			}
		})
	}
	all.Wait()
	if n := g.runs.Load() - before; n >= asks {
		t.Errorf("%d requests took %d runs of two parts: none was joined", asks, n)
	}
}

func TestAGraphWhosePartIsLostIsLoadedAgain(t *testing.T) {
	w, _ := composed(t, nil)
	w.ready(w.promote(1))
	_, err := w.infer(0, row(666, 2))
	if edgeward.KindOf(err) != edgeward.Unavailable || edgeward.ParamsOf(err)["node"] == "" {
		t.Fatalf("%v %v", err, edgeward.ParamsOf(err))
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err = w.infer(0, row(1, 2)); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	w.until("unloaded what was lost", func(serve.Status) bool { return w.engine.open(100) == 1 && w.engine.open(101) == 1 })
}

func TestAGraphWithAPartThatDoesNotLoadNeverAnswers(t *testing.T) {
	w, g := composed(t, nil)
	w.engine.mu.Lock()
	w.engine.fail[102] = edgeward.E("engine", edgeward.Invalid, "engine.model", "it is no model")
	w.engine.mu.Unlock()
	w.ready(w.promote(1))
	w.promote(2)
	st := w.until("degraded", func(st serve.Status) bool { return st.State == serve.Degraded })
	if st.Live != 1 || !strings.Contains(st.Versions[0].Error+st.Versions[len(st.Versions)-1].Error, "part m/102") {
		t.Errorf("%+v", st)
	}
	if n := g.open.Load(); n != 1 {
		t.Errorf("%d graphs are open", n)
	}
	if n := w.engine.open(100); n != 1 {
		t.Errorf("the good part is loaded %d times", n)
	}
}
