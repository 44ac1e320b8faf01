package api

import (
	"context"
	"net/http"
	"time"

	"edgeward/node/auth"
	"edgeward/node/wire"
)

type windowInput struct {
	NameInput
	From    time.Time `query:"from" doc:"first target, included"`
	To      time.Time `query:"to" doc:"last target, included"`
	Group   string    `query:"group" maxLength:"200"`
	Version int       `query:"version" minimum:"0"`
}

// forecasts registers the views that join what was said with what happened.
func (s *Server) forecasts() {
	handle(s, op{id: "endpoints.forecast", method: http.MethodGet, path: "/endpoints/{name}/forecast", summary: "The newest forecast of each series and how far to trust it", verb: auth.Read, resource: auth.Prediction},
		func(ctx context.Context, in *NameInput) (*body[wire.ForecastView], error) {
			return answer(s.parts.Views.Forecast(ctx, key(ctx, in.Name)))
		})
	handle(s, op{id: "endpoints.series", method: http.MethodGet, path: "/endpoints/{name}/series", summary: "Forecast against truth, by target", verb: auth.Read, resource: auth.Prediction},
		func(ctx context.Context, in *windowInput) (*body[wire.List[wire.SeriesPoint]], error) {
			items, err := s.parts.Views.Series(ctx, key(ctx, in.Name), in.From, in.To, in.Group, in.Version)
			return answer(listOf(items, ""), err)
		})
	handle(s, op{id: "endpoints.performance", method: http.MethodGet, path: "/endpoints/{name}/performance", summary: "Error by version and series between two targets", verb: auth.Read, resource: auth.Prediction},
		func(ctx context.Context, in *windowInput) (*body[wire.List[wire.Performance]], error) {
			items, err := s.parts.Views.Performance(ctx, key(ctx, in.Name), in.From, in.To)
			return answer(listOf(items, ""), err)
		})
}
