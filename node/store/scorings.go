package store

import (
	"context"
	"time"

	"edgeward"
	"edgeward/node/events"
	"edgeward/runtime/jobs"
	"edgeward/runtime/score"
)

// Scorings keeps scorings by name. The topic of a scoring of messages belongs to one scoring of the server.
var Scorings = Collection[score.Scoring]{Noun: "scoring", Bucket: "scorings", Schema: 1,
	Key: func(s *score.Scoring) (string, string) { return s.Group, s.Name },
	Indexes: []Index[score.Scoring]{
		{Name: "topic", Unique: true, Global: true, Keys: func(s *score.Scoring) []string { return []string{s.Source.Topic} }},
	}}

// CreateScoring keeps a new scoring. Conflict "scoring.topic_taken" when its topic is another's, in whatever group.
func (db *DB) CreateScoring(ctx context.Context, s score.Scoring, e events.Event) error {
	return db.with(ctx, e, func(tx *Tx) error {
		if s.Source.Topic != "" {
			_, err := Scorings.Find(tx, "topic", "", s.Source.Topic)
			if err == nil {
				return edgeward.E("store.CreateScoring", edgeward.Conflict, "scoring.topic_taken", "another scoring answers what comes on %s", s.Source.Topic).
					WithHint("choose another topic")
			}
			if edgeward.KindOf(err) != edgeward.NotFound {
				return err
			}
		}
		return Scorings.Create(tx, s)
	})
}

// ScoringState names what a person set of a scoring, not which runs came of it since.
func ScoringState(tx *Tx, group, name string) (string, error) {
	s, err := Scorings.Get(tx, group, name)
	if err != nil {
		return "", err
	}
	s.Since, s.Last = time.Time{}, ""
	return ETag(s), nil
}

// Scoring returns one scoring.
func (db *DB) Scoring(ctx context.Context, group, name string) (s score.Scoring, err error) {
	err = db.View(ctx, func(tx *Tx) error { s, err = Scorings.Get(tx, group, name); return err })
	return s, err
}

// ListScorings returns one page of a group's scorings, by name.
func (db *DB) ListScorings(ctx context.Context, group string, page Page) (items []score.Scoring, next string, err error) {
	err = db.View(ctx, func(tx *Tx) error { items, next, err = Scorings.List(tx, group, page); return err })
	return items, next, err
}

// AllScorings returns the scorings of all groups.
func (db *DB) AllScorings(ctx context.Context) (all []score.Scoring, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		return Scorings.Each(tx, func(s score.Scoring) error { all = append(all, s); return nil })
	})
	return all, err
}

// ChangeScoring changes a scoring, with its event.
func (db *DB) ChangeScoring(ctx context.Context, group, name string, change func(*score.Scoring) error, e events.Event) (score.Scoring, error) {
	return changeOne(ctx, db, &Scorings, group, name, "", change, e)
}

// TookSlot notes which job a scoring's run became; the job's own event tells of it. A scoring that is gone, or another by
// the name, is not changed.
func (db *DB) TookSlot(ctx context.Context, group, name, id, job string, now time.Time, scheduled bool) error {
	return db.Update(ctx, func(tx *Tx) error {
		s, err := Scorings.Get(tx, group, name)
		if edgeward.KindOf(err) == edgeward.NotFound || err == nil && s.ID != id {
			return nil
		}
		if err != nil {
			return err
		}
		if s.Last = job; scheduled {
			s = s.Took(job, now)
		}
		return Scorings.quietly().Put(tx, s)
	})
}

// RemoveScoring removes a scoring with its deliveries. Its runs stay among the jobs.
func (db *DB) RemoveScoring(ctx context.Context, group, name string, e events.Event) error {
	return db.with(ctx, e, func(tx *Tx) error {
		for {
			all, _, err := Deliveries.ListBy(tx, "scoring", group, name, Page{Limit: 1000})
			if err != nil {
				return err
			}
			if len(all) == 0 {
				break
			}
			for _, d := range all {
				if err := Deliveries.Delete(tx, group, d.ID); err != nil {
					return err
				}
			}
		}
		return Scorings.Delete(tx, group, name)
	})
}

// ScoringRuns returns one page of the jobs that were a scoring's runs, newest first.
func (db *DB) ScoringRuns(ctx context.Context, group, name string, page Page) (items []jobs.Job, next string, err error) {
	page.Newest = true
	err = db.View(ctx, func(tx *Tx) error { items, next, err = Jobs.ListBy(tx, "scoring", group, name, page); return err })
	return items, next, err
}
