package store

import (
	"context"

	"edgeward/sync/together"
)

// maxTogether is how many writes share one commit at most.
const maxTogether = 256

func (db *DB) newTogether() *together.Group[func(*Tx) error] {
	return together.New(maxTogether, db.updateAll)
}

// UpdateTogether is Update for small writes of which many come at once: those that come while one is being committed share the next commit, and each
// is acknowledged when it is durable. An error of one fn undoes what only that fn did. fn may be run twice, and sees what those before it in the same
// commit wrote. A write that waits does not end with ctx.
func (db *DB) UpdateTogether(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return db.together.Do(fn)
}

// updateAll runs all in one commit; where one of them fails, each in its own.
func (db *DB) updateAll(list []func(*Tx) error) []error {
	ctx, errs := context.Background(), make([]error, len(list))
	if len(list) == 1 {
		errs[0] = db.Update(ctx, list[0])
		return errs
	}
	failed := false // by a function, not by the commit: that may be on the disk
	err := db.Update(ctx, func(tx *Tx) error {
		for _, fn := range list {
			if err := fn(tx); err != nil {
				failed = true
				return err
			}
		}
		return nil
	})
	for i, fn := range list {
		if errs[i] = err; failed {
			errs[i] = db.Update(ctx, fn)
		}
	}
	return errs
}
