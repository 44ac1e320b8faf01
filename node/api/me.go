package api

import (
	"context"
	"net/http"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/node/wire"
)

func (s *Server) me() {
	handle(s, op{id: "me", method: http.MethodGet, path: "/me", summary: "Who am I and what may I do", verb: auth.Read, resource: auth.Self},
		func(ctx context.Context, _ *nothing) (*body[wire.Me], error) {
			return answer(s.meOf(ctx, principal(ctx)))
		})
	handle(s, op{id: "me.password", method: http.MethodPost, path: "/me/password", summary: "Change my password", free: ownDoing, verb: auth.Update, resource: auth.Self},
		func(ctx context.Context, in *struct {
			Body struct {
				Old string `json:"old"`
				New string `json:"new"`
			}
		}) (*struct{}, error) {
			p := principal(ctx)
			if p.Kind != auth.Person {
				return nil, edgeward.E("api.password", edgeward.Conflict, "user.no_password", "a token has no password").WithHint("sign in as a person")
			}
			if err := s.parts.Auth.Confirm(ctx, p, in.Body.Old); err != nil {
				return nil, err
			}
			return nil, s.parts.Auth.SetPassword(ctx, p, p.User, in.Body.New, "changed by its owner")
		})
}

func (s *Server) meOf(ctx context.Context, p auth.Principal) (wire.Me, error) {
	me := wire.Me{Principal: p.Ref(), Name: p.Name, Admin: p.Has(auth.Admin), Group: p.Team, GroupID: p.Group, Groups: []wire.Membership{},
		May: map[string][]string{}, Site: s.parts.Site, Node: s.parts.Node}
	for _, id := range p.Groups {
		g, err := s.parts.Store.Group(ctx, id)
		if err != nil {
			return me, err
		}
		m := wire.Membership{ID: g.ID, Name: g.Name, Roles: []string{}}
		if id == p.Group {
			for _, r := range p.Roles {
				m.Roles = append(m.Roles, string(r))
			}
		}
		me.Groups = append(me.Groups, m)
	}
	for _, res := range auth.Resources {
		for _, v := range auth.Verbs {
			if p.Can(v, res) {
				me.May[string(res)] = append(me.May[string(res)], string(v))
			}
		}
	}
	return me, nil
}
