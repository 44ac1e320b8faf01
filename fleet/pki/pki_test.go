package pki_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/pki"
)

var start = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// member is a node that has joined.
type member struct {
	id   pki.Identity
	a    pki.Authority
	cert tls.Certificate
}

func join(t testing.TB, ca pki.CA, node string, now time.Time) member {
	t.Helper()
	id, csr, err := pki.Request(node)
	if err != nil {
		t.Fatal(err)
	}
	id, a, err := id.Join(ca.Digest(), node, must(ca.IssueNode(node, csr, nil, now)))
	if err != nil {
		t.Fatal(err)
	}
	return member{id, a, must(id.TLS())}
}

func show(c tls.Certificate) pki.Cert { return func() (*tls.Certificate, error) { return &c, nil } }

// talk lets a client and a server shake hands over loopback and say a byte each way. It returns what each of them was told.
func talk(t testing.TB, server, client *tls.Config) (atServer, atClient error, seen tls.ConnectionState) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer c.Close()
		s := tls.Server(c, server)
		var b [1]byte
		err = s.Handshake()
		if err == nil {
			seen = s.ConnectionState()
			if _, err = s.Read(b[:]); err == nil {
				_, err = s.Write(b[:])
			}
		}
		done <- err
	}()
	raw, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	c := tls.Client(raw, client)
	var b [1]byte
	if atClient = c.Handshake(); atClient == nil {
		if _, atClient = c.Write([]byte("x")); atClient == nil {
			_, atClient = c.Read(b[:])
		}
	}
	raw.Close()
	return <-done, atClient, seen
}

func TestWhoTheHubTalksTo(t *testing.T) {
	ca, other := must(pki.NewCA("f1", start)), must(pki.NewCA("f1", start))
	far := must(pki.NewCA("f2", start))
	hub := show(must(ca.IssueHub([]string{"127.0.0.1"}, start)))
	node := join(t, ca, "n1", start)
	out := edgeward.E("hub", edgeward.Forbidden, "fleet.shut_out", "n2 is shut out")
	admit := func(p pki.Peer) error {
		if p.Node == "n2" {
			return out
		}
		return nil
	}
	spoiled := node.cert
	spoiled.PrivateKey = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	for _, c := range []struct {
		name   string
		cert   *tls.Certificate
		now    time.Time
		server string // code at the server, "" if it talks
		known  string // node the server sees
	}{
		{"its node", &node.cert, start, "", "n1"},
		{"its node at the last moment", &node.cert, start.Add(pki.Life), "", "n1"},
		{"its node within grace", &node.cert, start.Add(pki.Life + pki.Grace - day), "", "n1"},
		{"its node beyond grace", &node.cert, start.Add(pki.Life + pki.Grace + day), "fleet.expired", ""},
		{"its node when the hub's clock is at 1970", &node.cert, time.Unix(0, 0), "", "n1"},
		{"a node that admit refuses", ptr(join(t, ca, "n2", start).cert), start, "fleet.shut_out", ""},
		{"a node of another CA with the same name", ptr(join(t, other, "n1", start).cert), start, "fleet.certificate", ""},
		{"a node of another fleet", ptr(join(t, far, "n1", start).cert), start, "fleet.certificate", ""},
		{"somebody self-signed", ptr(selfSigned(t, "f1", "n1")), start, "fleet.certificate", ""},
		{"the hub's own certificate", must(hub()), start, "fleet.certificate", ""},
		{"nobody: only the join route is for it", nil, start, "", ""},
		{"a certificate without its key", &spoiled, start, "-", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := func() time.Time { return c.now }
			client := pki.NodeTLS(node.a, func() (*tls.Certificate, error) {
				if c.cert == nil {
					return &tls.Certificate{}, nil
				}
				return c.cert, nil
			})
			atServer, atClient, cs := talk(t, pki.HubTLS(ca.Authority, hub, admit, now), client)
			if c.server == "" {
				if atServer != nil || atClient != nil {
					t.Fatalf("server %v, client %v", atServer, atClient)
				}
				p, err := ca.Peer(&cs, c.now)
				if p.Node != c.known || (c.cert == nil) != (edgeward.CodeOf(err) == "fleet.no_certificate") || p.Expired != c.now.After(start.Add(pki.Life)) {
					t.Errorf("the server saw %+v, %v", p, err)
				}
				return
			}
			if got := edgeward.CodeOf(atServer); atServer == nil || c.server != "-" && got != c.server {
				t.Errorf("server: %v (%s), want %s", atServer, got, c.server)
			}
			if got := pki.Explain(atClient); c.server != "-" && (edgeward.CodeOf(got) != "fleet.refused" || edgeward.HintOf(got) == "") {
				t.Errorf("client: %v", got)
			}
		})
	}
}

