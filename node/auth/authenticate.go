package auth

import (
	"context"
	"slices"
	"strings"
	"time"

	"edgeward"
)

// touchEvery is how exact "last used" is. Each note is a commit.
const touchEvery = time.Minute

// Bearer says whose API token this is. An empty group means the token's own; another must be one that the principal
// belongs to, else NotFound "group.not_found", as for one that does not exist. Wrong tokens are Unauthenticated
// "auth.token_invalid" or "auth.token_expired".
func (a *Guard) Bearer(ctx context.Context, secret, group string) (Principal, error) {
	bad := func(code, text string) error {
		return edgeward.E("auth.who", edgeward.Unauthenticated, code, "%s", text).
			WithHint("make a new token on the page Access or with \"edgeward token create\"")
	}
	if len(secret) > 1024 {
		return Principal{}, bad("auth.token_invalid", "this is no token of this server")
	}
	ask := bearer{hashSecret(secret), group}
	generation, now := a.store.Generation(), a.now()
	if p, ok := a.known.find(ask, generation, now); ok {
		return p, nil
	}
	t, err := a.store.TokenByHash(ctx, ask.hash)
	if isNotFound(err) {
		return Principal{}, bad("auth.token_invalid", "this is no token of this server")
	}
	if err != nil {
		return Principal{}, err
	}
	if !t.Expires.IsZero() && !now.Before(t.Expires) {
		return Principal{}, bad("auth.token_expired", "the token has expired")
	}
	p := Principal{Kind: APIKey, ID: t.ID, Name: t.Name, User: t.Owner, Roles: t.Roles, Group: t.Group, Groups: []string{t.Group}}
	var owner User
	if t.Owner != "" {
		if owner, err = a.store.User(ctx, t.Owner); err != nil && !isNotFound(err) {
			return Principal{}, err
		}
		if err != nil || owner.Disabled {
			return Principal{}, bad("auth.token_invalid", "the token's owner is no longer active")
		}
		p.Roles = limit(t.Roles, owner.RolesIn(t.Group))
	}
	personal := t.Owner != "" && p.Has(Admin) // an administrator's own token follows its owner into other groups
	if personal {
		p.Groups = groupsOf(owner)
	}
	if p, err = a.inGroup(ctx, p, group, func(id string) []Role {
		if id == t.Group {
			return p.Roles
		}
		return owner.RolesIn(id)
	}); err != nil {
		return Principal{}, err
	}
	if now.Sub(t.LastUsed) >= touchEvery {
		if err := a.store.TouchToken(ctx, t.Group, t.ID, now); err != nil {
			a.log.Warn("a token's last use could not be noted", "error", err)
		}
		t.LastUsed = now
	}
	until := t.LastUsed.Add(touchEvery)
	if !t.Expires.IsZero() && t.Expires.Before(until) {
		until = t.Expires
	}
	a.known.keep(ask, generation, p, until)
	return p, nil
}

// Cookie says whose session this is; errors as Bearer's, with "auth.session_expired".
func (a *Guard) Cookie(ctx context.Context, cookie, group string) (Principal, error) {
	over := func() error {
		return edgeward.E("auth.who", edgeward.Unauthenticated, "auth.session_expired", "the session is over").WithHint("log in again")
	}
	if len(cookie) > 1024 {
		return Principal{}, over()
	}
	sess, err := a.store.Session(ctx, hashSecret(cookie))
	if isNotFound(err) {
		return Principal{}, over()
	}
	if err != nil {
		return Principal{}, err
	}
	now := a.now()
	if !now.Before(sess.Expires) || now.Sub(sess.Seen) >= a.idle {
		return Principal{}, over()
	}
	u, err := a.store.User(ctx, sess.User)
	if err != nil && !isNotFound(err) {
		return Principal{}, err
	}
	if err != nil || u.Disabled {
		return Principal{}, over()
	}
	p := Principal{Kind: Person, ID: u.ID, Name: u.Name, User: u.ID, Group: sess.Group, Groups: groupsOf(u), Session: sess.ID}
	if !slices.Contains(p.Groups, p.Group) {
		p.Group = firstOf(p.Groups)
	}
	if p, err = a.inGroup(ctx, p, group, u.RolesIn); err != nil {
		return Principal{}, err
	}
	if now.Sub(sess.Seen) >= touchEvery {
		if err := a.store.TouchSession(ctx, sess.ID, sess.Group, now); err != nil {
			a.log.Warn("a session's last use could not be noted", "error", err)
		}
	}
	return p, nil
}

// inGroup makes the named group current (the principal's own when name is empty) and sets the roles there.
func (a *Guard) inGroup(ctx context.Context, p Principal, name string, roles func(id string) []Role) (Principal, error) {
	absent := func() error {
		return edgeward.E("auth.who", edgeward.NotFound, "group.not_found", "no group %.63q", name).With("id", name).
			WithHint("check Edgeward-Group; you see only groups you belong to")
	}
	var g Group
	var err error
	switch {
	case name != "":
		if g, err = a.store.GroupByName(ctx, name); isNotFound(err) || err == nil && !slices.Contains(p.Groups, g.ID) {
			return p, absent()
		}
	case p.Group != "":
		g, err = a.store.Group(ctx, p.Group)
	}
	if err != nil {
		return p, err
	}
	p.Group, p.Team = g.ID, g.Name
	p.Roles = roles(g.ID)
	return p, nil
}

// Local is the principal of the data directory's socket: whoever may open it owns the server. It is administrator, and
// owner in the named group, or in the first group when name is empty.
func (a *Guard) Local(ctx context.Context, name string) (Principal, error) {
	return a.System(ctx, "local", name, Admin, Owner)
}

// System is a part of the product that acts by itself, with the given roles in the named group (the first group when name
// is empty; none when there is no group yet). part is one lower-case name such as "demo-policy".
func (a *Guard) System(ctx context.Context, part, group string, roles ...Role) (Principal, error) {
	p := Principal{Kind: System, Name: strings.ToLower(part), Roles: roles}
	if group == "" {
		gs, _, err := a.store.ListGroups(ctx, "", 1)
		if err != nil || len(gs) == 0 {
			return p, err
		}
		p.Group, p.Team, p.Groups = gs[0].ID, gs[0].Name, []string{gs[0].ID}
		return p, nil
	}
	g, err := a.store.GroupByName(ctx, group)
	p.Group, p.Team, p.Groups = g.ID, g.Name, []string{g.ID}
	return p, err
}

func groupsOf(u User) []string {
	ids := make([]string, len(u.Members))
	for i, m := range u.Members {
		ids[i] = m.Group
	}
	return ids
}

func firstOf(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return ids[0]
}

// limit returns those of a token's roles that its owner may still give.
func limit(roles, owner []Role) []Role {
	var out []Role
	for _, r := range roles {
		if mayGive(owner, r) {
			out = append(out, r)
		}
	}
	return out
}

// mayGive reports whether somebody with the roles have may give role r to a token: one's own roles and service; an owner
// every role of the group; admin only by an administrator.
func mayGive(have []Role, r Role) bool {
	switch {
	case slices.Contains(have, r):
		return true
	case r == Admin:
		return false
	case slices.Contains(have, Owner):
		return true
	}
	return r == Service && len(have) > 0
}
