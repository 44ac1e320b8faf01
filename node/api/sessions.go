package api

import (
	"context"
	"net/http"
	"time"

	"edgeward/node/auth"
	"edgeward/node/wire"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
)

// caller is embedded where a handler needs the request itself: its address, and whether it came over TLS.
type caller struct{ r *http.Request }

// Resolve keeps the request for the handler.
func (c *caller) Resolve(h huma.Context) []error {
	c.r = humaecho.Unwrap(h).Request()
	return nil
}

type setupInput struct {
	Body wire.Setup
	caller
}

type loginInput struct {
	Body wire.Login
	caller
}

type sessionOutput struct {
	SetCookie string `header:"Set-Cookie"`
	Body      wire.Me
}

type noBodyCookie struct {
	SetCookie string `header:"Set-Cookie"`
}

func (s *Server) setup() {
	handle(s, op{id: "setup", method: http.MethodPost, path: "/setup", summary: "Make the first administrator", free: makesNew, public: "the printed one-time secret is the permission"},
		func(ctx context.Context, in *setupInput) (*sessionOutput, error) {
			cookie, p, err := s.parts.Auth.Setup(ctx, in.Body.Secret, auth.NewUser{Name: in.Body.User, Password: in.Body.Password})
			if err != nil {
				return nil, err
			}
			return s.session(ctx, in.r, cookie, p)
		})
}

func (s *Server) sessions() {
	handle(s, op{id: "session.create", method: http.MethodPost, path: "/session", summary: "Sign in", free: ownDoing, public: "name and password are in the body"},
		func(ctx context.Context, in *loginInput) (*sessionOutput, error) {
			cookie, p, err := s.parts.Auth.Login(ctx, in.Body.User, in.Body.Password, requestOf(ctx).remote)
			if err != nil {
				return nil, err
			}
			return s.session(ctx, in.r, cookie, p)
		})
	handle(s, op{id: "session.delete", method: http.MethodDelete, path: "/session", summary: "Sign out", free: ownDoing, verb: auth.Update, resource: auth.Self},
		func(ctx context.Context, in *struct{ caller }) (*noBodyCookie, error) {
			if err := s.parts.Auth.Logout(ctx, principal(ctx)); err != nil {
				return nil, err
			}
			return &noBodyCookie{setSession(in.r, "", time.Time{})}, nil
		})
}

func (s *Server) session(ctx context.Context, r *http.Request, cookie string, p auth.Principal) (*sessionOutput, error) {
	me, err := s.meOf(ctx, p)
	if err != nil {
		return nil, err
	}
	return &sessionOutput{setSession(r, cookie, s.now().Add(7*24*time.Hour)), me}, nil
}
