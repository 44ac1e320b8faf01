package store_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/fleet/spec"
	"edgeward/node/auth"
	"edgeward/node/store"
)

// TestManyBringEventsAtOnce lets 40 nodes bring events, again and again, while others fail: what was acknowledged is there, what failed is not.
func TestManyBringEventsAtOnce(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	ctx := t.Context()
	before := db.Generation()
	refused := edgeward.E("test", edgeward.Invalid, "test.refused", "no")
	var wg sync.WaitGroup
	var failed atomic.Int64
	for n := range 40 {
		node := fmt.Sprintf("n%02d", n)
		wg.Go(func() {
			for i := range 5 {
				list := []spec.Event{{ID: fmt.Sprint(i), Class: spec.Alert, What: "x.y", At: day}, {ID: fmt.Sprint(i, "b"), Class: spec.Drift, What: "x.y", At: day}}
				if stored, err := db.AddFleetEvents(ctx, node, hub.OverTLS, day, list); err != nil || stored != 2 {
					t.Errorf("%s: %d, %v", node, stored, err)
				}
			}
		})
		if n%10 == 0 {
			wg.Go(func() {
				err := db.UpdateTogether(ctx, func(tx *store.Tx) error {
					if err := store.Groups.Put(tx, auth.Group{ID: node, Name: node}); err != nil {
						return err
					}
					return refused
				})
				if edgeward.CodeOf(err) == "test.refused" {
					failed.Add(1)
				}
			})
		}
	}
	wg.Wait()
	commits := db.Generation() - before
	t.Logf("200 calls in %d commits", commits)
	if failed.Load() != 4 {
		t.Errorf("%d of 4 failed", failed.Load())
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir)
	for n := range 40 {
		tally, err := db.FleetTally(ctx, fmt.Sprintf("n%02d", n))
		if err != nil || tally.Events[spec.Alert] != 5 || tally.Events[spec.Drift] != 5 || tally.Copies != 0 {
			t.Errorf("n%02d: %+v %v", n, tally, err)
		}
		if n%10 == 0 {
			if err := db.View(ctx, func(tx *store.Tx) error { _, err := store.Groups.Get(tx, "", fmt.Sprintf("n%02d", n)); return err }); edgeward.KindOf(err) != edgeward.NotFound {
				t.Errorf("what failed is there: %v", err)
			}
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := store.Check(ctx, filepath.Join(dir, store.File)); err != nil || r.Found > 0 {
		t.Errorf("%+v %v", r, err)
	}
}
