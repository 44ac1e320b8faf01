package pki

import (
	"crypto/rand"
	"crypto/x509"
	"slices"
	"sync"

	"edgeward"
)

// MaxChain bounds a chain: a certificate, its CA, and two for each CA before that.
const MaxChain = 2 + 2*maxAncestors

// maxAncestors is from how many CAs back a way leads to the present one.
const maxAncestors = 3

// trust is which CAs count. Copies of an Authority share it.
type trust struct {
	mu          sync.RWMutex
	now, former []*x509.Certificate
	epoch       uint64 // grows with each change
}

func (t *trust) get() (now, former []*x509.Certificate, epoch uint64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.now, t.former, t.epoch
}

// Trust says which CAs of the fleet count from now on (DER), for a and all its copies, in open connections too: now are believed; what one of former signed is
// taken as Peer.Former. On an error all stays as it was.
func (a Authority) Trust(now, former [][]byte) error {
	if len(now) == 0 {
		return edgeward.E("pki.Trust", edgeward.Invalid, "fleet.authority", "no CA")
	}
	parse := func(list [][]byte) (out []*x509.Certificate, err error) {
		for _, der := range list {
			x, err := ParseAuthority(der)
			if err == nil && x.Fleet != a.Fleet {
				err = edgeward.E("pki.Trust", edgeward.Invalid, "fleet.authority", "the CA is of another fleet")
			}
			if err != nil {
				return nil, err
			}
			out = append(out, x.cert)
		}
		return out, nil
	}
	n, err := parse(now)
	if err != nil {
		return err
	}
	f, err := parse(former)
	if err != nil {
		return err
	}
	same := func(a, b []*x509.Certificate) bool { return slices.EqualFunc(a, b, (*x509.Certificate).Equal) }
	a.trust.mu.Lock()
	defer a.trust.mu.Unlock()
	if !same(a.trust.now, n) || !same(a.trust.former, f) {
		a.trust.now, a.trust.former = n, f
		a.trust.epoch++
	}
	return nil
}

// Epoch grows when Trust changes something: who keeps the Peer of a connection asks for it again then.
func (a Authority) Epoch() uint64 {
	if a.trust == nil {
		return 0
	}
	_, _, e := a.trust.get()
	return e
}

// signed reports whether a CA that counts signed cert, itself or by way of shown ones that it named as successors; or else a former one.
func (a Authority) signed(cert *x509.Certificate, shown []*x509.Certificate) (former, ok bool) {
	now, before, _ := a.trust.get()
	if len(shown) > MaxChain {
		return false, false
	}
	if a.leads(now, cert, shown, maxAncestors) {
		return false, true
	}
	return true, slices.ContainsFunc(before, func(ca *x509.Certificate) bool { return cert.CheckSignatureFrom(ca) == nil })
}

func (a Authority) leads(from []*x509.Certificate, cert *x509.Certificate, shown []*x509.Certificate, depth int) bool {
	if slices.ContainsFunc(from, func(ca *x509.Certificate) bool { return cert.CheckSignatureFrom(ca) == nil }) {
		return true
	}
	if depth == 0 {
		return false
	}
	for i, x := range shown {
		if !x.IsCA || cert.CheckSignatureFrom(x) != nil {
			continue
		}
		if ca, err := ParseAuthority(x.Raw); err != nil || ca.Fleet != a.Fleet {
			continue
		}
		if a.leads(from, x, slices.Concat(shown[:i], shown[i+1:]), depth-1) {
			return true
		}
	}
	return false
}

// Cross is the CA next, certified by c: who trusts c only is led by it to what next signs.
func (c CA) Cross(next Authority) ([]byte, error) {
	const op = "pki.Cross"
	if next.Fleet != c.Fleet {
		return nil, edgeward.E(op, edgeward.Invalid, "fleet.authority", "the CA is of another fleet")
	}
	t := &x509.Certificate{Subject: next.cert.Subject, URIs: next.cert.URIs, NotBefore: next.cert.NotBefore, NotAfter: next.cert.NotAfter, KeyUsage: x509.KeyUsageCertSign,
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true, SubjectKeyId: next.cert.SubjectKeyId}
	der, err := x509.CreateCertificate(rand.Reader, t, c.cert, next.cert.PublicKey, c.key)
	return der, edgeward.Wrap(op, err)
}

// Succeeds is c in place of a: whoever has a copy of a trusts what c does. heritage are, for each CA before c from the latest on, its Cross and itself; they go along
// with what c issues.
func (c CA) Succeeds(a Authority, heritage [][]byte) CA {
	if a.trust != nil && a.Fleet == c.Fleet {
		c.trust = a.trust
	}
	c.heritage = heritage[:min(len(heritage), 2*maxAncestors)]
	return c
}

// Chain is what a node is given: the chain of IssueNode, and the way to its CA from those before.
func (c CA) Chain(issued [][]byte) [][]byte {
	if len(issued) != 2 || edgeward.DigestOf(issued[1]) != c.Digest() {
		return issued
	}
	return slices.Concat(issued, c.heritage)
}
