package agent_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/pki"
)

// gate is a hub's listener with real TLS: who is admitted is said what is wanted of it.
type gate struct {
	addr  string
	ca    pki.CA
	admit func(pki.Peer) error
	says  http.HandlerFunc // nil: "wanted"
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{admit: func(pki.Peer) error { return nil }}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	g.ca, err = pki.NewCA("fleet1", time.Now())
	must(err)
	cert, err := g.ca.IssueHub([]string{"127.0.0.1"}, time.Now())
	must(err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	conf := pki.HubTLS(g.ca.Authority, func() (*tls.Certificate, error) { return &cert, nil }, func(p pki.Peer) error { return g.admit(p) }, time.Now)
	conf.NextProtos = []string{"h2", "http/1.1"}
	s := &http.Server{TLSConfig: conf, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.says != nil {
			g.says(w, r)
			return
		}
		_, _ = io.WriteString(w, "wanted")
	})}
	go func() { _ = s.ServeTLS(ln, "", "") }()
	t.Cleanup(func() { _ = s.Close() })
	g.addr = ln.Addr().String()
	return g
}

// node is the wire of a member, through a proxy if there is one.
func (g *gate) node(t *testing.T, via agent.Proxy) *agent.Wire {
	t.Helper()
	id, csr, err := pki.Request("n1")
	if err != nil {
		t.Fatal(err)
	}
	if id.Chain, err = g.ca.IssueNode("n1", csr, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	cert, err := id.TLS()
	if err != nil {
		t.Fatal(err)
	}
	w := agent.NewWire([]string{"https://" + g.addr}, pki.NodeTLS(g.ca.Authority, func() (*tls.Certificate, error) { return &cert, nil }), via, nil)
	t.Cleanup(w.Close)
	return w
}

// tunnel is an HTTP proxy that knows CONNECT only.
type tunnel struct {
	url     string
	allows  string // the Proxy-Authorization it wants; "" none
	made    atomic.Int64
	refuses atomic.Value // the status line to say in place of a tunnel; ""
}

func newTunnel(t *testing.T) *tunnel {
	t.Helper()
	p := &tunnel{}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.url = "http://" + ln.Addr().String()
	var wg sync.WaitGroup
	var open sync.Map
	t.Cleanup(func() {
		ln.Close()
		open.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			open.Store(c, nil)
			wg.Go(func() { p.serve(c, &open) })
		}
	})
	return p
}

func (p *tunnel) serve(c net.Conn, open *sync.Map) {
	defer c.Close()
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	refusal, _ := p.refuses.Load().(string)
	switch {
	case err != nil:
		return
	case r.Method != http.MethodConnect || refusal != "":
		_, _ = io.WriteString(c, "HTTP/1.1 "+cmp.Or(refusal, "403 Forbidden")+"\r\nContent-Length: 0\r\n\r\n")
		return
	case p.allows != "" && r.Header.Get("Proxy-Authorization") != p.allows:
		_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		return
	}
	to, err := net.Dial("tcp", r.Host)
	if err != nil {
		_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return
	}
	defer to.Close()
	open.Store(to, nil)
	p.made.Add(1)
	_, _ = io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() { _, _ = io.Copy(to, in); to.Close() }()
	_, _ = io.Copy(c, to)
}

