package store

import (
	"context"
	"fmt"
	"time"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/fleet/spec"
)

// Events of nodes at the hub: by number, the order of coming; and counts of each node.
var (
	fleetEvents = Collection[hub.KeptEvent]{Noun: "fleet.event", Bucket: "fleet_events", Schema: 2, Quiet: true,
		Key: func(e *hub.KeptEvent) (string, string) { return "", eventNumber(e.N) },
		Indexes: []Index[hub.KeptEvent]{
			{Name: "id", Unique: true, Keys: func(e *hub.KeptEvent) []string { return []string{e.Node + " " + e.Event.ID} }},
			{Name: "node", Keys: func(e *hub.KeptEvent) []string { return []string{e.Node, e.Node + " " + string(e.Event.Class)} }},
			{Name: "class", Keys: func(e *hub.KeptEvent) []string { return []string{string(e.Event.Class)} }},
		}}
	fleetTallies = Collection[hub.Tally]{Noun: "fleet.tally", Bucket: "fleet_tallies", Schema: 1, Quiet: true,
		Key: func(t *hub.Tally) (string, string) { return "", t.Node }}
)

// eventNumber is a number as a key that sorts by it.
func eventNumber(n uint64) string { return fmt.Sprintf("%016x", n) }

// AddFleetEvents implements hub.Store.
func (db *DB) AddFleetEvents(ctx context.Context, node string, way hub.Way, now time.Time, list []spec.Event) (stored int, err error) {
	err = db.UpdateTogether(ctx, func(tx *Tx) error {
		stored = 0
		last, err := tx.lastFleetEvent()
		if err != nil {
			return err
		}
		t, _, err := fleetTallies.load(tx, joinKey("", node))
		if err != nil {
			return err
		}
		for _, e := range list {
			var was *hub.KeptEvent
			old, err := fleetEvents.Find(tx, "id", "", node+" "+e.ID)
			if err == nil {
				was = &old
			} else if edgeward.KindOf(err) != edgeward.NotFound {
				return err
			}
			var keep *hub.KeptEvent
			if keep, t = t.Add(was, node, e, way, now); keep == nil {
				continue
			}
			if was == nil {
				stored, last = stored+1, last+1
				keep.N = last
			}
			if err := fleetEvents.Put(tx, *keep); err != nil {
				return err
			}
		}
		t.Node = node
		if err := fleetTallies.Put(tx, t); err != nil {
			return err
		}
		return tx.setMeta(fleetEventsKey, last)
	})
	return stored, err
}

// fleetEventsKey is where meta keeps the number of the last event, so that none is used twice.
const fleetEventsKey = "fleet_events"

func (tx *Tx) lastFleetEvent() (n uint64, err error) {
	_, err = tx.meta(fleetEventsKey, &n)
	return n, err
}

// looked bounds how many events one page looks at for those that its reader may see.
const looked = 5000

// FleetEvents implements hub.Store. A page may hold fewer than its limit where many are not the reader's.
func (db *DB) FleetEvents(ctx context.Context, q hub.EventQuery) (page []hub.KeptEvent, next string, err error) {
	limit, seen := Page{Limit: q.Limit}.limit(), 0
	for {
		list, next, err := db.fleetEvents(ctx, q)
		if err != nil || q.Sees == nil {
			return list, next, err
		}
		for _, k := range list {
			if !q.Sees(k.Event.Owner()) {
				continue
			}
			if len(page) == limit {
				return page, eventNumber(page[limit-1].N), nil
			}
			page = append(page, k)
		}
		if seen += len(list); next == "" || seen >= looked {
			return page, next, nil
		}
		q.Cursor = next
	}
}

func (db *DB) fleetEvents(ctx context.Context, q hub.EventQuery) (page []hub.KeptEvent, next string, err error) {
	p := Page{Cursor: q.Cursor, Limit: q.Limit, Newest: true}
	err = db.View(ctx, func(tx *Tx) error {
		switch {
		case q.Node != "" && q.Class != "":
			page, next, err = fleetEvents.ListBy(tx, "node", "", q.Node+" "+string(q.Class), p)
		case q.Node != "":
			page, next, err = fleetEvents.ListBy(tx, "node", "", q.Node, p)
		case q.Class != "":
			page, next, err = fleetEvents.ListBy(tx, "class", "", string(q.Class), p)
		default:
			page, next, err = fleetEvents.List(tx, "", p)
		}
		return err
	})
	return page, next, err
}

// FleetTally implements hub.Store.
func (db *DB) FleetTally(ctx context.Context, node string) (t hub.Tally, err error) {
	err = db.View(ctx, func(tx *Tx) error { t, _, err = fleetTallies.load(tx, joinKey("", node)); return err })
	t.Node = node
	return t, err
}

// PruneFleetEvents implements hub.Store.
func (db *DB) PruneFleetEvents(ctx context.Context, c spec.Class, before time.Time, n int) error {
	for n > 0 {
		gone := 0
		err := db.Update(ctx, func(tx *Tx) error {
			gone = 0
			list, _, err := fleetEvents.ListBy(tx, "class", "", string(c), Page{Limit: min(n, 500)})
			if err != nil {
				return err
			}
			for _, e := range list {
				if !e.Got.Before(before) {
					break
				}
				if err := fleetEvents.Delete(tx, "", eventNumber(e.N)); err != nil {
					return err
				}
				gone++
			}
			return nil
		})
		if err != nil || gone == 0 {
			return err
		}
		n -= gone
	}
	return nil
}
