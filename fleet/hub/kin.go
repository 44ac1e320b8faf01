package hub

import (
	"cmp"
	"fmt"
	"slices"

	"edgeward/fleet/spec"
)

// Promotions of several nodes of a site stand for one version where one node trained and promoted it and others took it from there. Persons decide about the
// version: what they say to one of these promotions is said to all, and the node that they said it to brings the bytes.

// akin reports whether a and b stand for one version behind one endpoint, by one promotion.
func akin(a, b spec.Promotion) bool {
	return a.Origin() == b.Origin() && a.Target == b.Target && a.Endpoint == b.Endpoint
}

// kin calls f for each promotion of another member of n's site that is akin to p and counts, and returns the nodes that f changed, by id.
func (h *Hub) kin(n Node, p spec.Promotion, f func(x Node, q *Promoted) bool) (out []Node) {
	for _, x := range h.nodes { // unsorted: a whole fleet may come back at once
		if x.ID == n.ID || x.Site != n.Site || x.Standing != Member || len(x.Promotions) == 0 {
			continue
		}
		list, moved := slices.Clone(x.Promotions), false
		for i := range list {
			if q := &list[i]; !q.Refused && akin(q.Promotion, p) && f(x, q) {
				moved = true
			}
		}
		if moved {
			x.Promotions = list
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b Node) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// likewise says to promotions akin to p, of node n, what a person said to p.
func (h *Hub) likewise(n Node, p Promoted) (nodes []Node, c []Change) {
	nodes = h.kin(n, p.Promotion, func(x Node, q *Promoted) bool {
		if !q.Ended.IsZero() || q.Verdict == p.Verdict && q.With == n.ID {
			return false
		}
		q.Verdict, q.By, q.Decided, q.Reason, q.With = p.Verdict, p.By, p.Decided, p.Reason, n.ID
		e := h.change(p.By, "fleet.local."+string(p.Verdict), x.ID, x.Last.Facts.Name, p.Reason)
		e.Detail = map[string]string{"version": fmt.Sprint(q.Promotion.Version), "manifest": string(q.Promotion.Digest()), "target": q.Promotion.Target, "with": n.ID}
		c = append(c, e)
		return true
	})
	return nodes, c
}

// numbered gives promotions akin to p, of node n, the number that the version has here.
func (h *Hub) numbered(n Node, p Promoted) []Node {
	return h.kin(n, p.Promotion, func(_ Node, q *Promoted) bool {
		if q.Verdict != Adopt || q.Number == p.Number {
			return false
		}
		q.Number = p.Number
		return true
	})
}

// inherits gives a promotion of n that the hub has just heard of what a person said before to one akin to it.
func (h *Hub) inherits(n Node, p *Promoted) {
	h.kin(n, p.Promotion, func(x Node, q *Promoted) bool {
		if q.Verdict != "" && p.Verdict == "" {
			p.Verdict, p.By, p.Decided, p.Reason, p.Number, p.With = q.Verdict, q.By, q.Decided, q.Reason, q.Number, cmp.Or(q.With, x.ID)
		}
		return false
	})
}
