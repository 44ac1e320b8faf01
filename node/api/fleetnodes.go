package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"edgeward/fleet/hub"
	"edgeward/fleet/selector"
	"edgeward/fleet/spec"
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
		func(ctx context.Context, in *nodesInput) (*body[wire.List[wire.FleetNodeView]], error) {
			by, err := selector.Parse(in.Select)
			if err != nil {
				return nil, err
			}
			nodes, next := paged(s.parts.Fleet.Hub().Select(by), &in.Page, func(n hub.Node) string { return n.ID })
			out := make([]wire.FleetNodeView, len(nodes))
			for i, n := range nodes {
				out[i] = s.fleetNode(ctx, n)
			}
			return answer(listOf(out, next), nil)
		})
	handle(s, op{id: "fleet.node", method: http.MethodGet, path: "/fleet/nodes/{id}", summary: "One node", verb: auth.Read, resource: auth.Fleet},
		func(ctx context.Context, in *FleetRef) (*body[wire.FleetNodeView], error) {
			n, err := s.parts.Fleet.Hub().Node(in.ID)
			return answer(s.fleetNode(ctx, n), err)
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
				return answer(s.fleetNode(ctx, n), err)
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
				if err := s.seesPromotion(ctx, in.ID, in.Seq); err != nil {
					return nil, err
				}
				n, err := s.parts.Fleet.Hub().Choose(ctx, principal(ctx).Ref(), in.ID, in.Seq, choice, in.Body.Reason)
				return answer(s.fleetNode(ctx, n), err)
			})
	}
	handle(s, op{id: "fleet.node.place", method: http.MethodPost, path: "/fleet/nodes/{id}/place", summary: "Change a node's site, pair or tags", verb: auth.Create, resource: auth.Fleet, free: fleetOnce},
		func(ctx context.Context, in *struct {
			FleetRef
			Body wire.NodePlace
		}) (*body[wire.FleetNodeView], error) {
			n, err := s.parts.Fleet.Hub().Put(ctx, principal(ctx).Ref(), in.ID, in.Body.Where, in.Body.Reason)
			return answer(s.fleetNode(ctx, n), err)
		})
}

// seesPromotion answers for a promotion of another group as for one that is not there.
func (s *Server) seesPromotion(ctx context.Context, node string, seq uint64) error {
	n, err := s.parts.Fleet.Hub().Node(node)
	if err != nil {
		return err
	}
	mine := sees(ctx)
	if slices.ContainsFunc(n.Promotions, func(x hub.Promoted) bool { return x.Promotion.Seq == seq && !mine(x.Promotion.Key().Group) }) {
		return hub.NoPromotion(n.ID, seq)
	}
	return nil
}

// fleetNode is a node as the caller may see it.
func (s *Server) fleetNode(ctx context.Context, n hub.Node) wire.FleetNodeView {
	mine := sees(ctx)
	n.Last.Endpoints = slices.DeleteFunc(slices.Clone(n.Last.Endpoints), func(x spec.State) bool { return !mine(x.Group) })
	n.Last.Facts.Host.Loaded = slices.DeleteFunc(slices.Clone(n.Last.Facts.Host.Loaded), func(x spec.Loaded) bool { return !mine(x.Group) })
	v := wire.FleetNodeView{ID: n.ID, Name: n.Last.Facts.Name, Site: n.Site, Tags: n.Tags, Asks: n.Asks, Pair: n.Pair, Standing: n.Standing, Why: n.Why, Asked: n.Asked, Joined: n.Joined, Seen: n.Seen,
		Until: n.Until, Held: n.Held, Rev: n.Rev, Has: n.Last.Rev, Facts: n.Last.Facts, States: n.States(), Traffic: n.Last.Traffic, Queue: n.Last.Queue, Receipt: n.Receipt, Witness: n.Last.Witness,
		Promotions: slices.DeleteFunc(slices.Clone(n.Promotions), func(x hub.Promoted) bool { return !mine(x.Promotion.Key().Group) })}
	v.Online = n.Online(s.parts.Now())
	if !n.Last.At.IsZero() && !n.Got.IsZero() {
		v.Skew = n.Last.At.Sub(n.Got).Round(time.Millisecond).Seconds()
	}
	for _, b := range n.Last.Gossip.Bans {
		of, _ := s.parts.Fleet.Hub().Node(b.Node) // one that was forgotten has its id only
		v.Bans = append(v.Bans, wire.PeerBan{Ban: b, Name: cmp.Or(of.Last.Facts.Name, b.Node)})
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
