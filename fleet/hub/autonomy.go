package hub

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/autonomy"
	"edgeward/fleet/spec"
	"edgeward/sync/canonical"
)

// Promoted is a promotion that a node made by itself, as the hub keeps it.
type Promoted struct {
	Promotion spec.Promotion `json:"promotion"`
	Got       time.Time      `json:"got"`            // when the hub heard of it
	Ended     time.Time      `json:"ended,omitzero"` // it holds no more; zero: it does
	Code      string         `json:"code,omitempty"` // how it ended; of one that was not taken: why not
	Why       string         `json:"why,omitempty"`
	Refused   bool           `json:"refused,omitempty"` // its signature does not count
	Verdict   Choice         `json:"verdict,omitempty"` // of a person
	By        string         `json:"by,omitempty"`
	Decided   time.Time      `json:"decided,omitzero"`
	Reason    string         `json:"reason,omitempty"`
	Number    int            `json:"number,omitempty"` // this server's number of the version, once it was brought here
	With      string         `json:"with,omitempty"`   // node whose promotion of the same version the verdict was about: that one brings it
}

// Choice is what a person says to a promotion that a node made by itself.
type Choice string

// The choices.
const (
	Adopt  Choice = "adopt"  // the node brings it here, to be signed and rolled out as any version; it stays meanwhile
	Return Choice = "return" // the hub's version counts again
)

// delegation names the keys that sign for a site: those of its members. Of a site with more than a document may list only the node's own.
func (h *Hub) delegation(n Node) *spec.Delegation {
	d := spec.Delegation{Site: n.Site}
	for _, x := range sorted(h.nodes) {
		if x.Standing != Member || x.Site != n.Site || len(x.Chain) == 0 {
			continue
		}
		if len(d.Keys) == spec.MaxPeers {
			return &spec.Delegation{Site: n.Site, Keys: signers(n)}
		}
		d.Keys = append(d.Keys, signers(x)...)
	}
	return &d
}

func signers(n Node) []spec.Signer {
	if len(n.Chain) == 0 {
		return nil
	}
	s := spec.Signer{Node: n.ID, Certs: []edgeward.Digest{edgeward.DigestOf(n.Chain[0])}}
	if n.Before != "" {
		s.Certs = append(s.Certs, n.Before)
	}
	return []spec.Signer{s}
}

// delegates is the delegation in n's document, if it has one, and its digest. known holds those of sites that were asked for.
func (h *Hub) delegates(n Node, p spec.Policy, known map[string]delegated) (delegated, error) {
	if p.Autonomy.Mode != spec.LocalPromote {
		return delegated{}, nil
	}
	if d, ok := known[n.Site]; ok && slices.ContainsFunc(d.is.Keys, func(s spec.Signer) bool { return s.Node == n.ID }) {
		return d, nil
	}
	d := delegated{is: h.delegation(n)}
	b, err := canonical.JSON(d.is)
	if err != nil {
		return d, err
	}
	d.digest = edgeward.DigestOf(b)
	if known != nil {
		known[n.Site] = d
	}
	return d, nil
}

type delegated struct {
	is     *spec.Delegation
	digest edgeward.Digest
}

// overruled is the highest Seq of n's promotions of an endpoint that count no more: a person said so, their signature does not count, or what the hub
// wants was decided after it had heard of them.
func (n Node) overruled(k spec.Key, decided time.Time) (seq uint64) {
	for _, p := range n.Promotions {
		if p.Promotion.Key() == k && (p.Refused || p.Verdict == Return || decided.After(p.Got)) {
			seq = max(seq, p.Promotion.Seq)
		}
	}
	return seq
}

// heard takes what a node reports of its promotions, and says what the audit is to hold.
func (h *Hub) heard(n *Node, list []spec.Local) (c []Change) {
	if len(list) == 0 {
		return nil
	}
	n.Promotions = slices.Clone(n.Promotions)
	judge := sync.OnceValue(func() autonomy.Judge { return h.judge(*n) })
	for _, l := range list {
		p, err := spec.ParsePromotion(l.Promotion)
		if err != nil {
			h.o.Log.Warn("a promotion that a node reports cannot be read", "node", n.ID, "err", err)
			continue
		}
		i := slices.IndexFunc(n.Promotions, func(k Promoted) bool { return k.Promotion.Seq == p.Seq })
		if i < 0 {
			i = len(n.Promotions)
			n.Promotions = append(n.Promotions, Promoted{Promotion: p, Got: h.o.Now(), Refused: true})
			n.Promotions[i].Code = "new"
		}
		k := &n.Promotions[i]
		was := *k
		if k.Refused { // not known yet, or of a key that the hub did not know then
			_, err := judge().Verify(l.SignedPromotion, h.o.Now())
			if k.Refused = err != nil; k.Refused {
				k.Code, k.Why = edgeward.CodeOf(err), edgeward.Words(err)
			} else {
				k.Promotion = p
				h.inherits(*n, k)
			}
		}
		if k.Ended = l.Ended; !k.Refused {
			k.Code, k.Why = l.Code, l.Why
		}
		what := "fleet.local.promoted"
		switch {
		case *k == was:
			continue
		case k.Refused:
			what = "fleet.local.refused"
		case !k.Ended.IsZero():
			what = "fleet.local.ended"
		}
		x := h.change("system:fleet", what, n.ID, n.Last.Facts.Name, p.Reason)
		x.Detail = map[string]string{"version": fmt.Sprint(p.Version), "manifest": string(p.Digest()), "target": p.Target, "by": p.By, "code": k.Code}
		c = append(c, x)
	}
	n.Promotions = autonomy.Recent(n.Promotions, func(p Promoted) bool { return !p.Ended.IsZero() })
	n.Promotions = n.Promotions[max(0, len(n.Promotions)-spec.MaxLocals):] // whatever a node says
	return c
}

