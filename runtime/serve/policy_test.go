package serve_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

func TestTokensOfALimit(t *testing.T) {
	t0 := time.Unix(1000, 0)
	ms := time.Millisecond
	for _, c := range []struct {
		name  string
		limit serve.Limit
		at    []time.Duration // of each request
		want  []time.Duration // how long it must wait, 0: taken
	}{
		{"no limit", serve.Limit{}, []time.Duration{0, 0, 0}, []time.Duration{0, 0, 0}},
		{"a full bucket, then one by one", serve.Limit{PerSecond: 2, Burst: 3}, []time.Duration{0, 0, 0, 0, 499 * ms, 500 * ms, 500 * ms}, []time.Duration{0, 0, 0, 500 * ms, ms, 0, 500 * ms}},
		{"a burst of one second where none is said", serve.Limit{PerSecond: 3}, []time.Duration{0, 0, 0, 0}, []time.Duration{0, 0, 0, 333333334}},
		{"less than one a second", serve.Limit{PerSecond: 0.1}, []time.Duration{0, 0, 9 * time.Second, 10 * time.Second}, []time.Duration{0, 10 * time.Second, time.Second, 0}},
		{"a refusal costs nothing", serve.Limit{PerSecond: 1}, []time.Duration{0, 900 * ms, 950 * ms, time.Second}, []time.Duration{0, 100 * ms, 50 * ms, 0}},
		{"time that runs backwards fills nothing", serve.Limit{PerSecond: 1}, []time.Duration{10 * time.Second, 0, 11 * time.Second}, []time.Duration{0, time.Second, 0}},
		{"more than a full bucket never waits", serve.Limit{PerSecond: 1, Burst: 2}, []time.Duration{0, 0, time.Hour, time.Hour, time.Hour}, []time.Duration{0, 0, 0, 0, time.Second}},
	} {
		var b serve.Tokens
		for i, at := range c.at {
			next, wait := b.Take(c.limit, t0.Add(at))
			if d := wait - c.want[i]; d < -time.Microsecond || d > time.Microsecond || (wait == 0) != (c.want[i] == 0) {
				t.Errorf("%s: request %d waits %v, want %v", c.name, i, wait, c.want[i])
			}
			b = next
		}
	}
}

func TestRateLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(e *serve.Endpoint) {
			e.Rate, e.PrincipalRate = serve.Limit{PerSecond: 5}, serve.Limit{PerSecond: 2}
		}, nil)
		w.ready(w.promote(1))
		ask := func(who string, part bool) error {
			_, err := w.Infer(t.Context(), serve.Request{ID: w.id(), Endpoint: beds, Inputs: row1, ReceivedAt: time.Now(), Principal: who, Part: part})
			return err
		}
		count := func(who string, n int) (taken int) {
			for range n {
				err := ask(who, false)
				if err == nil {
					taken++
				} else if edgeward.CodeOf(err) != "endpoint.rate" || edgeward.KindOf(err) != edgeward.Exhausted || edgeward.ParamsOf(err)["retry_after"] != "1" {
					t.Errorf("%v, params %v", err, edgeward.ParamsOf(err))
				}
			}
			return taken
		}
		if n := count("ada", 10); n != 2 {
			t.Errorf("one caller was answered %d times, want 2", n)
		}
		if n := count("bob", 10); n != 2 {
			t.Errorf("another caller was answered %d times, want 2", n)
		}
		if n := count("eve", 10); n != 1 {
			t.Errorf("a third caller was answered %d times, want the one that is left of 5", n)
		}
		if err := ask("eve", true); err != nil {
			t.Errorf("a part of a request that was counted: %v", err)
		}
		if m, _ := w.Metrics(beds); m.Limited != 25 {
			t.Errorf("%d refusals counted, want 25", m.Limited)
		}
		time.Sleep(time.Second)
		if n := count("ada", 1) + count("bob", 1); n != 2 {
			t.Errorf("a second later %d of 2 are answered", n)
		}
	})
}

