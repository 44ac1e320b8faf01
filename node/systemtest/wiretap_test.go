package systemtest

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"edgeward/fleet/pki"
	"edgeward/node/client"
)

// wiretap stands where nodes call their hub, with the authority's key out of the hub's data directory: it reads all that they say, and hands it on in their
// name.
type wiretap struct {
	testing.TB
	ca      pki.CA
	hub, at string // addresses: the hub's own, and the one nodes call
	said    *lockedBuffer

	mu    sync.Mutex
	lines map[string]*http.Client
}

// tapped makes hub one that is called through a wiretap.
func tapped(t testing.TB, hub *server, name string, found func(at string)) *wiretap {
	t.Helper()
	ln := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	w := &wiretap{TB: t, at: ln.Addr().String(), said: &lockedBuffer{}, lines: map[string]*http.Client{}}
	found("https://" + w.at)
	eventually(t, 20*time.Second, "the hub listens for nodes", func() bool {
		for _, l := range must[client.NodeStatus](t)(hub.Node(within(t, 10*time.Second))).Listeners {
			if l.Name == "fleet" && l.State == "on" {
				w.hub = l.Address
			}
		}
		return w.hub != ""
	})
	var err error
	if w.ca, err = pki.ParseCA(must[[]byte](t)(os.ReadFile(filepath.Join(hub.dir, "fleet", "ca.pem")))); err != nil {
		t.Fatal(err)
	}
	cert := must[tls.Certificate](t)(w.ca.IssueHub([]string{"127.0.0.1"}, time.Now()))
	conf := pki.HubTLS(w.ca.Authority, func() (*tls.Certificate, error) { return &cert, nil }, func(pki.Peer) error { return nil }, time.Now)
	conf.NextProtos = []string{"h2", "http/1.1"}
	s := &http.Server{TLSConfig: conf, Handler: w, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	var run sync.WaitGroup
	run.Go(func() { _ = s.ServeTLS(ln, "", "") })
	t.Cleanup(func() { s.Close(); run.Wait() })
	return w
}

// line is a client with a certificate for the node, fresh from the stolen authority; for "", who joins, one without.
func (w *wiretap) line(node string) *http.Client {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.lines[node]; c != nil {
		return c
	}
	conf := pki.JoinTLS(w.ca.Digest())
	if node != "" {
		id, csr, err := pki.Request(node)
		if err == nil {
			id.Chain, err = w.ca.IssueNode(node, csr, nil, time.Now())
		}
		cert, cerr := id.TLS()
		if err != nil || cerr != nil {
			w.Error(err, cerr)
			return http.DefaultClient
		}
		conf = pki.NodeTLS(w.ca.Authority, func() (*tls.Certificate, error) { return &cert, nil })
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: conf, ForceAttemptHTTP2: true}}
	w.Cleanup(c.CloseIdleConnections)
	w.lines[node] = c
	return c
}

func (w *wiretap) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	node := ""
	if p, err := w.ca.Peer(r.TLS, time.Now()); err == nil {
		node = p.Node
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	fmt.Fprintf(w.said, "\n%s %s %s %v\n%s\n", node, r.Method, r.URL, r.Header, body)
	q, err := http.NewRequestWithContext(r.Context(), r.Method, "https://"+w.hub+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return
	}
	q.Header = r.Header.Clone()
	res, err := w.line(node).Do(q)
	if err != nil {
		panic(http.ErrAbortHandler) // as a line that breaks
	}
	defer res.Body.Close()
	for k, v := range res.Header {
		rw.Header()[k] = v
	}
	rw.WriteHeader(res.StatusCode)
	_, _ = io.Copy(rw, res.Body)
}

// relay hands bytes on between who calls it and a broker, and keeps those that come from the caller, connection by connection.
type relay struct {
	at, to string

	mu    sync.Mutex
	calls []*lockedBuffer
}

func newRelay(t testing.TB, to string) *relay {
	t.Helper()
	ln := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	r := &relay{at: ln.Addr().String(), to: to}
	var run sync.WaitGroup
	open := sync.Map{}
	run.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			d, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			open.Store(c, nil)
			open.Store(d, nil)
			said := &lockedBuffer{}
			r.mu.Lock()
			r.calls = append(r.calls, said)
			r.mu.Unlock()
			run.Go(func() { _, _ = io.Copy(io.MultiWriter(d, said), c); d.Close() })
			run.Go(func() { _, _ = io.Copy(c, d); c.Close() })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		open.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		run.Wait()
	})
	return r
}

// said is all that came, and subscribed the topics that the caller asked the broker for.
func (r *relay) said(t testing.TB) (all []byte, subscribed []string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.calls {
		b := []byte(c.String())
		all = append(all, b...)
		for len(b) > 1 {
			kind := b[0] >> 4
			n, k := binary.Uvarint(b[1:])
			if k <= 0 || n > uint64(len(b)-1-k) {
				break // still on its way
			}
			p := b[1+k:][:n]
			b = b[1+k:][n:]
			if kind != 8 { // SUBSCRIBE
				continue
			}
			for p = p[2:]; len(p) > 2; {
				k := int(p[0])<<8 | int(p[1])
				if 2+k+1 > len(p) {
					t.Fatalf("a subscription that cannot be read: %x", p)
				}
				subscribed = append(subscribed, string(p[2:2+k]))
				p = p[2+k+1:]
			}
		}
	}
	return all, subscribed
}
