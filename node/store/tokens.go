package store

import (
	"context"
	"time"

	"edgeward/node/auth"
	"edgeward/node/events"
)

// Tokens keeps auth.Token by group.
var Tokens = Collection[auth.Token]{
	Noun: "token", Bucket: "tokens", Schema: 1,
	Key: func(t *auth.Token) (string, string) { return t.Group, t.ID },
	Indexes: []Index[auth.Token]{
		{Name: "hash", Unique: true, Global: true, Keys: func(t *auth.Token) []string { return []string{t.Hash} }},
		{Name: "owner", Global: true, Keys: func(t *auth.Token) []string { return []string{t.Owner} }},
	},
}

var _ auth.TokenStore = (*DB)(nil)

// TokenByHash returns the token whose secret has the given hex SHA-256.
func (db *DB) TokenByHash(ctx context.Context, hash string) (t auth.Token, err error) {
	err = db.View(ctx, func(tx *Tx) error { t, err = Tokens.Find(tx, "hash", "", hash); return err })
	return t, err
}

// ListTokens returns a page of a group's tokens.
func (db *DB) ListTokens(ctx context.Context, group, cursor string, limit int) (ts []auth.Token, next string, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		ts, next, err = Tokens.List(tx, group, Page{Cursor: cursor, Limit: limit})
		return err
	})
	return ts, next, err
}

// CreateToken adds a token.
func (db *DB) CreateToken(ctx context.Context, t auth.Token, e events.Event) error {
	return db.with(ctx, e, func(tx *Tx) error { return Tokens.Create(tx, t) })
}

// DeleteToken removes a token; it stops working at once.
func (db *DB) DeleteToken(ctx context.Context, group, id string, e events.Event) error {
	return db.with(ctx, e, func(tx *Tx) error { return Tokens.Delete(tx, group, id) })
}

// TouchToken notes when a token was used. It is bookkeeping and leaves no event.
func (db *DB) TouchToken(ctx context.Context, group, id string, at time.Time) error {
	return db.Update(ctx, func(tx *Tx) error {
		t, err := Tokens.Get(tx, group, id)
		if err != nil {
			return err
		}
		t.LastUsed = at
		return Tokens.quietly().Put(tx, t)
	})
}
