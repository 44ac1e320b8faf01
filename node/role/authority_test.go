package role

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/pki"
	"edgeward/node/events"
	"edgeward/node/store"
	"edgeward/sync/tuf"
)

// amends has the charter name other authorities, signed by root's key.
func (t *town) amends(list ...[]byte) {
	t.Helper()
	h := t.hub.role.Hub()
	c, err := h.Fleet().Set.Charter()
	t.ok(err)
	c.Authorities = list
	p, err := tuf.Amend(h.Fleet().Set, c, t.now())
	t.ok(err)
	t.ok(h.Propose(t.Context(), "user:ann", p))
	sigs, err := tuf.Sign(h.Fleet().Set, p, t.root)
	t.ok(err)
	published, _, err := h.Sign(t.Context(), "user:ann", p.ID(), sigs)
	t.ok(err)
	if !published {
		t.Fatal("the charter was not published")
	}
}

// months go by, in which nodes and the hub are off: to who runs on, a clock that jumps looks like a hub that was away for as long.
func (t *town) months(n int, nodes ...*server) {
	t.Helper()
	for _, x := range nodes {
		x.stop()
	}
	t.hub.stop()
	t.passes(time.Duration(n) * 30 * 24 * time.Hour)
	t.hub.start()
	<-t.hub.listens
	t.eventually("the hub signs anew", func() bool {
		for _, l := range t.hub.role.Hub().Fleet().Set.Lives() {
			if l.Role == tuf.Timestamp {
				return l.Expires.After(t.now())
			}
		}
		return false
	})
	for _, x := range nodes {
		x.start()
	}
}

// issuer is the CA of a node's certificate.
func (s *server) issuer() edgeward.Digest {
	m, err := s.db.Membership(s.Context())
	s.ok(err)
	return m.Identity.Issuer()
}

// renewed waits until each node has a certificate of the CA that issues.
func (t *town) renewed(nodes ...*server) {
	t.Helper()
	now := t.hub.role.Hub().CA().Digest()
	for _, n := range nodes {
		t.eventually(n.id+" has a certificate of the new authority, and follows", func() bool { return n.issuer() == now && n.follows() })
	}
}

// calls makes a call to the hub with a certificate, as a node that trusts a.
func (t *town) calls(a pki.Authority, id pki.Identity) error {
	t.Helper()
	cert, err := id.TLS()
	t.ok(err)
	w := agent.NewWire([]string{"https://" + t.hub.at}, pki.NodeTLS(a, func() (*tls.Certificate, error) { return &cert, nil }), nil, nil)
	defer w.Close()
	_, err = w.Desired(t.Context(), 1<<40, 0)
	if edgeward.CodeOf(err) == "fleet.trust.not_found" {
		return nil
	}
	return err
}

