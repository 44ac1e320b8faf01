package api

import (
	"context"
	"io"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/wire"
	"edgeward/node/work"
	"edgeward/runtime/models"

	"github.com/danielgtaylor/huma/v2"
)

type importModelInput struct {
	Name        string      `path:"name" maxLength:"63"`
	Filename    string      `query:"filename" maxLength:"200"`
	Description string      `query:"description" maxLength:"1000"`
	IntendedUse string      `query:"intended_use" maxLength:"2000"`
	Task        models.Task `query:"task" enum:"image,regression,binary,multiclass,raw"`
	Image       string      `query:"image" maxLength:"16384" doc:"how JPEG and PNG pictures become an input: default fills all in from the signature; else the short form such as resize=256,crop=224,scale=1/255 or JSON, see docs/image-inputs.md"`
	Demo        bool        `query:"demo"`

	upload
}

// imported is 201 for a new version, 200 for one that was there.
type imported struct {
	Status int
	Body   wire.ImportedVersion
}

type fileInput struct {
	NumberInput
	File string `path:"file" maxLength:"200"`
}

func (s *Server) versions() {
	handle(s, op{id: "versions.import", method: http.MethodPost, path: "/models/{name}/versions", summary: "Import a model file, or an archive of one, as the next version", changes: "/models/{name}", verb: auth.Create, resource: auth.Version,
		status: http.StatusCreated, maxBody: -1},
		func(ctx context.Context, in *importModelInput) (*imported, error) {
			if err := mayDemo(ctx, in.Demo); err != nil {
				return nil, err
			}
			v, err := s.parts.Work.AddModel(ctx, who(ctx), in.r.Body, work.ModelSpec{Model: in.Name, File: in.Filename, Description: in.Description,
				IntendedUse: in.IntendedUse, Task: in.Task, Image: in.Image, Demo: in.Demo})
			if err != nil {
				return nil, err
			}
			if v.Existing {
				return &imported{http.StatusOK, v}, nil
			}
			return &imported{http.StatusCreated, v}, nil
		})
	handle(s, op{id: "versions.get", method: http.MethodGet, path: "/models/{name}/versions/{number}", summary: "One version with its manifest", verb: auth.Read, resource: auth.Version},
		func(ctx context.Context, in *NumberInput) (*body[models.Version], error) {
			return answer(s.parts.Store.ModelVersion(ctx, principal(ctx).Group, models.Ref{Model: in.Name, Version: in.Number}))
		})
	handle(s, op{id: "versions.card", method: http.MethodGet, path: "/models/{name}/versions/{number}/card", summary: "The model card, Markdown", verb: auth.Read, resource: auth.Version},
		func(ctx context.Context, in *NumberInput) (*huma.StreamResponse, error) {
			v, err := s.parts.Store.ModelVersion(ctx, principal(ctx).Group, models.Ref{Model: in.Name, Version: in.Number})
			if err != nil {
				return nil, err
			}
			return stream("text/markdown; charset=utf-8", func(w io.Writer) error {
				_, err := io.WriteString(w, v.Card())
				return err
			}), nil
		})
	handle(s, op{id: "versions.file", method: http.MethodGet, path: "/models/{name}/versions/{number}/files/{file}", summary: "A file of a version", verb: auth.Read, resource: auth.Version},
		func(ctx context.Context, in *fileInput) (*huma.StreamResponse, error) {
			r, err := s.parts.Work.ModelFile(ctx, principal(ctx).Group, models.Ref{Model: in.Name, Version: in.Number}, in.File)
			if err != nil {
				return nil, err
			}
			return stream("application/octet-stream", func(w io.Writer) error {
				defer r.Close()
				_, err := io.Copy(w, r)
				return err
			}), nil
		})
}

type benchInput struct {
	NumberInput
	Body wire.BenchRequest
}

// bench registers the measurement of a version.
func (s *Server) bench() {
	handle(s, op{id: "versions.bench", method: http.MethodPost, path: "/models/{name}/versions/{number}/bench", summary: "Measure a version alone: calls and rows a second, and how long a call takes", free: measures, verb: auth.Create, resource: auth.Version},
		func(ctx context.Context, in *benchInput) (*body[wire.Bench], error) {
			return answer(s.parts.Work.Bench(ctx, who(ctx), models.Ref{Model: in.Name, Version: in.Number}, in.Body))
		})
}

// stream answers with bytes that are written as they are made.
func stream(contentType string, write func(io.Writer) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", contentType)
		if err := write(c.BodyWriter()); err != nil {
			panic(http.ErrAbortHandler) // the head is out: a cut connection is the only honest answer
		}
	}}
}
