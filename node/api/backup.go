package api

import (
	"context"
	"io"
	"net/http"

	"edgeward/node/auth"

	"github.com/danielgtaylor/huma/v2"
)

func (s *Server) backup() {
	handle(s, op{id: "backup", method: http.MethodPost, path: "/backup", summary: "A consistent copy of facts, blobs and records (tar), while everything goes on", free: onlyAsks, verb: auth.Create, resource: auth.Backup},
		func(ctx context.Context, _ *nothing) (*huma.StreamResponse, error) {
			return stream("application/x-tar", func(w io.Writer) error { return s.parts.Backup(ctx, w) }), nil
		})
}
