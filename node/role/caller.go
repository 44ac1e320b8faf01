package role

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/longpoll"
	"edgeward/fleet/pki"
)

// caller is who is at the other end of a connection to the hub. Its certificate is verified with the first call and not with each: that is a tenth of a
// millisecond.
type caller struct {
	mu   sync.Mutex
	peer pki.Peer // zero before it was verified
	at   uint64   // the epoch of what was trusted then
}

type callerKey struct{}

// withCaller gives each connection a caller (http.Server.ConnContext). One that comes back from a long poll keeps its own.
func withCaller(ctx context.Context, c net.Conn) context.Context {
	who := &caller{}
	ctx, line := longpoll.With(ctx, c)
	if line != nil {
		if before, ok := line.Value.(*caller); ok {
			who = before
		}
		line.Value = who
	}
	return context.WithValue(ctx, callerKey{}, who)
}

func callerOf(r *http.Request) *caller {
	c, ok := r.Context().Value(callerKey{}).(*caller)
	if !ok {
		return &caller{}
	}
	return c
}

// node is the node that calls, "" if it shows no certificate of the fleet that is good at now. Of a CA that counts no more issued says which certificates are known.
func (c *caller) node(a pki.Authority, cs *tls.ConnectionState, now time.Time, issued func(node string, fingerprint edgeward.Digest) bool) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, err := c.peer.At(now)
	if epoch := a.Epoch(); epoch != c.at {
		c.peer, c.at = pki.Peer{}, epoch
	}
	if c.peer.Cert == nil || cs == nil || len(cs.PeerCertificates) == 0 || !c.peer.Cert.Equal(cs.PeerCertificates[0]) {
		if p, err = a.Peer(cs, now); err == nil {
			c.peer = p
		}
	}
	if err != nil || p.Former && !issued(p.Node, p.Fingerprint) {
		return ""
	}
	return p.Node
}
