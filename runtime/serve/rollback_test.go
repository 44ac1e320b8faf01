package serve_test

import (
	"slices"
	"testing"
	"time"

	"edgeward/runtime/serve"
)

// The version before is loaded still: a roll back is a change of the spec and of a pointer, however often. How long it takes is logged, not judged.
func TestRollbacksLoadNothing(t *testing.T) {
	w := start(t, nil, nil)
	w.ready(w.promote(1))
	w.ready(w.promote(2))
	loads, live := w.engine.loads.Load(), 2
	var took []time.Duration
	for range 100 {
		from := time.Now()
		w.ready(w.change(serve.Spec.Rollback))
		took = append(took, time.Since(from))
		live = 3 - live
		w.answers(live)
	}
	if n := w.engine.loads.Load() - loads; n > 0 {
		t.Errorf("they loaded %d versions", n)
	}
	slices.Sort(took)
	t.Logf("from the word to the other version: median %s, longest %s", took[50], took[99])
}