func TestWhichHubANodeTalksTo(t *testing.T) {
	ca, other := must(pki.NewCA("f1", start)), must(pki.NewCA("f1", start))
	node := join(t, ca, "n1", start)
	good := must(ca.IssueHub([]string{"hub.lan", "10.0.0.7"}, start))
	withRealCA := must(other.IssueHub(nil, start))
	withRealCA.Certificate[1] = ca.DER()
	public := publicLike(t, "127.0.0.1")
	publicWithCA := public
	publicWithCA.Certificate = append([][]byte{public.Certificate[0], public.Certificate[1]}, ca.DER())
	for _, c := range []struct {
		name      string
		hub       tls.Certificate
		join, has string // codes
	}{
		{"the hub, under a name its certificate does not have", good, "", ""},
		{"the hub of another CA", must(other.IssueHub([]string{"127.0.0.1"}, start)), "fleet.pin", "fleet.not_the_hub"},
		{"another CA that sends the right CA's certificate along", withRealCA, "fleet.not_the_hub", "fleet.not_the_hub"},
		{"a proxy that opens TLS, with a certificate every browser takes", public, "fleet.pin", "fleet.not_the_hub"},
		{"the same with the right CA's certificate sent along", publicWithCA, "fleet.not_the_hub", "fleet.not_the_hub"},
		{"somebody self-signed", selfSigned(t, "f1", "hub"), "fleet.pin", "fleet.not_the_hub"},
		{"another node of the fleet that plays the hub", join(t, ca, "n2", start).cert, "fleet.not_the_hub", "fleet.not_the_hub"},
	} {
		server := &tls.Config{Certificates: []tls.Certificate{c.hub}, MinVersion: tls.VersionTLS13}
		_, err, _ := talk(t, server, pki.JoinTLS(ca.Digest()))
		if got := edgeward.CodeOf(err); got != c.join || (c.join == "") != (err == nil) || err != nil && edgeward.HintOf(err) == "" {
			t.Errorf("joining, %s: %v", c.name, err)
		}
		_, err, _ = talk(t, server, pki.NodeTLS(node.a, show(node.cert)))
		if got := edgeward.CodeOf(err); got != c.has || (c.has == "") != (err == nil) {
			t.Errorf("a member, %s: %v", c.name, err)
		}
	}
	old := &tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS12}
	if _, err, _ := talk(t, old, pki.JoinTLS(ca.Digest())); err == nil {
		t.Error("TLS 1.2 was spoken")
	}
}

