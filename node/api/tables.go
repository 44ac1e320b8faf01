package api

import (
	"context"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/wire"
)

type rowsInput struct {
	NumberInput
	Offset int64 `query:"offset" minimum:"0"`
	Limit  int   `query:"limit" minimum:"0" maximum:"1000"`
}

type bodyInput[T any] struct {
	NumberInput
	Body T
}

// tables registers what can be asked of the rows of a data set version.
func (s *Server) tables() {
	const at = "/datasets/{name}/versions/{number}"
	handle(s, op{id: "datasets.profile", method: http.MethodGet, path: at + "/profile", summary: "Per-column statistics, made once at import", verb: auth.Read, resource: auth.Dataset},
		func(ctx context.Context, in *NumberInput) (*body[wire.ProfileView], error) {
			v, p, err := s.parts.Work.Profile(ctx, principal(ctx).Group, in.Name, in.Number)
			return answer(wire.ProfileView{DataSet: in.Name, Version: v.Number, Profile: p}, err)
		})
	handle(s, op{id: "datasets.rows", method: http.MethodGet, path: at + "/rows", summary: "A page of rows", verb: auth.Read, resource: auth.Dataset},
		func(ctx context.Context, in *rowsInput) (*body[wire.Rows], error) {
			limit := in.Limit
			if limit == 0 {
				limit = 50
			}
			return answer(s.parts.Work.Rows(ctx, principal(ctx).Group, in.Name, in.Number, in.Offset, limit))
		})
	handle(s, op{id: "datasets.sql", method: http.MethodPost, path: at + "/sql", summary: "One read-only SELECT over the view data", free: onlyAsks, verb: auth.Create, resource: auth.Query},
		func(ctx context.Context, in *bodyInput[wire.SQL]) (*body[wire.Rows], error) {
			return answer(s.parts.Work.SQL(ctx, principal(ctx).Group, in.Name, in.Number, in.Body))
		})
	handle(s, op{id: "datasets.recipe", method: http.MethodPost, path: at + "/recipe", summary: "A recipe that fits this version", free: onlyAsks, verb: auth.Read, resource: auth.Recipe},
		func(ctx context.Context, in *bodyInput[wire.RecipeRequest]) (*body[wire.RecipeAnswer], error) {
			return answer(s.parts.Work.SuggestRecipe(ctx, principal(ctx).Group, in.Name, in.Number, in.Body))
		})
	handle(s, op{id: "datasets.features", method: http.MethodPost, path: at + "/features", summary: "Feature rows as serving sees them", free: onlyAsks, verb: auth.Read, resource: auth.Dataset},
		func(ctx context.Context, in *bodyInput[wire.FeaturesRequest]) (*body[wire.Features], error) {
			return answer(s.parts.Work.Features(ctx, principal(ctx).Group, in.Name, in.Number, in.Body))
		})
}
