package store

import (
	"context"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/node/events"
)

// Users keeps auth.User; people belong to the node, so their key has an empty group.
var Users = Collection[auth.User]{
	Noun: "user", Bucket: "users", Schema: 1,
	Key: func(u *auth.User) (string, string) { return "", u.ID },
	Indexes: []Index[auth.User]{
		{Name: "name", Unique: true, Keys: func(u *auth.User) []string { return []string{u.Name} }},
		{Name: "group", Keys: func(u *auth.User) (groups []string) {
			for _, m := range u.Members {
				groups = append(groups, m.Group)
			}
			return groups
		}},
		{Name: "admin", Keys: func(u *auth.User) []string {
			if u.Admin && !u.Disabled {
				return []string{"yes"}
			}
			return nil
		}},
	},
}

var _ auth.UserStore = (*DB)(nil)

// User returns a person by id.
func (db *DB) User(ctx context.Context, id string) (u auth.User, err error) {
	err = db.View(ctx, func(tx *Tx) error { u, err = Users.Get(tx, "", id); return err })
	return u, err
}

// UserByName returns a person by login name.
func (db *DB) UserByName(ctx context.Context, name string) (u auth.User, err error) {
	err = db.View(ctx, func(tx *Tx) error { u, err = Users.Find(tx, "name", "", name); return err })
	return u, err
}

// ListUsers returns a page of all people, or of a group's members when group is not empty.
func (db *DB) ListUsers(ctx context.Context, group, cursor string, limit int) (us []auth.User, next string, err error) {
	page := Page{Cursor: cursor, Limit: limit}
	err = db.View(ctx, func(tx *Tx) error {
		if group != "" {
			us, next, err = Users.ListBy(tx, "group", "", group, page)
		} else {
			us, next, err = Users.List(tx, "", page)
		}
		return err
	})
	return us, next, err
}

// CreateUser adds a person: Conflict user.exists when the name is taken.
func (db *DB) CreateUser(ctx context.Context, u auth.User, e events.Event) error {
	return db.with(ctx, e, func(tx *Tx) error { return Users.Create(tx, u) })
}

// ChangeUser applies change to the stored person in one transaction. An empty etag matches any state. The last enabled
// administrator stays one: Conflict user.last_admin.
func (db *DB) ChangeUser(ctx context.Context, id, etag string, change func(*auth.User) error, e events.Event) (u auth.User, err error) {
	err = db.with(ctx, e, func(tx *Tx) error {
		if u, err = changeTx(tx, &Users, "", id, etag, change); err != nil {
			return err
		}
		some, err := hasAdmin(tx)
		if err == nil && !some {
			err = edgeward.E("store.ChangeUser", edgeward.Conflict, "user.last_admin", "the node would have no administrator left").
				WithHint("make another user administrator first")
		}
		return err
	})
	return u, err
}

// HasAdmin reports whether an enabled administrator exists.
func (db *DB) HasAdmin(ctx context.Context) (some bool, err error) {
	err = db.View(ctx, func(tx *Tx) error { some, err = hasAdmin(tx); return err })
	return some, err
}

// CreateFirstAdmin adds the first administrator, the group if it is new, and a token unless it is nil, in one step:
// Conflict user.admin_exists when there is an administrator already.
func (db *DB) CreateFirstAdmin(ctx context.Context, u auth.User, g auth.Group, t *auth.Token, e events.Event) error {
	return db.with(ctx, e, func(tx *Tx) error {
		some, err := hasAdmin(tx)
		if err != nil {
			return err
		}
		if some {
			return edgeward.E("store.CreateFirstAdmin", edgeward.Conflict, "user.admin_exists", "an administrator exists already").
				WithHint("log in, or ask that administrator for an account")
		}
		if err := Groups.Put(tx, g); err != nil {
			return err
		}
		if err := Users.Create(tx, u); err != nil {
			return err
		}
		if t == nil {
			return nil
		}
		return Tokens.Create(tx, *t)
	})
}

func hasAdmin(tx *Tx) (bool, error) {
	admins, _, err := Users.ListBy(tx, "admin", "", "yes", Page{Limit: 1})
	return len(admins) > 0, err
}
