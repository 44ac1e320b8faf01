package api

import (
	"context"
	"net/http"
	"time"

	"edgeward/node/auth"
	"edgeward/node/wire"
)

// tokenView is a token without its hash. Secret is there only in the answer that made it.
type tokenView struct {
	ID       string      `json:"id"`
	Name     string      `json:"name"`
	Roles    []auth.Role `json:"roles"`
	Created  time.Time   `json:"created"`
	Expires  *time.Time  `json:"expires,omitempty"`
	LastUsed *time.Time  `json:"last_used,omitempty"`
	Secret   string      `json:"secret,omitempty"`
}

func newTokenView(t auth.Token) tokenView {
	return tokenView{ID: t.ID, Name: t.Name, Roles: t.Roles, Created: t.Created, Expires: some(t.Expires), LastUsed: some(t.LastUsed)}
}

// some is a time as JSON shows it: absent when zero.
func some(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

type newTokenInput struct {
	Body struct {
		Name   string      `json:"name"`
		Roles  []auth.Role `json:"roles"`
		Days   int         `json:"days,omitempty" minimum:"0" maximum:"3650" doc:"until it expires; 0: never"`
		Reason string      `json:"reason,omitempty"`
	}
}

type idInput struct {
	ID string `path:"id" maxLength:"600"`
}

func (s *Server) tokens() {
	handle(s, op{id: "tokens.list", method: http.MethodGet, path: "/tokens", summary: "API tokens of the group", verb: auth.List, resource: auth.Tokens},
		func(ctx context.Context, in *Page) (*body[wire.List[tokenView]], error) {
			items, next, err := s.parts.Store.ListTokens(ctx, principal(ctx).Group, in.Cursor, in.Limit)
			views := make([]tokenView, len(items))
			for i, t := range items {
				views[i] = newTokenView(t)
			}
			return answer(listOf(views, next), err)
		})
	handle(s, op{id: "tokens.create", method: http.MethodPost, path: "/tokens", summary: "Make an API token; its secret is shown once", free: makesNew, verb: auth.Create, resource: auth.Tokens, status: http.StatusCreated},
		func(ctx context.Context, in *newTokenInput) (*body[tokenView], error) {
			n := auth.NewToken{Name: in.Body.Name, Roles: in.Body.Roles}
			if in.Body.Days > 0 {
				n.Expires = s.now().AddDate(0, 0, in.Body.Days)
			}
			secret, t, err := s.parts.Auth.CreateToken(ctx, principal(ctx), n, in.Body.Reason)
			view := newTokenView(t)
			view.Secret = secret
			return answer(view, err)
		})
	handle(s, op{id: "tokens.delete", method: http.MethodDelete, path: "/tokens/{id}", summary: "Make a token stop working", free: onlyListed, verb: auth.Delete, resource: auth.Tokens},
		func(ctx context.Context, in *idInput) (*struct{}, error) {
			return nil, s.parts.Auth.DeleteToken(ctx, principal(ctx), in.ID, "")
		})
}
