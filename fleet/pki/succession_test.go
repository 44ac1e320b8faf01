package pki_test

import (
	"crypto/tls"
	"testing"

	"edgeward"
	"edgeward/fleet/pki"
)

func parsed(chain [][]byte) *tls.ConnectionState {
	var cs tls.ConnectionState
	for _, der := range chain {
		cs.PeerCertificates = append(cs.PeerCertificates, must(pki.ParseCertificate(der)))
	}
	return &cs
}

// TestSuccession is a fleet whose CA is replaced three times, and who believes whom then.
func TestSuccession(t *testing.T) {
	cas := []pki.CA{must(pki.NewCA("f1", start))}
	var heritage [][]byte
	for range 3 {
		last, next := cas[len(cas)-1], must(pki.NewCA("f1", start))
		heritage = append([][]byte{must(last.Cross(next.Authority)), last.DER()}, heritage...)
		cas = append(cas, next.Succeeds(pki.Authority{}, heritage))
	}
	issue := func(ca pki.CA, node string) (pki.Identity, [][]byte) {
		id, csr, err := pki.Request(node)
		if err != nil {
			t.Fatal(err)
		}
		return id, ca.Chain(must(ca.IssueNode(node, csr, nil, start)))
	}
	for i, ca := range cas {
		id, chain := issue(ca, "n1")
		for j, pinned := range cas {
			joined, a, err := id.Join(pinned.Digest(), "n1", chain)
			if leads := j <= i; (err == nil) != leads {
				t.Errorf("joined by the pin of %d at CA %d: %v", j, i, err)
			} else if leads && (joined.Issuer() != ca.Digest() || a.Digest() != pinned.Digest()) {
				t.Errorf("pin %d, CA %d: issued by %s, trusts %s", j, i, joined.Issuer().Short(), a.Digest().Short())
			}
			fresh := must(pki.ParseAuthority(pinned.DER()))
			p, err := fresh.Peer(parsed(chain), start)
			if (err == nil) != (j <= i) || p.Former {
				t.Errorf("CA %d, for who trusts %d: %+v %v", i, j, p, err)
			}
			// without the way nobody is led
			if _, err := fresh.Peer(parsed(chain[:1]), start); (err == nil) != (j == i) {
				t.Errorf("CA %d alone, for who trusts %d: %v", i, j, err)
			}
			hub := must(ca.IssueHub(nil, start))
			if err := pki.JoinTLS(pinned.Digest()).VerifyConnection(*parsed(hub.Certificate)); (err == nil) != (j <= i) {
				t.Errorf("the hub of CA %d, for the pin of %d: %v", i, j, err)
			}
		}
	}
	t.Run("one that counts no more is former", func(t *testing.T) {
		a := must(pki.ParseAuthority(cas[1].DER()))
		copied := a
		if err := a.Trust([][]byte{cas[1].DER()}, heritage[4:]); err != nil {
			t.Fatal(err)
		}
		_, chain := issue(cas[0], "n1")
		for _, x := range []pki.Authority{a, copied} {
			if p, err := x.Peer(parsed(chain), start); err != nil || !p.Former || p.Node != "n1" {
				t.Errorf("%+v %v", p, err)
			}
		}
		if err := a.Trust([][]byte{cas[1].DER()}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := copied.Peer(parsed(chain), start); edgeward.CodeOf(err) != "fleet.certificate" {
			t.Errorf("a CA that nobody names: %v", err)
		}
	})
	t.Run("who must not pass for a successor", func(t *testing.T) {
		a := must(pki.ParseAuthority(cas[0].DER()))
		stranger := must(pki.NewCA("f1", start))
		other := must(pki.NewCA("f2", start))
		_, chain := issue(cas[0], "n1")
		_, strange := issue(stranger, "n2")
		for name, shown := range map[string][][]byte{
			"a stranger":                         strange,
			"a stranger, with the true CA":       {strange[0], stranger.DER(), cas[0].DER()},
			"a node that signs":                  {strange[0], chain[0], cas[0].DER()},
			"a stranger's cross":                 {strange[0], must(stranger.Cross(cas[0].Authority)), cas[0].DER()},
			"the true cross, of another CA":      {strange[0], must(cas[0].Cross(cas[1].Authority)), cas[0].DER()},
			"more certificates than a chain has": append([][]byte{strange[0]}, make9(cas[0].DER())...),
		} {
			if p, err := a.Peer(parsed(shown), start); err == nil {
				t.Errorf("%s: %+v", name, p)
			}
		}
		if _, err := cas[0].Cross(other.Authority); err == nil {
			t.Error("a CA of another fleet succeeds")
		}
		for name, list := range map[string][][]byte{"none": nil, "a leaf": {chain[0]}, "another fleet's": {other.DER()}, "no certificate": {[]byte("x")}} {
			if err := a.Trust(list, nil); err == nil {
				t.Errorf("%s is trusted", name)
			}
		}
		if _, err := a.Peer(parsed(chain), start); err != nil {
			t.Errorf("after refusals: %v", err)
		}
	})
	t.Run("a node renews with whom it trusts", func(t *testing.T) {
		a := must(pki.ParseAuthority(cas[1].DER()))
		id, chain := issue(cas[2], "n1")
		if _, err := id.Renew(a, "n1", chain); err != nil {
			t.Error(err)
		}
		if _, err := id.Renew(a, "n2", chain); err == nil {
			t.Error("the certificate of another")
		}
		id, chain = issue(cas[0], "n1")
		if _, err := id.Renew(a, "n1", chain); err == nil {
			t.Error("a CA of before")
		}
		if err := a.Trust([][]byte{cas[1].DER()}, [][]byte{cas[0].DER()}); err != nil {
			t.Fatal(err)
		}
		if _, err := id.Renew(a, "n1", chain); err == nil {
			t.Error("a former CA")
		}
	})
}

func make9(der []byte) (out [][]byte) {
	for range 9 {
		out = append(out, der)
	}
	return out
}