// TestOthersCheckTheHub: curl or a browser that was given the CA's certificate takes the hub under its names, by the usual rules.
func TestOthersCheckTheHub(t *testing.T) {
	ca := must(pki.NewCA("f1", start))
	hub := pki.HubTLS(ca.Authority, show(must(ca.IssueHub([]string{"hub.lan", "10.0.0.7", "::1"}, start))), func(pki.Peer) error { return nil }, func() time.Time { return start })
	pool := x509.NewCertPool()
	pool.AddCert(must(x509.ParseCertificate(ca.DER())))
	for name, ok := range map[string]bool{"hub.lan": true, "10.0.0.7": true, "::1": true, "other.lan": false} {
		s, c, _ := talk(t, hub, &tls.Config{RootCAs: pool, ServerName: name, Time: func() time.Time { return start }})
		if (s == nil && c == nil) != ok {
			t.Errorf("%s: server %v, client %v", name, s, c)
		}
	}
	for _, name := range []string{"", "https://hub.lan", "hub.lan:8443", "hub lan", strings.Repeat("a", 300)} {
		if _, err := ca.IssueHub([]string{name}, start); edgeward.CodeOf(err) != "fleet.hub_name" {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestTwoNodesTalk(t *testing.T) {
	ca := must(pki.NewCA("f1", start))
	a, b := join(t, ca, "a", start), join(t, ca, "b", start)
	now := func() time.Time { return start.Add(100 * day) } // both expired, within grace: the hub is gone
	only := func(node string) pki.Admit {
		return func(p pki.Peer) error {
			if p.Node != node || !p.Expired {
				return edgeward.E("test", edgeward.Forbidden, "fleet.not_meant", "%s", p.Node)
			}
			return nil
		}
	}
	if s, c, _ := talk(t, pki.PeerTLS(a.a, show(a.cert), only("b"), now), pki.PeerTLS(b.a, show(b.cert), only("a"), now)); s != nil || c != nil {
		t.Errorf("server %v, client %v", s, c)
	}
	if _, c, _ := talk(t, pki.PeerTLS(a.a, show(a.cert), only("b"), now), pki.PeerTLS(b.a, show(b.cert), only("z"), now)); edgeward.CodeOf(c) != "fleet.not_meant" {
		t.Errorf("b meant z and got %v", c)
	}
	stranger := join(t, must(pki.NewCA("f1", start)), "b", start)
	if s, _, _ := talk(t, pki.PeerTLS(a.a, show(a.cert), only("b"), now), pki.PeerTLS(b.a, show(stranger.cert), only("a"), now)); edgeward.CodeOf(s) != "fleet.certificate" {
		t.Errorf("a stranger: %v", s)
	}
}

func TestRenewal(t *testing.T) {
	ca := must(pki.NewCA("f1", start))
	n := join(t, ca, "n1", start)
	for at, want := range map[time.Duration]bool{0: false, 29 * day: false, 31 * day: true, 400 * day: true, -10 * 365 * day: true} {
		if got := pki.ShouldRenew(n.cert.Leaf, start.Add(at)); got != want {
			t.Errorf("after %v: %v", at, got)
		}
	}
	_, csr, _ := pki.Request("n1")
	if _, err := ca.IssueNode("n1", csr, n.cert.Leaf, start.Add(31*day)); err != nil {
		t.Error(err)
	}
	same := must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "n1"}}, n.cert.PrivateKey))
	if _, err := ca.IssueNode("n1", same, n.cert.Leaf, start.Add(31*day)); edgeward.CodeOf(err) != "fleet.request" {
		t.Errorf("the same key again: %v", err)
	}
	late := must(ca.IssueHub(nil, start.Add(10*365*day-10*day)))
	if late.Leaf.NotAfter.After(start.Add(10 * 365 * day)) {
		t.Error("a leaf outlives its CA")
	}
	if _, err := ca.IssueHub(nil, start.Add(11*365*day)); edgeward.CodeOf(err) != "fleet.authority" || edgeward.HintOf(err) == "" {
		t.Errorf("an expired CA issued: %v", err)
	}
}

