package store

import (
	"context"

	"edgeward/node/events"
	"edgeward/runtime/models"
)

// Candidates keeps every attempt to replace a live version.
var Candidates = Collection[models.CandidateRecord]{Noun: "candidate", Bucket: "candidates", Schema: 1,
	Key: func(c *models.CandidateRecord) (string, string) { return c.Group, c.ID },
	Indexes: []Index[models.CandidateRecord]{
		{Name: "endpoint", Keys: func(c *models.CandidateRecord) []string { return []string{c.Endpoint} }}}}

// PutCandidate keeps c and the event that says what changed; action is such as "candidate.rejected". A record equal to
// the kept one changes nothing.
func (db *DB) PutCandidate(ctx context.Context, c models.CandidateRecord, e events.Event) error {
	return db.Update(ctx, func(tx *Tx) error { return tx.PutCandidate(c, e) })
}

// PutCandidate is DB.PutCandidate inside a transaction.
func (tx *Tx) PutCandidate(c models.CandidateRecord, e events.Event) error {
	if old, err := Candidates.Get(tx, c.Group, c.ID); err == nil && ETag(old) == ETag(c) {
		return nil
	}
	if err := Candidates.Put(tx, c); err != nil {
		return err
	}
	e.Group, e.Object, e.Demo = c.Group, events.Object{Kind: "candidate", Name: models.Ref{Model: c.Model, Version: c.Version}.String(), ID: c.ID}, c.Demo
	_, err := tx.Append(e)
	return err
}

// Candidate returns one attempt.
func (db *DB) Candidate(ctx context.Context, group, id string) (c models.CandidateRecord, err error) {
	err = db.View(ctx, func(tx *Tx) error { c, err = Candidates.Get(tx, group, id); return err })
	return c, err
}

// ListCandidates returns one page of a group's attempts, newest first; endpoint "" means all.
func (db *DB) ListCandidates(ctx context.Context, group, endpoint string, page Page) (items []models.CandidateRecord, next string, err error) {
	page.Newest = true
	err = db.View(ctx, func(tx *Tx) error {
		if endpoint != "" {
			items, next, err = Candidates.ListBy(tx, "endpoint", group, endpoint, page)
		} else {
			items, next, err = Candidates.List(tx, group, page)
		}
		return err
	})
	return items, next, err
}
