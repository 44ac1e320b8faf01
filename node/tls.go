package node

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"edgeward"
	"edgeward/sync/disk"
)

// How long this server's own certificates live. The CA outlives the machine; the certificate is made anew at a start in
// its last month.
const (
	caLife   = 10 * 365 * 24 * time.Hour
	certLife = 397 * 24 * time.Hour
	renewIn  = 30 * 24 * time.Hour
)

// certificate returns the TLS configuration: the admin's certificate, or one of this server's own CA.
func (n *Node) certificate() (*tls.Config, error) {
	cert, key := n.cfg.TLS.CertFile, n.cfg.TLS.KeyFile
	if cert == "" {
		var err error
		if cert, key, err = n.ownCertificate(); err != nil {
			return nil, edgeward.Wrap("node.tls", err)
		}
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, edgeward.E("node.tls", edgeward.Invalid, "tls.certificate", "tls.cert_file and tls.key_file: %w", err).
			WithHint("give a PEM certificate chain and its private key")
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, nil
}

// ownCertificate makes the CA at first start and a certificate when there is none, it soon ends, or the names changed.
func (n *Node) ownCertificate() (certFile, keyFile string, err error) {
	dir := n.dir("tls")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", err
	}
	ca, caKey, err := n.authority(dir)
	if err != nil {
		return "", "", err
	}
	certFile, keyFile = filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	names, ips := n.subjects()
	if old, err := readCertificate(certFile); err == nil && old.NotAfter.Sub(n.now()) > renewIn && old.CheckSignatureFrom(ca) == nil && covers(old, names, ips) {
		return certFile, keyFile, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	t := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: n.name}, DNSNames: names, IPAddresses: ips,
		NotBefore: n.now().Add(-time.Hour), NotAfter: n.now().Add(certLife), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, t, ca, &key.PublicKey, caKey)
	if err != nil {
		return "", "", err
	}
	chain := append(pemOf("CERTIFICATE", der), pemOf("CERTIFICATE", ca.Raw)...)
	return certFile, keyFile, writePair(certFile, chain, keyFile, key)
}

// authority reads this server's CA or makes it.
func (n *Node) authority(dir string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certFile, keyFile := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key")
	if pair, err := tls.LoadX509KeyPair(certFile, keyFile); err == nil {
		c, err := x509.ParseCertificate(pair.Certificate[0])
		k, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
		if err == nil && ok && n.now().Before(c.NotAfter) {
			return c, k, nil
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	t := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: "edgeward CA of " + n.name}, NotBefore: n.now().Add(-time.Hour), NotAfter: n.now().Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	return c, key, writePair(certFile, pemOf("CERTIFICATE", der), keyFile, key)
}

// subjects are the names and addresses this server is called by.
func (n *Node) subjects() (names []string, ips []net.IP) {
	names = append([]string{"localhost", n.name}, n.cfg.HTTP.AllowedHosts...)
	if h, err := os.Hostname(); err == nil && h != "" && h != n.name {
		names = append(names, h)
	}
	ips = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if host, _, err := net.SplitHostPort(n.cfg.HTTP.Address); err == nil {
		if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() && !ip.IsLoopback() {
			ips = append(ips, ip)
		}
	}
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if in, ok := a.(*net.IPNet); ok && !in.IP.IsLoopback() && !in.IP.IsLinkLocalUnicast() {
			ips = append(ips, in.IP)
		}
	}
	return names, ips
}

func covers(c *x509.Certificate, names []string, ips []net.IP) bool {
	for _, name := range names {
		if c.VerifyHostname(name) != nil {
			return false
		}
	}
	for _, ip := range ips {
		if c.VerifyHostname(ip.String()) != nil {
			return false
		}
	}
	return true
}

func readCertificate(path string) (*x509.Certificate, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, os.ErrInvalid
	}
	return x509.ParseCertificate(block.Bytes)
}

// writePair writes the key first: a certificate without its key would stop the next start.
func writePair(certFile string, cert []byte, keyFile string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	if err := disk.WriteFile(keyFile, pemOf("EC PRIVATE KEY", der), 0o600); err != nil {
		return err
	}
	return disk.WriteFile(certFile, cert, 0o644)
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic("node: the system has no randomness: " + err.Error())
	}
	return n
}
