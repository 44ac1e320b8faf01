package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"edgeward/fleet/hub"
	"edgeward/fleet/spec"
	"edgeward/node/auth"
	"edgeward/node/wire"
	"edgeward/sync/tuf"
)

// Refuse writes err as this API does, for handlers that are not its own.
func Refuse(w http.ResponseWriter, err error) {
	p := problemOf(err, "")
	for k, v := range p.header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p.Problem)
}

// FleetRef names a code, node or rollout of the fleet. It is exported because huma fills embedded fields of exported types only.
type FleetRef struct {
	ID string `path:"id" maxLength:"64"`
}

// fleetOnce is why changes of the fleet take no If-Match.
const fleetOnce = "the hub takes each word once: it names the proposal, code or rollout it means, and what does not fit its state is refused"

func (s *Server) fleet() {
	handle(s, op{id: "fleet.get", method: http.MethodGet, path: "/fleet", summary: "The fleet this server is the hub of", verb: auth.Read, resource: auth.Fleet},
		func(ctx context.Context, _ *nothing) (*body[wire.FleetView], error) {
			return answer(s.fleetView(ctx))
		})
	handle(s, op{id: "fleet.found", method: http.MethodPost, path: "/fleet", summary: "Make this server the hub of a new fleet", verb: auth.Create, resource: auth.Fleet, status: http.StatusCreated, free: makesNew},
		func(ctx context.Context, in *struct{ Body wire.FleetRequest }) (*body[wire.FleetView], error) {
			if _, err := s.parts.Fleet.Found(ctx, principal(ctx).Ref(), in.Body.Name, in.Body.Hubs, in.Body.Proposal); err != nil {
				return nil, err
			}
			return answer(s.fleetView(ctx))
		})
	handle(s, op{id: "fleet.set", method: http.MethodGet, path: "/fleet/trust", summary: "The signed files of the fleet, for who signs: they name versions of all groups", verb: auth.Promote, resource: auth.Fleet},
		func(context.Context, *nothing) (*body[tuf.Set], error) {
			return answer(s.parts.Fleet.Hub().Fleet().Set, nil)
		})
	handle(s, op{id: "fleet.hubkey", method: http.MethodPost, path: "/fleet/hub-key", summary: "Make the key that is to follow the hub's; a charter has to name it", verb: auth.Promote, resource: auth.Fleet, free: fleetOnce},
		func(ctx context.Context, _ *nothing) (*body[wire.HubKey], error) {
			k, err := s.parts.Fleet.NextHubKey(ctx)
			return answer(wire.HubKey{Key: k}, err)
		})
	handle(s, op{id: "fleet.authority", method: http.MethodGet, path: "/fleet/authority", summary: "The fleet's certificate authorities that count, and who still has a certificate of another than issues", verb: auth.Read, resource: auth.Fleet},
		func(context.Context, *nothing) (*body[wire.FleetAuthority], error) {
			x, err := s.parts.Fleet.Hub().Succession()
			out := wire.FleetAuthority{Succession: x}
			for _, n := range x.Waiting {
				out.Waiting = append(out.Waiting, wire.AuthorityWaits{ID: n.ID, Name: n.Last.Facts.Name, Seen: n.Seen})
			}
			return answer(out, err)
		})
	handle(s, op{id: "fleet.authority.next", method: http.MethodPost, path: "/fleet/authority/next", summary: "Make the certificate authority that is to follow the fleet's; a charter has to name it", verb: auth.Promote, resource: auth.Fleet, free: fleetOnce},
		func(ctx context.Context, _ *nothing) (*body[wire.NextAuthority], error) {
			current, next, err := s.parts.Fleet.NextAuthority(ctx)
			return answer(wire.NextAuthority{Current: current, Next: next}, err)
		})
	handle(s, op{id: "fleet.codes", method: http.MethodGet, path: "/fleet/codes", summary: "Join codes, without their secrets", verb: auth.Create, resource: auth.Fleet},
		func(context.Context, *nothing) (*body[wire.List[wire.CodeView]], error) {
			var out []wire.CodeView
			for _, c := range s.parts.Fleet.Hub().Codes() {
				out = append(out, wire.CodeView{Code: c})
			}
			return answer(listOf(out, ""), nil)
		})
	handle(s, op{id: "fleet.code", method: http.MethodPost, path: "/fleet/codes", summary: "Make a join code; its text is shown this once", verb: auth.Create, resource: auth.Fleet, status: http.StatusCreated, free: makesNew},
		func(ctx context.Context, in *struct{ Body wire.CodeRequest }) (*body[wire.CodeView], error) {
			c, text, err := s.parts.Fleet.Hub().CreateCode(ctx, principal(ctx).Ref(), hub.CodeRequest{Site: in.Body.Site, Auto: in.Body.Auto, Tags: in.Body.Tags, Uses: in.Body.Uses, Life: minutes(in.Body.Minutes), Reason: in.Body.Reason})
			c.Secret = ""
			return answer(wire.CodeView{Code: c, Text: text}, err)
		})
	handle(s, op{id: "fleet.code.revoke", method: http.MethodDelete, path: "/fleet/codes/{id}", summary: "End a join code", verb: auth.Create, resource: auth.Fleet, free: fleetOnce},
		func(ctx context.Context, in *FleetRef) (*nothing, error) {
			return nil, s.parts.Fleet.Hub().RevokeCode(ctx, principal(ctx).Ref(), in.ID, "")
		})
}