func TestTheHubRenewsItsOwn(t *testing.T) {
	ca := must(pki.NewCA("f1", start))
	now := start
	cert := ca.HubCert([]string{"hub.lan"}, func() time.Time { return now })
	first := must(cert()).Leaf.SerialNumber
	now = start.Add(29 * day)
	if got := must(cert()).Leaf.SerialNumber; got.Cmp(first) != 0 {
		t.Error("made anew after 29 days")
	}
	now = start.Add(31 * day)
	if got := must(cert()).Leaf; got.SerialNumber.Cmp(first) == 0 || got.NotAfter != now.Add(pki.Life) {
		t.Errorf("not made anew after 31 days: until %s", got.NotAfter)
	}
	now = start.Add(20 * 365 * day)
	if _, err := cert(); edgeward.CodeOf(err) != "fleet.authority" {
		t.Errorf("twenty years later: %v", err)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	ca := must(pki.NewCA("f1", start))
	_, good, _ := pki.Request("n1")
	p384 := must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "n1"}}, must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))))
	broken := bytes.Clone(good)
	broken[len(broken)-5] ^= 1
	for name, c := range map[string]struct {
		node string
		csr  []byte
		code string
	}{
		"for another node": {"n2", good, "fleet.request"},
		"another curve":    {"n1", p384, "fleet.request"},
		"a broken proof":   {"n1", broken, "fleet.request"},
		"nothing":          {"n1", nil, "fleet.request"},
		"a novel":          {"n1", bytes.Repeat([]byte{0x30}, 9000), "fleet.request"},
		"a path as id":     {"../n1", good, "fleet.id"},
		"no id":            {"", good, "fleet.id"},
	} {
		if _, err := ca.IssueNode(c.node, c.csr, nil, start); edgeward.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a request asks for beyond its key is not given.
func TestARequestGetsOnlyItsKeySigned(t *testing.T) {
	ca := must(pki.NewCA("f1", start))
	hub, _ := url.Parse("edgeward://f1/hub")
	csr := must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "n1", Organization: []string{"x"}},
		DNSNames: []string{"hub.lan"}, URIs: []*url.URL{hub}}, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))))
	leaf := must(x509.ParseCertificate(must(ca.IssueNode("n1", csr, nil, start))[0]))
	if leaf.Subject.String() != "CN=n1" || len(leaf.DNSNames) != 0 || len(leaf.URIs) != 1 || leaf.URIs[0].String() != "edgeward://f1/node/n1" || leaf.IsCA || leaf.SerialNumber.BitLen() < 64 {
		t.Errorf("%s %v %v ca=%v serial %v", leaf.Subject, leaf.DNSNames, leaf.URIs, leaf.IsCA, leaf.SerialNumber)
	}
	if got := leaf.NotAfter.Sub(start); got != pki.Life {
		t.Errorf("lives %v", got)
	}
}

func TestCAIsKept(t *testing.T) {
	ca := must(pki.NewCA("f1", start))
	b := must(ca.PEM())
	again, err := pki.ParseCA(b)
	if err != nil || again.Digest() != ca.Digest() || again.Fleet != "f1" {
		t.Fatalf("%+v, %v", again, err)
	}
	join(t, again, "n1", start)
	other := must(must(pki.NewCA("f1", start)).PEM())
	_, otherKey := pem.Decode(other)
	cert, _ := pem.Decode(b)
	for name, b := range map[string][]byte{"nothing": nil, "half": b[:len(b)/2], "another's key": append(pem.EncodeToMemory(cert), otherKey...)} {
		if _, err := pki.ParseCA(b); edgeward.CodeOf(err) != "fleet.authority" {
			t.Errorf("%s: %v", name, err)
		}
	}
	n := join(t, ca, "n1", start)
	if _, err := pki.ParseAuthority(n.cert.Certificate[0]); edgeward.CodeOf(err) != "fleet.authority" {
		t.Errorf("a node as authority: %v", err)
	}
}

