package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"time"

	"edgeward"
)

// Identity is a node's certificate and key, as it keeps them.
type Identity struct {
	Chain [][]byte `json:"chain"` // the node's certificate, then the CA's, then those that lead to it from CAs before; DER
	Key   []byte   `json:"key"`   // PKCS #8, DER: a secret
}

// Request makes a new key and the signing request for it (DER). The Identity has no Chain yet.
func Request(node string) (Identity, []byte, error) {
	const op = "pki.Request"
	if err := checkID("node", node); err != nil {
		return Identity{}, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Identity{}, nil, edgeward.Wrap(op, err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: node}}, key)
	if err != nil {
		return Identity{}, nil, edgeward.Wrap(op, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return Identity{Key: der}, csr, edgeward.Wrap(op, err)
}

// requested checks a signing request and returns its key.
func requested(node string, der []byte) (*ecdsa.PublicKey, error) {
	bad := func(why string) (*ecdsa.PublicKey, error) {
		return nil, edgeward.E("pki.IssueNode", edgeward.Invalid, "fleet.request", "the signing request is not usable: %s", why)
	}
	if len(der) > maxDER {
		return bad("too long")
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return bad("it is no PKCS #10 request")
	}
	pub, ok := csr.PublicKey.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return bad("its key is not P-256")
	}
	if csr.CheckSignature() != nil {
		return bad("its signature does not fit its key")
	}
	if csr.Subject.CommonName != node {
		return bad("it names another server")
	}
	return pub, nil
}

// Join completes i by the chain of a JoinAnswer. pin is the CA's digest out of the join code: that CA, or one that it named its successor, has signed.
func (i Identity) Join(pin edgeward.Digest, node string, chain [][]byte) (Identity, Authority, error) {
	const op = "pki.Identity.Join"
	if len(chain) < 2 || len(chain) > MaxChain {
		return i, Authority{}, errPin(op)
	}
	at := slices.IndexFunc(chain[1:], func(der []byte) bool { return edgeward.DigestOf(der) == pin })
	if at < 0 {
		return i, Authority{}, errPin(op)
	}
	a, err := ParseAuthority(chain[1+at])
	if err != nil {
		return i, a, edgeward.Wrap(op, err)
	}
	i, err = i.Renew(a, node, chain)
	return i, a, edgeward.Wrap(op, err)
}

// Renew completes i by a chain that a CA has signed which a trusts.
func (i Identity) Renew(a Authority, node string, chain [][]byte) (Identity, error) {
	const op = "pki.Identity.Renew"
	if len(chain) < 2 || len(chain) > MaxChain {
		return i, edgeward.E(op, edgeward.Invalid, "fleet.certificate", "a chain of %d certificates", len(chain))
	}
	i.Chain = chain
	c, err := i.TLS()
	if err != nil {
		return i, err
	}
	shown := make([]*x509.Certificate, 0, len(chain)-1)
	for _, der := range chain[1:] {
		x, err := ParseCertificate(der)
		if err != nil {
			return i, err
		}
		shown = append(shown, x)
	}
	p, err := a.peer(c.Leaf, shown...)
	if err == nil && (p.Node != node || p.Former) {
		err = edgeward.E(op, edgeward.Invalid, "fleet.certificate", "the certificate is for another server")
	}
	return i, err
}

// Issuer is the digest of the CA that signed the certificate of i; "" if i has none.
func (i Identity) Issuer() edgeward.Digest {
	if len(i.Chain) < 2 {
		return ""
	}
	return edgeward.DigestOf(i.Chain[1])
}

// Kept is what a node shows of an identity that it keeps, and the CA that it believes, whose digest is pin.
func (i Identity) Kept(pin edgeward.Digest, node string) (tls.Certificate, Authority, error) {
	c, err := i.TLS()
	if err != nil {
		return c, Authority{}, err
	}
	_, a, err := i.Join(pin, node, i.Chain)
	return c, a, err
}

// TLS is i for a tls.Config.
func (i Identity) TLS() (tls.Certificate, error) {
	bad := func() (tls.Certificate, error) {
		return tls.Certificate{}, edgeward.E("pki.Identity.TLS", edgeward.Invalid, "fleet.certificate", "certificate and key of this server do not belong together").
			WithHint("join the fleet anew with a new code")
	}
	if len(i.Chain) == 0 || len(i.Chain[0]) > maxDER {
		return bad()
	}
	leaf, err := x509.ParseCertificate(i.Chain[0])
	if err != nil {
		return bad()
	}
	key, ok := i.key()
	if !ok || !key.PublicKey.Equal(leaf.PublicKey) {
		return bad()
	}
	return tls.Certificate{Certificate: i.Chain, PrivateKey: key, Leaf: leaf}, nil
}

// key is the private key, if it can be read.
func (i Identity) key() (*ecdsa.PrivateKey, bool) {
	k, err := x509.ParsePKCS8PrivateKey(i.Key)
	key, ok := k.(*ecdsa.PrivateKey)
	return key, err == nil && ok
}

// ShouldRenew reports whether a third of the certificate's life is over, or whether it begins in the future: then the hub's clock was wrong.
func ShouldRenew(cert *x509.Certificate, now time.Time) bool {
	return now.Before(cert.NotBefore) || !now.Before(cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore)/3))
}
