package pki

import (
	"crypto/hpke"
	"crypto/x509"

	"edgeward"
)

// Seal encrypts a few secret bytes to the key of a node's certificate: HPKE (RFC 9180) with P-256, HKDF-SHA256 and AES-256-GCM, the encapsulated key before the
// ciphertext. info says what it is and for whom; Unseal must be told the same. Who sealed it nobody can tell: the document that holds it is signed.
func Seal(to *x509.Certificate, info, secret []byte) ([]byte, error) {
	const op = "pki.Seal"
	pub := p256(to)
	if pub == nil {
		return nil, edgeward.E(op, edgeward.Invalid, "fleet.certificate", "the certificate's key is not P-256")
	}
	e, err := pub.ECDH()
	if err != nil {
		return nil, edgeward.Wrap(op, err)
	}
	k, err := hpke.NewDHKEMPublicKey(e)
	if err != nil {
		return nil, edgeward.Wrap(op, err)
	}
	b, err := hpke.Seal(k, hpke.HKDFSHA256(), hpke.AES256GCM(), info, secret)
	return b, edgeward.Wrap(op, err)
}

// Unseal opens what was sealed to i.
func (i Identity) Unseal(info, sealed []byte) ([]byte, error) {
	const op = "pki.Unseal"
	key, ok := i.key()
	if !ok {
		return nil, edgeward.E(op, edgeward.Invalid, "fleet.certificate", "this server's key cannot be read")
	}
	e, err := key.ECDH()
	if err != nil {
		return nil, edgeward.Wrap(op, err)
	}
	h, err := hpke.NewDHKEMPrivateKey(e)
	if err != nil {
		return nil, edgeward.Wrap(op, err)
	}
	b, err := hpke.Open(h, hpke.HKDFSHA256(), hpke.AES256GCM(), info, sealed)
	if err != nil {
		return nil, edgeward.E(op, edgeward.Unavailable, "fleet.sealed", "what the hub sealed for this server does not open with its key").
			WithHint("it was sealed to another certificate: the next document brings it anew")
	}
	return b, nil
}
