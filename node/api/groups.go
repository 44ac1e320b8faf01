package api

import (
	"context"
	"net/http"
	"slices"

	"edgeward/node/auth"
	"edgeward/node/wire"
)

type newGroupInput struct {
	Body struct {
		Name   string `json:"name"`
		Title  string `json:"title,omitempty"`
		Reason string `json:"reason,omitempty"`
	}
}

type memberInput struct {
	Name string `path:"name" maxLength:"63"`
	User string `path:"user" maxLength:"63"`
	Body struct {
		Roles  []auth.Role `json:"roles,omitempty"`
		Reason string      `json:"reason,omitempty"`
	}
}

type memberRef struct {
	Name string `path:"name" maxLength:"63"`
	User string `path:"user" maxLength:"63"`
}

func (s *Server) groups() {
	handle(s, op{id: "groups.list", method: http.MethodGet, path: "/groups", summary: "Groups one may see", verb: auth.List, resource: auth.Groups},
		func(ctx context.Context, in *Page) (*body[wire.List[auth.Group]], error) {
			p := principal(ctx)
			items, next, err := s.parts.Store.ListGroups(ctx, in.Cursor, in.Limit)
			if !p.Has(auth.Admin) {
				items = slices.DeleteFunc(items, func(g auth.Group) bool { return !slices.Contains(p.Groups, g.ID) })
			}
			return answer(listOf(items, next), err)
		})
	handle(s, op{id: "groups.create", method: http.MethodPost, path: "/groups", summary: "Make a group", free: makesNew, verb: auth.Create, resource: auth.Groups, status: http.StatusCreated},
		func(ctx context.Context, in *newGroupInput) (*body[auth.Group], error) {
			return answer(s.parts.Auth.CreateGroup(ctx, principal(ctx), in.Body.Name, in.Body.Title, false, in.Body.Reason))
		})
	handle(s, op{id: "groups.member", method: http.MethodPut, path: "/groups/{name}/members/{user}", summary: "Give a person roles in a group", free: onlyListed, verb: auth.Update, resource: auth.Groups},
		func(ctx context.Context, in *memberInput) (*body[userView], error) {
			return s.setMember(ctx, in.Name, in.User, in.Body.Roles, in.Body.Reason)
		})
	handle(s, op{id: "groups.member.remove", method: http.MethodDelete, path: "/groups/{name}/members/{user}", summary: "End a membership", free: onlyListed, verb: auth.Update, resource: auth.Groups},
		func(ctx context.Context, in *memberRef) (*body[userView], error) {
			return s.setMember(ctx, in.Name, in.User, nil, "")
		})
}

func (s *Server) setMember(ctx context.Context, group, user string, roles []auth.Role, reason string) (*body[userView], error) {
	g, err := s.parts.Store.GroupByName(ctx, group)
	if err != nil {
		return nil, err
	}
	u, err := s.parts.Store.UserByName(ctx, user)
	if err != nil {
		return nil, err
	}
	u, err = s.parts.Auth.SetMember(ctx, principal(ctx), u.ID, g.ID, roles, reason)
	return answer(newUserView(u), err)
}
