package hub

import (
	"slices"
	"time"

	"edgeward"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
)

// Gap is an endpoint of a member that is not as it is wanted.
type Gap struct {
	Node     string          `json:"node"`
	Name     string          `json:"name"`
	Site     string          `json:"site"`
	Online   bool            `json:"online"`
	Endpoint spec.Key        `json:"endpoint"`
	Wanted   rollout.Version `json:"wanted,omitzero"`   // zero: the endpoint is to go
	Observed rollout.Version `json:"observed,omitzero"` // what answers; zero: nothing, or it was never said
	Phase    spec.Phase      `json:"phase,omitempty"`
	Since    time.Time       `json:"since"`
	Opens    time.Time       `json:"opens,omitzero"` // the window it waits for
	Code     string          `json:"code"`
	Why      string          `json:"why"`
	Local    uint64          `json:"local,omitempty"` // the node's promotion that stands in place of what is wanted
}

// Gaps holds what each member last said against what is wanted of it, by node and endpoint.
func (h *Hub) Gaps() (out []Gap) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v, now := h.view(), h.o.Now()
	numbers := map[edgeward.Digest]rollout.Version{}
	for _, m := range h.moves {
		numbers[m.From.Digest], numbers[m.To.Digest] = m.From, m.To
	}
	for _, n := range sorted(h.nodes) {
		if n.Standing != Member {
			continue
		}
		wanted := v.wanted(n)
		for _, e := range wanted {
			if g, ok := gap(n, e, now); ok {
				out = append(out, observed(g, n, numbers))
			}
		}
		for _, s := range n.States() {
			if !slices.ContainsFunc(wanted, func(e spec.Endpoint) bool { return e.Key() == s.Key() }) {
				g := Gap{Endpoint: s.Key(), Phase: s.Phase, Since: n.Issued, Code: "fleet.leaving", Why: "it is to go"}
				out = append(out, observed(about(g, n, now), n, numbers))
			}
		}
	}
	return out
}

// gap says what of a wanted endpoint is not so.
func gap(n Node, e spec.Endpoint, now time.Time) (Gap, bool) {
	g := Gap{Endpoint: e.Key(), Wanted: versionOf(e)}
	s := n.state(e.Key())
	if s.Local > 0 {
		return about(ofItself(n, s, g), n, now), true
	}
	if s.Want != e.Digest {
		g.Since, g.Code, g.Why, g.Phase = n.Issued, "fleet.not_taken", "the node has not said that it took the document", s.Phase
		if x := n.Last.Refuses; x != nil {
			g.Code, g.Why = x.Code, "the node refuses the document: "+x.Reason
		}
		if n.Held {
			g.Code, g.Why = "fleet.held", "it is held: it has a document that is later than the backup of this hub, and keeps what it runs until a person decides"
		}
		return about(g, n, now), true
	}
	g.Phase, g.Since, g.Opens, g.Code, g.Why = s.Phase, s.Since, s.Opens, s.Code, s.Reason
	if s.Phase == spec.Committed && s.Live == e.Digest && s.Code == "" {
		return g, false
	}
	if g.Code == "" {
		g.Code, g.Why = "fleet.on_the_way", "it is under way: "+string(s.Phase)
	}
	return about(g, n, now), true
}

// about adds the node. One that does not answer says why of itself.
func about(g Gap, n Node, now time.Time) Gap {
	g.Node, g.Name, g.Site, g.Online = n.ID, n.Last.Facts.Name, n.Site, now.Sub(n.Seen) < Online
	if !g.Online {
		g.Code, g.Why = "fleet.node_away", "the node does not answer"
		g.Since = n.Seen
	}
	return g
}

func observed(g Gap, n Node, numbers map[edgeward.Digest]rollout.Version) Gap {
	if live := n.state(g.Endpoint).Live; live != "" {
		g.Observed = numbers[live]
		g.Observed.Digest = live
	}
	return g
}
