package store

import (
	"context"
	"strings"

	"edgeward"
	"edgeward/node/events"
	"edgeward/runtime/jobs"
)

// Jobs keeps jobs by id. Progress is bookkeeping; a change of state appends an event.
var Jobs = Collection[jobs.Job]{Noun: "job", Bucket: "jobs", Schema: 1, Quiet: true,
	Key: func(j *jobs.Job) (string, string) { return j.Group, j.ID },
	Indexes: []Index[jobs.Job]{
		{Name: "key", Unique: true, Keys: func(j *jobs.Job) []string { return []string{j.Key} }},
		{Name: "open", Global: true, Keys: func(j *jobs.Job) []string {
			if j.State.Ended() {
				return nil
			}
			return []string{"open"}
		}},
		{Name: "scoring", Keys: func(j *jobs.Job) []string {
			if j.Kind != jobs.Score {
				return nil
			}
			name, _, _ := strings.Cut(strings.TrimPrefix(j.Key, "score/"), "/")
			return []string{name}
		}},
	}}

var _ jobs.Store = (*DB)(nil)

// QueueJob implements jobs.Store.
func (db *DB) QueueJob(ctx context.Context, j jobs.Job) (kept jobs.Job, fresh bool, err error) {
	err = db.Update(ctx, func(tx *Tx) error {
		if j.Key != "" {
			old, err := Jobs.Find(tx, "key", j.Group, j.Key)
			if err == nil {
				kept, fresh = old, false
				return nil
			}
			if edgeward.KindOf(err) != edgeward.NotFound {
				return err
			}
		}
		kept, fresh = j, true
		if err := Jobs.Create(tx, j); err != nil {
			return err
		}
		return jobEvent(tx, j)
	})
	return kept, fresh, err
}

// Job implements jobs.Store.
func (db *DB) Job(ctx context.Context, group, id string) (j jobs.Job, err error) {
	err = db.View(ctx, func(tx *Tx) error { j, err = Jobs.Get(tx, group, id); return err })
	return j, err
}

// JobByKey finds a job by its natural key.
func (db *DB) JobByKey(ctx context.Context, group, key string) (j jobs.Job, err error) {
	err = db.View(ctx, func(tx *Tx) error { j, err = Jobs.Find(tx, "key", group, key); return err })
	return j, err
}

// ListJobs returns one page of a group's jobs, newest first.
func (db *DB) ListJobs(ctx context.Context, group string, page Page) (items []jobs.Job, next string, err error) {
	page.Newest = true
	err = db.View(ctx, func(tx *Tx) error { items, next, err = Jobs.List(tx, group, page); return err })
	return items, next, err
}

// UpdateJob implements jobs.Store.
func (db *DB) UpdateJob(ctx context.Context, group, id string, change func(*jobs.Job) error) (j jobs.Job, err error) {
	err = db.Update(ctx, func(tx *Tx) error {
		if j, err = Jobs.Get(tx, group, id); err != nil {
			return err
		}
		before := j.State
		if err := change(&j); err != nil {
			return err
		}
		if err := Jobs.Put(tx, j); err != nil {
			return err
		}
		if j.State == before {
			return nil
		}
		return jobEvent(tx, j)
	})
	return j, err
}

// OpenJobs implements jobs.Store.
func (db *DB) OpenJobs(ctx context.Context) (all []jobs.Job, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		all, _, err = Jobs.ListBy(tx, "open", "", "open", Page{Limit: 1000})
		return err
	})
	return all, err
}

func jobEvent(tx *Tx, j jobs.Job) error {
	at := j.Created
	switch {
	case j.Ended != nil:
		at = *j.Ended
	case j.Started != nil:
		at = *j.Started
	}
	e := events.Event{Time: at, Principal: j.By, Group: j.Group, Action: "job." + string(j.State), Demo: j.Demo,
		Object: events.Object{Kind: "job", Name: j.Title, ID: j.ID}, Detail: map[string]string{"kind": string(j.Kind)}}
	if j.Error != nil {
		e.Detail["error"] = clipText(j.Error.Message, 400)
	}
	_, err := tx.Append(e)
	return err
}

// clipText keeps an event small.
func clipText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}
