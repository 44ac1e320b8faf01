package threats

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/peer"
	"edgeward/fleet/spec"
	"edgeward/node/api"
	"edgeward/runtime/models"
	"edgeward/sync/delta"
	"edgeward/sync/pull"
	"edgeward/sync/tuf"
)

// shelf is the hub's registry and blobs as versions of nodes come into them: what is away is not there until somebody brings it.
type shelf struct {
	library
	mu      sync.Mutex
	away    map[edgeward.Digest]bool
	adopted []edgeward.Digest
}

// lacks takes version n away.
func (s *shelf) lacks(n int) {
	_, _, d, files := version(n)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = map[edgeward.Digest]bool{d: true}
	for _, b := range files {
		s.away[edgeward.DigestOf(b)] = true
	}
}

func (s *shelf) Open(ctx context.Context, d edgeward.Digest) (io.ReadSeekCloser, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away[d] {
		return nil, 0, edgeward.E("shelf", edgeward.NotFound, "blob.not_found", "no blob")
	}
	return s.library.Open(ctx, d)
}

// Keep implements hub.Adopting.
func (s *shelf) Keep(_ context.Context, d edgeward.Digest, r io.Reader, limit int64) error {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil || int64(len(b)) > limit || edgeward.DigestOf(b) != d {
		return edgeward.E("shelf", edgeward.Invalid, "blob.mismatch", "%d bytes: %v", len(b), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.away, d)
	return nil
}

// Adopt implements hub.Adopting.
func (s *shelf) Adopt(_ context.Context, _, _ string, m models.Manifest) (int, error) {
	_, d, err := m.Canonical()
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.adopted = append(s.adopted, d)
	for n, v := range versions() {
		if v.digest == d {
			return n, nil
		}
	}
	return 0, edgeward.E("shelf", edgeward.NotFound, "version.not_found", "no version")
}

// near is a node's part in its site: its port, real TLS on the loopback, and what it asks the others. Who lives it knows by the roster; there is no gossip.
type near struct {
	g      *guard
	door   *peer.Door
	client *peer.Client
	swarm  *peer.Swarm
	at     string
}

// sites opens the site port of a node before its agent starts.
func sites(g *guard) { g.near = &near{g: g} }

// joins opens the port and lets an agent use it.
func (n *near) joins(o *agent.Options) {
	g := n.g
	g.Helper()
	cert, authority, err := g.m.Identity.Kept(g.m.CA, g.id)
	g.ok(err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	g.ok(err)
	n.at = ln.Addr().String()
	roster := func() peer.Roster {
		k, _ := g.agent().Kept()
		return peer.Roster{Peers: k.Roster, Issued: k.Issued}
	}
	var dial net.Dialer
	n.door = peer.NewDoor(ln, peer.Options{Authority: authority, Cert: func() (*tls.Certificate, error) { return &cert, nil }, Roster: roster, Now: g.now,
		Connect: func(ctx context.Context, address string) (net.Conn, error) {
			return dial.DialContext(ctx, "tcp", address)
		}})
	n.client = n.shows(func() []byte { k, _ := g.agent().Kept(); return k.Envelope })
	away := func() bool { _, c := g.agent().Kept(); return c.Code == "" }
	puller := &pull.Puller{Blobs: g.blobs, Dir: filepath.Join(g.dir, "near"), Apply: delta.Apply}
	quiet := slog.New(slog.DiscardHandler)
	n.swarm = peer.NewSwarm(peer.SwarmOptions{Node: g.id, Puller: puller, Near: puller, Hub: g.wire, Site: n, Hears: away, Now: g.now, Log: quiet})
	server := peer.NewServer(peer.ServeOptions{Fleet: g.m.Fleet, Authority: authority, Roster: roster, Hub: func() (tuf.Public, error) { return g.agent().HubKey() }, Bytes: lent{n}, Coming: n.swarm.Coming, Hears: away,
		Ring: func() peer.Ring { return peer.Ring{} }, Now: g.now, Shares: func(d spec.Desired) []spec.SignedPromotion { return g.agent().Shares(d) }, Lends: func(d spec.Desired) []edgeward.Digest { return g.agent().Lends(d) }})
	web := &http.Server{Handler: server.Handler(func(w http.ResponseWriter, _ *http.Request, err error) { api.Refuse(w, err) }), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = web.Serve(n.door.For(peer.ForBytes)) }()
	g.Cleanup(func() { n.client.Close(); web.Close(); n.door.Close() })
	o.Authority, o.Bring = authority, n.swarm.Bring
	o.Gossip = func() spec.Gossip { return spec.Gossip{Addresses: []string{n.at}} }
	o.Sign = func(purpose string, b []byte) (cert, sig []byte, err error) {
		sig, err = g.m.Identity.Sign(purpose, b)
		return g.m.Identity.Chain[0], sig, err
	}
}

// shows is a client that shows a document.
func (n *near) shows(document func() []byte) *peer.Client {
	return peer.NewClient(peer.ClientOptions{Door: n.door, Document: document, Address: func(node string) string {
		k, _ := n.g.agent().Kept()
		if p, ok := (peer.Roster{Peers: k.Roster}).Find(node); ok && len(p.Addresses) > 0 {
			return p.Addresses[0]
		}
		return ""
	}})
}

// Targets, Have and From implement peer.Site.
func (n *near) Targets() (out []peer.Target) {
	k, _ := n.g.agent().Kept()
	for _, p := range k.Roster {
		if p.Node != n.g.id {
			out = append(out, peer.Target{Node: p.Node, Cert: p.Certs[0]})
		}
	}
	return out
}

func (n *near) Have(ctx context.Context, node string, list []edgeward.Digest) (peer.Have, error) {
	return n.client.Have(ctx, node, list)
}

func (n *near) From(node string) pull.Source { return n.client.From(node) }

// lent are a node's blobs.
type lent struct{ n *near }

func (l lent) Open(_ context.Context, d edgeward.Digest) (io.ReadSeekCloser, int64, error) {
	info, err := l.n.g.blobs.Stat(d)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(l.n.g.blobs.Path(d))
	return f, info.Size, err
}
