package hub

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"edgeward"
	"edgeward/fleet/selector"
	"edgeward/fleet/spec"
)

// Nodes are all, by id.
func (h *Hub) Nodes() []Node {
	h.mu.Lock()
	defer h.mu.Unlock()
	return sorted(h.nodes)
}

// Node returns one, by its id or a name that only one has, or NotFound fleet.node.not_found.
func (h *Hub) Node(id string) (Node, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.named(id)
}

func (h *Hub) node(id string) (Node, error) {
	n, ok := h.nodes[id]
	if !ok {
		return n, edgeward.E("hub.Node", edgeward.NotFound, "fleet.node.not_found", "no node %.60q", id).WithHint("edgeward fleet node list shows them")
	}
	return n, nil
}

// member returns a node that may call.
func (h *Hub) member(id string) (Node, error) {
	n, ok := h.nodes[id]
	if ok && n.Standing == Member {
		return n, nil
	}
	standing := n.Standing
	if !ok {
		standing = "unknown"
	}
	return n, edgeward.E("hub", edgeward.Forbidden, "fleet.node_"+string(standing), "the hub holds this server as %s", standing).WithHint("an administrator of the hub decides: edgeward fleet node list")
}

// Verdict is what a person decides about a node.
type Verdict string

// The verdicts.
const (
	Approve Verdict = "approve" // a pending one, one in quarantine, one that was declined or revoked
	Decline Verdict = "decline" // a pending one
	Revoke  Verdict = "revoke"  // its certificate is not taken any more
	Forget  Verdict = "forget"  // one that is no member: the hub knows nothing of it any more
)

// Decide takes a person's verdict.
func (h *Hub) Decide(ctx context.Context, by, id string, v Verdict, reason string) (Node, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := h.named(id)
	if err != nil {
		return n, err
	}
	id = n.ID
	c := h.change(by, "fleet.node."+string(v), id, n.Last.Facts.Name, reason)
	switch {
	case v == Approve && n.Standing == Member, v == Revoke && n.Standing == Revoked, v == Decline && n.Standing == Declined:
		return n, nil
	case v == Approve && n.Standing == Left:
		return n, edgeward.E("hub.Decide", edgeward.Conflict, "fleet.node.standing", "the server left the fleet").WithHint("it joins again with a code: edgeward fleet code create --site %s", n.Site)
	case v == Approve:
		if n.Standing == Pending {
			n = n.granted() // the person saw them
		}
		n = n.alone()
		n.Ended = nil // of two machines the person says which one it is
		if n, err = h.admit(n); err != nil {
			return n, err
		}
	case v == Decline && n.Standing == Pending:
		n.Standing, n.Why = Declined, reason
	case v == Revoke && n.Standing != Pending && n.Standing != Declined:
		n.Standing, n.Why = Revoked, reason
	case v == Forget && n.Standing != Member:
		others := h.without(n) // of one in quarantine, which may still come back, they waited
		h.stale = h.stale || len(others) > 0
		return n, h.put(ctx, Facts{Nodes: others, Gone: []string{id}}, c)
	default:
		return n, edgeward.E("hub.Decide", edgeward.Conflict, "fleet.node.standing", "%s: not while the node is %s", v, n.Standing).WithHint("a node that asks is approved or declined, a member revoked, and who is no member forgotten")
	}
	w := Facts{Nodes: []Node{n}}
	if v == Revoke {
		w.Nodes = append(h.without(n), n)
	}
	if err := h.put(ctx, w, c); err != nil {
		return n, err
	}
	h.wake(id)
	h.Poke()
	return n, nil
}

// Where is where a node stands in the fleet; nil leaves a field.
type Where struct {
	Site *string           `json:"site,omitempty"`
	Pair *string           `json:"pair,omitempty"`
	Tags map[string]string `json:"tags,omitempty"` // replaces all
	Tag  map[string]string `json:"tag,omitempty"`  // adds these to what is there
	Drop []string          `json:"drop,omitempty"` // takes these away
}

