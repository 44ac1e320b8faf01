package api

import (
	"context"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/wire"
)

func (s *Server) overview() {
	handle(s, op{id: "overview", method: http.MethodGet, path: "/overview", summary: "What needs me, and how everything does", verb: auth.Read, resource: auth.Node},
		func(ctx context.Context, _ *nothing) (*body[wire.Overview], error) {
			return answer(s.parts.Views.Overview(ctx, principal(ctx).Group))
		})
}
