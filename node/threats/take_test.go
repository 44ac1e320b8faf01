package threats

import (
	"bytes"
	"net/http"
	"slices"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/hub"
	"edgeward/fleet/overlay"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/sync/canonical"
)

var triage = spec.Key{Group: "main", Name: "triage"}

// site is a hub and three nodes of one site, which have version 1 and may take each other's promotions when the hub has been away for ten minutes.
func site(t *testing.T) (f *fort, nodes []*guard) {
	f = newFort(t)
	for range 3 {
		nodes = append(nodes, f.node(sites))
	}
	_, err := f.hub.Apply(t.Context(), "user:ann", "main", []overlay.Document{{Kind: overlay.Autonomy, Scope: "site/north", Autonomy: spec.LocalPromote, After: spec.MinAutonomyAfter, Take: spec.TakeSite}}, "", false)
	f.ok(err)
	f.everywhere(1, nodes...)
	for _, g := range nodes {
		f.eventually("everybody knows who is of the site", func() bool {
			k, _ := g.agent().Kept()
			return len(k.Roster) == 3 && k.Policy.Autonomy.Take == spec.TakeSite && k.Delegation != nil && len(k.Delegation.Keys) == 3
		})
	}
	return f, nodes
}

// alone lets the hub be gone for eleven minutes.
func (f *fort) alone(nodes ...*guard) {
	f.Helper()
	f.away(true)
	for _, g := range nodes {
		f.eventually("the hub's silence is noticed", func() bool { _, c := g.agent().Kept(); return c.Code != "" })
		g.shift.Store(660)
	}
}

// trains puts version n, made on this node, behind the endpoint.
func (g *guard) trains(n int) {
	g.Helper()
	m, raw, d, files := version(n)
	for _, b := range append(slices.Clone(files), raw) {
		_, err := g.blobs.PutAs(g.Context(), edgeward.DigestOf(b), bytes.NewReader(b), int64(len(b)))
		g.ok(err)
	}
	g.local.mu.Lock()
	g.local.here[d] = m
	g.local.mu.Unlock()
	_, err := g.agent().Promote(g.Context(), agent.Own{Endpoint: triage, Model: m.Model, Version: n, Digest: d, Length: int64(len(raw)), Job: "01J", By: "user:eva", Reason: "drift since monday"})
	g.ok(err)
}

// hears asks another node of the site what it promoted, as gossip's hint has a node do.
func (g *guard) hears(from *guard) []agent.Offered {
	g.Helper()
	list, err := g.near.client.Promotions(g.Context(), from.id)
	g.ok(err)
	g.agent().Offer(g.Context(), from.id, list)
	return g.agent().Offered()
}

func (g *guard) takes(from *guard) (spec.Promotion, error) {
	return g.agent().TakeOffer(g.Context(), "user:bea", triage, from.id, "it does better there")
}

// TestASiteTakesAPromotionWithoutTheHub is three servers of a site whose hub is gone: one promotes what it trained, the two others take it, each because a
// person there says so. When the hub is back it is adopted once, and becomes the fleet's.
func TestASiteTakesAPromotionWithoutTheHub(t *testing.T) {
	t.Parallel()
	f, nodes := site(t)
	a, b, c := nodes[0], nodes[1], nodes[2]
	f.shelf.lacks(7)
	f.alone(nodes...)
	a.trains(7)
	f.eventually("it passed its probation where it was trained", func() bool { return a.local.answers() == 7 && a.agent().Sharing() != 0 })
	for _, g := range []*guard{b, c} {
		if o := g.hears(a); len(o) != 1 || o[0].Code != "" || o[0].Promotion.Version != 7 || g.local.answers() != 1 {
			t.Fatalf("%s hears %+v, and %d answers", g.id, o, g.local.answers())
		}
		p, err := g.takes(a)
		if f.ok(err); p.Taken.Node != a.id || p.Taken.Seq != 1 {
			t.Fatalf("%+v", p)
		}
		f.eventually("it passed its probation here too", func() bool {
			k, _ := g.agent().Kept()
			return g.local.answers() == 7 && k.Items[0].State.Phase == spec.Committed && k.Items[0].State.Local == 1
		}, g.stands)
		if k, _ := g.agent().Kept(); k.Traffic.Peers == 0 {
			t.Errorf("%s: nothing came from the site", g.id)
		}
	}
	c.cut() // a power cut changes nothing of it
	f.eventually("it answers after a power cut", func() bool { return c.local.answers() == 7 })

	f.away(false)
	for _, g := range nodes {
		f.eventually("the hub hears of it", func() bool {
			n, err := f.hub.Node(g.id)
			return err == nil && len(n.Promotions) == 1 && !n.Promotions[0].Refused && n.Promotions[0].Ended.IsZero()
		}, func() string { n, _ := f.hub.Node(g.id); return g.stands() + promotionsOf(n) })
		if g.local.answers() != 7 {
			t.Errorf("%s: the hub overwrote it before anybody chose", g.id)
		}
	}
	gaps := f.hub.Gaps()
	if len(gaps) != 3 || slices.ContainsFunc(gaps, func(g hub.Gap) bool { return g.Code != "fleet.local" && g.Code != "fleet.node_away" }) {
		t.Errorf("%+v", gaps)
	}
	_, err := f.hub.Choose(t.Context(), "user:ann", b.id, 1, hub.Adopt, "better everywhere") // said of one that took it
	f.ok(err)
	for _, g := range nodes {
		f.eventually("it is brought, and all have its number", func() bool {
			n, err := f.hub.Node(g.id)
			return err == nil && n.Promotions[0].Verdict == hub.Adopt && n.Promotions[0].Number == 7
		}, func() string { n, _ := f.hub.Node(g.id); return g.stands() + promotionsOf(n) })
	}
	f.shelf.mu.Lock()
	if len(f.shelf.adopted) != 1 {
		t.Errorf("it was adopted %d times", len(f.shelf.adopted))
	}
	f.shelf.mu.Unlock()
	f.everywhere(7, nodes...)
	for _, g := range nodes {
		f.eventually("it is the fleet's", func() bool {
			k, _ := g.agent().Kept()
			return k.Promotions[0].Word == "fleet.local_adopted" && k.Items[0].State.Local == 0 && k.Items[0].State.Phase == spec.Committed && g.local.answers() == 7
		}, g.stands)
	}
}

