package role

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"edgeward/fleet/pki"
)

// TestACallerIsJudgedForEachCall holds that a certificate which was verified once still expires, and that another one on the same connection is another caller.
func TestACallerIsJudgedForEachCall(t *testing.T) {
	now := time.Date(2026, time.November, 26, 0, 0, 0, 0, time.UTC)
	ca, err := pki.NewCA("fleet", now)
	if err != nil {
		t.Fatal(err)
	}
	other, err := pki.NewCA("other", now)
	if err != nil {
		t.Fatal(err)
	}
	shows := func(ca pki.CA, node string) *tls.ConnectionState {
		t.Helper()
		_, csr, err := pki.Request(node)
		if err != nil {
			t.Fatal(err)
		}
		chain, err := ca.IssueNode(node, csr, nil, now)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(chain[0])
		if err != nil {
			t.Fatal(err)
		}
		return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}
	}
	a, b, foreign := shows(ca, "a"), shows(ca, "b"), shows(other, "a")
	c := &caller{}
	for _, row := range []struct {
		what string
		cs   *tls.ConnectionState
		at   time.Time
		want string
	}{
		{"no connection", nil, now, ""},
		{"no certificate", &tls.ConnectionState{}, now, ""},
		{"another fleet's", foreign, now, ""},
		{"a node", a, now, "a"},
		{"again", a, now.Add(time.Hour), "a"},
		{"expired for long", a, now.Add(3 * 365 * 24 * time.Hour), ""},
		{"another node", b, now, "b"},
		{"another fleet's after it", foreign, now, ""},
		{"none after it", &tls.ConnectionState{}, now, ""},
	} {
		if got := c.node(ca.Authority, row.cs, row.at, nil); got != row.want {
			t.Errorf("%s: %q, want %q", row.what, got, row.want)
		}
	}
}
