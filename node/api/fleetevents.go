package api

import (
	"context"
	"net/http"

	"edgeward/fleet/hub"
	"edgeward/fleet/spec"
	"edgeward/node/auth"
	"edgeward/node/wire"
)

type fleetEventsInput struct {
	Page
	Node  string `query:"node" maxLength:"64" doc:"id of a node; absent: all"`
	Class string `query:"class" enum:"audit,alert,drift,performance" doc:"absent: all"`
}

func (s *Server) fleetEvents() {
	handle(s, op{id: "fleet.events", method: http.MethodGet, path: "/fleet/events", summary: "Events of the fleet's nodes, the newest first; each once, whichever way it came", verb: auth.List, resource: auth.Fleet},
		func(ctx context.Context, in *fleetEventsInput) (*body[wire.FleetEventsView], error) {
			h, mine := s.parts.Fleet.Hub(), sees(ctx)
			var v wire.FleetEventsView
			if in.Node != "" {
				if _, err := h.Node(in.Node); err != nil {
					return nil, err
				}
				t, err := h.Tally(ctx, in.Node)
				if err != nil {
					return nil, err
				}
				v.Tally = &t
			}
			page, next, err := h.Events(ctx, hub.EventQuery{Node: in.Node, Class: spec.Class(in.Class), Cursor: in.Cursor, Limit: in.Limit, Sees: func(group string) bool { return group == "" || mine(group) }})
			v.List = listOf(page, next)
			return answer(v, err)
		})
}
