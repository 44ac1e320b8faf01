package api

import (
	"context"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/store"
	"edgeward/node/wire"
	"edgeward/runtime/models"
)

type trainInput struct {
	Name string `path:"name" maxLength:"63"`
	Body wire.TrainRequest
}

type aliasInput struct {
	Name  string `path:"name" maxLength:"63"`
	Alias string `path:"alias" maxLength:"63"`
	Body  wire.AliasRequest
}

func (s *Server) models() {
	handle(s, op{id: "models.list", method: http.MethodGet, path: "/models", summary: "Models", verb: auth.List, resource: auth.Model},
		func(ctx context.Context, in *Page) (*body[wire.List[models.Model]], error) {
			items, next, err := s.parts.Store.ListModels(ctx, principal(ctx).Group, store.Page{Cursor: in.Cursor, Limit: in.Limit})
			return answer(listOf(items, next), err)
		})
	handle(s, op{id: "models.get", method: http.MethodGet, path: "/models/{name}", summary: "A model with its versions", verb: auth.Read, resource: auth.Model}, s.model)
	handle(s, op{id: "models.delete", method: http.MethodDelete, path: "/models/{name}", summary: "Remove a model that stands behind no endpoint", changes: "/models/{name}", verb: auth.Delete, resource: auth.Model},
		func(ctx context.Context, in *NameInput) (*struct{}, error) {
			return nil, s.parts.Work.RemoveModel(ctx, who(ctx), in.Name)
		})
	handle(s, op{id: "models.train", method: http.MethodPost, path: "/models/{name}/train", summary: "Train a version from a data set and a recipe", changes: "/models/{name}", verb: auth.Create, resource: auth.Version,
		status: http.StatusAccepted},
		func(ctx context.Context, in *trainInput) (*accepted, error) {
			if err := mayDemo(ctx, in.Body.Demo); err != nil {
				return nil, err
			}
			job, err := s.parts.Work.Train(ctx, who(ctx), in.Name, in.Body)
			if err != nil {
				return nil, err
			}
			return &accepted{"/api/v1/jobs/" + job.ID, job}, nil
		})
	handle(s, op{id: "models.alias", method: http.MethodPut, path: "/models/{name}/aliases/{alias}", summary: "Point an alias at a version", changes: "/models/{name}", verb: auth.Update, resource: auth.Model},
		func(ctx context.Context, in *aliasInput) (*body[models.Model], error) {
			return answer(s.parts.Work.MoveAlias(ctx, who(ctx), in.Name, in.Alias, in.Body))
		})
}

// model serves GET /api/v1/models/{name}.
func (s *Server) model(ctx context.Context, in *NameInput) (*body[wire.ModelView], error) {
	group := principal(ctx).Group
	m, err := s.parts.Store.Model(ctx, group, in.Name)
	if err != nil {
		return nil, err
	}
	versions, _, err := s.parts.Store.ModelVersions(ctx, group, in.Name, store.Page{Limit: 200})
	if err != nil {
		return nil, err
	}
	behind, err := s.parts.Store.EndpointsOf(ctx, group, in.Name)
	if err != nil {
		return nil, err
	}
	view := wire.ModelView{Model: m, Versions: versions, Endpoints: []string{}}
	for _, d := range behind {
		view.Endpoints = append(view.Endpoints, d.Endpoint.Name)
	}
	return answer(view, nil)
}
