package auth

import (
	"context"
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/node/events"
)

// The methods below change who may do what. The caller has checked the table (Principal.Check); they check what a table
// cannot say: nobody gives away more than he has.

func (a *Guard) newUser(ctx context.Context, in NewUser) (User, error) {
	if err := edgeward.CheckName("user", in.Name); err != nil {
		return User{}, err
	}
	u := User{ID: a.newID(), Name: in.Name, Display: in.Display, Admin: in.Admin, Created: a.now()}
	if u.Display == "" {
		u.Display = in.Name
	}
	if len(u.Display) > 200 {
		return User{}, edgeward.E("auth.newUser", edgeward.Invalid, "user.display_invalid", "the displayed name is longer than 200 bytes")
	}
	if in.Password == "" {
		return u, nil
	}
	if err := CheckPassword(in.Name, in.Password); err != nil {
		return User{}, err
	}
	var err error
	u.Password, err = a.passwords.hash(ctx, in.Password)
	u.Changed = a.now()
	return u, err
}

// CreateUser makes a person. Errors: Conflict "user.exists", Invalid "password.weak", "name.invalid", "role.unknown".
func (a *Guard) CreateUser(ctx context.Context, by Principal, in NewUser, reason string) (User, error) {
	u, err := a.newUser(ctx, in)
	if err != nil {
		return User{}, err
	}
	if in.Group != "" {
		g, err := a.store.GroupByName(ctx, in.Group)
		if err != nil {
			return User{}, err
		}
		roles, err := groupRoles(in.Roles)
		if err != nil {
			return User{}, err
		}
		u.Members = []Membership{{g.ID, roles}}
	}
	return u, a.store.CreateUser(ctx, u, a.userEvent(by, "user.created", u, reason))
}

// SetPassword sets a person's password and ends all the person's sessions but the one that asks.
func (a *Guard) SetPassword(ctx context.Context, by Principal, user, password, reason string) error {
	u, err := a.store.User(ctx, user)
	if err != nil {
		return err
	}
	if err := CheckPassword(u.Name, password); err != nil {
		return err
	}
	hash, err := a.passwords.hash(ctx, password)
	if err != nil {
		return err
	}
	if _, err := a.store.ChangeUser(ctx, user, "", func(u *User) error {
		u.Password, u.Changed = hash, a.now()
		return nil
	}, a.userEvent(by, "user.password.set", u, reason)); err != nil {
		return err
	}
	return a.store.EndSessions(ctx, user, by.Session, a.userEvent(by, "user.sessions.ended", u, reason))
}

// SetDisabled switches a person off or on. A person who is off has no sessions, and his tokens do not work. The last
// administrator stays on: Conflict "user.last_admin".
func (a *Guard) SetDisabled(ctx context.Context, by Principal, user string, disabled bool, reason string) error {
	u, err := a.store.User(ctx, user)
	if err != nil {
		return err
	}
	action := "user.enabled"
	if disabled {
		action = "user.disabled"
	}
	if _, err := a.store.ChangeUser(ctx, user, "", func(u *User) error { u.Disabled = disabled; return nil }, a.userEvent(by, action, u, reason)); err != nil || !disabled {
		return err
	}
	return a.store.EndSessions(ctx, user, "", a.userEvent(by, "user.sessions.ended", u, reason))
}

// SetAdmin gives or takes the role admin. Only an administrator may, and the last one stays.
func (a *Guard) SetAdmin(ctx context.Context, by Principal, user string, admin bool, reason string) error {
	if !by.Has(Admin) {
		return tooMuch(Admin)
	}
	u, err := a.store.User(ctx, user)
	if err != nil {
		return err
	}
	action := "user.admin.taken"
	if admin {
		action = "user.admin.given"
	}
	_, err = a.store.ChangeUser(ctx, user, "", func(u *User) error { u.Admin = admin; return nil }, a.userEvent(by, action, u, reason))
	return err
}

// SetMember sets a person's roles in a group, by id; no roles end the membership.
func (a *Guard) SetMember(ctx context.Context, by Principal, user, group string, roles []Role, reason string) (User, error) {
	g, err := a.store.Group(ctx, group)
	if err != nil {
		return User{}, err
	}
	u, err := a.store.User(ctx, user)
	if err != nil {
		return User{}, err
	}
	if len(roles) > 0 {
		if roles, err = groupRoles(roles); err != nil {
			return User{}, err
		}
	}
	if !by.Has(Admin) && (by.Group != group || !by.Has(Owner)) {
		return User{}, tooMuch(Owner)
	}
	e := a.userEvent(by, "group.member.set", u, reason)
	e.Group, e.Detail = g.ID, map[string]string{"group": g.Name, "roles": strings.ReplaceAll(join(roles), " or ", ",")}
	return a.store.ChangeUser(ctx, user, "", func(u *User) error {
		u.Members = slices.DeleteFunc(u.Members, func(m Membership) bool { return m.Group == group })
		if len(roles) > 0 {
			u.Members = append(u.Members, Membership{group, roles})
		}
		return nil
	}, e)
}

