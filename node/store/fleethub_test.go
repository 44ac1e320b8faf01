package store_test

import (
	"fmt"
	"testing"

	"edgeward/fleet/hub"
	"edgeward/fleet/rollout"
)

// A rollout names each of 10,000 nodes, and of those that do not fit says why.
func TestARolloutOfTenThousandIsKept(t *testing.T) {
	db := open(t, t.TempDir())
	m := hub.Move{Rollout: rollout.Rollout{ID: "r1", State: rollout.Running}}
	for i := range 10_000 {
		id := fmt.Sprintf("01M8BTA83BDJ1QX80S8%07d", i)
		m.Order = append(m.Order, id)
		m.Aside = append(m.Aside, rollout.Aside{Node: id, Reason: "it needs 812 MiB of memory, and 311 MiB are free: give the server more memory, or choose a smaller version for it (fleet.ram)"})
	}
	if err := db.PutFleetFacts(t.Context(), hub.Facts{Moves: []hub.Move{m}}); err != nil {
		t.Fatal(err)
	}
	if got, err := db.FleetMoves(t.Context()); err != nil || len(got) != 1 || len(got[0].Aside) != 10_000 {
		t.Errorf("%d rollouts: %v", len(got), err)
	}
}
