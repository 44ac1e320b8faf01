package oipgrpc

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"

	"edgeward/node/api/oip"
	"edgeward/node/auth"
)

// inferRequest is a ModelInferRequest. The codec fills it; what is wrong in it, it keeps for the handler.
type inferRequest struct {
	oip.Request
	name, version string
	err           error
}

// inferResponse is a ModelInferResponse on its way out.
type inferResponse struct {
	oip.Answer
	name string
}

// answer does what a request asks for.
func (s *Server) answer(ctx context.Context, p auth.Principal, in *inferRequest, received time.Time) (inferResponse, error) {
	if in.err != nil {
		return inferResponse{}, in.err
	}
	if err := in.FromHeaders(func(name string) string {
		if v := metadata.ValueFromIncomingContext(ctx, strings.ToLower(name)); len(v) == 1 {
			return v[0]
		}
		return ""
	}); err != nil {
		return inferResponse{}, err
	}
	t, err := oip.TargetOf(p, in.name, in.version)
	if err != nil {
		return inferResponse{}, err
	}
	a, err := s.Service.Infer(ctx, t, &in.Request, received)
	return inferResponse{a, t.Name}, err
}
