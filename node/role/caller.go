package role

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"edgeward/fleet/longpoll"
	"edgeward/fleet/pki"
)

// caller is who is at the other end of a connection to the hub. Its certificate is verified with the first call and not with each: that is a tenth of a
// millisecond.
type caller struct {
	mu   sync.Mutex
	peer pki.Peer // zero before it was verified
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

// node is the node that calls, "" if it shows no certificate of the fleet that is good at now.
func (c *caller) node(a pki.Authority, cs *tls.ConnectionState, now time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, err := c.peer.At(now)
	if c.peer.Cert == nil || cs == nil || len(cs.PeerCertificates) == 0 || !c.peer.Cert.Equal(cs.PeerCertificates[0]) {
		if p, err = a.Peer(cs, now); err == nil {
			c.peer = p
		}
	}
	if err != nil {
		return ""
	}
	return p.Node
}
