package api

import (
	"context"
	"net/http"
	"time"

	"edgeward/fleet/hub"
	"edgeward/fleet/selector"
	"edgeward/node/auth"
	"edgeward/node/wire"
)

func minutes(n int) time.Duration { return time.Duration(n) * time.Minute }

type nodesInput struct {
	Page
	Select string `query:"select" maxLength:"1000" doc:"which nodes, by their tags and by arch, name, os, pair, site, standing and version: line=3,site in (north,south),!gpu"`
}

func (s *Server) fleetNodes() {
	handle(s, op{id: "fleet.nodes", method: http.MethodGet, path: "/fleet/nodes", summary: "The fleet's nodes", verb: auth.List, resource: auth.Fleet},
		func(_ context.Context, in *nodesInput) (*body[wire.List[wire.FleetNodeView]], error) {
			by, err := selector.Parse(in.Select)
			if err != nil {
				return nil, err
			}
			nodes, next := paged(s.parts.Fleet.Hub().Select(by), &in.Page, func(n hub.Node) string { return n.ID })
			out := make([]wire.FleetNodeView, len(nodes))
			for i, n := range nodes {
				out[i] = s.fleetNode(n)
			}
			return answer(listOf(out, next), nil)
		})
	handle(s, op{id: "fleet.node", method: http.MethodGet, path: "/fleet/nodes/{id}", summary: "One node", verb: auth.Read, resource: auth.Fleet},
		func(_ context.Context, in *FleetRef) (*body[wire.FleetNodeView], error) {
			n, err := s.parts.Fleet.Hub().Node(in.ID)
			return answer(s.fleetNode(n), err)
		})
	for verdict, summary := range map[hub.Verdict]string{
		hub.Approve: "Let a node in: one that asks, or one that was declined, revoked or put in quarantine",
		hub.Decline: "Decline a node that asks",
		hub.Revoke:  "Take a node's certificate from it",
		hub.Forget:  "Forget a node that is no member",
	} {
		handle(s, op{id: "fleet.node." + string(verdict), method: http.MethodPost, path: "/fleet/nodes/{id}/" + string(verdict), summary: summary, verb: auth.Create, resource: auth.Fleet, free: fleetOnce},
			func(ctx context.Context, in *struct {
				FleetRef
				Body wire.NodeVerdict
			}) (*body[wire.FleetNodeView], error) {
				n, err := s.parts.Fleet.Hub().Decide(ctx, principal(ctx).Ref(), in.ID, verdict, in.Body.Reason)
				return answer(s.fleetNode(n), err)
			})
	}
	for choice, summary := range map[hub.Choice]string{
		hub.Adopt:  "A version that a node promoted by itself is to become one of the fleet",
		hub.Return: "The hub's version counts again where a node promoted one by itself",
	} {
		handle(s, op{id: "fleet.node.promotion." + string(choice), method: http.MethodPost, path: "/fleet/nodes/{id}/promotions/{seq}/" + string(choice), summary: summary, verb: auth.Promote, resource: auth.Fleet, free: fleetOnce},
			func(ctx context.Context, in *struct {
				FleetRef
				Seq  uint64 `path:"seq" minimum:"1"`
				Body wire.NodeVerdict
			}) (*body[wire.FleetNodeView], error) {
				n, err := s.parts.Fleet.Hub().Choose(ctx, principal(ctx).Ref(), in.ID, in.Seq, choice, in.Body.Reason)
				return answer(s.fleetNode(n), err)
			})
	}
	handle(s, op{id: "fleet.node.place", method: http.MethodPost, path: "/fleet/nodes/{id}/place", summary: "Change a node's site, pair or tags", verb: auth.Create, resource: auth.Fleet, free: fleetOnce},
		func(ctx context.Context, in *struct {
			FleetRef
			Body wire.NodePlace
		}) (*body[wire.FleetNodeView], error) {
			n, err := s.parts.Fleet.Hub().Put(ctx, principal(ctx).Ref(), in.ID, in.Body.Where, in.Body.Reason)
			return answer(s.fleetNode(n), err)
		})
}

func (s *Server) fleetNode(n hub.Node) wire.FleetNodeView {
	v := wire.FleetNodeView{ID: n.ID, Name: n.Last.Facts.Name, Site: n.Site, Tags: n.Tags, Pair: n.Pair, Standing: n.Standing, Why: n.Why, Asked: n.Asked, Joined: n.Joined, Seen: n.Seen,
		Until: n.Until, Held: n.Held, Rev: n.Rev, Has: n.Last.Rev, Facts: n.Last.Facts, States: n.States(), Traffic: n.Last.Traffic, Queue: n.Last.Queue, Receipt: n.Receipt, Promotions: n.Promotions}
	v.Online = n.Online(s.parts.Now())
	if !n.Last.At.IsZero() && !n.Got.IsZero() {
		v.Skew = n.Last.At.Sub(n.Got).Round(time.Millisecond).Seconds()
	}
	return v
}

// paged is a page of a list that is in memory, ordered by id.
func paged[T any](all []T, in *Page, id func(T) string) (page []T, next string) {
	limit := in.Limit
	if limit <= 0 {
		limit = 100
	}
	for _, v := range all {
		if in.Cursor != "" && id(v) <= in.Cursor {
			continue
		}
		if len(page) == limit {
			return page, id(page[len(page)-1])
		}
		page = append(page, v)
	}
	return page, ""
}
