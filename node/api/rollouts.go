package api

import (
	"context"
	"net/http"
	"slices"

	"edgeward/fleet/hub"
	"edgeward/node/auth"
	"edgeward/node/wire"
)

func (s *Server) rollouts() {
	handle(s, op{id: "rollouts.list", method: http.MethodGet, path: "/fleet/rollouts", summary: "Rollouts, the newest first", verb: auth.List, resource: auth.Fleet},
		func(ctx context.Context, in *Page) (*body[wire.List[wire.RolloutView]], error) {
			mine := sees(ctx)
			all := slices.DeleteFunc(s.parts.Fleet.Hub().Rollouts(), func(m hub.Move) bool { return !mine(m.Endpoint.Group) })
			slices.SortFunc(all, func(a, b hub.Move) int { return b.Created.Compare(a.Created) })
			if in.Cursor != "" {
				if i := slices.IndexFunc(all, func(m hub.Move) bool { return m.ID == in.Cursor }); i >= 0 {
					all = all[i+1:]
				}
			}
			limit, next := in.Limit, ""
			if limit <= 0 {
				limit = 100
			}
			if len(all) > limit {
				all, next = all[:limit], all[limit-1].ID
			}
			out := make([]wire.RolloutView, len(all))
			for i, m := range all {
				out[i] = s.rolloutView(m)
			}
			return answer(listOf(out, next), nil)
		})
	handle(s, op{id: "rollouts.create", method: http.MethodPost, path: "/fleet/rollouts", summary: "Roll a signed version out to the fleet, in waves", verb: auth.Promote, resource: auth.Fleet, status: http.StatusCreated, free: makesNew},
		func(ctx context.Context, in *struct{ Body wire.RolloutRequest }) (*body[wire.RolloutView], error) {
			group, err := s.inGroup(ctx)
			if in.Body.Binary != "" { // an endpoint is of a group; the program is of the whole server
				err = allowed(ctx, auth.Create, auth.Fleet)
			}
			if err != nil {
				return nil, err
			}
			m, err := s.parts.Fleet.Hub().StartRollout(ctx, principal(ctx).Ref(), group, in.Body)
			return answer(s.rolloutView(m), err)
		})
	handle(s, op{id: "rollouts.get", method: http.MethodGet, path: "/fleet/rollouts/{id}", summary: "One rollout with its nodes", verb: auth.Read, resource: auth.Fleet},
		func(ctx context.Context, in *FleetRef) (*body[wire.RolloutView], error) {
			m, err := s.rollout(ctx, in.ID)
			return answer(s.rolloutView(m), err)
		})
	for word, summary := range map[string]string{
		"approve": "Let a rollout, or its next wave, begin",
		"pause":   "Tell no further node",
		"resume":  "Go on with a paused rollout",
		"abort":   "End a rollout: nodes that have the new version go back",
		"now":     "Let a rollout's nodes wait for no maintenance window; needs a reason",
	} {
		handle(s, op{id: "rollouts." + word, method: http.MethodPost, path: "/fleet/rollouts/{id}/" + word, summary: summary, verb: auth.Promote, resource: auth.Fleet, free: fleetOnce},
			func(ctx context.Context, in *struct {
				FleetRef
				Body wire.RolloutWord
			}) (*body[wire.RolloutView], error) {
				m, err := s.rollout(ctx, in.ID)
				if err != nil {
					return nil, err
				}
				if m.Endpoint.Binary() && word != "pause" && word != "abort" {
					if err := allowed(ctx, auth.Create, auth.Fleet); err != nil {
						return nil, err
					}
				}
				m, err = s.parts.Fleet.Hub().Say(ctx, principal(ctx).Ref(), in.ID, word, in.Body.Reason)
				return answer(s.rolloutView(m), err)
			})
	}
}

// rollout returns one that the caller may see.
func (s *Server) rollout(ctx context.Context, id string) (hub.Move, error) {
	m, err := s.parts.Fleet.Hub().Rollout(id)
	if err == nil && !sees(ctx)(m.Endpoint.Group) {
		return hub.Move{}, hub.NoRollout(id)
	}
	return m, err
}

func (s *Server) rolloutView(m hub.Move) wire.RolloutView {
	v := wire.RolloutView{Move: m, Nodes: []wire.RolloutNode{}}
	now := s.parts.Now()
	for _, p := range s.parts.Fleet.Hub().Places(m) {
		v.Nodes = append(v.Nodes, wire.RolloutNode{ID: p.Node.ID, Name: p.Node.Last.Facts.Name, Site: p.Node.Site, Wave: p.Wave, Told: p.Told,
			Online: now.Sub(p.Node.Seen) < hub.Online, State: p.State})
	}
	return v
}
