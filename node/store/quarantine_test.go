package store_test

import (
	"testing"

	"edgeward/node/events"
	"edgeward/node/store"
	"edgeward/runtime/serve"
)

// TestAQuarantineLeavesOneEvent: the first status that tells of a quarantine leaves an event with its cause in the same
// transaction; those that repeat it leave none, and a second quarantine of the same version leaves another.
func TestAQuarantineLeavesOneEvent(t *testing.T) {
	db := open(t, t.TempDir())
	g := group(1)
	addGroup(t, db, g)
	e := serve.Endpoint{Group: g.ID, Name: "beds", Kind: serve.Table, Model: "beds", Created: now(), CreatedBy: "user:ada"}
	if _, err := db.CreateEndpoint(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	q := serve.Quarantine{Version: 2, Digest: "sha256:2", Revision: 3, Since: now(), Deaths: 2, Cause: "segmentation fault"}
	later := q
	later.Revision = 5
	for _, st := range []serve.Status{{}, {Quarantined: []serve.Quarantine{q}}, {State: serve.Degraded, Quarantined: []serve.Quarantine{q}}, {}, {Quarantined: []serve.Quarantine{later}}} {
		if err := db.PutStatus(t.Context(), e.Key(), st); err != nil {
			t.Fatal(err)
		}
	}
	all, _, err := db.ListEvents(t.Context(), store.EventPage{Filter: events.Filter{Group: g.ID, Action: "endpoint.version.quarantined"}})
	if err != nil || len(all) != 2 || all[0].Principal != "system:serve" || all[0].Reason != "segmentation fault" || all[0].Detail["version"] != "2" || all[0].Object.Name != "beds" {
		t.Errorf("%+v, %v", all, err)
	}
}
