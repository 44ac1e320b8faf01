package store

import (
	"context"

	"edgeward"
	"edgeward/node/wire"
)

// demos keeps the demonstration's progress and report, one per group. It is written every second: no event.
var demos = Collection[groupDemo]{Noun: "demo", Bucket: "demo", Schema: 1, Quiet: true,
	Key: func(d *groupDemo) (string, string) { return d.Group, "status" }}

type groupDemo struct {
	Group  string          `json:"group"`
	Status wire.DemoStatus `json:"status"`
}

// Demo returns where the demonstration of a group stands; the zero status when there is none.
func (db *DB) Demo(ctx context.Context, group string) (s wire.DemoStatus, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		d, err := demos.Get(tx, group, "status")
		if edgeward.KindOf(err) == edgeward.NotFound {
			return nil
		}
		s = d.Status
		return err
	})
	return s, err
}

// PutDemo keeps where the demonstration stands.
func (db *DB) PutDemo(ctx context.Context, group string, s wire.DemoStatus) error {
	return db.Update(ctx, func(tx *Tx) error { return demos.Put(tx, groupDemo{group, s}) })
}

// ClearDemo forgets the demonstration's progress and report.
func (db *DB) ClearDemo(ctx context.Context, group string) error {
	return db.Update(ctx, func(tx *Tx) error {
		err := demos.Delete(tx, group, "status")
		if edgeward.KindOf(err) == edgeward.NotFound {
			return nil
		}
		return err
	})
}
