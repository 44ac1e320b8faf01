package api

import (
	"context"
	"crypto/tls"

	"edgeward"
	"edgeward/node/api/oip"
	"edgeward/node/api/oip/oipgrpc"
	"edgeward/node/auth"

	"github.com/labstack/echo/v4"
)

// foreign mounts the formats of others. They bring their own routes and errors; who may call them is the same table.
func (s *Server) foreign() {
	guard := func(c echo.Context, verb auth.Verb, resource auth.Resource) (auth.Principal, error) {
		ctx := c.Request().Context()
		return principal(ctx), allowed(ctx, verb, resource)
	}
	s.oip = oip.New(oip.Config{Serve: s.parts.Serve, Lookup: s.parts.Work.Lookup, Now: s.parts.Now, NewID: s.parts.NewID, Version: s.parts.Version, Repository: repository{s.parts}, LogLevel: s.logLevel, Shared: s.parts.Shared,
		Ready: func() bool { return s.parts.Health().Ready }, MaxBody: s.parts.MaxBody, Log: s.log})
	for _, r := range s.oip.Register(s.echo, guard) {
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
	s.routes = append(s.routes, declared{Method: o.method, Path: o.path, Verb: o.verb, Resource: o.resource, Public: o.public})
}

// GRPC returns the Open Inference Protocol over gRPC: the same service, guard and bounds as its routes here. conf may be
// nil, on loopback.
func (s *Server) GRPC(conf *tls.Config) *oipgrpc.Server {
	return oipgrpc.New(oipgrpc.Config{Service: s.oip, TLS: conf, Log: s.log, Access: s.parts.Access, Incoming: s.parts.Incoming, Guard: func(ctx context.Context, bearer, group string, verb auth.Verb, resource auth.Resource) (auth.Principal, error) {
		var r request
		if bearer != "" {
			r.principal, r.refused = s.parts.Auth.Bearer(ctx, bearer, group)
		}
		if r.refused != nil && edgeward.KindOf(r.refused) != edgeward.Unauthenticated {
			return r.principal, r.refused
		}
		return r.principal, r.allowed(verb, resource)
	}})
}

// logLevel is the configured level of the log.
func (s *Server) logLevel() string {
	for _, x := range s.parts.Settings() {
		if x.Key == "log.level" {
			level, _ := x.Value.(string)
			return level
		}
	}
	return ""
}
