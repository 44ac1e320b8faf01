package store

import (
	"context"

	"edgeward/fleet/hub"
	"edgeward/node/events"
)

// What a hub keeps. All belong to the node itself; the events are the hub's words, with each change.
var (
	fleets = Collection[hub.Fleet]{Noun: "fleet", Bucket: "fleet", Schema: 1, Quiet: true,
		Key: func(*hub.Fleet) (string, string) { return "", "fleet" }}
	fleetCodes = Collection[hub.Code]{Noun: "fleet.code", Bucket: "fleet_codes", Schema: 1, Quiet: true,
		Key: func(c *hub.Code) (string, string) { return "", c.ID }}
	fleetNodes = Collection[hub.Node]{Noun: "fleet.node", Bucket: "fleet_nodes", Schema: 1, Quiet: true,
		Key: func(n *hub.Node) (string, string) { return "", n.ID }}
	fleetAssignments = Collection[hub.Assignment]{Noun: "fleet.assignment", Bucket: "fleet_assignments", Schema: 1, Quiet: true,
		Key: func(a *hub.Assignment) (string, string) { return "", a.Scope + " " + a.Endpoint.Key().String() }}
	fleetMoves = Collection[hub.Move]{Noun: "fleet.rollout", Bucket: "fleet_rollouts", Schema: 1, Quiet: true, Max: 16 << 20, // it names each node, and of those set aside why
		Key: func(m *hub.Move) (string, string) { return "", m.ID }}
	fleetOverlays = Collection[hub.Overlay]{Noun: "fleet.overlay", Bucket: "fleet_overlays", Schema: 1, Quiet: true,
		Key: func(o *hub.Overlay) (string, string) { return "", o.Key() }}
)

var _ hub.Store = (*DB)(nil)

// Fleet implements hub.Store.
func (db *DB) Fleet(ctx context.Context) (f hub.Fleet, err error) {
	err = db.View(ctx, func(tx *Tx) error { f, _, err = fleets.load(tx, joinKey("", "fleet")); return err })
	return f, err
}

// PutFleet implements hub.Store.
func (db *DB) PutFleet(ctx context.Context, f hub.Fleet, c ...hub.Change) error {
	return db.Update(ctx, func(tx *Tx) error {
		if err := fleets.Put(tx, f); err != nil {
			return err
		}
		return tx.changes("fleet", c)
	})
}

// FleetCodes implements hub.Store.
func (db *DB) FleetCodes(ctx context.Context) ([]hub.Code, error) { return all(ctx, db, &fleetCodes) }

// FleetNodes implements hub.Store.
func (db *DB) FleetNodes(ctx context.Context) ([]hub.Node, error) { return all(ctx, db, &fleetNodes) }

// FleetAssignments implements hub.Store.
func (db *DB) FleetAssignments(ctx context.Context) ([]hub.Assignment, error) {
	return all(ctx, db, &fleetAssignments)
}

// FleetMoves implements hub.Store.
func (db *DB) FleetMoves(ctx context.Context) ([]hub.Move, error) { return all(ctx, db, &fleetMoves) }

// FleetOverlays implements hub.Store.
func (db *DB) FleetOverlays(ctx context.Context) ([]hub.Overlay, error) {
	return all(ctx, db, &fleetOverlays)
}

func all[T any](ctx context.Context, db *DB, c *Collection[T]) (out []T, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		return c.Each(tx, func(v T) error { out = append(out, v); return nil })
	})
	return out, err
}

func putAll[T any](tx *Tx, c *Collection[T], values []T) error {
	for _, v := range values {
		if err := c.Put(tx, v); err != nil {
			return err
		}
	}
	return nil
}

// PutFleetFacts implements hub.Store.
func (db *DB) PutFleetFacts(ctx context.Context, w hub.Facts, c ...hub.Change) error {
	return db.Update(ctx, func(tx *Tx) error {
		for _, put := range []func() error{
			func() error { return putAll(tx, &fleetCodes, w.Codes) },
			func() error { return putAll(tx, &fleetNodes, w.Nodes) },
			func() error { return putAll(tx, &fleetAssignments, w.Assignments) },
			func() error { return putAll(tx, &fleetMoves, w.Moves) },
			func() error { return putAll(tx, &fleetOverlays, w.Overlays) },
		} {
			if err := put(); err != nil {
				return err
			}
		}
		for _, id := range w.Gone {
			if err := fleetNodes.Delete(tx, "", id); err != nil {
				return err
			}
		}
		for _, k := range w.Lifted {
			if err := fleetOverlays.Delete(tx, "", k); err != nil {
				return err
			}
		}
		return tx.changes("fleet", c)
	})
}

// FleetPlanState names what persons said of the fleet by documents, and where its nodes were placed.
func FleetPlanState(tx *Tx) (string, error) {
	var said []any
	err := fleetOverlays.Each(tx, func(o hub.Overlay) error { said = append(said, o.Document); return nil })
	if err == nil {
		err = fleetNodes.Each(tx, func(n hub.Node) error { said = append(said, []any{n.ID, n.Site, n.Pair, n.Tags}); return nil })
	}
	return ETag(said), err
}

// changes appends the hub's words to the event log.
func (tx *Tx) changes(kind string, list []hub.Change) error {
	for _, c := range list {
		_, err := tx.Append(events.Event{Time: c.At, Principal: c.By, Action: c.Action, Object: events.Object{Kind: kind, ID: c.Object, Name: c.Name}, Reason: c.Reason, Detail: c.Detail})
		if err != nil {
			return err
		}
	}
	return nil
}
