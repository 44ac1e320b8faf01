package role

import (
	"context"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/spec"
	"edgeward/node/wire"
)

// sign signs with the key of this node's certificate of today.
func (r *Role) sign(purpose string, b []byte) (cert, sig []byte, err error) {
	m, err := r.p.Store.Membership(context.Background())
	if err != nil {
		return nil, nil, err
	}
	if len(m.Identity.Chain) == 0 {
		return nil, nil, edgeward.E("role.sign", edgeward.Conflict, "fleet.no_member", "this server is in no fleet")
	}
	sig, err = m.Identity.Sign(purpose, b)
	return m.Identity.Chain[0], sig, err
}

// following is the agent, while this server is a node.
func (r *Role) following() (*agent.Agent, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.agent == nil {
		return nil, edgeward.E("role", edgeward.Conflict, "fleet.no_member", "this server is in no fleet")
	}
	return r.agent, nil
}

// PromoteOwn puts a version that was trained on this server behind an endpoint of the fleet, if the fleet's policy lets it. group is an id.
func (r *Role) PromoteOwn(ctx context.Context, by, group, endpoint string, version int, reason string) (spec.Promotion, error) {
	a, err := r.following()
	if err != nil {
		return spec.Promotion{}, err
	}
	o, err := r.p.Own(ctx, group, endpoint, version)
	if err != nil {
		return spec.Promotion{}, err
	}
	o.By, o.Reason = by, reason
	return a.Promote(ctx, o)
}

// TakeOwn puts a version that another server of the site promoted by itself behind the same endpoint here, if the fleet's policy lets a person. group is
// a name; from is a server's id or name, and "" where one alone offers.
func (r *Role) TakeOwn(ctx context.Context, by, group, endpoint, from, reason string) (spec.Promotion, error) {
	a, err := r.following()
	if err != nil {
		return spec.Promotion{}, err
	}
	return a.TakeOffer(ctx, by, spec.Key{Group: group, Name: endpoint}, from, reason)
}

// TakeBack lets the hub's version answer again behind an endpoint where one of this server's own does. group is a name.
func (r *Role) TakeBack(ctx context.Context, by, group, endpoint, reason string) (wire.FleetMembership, error) {
	a, err := r.following()
	if err == nil {
		err = a.TakeBack(ctx, by, spec.Key{Group: group, Name: endpoint}, reason)
	}
	if err != nil {
		return wire.FleetMembership{}, err
	}
	return r.Membership(ctx)
}
