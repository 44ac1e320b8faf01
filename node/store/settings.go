package store

import (
	"context"

	"edgeward"
	"edgeward/node/events"
)

type setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

var settings = Collection[setting]{
	Noun: "setting", Bucket: "settings", Schema: 1,
	Key: func(s *setting) (string, string) { return "", s.Name },
}

// Setting returns a stored value of the node itself, "" when it was never set. Names in use: "node.id", "site.name".
func (db *DB) Setting(ctx context.Context, name string) (value string, err error) {
	err = db.View(ctx, func(tx *Tx) error { value, err = tx.Setting(name); return err })
	return value, err
}

// Setting returns a stored value, "" when it was never set.
func (tx *Tx) Setting(name string) (string, error) {
	s, found, err := settings.load(tx, joinKey("", name))
	if !found {
		return "", err
	}
	return s.Value, err
}

// SetSetting stores a value.
func (tx *Tx) SetSetting(name, value string) error { return settings.Put(tx, setting{name, value}) }

// SetSetting stores a value with its event.
func (db *DB) SetSetting(ctx context.Context, name, value string, e events.Event) error {
	return db.with(ctx, e, func(tx *Tx) error { return tx.SetSetting(name, value) })
}

// NodeID returns this node's id; the first call stores fresh (a ULID) together with the event "node.created".
func (db *DB) NodeID(ctx context.Context, fresh string, e events.Event) (id string, err error) {
	if id, err = db.Setting(ctx, "node.id"); err != nil || id != "" {
		return id, err
	}
	if fresh == "" {
		return "", edgeward.E("store.NodeID", edgeward.Internal, "", "no id for a new node")
	}
	return fresh, db.SetSetting(ctx, "node.id", fresh, e)
}
