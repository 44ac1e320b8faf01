package api

import (
	"context"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/wire"
	"edgeward/runtime/models"
)

type graphInput struct {
	NameInput
	Body wire.GraphRequest
}

// maxGraph bounds a graph with its example.
const maxGraph = 8 << 20

func (s *Server) graphs() {
	handle(s, op{id: "graphs.apply", method: http.MethodPost, path: "/models/{name}/graph", summary: "Make a declared inference graph the next version", changes: "/models/{name}", verb: auth.Create, resource: auth.Version,
		status: http.StatusCreated, maxBody: maxGraph},
		func(ctx context.Context, in *graphInput) (*imported, error) {
			if err := mayDemo(ctx, in.Body.Demo); err != nil {
				return nil, err
			}
			v, err := s.parts.Work.AddGraph(ctx, who(ctx), in.Name, in.Body)
			if err != nil {
				return nil, err
			}
			if v.Existing {
				return &imported{http.StatusOK, v}, nil
			}
			return &imported{http.StatusCreated, v}, nil
		})
	handle(s, op{id: "graphs.get", method: http.MethodGet, path: "/models/{name}/versions/{number}/graph", summary: "The inference graph of a version, node by node", verb: auth.Read, resource: auth.Version},
		func(ctx context.Context, in *NumberInput) (*body[wire.GraphView], error) {
			return answer(s.parts.Work.Graph(ctx, principal(ctx).Group, models.Ref{Model: in.Name, Version: in.Number}))
		})
}