func TestTheHubIsCalledThroughAProxy(t *testing.T) {
	g, p := newGate(t), newTunnel(t)
	via := func(user, password string) agent.Proxy {
		t.Helper()
		f, err := agent.ParseProxy(p.url, user, password)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	ask := func(w *agent.Wire) error {
		b, err := w.Desired(context.Background(), 0, 0)
		if err == nil && string(b) != "wanted" {
			t.Errorf("it said %q", b)
		}
		return err
	}
	if err := ask(g.node(t, via("", ""))); err != nil || p.made.Load() != 1 {
		t.Fatalf("%v, %d tunnels", err, p.made.Load())
	}
	p.allows = "Basic dXNlcjpzZWNyZXQ=" // user:secret
	if err := ask(g.node(t, via("user", "secret"))); err != nil || p.made.Load() != 2 {
		t.Errorf("with a password: %v", err)
	}
	direct := func(address string) func() *agent.Wire {
		return func() *agent.Wire {
			f, err := agent.ParseProxy(address, "", "")
			if err != nil {
				t.Fatal(err)
			}
			return g.node(t, f)
		}
	}
	for name, row := range map[string]struct {
		wire  func() *agent.Wire
		hints string
	}{
		"a wrong password":                    {func() *agent.Wire { return g.node(t, via("user", "guess")) }, "fleet.proxy_password_file"},
		"a proxy that wants":                  {func() *agent.Wire { return g.node(t, via("", "")) }, "fleet.proxy_user"},
		"a proxy that refuses":                {func() *agent.Wire { p.refuses.Store("403 Forbidden"); return g.node(t, via("user", "secret")) }, "allow CONNECT"},
		"a hub that the proxy does not reach": {func() *agent.Wire { p.refuses.Store("502 Bad Gateway"); return g.node(t, via("user", "secret")) }, "look at the hub"},
		"no proxy there":                      {direct("http://127.0.0.1:1"), "proxy"},
	} {
		err := ask(row.wire())
		if edgeward.CodeOf(err) != "fleet.proxy" || edgeward.KindOf(err) != edgeward.Unavailable || !strings.Contains(edgeward.HintOf(err), row.hints) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, %q", name, err, edgeward.HintOf(err))
		}
		p.refuses.Store("")
	}
	made := p.made.Load()
	if off, err := agent.ParseProxy("off", "", ""); err != nil || ask(g.node(t, off)) != nil || p.made.Load() != made {
		t.Errorf("off: %v, %d tunnels", err, p.made.Load())
	}
	for _, bad := range []string{"proxy:3128", "socks5://proxy:1080", "http://", "http://user:secret@proxy:3128", "http://proxy/path"} {
		if _, err := agent.ParseProxy(bad, "", ""); edgeward.KindOf(err) != edgeward.Invalid || edgeward.HintOf(err) == "" {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// A certificate that the hub's TLS refuses (of another fleet, expired for good) is said to be refused, not what TLS calls it. The alert may be lost where
// the hub closes while the node still writes; then the next call hears it.
func TestARefusedCertificateIsSaidToBe(t *testing.T) {
	g := newGate(t)
	g.admit = func(pki.Peer) error { return edgeward.E("hub", edgeward.Forbidden, "fleet.certificate", "no") }
	w := g.node(t, nil)
	heard := 0
	for range 50 {
		_, err := w.Desired(t.Context(), 0, 0)
		if edgeward.CodeOf(err) == "fleet.hub_away" {
			continue
		}
		heard++
		if words := edgeward.Words(err); edgeward.CodeOf(err) != "fleet.refused" || edgeward.HintOf(err) == "" || strings.Contains(words, "tls") || strings.Contains(words, "remote error") {
			t.Errorf("%q, hint %q (%v)", words, edgeward.HintOf(err), err)
		}
	}
	if heard == 0 {
		t.Error("it never heard why")
	}
}

// A hub that sends a byte now and then is given up, whatever is asked of it, and the next call is free again.
func TestAHubThatHardlySpeaksIsGivenUp(t *testing.T) {
	g := newGate(t)
	w := g.node(t, nil)
	w.Hurry(300 * time.Millisecond)
	ask := func() error { _, err := w.Desired(t.Context(), 0, 0); return err }
	for _, status := range []int{http.StatusOK, http.StatusForbidden} {
		g.says = func(rw http.ResponseWriter, r *http.Request) {
			rw.WriteHeader(status)
			for r.Context().Err() == nil {
				_, _ = io.WriteString(rw, " ")
				_ = http.NewResponseController(rw).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		}
		if err := ask(); edgeward.CodeOf(err) != "fleet.hub_away" || edgeward.HintOf(err) == "" || !strings.Contains(err.Error(), "not complete") {
			t.Errorf("%d: %v", status, err)
		}
	}
	g.says = nil
	if err := ask(); err != nil {
		t.Error(err)
	}
}
