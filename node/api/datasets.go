package api

import (
	"context"
	"net/http"
	"strings"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/node/store"
	"edgeward/node/wire"
	"edgeward/node/work"
	"edgeward/runtime/datasets"
	"edgeward/runtime/jobs"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
)

// NameInput is the input of operations on a named thing. Embedded inputs are exported, or huma would not see them.
type NameInput struct {
	Name string `path:"name" maxLength:"63"`
}

// NumberInput is the input of operations on a numbered version.
type NumberInput struct {
	Name   string `path:"name" maxLength:"63"`
	Number int    `path:"number" minimum:"0" doc:"0 is the newest"`
}

type uploadInput struct {
	Name        string `path:"name" maxLength:"63"`
	Filename    string `query:"filename" maxLength:"200"`
	Message     string `query:"message" maxLength:"1000"`
	Description string `query:"description" maxLength:"1000"`
	Types       string `query:"types" maxLength:"4000" doc:"column:type pairs joined by commas, such as code:text,price:float"`
	Licence     string `query:"licence" maxLength:"200"`
	Attribution string `query:"attribution" maxLength:"4000"`
	Note        string `query:"note" maxLength:"1000"`
	Demo        bool   `query:"demo"`
	Key         string `header:"Idempotency-Key" maxLength:"200"`

	upload
}

// upload is the body of an operation that streams it; huma must not read it.
type upload struct{ r *http.Request }

// Resolve keeps the request for the handler.
func (u *upload) Resolve(c huma.Context) []error {
	u.r = humaecho.Unwrap(c).Request()
	return nil
}

type accepted struct {
	Location string `header:"Location"`
	Body     jobs.Job
}

func (s *Server) datasets() {
	handle(s, op{id: "datasets.list", method: http.MethodGet, path: "/datasets", summary: "Data sets", verb: auth.List, resource: auth.Dataset},
		func(ctx context.Context, in *Page) (*body[wire.List[wire.DatasetView]], error) {
			items, next, err := s.parts.Store.ListDatasets(ctx, principal(ctx).Group, store.Page{Cursor: in.Cursor, Limit: in.Limit})
			views := make([]wire.DatasetView, len(items))
			for i, d := range items {
				views[i] = s.datasetView(ctx, d)
			}
			return answer(listOf(views, next), err)
		})
	handle(s, op{id: "datasets.get", method: http.MethodGet, path: "/datasets/{name}", summary: "A data set with its newest version", verb: auth.Read, resource: auth.Dataset},
		func(ctx context.Context, in *NameInput) (*body[wire.DatasetView], error) {
			d, err := s.parts.Store.Dataset(ctx, principal(ctx).Group, in.Name)
			if err != nil {
				return nil, err
			}
			return answer(s.datasetView(ctx, d), nil)
		})
	handle(s, op{id: "datasets.delete", method: http.MethodDelete, path: "/datasets/{name}", summary: "Remove a data set that no model was made of", changes: "/datasets/{name}", verb: auth.Delete, resource: auth.Dataset},
		func(ctx context.Context, in *NameInput) (*struct{}, error) {
			return nil, s.parts.Work.RemoveDataset(ctx, who(ctx), in.Name)
		})
	handle(s, op{id: "datasets.import", method: http.MethodPost, path: "/datasets/{name}/versions", summary: "Import a CSV or Parquet file as the next version", changes: "/datasets/{name}", verb: auth.Create, resource: auth.Dataset,
		status: http.StatusAccepted, maxBody: -1}, s.importDataset)
	handle(s, op{id: "datasets.versions", method: http.MethodGet, path: "/datasets/{name}/versions", summary: "Versions of a data set, newest first", verb: auth.Read, resource: auth.Dataset},
		func(ctx context.Context, in *struct {
			NameInput
			Page
		}) (*body[wire.List[datasets.Version]], error) {
			group := principal(ctx).Group
			if _, err := s.parts.Store.Dataset(ctx, group, in.Name); err != nil {
				return nil, err
			}
			items, next, err := s.parts.Store.DatasetVersions(ctx, group, in.Name, store.Page{Cursor: in.Cursor, Limit: in.Limit})
			return answer(listOf(items, next), err)
		})
	handle(s, op{id: "datasets.version", method: http.MethodGet, path: "/datasets/{name}/versions/{number}", summary: "One version of a data set", verb: auth.Read, resource: auth.Dataset},
		func(ctx context.Context, in *NumberInput) (*body[datasets.Version], error) {
			return answer(s.parts.Store.Version(ctx, principal(ctx).Group, in.Name, in.Number))
		})
}

func (s *Server) datasetView(ctx context.Context, d datasets.Dataset) wire.DatasetView {
	view := wire.DatasetView{Dataset: d}
	if v, err := s.parts.Store.Version(ctx, d.Group, d.Name, 0); err == nil {
		view.Latest = &v
	}
	return view
}

// importDataset streams the body into the blob store and queues the import of what came.
func (s *Server) importDataset(ctx context.Context, in *uploadInput) (*accepted, error) {
	if err := mayDemo(ctx, in.Demo); err != nil {
		return nil, err
	}
	types, err := columnTypes(in.Types)
	if err != nil {
		return nil, err
	}
	if in.r.ContentLength == 0 {
		return nil, edgeward.E("api.import", edgeward.Invalid, "dataset.empty", "the file is empty").WithHint("send the CSV or Parquet file as the body")
	}
	job, err := s.parts.Work.Import(ctx, who(ctx), in.r.Body, work.ImportSpec{DataSet: in.Name, Description: in.Description, Types: types, Message: in.Message, Demo: in.Demo,
		Source: datasets.Source{File: in.Filename, Licence: in.Licence, Attribution: in.Attribution, Note: in.Note}}, in.Key)
	if err != nil {
		return nil, err
	}
	return &accepted{"/api/v1/jobs/" + job.ID, job}, nil
}

func columnTypes(s string) (map[string]datasets.Type, error) {
	if s == "" {
		return nil, nil
	}
	out := map[string]datasets.Type{}
	for pair := range strings.SplitSeq(s, ",") {
		i := strings.LastIndexByte(pair, ':')
		if i < 1 {
			return nil, edgeward.E("api.import", edgeward.Invalid, "dataset.types", "%q is not column:type", clip(pair)).WithHint("write types=code:text,price:float")
		}
		t, err := datasets.ParseType(pair[i+1:])
		if err != nil {
			return nil, err
		}
		out[pair[:i]] = t
	}
	return out, nil
}

// who is the principal as work and events name it.
func who(ctx context.Context) work.Who {
	return whoIs(principal(ctx))
}
