package store

import (
	"context"

	"edgeward"
	"edgeward/node/events"
	"edgeward/node/monitor"
	"edgeward/runtime/models"
)

// Watches keeps the monitor of each endpoint. It moves with every target of the data, so only what the monitor itself
// reports is an event.
var Watches = Collection[monitor.Watch]{Noun: "monitor", Bucket: "watches", Schema: 1, Quiet: true,
	Key: func(w *monitor.Watch) (string, string) { return w.Group, w.Endpoint }}

var _ monitor.Store = (*DB)(nil)

// Watches implements monitor.Store.
func (db *DB) Watches(ctx context.Context) (all []monitor.Watch, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		return Watches.Each(tx, func(w monitor.Watch) error { all = append(all, w); return nil })
	})
	return all, err
}

// SaveWatch implements monitor.Store. A watch of an endpoint that is gone is not kept.
func (db *DB) SaveWatch(ctx context.Context, w monitor.Watch, candidates []models.CandidateRecord, news []events.Event, out []monitor.Message) error {
	return db.Update(ctx, func(tx *Tx) error {
		if _, err := Endpoints.Get(tx, w.Group, w.Endpoint); err != nil {
			if edgeward.KindOf(err) == edgeward.NotFound {
				return nil
			}
			return err
		}
		if err := Watches.Put(tx, w); err != nil {
			return err
		}
		for _, c := range candidates {
			if err := tx.PutCandidate(c, events.Event{Time: c.Created, Principal: monitor.Principal, Action: "candidate." + stateOf(c)}); err != nil {
				return err
			}
		}
		for _, e := range news {
			if _, err := tx.Append(e); err != nil {
				return err
			}
		}
		for _, m := range out {
			if err := tx.queue(m); err != nil {
				return err
			}
		}
		return nil
	})
}

// stateOf is the last word of a candidate's event.
func stateOf(c models.CandidateRecord) string {
	switch {
	case c.Promoted != nil:
		return "promoted"
	case c.Decided != nil:
		return "rejected"
	default:
		return "moved"
	}
}
