package oipgrpc

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

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
	name  string
	code  string // of the error, where there is no answer
	final bool   // in a stream: no other answer to this request follows
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
	t.Local = local(ctx)
	a, err := s.Service.Infer(ctx, t, &in.Request, received)
	return inferResponse{Answer: a, name: t.Name}, err
}

// local reports whether a call was made on this machine: what a proxy here handed on was not.
func local(ctx context.Context) bool {
	for _, key := range []string{"forwarded", "x-forwarded-for", "x-real-ip", "via"} {
		if len(metadata.ValueFromIncomingContext(ctx, key)) > 0 {
			return false
		}
	}
	p, ok := peer.FromContext(ctx)
	return ok && p.Addr != nil && oip.LocalAddr(p.Addr.String())
}
