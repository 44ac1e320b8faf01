package store

import (
	"context"

	"edgeward/node/auth"
	"edgeward/node/events"
)

// Groups keeps auth.Group; groups belong to the node, so their key has an empty group.
var Groups = Collection[auth.Group]{
	Noun: "group", Bucket: "groups", Schema: 1,
	Key: func(g *auth.Group) (string, string) { return "", g.ID },
	Indexes: []Index[auth.Group]{
		{Name: "name", Unique: true, Keys: func(g *auth.Group) []string { return []string{g.Name} }},
	},
}

var _ auth.GroupStore = (*DB)(nil)

// Group returns a group by id.
func (db *DB) Group(ctx context.Context, id string) (g auth.Group, err error) {
	err = db.View(ctx, func(tx *Tx) error { g, err = Groups.Get(tx, "", id); return err })
	return g, err
}

// GroupByName returns a group by name.
func (db *DB) GroupByName(ctx context.Context, name string) (g auth.Group, err error) {
	err = db.View(ctx, func(tx *Tx) error { g, err = Groups.Find(tx, "name", "", name); return err })
	return g, err
}

// ListGroups returns a page of all groups.
func (db *DB) ListGroups(ctx context.Context, cursor string, limit int) (gs []auth.Group, next string, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		gs, next, err = Groups.List(tx, "", Page{Cursor: cursor, Limit: limit})
		return err
	})
	return gs, next, err
}

// CreateGroup adds a group: Conflict group.exists when the name is taken.
func (db *DB) CreateGroup(ctx context.Context, g auth.Group, e events.Event) error {
	return db.with(ctx, e, func(tx *Tx) error { return Groups.Create(tx, g) })
}

// ChangeGroup applies change to the stored group in one transaction. An empty etag matches any state.
func (db *DB) ChangeGroup(ctx context.Context, id, etag string, change func(*auth.Group) error, e events.Event) (auth.Group, error) {
	return changeOne(ctx, db, &Groups, "", id, etag, change, e)
}
