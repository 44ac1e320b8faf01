package api

import (
	"context"
	"io"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/work"
	"edgeward/runtime/models"

	"github.com/danielgtaylor/huma/v2"
)

// exports registers what leaves a server as an OCI archive.
func (s *Server) exports() {
	handle(s, op{id: "endpoints.image", method: http.MethodGet, path: "/endpoints/{name}/image", summary: "The live version as an OCI image that answers by itself (tar of an image layout)", verb: auth.Export, resource: auth.Model},
		func(ctx context.Context, in *NameInput) (*huma.StreamResponse, error) {
			return archive(s.parts.Work.ExportEndpoint(ctx, who(ctx), in.Name))
		})
	handle(s, op{id: "versions.artifact", method: http.MethodGet, path: "/models/{name}/versions/{number}/artifact", summary: "A version as an OCI artifact (tar of an image layout)", verb: auth.Export, resource: auth.Model},
		func(ctx context.Context, in *NumberInput) (*huma.StreamResponse, error) {
			return archive(s.parts.Work.ExportModel(ctx, who(ctx), models.Ref{Model: in.Name, Version: in.Number}))
		})
}

// archive gives an export as a file to save.
func archive(x *work.Export, err error) (*huma.StreamResponse, error) {
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		defer x.Close()
		c.SetHeader("Content-Disposition", `attachment; filename="`+x.Name+`"`)
		stream("application/x-tar", func(w io.Writer) error { return x.WriteTo(c.Context(), w) }).Body(c)
	}}, nil
}
