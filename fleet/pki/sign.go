package pki

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"time"

	"edgeward"
)

// signed is what a node's key signs: the digest of purpose and bytes, so that a signature for one purpose is none for another.
func signed(purpose string, b []byte) []byte {
	h := sha256.New()
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write(b)
	return h.Sum(nil)
}

// Sign signs b for a purpose with the key of the node's certificate.
func (i Identity) Sign(purpose string, b []byte) ([]byte, error) {
	c, err := i.TLS()
	if err != nil {
		return nil, err
	}
	key, ok := c.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, edgeward.E("pki.Sign", edgeward.Invalid, "fleet.certificate", "the key of this server cannot sign")
	}
	sig, err := ecdsa.SignASN1(rand.Reader, key, signed(purpose, b))
	return sig, edgeward.Wrap("pki.Sign", err)
}

// Signed returns who signed b for a purpose: the node of a certificate (DER) of this fleet that is taken at now, as on a connection.
func (a Authority) Signed(purpose string, b, cert, sig []byte, now time.Time) (Peer, error) {
	c, err := ParseCertificate(cert)
	if err != nil {
		return Peer{}, err
	}
	p, err := a.Peer(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}, now)
	if err != nil {
		return p, err
	}
	if k := p256(c); k == nil || p.Node == "" || !ecdsa.VerifyASN1(k, signed(purpose, b), sig) {
		return Peer{}, edgeward.E("pki.Signed", edgeward.Forbidden, "fleet.untrusted", "the signature is not that of node %.64s", p.Node).WithHint("the file was changed on its way; make it again on the node")
	}
	return p, nil
}
