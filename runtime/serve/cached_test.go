package serve_test

import (
	"testing"
	"testing/synctest"

	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

func TestCachedAnswersEndWithTheirVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(e *serve.Endpoint) { e.Cache = 10 }, nil)
		w.ready(w.promote(1))
		ask := func(version int, cached bool, a, b float32) {
			t.Helper()
			got, err := w.infer(0, row(a, b))
			if err != nil {
				t.Fatal(err)
			}
			y, _ := got.Outputs[0].Float32s()
			if got.Version != version || got.Cached != cached || y[0] != float32(1000*version)+a+b {
				t.Errorf("version %d, cached %v, answer %v; want version %d, cached %v", got.Version, got.Cached, y, version, cached)
			}
		}
		ask(1, false, 1, 2)
		ask(1, true, 1, 2)
		ask(1, false, 2, 1)
		w.ready(w.promote(2))
		ask(2, false, 1, 2)
		ask(2, true, 1, 2)
		w.ready(w.change(serve.Spec.Rollback))
		ask(1, true, 1, 2) // it has stayed loaded
		synctest.Wait()
		if c := w.counters(1, record.Live); c.CacheHits != 2 || c.CacheMisses != 2 || c.Requests != 4 {
			t.Errorf("counters of version 1: %d hits, %d misses, %d requests", c.CacheHits, c.CacheMisses, c.Requests)
		}
		if n := w.record.count(record.Live); n != 6 {
			t.Errorf("%d of 6 answers are recorded", n)
		}
	})
}
