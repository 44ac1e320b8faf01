package hub_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"edgeward/fleet/hub"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
)

// gossiper is a node whose site port is open.
type gossiper struct {
	h   *house
	id  string
	own pki.Identity
	seq uint64
	has uint64 // epoch of its ring
	key []byte // first of it
}

func (h *house) gossips(node, site string) *gossiper {
	h.Helper()
	c := h.code(hub.CodeRequest{Site: site, Auto: true})
	own, csr, err := pki.Request(node)
	h.ok(err)
	_, err = h.Join(h.Context(), spec.JoinRequest{Format: spec.Format, Code: c.ID, Secret: c.Secret, Node: node, CSR: csr, Facts: spec.Facts{Name: "the " + node}})
	h.ok(err)
	g := &gossiper{h: h, id: node, own: own}
	g.report()
	return g
}

func (g *gossiper) report() {
	g.h.Helper()
	g.seq++
	g.h.ok(g.h.Report(g.h.Context(), spec.Reported{Format: 1, Node: g.id, Boot: "boot-" + g.id, Seq: g.seq, At: g.h.now, Facts: spec.Facts{Name: "the " + g.id},
		Gossip: spec.Gossip{Addresses: []string{"10.0.0.1:7946"}, Ring: g.has}}))
}

// takes takes the latest document, and returns how many keys its ring has.
func (g *gossiper) takes() int {
	g.h.Helper()
	d := g.h.desired(g.id, 0)
	if d.Keyring == nil {
		g.h.Fatalf("%s has no key ring", g.id)
	}
	b, err := g.own.Unseal(d.Keyring.Info("fleet1", d.Site, g.id), d.Keyring.Sealed)
	g.h.ok(err)
	g.has, g.key = d.Keyring.Epoch, b[:32]
	g.report()
	return len(b) / 32
}

func (h *house) later(d time.Duration, who ...*gossiper) {
	h.Helper()
	h.now = h.now.Add(d)
	for _, g := range who {
		g.report()
	}
	h.turn()
	h.turn()
}

func TestASiteGetsItsRosterAndItsKeys(t *testing.T) {
	h := founded(t)
	a, b := h.gossips("aa", "north"), h.gossips("bb", "north")
	south := h.gossips("cc", "south")
	h.joins("quiet", "north")
	h.turn()
	if a.takes() != 1 || b.takes() != 1 || south.takes() != 1 {
		t.Fatal("a new site has one key")
	}
	if !bytes.Equal(a.key, b.key) || bytes.Equal(a.key, south.key) {
		t.Error("one key a site")
	}
	d := h.desired("aa", 0)
	if len(d.Roster) != 2 || d.Roster[0].Node != "aa" || d.Roster[1].Node != "bb" || d.Roster[1].Name != "the bb" || len(d.Roster[1].Certs) != 1 {
		t.Errorf("%+v", d.Roster)
	}
	if d := h.desired("quiet", 0); d.Roster != nil || d.Keyring != nil {
		t.Error("who does not listen gets neither roster nor keys")
	}
	if _, err := south.own.Unseal(d.Keyring.Info("fleet1", "north", "aa"), d.Keyring.Sealed); err == nil {
		t.Error("another node opens it")
	}
	h.restart()
	h.turn()
	was := a.key
	if a.takes(); !bytes.Equal(a.key, was) {
		t.Error("the key is another after a restart of the hub")
	}
	rev := h.desired("aa", 0).Rev
	h.later(time.Hour, a, b, south)
	if h.desired("aa", rev) != nil {
		t.Error("nothing has changed, and there is a new document")
	}
}

func TestWhoIsShutOutLosesTheKeys(t *testing.T) {
	h := founded(t)
	a, b, away := h.gossips("aa", "north"), h.gossips("bb", "north"), h.gossips("dd", "north")
	h.turn()
	a.takes()
	b.takes()
	away.takes()
	old := a.key
	_, err := h.Decide(t.Context(), "user:ann", "bb", hub.Revoke, "stolen")
	h.ok(err)
	h.later(5*time.Minute, a) // the third one is silent
	if n := a.takes(); n != 2 || !bytes.Equal(a.key, old) {
		t.Fatalf("first the new key is added behind the old: %d keys", n)
	}
	if slices.ContainsFunc(h.desired("aa", 0).Roster, func(p spec.Peer) bool { return p.Node == "bb" }) {
		t.Error("who was revoked stands on the roster")
	}
	h.later(20*time.Second, a)
	if n := a.takes(); n != 2 || bytes.Equal(a.key, old) {
		t.Fatalf("then the new key is first: %d keys", n)
	}
	h.later(20*time.Second, a)
	if n := a.takes(); n != 1 || bytes.Equal(a.key, old) {
		t.Fatalf("then the old key goes, although one is away: %d keys", n)
	}
	if away.takes() != 1 || !bytes.Equal(a.key, away.key) {
		t.Error("who was away gets the new key with its next document")
	}
}

func TestKeysGrowOld(t *testing.T) {
	h := founded(t)
	a, b := h.gossips("aa", "north"), h.gossips("bb", "north")
	h.turn()
	a.takes()
	b.takes()
	old := a.key
	h.later(31*24*time.Hour, a, b)
	if a.takes() != 2 || b.takes() != 2 {
		t.Fatal("after 30 days a key is added")
	}
	h.later(20*time.Second, a, b)
	if a.takes() != 2 || bytes.Equal(a.key, old) {
		t.Fatal("it becomes first")
	}
	h.later(time.Hour, a) // the other one has not taken it
	if a.takes() != 2 {
		t.Error("the old key goes while one may still use it")
	}
	b.takes()
	h.later(20*time.Second, a, b)
	if a.takes() != 1 || bytes.Equal(a.key, old) {
		t.Error("the old key stays")
	}
}
