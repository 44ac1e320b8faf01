package api

import (
	"context"
	"net/http"

	"edgeward/node/wire"
)

func (s *Server) health() {
	handle(s, op{id: "health", method: http.MethodGet, path: "/health", summary: "State of this server", public: "load balancers and the first start have no token"},
		func(ctx context.Context, _ *nothing) (*body[wire.Health], error) {
			h := s.parts.Health()
			if principal(ctx).Kind == "" {
				h.Reasons = nil // what is wrong inside is nobody else's business
			}
			return answer(h, nil)
		})
}
