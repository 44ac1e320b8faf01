package peer

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/pki"
)

// What a stream is for.
const (
	ForGossip = "edgeward-gossip/1"
	ForBytes  = "http/1.1"
)

// Bounds of the site port: handshakes at a time, and how long one may take until it is done and its stream is taken.
const (
	maxHandshakes = 64
	handshake     = 10 * time.Second
)

// Options are what a Door is made of. All are needed.
type Options struct {
	Authority pki.Authority
	Cert      pki.Cert
	Roster    func() Roster // now; called for each connection
	Now       func() time.Time
	Connect   func(ctx context.Context, address string) (net.Conn, error) // a bare connection
}

// Door is the streams of the site port. It is safe for concurrent use.
type Door struct {
	o     Options
	l     net.Listener
	rooms map[string]*room
	busy  chan struct{}
	shut  context.CancelFunc // ends handshakes too
	tasks sync.WaitGroup
}

// NewDoor answers on l, which it owns.
func NewDoor(l net.Listener, o Options) *Door {
	ctx, cancel := context.WithCancel(context.Background())
	d := &Door{o: o, l: l, busy: make(chan struct{}, maxHandshakes), shut: cancel}
	d.rooms = map[string]*room{ForGossip: d.room(), ForBytes: d.room()}
	d.tasks.Go(func() { d.accept(ctx) })
	return d
}

// For is the listener of one kind of streams. Closing it closes it alone.
func (d *Door) For(what string) net.Listener { return d.rooms[what] }

func (d *Door) accept(ctx context.Context) {
	conf := pki.PeerTLS(d.o.Authority, d.o.Cert, func(p pki.Peer) error { return d.o.Roster().Admit(p) }, d.o.Now)
	conf.NextProtos = []string{ForGossip, ForBytes}
	for {
		c, err := d.l.Accept()
		if err != nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(100 * time.Millisecond): // room:clock after an error of a socket
				continue
			}
		}
		select {
		case d.busy <- struct{}{}:
		default:
			c.Close() // too many knock at once
			continue
		}
		d.tasks.Go(func() {
			defer func() { <-d.busy }()
			d.greet(ctx, tls.Server(c, conf))
		})
	}
}

// greet ends the handshake and hands the stream on.
func (d *Door) greet(ctx context.Context, c *tls.Conn) {
	ctx, cancel := context.WithTimeout(ctx, handshake)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		c.Close()
		return
	}
	to := d.rooms[c.ConnectionState().NegotiatedProtocol]
	if to == nil {
		c.Close()
		return
	}
	select {
	case to.in <- c:
	case <-to.done:
		c.Close()
	case <-ctx.Done(): // nobody takes it
		c.Close()
	}
}

// Dial makes a stream to node at address, and none to anybody else who answers there.
func (d *Door) Dial(ctx context.Context, node, address, what string) (net.Conn, error) {
	conf := pki.PeerTLS(d.o.Authority, d.o.Cert, func(p pki.Peer) error {
		if p.Node != node {
			return edgeward.E("peer.Dial", edgeward.Forbidden, "fleet.other_node", "at %s answers node %.64s", address, p.Node)
		}
		return d.o.Roster().Admit(p)
	}, d.o.Now)
	conf.NextProtos = []string{what}
	bare, err := d.o.Connect(ctx, address)
	if err != nil {
		return nil, away(err)
	}
	c := tls.Client(bare, conf)
	if err := c.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, away(err)
	}
	return c, nil
}

func away(err error) error {
	if edgeward.CodeOf(err) != "" {
		return err
	}
	return edgeward.E("peer.Dial", edgeward.Unavailable, "fleet.peer_away", "a server of the site does not answer: %w", err)
}

// Close ends the door. Streams that were handed on live on.
func (d *Door) Close() error {
	d.shut()
	err := d.l.Close()
	d.tasks.Wait()
	return err
}

func (d *Door) room() *room {
	return &room{in: make(chan net.Conn), done: make(chan struct{}), addr: d.l.Addr()}
}

// room is a listener behind the door.
type room struct {
	in   chan net.Conn
	done chan struct{}
	once sync.Once
	addr net.Addr
}

func (r *room) Accept() (net.Conn, error) {
	select {
	case c := <-r.in:
		return c, nil
	case <-r.done:
		return nil, net.ErrClosed
	}
}

func (r *room) Close() error {
	r.once.Do(func() { close(r.done) })
	return nil
}

func (r *room) Addr() net.Addr { return r.addr }
