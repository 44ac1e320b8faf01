package systemtest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/member"
	"edgeward/fleet/peer"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/sync/tuf"
)

// neighbour is a server of the site in the test's hands: it joined, is on the roster, gossips with the site's keys, and reads what the others tell it. It
// has no file.
type neighbour struct {
	testing.TB
	id    string
	keys  [][]byte
	label []byte        // of the site
	heard *lockedBuffer // packets and streams of gossip, opened, and what the others ask
	seen  atomic.Int64  // packets
}

// moveIn lets a neighbour join the site of others.
func moveIn(t testing.TB, code, name string, key tuf.Public) *neighbour {
	t.Helper()
	n := &neighbour{TB: t, id: name, heard: &lockedBuffer{}}
	c, err := spec.ParseCode(code)
	if err != nil {
		t.Fatal(err)
	}
	id, csr, err := pki.Request(n.id)
	if err != nil {
		t.Fatal(err)
	}
	a := must[spec.JoinAnswer](t)(agent.Join(t.Context(), c, nil, spec.JoinRequest{Format: spec.Format, Code: c.ID, Secret: c.Secret, Node: n.id, CSR: csr, Facts: spec.Facts{Name: n.id}}))
	id, authority, err := id.Join(c.CA, n.id, a.Chain)
	if err != nil {
		t.Fatal(err)
	}
	own := must[tls.Certificate](t)(id.TLS())
	cert := func() (*tls.Certificate, error) { return &own, nil }
	line := agent.NewWire(c.Hubs, pki.NodeTLS(authority, cert), nil, nil)
	t.Cleanup(line.Close)

	ln := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	packets := must[net.PacketConn](t)(net.ListenPacket("udp", ln.Addr().String()))
	at := netip.MustParseAddrPort(ln.Addr().String())
	var seq, rev uint64
	var roster atomic.Pointer[peer.Roster]
	roster.Store(&peer.Roster{})
	report := func() error {
		seq++
		return line.Report(t.Context(), spec.Reported{Format: spec.Format, Node: n.id, Boot: "boot-of-" + n.id, Seq: seq, At: time.Now().UTC(), Rev: rev, Facts: spec.Facts{Name: n.id}, Gossip: spec.Gossip{Addresses: []string{at.String()}}})
	}
	if err := report(); err != nil {
		t.Fatal(err)
	}
	var doc spec.Desired
	take := func(wait time.Duration) {
		b, err := line.Desired(t.Context(), rev, wait)
		if err != nil || b == nil {
			return
		}
		payload, err := tuf.OpenEnvelope(b, spec.PayloadDesired, spec.MaxDesired, key)
		if err != nil {
			return
		}
		if d, err := spec.ParseDesired(payload); err == nil {
			doc, rev = d, d.Rev
			roster.Store(&peer.Roster{Peers: d.Roster, Issued: d.Issued})
		}
	}
	eventually(t, 30*time.Second, "the neighbour has the site's keys", func() bool {
		take(time.Second)
		return doc.Keyring != nil && slices.ContainsFunc(doc.Roster, func(p spec.Peer) bool { return p.Node == n.id && len(p.Addresses) > 0 })
	})
	ring := must[[]byte](t)(id.Unseal(doc.Keyring.Info(a.Fleet, doc.Site, n.id), doc.Keyring.Sealed))
	n.label = []byte(a.Fleet + "/" + doc.Site)
	n.keys = slices.Collect(slices.Chunk(ring, member.KeySize))
	var dial net.Dialer
	door := peer.NewDoor(ln, peer.Options{Authority: authority, Cert: cert, Roster: func() peer.Roster { return *roster.Load() }, Now: time.Now,
		Connect: func(ctx context.Context, address string) (net.Conn, error) {
			return dial.DialContext(ctx, "tcp", address)
		}})
	web := &http.Server{Handler: n, ReadHeaderTimeout: time.Minute}
	pool, err := member.Open(member.Options{Node: n.id, Site: a.Fleet + "/" + doc.Site, Address: at, Packets: ear{packets, n}, Streams: streams{door.For(peer.ForGossip), n},
		Dial: func(ctx context.Context, node, address string) (net.Conn, error) {
			c, err := door.Dial(ctx, node, address, peer.ForGossip)
			if err != nil {
				return nil, err
			}
			return n.listen(c), nil
		},
		Keys: n.keys, Roster: doc.Roster, Meta: member.Meta{Rev: rev, Version: "test", Hub: true}, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = pool.Run(ctx) })
	run.Go(func() { _ = web.Serve(door.For(peer.ForBytes)) })
	run.Go(func() {
		for ctx.Err() == nil {
			_ = report()
			take(2 * time.Second)
			pool.SetRoster(roster.Load().Peers)
		}
	})
	t.Cleanup(func() { stop(); web.Close(); door.Close(); run.Wait() })
	return n
}