func TestAnAnswerThatIsNotForUs(t *testing.T) {
	ca, other := must(pki.NewCA("f1", start)), must(pki.NewCA("f1", start))
	id, csr, _ := pki.Request("n1")
	_, csr2, _ := pki.Request("n2")
	for name, c := range map[string]struct {
		chain [][]byte
		code  string
	}{
		"another CA":       {must(other.IssueNode("n1", csr, nil, start)), "fleet.pin"},
		"another's key":    {must(ca.IssueNode("n2", csr2, nil, start)), "fleet.certificate"},
		"no chain":         {nil, "fleet.pin"},
		"not by that CA":   {[][]byte{must(other.IssueNode("n1", csr, nil, start))[0], ca.DER()}, "fleet.certificate"},
		"junk for a leaf":  {[][]byte{[]byte("junk"), ca.DER()}, "fleet.certificate"},
		"the CA as a leaf": {[][]byte{ca.DER(), ca.DER()}, "fleet.certificate"},
	} {
		if _, _, err := id.Join(ca.Digest(), "n1", c.chain); edgeward.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWrongClocks: a node whose clock stands at 1970 or 2099 joins, talks, and then judges by the right time.
func TestWrongClocks(t *testing.T) {
	ca := must(pki.NewCA("f1", start))
	hub := pki.HubTLS(ca.Authority, show(must(ca.IssueHub([]string{"127.0.0.1"}, start))), func(pki.Peer) error { return nil }, func() time.Time { return start })
	for _, rtc := range []time.Time{time.Unix(0, 0), time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)} {
		var c pki.Clock
		joining := pki.JoinTLS(ca.Digest())
		joining.Time = func() time.Time { return rtc }
		if s, err, _ := talk(t, hub, joining); s != nil || err != nil {
			t.Errorf("%s: joining: %v, %v", rtc, s, err)
		}
		n := join(t, ca, "n1", start)
		calling := pki.NodeTLS(n.a, show(n.cert))
		calling.Time = joining.Time
		if s, err, _ := talk(t, hub, calling); s != nil || err != nil {
			t.Errorf("%s: calling: %v, %v", rtc, s, err)
		}
		c = c.Signed(n.cert.Leaf.NotBefore).Heard(rtc, start)
		if got := c.At(rtc); got.Sub(start).Abs() > time.Minute || !c.Wrong(rtc) {
			t.Errorf("%s: it judges by %s", rtc, got)
		}
		if got := c.At(rtc.Add(time.Hour)); got.Sub(start).Abs() > 2*time.Hour {
			t.Errorf("%s: an hour later by %s", rtc, got)
		}
		reborn := pki.Clock{Floor: c.Floor} // after a restart without the hub
		if got := reborn.At(rtc); got.Before(start.Add(-2 * time.Hour)) {
			t.Errorf("%s: after a restart it judges by %s, before what was signed", rtc, got)
		}
	}
	c := pki.Clock{}.Signed(start).Heard(start.Add(time.Hour), start)
	if got := c.At(start.Add(time.Hour)); got != start.Add(time.Hour) || c.Wrong(start) {
		t.Errorf("an hour's difference moved the clock to %s", got)
	}
	if got := c.Signed(start.Add(-day)).Floor; got != start {
		t.Errorf("the floor went back to %s", got)
	}
	// A hub whose clock ran ahead for a while and signed so: once it is right, its nodes are.
	ahead := pki.Clock{}.Signed(start).Heard(start, start.Add(70*365*day)).Signed(start.Add(70 * 365 * day))
	if got := ahead.At(start); got.Before(start.Add(69 * 365 * day)) {
		t.Errorf("the hub's time is not followed: %s", got)
	}
	if got := ahead.Heard(start, start).At(start); got != start {
		t.Errorf("a floor of the future stays: %s", got)
	}
	if got := (pki.Clock{Floor: ca.Since()}).At(time.Unix(0, 0)); got != start {
		t.Errorf("the hub's own floor is %s", got)
	}
	// A hub whose clock fell back issues nothing that has expired once its clock is right again.
	if leaf := join(t, ca, "n1", time.Unix(0, 0)).cert.Leaf; leaf.NotAfter.Before(start.Add(pki.Life - day)) {
		t.Errorf("valid until %s", leaf.NotAfter)
	}
}

func TestSecrets(t *testing.T) {
	a, b := pki.NewSecret(), pki.NewSecret()
	if a == b || len(a) != 43 || strings.ContainsAny(a, "+/=") {
		t.Errorf("%q, %q", a, b)
	}
	if h := pki.HashSecret(a); !pki.SecretIs(h, a) || pki.SecretIs(h, b) || pki.SecretIs(h, "") || pki.SecretIs("", a) || pki.SecretIs(h, h) {
		t.Error("secrets are mixed up")
	}
}

func TestClones(t *testing.T) {
	for name, c := range map[string]struct {
		reports []r
		clone   int // index of the report that gives them away; -1: none
	}{
		"one machine":                            {[]r{{"a", 1}, {"a", 2}, {"a", 3}}, -1},
		"answers lost, reports repeated":         {[]r{{"a", 1}, {"a", 1}, {"a", 2}, {"a", 1}}, -1},
		"restarts":                               {[]r{{"a", 1}, {"b", 1}, {"c", 1}, {"c", 2}, {"d", 1}}, -1},
		"an old report repeated after a restart": {[]r{{"a", 1}, {"a", 2}, {"b", 1}, {"a", 2}, {"b", 2}, {"a", 1}, {"b", 3}}, -1},
		"one late report after a restart":        {[]r{{"a", 1}, {"b", 1}, {"a", 2}, {"b", 2}, {"b", 3}, {"c", 1}}, -1},
		"a straggler before the next boot's":     {[]r{{"a", 1}, {"a", 2}, {"b", 1}, {"b", 2}}, -1},
		"two machines in turn":                   {[]r{{"a", 1}, {"b", 1}, {"a", 2}, {"b", 2}, {"a", 3}}, 4},
		"two machines, one slower":               {[]r{{"a", 5}, {"b", 1}, {"b", 2}, {"b", 3}, {"a", 6}, {"b", 4}, {"b", 5}, {"a", 7}}, 7},
		"three machines":                         {[]r{{"a", 1}, {"b", 1}, {"c", 1}, {"a", 2}, {"b", 2}, {"c", 2}}, 5},
		"crash loop, two hundred boots":          {boots(200), -1},
	} {
		var w pki.Watch
		at := -1
		for i, rep := range c.reports {
			var clone bool
			if w, clone = w.See(rep.boot, rep.seq); clone && at < 0 {
				at = i
			}
		}
		if at != c.clone || len(w.Boots) > 8 {
			t.Errorf("%s: found at %d, want %d; %d boots kept", name, at, c.clone, len(w.Boots))
		}
	}
}

type r struct {
	boot string
	seq  uint64
}

func boots(n int) (out []r) {
	for i := range n {
		out = append(out, r{string(rune('A' + i)), 1})
	}
	return out
}

func ptr[T any](v T) *T { return &v }

func selfSigned(t testing.TB, fleet, node string) tls.Certificate {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	u, _ := url.Parse("edgeward://" + fleet + "/node/" + node)
	if node == "hub" {
		u, _ = url.Parse("edgeward://" + fleet + "/hub")
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: node}, URIs: []*url.URL{u}, NotBefore: start, NotAfter: start.Add(90 * day),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	der := must(x509.CreateCertificate(rand.Reader, c, c, key.Public(), key))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// publicLike is what a proxy or a thief of names has: a certificate for the right name by a CA that the machine's store may well trust.
func publicLike(t testing.TB, name string) tls.Certificate {
	t.Helper()
	caKey, key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Well Known Root"}, NotBefore: start, NotAfter: start.Add(90 * day),
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true}
	caDER := must(x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey))
	hub, _ := url.Parse("edgeward://f1/hub")
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.ParseIP(name)}, URIs: []*url.URL{hub},
		NotBefore: start, NotAfter: start.Add(90 * day), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der := must(x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey))
	return tls.Certificate{Certificate: [][]byte{der, caDER}, PrivateKey: key}
}

