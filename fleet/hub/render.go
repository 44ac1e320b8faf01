package hub

import (
	"context"
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/sync/canonical"
	"edgeward/sync/tuf"
)

// rank orders scopes: the narrower, the higher; -1 if the scope does not hold n.
func rank(scope string, n Node) int {
	switch {
	case scope == Everywhere:
		return 0
	case scope == "site/"+n.Site:
		return 1
	case scope == "node/"+n.ID:
		return 2
	}
	return -1
}

// wanted returns the endpoints a node should have, in the order of a document. Pure.
func wanted(n Node, assignments map[string]Assignment, moves []Move) []spec.Endpoint {
	best := map[spec.Key]Assignment{}
	for _, a := range assignments {
		k := a.Endpoint.Key()
		if old, ok := best[k]; rank(a.Scope, n) >= 0 && (!ok || rank(a.Scope, n) > rank(old.Scope, n)) {
			best[k] = a
		}
	}
	for _, m := range moves { // a rollout that is under way has the last word in its scope
		if m.State.Final() || rank(m.Scope, n) < 0 {
			continue
		}
		if a, ok := best[m.Endpoint]; ok && rank(a.Scope, n) > rank(m.Scope, n) {
			continue
		}
		v, ok := m.Wants(n.ID)
		if !ok {
			continue
		}
		if v == (rollout.Version{}) {
			delete(best, m.Endpoint)
			continue
		}
		best[m.Endpoint] = Assignment{Scope: m.Scope, Endpoint: m.endpoint(v, best[m.Endpoint].Endpoint)}
	}
	out := make([]spec.Endpoint, 0, len(best))
	for _, a := range best {
		out = append(out, a.Endpoint)
	}
	spec.Sort(out)
	return out
}

// endpoint is what m's document says of version v; old is what stood there.
func (m Move) endpoint(v rollout.Version, old spec.Endpoint) spec.Endpoint {
	if v == m.From && old.Digest == v.Digest {
		return old
	}
	return spec.Endpoint{Group: m.Endpoint.Group, Name: m.Endpoint.Name, Title: m.Title, Model: v.Model, Version: v.Number, Digest: v.Digest,
		Rollout: m.ID, Again: m.Again, Probation: m.Probation}
}

// meant are the members whose endpoint a move changes.
func (h *Hub) meant(m Move) (out []rollout.Node) {
	now := h.o.Now()
	for _, n := range sorted(h.nodes) {
		if n.Standing != Member || rank(m.Scope, n) < 0 || h.narrower(m, n) {
			continue
		}
		x := rollout.Node{ID: n.ID, Site: n.Site, Pair: n.Pair, Online: now.Sub(n.Seen) < Online}
		if i := slices.IndexFunc(n.Last.Endpoints, func(s spec.State) bool { return s.Key() == m.Endpoint }); i >= 0 {
			x.Seen = n.Last.Endpoints[i]
		}
		out = append(out, x)
	}
	return out
}

func (h *Hub) narrower(m Move, n Node) bool {
	for _, a := range h.assignments {
		if a.Endpoint.Key() == m.Endpoint && rank(a.Scope, n) > rank(m.Scope, n) {
			return true
		}
	}
	return false
}

// content is what revisions are told apart by.
type content struct {
	Site      string          `json:"site"`
	Endpoints []spec.Endpoint `json:"endpoints"`
	Around    around          `json:"around,omitzero"`
	Hubs      []string        `json:"hubs,omitempty"`
	Term      uint64          `json:"term,omitempty"`
}

// render gives a new revision to each member whose document would say something else, or would soon expire, and wakes who waits
// for it. It looks when something has changed, and once a minute.
func (h *Hub) render(ctx context.Context) error {
	var w Facts
	moves, now := h.open(), h.o.Now()
	if since := now.Sub(h.rendered); !h.stale && since >= 0 && since < time.Minute {
		return nil
	}
	sites := arounds{}
	for _, n := range sorted(h.nodes) {
		if n.Standing != Member || n.Unmet {
			continue
		}
		if n.Held {
			if !n.Got.After(h.fleet.Restored.At) || !h.asHub(n) {
				continue
			}
			n.Held, n.Content = false, ""
		}
		site, err := h.around(n, sites)
		if err != nil {
			return err
		}
		b, err := canonical.JSON(content{n.Site, wanted(n, h.assignments, moves), site, h.fleet.Hubs, h.fleet.Term})
		if err != nil {
			return err
		}
		if d := string(edgeward.DigestOf(b)); d != n.Content || now.Sub(n.Issued) > documentLife/2 {
			n.Rev, n.Content, n.Issued = n.Rev+1, d, now
			w.Nodes = append(w.Nodes, n)
		}
	}
	if len(w.Nodes) > 0 {
		if err := h.put(ctx, w); err != nil {
			return err
		}
	}
	h.stale, h.rendered = false, now
	for _, n := range w.Nodes {
		delete(h.documents, n.ID)
		delete(h.allowed, n.ID)
		if c := h.changed[n.ID]; c != nil {
			close(c)
			delete(h.changed, n.ID)
		}
	}
	return nil
}

// document returns a member's, signed. It is made when it is asked for and kept until the next revision. What changed since the last
// render, such as a rollout that a person just ended, is a revision of its own first.
func (h *Hub) document(ctx context.Context, n Node) (document, error) {
	if d, ok := h.documents[n.ID]; ok && d.rev == n.Rev {
		return d, nil
	}
	if h.stale {
		if err := h.render(ctx); err != nil {
			return document{}, err
		}
		n = h.nodes[n.ID]
	}
	want := spec.Desired{Format: spec.Format, Fleet: h.fleet.ID, Node: n.ID, Site: n.Site, Rev: n.Rev, Issued: n.Issued, Expires: n.Issued.Add(documentLife),
		Endpoints: wanted(n, h.assignments, h.open()), Hubs: h.fleet.Hubs, Term: h.fleet.Term}
	if err := h.addSite(&want, n); err != nil {
		return document{}, err
	}
	b, err := canonical.JSON(want)
	if err != nil {
		return document{}, err
	}
	envelope, err := tuf.SignEnvelope(spec.PayloadDesired, b, h.o.Key)
	if err != nil {
		return document{}, err
	}
	d := document{n.Rev, envelope}
	h.documents[n.ID] = d
	return d, nil
}

// open are the rollouts that are under way.
func (h *Hub) open() []Move {
	return slices.DeleteFunc(sorted(h.moves), func(m Move) bool { return m.State.Final() })
}

// checkScope reports why s names no scope.
func (h *Hub) checkScope(s string) error {
	kind, name, ok := strings.Cut(s, "/")
	switch {
	case s == Everywhere:
		return nil
	case ok && kind == "site" && edgeward.CheckName("site", name) == nil:
		return nil
	case ok && kind == "node" && h.nodes[name].ID != "":
		return nil
	}
	return edgeward.E("hub.scope", edgeward.Invalid, "fleet.scope", "%.80q names no part of the fleet", s).WithHint("say fleet, site/NAME or node/ID")
}
