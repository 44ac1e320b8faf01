package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"slices"
	"strings"
	"time"

	"edgeward"
)

const (
	scheme = "edgeward"
	maxDER = 8 << 10
)

// Peer is who is at the other end of a connection. Node is empty for the hub.
type Peer struct {
	Fleet       string
	Node        string
	Fingerprint edgeward.Digest // of the certificate
	NotBefore   time.Time
	NotAfter    time.Time
	Expired     bool // taken because of Grace
	Former      bool // by a CA that is trusted no more: it counts only for who knows that it issued this very certificate
	Cert        *x509.Certificate
}

// Peer says who is at the other end, at now. No certificate is Unauthenticated "fleet.no_certificate"; one of nobody in this fleet
// "fleet.certificate"; one that expired more than Grace ago "fleet.expired".
func (a Authority) Peer(cs *tls.ConnectionState, now time.Time) (Peer, error) {
	if cs == nil || len(cs.PeerCertificates) == 0 {
		return Peer{}, edgeward.E("pki.Peer", edgeward.Unauthenticated, "fleet.no_certificate", "this needs the certificate of a server of the fleet").
			WithHint("join the server first: edgeward join CODE")
	}
	p, err := a.peer(cs.PeerCertificates[0], cs.PeerCertificates[1:]...)
	if err != nil {
		return p, err
	}
	return p.At(now)
}

// At is p at now: Expired, or the error "fleet.expired" where it expired more than Grace ago. Who keeps the Peer of a connection asks it for each call.
func (p Peer) At(now time.Time) (Peer, error) {
	p.Expired = now.After(p.NotAfter)
	if now.After(p.NotAfter.Add(Grace)) { // one from the future is taken: only the hub's clock was wrong when it was made
		return p, edgeward.E("pki.Peer", edgeward.Unauthenticated, "fleet.expired", "the certificate of %s was valid from %s to %s", p.Node, p.NotBefore.Format(time.DateOnly), p.NotAfter.Format(time.DateOnly)).
			WithHint("join the server anew with a new code; if the dates look right, set the clock")
	}
	return p, nil
}

// peer checks all of cert but the time. shown are the other certificates that came with it.
func (a Authority) peer(cert *x509.Certificate, shown ...*x509.Certificate) (Peer, error) {
	bad := func(why string) (Peer, error) {
		return Peer{}, edgeward.E("pki.Peer", edgeward.Unauthenticated, "fleet.certificate", "the certificate is not of this fleet: %s", why).
			WithHint("join the server to this fleet: edgeward join CODE")
	}
	if len(cert.Raw) > maxDER || a.cert == nil {
		return bad("another authority signed it")
	}
	former, ok := a.signed(cert, shown)
	if !ok {
		return bad("another authority signed it")
	}
	if len(cert.URIs) != 1 || cert.IsCA || len(cert.UnhandledCriticalExtensions) > 0 || p256(cert) == nil {
		return bad("its form is another")
	}
	p := Peer{Fleet: a.Fleet, Fingerprint: edgeward.DigestOf(cert.Raw), NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, Former: former, Cert: cert}
	if u := cert.URIs[0]; *u == *uri(a.Fleet, "hub") && slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth) {
		return p, nil
	}
	p.Node = cert.Subject.CommonName
	if checkID("node", p.Node) != nil || *cert.URIs[0] != *uri(a.Fleet, "node/"+p.Node) || !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return bad("it names nobody here")
	}
	return p, nil
}

func uri(fleet, path string) *url.URL { return &url.URL{Scheme: scheme, Host: fleet, Path: "/" + path} }

func p256(cert *x509.Certificate) *ecdsa.PublicKey {
	if k, ok := cert.PublicKey.(*ecdsa.PublicKey); ok && k.Curve == elliptic.P256() {
		return k
	}
	return nil
}

func checkID(what, id string) error {
	if id == "" || len(id) > 64 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
		return edgeward.E("pki.checkID", edgeward.Invalid, "fleet.id", "%s %.80q is no id", what, id)
	}
	return nil
}
