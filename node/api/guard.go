package api

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/node/auth"

	"github.com/labstack/echo/v4"
)

// request is what the guard learns of a request before any handler.
type request struct {
	id        string
	principal auth.Principal
	refused   error // why a given credential was not accepted; shown when a route needs one
	remote    string
}

type requestKey struct{}

var nosniff, noReferrer = []string{"nosniff"}, []string{"no-referrer"}

func requestOf(ctx context.Context) request { r, _ := ctx.Value(requestKey{}).(request); return r }

// principal is who is asking; the zero Principal is nobody.
func principal(ctx context.Context) auth.Principal { return requestOf(ctx).principal }

// cookieName carries the session. The __Host- prefix needs TLS, so plain HTTP on loopback has its own name.
func cookieName(secure bool) string {
	if secure {
		return "__Host-edgeward"
	}
	return "edgeward"
}

type localKey struct{}

// Local marks the context of connections that came over the data directory's socket: who may open it owns the server.
func Local(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, localKey{}, true)
}

// guard finds the principal and refuses what no handler should see.
func (s *Server) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		req := request{id: s.parts.NewID(), remote: c.RealIP()}
		h := c.Response().Header()
		h["Edgeward-Request-Id"] = []string{req.id}
		h["X-Content-Type-Options"], h["Referrer-Policy"] = nosniff, noReferrer // canonical names, shared values: no copies
		local, _ := r.Context().Value(localKey{}).(bool)
		if !local && !s.hostAllowed(r.Host) {
			return s.deny(c, req, edgeward.E("api.guard", edgeward.Forbidden, "request.host", "this server does not answer to the name %q", clip(r.Host)).
				WithHint("add the name to http.allowed_hosts"))
		}
		group := r.Header.Get("Edgeward-Group")
		var err error
		cookie, _ := r.Cookie(cookieName(r.TLS != nil))
		switch bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); {
		case ok:
			req.principal, err = s.parts.Auth.Bearer(r.Context(), bearer, group)
		case cookie != nil:
			if !sameOrigin(r) {
				return s.deny(c, req, edgeward.E("api.guard", edgeward.Forbidden, "request.origin", "a page of another origin may not do this"))
			}
			req.principal, err = s.parts.Auth.Cookie(r.Context(), cookie.Value, group)
		case local:
			req.principal, err = s.local(r, group)
		}
		if err != nil && edgeward.KindOf(err) != edgeward.Unauthenticated {
			return s.deny(c, req, err)
		}
		req.refused = err
		ctx := context.WithValue(r.Context(), requestKey{}, req)
		if s.parts.Access != nil {
			visited(ctx, req)
		}
		if s.parts.Incoming != nil {
			ctx = s.parts.Incoming(ctx, r.Header.Get("Traceparent"), r.Header.Get("Tracestate"))
		}
		c.SetRequest(r.WithContext(ctx))
		return next(c)
	}
}

// allowed reports why a request may not do verb to resource: a credential that was not accepted says so itself.
func allowed(ctx context.Context, verb auth.Verb, resource auth.Resource) error {
	return requestOf(ctx).allowed(verb, resource)
}

func (r request) allowed(verb auth.Verb, resource auth.Resource) error {
	err := r.principal.Check(verb, resource)
	if err == nil && r.principal.Group == "" && ofGroup(resource) {
		return noGroup()
	}
	if r.refused != nil && edgeward.KindOf(err) == edgeward.Unauthenticated {
		return r.refused
	}
	return err
}

// noGroup says that something of a group is asked for where there is none.
func noGroup() error {
	return edgeward.E("api.guard", edgeward.Conflict, "group.none", "there is no group yet to do this in").
		WithHint("open the link the server printed, or make a group: edgeward group create main")
}

// local is the owner of the data directory's socket, or a part of the product that says its name: its acts are told
// apart in the audit log.
func (s *Server) local(r *http.Request, group string) (auth.Principal, error) {
	part := r.Header.Get("Edgeward-Part")
	if part == "" {
		return s.parts.Auth.Local(r.Context(), group)
	}
	if err := edgeward.CheckName("part", part); err != nil {
		return auth.Principal{}, err
	}
	return s.parts.Auth.System(r.Context(), part, group, auth.Admin, auth.Owner)
}

func (s *Server) deny(c echo.Context, req request, err error) error {
	c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), requestKey{}, req)))
	return err
}

// hostAllowed holds against DNS rebinding: only literal addresses, localhost and configured names are answered.
func (s *Server) hostAllowed(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.Trim(name, "[]")
	return name == "localhost" || net.ParseIP(name) != nil || slices.Contains(s.parts.Hosts, name)
}

// sameOrigin reports whether a request with a cookie comes from our own page: safe methods always, others only when the
// browser says so (Sec-Fetch-Site) or the Origin is this host.
func sameOrigin(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin" || site == "none"
	}
	o, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && o.Host != "" && o.Host == r.Host
}

func clip(s string) string { return s[:min(len(s), 80)] }

// setSession writes or clears the session cookie.
func setSession(r *http.Request, value string, expires time.Time) string {
	c := &http.Cookie{Name: cookieName(r.TLS != nil), Value: value, Path: "/", HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode, Expires: expires}
	if value == "" {
		c.MaxAge = -1
	}
	return c.String()
}

// mayDemo refuses the Demo mark to who may not make a demonstration: what wears it may promote itself.
func mayDemo(ctx context.Context, demo bool) error {
	if !demo {
		return nil
	}
	return principal(ctx).Check(auth.Create, auth.Demo)
}

// ofGroup reports whether a resource belongs to a group: those before Users in auth's list do.
func ofGroup(r auth.Resource) bool {
	switch r {
	case auth.Event, auth.Metrics: // an administrator reads the node's own
		return false
	}
	return slices.Index(auth.Resources, r) < slices.Index(auth.Resources, auth.Users)
}
