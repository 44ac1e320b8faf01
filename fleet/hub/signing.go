package hub

import (
	"context"
	"slices"
	"time"

	"edgeward"
	"edgeward/sync/tuf"
)

// Found begins the fleet: id and name, the addresses nodes call, and the first proposal of the repository with the
// signatures that it needs. The persons' keys never come here.
func (h *Hub) Found(ctx context.Context, by, name string, hubs []string, p tuf.Proposal) (Fleet, error) {
	const op = "hub.Found"
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fleet.ID != "" {
		return h.fleet, edgeward.E(op, edgeward.Conflict, "fleet.exists", "this server is the hub of fleet %s already", h.fleet.Name)
	}
	if err := edgeward.CheckName("fleet", name); err != nil {
		return Fleet{}, err
	}
	set, err := tuf.Publish(tuf.Set{}, p, h.o.Key, h.o.Now())
	if err != nil {
		return Fleet{}, err
	}
	charter, err := set.Charter()
	if err != nil {
		return Fleet{}, err
	}
	if h.ca, err = h.o.CA(charter.Fleet); err != nil {
		return Fleet{}, err
	}
	f := Fleet{ID: charter.Fleet, Name: name, Created: h.o.Now(), Set: set, Hubs: hubs}
	if err := h.o.Store.PutFleet(ctx, f, h.change(by, "fleet.founded", f.ID, name, "")); err != nil {
		return Fleet{}, err
	}
	h.fleet = f
	return f, nil
}

// Ask opens a proposal to sign a version for the fleet, or returns the open one if it is that. Another one must be published or
// dropped first.
func (h *Hub) Ask(ctx context.Context, by, group, model string, number int) (tuf.Proposal, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.none(); err != nil {
		return tuf.Proposal{}, err
	}
	m, raw, err := h.o.Registry.Signable(ctx, group, model, number)
	if err != nil {
		return tuf.Proposal{}, err
	}
	t := tuf.Target{Group: group, Model: m.Model, Digest: edgeward.DigestOf(raw), Length: int64(len(raw)), Version: number}
	signed, err := h.fleet.Set.Signed()
	if err != nil {
		return tuf.Proposal{}, err
	}
	same := func(x tuf.Target) bool { return x.Path() == t.Path() }
	if slices.ContainsFunc(signed, same) {
		return tuf.Proposal{}, edgeward.E("hub.Ask", edgeward.Conflict, "fleet.signed", "version %d of %s is signed already", number, model).WithHint("roll it out: edgeward fleet rollout start %s/%d --endpoint %s --reason …", model, number, model)
	}
	if open := h.fleet.Pending; open != nil {
		changes, err := tuf.Review(h.fleet.Set.Pin(), h.fleet.Set, *open)
		if err == nil && len(changes.Added) == 1 && same(changes.Added[0]) {
			return *open, nil
		}
		return *open, edgeward.E("hub.Ask", edgeward.Conflict, "fleet.proposal_open", "another proposal waits for its signatures").With("proposal", string(open.ID())).
			WithHint("sign it or drop it first: edgeward fleet proposal show")
	}
	p, err := tuf.Propose(h.fleet.Set, []tuf.Target{t}, nil, h.o.Now())
	if err != nil {
		return tuf.Proposal{}, err
	}
	return p, h.pend(ctx, &p, h.change(by, "fleet.proposal.opened", string(p.ID()), m.Model, ""))
}

// Propose opens a proposal that a person's client made: a new charter, revocations, longer lives.
func (h *Hub) Propose(ctx context.Context, by string, p tuf.Proposal) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.none(); err != nil {
		return err
	}
	if h.fleet.Pending != nil && h.fleet.Pending.ID() != p.ID() {
		return edgeward.E("hub.Propose", edgeward.Conflict, "fleet.proposal_open", "another proposal waits for its signatures").WithHint("sign it or drop it first: edgeward fleet proposal show")
	}
	if _, _, err := p.Add(h.fleet.Set); err != nil {
		return err
	}
	return h.pend(ctx, &p, h.change(by, "fleet.proposal.opened", string(p.ID()), "", ""))
}

