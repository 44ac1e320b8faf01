package client

import (
	"context"
	"net/http"
	"time"

	"edgeward/node/wire"
)

// User is a person as the API shows one.
type User struct {
	ID       string       `json:"id"`
	Name     string       `json:"name"`
	Display  string       `json:"display"`
	Admin    bool         `json:"admin"`
	Disabled bool         `json:"disabled"`
	Created  time.Time    `json:"created"`
	Members  []UserMember `json:"members"`
}

// UserMember is a person's roles in one group.
type UserMember struct {
	Group string   `json:"group"` // id
	Roles []string `json:"roles"`
}

// NewUser makes a person.
type NewUser struct {
	Name     string   `json:"name"`
	Display  string   `json:"display,omitempty"`
	Password string   `json:"password,omitempty"`
	Admin    bool     `json:"admin,omitempty"`
	Group    string   `json:"group,omitempty"` // name of a group to be a member of
	Roles    []string `json:"roles,omitempty"`
	Reason   string   `json:"reason,omitempty"`
}

// Group is a tenant.
type Group struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Title   string    `json:"title"`
	Created time.Time `json:"created"`
	Demo    bool      `json:"demo,omitempty"`
}

// NewGroup makes a group.
type NewGroup struct {
	Name   string `json:"name"`
	Title  string `json:"title,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Token is an API token. Secret is there only in the answer that made it.
type Token struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Roles    []string   `json:"roles"`
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires,omitempty"`
	LastUsed *time.Time `json:"last_used,omitempty"`
	Secret   string     `json:"secret,omitempty"`
}

// NewToken makes an API token.
type NewToken struct {
	Name   string   `json:"name"`
	Roles  []string `json:"roles"`
	Days   int      `json:"days,omitempty"` // until it expires; 0: never
	Reason string   `json:"reason,omitempty"`
}

// Me says who the client is.
func (c *Client) Me(ctx context.Context) (wire.Me, error) {
	return get[wire.Me](ctx, c, "/api/v1/me")
}

// SetUp makes the first administrator with the printed secret.
func (c *Client) SetUp(ctx context.Context, s wire.Setup) (wire.Me, error) {
	return post[wire.Me](ctx, c, "/api/v1/setup", s)
}

// Users returns one page of people.
func (c *Client) Users(ctx context.Context, cursor string) (wire.List[User], error) {
	return get[wire.List[User]](ctx, c, "/api/v1/users", "cursor", cursor)
}

// CreateUser makes a person.
func (c *Client) CreateUser(ctx context.Context, u NewUser) (User, error) {
	return post[User](ctx, c, "/api/v1/users", u)
}

// SetDisabled ends a person's access, or gives it again.
func (c *Client) SetDisabled(ctx context.Context, user string, disabled bool, reason string) error {
	word := "enable"
	if disabled {
		word = "disable"
	}
	return c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/users/" + segment(user) + "/" + word, Body: wire.Reason{Reason: reason}, Repeat: true}, nil)
}

// SetPassword sets a person's password.
func (c *Client) SetPassword(ctx context.Context, user, password, reason string) error {
	body := struct {
		Password string `json:"password"`
		Reason   string `json:"reason,omitempty"`
	}{password, reason}
	return c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/users/" + segment(user) + "/password", Body: body}, nil)
}

// Groups returns one page of the groups one may see.
func (c *Client) Groups(ctx context.Context, cursor string) (wire.List[Group], error) {
	return get[wire.List[Group]](ctx, c, "/api/v1/groups", "cursor", cursor)
}

// CreateGroup makes a group.
func (c *Client) CreateGroup(ctx context.Context, g NewGroup) (Group, error) {
	return post[Group](ctx, c, "/api/v1/groups", g)
}

// SetMember gives a person roles in a group; no roles end the membership.
func (c *Client) SetMember(ctx context.Context, group, user string, roles []string, reason string) (User, error) {
	r := Request{Method: http.MethodPut, Path: "/api/v1/groups/" + segment(group) + "/members/" + segment(user), Repeat: true}
	if len(roles) == 0 {
		r.Method = http.MethodDelete
	} else {
		r.Body = struct {
			Roles  []string `json:"roles"`
			Reason string   `json:"reason,omitempty"`
		}{roles, reason}
	}
	var out User
	return out, c.Do(ctx, r, &out)
}

// Tokens returns one page of the group's API tokens.
func (c *Client) Tokens(ctx context.Context, cursor string) (wire.List[Token], error) {
	return get[wire.List[Token]](ctx, c, "/api/v1/tokens", "cursor", cursor)
}

// CreateToken makes an API token; its secret is shown this once.
func (c *Client) CreateToken(ctx context.Context, t NewToken) (Token, error) {
	return post[Token](ctx, c, "/api/v1/tokens", t)
}

// DeleteToken makes a token stop working.
func (c *Client) DeleteToken(ctx context.Context, id string) error {
	return c.Do(ctx, Request{Method: http.MethodDelete, Path: "/api/v1/tokens/" + segment(id)}, nil)
}
