package store

import (
	"context"
	"time"

	"edgeward/node/auth"
	"edgeward/node/events"
)

// Sessions keeps auth.Session; a session belongs to a person, not to a group.
var Sessions = Collection[auth.Session]{
	Noun: "session", Bucket: "sessions", Schema: 1, Quiet: true,
	Key: func(s *auth.Session) (string, string) { return "", s.ID },
	Indexes: []Index[auth.Session]{
		{Name: "user", Keys: func(s *auth.Session) []string { return []string{s.User} }},
		{Name: "expires", Keys: func(s *auth.Session) []string { return []string{TimeKey(s.Expires)} }},
	},
}

var _ auth.SessionStore = (*DB)(nil)

// Session returns a session by the hex SHA-256 of its cookie.
func (db *DB) Session(ctx context.Context, id string) (s auth.Session, err error) {
	err = db.View(ctx, func(tx *Tx) error { s, err = Sessions.Get(tx, "", id); return err })
	return s, err
}

// CreateSession adds a session with the event of the login and removes at most 100 that have expired.
func (db *DB) CreateSession(ctx context.Context, s auth.Session, e events.Event) error {
	return db.with(ctx, e, func(tx *Tx) error {
		expired, err := Sessions.Below(tx, "expires", "", TimeKey(s.Created), 100)
		if err != nil {
			return err
		}
		for _, old := range expired {
			if err := Sessions.Delete(tx, "", old.ID); err != nil {
				return err
			}
		}
		return Sessions.Create(tx, s)
	})
}

// TouchSession notes when a session was used and its current group. It leaves no event.
func (db *DB) TouchSession(ctx context.Context, id, group string, at time.Time) error {
	return db.Update(ctx, func(tx *Tx) error {
		s, err := Sessions.Get(tx, "", id)
		if err != nil {
			return err
		}
		s.Seen, s.Group = at, group
		return Sessions.Put(tx, s)
	})
}

// DeleteSession ends one session.
func (db *DB) DeleteSession(ctx context.Context, id string, e events.Event) error {
	return db.with(ctx, e, func(tx *Tx) error { return Sessions.Delete(tx, "", id) })
}

// EndSessions removes every session of a person but the one to keep, and reports how many.
func (tx *Tx) EndSessions(user, keep string) (ended int, err error) {
	for cursor := ""; ; {
		page, next, err := Sessions.ListBy(tx, "user", "", user, Page{Cursor: cursor, Limit: 1000})
		if err != nil {
			return ended, err
		}
		for _, s := range page {
			if s.ID == keep {
				continue
			}
			if err := Sessions.Delete(tx, "", s.ID); err != nil {
				return ended, err
			}
			ended++
		}
		if cursor = next; next == "" {
			return ended, nil
		}
	}
}

// EndSessions removes every session of a person but the one to keep.
func (db *DB) EndSessions(ctx context.Context, user, keep string, e events.Event) error {
	return db.with(ctx, e, func(tx *Tx) error { _, err := tx.EndSessions(user, keep); return err })
}
