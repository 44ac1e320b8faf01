package auth

import (
	"slices"
	"time"
)

// User is a person who can log in. The zero value can do nothing.
type User struct {
	ID       string       `json:"id"`       // ULID
	Name     string       `json:"name"`     // unique on the node, edgeward.CheckName grammar
	Display  string       `json:"display"`  // what the web page shows
	Password string       `json:"password"` // argon2id in PHC form; empty: cannot log in with a password
	Admin    bool         `json:"admin"`    // role admin on the node
	Disabled bool         `json:"disabled"`
	Created  time.Time    `json:"created"`
	Changed  time.Time    `json:"changed"` // when the password was last set
	Members  []Membership `json:"members"` // the groups this person is in
}

// Membership is a person's roles in one group.
type Membership struct {
	Group string `json:"group"` // id
	Roles []Role `json:"roles"` // of the group roles, at least one
}

// RolesIn returns the user's roles when the current group is the given one, admin included.
func (u User) RolesIn(group string) []Role {
	var roles []Role
	for _, m := range u.Members {
		if m.Group == group {
			roles = slices.Clone(m.Roles)
		}
	}
	if u.Admin {
		roles = append(roles, Admin)
	}
	return roles
}

// Group is a tenant: who shares what. It owns data sets, models, endpoints and all else but users and the node.
type Group struct {
	ID      string    `json:"id"`   // ULID, the start of every key of its objects
	Name    string    `json:"name"` // unique on the node, edgeward.CheckName grammar
	Title   string    `json:"title"`
	Created time.Time `json:"created"`
	Demo    bool      `json:"demo,omitempty"` // made by the demonstration and removed with it
}

// Token is an API token. Its secret is not here.
type Token struct {
	ID       string    `json:"id"`    // ULID
	Group    string    `json:"group"` // id
	Name     string    `json:"name"`
	Hash     string    `json:"hash"`  // hex SHA-256 of the secret
	Owner    string    `json:"owner"` // id of the user who made it; a disabled owner's tokens do not work
	Roles    []Role    `json:"roles"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`   // zero: never
	LastUsed time.Time `json:"last_used"` // exact to a minute
}

// Session is a browser that has logged in. Its cookie's value is not here.
type Session struct {
	ID      string    `json:"id"` // hex SHA-256 of the cookie's value
	User    string    `json:"user"`
	Group   string    `json:"group"` // current group; empty when the user is in none
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`    // exact to a minute; the idle limit counts from here
	Expires time.Time `json:"expires"` // absolute limit
}
