package auth

import (
	"context"
	"crypto/subtle"

	"edgeward"
	"edgeward/node/events"
)

// MinBootstrapToken is the least length of EDGEWARD_BOOTSTRAP_TOKEN.
const MinBootstrapToken = 24

// DefaultGroup is the name of the first group unless the first administrator chooses another.
const DefaultGroup = "main"

// Bootstrap is called once at start. With an administrator in place it does nothing. Otherwise, given a token (the value
// of EDGEWARD_BOOTSTRAP_TOKEN), it makes the administrator "admin" without a password, the group main, and the token this
// administrator's; without one it returns a new one-time secret for the link to print. The secret has no time limit, dies
// with the process and is used up by Setup. Error: Invalid "auth.bootstrap_token".
func (a *Guard) Bootstrap(ctx context.Context, token string) (secret string, err error) {
	some, err := a.store.HasAdmin(ctx)
	if err != nil || some {
		return "", err
	}
	if token == "" {
		secret = newSecret(setupPrefix)
		a.mu.Lock()
		a.setup = hashSecret(secret)
		a.mu.Unlock()
		return secret, nil
	}
	_, err = a.First(ctx, First{Token: token, By: "bootstrap", From: "EDGEWARD_BOOTSTRAP_TOKEN"})
	return "", err
}

// First describes the first administrator of an installation without a person.
type First struct {
	Name     string // empty: admin
	Password string // empty: cannot log in until one is set
	Token    string // empty: none
	By       string // part of the product that makes it
	From     string // what says so, for the event and for messages
}

// First makes the first administrator, owner of the group main. Errors: Conflict "user.admin_exists", Invalid for name, password or token
// ("auth.bootstrap_token").
func (a *Guard) First(ctx context.Context, f First) (User, error) {
	if f.Token != "" {
		if err := checkBootstrapToken(f.From, f.Token); err != nil {
			return User{}, err
		}
	}
	in := NewUser{Name: f.Name, Password: f.Password, Admin: true}
	if in.Name == "" {
		in.Name, in.Display = "admin", "Administrator"
	}
	u, err := a.newUser(ctx, in)
	if err != nil {
		return u, err
	}
	g, err := a.firstGroup(ctx, DefaultGroup)
	if err != nil {
		return u, err
	}
	u.Members = []Membership{{g.ID, []Role{Owner}}}
	var t *Token
	if f.Token != "" {
		t = &Token{ID: a.newID(), Group: g.ID, Name: f.By, Hash: hashSecret(f.Token), Owner: u.ID, Roles: []Role{Admin, Owner}, Created: a.now()}
	}
	by := Principal{Kind: System, Name: f.By}
	return u, a.store.CreateFirstAdmin(ctx, u, g, t, a.event(by, "user.created", events.Object{Kind: "user", Name: u.Name, ID: u.ID}, "", f.From))
}

// NeedsSetup reports whether the one-time link works and nothing else does.
func (a *Guard) NeedsSetup(ctx context.Context) (bool, error) {
	some, err := a.store.HasAdmin(ctx)
	return !some && err == nil, err
}

// NewUser describes a person to be made.
type NewUser struct {
	Name     string
	Display  string // empty: Name
	Password string // empty: cannot log in until one is set
	Admin    bool
	Group    string // name of a group to be a member of; empty: none
	Roles    []Role // there
}

// Setup makes the first administrator, owner of the first group (in.Group, or main), and begins the session. It uses up
// the secret. Errors: Unauthenticated "auth.setup_secret", Conflict "user.admin_exists", Invalid for name or password.
func (a *Guard) Setup(ctx context.Context, secret string, in NewUser) (cookie string, p Principal, err error) {
	a.mu.Lock()
	want := a.setup
	a.mu.Unlock()
	if want == "" || subtle.ConstantTimeCompare([]byte(want), []byte(hashSecret(secret))) != 1 {
		return "", p, edgeward.E("auth.Setup", edgeward.Unauthenticated, "auth.setup_secret", "this link does not work").
			WithHint("use the link that the running server printed last: \"edgeward up\" or the service's log")
	}
	u, err := a.newUser(ctx, in)
	if err != nil {
		return "", p, err
	}
	if u.Password == "" {
		return "", p, CheckPassword(in.Name, "")
	}
	if in.Group == "" {
		in.Group = DefaultGroup
	}
	g, err := a.firstGroup(ctx, in.Group)
	if err != nil {
		return "", p, err
	}
	u.Admin, u.Members = true, []Membership{{g.ID, []Role{Owner}}}
	by := Principal{Kind: Person, ID: u.ID, Name: u.Name}
	if err := a.store.CreateFirstAdmin(ctx, u, g, nil, a.event(by, "user.created", events.Object{Kind: "user", Name: u.Name, ID: u.ID}, "", "one-time link")); err != nil {
		return "", p, err
	}
	a.mu.Lock()
	a.setup = ""
	a.mu.Unlock()
	if cookie, err = a.begin(ctx, u); err != nil {
		return "", p, err
	}
	p, err = a.Cookie(ctx, cookie, "")
	return cookie, p, err
}

// firstGroup returns the named group, a new one when there is none (the demonstration may have made it).
func (a *Guard) firstGroup(ctx context.Context, name string) (Group, error) {
	if err := edgeward.CheckName("group", name); err != nil {
		return Group{}, err
	}
	g, err := a.store.GroupByName(ctx, name)
	if isNotFound(err) {
		return Group{ID: a.newID(), Name: name, Title: name, Created: a.now()}, nil
	}
	return g, err
}

func checkBootstrapToken(from, token string) error {
	ok := len(token) >= MinBootstrapToken && len(token) <= 1024
	for _, c := range []byte(token) {
		ok = ok && c > ' ' && c < 0x7f
	}
	if !ok {
		return edgeward.E("auth.Bootstrap", edgeward.Invalid, "auth.bootstrap_token", "the token (%s) is too short or has characters that are not printable ASCII", from).
			WithHint("use at least %d random characters, such as the output of \"openssl rand -hex 32\"", MinBootstrapToken)
	}
	return nil
}
