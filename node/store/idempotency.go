package store

import (
	"context"
	"time"

	"edgeward"
)

// IdempotencyWindow is how long the answer to a POST is remembered.
const IdempotencyWindow = 24 * time.Hour

// MaxAnswer is the largest remembered body in bytes; of a larger answer only status, location and digest are kept.
const MaxAnswer = 64 << 10

// IdempotencyKey is what a client may send only once: group, principal and the Idempotency-Key it chose (1 to 200 bytes).
type IdempotencyKey struct {
	Group     string
	Principal string // Principal.ID, or Ref for system principals
	Key       string
}

// Answer is the remembered answer to a POST.
type Answer struct {
	Group     string          `json:"group"`
	Principal string          `json:"principal"`
	Key       string          `json:"key"`
	Request   edgeward.Digest `json:"request"` // of method, path and body as the caller defines it
	Status    int             `json:"status"`
	Type      string          `json:"type,omitempty"` // content type
	Location  string          `json:"location,omitempty"`
	Body      []byte          `json:"body,omitempty"`
	Digest    edgeward.Digest `json:"digest"` // of the whole body
	At        time.Time       `json:"at"`
}

var idempotency = Collection[Answer]{
	Noun: "idempotency", Bucket: "idempotency", Schema: 1, Quiet: true,
	Key: func(a *Answer) (string, string) { return a.Group, a.Principal + "/" + a.Key },
	Indexes: []Index[Answer]{
		{Name: "expires", Global: true, Keys: func(a *Answer) []string { return []string{TimeKey(a.At.Add(IdempotencyWindow))} }},
	},
}

// Answered returns the remembered answer to the same request, nil when there is none (or it is older than the window):
// then do the work and Remember in the same transaction. The same key with another request is Conflict
// "idempotency.reused".
func (tx *Tx) Answered(k IdempotencyKey, request edgeward.Digest, now time.Time) (*Answer, error) {
	if k.Key == "" || len(k.Key) > 200 {
		return nil, edgeward.E("store.Answered", edgeward.Invalid, "idempotency.invalid", "an idempotency key has 1 to 200 bytes")
	}
	a, found, err := idempotency.load(tx, joinKey(k.Group, k.Principal+"/"+k.Key))
	switch {
	case err != nil || !found || now.Sub(a.At) >= IdempotencyWindow:
		return nil, err
	case a.Request != request:
		return nil, edgeward.E("store.Answered", edgeward.Conflict, "idempotency.reused", "this idempotency key was used for another request").
			WithHint("send a new Idempotency-Key with each new request")
	}
	return &a, nil
}

// Answered is the lookup outside a transaction of the caller's.
func (db *DB) Answered(ctx context.Context, k IdempotencyKey, request edgeward.Digest, now time.Time) (a *Answer, err error) {
	err = db.View(ctx, func(tx *Tx) error { a, err = tx.Answered(k, request, now); return err })
	return a, err
}

// Remember stores the answer under the key, sets its Group, Principal, Key and Digest, and drops at most 100 that are
// older than the window, as of a.At.
func (tx *Tx) Remember(k IdempotencyKey, a Answer) error {
	a.Group, a.Principal, a.Key, a.Digest = k.Group, k.Principal, k.Key, edgeward.DigestOf(a.Body)
	if len(a.Body) > MaxAnswer {
		a.Body = nil
	}
	old, err := idempotency.Below(tx, "expires", "", TimeKey(a.At), 100)
	if err != nil {
		return err
	}
	for _, o := range old {
		if err := idempotency.Delete(tx, o.Group, o.Principal+"/"+o.Key); err != nil {
			return err
		}
	}
	return idempotency.Put(tx, a)
}

// Remember is the same in a transaction of its own, for work whose own transaction could not hold the answer.
func (db *DB) Remember(ctx context.Context, k IdempotencyKey, a Answer) error {
	return db.Update(ctx, func(tx *Tx) error { return tx.Remember(k, a) })
}
