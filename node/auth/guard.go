package auth

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"edgeward"
	"edgeward/node/events"
)

// Options of New. Now and NewID are required.
type Options struct {
	Now      func() time.Time
	NewID    func() string // a new ULID
	Log      *slog.Logger  // nil: silent
	Idle     time.Duration // a session ends when unused for this long; 0 means 8 h
	Absolute time.Duration // and in any case after this; 0 means 7 days
}

// Guard answers who is asking and changes who may ask. It is safe for concurrent use and starts no goroutine.
type Guard struct {
	store     Store
	now       func() time.Time
	newID     func() string
	log       *slog.Logger
	idle      time.Duration
	absolute  time.Duration
	passwords *passwords
	limiter   *limiter
	known     known

	mu    sync.Mutex
	setup string // hash of the one-time secret; empty when there is none
}

// New returns a guard over store.
func New(store Store, o Options) *Guard {
	if o.Idle == 0 {
		o.Idle = 8 * time.Hour
	}
	if o.Absolute == 0 {
		o.Absolute = 7 * 24 * time.Hour
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Guard{store: store, now: o.Now, newID: o.NewID, log: o.Log.With("part", "auth"), idle: o.Idle, absolute: o.Absolute,
		passwords: newPasswords(), limiter: newLimiter()}
}

// event is the event of by doing action to something.
func (a *Guard) event(by Principal, action string, o events.Object, group, reason string) events.Event {
	return events.Event{Time: a.now(), Principal: by.Ref(), PrincipalID: by.ID, Group: group, Action: action, Object: o, Reason: reason}
}

// note appends an event that changes no fact. Refusing a login may not depend on it, so a failure is logged.
func (a *Guard) note(ctx context.Context, e events.Event) {
	if err := a.store.Record(ctx, e); err != nil {
		a.log.Warn("an event could not be recorded", "action", e.Action, "error", err)
	}
}

func isNotFound(err error) bool { return edgeward.KindOf(err) == edgeward.NotFound }