func promotionsOf(n hub.Node) (out string) {
	for _, p := range n.Promotions {
		out += " " + p.Code + " " + p.Why
	}
	return out
}

// TestWhoTakesTheHubOverBringsNothingByAPromotion is somebody with all keys of the hub's machine: a site that may take promotions at any time, a server of it that
// does not exist, with a certificate, and a version of their making, which that server promotes. It is offered, and nothing comes of it.
func TestWhoTakesTheHubOverBringsNothingByAPromotion(t *testing.T) {
	t.Parallel()
	f, nodes := site(t)
	g := nodes[0]
	id, csr, err := pki.Request("ward9")
	f.ok(err)
	id.Chain, err = f.ca.IssueNode("ward9", csr, nil, f.now())
	f.ok(err)
	k, _ := g.agent().Kept()
	_, raw, d, _ := version(9)
	doc := spec.Desired{Format: spec.Format, Fleet: "fleet1", Node: g.id, Site: "north", Rev: k.Rev + 5, Term: f.hub.Fleet().Term, Issued: f.now().UTC(), Expires: f.now().Add(14 * 24 * time.Hour).UTC(),
		Endpoints: []spec.Endpoint{{Group: "main", Name: "triage", Model: "triage", Version: 1, Digest: digest(1)}}, Policy: spec.Policy{Autonomy: spec.Autonomy{Mode: spec.LocalPromote, Always: true, Take: spec.TakeSite}},
		Delegation: &spec.Delegation{Site: "north", Keys: []spec.Signer{{Node: "ward9", Certs: []edgeward.Digest{edgeward.DigestOf(id.Chain[0])}}}}}
	e := f.envelope(doc)
	f.steal(func(w http.ResponseWriter, r *http.Request, node string) bool {
		return node == g.id && (says(w, r, e, doc.Rev) || bytesOf(w, r, 9))
	})
	f.eventually("it takes the thief's document", func() bool { k, _ := g.agent().Kept(); return k.Rev == doc.Rev })
	p := spec.Promotion{Format: 1, Fleet: "fleet1", Node: "ward9", Site: "north", Seq: 1, Target: spec.SiteTarget("north", "main", "triage", d), Length: int64(len(raw)), Endpoint: "triage", Version: 9, Over: digest(1), Rev: 1, Job: "01J",
		At: f.now().UTC(), By: "user:ann", Reason: "trust me"}
	b, err := canonical.JSON(p)
	f.ok(err)
	sig, err := id.Sign(spec.PromotionPurpose, b)
	f.ok(err)
	g.agent().Offer(t.Context(), "ward9", []spec.SignedPromotion{{Promotion: b, Certificate: id.Chain[0], Signature: sig}})
	if o := g.agent().Offered(); len(o) != 1 || o[0].Code != "" || o[0].Promotion.Digest() != d {
		t.Errorf("this is how far the hub's keys go, and it is not tried here: %+v", o)
	}
	time.Sleep(3 * time.Second) // three rounds of the agent
	g.stand("1")
	g.innocent(9)
}

// TestWhatAServerOfTheSiteIsNotGiven is a server, such as a stolen one, whose document does not let it take a promotion.
func TestWhatAServerOfTheSiteIsNotGiven(t *testing.T) {
	t.Parallel()
	f, nodes := site(t)
	a, b := nodes[0], nodes[1]
	f.shelf.lacks(7)
	f.alone(nodes...)
	a.trains(7)
	f.eventually("it passed its probation where it was trained", func() bool { return a.agent().Sharing() != 0 })
	d := digest(7)
	ask := func(what string, change func(*spec.Desired), want bool) {
		t.Helper()
		k, _ := b.agent().Kept()
		doc := spec.Desired{Format: spec.Format, Fleet: "fleet1", Node: b.id, Site: "north", Rev: k.Rev, Issued: b.now().UTC(), Expires: b.now().Add(24 * time.Hour).UTC(), Policy: k.Policy,
			Endpoints: []spec.Endpoint{{Group: "main", Name: "triage", Model: "triage", Version: 1, Digest: digest(1)}}}
		change(&doc)
		shown := f.envelope(doc) // the hub's own word: here it says what a stolen server would have been told
		c := b.near.shows(func() []byte { return shown })
		defer c.Close()
		list, err := c.Promotions(t.Context(), a.id)
		f.ok(err)
		h, err := c.Have(t.Context(), a.id, []edgeward.Digest{d})
		if f.ok(err); (len(list) == 1) != want || h.Blobs[0].Here != want {
			t.Errorf("%s: %d promotions, its manifest is given: %v; want %v", what, len(list), h.Blobs[0].Here, want)
		}
	}
	ask("as the hub said", func(*spec.Desired) {}, true)
	ask("for another endpoint", func(x *spec.Desired) { x.Endpoints[0].Name = "sepsis" }, false)
	ask("for another model", func(x *spec.Desired) { x.Endpoints[0].Model = "sepsis" }, false)
	ask("take own", func(x *spec.Desired) { x.Policy.Autonomy.Take = spec.TakeOwn }, false)
	ask("no policy", func(x *spec.Desired) { x.Policy.Autonomy = spec.Autonomy{} }, false)
}
