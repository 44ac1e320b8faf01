package api

import (
	"context"
	"net/http"
	"slices"

	"edgeward/fleet/hub"
	"edgeward/fleet/overlay"
	"edgeward/node/auth"
	"edgeward/node/wire"
)

func (s *Server) fleetOverlays() {
	handle(s, op{id: "fleet.overlays", method: http.MethodGet, path: "/fleet/overlays", summary: "The documents that say how parts of the fleet are to run", verb: auth.List, resource: auth.Fleet},
		func(ctx context.Context, in *Page) (*body[wire.List[wire.OverlayView]], error) {
			group := s.groupOf(ctx)
			mine := slices.DeleteFunc(s.parts.Fleet.Hub().Overlays(), func(o hub.Overlay) bool { return o.Kind == overlay.Endpoint && o.Group != group })
			page, next := paged(mine, in, func(o hub.Overlay) string { return o.Key() })
			return answer(listOf(page, next), nil)
		})
	handle(s, op{id: "fleet.overlays.apply", method: http.MethodPost, path: "/fleet/overlays/apply", summary: "Apply documents, all or none; a version in one starts a rollout", verb: auth.Promote, resource: auth.Fleet, changes: "/fleet/overlays", maxBody: 4 << 20},
		func(ctx context.Context, in *struct{ Body wire.ApplyRequest }) (*body[wire.Applied], error) {
			more, err := overlay.Parse([]byte(in.Body.YAML))
			if err != nil {
				return nil, err
			}
			docs := append(slices.Clone(in.Body.Documents), more...)
			group, none := s.inGroup(ctx)
			for _, d := range docs { // an endpoint is of a group; all else is of the fleet
				if d.Kind == overlay.Endpoint {
					err = none
				} else {
					err = allowed(ctx, auth.Create, auth.Fleet)
				}
				if err != nil {
					return nil, err
				}
			}
			return answer(s.parts.Fleet.Hub().Apply(ctx, principal(ctx).Ref(), group, docs, in.Body.Reason, in.Body.Dry))
		})
	handle(s, op{id: "fleet.gaps", method: http.MethodGet, path: "/fleet/gaps", summary: "Endpoints that are not on a node as they are wanted, and why", verb: auth.List, resource: auth.Fleet},
		func(ctx context.Context, in *Page) (*body[wire.List[wire.FleetGap]], error) {
			mine := sees(ctx)
			gaps := slices.DeleteFunc(s.parts.Fleet.Hub().Gaps(), func(g hub.Gap) bool { return !mine(g.Endpoint.Group) })
			page, next := paged(gaps, in, func(g hub.Gap) string { return g.Node + " " + g.Endpoint.String() })
			return answer(listOf(page, next), nil)
		})
}
