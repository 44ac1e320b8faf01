package api

import (
	"context"
	"net/http"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/node/wire"
)

// FleetModelInput names a model of a group, by names.
type FleetModelInput struct {
	Group string `path:"group" maxLength:"64"`
	Model string `path:"model" maxLength:"64"`
	Days  int    `query:"days" minimum:"0" maximum:"35" doc:"newest days, 7 when absent"`
}

// FleetMatrixInput narrows the matrix.
type FleetMatrixInput struct {
	Site     string `query:"site" maxLength:"64"`
	Selector string `query:"selector" maxLength:"1000" doc:"terms with commas between them: ward=er,site=north"`
}

func (s *Server) fleetViews() {
	handle(s, op{id: "fleet.monitor", method: http.MethodGet, path: "/fleet/models/{group}/{model}/monitor", summary: "Drift and performance of a model over all nodes, merged", verb: auth.Read, resource: auth.Fleet},
		func(ctx context.Context, in *FleetModelInput) (*body[wire.FleetMonitor], error) {
			if !sees(ctx)(in.Group) { // as absent
				return nil, edgeward.E("fleet.monitor", edgeward.NotFound, "group.not_found", "no group %s, or you do not belong to it", in.Group).WithHint("edgeward group list shows yours")
			}
			return answer(s.parts.FleetViews.Monitor(ctx, in.Group, in.Model, in.Days))
		})
	handle(s, op{id: "fleet.matrix", method: http.MethodGet, path: "/fleet/matrix", summary: "Which node runs which version", verb: auth.List, resource: auth.Fleet},
		func(ctx context.Context, in *FleetMatrixInput) (*body[wire.FleetMatrix], error) {
			return answer(s.parts.FleetViews.Matrix(in.Site, in.Selector, sees(ctx)))
		})
}
