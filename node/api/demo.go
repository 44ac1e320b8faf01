package api

import (
	"context"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/wire"
	"edgeward/runtime/jobs"
)

// demo registers the demonstration's progress: the demonstration itself is a client like any other.
func (s *Server) demo() {
	handle(s, op{id: "demo.get", method: http.MethodGet, path: "/demo", summary: "Where the demonstration stands", verb: auth.Read, resource: auth.Demo},
		func(ctx context.Context, _ *nothing) (*body[wire.DemoStatus], error) {
			return answer(s.parts.Views.Demo(ctx, principal(ctx).Group))
		})
	handle(s, op{id: "demo.put", method: http.MethodPut, path: "/demo", summary: "The demonstration says how far it is", free: "the demonstration alone tells how far it is, every second", verb: auth.Create, resource: auth.Demo},
		func(ctx context.Context, in *struct{ Body wire.DemoStatus }) (*body[wire.DemoStatus], error) {
			in.Body.Updated = s.now()
			return answer(in.Body, s.parts.Store.PutDemo(ctx, principal(ctx).Group, in.Body))
		})
	handle(s, op{id: "demo.delete", method: http.MethodDelete, path: "/demo", summary: "Take everything of the demonstration away", free: "it takes away what wears the Demo mark, not the progress that GET shows", verb: auth.Delete, resource: auth.Demo, status: http.StatusAccepted},
		func(ctx context.Context, _ *nothing) (*body[jobs.Job], error) {
			return answer(s.parts.Work.RemoveDemo(ctx, who(ctx)))
		})
}