func TestWhatIsSealedOpensForOneNodeAlone(t *testing.T) {
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	ca, err := pki.NewCA("01f", now)
	if err != nil {
		t.Fatal(err)
	}
	member := func(id string) (pki.Identity, *x509.Certificate) {
		i, csr, err := pki.Request(id)
		if err != nil {
			t.Fatal(err)
		}
		chain, err := ca.IssueNode(id, csr, nil, now)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := pki.ParseCertificate(chain[0])
		if err != nil {
			t.Fatal(err)
		}
		return i, leaf
	}
	ann, leaf := member("ann")
	eve, _ := member("eve")
	sealed, err := pki.Seal(leaf, []byte("for ann"), []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ann.Unseal([]byte("for ann"), sealed); err != nil || string(got) != "secret" {
		t.Errorf("%q %v", got, err)
	}
	if again, _ := pki.Seal(leaf, []byte("for ann"), []byte("secret")); bytes.Equal(sealed, again) {
		t.Error("the same secret is sealed the same way twice")
	}
	spoilt := bytes.Clone(sealed)
	spoilt[len(spoilt)-1] ^= 1
	for name, try := range map[string]func() ([]byte, error){
		"another node":    func() ([]byte, error) { return eve.Unseal([]byte("for ann"), sealed) },
		"another purpose": func() ([]byte, error) { return ann.Unseal([]byte("for eve"), sealed) },
		"other bytes":     func() ([]byte, error) { return ann.Unseal([]byte("for ann"), spoilt) },
		"no bytes":        func() ([]byte, error) { return ann.Unseal([]byte("for ann"), nil) },
	} {
		if got, err := try(); err == nil {
			t.Errorf("%s opens it: %q", name, got)
		}
	}
}
