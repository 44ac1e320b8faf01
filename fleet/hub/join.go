package hub

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"edgeward"
	"edgeward/fleet/overlay"
	"edgeward/fleet/pki"
	"edgeward/fleet/selector"
	"edgeward/fleet/spec"
)

// How long a join code may live, and how many may join with one.
const (
	DefaultCodeLife = 24 * time.Hour
	MaxCodeLife     = 30 * 24 * time.Hour
	MaxCodeUses     = 1000
)

// CodeRequest is what a person asks for.
type CodeRequest struct {
	Site   string        `json:"site"`
	Auto   bool          `json:"auto,omitempty"`
	Tags   bool          `json:"own_tags,omitempty"` // tags that a server brings count without a person
	Uses   int           `json:"uses,omitempty"`     // 0: one
	Life   time.Duration `json:"life_ns,omitempty"`  // 0: DefaultCodeLife
	Reason string        `json:"reason,omitempty"`
}

// CreateCode makes a join code. Its text is seen this once.
func (h *Hub) CreateCode(ctx context.Context, by string, r CodeRequest) (Code, string, error) {
	const op = "hub.CreateCode"
	if r.Uses == 0 {
		r.Uses = 1
	}
	if r.Life == 0 {
		r.Life = DefaultCodeLife
	}
	if err := edgeward.CheckName("site", r.Site); err != nil {
		return Code{}, "", err
	}
	if r.Uses < 1 || r.Uses > MaxCodeUses || r.Life < time.Minute || r.Life > MaxCodeLife {
		return Code{}, "", edgeward.E(op, edgeward.Invalid, "fleet.code_request", "a code is for 1 to %d servers and lives a minute to %d days", MaxCodeUses, int(MaxCodeLife.Hours()/24)).WithHint("edgeward fleet code create --uses 20 --minutes 1440")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.none(); err != nil {
		return Code{}, "", err
	}
	secret := pki.NewSecret()
	c := Code{ID: h.o.NewID(), Secret: pki.HashSecret(secret), Site: r.Site, Auto: r.Auto, Tags: r.Tags, Uses: r.Uses, Created: h.o.Now(), By: by, Expires: h.o.Now().Add(r.Life)}
	if err := h.put(ctx, Facts{Codes: []Code{c}}, h.change(by, "fleet.code.created", c.ID, c.Site, r.Reason)); err != nil {
		return Code{}, "", err
	}
	return c, spec.Code{Hubs: h.fleet.Hubs, CA: h.ca.Digest(), Root: h.fleet.Set.Pin(), ID: c.ID, Secret: secret}.String(), nil
}

// Codes are all, without what they are hidden by.
func (h *Hub) Codes() []Code {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := sorted(h.codes)
	for i := range out {
		out[i].Secret = ""
	}
	return out
}

// RevokeCode ends a code. Who joined with it stays.
func (h *Hub) RevokeCode(ctx context.Context, by, id, reason string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, ok := h.codes[id]
	if !ok {
		return edgeward.E("hub.RevokeCode", edgeward.NotFound, "fleet.code.not_found", "no code %.60q", id).WithHint("edgeward fleet code list shows them")
	}
	if c.Revoked {
		return nil
	}
	c.Revoked = true
	return h.put(ctx, Facts{Codes: []Code{c}}, h.change(by, "fleet.code.revoked", id, c.Site, reason))
}

// Join lets a server in, or notes that it asks. The same server with the same code gets the same answer again.
func (h *Hub) Join(ctx context.Context, r spec.JoinRequest) (spec.JoinAnswer, error) {
	return h.asks(ctx, r, func(hash string) bool { return pki.SecretIs(hash, r.Secret) })
}

// asks is Join of a server that proves to have the code.
func (h *Hub) asks(ctx context.Context, r spec.JoinRequest, proves func(hash string) bool) (spec.JoinAnswer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fleet.ID == "" {
		return spec.JoinAnswer{}, refused()
	}
	if wait := h.guesses.tooMany(h.o.Now()); wait > 0 {
		return spec.JoinAnswer{}, edgeward.E("hub.Join", edgeward.Exhausted, "fleet.join_guesses", "too many wrong codes").With("retry_after", seconds(wait)).WithHint("wait a minute")
	}
	c, known := h.codes[r.Code]
	if !known || !proves(c.Secret) {
		h.guesses.note(h.o.Now())
		return spec.JoinAnswer{}, refused()
	}
	n, known := h.nodes[r.Node]
	used := slices.Contains(c.Nodes, r.Node) && n.Standing != Left // who left needs another code
	switch {
	case c.Revoked || !h.o.Now().Before(c.Expires):
		return spec.JoinAnswer{}, edgeward.E("hub.Join", edgeward.Forbidden, "fleet.code_expired", "the join code has expired").WithHint("make a new one at the hub: edgeward fleet code create --site %s", c.Site)
	case !used && c.Uses < 1:
		return spec.JoinAnswer{}, edgeward.E("hub.Join", edgeward.Forbidden, "fleet.code_used", "the join code was used before").WithHint("make a new one at the hub: edgeward fleet code create --site %s", c.Site)
	case known && (n.Standing == Revoked || n.Standing == Declined || n.Standing == Quarantine):
		return spec.JoinAnswer{}, edgeward.E("hub.Join", edgeward.Forbidden, "fleet.node_"+string(n.Standing), "this server was %s at the hub", n.Standing).WithHint("an administrator of the hub can let it in again: edgeward fleet node approve %s", n.ID)
	case known && n.Standing == Member && !bytes.Equal(n.Request, r.CSR): // else who has a code takes a member's id: a new key for a known id always needs a person
		return spec.JoinAnswer{}, edgeward.E("hub.Join", edgeward.Forbidden, "fleet.node_"+string(n.Standing), "the hub holds this server as a member with another key").
			WithHint("if it is the same server, set up anew, an administrator of the hub forgets it first: edgeward fleet node revoke %s, then forget; if it is a copy of another server's disk, give it a data directory of its own", n.ID)
	}
	if r.Format > spec.Format || r.Format < 1 {
		return spec.JoinAnswer{}, edgeward.E("hub.Join", edgeward.Conflict, "fleet.format", "this hub speaks format %d, the server %d", spec.Format, r.Format).WithHint("update the hub first")
	}
	if len(r.Node) == 0 || len(r.Node) > 64 || len(r.CSR) > 8<<10 {
		return spec.JoinAnswer{}, edgeward.E("hub.Join", edgeward.Invalid, "fleet.join", "the request names no server")
	}
	if err := selector.CheckTags(r.Tags); err != nil {
		return spec.JoinAnswer{}, err
	}
	if known && used && n.Standing == Member && bytes.Equal(n.Request, r.CSR) {
		return h.welcome(n), nil
	}
	anew := !known || n.Standing == Left || bytes.Equal(n.Request, r.CSR) // who left showed its key then, and needs no person for another
	auto := c.Auto && anew
	w, changes := Facts{}, []Change{}
	if !known || n.Standing != Member {
		n = Node{ID: r.Node, Site: c.Site, Standing: Pending, Asked: h.o.Now()}
		if claim, ok := h.set.Claim(r.Facts, func(name string) bool { met := h.claim(name).Met; return met == "" || met == r.Node }); ok {
			n.Site, n.Pair, n.Tags, n.Claim = cmp.Or(claim.Site, n.Site), claim.Pair, claim.Tags, claim.Name
			auto = auto || claim.Approve && anew
			if o := h.claim(claim.Name); o.Met == "" {
				o.Met = r.Node
				w.Overlays = append(w.Overlays, o)
				changes = append(changes, h.change("code:"+c.ID, "fleet.claim.met", n.ID, claim.Name, ""))
			}
		}
	}
	if n.Standing != Member {
		if n.Asks = r.Tags; c.Tags {
			n = n.granted()
		}
	}
	n.Code, n.Request, n.Last.Facts, n.Seen = c.ID, r.CSR, r.Facts, h.o.Now()
	if !used {
		c.Uses--
		c.Nodes = append(slices.Clone(c.Nodes), r.Node)
		w.Codes = append(w.Codes, c)
		changes = append(changes, h.change("code:"+c.ID, "fleet.node.asked", n.ID, r.Facts.Name, ""))
	}
	if auto || n.Standing == Member {
		var err error
		if n, err = h.admit(n); err != nil {
			return spec.JoinAnswer{}, err
		}
		changes = append(changes, h.change("code:"+c.ID, "fleet.node.joined", n.ID, r.Facts.Name, ""))
	}
	w.Nodes = append(w.Nodes, n)
	if err := h.put(ctx, w, changes...); err != nil {
		return spec.JoinAnswer{}, err
	}
	h.Poke()
	if n.Standing != Member {
		return spec.JoinAnswer{Format: spec.Format, Pending: true, Name: h.fleet.Name}, nil
	}
	return h.welcome(n), nil
}

// granted is n with the tags that it asked for, where the hub says nothing else.
func (n Node) granted() Node {
	if len(n.Asks) == 0 {
		return n
	}
	tags := maps.Clone(n.Asks)
	maps.Copy(tags, n.Tags)
	if selector.CheckTags(tags) == nil { // together they may be too many
		n.Tags = tags
	}
	n.Asks = nil
	return n
}

// claim is the overlay of a claim.
func (h *Hub) claim(name string) Overlay {
	return h.overlays[overlay.Document{Kind: overlay.Claim, Name: name}.Key()]
}

// refused says nothing of what was wrong.
func refused() error {
	return edgeward.E("hub.Join", edgeward.Forbidden, "fleet.code_unknown", "the hub does not know this join code").WithHint("copy the whole code again, or make a new one at the hub")
}

// admit issues the certificate.
func (h *Hub) admit(n Node) (Node, error) {
	chain, err := h.ca.IssueNode(n.ID, n.Request, nil, h.o.Now())
	if err != nil {
		return n, err
	}
	leaf, err := pki.ParseCertificate(chain[0])
	if err != nil {
		return n, err
	}
	if len(n.Chain) > 0 {
		n.Before = edgeward.DigestOf(n.Chain[0])
	}
	n.Chain, n.Until, n.Standing, n.Why, n.Joined = chain, leaf.NotAfter, Member, "", h.o.Now()
	delete(h.boots, n.ID)
	delete(h.calls, n.ID)
	return n, nil
}

func (h *Hub) welcome(n Node) spec.JoinAnswer {
	a := spec.JoinAnswer{Format: spec.Format, Fleet: h.fleet.ID, Name: h.fleet.Name, Site: n.Site, Chain: h.ca.Chain(n.Chain)}
	a.Root, _ = h.fleet.Set.File("root/1")
	return a
}

// Renew gives a member a certificate for a new key.
func (h *Hub) Renew(ctx context.Context, id string, csr []byte) ([][]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := h.member(id)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(n.Request, csr) {
		return h.ca.Chain(n.Chain), nil
	}
	n.Request = csr
	joined := n.Joined
	if n, err = h.admit(n); err != nil {
		return nil, err
	}
	n.Joined = joined
	return h.ca.Chain(n.Chain), h.put(ctx, Facts{Nodes: []Node{n}}, h.change("node:"+id, "fleet.node.renewed", id, n.Last.Facts.Name, ""))
}

// guesses counts wrong codes: at most ten a minute are looked at.
type guesses struct {
	at []time.Time
}

const maxGuesses = 10

func (g *guesses) note(now time.Time) { g.at = append(g.at, now) }

func (g *guesses) tooMany(now time.Time) time.Duration {
	g.at = slices.DeleteFunc(g.at, func(t time.Time) bool { return now.Sub(t) > time.Minute })
	if len(g.at) < maxGuesses {
		return 0
	}
	return time.Minute - now.Sub(g.at[0])
}
