package hub

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/fleet/overlay"
	"edgeward/fleet/rollout"
	"edgeward/fleet/selector"
	"edgeward/fleet/spec"
	"edgeward/sync/canonical"
	"edgeward/sync/tuf"
)

// server is n as overlays see it.
func (n Node) server() overlay.Server {
	return overlay.Server{ID: n.ID, Site: n.Site, Pair: n.Pair, Standing: string(n.Standing), Tags: n.Tags, Facts: n.Last.Facts}
}

// view is what nodes' documents are made of.
type view struct {
	assignments map[string]Assignment // by scope and key
	moves       []Move                // that are under way
	set         *overlay.Set
}

func (h *Hub) view() view { return view{h.assignments, h.open(), h.set} }

// assigned is what assignments alone say of n's endpoints.
func (v view) assigned(n overlay.Server) map[spec.Key]Assignment {
	best := map[spec.Key]Assignment{}
	for _, a := range v.assignments {
		k := a.Endpoint.Key()
		if old, ok := best[k]; takes(n, k) && v.set.Rank(a.Scope, n) >= 0 && (!ok || v.narrower(a, old, n)) {
			best[k] = a
		}
	}
	return best
}

// narrower reports whether a counts before b: its scope is narrower, or it is the later one of two selections.
func (v view) narrower(a, b Assignment, n overlay.Server) bool {
	if x, y := v.set.Rank(a.Scope, n), v.set.Rank(b.Scope, n); x != y {
		return x > y
	}
	return cmp.Or(a.Changed.Compare(b.Changed), strings.Compare(a.Scope, b.Scope)) > 0
}

// wanted returns the endpoints a node should have, in the order of a document. Pure.
func (v view) wanted(node Node) []spec.Endpoint {
	n := node.server()
	best := v.assigned(n)
	for _, m := range v.moves { // a rollout that is under way has the last word in its scope
		if m.State.Final() || !takes(n, m.Endpoint) || v.set.Rank(m.Scope, n) < 0 {
			continue
		}
		if a, ok := best[m.Endpoint]; ok && v.set.Rank(a.Scope, n) > v.set.Rank(m.Scope, n) {
			continue
		}
		if to, ok := m.Wants(n.ID); ok && to != m.From { // who is not told, or told to go back, has what is assigned
			best[m.Endpoint] = Assignment{Scope: m.Scope, Endpoint: m.endpoint(m.Now), Decided: m.Created}
		}
	}
	out := make([]spec.Endpoint, 0, len(best))
	for _, a := range best {
		e := v.set.Endpoint(a.Endpoint, n)
		e.Local = node.overruled(e.Key(), a.decided())
		out = append(out, e)
	}
	spec.Sort(out)
	return out
}

// decided is when a person decided it.
func (a Assignment) decided() time.Time {
	if a.Decided.IsZero() {
		return a.Changed
	}
	return a.Decided
}

// endpoint is what m's document says of its new version.
func (m Move) endpoint(now bool) spec.Endpoint {
	return spec.Endpoint{Group: m.Endpoint.Group, Name: m.Endpoint.Name, Title: m.Title, Model: m.To.Model, Version: m.To.Number, Digest: m.To.Digest,
		Rollout: m.ID, Now: now, Again: m.Again, Probation: m.Probation}
}

// meant are the members whose endpoint a move changes.
func (h *Hub) meant(m Move) (out []rollout.Node) {
	now := h.o.Now()
	for _, n := range sorted(h.nodes) {
		if n.Standing != Member || !takes(n.server(), m.Endpoint) || h.set.Rank(m.Scope, n.server()) < 0 || h.narrower(m, n) {
			continue
		}
		out = append(out, rollout.Node{ID: n.ID, Site: n.Site, Pair: n.Pair, Online: n.Online(now), Seen: n.state(m.Endpoint)})
	}
	return out
}

