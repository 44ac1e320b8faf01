package auth

import (
	"context"
	"time"

	"edgeward/node/events"
)

// What auth needs kept. node/store implements all of it; each write is durable when it returns and carries its event in
// the same transaction.
type (
	// UserStore keeps people. Change functions run once, inside the transaction.
	UserStore interface {
		User(ctx context.Context, id string) (User, error)
		UserByName(ctx context.Context, name string) (User, error)
		ListUsers(ctx context.Context, group, cursor string, limit int) ([]User, string, error)
		HasAdmin(ctx context.Context) (bool, error)
		CreateUser(ctx context.Context, u User, e events.Event) error
		CreateFirstAdmin(ctx context.Context, u User, g Group, t *Token, e events.Event) error
		ChangeUser(ctx context.Context, id, etag string, change func(*User) error, e events.Event) (User, error)
	}
	// GroupStore keeps groups.
	GroupStore interface {
		Group(ctx context.Context, id string) (Group, error)
		GroupByName(ctx context.Context, name string) (Group, error)
		ListGroups(ctx context.Context, cursor string, limit int) ([]Group, string, error)
		CreateGroup(ctx context.Context, g Group, e events.Event) error
		ChangeGroup(ctx context.Context, id, etag string, change func(*Group) error, e events.Event) (Group, error)
	}
	// TokenStore keeps API tokens.
	TokenStore interface {
		TokenByHash(ctx context.Context, hash string) (Token, error)
		ListTokens(ctx context.Context, group, cursor string, limit int) ([]Token, string, error)
		CreateToken(ctx context.Context, t Token, e events.Event) error
		DeleteToken(ctx context.Context, group, id string, e events.Event) error
		TouchToken(ctx context.Context, group, id string, at time.Time) error
	}
	// SessionStore keeps browser sessions.
	SessionStore interface {
		Session(ctx context.Context, id string) (Session, error)
		CreateSession(ctx context.Context, s Session, e events.Event) error
		TouchSession(ctx context.Context, id, group string, at time.Time) error
		DeleteSession(ctx context.Context, id string, e events.Event) error
		EndSessions(ctx context.Context, user, keep string, e events.Event) error
	}
	// Log takes events that change no fact, such as a failed login.
	Log interface {
		Record(ctx context.Context, e events.Event) error
	}
	// Store is all of it. Generation is another number after every change: what was read before may be used while it
	// stands.
	Store interface {
		Generation() uint64
		UserStore
		GroupStore
		TokenStore
		SessionStore
		Log
	}
)
