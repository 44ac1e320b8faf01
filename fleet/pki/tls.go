package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"time"

	"edgeward"
)

// Cert returns the certificate to show; it is called for each connection, so that a renewed one is used at once.
type Cert func() (*tls.Certificate, error)

// Admit says whether a peer with a good certificate is let in: it is known and not shut out. Its error ends the handshake.
type Admit func(Peer) error

// HubTLS is for the hub's listener. A client without certificate is let through: the join route is for it, and every other route must
// ask Authority.Peer. One with a certificate must be a node that admit lets in. Admit again per request: connections live long.
// Serve it by http.Server.ServeTLS(l, "", ""), and leave Certificates empty: crypto/tls would show those to whoever calls by address.
func HubTLS(a Authority, cert Cert, admit Admit, now func() time.Time) *tls.Config {
	c := base(cert)
	c.ClientAuth = tls.RequestClientCert
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		if len(cs.PeerCertificates) == 0 {
			return nil
		}
		return a.admit(&cs, admit, now())
	}
	return c
}

// PeerTLS is for both ends of a connection between two nodes. admit sees the other end, also to say which one is meant.
func PeerTLS(a Authority, cert Cert, admit Admit, now func() time.Time) *tls.Config {
	c := base(cert)
	c.ClientAuth = tls.RequireAnyClientCert
	c.InsecureSkipVerify = true // VerifyConnection does it: by the fleet's CA and URI instead of the system's CAs and names
	c.VerifyConnection = func(cs tls.ConnectionState) error { return a.admit(&cs, admit, now()) }
	return c
}

// NodeTLS is for a node that calls its hub.
func NodeTLS(a Authority, cert Cert) *tls.Config {
	c := base(cert)
	c.InsecureSkipVerify = true // VerifyConnection does it: by the fleet's CA and URI instead of the system's CAs and names
	c.VerifyConnection = a.hub
	return c
}

// JoinTLS is for a server that calls the hub of its join code. pin is the CA's digest in it; the hub sends the CA's certificate along.
func JoinTLS(pin edgeward.Digest) *tls.Config {
	c := base(nil)
	c.InsecureSkipVerify = true // VerifyConnection does it: by the pinned CA and URI instead of the system's CAs and names
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		for i, cert := range cs.PeerCertificates {
			if i > 0 && edgeward.DigestOf(cert.Raw) == pin {
				a, err := ParseAuthority(cert.Raw)
				if err != nil {
					return err
				}
				return a.hub(cs)
			}
		}
		return errPin("pki.JoinTLS")
	}
	return c
}

func errPin(op string) error {
	return edgeward.E(op, edgeward.Forbidden, "fleet.pin", "the server that answers is not the hub of the join code").
		WithHint("the way to the hub leads elsewhere: look at its name and at proxies that open TLS. Nothing was sent to it")
}

func base(cert Cert) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true}
	if cert != nil {
		c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert() }
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert() }
	}
	return c
}

func (a Authority) admit(cs *tls.ConnectionState, admit Admit, now time.Time) error {
	p, err := a.Peer(cs, now)
	if err != nil {
		return err
	}
	if p.Node == "" {
		return edgeward.E("pki.admit", edgeward.Forbidden, "fleet.certificate", "the hub's own certificate is for no node")
	}
	return admit(p)
}

// hub checks that the hub is at the other end. Time does not matter here (package comment).
func (a Authority) hub(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return errPin("pki.hub")
	}
	p, err := a.peer(cs.PeerCertificates[0], cs.PeerCertificates[1:]...)
	if err != nil || p.Node != "" {
		return edgeward.E("pki.hub", edgeward.Forbidden, "fleet.not_the_hub", "the server that answers is not this fleet's hub").
			WithHint("the way to the hub leads elsewhere: look at its name and at proxies that open TLS. If this server was away for more than 270 days, the fleet may have another authority: join anew with a new code. Nothing was sent to it")
	}
	return nil
}

// Explain gives the errors of a call that the other side ended in TLS a code and a hint; other errors stay as they are. TLS 1.3 tells the caller
// only that its certificate was refused, not why.
func Explain(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return edgeward.E("pki.Explain", edgeward.Unauthenticated, "fleet.refused", "the hub does not take this server's certificate").
			WithHint("the hub does not take this server's certificate: it was removed or shut out, has expired for more than 180 days, or is of another fleet. The hub's page says which; then join anew with a new code")
	}
	return err
}

// ParseCertificate reads one certificate (DER), bounded.
func ParseCertificate(der []byte) (*x509.Certificate, error) {
	if len(der) > maxDER {
		return nil, edgeward.E("pki.ParseCertificate", edgeward.TooLarge, "fleet.certificate", "a certificate has at most %d bytes", maxDER)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, edgeward.E("pki.ParseCertificate", edgeward.Invalid, "fleet.certificate", "%w", err)
	}
	return c, nil
}
