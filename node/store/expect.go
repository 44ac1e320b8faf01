package store

import (
	"context"
	"sync/atomic"

	"edgeward"
	"edgeward/runtime/serve"
)

// expectation is a check that a context carries to the first Update.
type expectation struct {
	check func(*Tx) error
	met   atomic.Bool
}

type expectKey struct{}

// Expect returns a context whose first Update that commits begins with check, in the same transaction: what check saw is
// what is changed. An error of check is that Update's. Later Updates, which would meet what the first one wrote, are not
// checked.
func Expect(ctx context.Context, check func(*Tx) error) context.Context {
	return context.WithValue(ctx, expectKey{}, &expectation{check: check})
}

// expected wraps fn into the check of ctx; done is called after the commit.
func expected(ctx context.Context, fn func(*Tx) error) (wrapped func(*Tx) error, done func()) {
	e, _ := ctx.Value(expectKey{}).(*expectation)
	if e == nil || e.met.Load() {
		return fn, func() {}
	}
	return func(tx *Tx) error {
		if err := e.check(tx); err != nil {
			return err
		}
		return fn(tx)
	}, func() { e.met.Store(true) }
}

// State names the stored state of a value (ETag), or answers NotFound.
func (c *Collection[T]) State(tx *Tx, group, id string) (string, error) {
	v, err := c.Get(tx, group, id)
	if err != nil {
		return "", err
	}
	return ETag(v), nil
}

// JobState names where a job stands; how far it is changes too often to be waited for.
func JobState(tx *Tx, group, id string) (string, error) {
	j, err := Jobs.Get(tx, group, id)
	if err != nil {
		return "", err
	}
	return ETag([]any{j.ID, j.State, j.Attempt}), nil
}

// PolicyState names how an endpoint is watched and retrained: what a person set, not what the monitor saw since.
func PolicyState(tx *Tx, key serve.Key) (string, error) {
	if _, err := Endpoints.Get(tx, key.Group, key.Name); err != nil {
		return "", err
	}
	w, err := Watches.Get(tx, key.Group, key.Name)
	if err != nil && edgeward.KindOf(err) != edgeward.NotFound {
		return "", err
	}
	return ETag([]any{w.Loop.Policy, w.Settings.YearsPerFalseAlarm}), nil
}