func TestAStickyKeyKeepsItsVersion(t *testing.T) {
	w := start(t, nil, nil)
	w.promote(1)
	w.ready(w.change(func(s serve.Spec, c serve.Change) (serve.Spec, error) { return s.Canary(c, 2, digest(2), 5000) }))
	seen := map[int]int{}
	for _, key := range []string{"patient-1", "patient-2", "patient-3", "patient-4", "patient-5", "patient-6", "patient-7", "patient-8"} {
		first := 0
		for range 20 {
			a, err := w.Infer(t.Context(), serve.Request{ID: w.id(), Endpoint: beds, StickyKey: key, Inputs: row1, ReceivedAt: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			if first == 0 {
				first = a.Version
				seen[first]++
			}
			if a.Version != first {
				t.Fatalf("%s was answered by version %d and by %d", key, first, a.Version)
			}
		}
	}
	if len(seen) != 2 {
		t.Errorf("all keys went the same way: %v", seen)
	}
}

func TestVariants(t *testing.T) {
	w := start(t, nil, nil)
	w.promote(1)
	w.change(func(s serve.Spec, c serve.Change) (serve.Spec, error) { return s.Variant(c, "control", 1, digest(1)) })
	w.ready(w.change(func(s serve.Spec, c serve.Change) (serve.Spec, error) { return s.Variant(c, "sharper", 2, digest(2)) }))
	ask := func(variant string) serve.Answer {
		t.Helper()
		a, err := w.Infer(t.Context(), serve.Request{ID: w.id(), Endpoint: beds, Variant: variant, Inputs: row1, ReceivedAt: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, c := range []struct {
		choose  string
		version int
		role    record.Role
		variant string
	}{
		{"control", 1, record.Variant, "control"},
		{"sharper", 2, record.Variant, "sharper"},
		{"", 1, record.Live, ""},
		{"long-gone", 1, record.Live, ""},
	} {
		if a := ask(c.choose); a.Version != c.version || a.Role != c.role || a.Variant != c.variant {
			t.Errorf("%q: version %d as %s %q", c.choose, a.Version, a.Role, a.Variant)
		}
	}
	if a, b, c := w.counters(1, record.Variant), w.counters(2, record.Variant), w.counters(1, record.Live); a.Requests != 1 || a.Variant != "control" || b.Requests != 1 || b.Variant != "sharper" || c.Requests != 2 {
		t.Errorf("counted %+v\n%+v\n%+v", a, b, c)
	}
	w.promote(2)
	w.ready(w.change(func(s serve.Spec, c serve.Change) (serve.Spec, error) { return s.Rollback(c) }))
	if a := ask("sharper"); a.Version != 1 || a.Role != record.Live {
		t.Errorf("after a roll back a variant still answers: %+v", a)
	}
}

func TestAVersionPolicyLoadsWhatMayBeAskedByNumber(t *testing.T) {
	for policy, want := range map[serve.VersionPolicy][]int{
		"": {1, 2}, "spec": {1, 2}, "latest:3": {1, 2, 6, 7, 9}, "specific:4,8,1": {1, 2, 4, 8}, "all": {1, 2, 3, 4, 5, 6, 7, 9},
	} {
		t.Run(string(policy), func(t *testing.T) {
			w := start(t, func(e *serve.Endpoint) { e.Versions = policy }, nil)
			w.promote(1)
			w.ready(w.promote(2))
			w.until("all loaded", func(serve.Status) bool {
				d, err := w.Describe(beds, 0)
				return err == nil && slices.Equal(d.Versions, want)
			})
			a, err := w.infer(want[len(want)-1], row(1, 2))
			if err != nil || a.Version != want[len(want)-1] || a.Role != record.Direct {
				t.Errorf("%+v, %v", a, err)
			}
			w.answers(2)
			if _, err := w.infer(10, row(1, 2)); edgeward.CodeOf(err) != "endpoint.no_version" {
				t.Errorf("a version that the policy leaves out: %v", err)
			}
		})
	}
}

func FuzzVersionPolicy(f *testing.F) {
	for _, s := range []string{"", "spec", "all", "latest:3", "specific:1,3", "latest:0", "latest:03", "specific:", "specific:1,1", "all:1", "specific:1,,2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := serve.VersionPolicy(s)
		n, list := p.Latest(), p.Specific()
		if p.Check() != nil {
			if n != 0 || list != nil {
				t.Errorf("%q is refused and wants %d, %v", s, n, list)
			}
			return
		}
		if n < 0 || n > serve.MaxDirect || len(list) > serve.MaxDirect || !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
			t.Errorf("%q wants %d, %v", s, n, list)
		}
		if strings.ContainsAny(s, " \n\"") {
			t.Errorf("%q is accepted", s)
		}
	})
}

// TestRequestsAreJoinedWhereADeviceTakesOtherRowsAtLittleCost: ONNX Runtime has cuDNN plan each convolution anew for another
// number of rows.
func TestRequestsAreJoinedWhereADeviceTakesOtherRowsAtLittleCost(t *testing.T) {
	for _, c := range []struct {
		device string
		anew   time.Duration
		want   int
	}{{"CUDA", 0, serve.MaxBatch}, {"CUDA", 3 * time.Millisecond, serve.MaxBatch}, {"CUDA", 20 * time.Millisecond, 1}, {"CPU", 20 * time.Millisecond, serve.MaxBatch}} {
		synctest.Test(t, func(t *testing.T) {
			w := start(t, func(*serve.Endpoint) {}, func(s *serve.Config) {
				s.Assets = func(context.Context, models.Version) (serve.Assets, error) {
					return serve.Assets{Examples: []tensor.Tensor{row(1, 2, 3, 4)}}, nil
				}
			})
			w.engine.device, w.engine.anew, w.engine.delay = c.device, c.anew, time.Millisecond
			if st := w.ready(w.promote(1)); st.Versions[0].Batch != c.want {
				t.Errorf("%s that needs %v for other rows: runs of %d rows, want %d", c.device, c.anew, st.Versions[0].Batch, c.want)
			}
		})
	}
}

// TestMaxBatch: what a version proved is bounded by its endpoint, at once and without loading it again.
func TestMaxBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(e *serve.Endpoint) { e.MaxBatch = 1 }, func(c *serve.Config) {
			c.Assets = func(_ context.Context, v models.Version) (serve.Assets, error) {
				return serve.Assets{Examples: []tensor.Tensor{row(1, 2, 3, 4)}}, nil
			}
		})
		st := w.ready(w.promote(1))
		if n := st.Versions[0].Batch; n != serve.MaxBatch {
			t.Fatalf("the version proved %d rows, want %d", n, serve.MaxBatch)
		}
		loads := w.engine.loads.Load()
		for _, c := range []struct{ set, want int }{{1, 1}, {8, 8}, {0, serve.MaxBatch}, {1, 1}} {
			w.store.mu.Lock()
			d := w.store.all[beds]
			d.Endpoint.MaxBatch = c.set
			w.store.all[beds] = d
			w.store.mu.Unlock()
			w.Notify(beds)
			synctest.Wait()
			if m, _ := w.Metrics(beds); len(m.Runs) != 1 || m.Runs[0].Batch != c.want {
				t.Errorf("max_batch %d: %+v, want runs of at most %d rows", c.set, m.Runs, c.want)
			}
			w.answers(1)
		}
		if n := w.engine.loads.Load(); n != loads {
			t.Errorf("%d more loads, want none", n-loads)
		}
		for _, n := range []int{-1, serve.MaxBatch + 1} {
			if err := (serve.Endpoint{Group: "ward", Name: "beds", Kind: serve.Table, Model: "beds", MaxBatch: n}).Check(); edgeward.CodeOf(err) != "endpoint.invalid" {
				t.Errorf("max_batch %d: %v", n, err)
			}
		}
	})
}
