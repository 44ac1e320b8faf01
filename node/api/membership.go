package api

import (
	"context"
	"net/http"
	"slices"

	"edgeward/fleet/agent"
	"edgeward/fleet/spec"
	"edgeward/node/auth"
	"edgeward/node/wire"
)

func (s *Server) membership() {
	handle(s, op{id: "membership.get", method: http.MethodGet, path: "/fleet/membership", summary: "The fleet this server is a node of", verb: auth.Read, resource: auth.Fleet},
		func(ctx context.Context, _ *nothing) (*body[wire.FleetMembership], error) {
			m, err := s.parts.Fleet.Membership(ctx)
			return answer(membershipFor(ctx, m), err)
		})
	handle(s, op{id: "site.get", method: http.MethodGet, path: "/fleet/site", summary: "The other servers of this node's site, as gossip shows them", verb: auth.Read, resource: auth.Fleet},
		func(ctx context.Context, _ *nothing) (*body[wire.FleetSite], error) {
			return answer(s.parts.Fleet.Site(ctx))
		})
	handle(s, op{id: "membership.join", method: http.MethodPost, path: "/fleet/membership", summary: "Join a fleet by a code", verb: auth.Create, resource: auth.Fleet, free: makesNew},
		func(ctx context.Context, in *struct{ Body wire.JoinRequest }) (*body[wire.FleetMembership], error) {
			join := s.parts.Fleet.Join
			if in.Body.ByFile {
				join = s.parts.Fleet.JoinByFile
			}
			return answer(join(ctx, principal(ctx).Ref(), in.Body.Code, in.Body.Tags))
		})
	handle(s, op{id: "membership.promote", method: http.MethodPost, path: "/fleet/membership/promotions", summary: "While the hub is away: put a version that was trained here behind an endpoint of the fleet, if its policy allows it", verb: auth.Promote, resource: auth.Endpoint, free: fleetOnce},
		func(ctx context.Context, in *struct{ Body wire.OwnRequest }) (*body[spec.Promotion], error) {
			p := principal(ctx)
			return answer(s.parts.Fleet.PromoteOwn(ctx, p.Ref(), p.Group, in.Body.Endpoint, in.Body.Version, in.Body.Reason))
		})
	handle(s, op{id: "membership.take", method: http.MethodPost, path: "/fleet/membership/promotions/take", summary: "While the hub is away: put a version that another server of the site promoted by itself behind the same endpoint here, if its policy allows it", verb: auth.Promote, resource: auth.Endpoint, free: fleetOnce},
		func(ctx context.Context, in *struct{ Body wire.OwnTake }) (*body[spec.Promotion], error) {
			p := principal(ctx)
			return answer(s.parts.Fleet.TakeOwn(ctx, p.Ref(), p.Team, in.Body.Endpoint, in.Body.From, in.Body.Reason))
		})
	handle(s, op{id: "membership.takeback", method: http.MethodPost, path: "/fleet/membership/promotions/return", summary: "Let the hub's version answer again behind an endpoint of the fleet", verb: auth.Promote, resource: auth.Endpoint, free: fleetOnce},
		func(ctx context.Context, in *struct{ Body wire.OwnReturn }) (*body[wire.FleetMembership], error) {
			p := principal(ctx)
			m, err := s.parts.Fleet.TakeBack(ctx, p.Ref(), p.Team, in.Body.Endpoint, in.Body.Reason)
			return answer(membershipFor(ctx, m), err)
		})
	handle(s, op{id: "membership.leave", method: http.MethodPost, path: "/fleet/membership/leave", summary: "Leave the fleet; endpoints stay as they are", verb: auth.Create, resource: auth.Fleet, free: fleetOnce},
		func(ctx context.Context, _ *nothing) (*body[wire.FleetLeft], error) {
			told, err := s.parts.Fleet.Leave(ctx, principal(ctx).Ref(), "")
			return answer(wire.FleetLeft{Told: told}, err)
		})
}

// membershipFor is m as the caller may see it.
func membershipFor(ctx context.Context, m wire.FleetMembership) wire.FleetMembership {
	mine := sees(ctx)
	m.Items = slices.DeleteFunc(m.Items, func(x spec.State) bool { return !mine(x.Group) })
	m.Promotions = slices.DeleteFunc(slices.Clone(m.Promotions), func(x agent.Promoted) bool { return !mine(x.Promotion.Key().Group) })
	m.Offers = slices.DeleteFunc(m.Offers, func(x agent.Offered) bool { return !mine(x.Promotion.Key().Group) })
	return m
}