// judge is what n's promotions are held against: its site, and the members of it as the hub knows them now.
func (h *Hub) judge(n Node) autonomy.Judge {
	read := sync.OnceValues(h.fleet.Set.Read) // verifies every signature
	revoked := func(d edgeward.Digest) (string, bool) {
		says, err := read()
		if err != nil {
			return "the repository cannot be read", true
		}
		return says.Revocation(d)
	}
	return autonomy.Judge{Authority: h.ca.Authority, Fleet: h.fleet.ID, Delegation: h.delegation(n), Revoked: revoked}
}

// Choose takes what a person says to a promotion that a node made by itself.
func (h *Hub) Choose(ctx context.Context, by, node string, seq uint64, c Choice, reason string) (Node, error) {
	const op = "hub.Choose"
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := h.named(node)
	if err != nil {
		return n, err
	}
	i := slices.IndexFunc(n.Promotions, func(p Promoted) bool { return p.Promotion.Seq == seq })
	if i < 0 {
		return n, NoPromotion(n.ID, seq)
	}
	p := n.Promotions[i]
	switch {
	case p.Verdict == c && (p.With == "" || p.Number > 0):
		return n, nil
	case !p.Ended.IsZero():
		return n, edgeward.E(op, edgeward.Conflict, "fleet.local_ended", "it holds no more: %s", p.Why)
	case c == Adopt && p.Refused:
		return n, edgeward.E(op, edgeward.Conflict, "fleet.not_delegated", "its signature does not count: %s", p.Why)
	case c != Adopt && c != Return:
		return n, edgeward.E(op, edgeward.Invalid, "fleet.local_choice", "adopt or return, not %.40q", string(c))
	}
	p.Verdict, p.By, p.Decided, p.Reason, p.With = c, by, h.o.Now(), reason, ""
	n.Promotions = slices.Clone(n.Promotions)
	n.Promotions[i] = p
	x := h.change(by, "fleet.local."+string(c), n.ID, n.Last.Facts.Name, reason)
	x.Detail = map[string]string{"version": fmt.Sprint(p.Promotion.Version), "manifest": string(p.Promotion.Digest()), "target": p.Promotion.Target}
	others, changes := h.likewise(n, p)
	if err := h.put(ctx, Facts{Nodes: append(others, n)}, append(changes, x)...); err != nil {
		return n, err
	}
	h.stale = true
	h.Poke()
	return n, nil
}

// NoPromotion is the answer to who decides on a promotion that is not there, or not theirs to see.
func NoPromotion(node string, seq uint64) error {
	return edgeward.E("hub.Choose", edgeward.NotFound, "fleet.local.not_found", "node %s reported no promotion %d", node, seq).WithHint("edgeward fleet node show lists them")
}

// ofItself is the gap of an endpoint where a promotion of the node stands in place of what is wanted.
func ofItself(n Node, s spec.State, g Gap) Gap {
	g.Phase, g.Since, g.Code, g.Why = s.Phase, s.Since, "fleet.local", "the node answers by a version of its own"
	for _, p := range n.Promotions {
		if p.Promotion.Seq != s.Local {
			continue
		}
		g.Since, g.Local = p.Promotion.At, s.Local
		g.Why = fmt.Sprintf("the node promoted its own version %d (%s): %s", p.Promotion.Version, p.Promotion.By, p.Promotion.Reason)
		if t := p.Promotion.Taken; t != (spec.Taken{}) {
			g.Why = fmt.Sprintf("the node took version %d, which %s promoted (%s): %s", p.Promotion.Version, cmp.Or(t.Name, t.Node), p.Promotion.By, p.Promotion.Reason)
		}
		switch {
		case p.Refused:
			g.Why = "the node promoted a version of its own, and its signature does not count: " + p.Why
		case p.Verdict == Adopt && p.Number == 0:
			g.Why += "; to be adopted: its bytes are on their way"
		case p.Verdict == Adopt:
			_, model, _ := p.Promotion.Parts()
			g.Why += fmt.Sprintf("; to be adopted: it is %s/%d here; sign it and roll it out", model, p.Number)
		case p.Verdict == Return:
			g.Why += "; it is to return"
		}
	}
	return g
}