// sees says of a group, by its name, whether the caller may know what it has: members of their own group, administrators of all. What belongs
// to another one is as absent from every list of the fleet. The program itself is everybody's.
func sees(ctx context.Context) func(group string) bool {
	p := principal(ctx)
	all := slices.Contains(p.Roles, auth.Admin)
	return func(group string) bool { return all || group == p.Team || spec.Key{Group: group}.Binary() }
}

// inGroup is groupOf for what has to be of a group. Where there is no fleet the hub says so first.
func (s *Server) inGroup(ctx context.Context) (string, error) {
	g := s.groupOf(ctx)
	if g == "" && s.parts.Fleet.Hub().Fleet().ID != "" {
		return "", noGroup()
	}
	return g, nil
}

// groupOf is the name of the caller's current group, "" without one: the fleet speaks of groups by name.
func (s *Server) groupOf(ctx context.Context) string {
	g, err := s.parts.Store.Group(ctx, principal(ctx).Group)
	if err != nil {
		return ""
	}
	return g.Name
}

func (s *Server) fleetView(ctx context.Context) (wire.FleetView, error) {
	h := s.parts.Fleet.Hub()
	f := h.Fleet()
	v := wire.FleetView{ID: f.ID, Name: f.Name, Created: f.Created, Hubs: f.Hubs, Nodes: map[string]int{}, Programs: map[string]int{}, Term: f.Term, Restored: f.Restored, Superseded: f.Superseded}
	if f.ID == "" {
		var err error
		v.HubKey, err = s.parts.Fleet.HubKey()
		return v, err
	}
	says, err := f.Set.Read()
	if err != nil {
		return v, err
	}
	v.HubKey, v.Charter, v.FourEyes = says.Charter.Hub, &says.Charter, says.Charter.FourEyes()
	v.Pin, v.Signed, v.Revoked, v.Files = string(f.Set.Pin()), says.Signed, says.Revoked, f.Set.Lives()
	mine := sees(ctx)
	v.Revoked = slices.DeleteFunc(v.Revoked, func(r tuf.Revocation) bool {
		g := groupOf(says.Signed, r.Digest)
		return g != "" && !mine(g)
	})
	if f.Pending != nil {
		_, err := s.proposalView(ctx)
		v.Waiting = err == nil
	}
	v.Signed = slices.DeleteFunc(v.Signed, func(t tuf.Target) bool { return !mine(t.Group) })
	for _, n := range h.Nodes() {
		v.Nodes[string(n.Standing)]++
		if n.Held {
			v.Nodes["held"]++
		}
		if n.Online(s.parts.Now()) {
			v.Nodes["online"]++
		}
		if runs := n.Last.Facts.Version; runs != "" && n.Standing == hub.Member {
			v.Programs[runs]++
		}
	}
	return v, nil
}
