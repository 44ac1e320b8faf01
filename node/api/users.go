package api

import (
	"context"
	"net/http"
	"time"

	"edgeward/node/auth"
	"edgeward/node/wire"
)

// userView is a person without the password.
type userView struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Display  string            `json:"display"`
	Admin    bool              `json:"admin"`
	Disabled bool              `json:"disabled"`
	Created  time.Time         `json:"created"`
	Members  []auth.Membership `json:"members"`
}

func newUserView(u auth.User) userView {
	v := userView{u.ID, u.Name, u.Display, u.Admin, u.Disabled, u.Created, u.Members}
	if v.Members == nil {
		v.Members = []auth.Membership{}
	}
	return v
}

type newUserInput struct {
	Body struct {
		Name     string      `json:"name"`
		Display  string      `json:"display,omitempty"`
		Password string      `json:"password,omitempty"`
		Admin    bool        `json:"admin,omitempty"`
		Group    string      `json:"group,omitempty" doc:"name of a group to be a member of"`
		Roles    []auth.Role `json:"roles,omitempty"`
		Reason   string      `json:"reason,omitempty"`
	}
}

type userInput struct {
	User string `path:"user" maxLength:"63" doc:"name"`
	Body struct {
		Password string `json:"password,omitempty"`
		Reason   string `json:"reason,omitempty"`
	}
}

func (s *Server) users() {
	handle(s, op{id: "users.list", method: http.MethodGet, path: "/users", summary: "People", verb: auth.List, resource: auth.Users},
		func(ctx context.Context, in *Page) (*body[wire.List[userView]], error) {
			group := ""
			if p := principal(ctx); !p.Has(auth.Admin) {
				group = p.Group // an owner sees the members of the group
			}
			items, next, err := s.parts.Store.ListUsers(ctx, group, in.Cursor, in.Limit)
			views := make([]userView, len(items))
			for i, u := range items {
				views[i] = newUserView(u)
			}
			return answer(listOf(views, next), err)
		})
	handle(s, op{id: "users.create", method: http.MethodPost, path: "/users", summary: "Make a person", free: makesNew, verb: auth.Create, resource: auth.Users, status: http.StatusCreated},
		func(ctx context.Context, in *newUserInput) (*body[userView], error) {
			b := in.Body
			u, err := s.parts.Auth.CreateUser(ctx, principal(ctx), auth.NewUser{Name: b.Name, Display: b.Display, Password: b.Password, Admin: b.Admin, Group: b.Group, Roles: b.Roles}, b.Reason)
			return answer(newUserView(u), err)
		})
	for _, c := range []struct {
		id, path, summary string
		do                func(ctx context.Context, by auth.Principal, id string, in *userInput) error
	}{
		{"users.disable", "disable", "End a person's access", func(ctx context.Context, by auth.Principal, id string, in *userInput) error {
			return s.parts.Auth.SetDisabled(ctx, by, id, true, in.Body.Reason)
		}},
		{"users.enable", "enable", "Give a person access again", func(ctx context.Context, by auth.Principal, id string, in *userInput) error {
			return s.parts.Auth.SetDisabled(ctx, by, id, false, in.Body.Reason)
		}},
		{"users.password", "password", "Set a person's password", func(ctx context.Context, by auth.Principal, id string, in *userInput) error {
			return s.parts.Auth.SetPassword(ctx, by, id, in.Body.Password, in.Body.Reason)
		}},
	} {
		handle(s, op{id: c.id, method: http.MethodPost, path: "/users/{user}/" + c.path, summary: c.summary, free: onlyListed, verb: auth.Update, resource: auth.Users},
			func(ctx context.Context, in *userInput) (*struct{}, error) {
				u, err := s.parts.Store.UserByName(ctx, in.User)
				if err != nil {
					return nil, err
				}
				return nil, c.do(ctx, principal(ctx), u.ID, in)
			})
	}
}
