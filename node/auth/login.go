package auth

import (
	"context"

	"edgeward"
	"edgeward/node/events"
)

// Login checks a name and password and begins a session. The cookie's value is returned once. from is the address asking,
// for the rate limit. Errors: Unauthenticated "auth.wrong_password" (also for an unknown or disabled user, in the same
// time), Exhausted "auth.too_many".
func (a *Guard) Login(ctx context.Context, name, password, from string) (cookie string, p Principal, err error) {
	wrong := func() error {
		return edgeward.E("auth.Login", edgeward.Unauthenticated, "auth.wrong_password", "name or password is wrong").
			WithHint("an administrator can set a new password")
	}
	if len(name) > edgeward.MaxName || len(password) > MaxPassword {
		return "", p, wrong()
	}
	if err := a.limiter.allow(name, from, a.now()); err != nil {
		return "", p, err
	}
	u, err := a.store.UserByName(ctx, name)
	if err != nil && !isNotFound(err) {
		return "", p, err
	}
	known := err == nil && !u.Disabled
	stored := u.Password
	if !known {
		stored = "" // costs the same and matches nothing
	}
	ok, err := a.passwords.verify(ctx, password, stored)
	if err != nil {
		return "", p, err
	}
	if !ok {
		// The typed name is not recorded unless it is a user's: people type passwords into the wrong field.
		who := Principal{Kind: Person, Name: "unknown"}
		if u.ID != "" {
			who = Principal{Kind: Person, ID: u.ID, Name: u.Name}
		}
		a.note(ctx, a.event(who, "session.refused", events.Object{Kind: "user", Name: who.Name, ID: u.ID}, "", ""))
		return "", p, wrong()
	}
	cookie, err = a.begin(ctx, u)
	if err != nil {
		return "", p, err
	}
	p, err = a.Cookie(ctx, cookie, "")
	return cookie, p, err
}

func (a *Guard) begin(ctx context.Context, u User) (cookie string, err error) {
	cookie, now := newSecret(sessionPrefix), a.now()
	sess := Session{ID: hashSecret(cookie), User: u.ID, Group: firstOf(groupsOf(u)), Created: now, Seen: now, Expires: now.Add(a.absolute)}
	by := Principal{Kind: Person, ID: u.ID, Name: u.Name}
	return cookie, a.store.CreateSession(ctx, sess, a.event(by, "session.created", events.Object{Kind: "user", Name: u.Name, ID: u.ID}, "", ""))
}

// Logout ends p's session. A principal without one has nothing to end.
func (a *Guard) Logout(ctx context.Context, p Principal) error {
	if p.Session == "" {
		return nil
	}
	err := a.store.DeleteSession(ctx, p.Session, a.event(p, "session.ended", events.Object{Kind: "user", Name: p.Name, ID: p.ID}, "", ""))
	if isNotFound(err) {
		return nil
	}
	return err
}

// ChooseGroup makes the named group the session's current one and returns the principal there.
func (a *Guard) ChooseGroup(ctx context.Context, p Principal, name string) (Principal, error) {
	if p.Session == "" {
		return p, edgeward.E("auth.ChooseGroup", edgeward.Invalid, "auth.no_session", "only a session has a current group to choose").
			WithHint("send the header Edgeward-Group with each request")
	}
	u, err := a.store.User(ctx, p.User)
	if err != nil {
		return p, err
	}
	if p, err = a.inGroup(ctx, p, name, u.RolesIn); err != nil {
		return p, err
	}
	return p, a.store.TouchSession(ctx, p.Session, p.Group, a.now())
}

// Confirm checks the password of the person behind p again, before a signature. Errors as Login's.
func (a *Guard) Confirm(ctx context.Context, p Principal, password string) error {
	if p.User == "" || p.Kind != Person {
		return edgeward.E("auth.Confirm", edgeward.Forbidden, "auth.person_needed", "only a person can sign").
			WithHint("log in with name and password")
	}
	if err := a.limiter.allow(p.Name, "confirm", a.now()); err != nil {
		return err
	}
	u, err := a.store.User(ctx, p.User)
	if err != nil {
		return err
	}
	ok, err := a.passwords.verify(ctx, password, u.Password)
	if err == nil && !ok {
		err = edgeward.E("auth.Confirm", edgeward.Unauthenticated, "auth.wrong_password", "the password is wrong")
	}
	return err
}