// CreateGroup makes a group. Errors: Conflict "group.exists", Invalid "name.invalid".
func (a *Guard) CreateGroup(ctx context.Context, by Principal, name, title string, demo bool, reason string) (Group, error) {
	if err := edgeward.CheckName("group", name); err != nil {
		return Group{}, err
	}
	if title == "" {
		title = name
	}
	g := Group{ID: a.newID(), Name: name, Title: title, Created: a.now(), Demo: demo}
	e := a.event(by, "group.created", events.Object{Kind: "group", Name: name, ID: g.ID}, g.ID, reason)
	e.Demo = demo
	return g, a.store.CreateGroup(ctx, g, e)
}

// NewToken describes an API token to be made in the principal's current group.
type NewToken struct {
	Name    string
	Roles   []Role
	Expires time.Time // zero: never
}

// CreateToken makes a token and returns its secret, once. Errors: Forbidden "token.roles" for a role the principal may
// not give, Invalid "token.expires" for a time that is over.
func (a *Guard) CreateToken(ctx context.Context, by Principal, in NewToken, reason string) (secret string, t Token, err error) {
	if err := edgeward.CheckName("token", in.Name); err != nil {
		return "", t, err
	}
	if by.Group == "" {
		return "", t, edgeward.E("auth.CreateToken", edgeward.Invalid, "token.group", "a token belongs to a group and none is chosen").
			WithHint("choose one: --group NAME, or the header Edgeward-Group. A new server has none before it is set up: open the link that it printed, or make one: edgeward group create main")
	}
	if len(in.Roles) == 0 {
		return "", t, edgeward.E("auth.CreateToken", edgeward.Invalid, "token.roles", "a token needs at least one role").WithHint("service is enough for a machine that predicts")
	}
	for _, r := range in.Roles {
		if _, err := ParseRole(string(r)); err != nil {
			return "", t, err
		}
		if !mayGive(by.Roles, r) {
			return "", t, tooMuch(r)
		}
	}
	now := a.now()
	if !in.Expires.IsZero() && !in.Expires.After(now) {
		return "", t, edgeward.E("auth.CreateToken", edgeward.Invalid, "token.expires", "the token would have expired already")
	}
	secret = newSecret(TokenPrefix)
	t = Token{ID: a.newID(), Group: by.Group, Name: in.Name, Hash: hashSecret(secret), Owner: by.User, Roles: in.Roles, Created: now, Expires: in.Expires}
	e := a.event(by, "token.created", events.Object{Kind: "token", Name: t.Name, ID: t.ID}, t.Group, reason)
	e.Detail = map[string]string{"roles": strings.ReplaceAll(join(t.Roles), " or ", ",")}
	return secret, t, a.store.CreateToken(ctx, t, e)
}

// DeleteToken makes a token of the principal's current group stop working.
func (a *Guard) DeleteToken(ctx context.Context, by Principal, id, reason string) error {
	return a.store.DeleteToken(ctx, by.Group, id, a.event(by, "token.deleted", events.Object{Kind: "token", ID: id}, by.Group, reason))
}

func (a *Guard) userEvent(by Principal, action string, u User, reason string) events.Event {
	return a.event(by, action, events.Object{Kind: "user", Name: u.Name, ID: u.ID}, "", reason)
}

// groupRoles are roles that hold in a group, each once.
func groupRoles(roles []Role) ([]Role, error) {
	out := slices.Clone(roles)
	slices.Sort(out)
	out = slices.Compact(out)
	for _, r := range out {
		if _, err := ParseRole(string(r)); err != nil {
			return nil, err
		}
		if r == Admin {
			return nil, edgeward.E("auth.roles", edgeward.Invalid, "role.not_of_group", "admin is a role on the node, not in a group").WithHint("make the user administrator instead")
		}
	}
	if len(out) == 0 {
		return nil, edgeward.E("auth.roles", edgeward.Invalid, "role.none", "a member has at least one role")
	}
	return out, nil
}

func tooMuch(r Role) error {
	return edgeward.E("auth.give", edgeward.Forbidden, "token.roles", "only somebody with more rights may give the role %s", r).
		With("role", string(r)).WithHint("ask an owner of the group or an administrator")
}