// Proposal is the open one, with what it would change and still needs; NotFound fleet.proposal.none if there is none.
func (h *Hub) Proposal() (tuf.Set, tuf.Proposal, tuf.Changes, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.none(); err != nil {
		return tuf.Set{}, tuf.Proposal{}, tuf.Changes{}, err
	}
	set := h.fleet.Set
	if h.fleet.Pending == nil {
		return set, tuf.Proposal{}, tuf.Changes{}, NoProposal()
	}
	c, err := tuf.Review(set.Pin(), set, *h.fleet.Pending)
	return set, *h.fleet.Pending, c, err
}

// NoProposal says that nothing waits.
func NoProposal() error {
	return edgeward.E("hub.Proposal", edgeward.NotFound, "fleet.proposal.none", "nothing waits to be signed").WithHint("edgeward fleet sign MODEL/VERSION --key FILE opens a proposal")
}

// Drop closes the open proposal.
func (h *Hub) Drop(ctx context.Context, by, reason string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fleet.Pending == nil {
		return nil
	}
	return h.pend(ctx, nil, h.change(by, "fleet.proposal.dropped", string(h.fleet.Pending.ID()), "", reason))
}

func (h *Hub) pend(ctx context.Context, p *tuf.Proposal, c Change) error {
	f := h.fleet
	f.Pending = p
	if err := h.o.Store.PutFleet(ctx, f, c); err != nil {
		return err
	}
	h.fleet = f
	return nil
}

// Sign adds signatures to the open proposal and publishes it when none is missing. It returns what is still needed.
func (h *Hub) Sign(ctx context.Context, by string, id edgeward.Digest, sigs []tuf.Signature) (published bool, needs []tuf.Need, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.none(); err != nil {
		return false, nil, err
	}
	f := h.fleet
	if f.Pending == nil || f.Pending.ID() != id {
		return false, nil, edgeward.E("hub.Sign", edgeward.Conflict, "fleet.proposal_outdated", "this proposal is not open any more").WithHint("look at what is: edgeward fleet proposal show")
	}
	p, needs, err := f.Pending.Add(f.Set, sigs...)
	if err != nil {
		return false, nil, err
	}
	missing := 0
	for _, n := range needs {
		missing += n.Missing()
	}
	c := h.change(by, "fleet.proposal.signed", string(id), "", "")
	f.Pending = &p
	key, ca := h.o.Key, h.ca
	if missing == 0 {
		if key, err = h.keyOf(f.Set, p); err != nil {
			return false, needs, err
		}
		if f.Set, err = tuf.Publish(f.Set, p, key, h.o.Now()); err != nil {
			return false, needs, err
		}
		f.Pending = nil
		c.Action = "fleet.proposal.published"
		if ca, f.Heritage, err = h.successor(f, h.ca); err != nil {
			return false, needs, err
		}
	}
	changes := append([]Change{c}, h.trusts(by, h.fleet, f)...)
	if err := h.o.Store.PutFleet(ctx, f, changes...); err != nil {
		return false, needs, err
	}
	h.fleet = f
	if missing == 0 {
		h.inherit(f, ca)
	}
	if key.Public() != h.o.Key.Public() {
		h.o.Key = key
		clear(h.documents) // the next to be asked for are signed by the new key
	}
	return missing == 0, needs, nil
}

// keyOf is the hub's key once p is published: the present one, unless p's charter names another.
func (h *Hub) keyOf(s tuf.Set, p tuf.Proposal) (tuf.Key, error) {
	c, err := tuf.Review(s.Pin(), s, p)
	if err != nil || c.After == nil || c.After.Hub == h.o.Key.Public() {
		return h.o.Key, err
	}
	return h.o.NextKey(c.After.Hub)
}

// freshen signs snapshot and timestamp anew before they expire. It looks every ten minutes: looking verifies everything.
func (h *Hub) freshen(ctx context.Context) error {
	if now := h.o.Now(); now.Sub(h.freshened) < 10*time.Minute && !now.Before(h.freshened) {
		return nil
	}
	h.freshened = h.o.Now()
	set, changed, err := tuf.Freshen(h.fleet.Set, h.o.Key, h.o.Now())
	if err != nil || !changed {
		return err
	}
	f := h.fleet
	f.Set = set
	if err := h.o.Store.PutFleet(ctx, f); err != nil {
		return err
	}
	h.fleet = f
	return nil
}
