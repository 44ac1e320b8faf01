package store

import (
	"context"

	"edgeward"
	"edgeward/node/events"
)

// with runs fn and appends e in one transaction.
func (db *DB) with(ctx context.Context, e events.Event, fn func(*Tx) error) error {
	return db.Update(ctx, func(tx *Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		_, err := tx.Append(e)
		return err
	})
}

// changeOne reads, changes and writes one value, and appends e, in one transaction.
func changeOne[T any](ctx context.Context, db *DB, c *Collection[T], group, id, etag string, change func(*T) error, e events.Event) (v T, err error) {
	err = db.with(ctx, e, func(tx *Tx) error { v, err = changeTx(tx, c, group, id, etag, change); return err })
	return v, err
}

func changeTx[T any](tx *Tx, c *Collection[T], group, id, etag string, change func(*T) error) (T, error) {
	v, err := c.Get(tx, group, id)
	if err != nil {
		return v, err
	}
	if etag != "" && ETag(v) != etag {
		return v, c.changed(id)
	}
	if err := change(&v); err != nil {
		return v, err
	}
	return v, c.Put(tx, v)
}

// Change reads a value, lets change modify it and writes it back. An empty etag matches any state; another one gives
// Conflict <noun>.changed unless it is the stored state's.
func (c *Collection[T]) Change(tx *Tx, group, id, etag string, change func(*T) error) (T, error) {
	return changeTx(tx, c, group, id, etag, change)
}

func (c *Collection[T]) changed(id string) error {
	return edgeward.E("store.put", edgeward.Conflict, c.Noun+".changed", "%s %.120q was changed meanwhile", c.Noun, id).
		With("id", id).WithHint("read it again and repeat the change")
}

// quietly is the same collection for a change that is bookkeeping and needs no event.
func (c Collection[T]) quietly() *Collection[T] { c.Quiet = true; return &c }