// ServeHTTP answers the others of the site.
func (n *neighbour) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(n.heard, "\n%s %s %v\n%s\n", r.Method, r.URL, r.Header, body)
	switch {
	case strings.HasSuffix(r.URL.Path, "/document"):
		w.WriteHeader(http.StatusNoContent)
	case strings.HasSuffix(r.URL.Path, "/have"):
		var ask struct{ Blobs []edgeward.Digest }
		_ = json.Unmarshal(body, &ask)
		_ = json.NewEncoder(w).Encode(peer.Have{Hub: true, Blobs: make([]peer.Answer, len(ask.Blobs))})
	default:
		http.NotFound(w, r)
	}
}

// ear opens packets that come.
type ear struct {
	net.PacketConn
	n *neighbour
}

func (e ear) ReadFrom(b []byte) (int, net.Addr, error) {
	k, from, err := e.PacketConn.ReadFrom(b)
	if err == nil {
		rest, _ := unlabelled(b[:k])
		if plain, ok := e.n.open(rest, e.n.label); ok {
			e.n.seen.Add(1)
			_, _ = e.n.heard.Write(plain)
		} else {
			e.n.Errorf("a packet that the site's keys do not open: %x", b[:min(k, 60)])
		}
	}
	return k, from, err
}

// unlabelled splits the site's name off what begins with it.
func unlabelled(b []byte) (rest, label []byte) {
	if len(b) > 2 && b[0] == 244 && len(b) >= 2+int(b[1]) { // memberlist's hasLabelMsg
		return b[2+int(b[1]):], b[2 : 2+int(b[1])]
	}
	return b, nil
}

// open decrypts as memberlist encrypts: a version, 12 bytes of nonce, AES-GCM; bound to more and the label.
func (n *neighbour) open(b, label []byte, more ...byte) ([]byte, bool) {
	if len(b) < 29 {
		return nil, false
	}
	for _, key := range n.keys {
		block, err := aes.NewCipher(key)
		if err != nil {
			continue
		}
		g, err := cipher.NewGCM(block)
		if err != nil {
			continue
		}
		if plain, err := g.Open(nil, b[1:13], b[13:], append(slices.Clone(more), label...)); err == nil {
			return plain, true
		}
	}
	return nil, false
}

// streams reads along with each stream that is accepted.
type streams struct {
	net.Listener
	n *neighbour
}

func (s streams) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return s.n.listen(c), nil
}

func (n *neighbour) listen(c net.Conn) net.Conn { return &along{Conn: c, n: n} }

// along keeps what comes over a stream, and opens it when the stream ends.
type along struct {
	net.Conn
	n    *neighbour
	got  []byte
	once sync.Once
	mu   sync.Mutex
}

func (a *along) Read(b []byte) (int, error) {
	k, err := a.Conn.Read(b)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.got = append(a.got, b[:k]...)
	return k, err
}

func (a *along) Close() error {
	a.once.Do(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		b, _ := unlabelled(a.got)      // who answers leaves the name away
		for len(b) > 5 && b[0] == 10 { // memberlist's encryptMsg, four bytes of length
			size := int(binary.BigEndian.Uint32(b[1:5]))
			if 5+size > len(b) {
				break // it was cut off
			}
			plain, ok := a.n.open(b[5:5+size], a.n.label, b[:5]...)
			if !ok {
				a.n.Errorf("a stream that the site's keys do not open: %x", b[:min(len(b), 60)])
				return
			}
			_, _ = a.n.heard.Write(plain)
			b = b[5+size:]
		}
	})
	return a.Conn.Close()
}
