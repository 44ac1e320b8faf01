package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"edgeward"
)

// Lives of certificates.
const (
	caLife = 10 * 365 * 24 * time.Hour
	Life   = 90 * 24 * time.Hour
	Grace  = 180 * 24 * time.Hour
	slack  = time.Hour // certificates begin this much before they are made: clocks differ
)

// Authority is what everybody in the fleet knows of its CA: enough to check, not to issue. Copies trust the same CAs (Trust).
type Authority struct {
	Fleet string
	cert  *x509.Certificate
	trust *trust
}

// CA issues certificates.
type CA struct {
	Authority
	key      *ecdsa.PrivateKey
	heritage [][]byte
}

// NewCA makes the CA of a new fleet. fleet is its id: 1 to 64 letters, digits, "-", "_" and ".".
func NewCA(fleet string, now time.Time) (CA, error) {
	const op = "pki.NewCA"
	if err := checkID("fleet", fleet); err != nil {
		return CA{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return CA{}, edgeward.Wrap(op, err)
	}
	t := &x509.Certificate{
		Subject: pkix.Name{CommonName: "edgeward fleet " + fleet}, URIs: []*url.URL{uri(fleet, "ca")},
		NotBefore: now.Add(-slack), NotAfter: now.Add(caLife), KeyUsage: x509.KeyUsageCertSign,
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return CA{}, edgeward.Wrap(op, err)
	}
	a, err := ParseAuthority(der)
	return CA{Authority: a, key: key}, err
}

// ParseAuthority reads the CA's certificate (DER). It believes it: compare Digest with what is known.
func ParseAuthority(der []byte) (Authority, error) {
	bad := func(why string) (Authority, error) {
		return Authority{}, edgeward.E("pki.ParseAuthority", edgeward.Invalid, "fleet.authority", "this is no fleet's CA: %s", why)
	}
	if len(der) > maxDER {
		return bad("too long")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return bad(err.Error())
	}
	if len(cert.URIs) != 1 || !cert.IsCA || cert.URIs[0].Scheme != scheme || cert.URIs[0].Path != "/ca" || checkID("fleet", cert.URIs[0].Host) != nil || p256(cert) == nil {
		return bad("its name, its use or its key is another")
	}
	return Authority{cert.URIs[0].Host, cert, &trust{now: []*x509.Certificate{cert}}}, nil
}

// DER is the CA's certificate.
func (a Authority) DER() []byte { return a.cert.Raw }

// Digest is what a join code pins.
func (a Authority) Digest() edgeward.Digest { return edgeward.DigestOf(a.cert.Raw) }

// Since is when the fleet was made: no clock that shows an earlier time is right.
func (a Authority) Since() time.Time { return a.cert.NotBefore.Add(slack) }

// PEM is certificate and private key, for the hub's data directory: a secret.
func (c CA) PEM() ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		return nil, edgeward.Wrap("pki.CA.PEM", err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...), nil
}

// ParseCA reads what PEM wrote.
func ParseCA(b []byte) (CA, error) {
	bad := func() (CA, error) {
		return CA{}, edgeward.E("pki.ParseCA", edgeward.Invalid, "fleet.authority", "these are not certificate and key of a fleet's CA").WithHint("restore the hub's data directory from its backup")
	}
	cert, rest := pem.Decode(b)
	if cert == nil || cert.Type != "CERTIFICATE" {
		return bad()
	}
	block, _ := pem.Decode(rest)
	if block == nil || block.Type != "PRIVATE KEY" {
		return bad()
	}
	a, err := ParseAuthority(cert.Bytes)
	if err != nil {
		return bad()
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := k.(*ecdsa.PrivateKey)
	if err != nil || !ok || !key.PublicKey.Equal(a.cert.PublicKey) {
		return bad()
	}
	return CA{Authority: a, key: key}, nil
}

// IssueNode makes a certificate for node out of its signing request (DER). before is the certificate it renews, nil for the
// first: the key must be another one. The answer is the chain for a JoinAnswer: the node's certificate, then the CA's.
func (c CA) IssueNode(node string, csr []byte, before *x509.Certificate, now time.Time) ([][]byte, error) {
	const op = "pki.IssueNode"
	if err := checkID("node", node); err != nil {
		return nil, err
	}
	pub, err := requested(node, csr)
	if err != nil {
		return nil, err
	}
	if before != nil && pub.Equal(before.PublicKey) {
		return nil, edgeward.E(op, edgeward.Invalid, "fleet.request", "a new certificate needs a new key")
	}
	der, err := c.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: node}, URIs: []*url.URL{uri(c.Fleet, "node/"+node)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, pub, now)
	if err != nil {
		return nil, edgeward.Wrap(op, err)
	}
	return [][]byte{der, c.cert.Raw}, nil
}

// IssueHub makes the hub's certificate for its names and addresses ("hub.hospital.lan", "10.0.0.7"), with a new key.
func (c CA) IssueHub(names []string, now time.Time) (tls.Certificate, error) {
	const op = "pki.IssueHub"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, edgeward.Wrap(op, err)
	}
	t := &x509.Certificate{Subject: pkix.Name{CommonName: "edgeward hub " + c.Fleet}, URIs: []*url.URL{uri(c.Fleet, "hub")},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else if n != "" && len(n) <= 253 && strings.Trim(strings.ToLower(n), "abcdefghijklmnopqrstuvwxyz0123456789-.") == "" {
			t.DNSNames = append(t.DNSNames, n)
		} else {
			return tls.Certificate{}, edgeward.E(op, edgeward.Invalid, "fleet.hub_name", "%.80q is neither a host's name nor an address", n).WithHint("give names such as hub.hospital.lan, without https:// and port")
		}
	}
	der, err := c.issue(t, &key.PublicKey, now)
	if err != nil {
		return tls.Certificate{}, edgeward.Wrap(op, err)
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: append([][]byte{der, c.cert.Raw}, c.heritage...), PrivateKey: key, Leaf: leaf}, edgeward.Wrap(op, err)
}

// HubCert returns the hub's certificate to show: made with the first connection and anew when a third of its life is over.
func (c CA) HubCert(names []string, now func() time.Time) Cert {
	var mu sync.Mutex
	var cert tls.Certificate
	return func() (*tls.Certificate, error) {
		mu.Lock()
		defer mu.Unlock()
		if at := now(); cert.Leaf == nil || ShouldRenew(cert.Leaf, at) {
			made, err := c.IssueHub(names, at)
			if err != nil {
				return nil, err
			}
			cert = made
		}
		shown := cert
		return &shown, nil
	}
}

func (c CA) issue(t *x509.Certificate, pub *ecdsa.PublicKey, now time.Time) ([]byte, error) {
	if now.Before(c.Since()) {
		now = c.Since() // the hub's clock is behind: what it issues must not have expired once it is right
	}
	t.NotBefore, t.NotAfter, t.KeyUsage, t.BasicConstraintsValid = now.Add(-slack), now.Add(Life), x509.KeyUsageDigitalSignature, true
	if t.NotAfter.After(c.cert.NotAfter) {
		t.NotAfter = c.cert.NotAfter
	}
	if !t.NotAfter.After(now) {
		return nil, edgeward.E("pki.issue", edgeward.Unavailable, "fleet.authority", "the CA has expired on %s", c.cert.NotAfter.Format(time.DateOnly)).
			WithHint("look at the hub's clock first; if it is right, change the authority: edgeward fleet ca rotate --key root.key")
	}
	return x509.CreateCertificate(rand.Reader, t, c.cert, pub, c.key)
}
