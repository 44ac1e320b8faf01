package store

import (
	"context"
	"time"

	"edgeward/node/events"
	"edgeward/runtime/score"
)

// Deliveries keeps what goes to sinks. Attempts are bookkeeping; an end is an event.
var Deliveries = Collection[score.Delivery]{Noun: "delivery", Bucket: "deliveries", Schema: 1, Quiet: true,
	Key: func(d *score.Delivery) (string, string) { return d.Group, d.ID },
	Indexes: []Index[score.Delivery]{
		{Name: "due", Global: true, Keys: func(d *score.Delivery) []string {
			if d.State != score.Waiting {
				return nil
			}
			return []string{TimeKey(d.Next)}
		}},
		{Name: "scoring", Keys: func(d *score.Delivery) []string { return []string{d.Scoring} }},
	}}

// AddDelivery keeps a new delivery; the same id again changes nothing.
func (db *DB) AddDelivery(ctx context.Context, d score.Delivery) error {
	return db.Update(ctx, func(tx *Tx) error {
		if _, found, err := Deliveries.load(tx, joinKey(d.Group, d.ID)); err != nil || found {
			return err
		}
		return Deliveries.Create(tx, d)
	})
}

// Delivery returns one delivery.
func (db *DB) Delivery(ctx context.Context, group, id string) (d score.Delivery, err error) {
	err = db.View(ctx, func(tx *Tx) error { d, err = Deliveries.Get(tx, group, id); return err })
	return d, err
}

// ListDeliveries returns one page of a scoring's deliveries, newest first.
func (db *DB) ListDeliveries(ctx context.Context, group, scoring string, page Page) (items []score.Delivery, next string, err error) {
	page.Newest = true
	err = db.View(ctx, func(tx *Tx) error {
		items, next, err = Deliveries.ListBy(tx, "scoring", group, scoring, page)
		return err
	})
	return items, next, err
}

// DueDeliveries returns at most limit deliveries whose next attempt is not after now, of all groups, the longest due first.
func (db *DB) DueDeliveries(ctx context.Context, now time.Time, limit int) (items []score.Delivery, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		items, err = Deliveries.Below(tx, "due", "", TimeKey(now.Add(1)), limit)
		return err
	})
	return items, err
}

// ChangeDelivery changes a delivery. When it has ended or begins anew, that is an event of by. What out says goes to the
// MQTT outbox in the same transaction.
func (db *DB) ChangeDelivery(ctx context.Context, group, id, by string, now time.Time, change func(*score.Delivery) error, out ...Outgoing) (d score.Delivery, err error) {
	err = db.Update(ctx, func(tx *Tx) error {
		old, err := Deliveries.Get(tx, group, id)
		if err != nil {
			return err
		}
		d = old
		if err := change(&d); err != nil {
			return err
		}
		if err := Deliveries.Put(tx, d); err != nil {
			return err
		}
		for _, o := range out {
			if _, err := tx.Send(o); err != nil {
				return err
			}
		}
		if d.State == old.State {
			return nil
		}
		e := events.Event{Time: now, Principal: by, Group: group, Action: "delivery." + string(d.State), Object: events.Object{Kind: "scoring", Name: d.Scoring, ID: d.ID},
			Detail: map[string]string{"sink": d.Sink.String(), "run": d.Run}}
		if n := len(d.Attempts); n > 0 && d.State == score.Failed {
			e.Detail["error"] = clipText(d.Attempts[n-1].Message, 400)
		}
		_, err = tx.Append(e)
		return err
	})
	return d, err
}

// SweepDeliveries removes at most n deliveries that ended long ago and returns how many.
func (db *DB) SweepDeliveries(ctx context.Context, now time.Time, n int) (removed int, err error) {
	err = db.Update(ctx, func(tx *Tx) error {
		var old []score.Delivery
		err := Deliveries.Each(tx, func(d score.Delivery) error {
			if d.State != score.Waiting && now.Sub(d.Created) > score.MaxDelivery && len(old) < n {
				old = append(old, d)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, d := range old {
			if err := Deliveries.Delete(tx, d.Group, d.ID); err != nil {
				return err
			}
		}
		removed = len(old)
		return nil
	})
	return removed, err
}
