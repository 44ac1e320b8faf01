package simnet

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// queued is how many packets wait at a socket before the next is dropped.
const queued = 512

type packet struct {
	from netip.AddrPort
	b    []byte
}

type packetConn struct {
	host   *Host
	at     netip.AddrPort
	in     chan packet
	closed chan struct{}
	once   sync.Once
	read   deadline
}

// ListenPacket opens a packet socket on port, as net.ListenPacket does for "udp".
func (h *Host) ListenPacket(port uint16) (net.PacketConn, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	port = h.free(port)
	if h.packets[port] != nil {
		return nil, &net.OpError{Op: "listen", Net: "udp", Err: os.ErrExist}
	}
	c := &packetConn{host: h, at: netip.AddrPortFrom(h.addr, port), in: make(chan packet, queued), closed: make(chan struct{})}
	c.read.init()
	h.packets[port] = c
	return c, nil
}

func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-c.in:
		return copy(b, p.b), net.UDPAddrFromAddrPort(p.from), nil
	case <-c.closed:
		return 0, nil, net.ErrClosed
	case <-c.read.wait():
		return 0, nil, os.ErrDeadlineExceeded
	}
}

func (c *packetConn) WriteTo(b []byte, a net.Addr) (int, error) {
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	u, ok := a.(*net.UDPAddr)
	if !ok {
		return 0, &net.OpError{Op: "write", Net: "udp", Err: os.ErrInvalid}
	}
	to := u.AddrPort()
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	n := c.host.net
	f := n.send(c.at.Addr(), to.Addr(), len(b))
	if f.lost || n.cut(c.at.Addr(), to.Addr()) {
		return len(b), nil
	}
	p := packet{c.at, append([]byte(nil), b...)}
	times := 1
	if f.twice {
		times = 2
	}
	for range times {
		time.AfterFunc(f.after, func() { n.arrive(to, p) })
	}
	return len(b), nil
}

func (n *Net) arrive(to netip.AddrPort, p packet) {
	if n.cut(p.from.Addr(), to.Addr()) {
		return
	}
	n.mu.Lock()
	c := n.hosts[to.Addr()].packets[to.Port()]
	n.mu.Unlock()
	if c == nil {
		return
	}
	select {
	case c.in <- p:
	default: // full
	}
}

func (c *packetConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.host.net.mu.Lock()
		defer c.host.net.mu.Unlock()
		if c.host.packets[c.at.Port()] == c {
			delete(c.host.packets, c.at.Port())
		}
	})
	return nil
}

func (c *packetConn) LocalAddr() net.Addr               { return net.UDPAddrFromAddrPort(c.at) }
func (c *packetConn) SetDeadline(t time.Time) error     { return c.SetReadDeadline(t) }
func (c *packetConn) SetWriteDeadline(time.Time) error  { return nil }
func (c *packetConn) SetReadDeadline(t time.Time) error { c.read.set(t); return nil }

// deadline is a channel that is closed once its time has come.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	done  chan struct{}
}

func (d *deadline) init() { d.done = make(chan struct{}) }

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.done // it has fired, or does so now
	}
	d.timer = nil
	select {
	case <-d.done:
		d.done = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	done := d.done
	left := time.Until(t) // room:clock deadlines of a socket
	if left <= 0 {
		close(done)
		return
	}
	d.timer = time.AfterFunc(left, func() { close(done) })
}

func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done
}