// Put changes a node's place.
func (h *Hub) Put(ctx context.Context, by, id string, p Where, reason string) (Node, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := h.named(id)
	if err != nil {
		return n, err
	}
	if n, err = p.on(n); err != nil {
		return n, err
	}
	if err := h.put(ctx, Facts{Nodes: []Node{n}}, h.change(by, "fleet.node.placed", n.ID, n.Last.Facts.Name, reason)); err != nil {
		return n, err
	}
	h.Poke()
	return n, nil
}

// on is n at its new place.
func (p Where) on(n Node) (Node, error) {
	if p.Site != nil {
		if err := edgeward.CheckName("site", *p.Site); err != nil {
			return n, err
		}
		n.Site = *p.Site
	}
	if p.Pair != nil {
		if err := edgeward.CheckName("pair", *p.Pair); err != nil && *p.Pair != "" {
			return n, err
		}
		n.Pair = *p.Pair
	}
	if p.Tags != nil || p.Tag != nil || p.Drop != nil {
		tags := maps.Clone(n.Tags)
		if p.Tags != nil {
			tags = maps.Clone(p.Tags)
		}
		if tags == nil {
			tags = map[string]string{}
		}
		maps.Copy(tags, p.Tag)
		for _, k := range p.Drop {
			delete(tags, k)
		}
		if err := selector.CheckTags(tags); err != nil {
			return n, err
		}
		n.Tags = tags
	}
	return n, nil
}

// Select are the nodes that s means, by id.
func (h *Hub) Select(s selector.Selector) []Node {
	return slices.DeleteFunc(h.Nodes(), func(n Node) bool { return !s.Matches(n.server().Tag) })
}

// late reports whether r is older than the last report, by the starts of the process and their numbers.
func (n Node) late(r spec.Reported) bool {
	if r.Boot == n.Last.Boot {
		return r.Seq <= n.Last.Seq
	}
	return slices.Contains(n.Ended, r.Boot)
}

// keptEnded is how many starts are remembered that have ended.
const keptEnded = 4

// says returns n with r as its last report.
func (n Node) says(r spec.Reported) Node {
	if was := n.Last.Boot; was != "" && was != r.Boot {
		n.Ended = append(slices.DeleteFunc(slices.Clone(n.Ended), func(b string) bool { return b == r.Boot || b == was }), was)
		n.Ended = n.Ended[max(0, len(n.Ended)-keptEnded):]
	}
	n.Last = r
	return n
}

// Online reports whether n is a member that called lately.
func (n Node) Online(now time.Time) bool { return n.Standing == Member && now.Sub(n.Seen) < Online }

func (h *Hub) quarantine(ctx context.Context, n Node) error {
	n.Standing, n.Why = Quarantine, "two machines show its certificate"
	defer h.wake(n.ID) // both are told at once
	return h.put(ctx, Facts{Nodes: []Node{n}}, h.change("system:fleet", "fleet.node.quarantined", n.ID, n.Last.Facts.Name, n.Why))
}

// lives notes by which start of its process a member calls: clones show by their long polls, also while neither has anything to report.
func (h *Hub) lives(ctx context.Context, id, boot string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := h.member(id)
	if err != nil || boot == "" || len(boot) > 64 {
		return err
	}
	h.call++
	watch, clones := h.calls[id].See(boot, h.call)
	h.calls[id] = watch
	if !clones {
		return nil
	}
	if err := h.quarantine(ctx, n); err != nil {
		return err
	}
	_, err = h.member(id)
	return err
}

// seen notes that a node called.
func (h *Hub) seen(id string) {
	if n, ok := h.nodes[id]; ok {
		n.Seen = h.o.Now()
		h.nodes[id] = n
	}
}

// wake ends the waits of a node's calls.
func (h *Hub) wake(id string) {
	list := h.bells[id]
	delete(h.bells, id)
	for _, b := range list {
		b.ring()
	}
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds()) + 1) }
