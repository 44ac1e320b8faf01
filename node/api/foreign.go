package api

import (
	"edgeward/node/api/oip"
	"edgeward/node/auth"

	"github.com/labstack/echo/v4"
)

// foreign mounts the formats of others. They bring their own routes and errors; who may call them is the same table.
func (s *Server) foreign() {
	guard := func(c echo.Context, verb auth.Verb, resource auth.Resource) (auth.Principal, error) {
		ctx := c.Request().Context()
		return principal(ctx), allowed(ctx, verb, resource)
	}
	for _, r := range oip.Register(s.echo, oip.Config{Serve: s.parts.Serve, Guard: guard, Lookup: s.parts.Work.Lookup, Now: s.parts.Now, NewID: s.parts.NewID, Version: s.parts.Version,
		Ready: func() bool { return s.parts.Health().Ready }, MaxBody: s.parts.MaxBody, Log: s.log}) {
		d := declared{Method: r.Method, Path: r.Path, Verb: r.Verb, Resource: r.Resource}
		if r.Verb == "" {
			d.Public = "the Open Inference Protocol's health and server routes"
		}
		s.routes = append(s.routes, d)
	}
	s.declareForeign(op{method: "GET", path: "/metrics", verb: auth.Read, resource: auth.Metrics})
	s.echo.GET("/metrics", func(c echo.Context) error {
		if _, err := guard(c, auth.Read, auth.Metrics); err != nil {
			return err
		}
		s.parts.Metrics.ServeHTTP(c.Response(), c.Request())
		return nil
	})
}

func (s *Server) declareForeign(o op) {
	s.routes = append(s.routes, declared{o.method, o.path, o.verb, o.resource, o.public})
}
