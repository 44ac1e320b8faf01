package store

import (
	"context"
	"time"
)

// AnsweredWindow is how long the id of an answered message is remembered.
const AnsweredWindow = 24 * time.Hour

// AnsweredMessage is the id of a message that a scoring has answered.
type AnsweredMessage struct {
	Group   string    `json:"group"`
	Scoring string    `json:"scoring"` // its ULID
	ID      string    `json:"id"`      // as the client gave it
	At      time.Time `json:"at"`
}

var answered = Collection[AnsweredMessage]{Noun: "answered", Bucket: "answered", Schema: 1, Quiet: true,
	Key: func(a *AnsweredMessage) (string, string) { return a.Group, a.Scoring + "/" + a.ID },
	Indexes: []Index[AnsweredMessage]{
		{Name: "expires", Global: true, Keys: func(a *AnsweredMessage) []string { return []string{TimeKey(a.At.Add(AnsweredWindow))} }},
	}}

// WasAnswered reports whether a message was answered within the window before a.At.
func (db *DB) WasAnswered(ctx context.Context, a AnsweredMessage) (yes bool, err error) {
	err = db.View(ctx, func(tx *Tx) error { yes, err = wasAnswered(tx, a); return err })
	return yes, err
}

func wasAnswered(tx *Tx, a AnsweredMessage) (bool, error) {
	old, found, err := answered.load(tx, joinKey(answered.Key(&a)))
	return err == nil && found && a.At.Sub(old.At) < AnsweredWindow, err
}

// Answer puts an answer in the outbox and remembers the message, unless it was answered: then nothing happens. Of messages
// without an id nothing is remembered. It forgets a few ids whose window is over.
func (db *DB) Answer(ctx context.Context, a AnsweredMessage, out Outgoing) error {
	return db.Update(ctx, func(tx *Tx) error {
		if a.ID != "" {
			if yes, err := wasAnswered(tx, a); err != nil || yes {
				return err
			}
			if err := answered.Put(tx, a); err != nil {
				return err
			}
			old, err := answered.Below(tx, "expires", "", TimeKey(a.At), 4)
			if err != nil {
				return err
			}
			for _, o := range old {
				group, id := answered.Key(&o)
				if err := answered.Delete(tx, group, id); err != nil {
					return err
				}
			}
		}
		_, err := tx.Send(out)
		return err
	})
}
