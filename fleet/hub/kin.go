package hub

import (
	"cmp"
	"fmt"
	"slices"

	"edgeward/fleet/spec"
)

// Promotions of several nodes of a site stand for one version where one node trained and promoted it and others took it from there. Persons decide about the
// version: what they say to one of these promotions is said to all, and the node that they said it to brings the bytes.

// matter is one version behind one endpoint, by one promotion: promotions of one matter are akin.
type matter struct {
	origin           spec.Taken
	target, endpoint string
}

func matterOf(p spec.Promotion) matter { return matter{p.Origin(), p.Target, p.Endpoint} }

// kin calls f for each promotion of another member of n's site that is akin to p and counts, and returns the nodes that f changed, by id.
func (h *Hub) kin(n Node, p spec.Promotion, f func(x Node, q *Promoted) bool) (out []Node) {
	for _, x := range h.nodes { // unsorted: a whole fleet may come back at once
		if x.ID == n.ID || x.Site != n.Site || x.Standing != Member || len(x.Promotions) == 0 {
			continue
		}
		list, moved := slices.Clone(x.Promotions), false
		for i := range list {
			if q := &list[i]; !q.Refused && matterOf(q.Promotion) == matterOf(p) && f(x, q) {
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

// inherits gives a promotion of n, whose signature counts since now, what a person said last to one akin to it. Of nodes that heard the same, the first by
// id names who brings the bytes.
func (h *Hub) inherits(n Node, p *Promoted) {
	if p.Verdict != "" {
		return
	}
	var from Node
	var last Promoted
	h.kin(n, p.Promotion, func(x Node, q *Promoted) bool {
		if q.Verdict != "" && cmp.Or(q.Decided.Compare(last.Decided), cmp.Compare(q.Number, last.Number), cmp.Compare(from.ID, x.ID)) > 0 {
			from, last = x, *q
		}
		return false
	})
	if last.Verdict == "" {
		return
	}
	p.Verdict, p.By, p.Decided, p.Reason, p.Number, p.With = last.Verdict, last.By, last.Decided, last.Reason, last.Number, cmp.Or(last.With, from.ID)
	if p.With == n.ID { // the hub had forgotten this one, and others wait for it
		p.With = ""
	}
}

// without lets another node bring each version that n, which is a member no more, was to bring: the first by id, before others one whose promotion holds.
// It returns the nodes that this changes.
func (h *Hub) without(n Node) (out []Node) {
	for _, x := range h.nodes { // unsorted, as in kin
		if x.ID != n.ID && x.Standing == Member && slices.ContainsFunc(x.Promotions, func(q Promoted) bool { return q.waits() && q.With == n.ID }) {
			x.Promotions = slices.Clone(x.Promotions)
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b Node) int { return cmp.Compare(a.ID, b.ID) })
	type at struct {
		site string
		matter
	}
	next := map[at]string{}
	for _, ended := range []bool{false, true} {
		for _, x := range out {
			for _, q := range x.Promotions {
				k := at{x.Site, matterOf(q.Promotion)}
				if q.waits() && q.With == n.ID && q.Ended.IsZero() != ended && next[k] == "" {
					next[k] = x.ID
				}
			}
		}
	}
	for _, x := range out {
		for i := range x.Promotions {
			q := &x.Promotions[i]
			if !q.waits() || q.With != n.ID {
				continue
			}
			if q.With = next[at{x.Site, matterOf(q.Promotion)}]; q.With == x.ID {
				q.With = ""
			}
		}
	}
	return out
}

// waits reports whether a person wants to adopt p's version and its bytes are not here yet.
func (p Promoted) waits() bool { return p.Verdict == Adopt && p.Number == 0 && !p.Refused }

// alone is n back as a member: what it had left to another node meanwhile it brings itself.
func (n Node) alone() Node {
	n.Promotions = slices.Clone(n.Promotions)
	for i := range n.Promotions {
		if n.Promotions[i].waits() {
			n.Promotions[i].With = ""
		}
	}
	return n
}