// TestAnotherAuthority replaces the fleet's CA while one node is away, over two changes, and holds against it who stole the old CA's key.
func TestAnotherAuthority(test *testing.T) {
	test.Parallel()
	t := newTown(test)
	old := t.code()
	a, b, away := t.node("a"), t.node("b"), t.node("away")
	for _, n := range []*server{a, b, away} {
		n.joins(old)
		t.eventually(n.id+" follows", n.follows)
	}
	h := t.hub.role.Hub()
	first := h.CA()
	stolen, err := os.ReadFile(filepath.Join(t.hub.dir, "fleet", CAFile))
	t.ok(err)
	thief, err := pki.ParseCA(stolen)
	t.ok(err)
	m, err := away.db.Membership(t.Context())
	t.ok(err)
	lost := m.Identity // what the node that is away has on its disk
	away.stop()

	// A charter that names an authority whose key the hub has not is not published.
	foreign, err := pki.NewCA("fleet1", t.now())
	t.ok(err)
	c, err := h.Fleet().Set.Charter()
	t.ok(err)
	c.Authorities = [][]byte{first.DER(), foreign.DER()}
	p, err := tuf.Amend(h.Fleet().Set, c, t.now())
	t.ok(err)
	t.ok(h.Propose(t.Context(), "user:ann", p))
	sigs, err := tuf.Sign(h.Fleet().Set, p, t.root)
	t.ok(err)
	if published, _, err := h.Sign(t.Context(), "user:ann", p.ID(), sigs); published || edgeward.CodeOf(err) != "fleet.authority_key" || edgeward.HintOf(err) == "" {
		t.Errorf("published %v, %v", published, err)
	}
	t.ok(h.Drop(t.Context(), "user:ann", "test"))
	if h.CA().Digest() != first.Digest() {
		t.Fatal("the authority changed")
	}

	current, next, err := t.hub.role.NextAuthority(t.Context())
	t.ok(err)
	if again, same, err := t.hub.role.NextAuthority(t.Context()); err != nil || !slices.Equal(again, current) || !slices.Equal(same, next) {
		t.Error("asked twice the hub makes two:", err)
	}
	if h.CA().Digest() != first.Digest() {
		t.Fatal("the hub changed its authority before anybody signed it")
	}
	t.amends(current, next)
	if h.CA().Digest() != edgeward.DigestOf(next) {
		t.Fatal("the hub does not issue by the new authority")
	}
	t.renewed(a, b)
	if s, err := h.Succession(); err != nil || s.Renewed != 2 || len(s.Waiting) != 1 || s.Waiting[0].ID != "away" || len(s.Authorities) != 2 || s.Missing {
		t.Errorf("%+v %v", s, err)
	}
	late := t.node("late") // a code from before leads to the new authority
	late.joins(old)
	fresh := t.node("fresh")
	fresh.joins(t.code())
	t.renewed(late, fresh)

	// The old one goes.
	t.amends(next)
	t.hub.called() // another document, which all must get
	t.renewed(a, b, late, fresh)

	// Who stole the key of the old CA: certificates that he makes open nothing, neither at the hub nor in its place.
	id, csr, err := pki.Request("a")
	t.ok(err)
	id.Chain, err = thief.IssueNode("a", csr, nil, t.now())
	t.ok(err)
	if err := t.calls(first.Authority, id); edgeward.CodeOf(err) != "fleet.certificate" && edgeward.CodeOf(err) != "fleet.refused" {
		t.Errorf("a certificate of a stolen key: %v", err)
	}
	sham, err := thief.IssueHub([]string{"127.0.0.1"}, t.now())
	t.ok(err)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{sham}, ClientAuth: tls.RequestClientCert})
	t.ok(err)
	defer ln.Close()
	web := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = web.Serve(ln) }()
	ma, err := a.db.Membership(t.Context())
	t.ok(err)
	_, trusts, err := ma.Identity.Join(ma.CA, "a", ma.Identity.Chain)
	t.ok(err)
	t.ok(trusts.Trust([][]byte{next}, nil))
	cert, err := ma.Identity.TLS()
	t.ok(err)
	w := agent.NewWire([]string{"https://" + ln.Addr().String()}, pki.NodeTLS(trusts, func() (*tls.Certificate, error) { return &cert, nil }), nil, nil)
	defer w.Close()
	if _, err := w.Desired(t.Context(), 0, 0); edgeward.CodeOf(err) != "fleet.not_the_hub" {
		t.Errorf("a hub of a stolen key: %v", err)
	}

	// Who was away for months comes in with what it has, and learns all of it: its certificate has expired, its authority counts no more.
	if err := t.calls(first.Authority, lost); err != nil {
		t.Errorf("the certificate that the hub knows: %v", err)
	}
	t.months(5, a, b, late, fresh)
	away.start()
	t.renewed(away, a, b)
	if s, err := t.hub.role.Hub().Succession(); err != nil || len(s.Waiting) != 0 || len(s.Authorities) != 1 {
		t.Errorf("%+v %v", s, err)
	}
	for _, x := range []struct {
		db     *store.DB
		action string
	}{{t.hub.db, "fleet.authority.added"}, {t.hub.db, "fleet.authority.dropped"}, {away.db, "fleet.certificate_renewed"}} {
		if list, _, err := x.db.ListEvents(context.Background(), store.EventPage{Filter: events.Filter{Action: x.action}}); err != nil || len(list) == 0 {
			t.Errorf("no event %s: %v", x.action, err)
		}
	}

	// Once more, and the node that was away the first time is away again.
	away.stop()
	current, third, err := t.hub.role.NextAuthority(t.Context())
	t.ok(err)
	if !slices.Equal(current, next) || slices.Equal(third, next) {
		t.Fatal("the third authority is not another one")
	}
	t.amends(current, third)
	t.renewed(a, b)
	t.amends(third)
	t.hub.stop()
	t.hub.start()
	<-t.hub.listens
	if t.hub.role.Hub().CA().Digest() != edgeward.DigestOf(third) {
		t.Fatal("the hub has forgotten its authority")
	}
	away.start()
	t.renewed(a, b, away)
}