func (h *Hub) narrower(m Move, n Node) bool {
	for _, a := range h.assignments {
		if a.Endpoint.Key() == m.Endpoint && h.set.Rank(a.Scope, n.server()) > h.set.Rank(m.Scope, n.server()) {
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
	Policy    spec.Policy     `json:"policy,omitzero"`

	Authority  edgeward.Digest   `json:"authority,omitempty"`
	Delegation edgeward.Digest   `json:"delegation,omitempty"`
	Bring      []edgeward.Digest `json:"bring,omitempty"`
}

// content is what a node's document says.
func (v view) content(n Node) content {
	return content{Site: n.Site, Endpoints: v.wanted(n), Policy: v.set.Policy(n.server()), Bring: n.wanting()}
}

// maxRendered is how many nodes' revisions are kept in one write: what a write takes of memory, all of 10,000 would take at once.
const maxRendered = 1000

// render gives a new revision to each member whose document would say something else, or would soon expire, and wakes who waits
// for it. It looks when something has changed, and once a minute.
func (h *Hub) render(ctx context.Context) error {
	var news []Node
	view, now := h.view(), h.o.Now()
	if since := now.Sub(h.rendered); !h.stale && since >= 0 && since < time.Minute {
		return nil
	}
	nodes := sorted(h.nodes)
	h.rosters = rosters(nodes)
	sites, err := h.arounds()
	if err != nil {
		return err
	}
	members, keys := 0, map[string]delegated{}
	for _, n := range nodes {
		if n.Standing != Member {
			continue
		}
		if members++; n.Unmet {
			continue
		}
		if n.Held {
			if !n.Got.After(h.fleet.Restored.At) || !view.asHub(n) {
				continue
			}
			n.Held, n.Content = false, ""
		}
		c := view.content(n)
		c.Hubs, c.Term, c.Authority = h.fleet.Hubs, h.fleet.Term, h.issues()
		if gossips(n) {
			c.Around = sites[n.Site]
		}
		to, err := h.delegates(n, c.Policy, keys)
		if err != nil {
			return err
		}
		c.Delegation = to.digest
		b, err := canonical.JSON(c)
		if err != nil {
			return err
		}
		if d := string(edgeward.DigestOf(b)); d != n.Content || now.Sub(n.Issued) > documentLife/2 {
			n.Rev, n.Content, n.Issued = n.Rev+1, d, now
			news = append(news, n)
		}
	}
	for some := range slices.Chunk(news, maxRendered) { // documents are independent of one another
		if err := h.put(ctx, Facts{Nodes: some}); err != nil {
			return err
		}
		for _, n := range some {
			delete(h.documents, n.ID)
			delete(h.allowed, n.ID)
			h.wake(n.ID)
		}
	}
	h.stale, h.rendered, h.members, h.keys = false, now, members, keys
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
	c := h.view().content(n)
	endpoints, binary := split(c.Endpoints)
	want := spec.Desired{Format: spec.Format, Fleet: h.fleet.ID, Node: n.ID, Site: n.Site, Rev: n.Rev, Issued: n.Issued, Expires: n.Issued.Add(documentLife),
		Endpoints: endpoints, Binary: binary, Policy: c.Policy, Hubs: h.fleet.Hubs, Term: h.fleet.Term, Authority: h.issues(), Bring: c.Bring}
	if err := h.addSite(&want, n); err != nil {
		return document{}, err
	}
	to, err := h.delegates(n, c.Policy, h.keys)
	if err != nil {
		return document{}, err
	}
	want.Delegation = to.is
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

// scope returns s with a node's id in place of its name, or says why it names no part of the fleet.
func (h *Hub) scope(s string, set *overlay.Set) (string, error) {
	if text, ok := strings.CutPrefix(s, "select/"); ok {
		by, err := selector.Parse(text)
		if err != nil || !by.All() {
			return overlay.SelectorScope(by), err
		}
		return Everywhere, nil
	}
	if err := overlay.CheckScope(s); err != nil {
		return s, err
	}
	kind, name, _ := strings.Cut(s, "/")
	switch {
	case kind == "node":
		n, err := h.named(name)
		return "node/" + n.ID, err
	case kind == "selection" && !set.Has(name):
		return s, edgeward.E("hub.scope", edgeward.NotFound, "fleet.selection_unknown", "no selection %s", name).WithHint("edgeward fleet overlay list shows them")
	}
	return s, nil
}

// named finds a node by its id, or by a name that only one has.
func (h *Hub) named(s string) (Node, error) {
	if n, ok := h.nodes[s]; ok {
		return n, nil
	}
	found := h.called(s)
	switch len(found) {
	case 0:
		return h.node(s)
	case 1:
		return found[0], nil
	}
	return Node{}, edgeward.E("hub.node", edgeward.Conflict, "fleet.node_ambiguous", "%d nodes are called %s", len(found), s).WithHint("say which by its id: edgeward fleet node list --select name=%s", s)
}

// called are the nodes of a name, in any order.
func (h *Hub) called(name string) (found []Node) {
	for _, n := range h.nodes {
		if n.Last.Facts.Name == name {
			found = append(found, n)
		}
	}
	return found
}
