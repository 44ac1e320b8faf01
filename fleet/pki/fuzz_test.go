package pki_test

import (
	"crypto/tls"
	"crypto/x509"
	"testing"

	"edgeward"
	"edgeward/fleet/pki"
)

// FuzzBytesFromOutside: signing requests, certificates and kept files. What is not ours is refused with a code, never by a panic.
func FuzzBytesFromOutside(f *testing.F) {
	ca := must(pki.NewCA("f1", start))
	id, csr, err := pki.Request("n1")
	if err != nil {
		f.Fatal(err)
	}
	chain := must(ca.IssueNode("n1", csr, nil, start))
	f.Add(csr)
	f.Add(chain[0])
	f.Add(ca.DER())
	f.Add(must(ca.PEM()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := ca.IssueNode("n1", b, nil, start); err == nil {
			leaf := must(x509.ParseCertificate(got[0]))
			if leaf.IsCA || leaf.Subject.CommonName != "n1" || len(leaf.URIs) != 1 || leaf.URIs[0].String() != "edgeward://f1/node/n1" {
				t.Errorf("issued %v", leaf.Subject)
			}
		} else if edgeward.CodeOf(err) == "" {
			t.Errorf("an error without a code: %v", err)
		}
		if _, err := pki.ParseCA(b); err != nil && edgeward.CodeOf(err) == "" {
			t.Errorf("an error without a code: %v", err)
		}
		if _, err := pki.ParseAuthority(b); err != nil && edgeward.CodeOf(err) == "" {
			t.Errorf("an error without a code: %v", err)
		}
		if cert, err := pki.ParseCertificate(b); err == nil {
			if p, err := ca.Peer(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}, start); err == nil && p.Node != "n1" && p.Node != "" {
				t.Errorf("took %+v", p)
			}
		}
		if _, _, err := id.Join(ca.Digest(), "n1", [][]byte{b, ca.DER()}); err != nil && edgeward.CodeOf(err) == "" {
			t.Errorf("an error without a code: %v", err)
		}
	})
}
