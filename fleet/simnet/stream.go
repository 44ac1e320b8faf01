package simnet

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// Of a stream: how long a lost piece is late, and how much may be under way.
const (
	again  = 200 * time.Millisecond
	window = 256 << 10
	giveUp = 600 // tries, a second apart, to get over a cut
)

type listener struct {
	host   *Host
	at     netip.AddrPort
	in     chan *conn
	closed chan struct{}
	once   sync.Once
}

// Listen opens a listener on port, as net.Listen does for "tcp".
func (h *Host) Listen(port uint16) (net.Listener, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	port = h.free(port)
	if h.streams[port] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: os.ErrExist}
	}
	l := &listener{host: h, at: netip.AddrPortFrom(h.addr, port), in: make(chan *conn, queued), closed: make(chan struct{})}
	h.streams[port] = l
	return l, nil
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.in:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.host.net.mu.Lock()
		defer l.host.net.mu.Unlock()
		if l.host.streams[l.at.Port()] == l {
			delete(l.host.streams, l.at.Port())
		}
	})
	return nil
}

func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.at) }

// Dial connects to an address ("10.0.0.2:7946"), as net.Dialer.DialContext does.
func (h *Host) Dial(ctx context.Context, address string) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) { return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fail(err)
	}
	n := h.net
	var after time.Duration
	for wait := time.Second; ; wait *= 2 { // SYN and its answer
		there, back := n.send(h.addr, to.Addr(), 60), n.send(to.Addr(), h.addr, 60)
		if !there.lost && !back.lost && !n.cut(h.addr, to.Addr()) {
			after = there.after + back.after
			break
		}
		if err := sleep(ctx, wait); err != nil {
			return fail(err)
		}
	}
	if err := sleep(ctx, after); err != nil {
		return fail(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	far := n.hosts[to.Addr()]
	l := far.streams[to.Port()]
	if l == nil || far.down {
		return fail(syscall.ECONNREFUSED)
	}
	h.port++
	near := netip.AddrPortFrom(h.addr, h.port)
	out, in := newStream(n, h.addr, to.Addr()), newStream(n, to.Addr(), h.addr)
	a, b := newConn(h, near, to, in, out), newConn(far, to, near, out, in)
	select {
	case l.in <- b:
		h.conns[a], far.conns[b] = true, true
		return a, nil
	default:
		return fail(syscall.ECONNREFUSED)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		if ctx.Err() == context.DeadlineExceeded {
			return os.ErrDeadlineExceeded
		}
		return ctx.Err()
	}
}

type conn struct {
	host          *Host
	local, remote netip.AddrPort
	in, out       *stream
	read, write   deadline
	once          sync.Once
	closed        chan struct{}
}

func newConn(h *Host, local, remote netip.AddrPort, in, out *stream) *conn {
	c := &conn{host: h, local: local, remote: remote, in: in, out: out, closed: make(chan struct{})}
	c.read.init()
	c.write.init()
	return c
}

func (c *conn) Read(b []byte) (int, error) {
	for {
		n, err, changed := c.in.take(b)
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		select {
		case <-changed:
		case <-c.closed:
			return 0, net.ErrClosed
		case <-c.read.wait():
			return 0, &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
		}
	}
}

func (c *conn) Write(b []byte) (n int, err error) {
	for n < len(b) {
		select {
		case <-c.closed:
			return n, net.ErrClosed
		case <-c.write.wait():
			return n, &net.OpError{Op: "write", Net: "tcp", Err: os.ErrDeadlineExceeded}
		default:
		}
		k, err, changed := c.out.put(b[n:min(len(b), n+16<<10)])
		n += k
		if err != nil {
			return n, err
		}
		if k > 0 {
			continue
		}
		select {
		case <-changed:
		case <-c.closed:
			return n, net.ErrClosed
		case <-c.write.wait():
			return n, &net.OpError{Op: "write", Net: "tcp", Err: os.ErrDeadlineExceeded}
		}
	}
	return n, nil
}

// Close sends what was written, then the end. Of a crashed machine nothing more comes.
func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.host.net.mu.Lock()
		delete(c.host.conns, c)
		down := c.host.down
		c.host.net.mu.Unlock()
		if down {
			c.out.drop()
			c.in.drop()
		} else {
			c.out.end()
			c.in.gone()
		}
	})
	return nil
}

func (c *conn) LocalAddr() net.Addr                { return net.TCPAddrFromAddrPort(c.local) }
func (c *conn) RemoteAddr() net.Addr               { return net.TCPAddrFromAddrPort(c.remote) }
func (c *conn) SetDeadline(t time.Time) error      { c.read.set(t); c.write.set(t); return nil }
func (c *conn) SetReadDeadline(t time.Time) error  { c.read.set(t); return nil }
func (c *conn) SetWriteDeadline(t time.Time) error { c.write.set(t); return nil }

// piece is under way; one without bytes is the end.
type piece struct {
	at time.Time
	b  []byte
}

// stream is one direction.
type stream struct {
	net      *Net
	from, to netip.Addr

	mu      sync.Mutex
	way     []piece // in the order they were sent; at never goes back
	size    int     // bytes in way and here
	last    time.Time
	here    []byte
	err     error // after what is here
	broken  error // of the next write
	tries   int   // to get over a cut
	waiting bool  // for the next of them
	changed chan struct{}
}

func newStream(n *Net, from, to netip.Addr) *stream {
	return &stream{net: n, from: from, to: to, changed: make(chan struct{})}
}

func (s *stream) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stream) take(b []byte) (int, error, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.here) == 0 {
		return 0, s.err, s.changed
	}
	n := copy(b, s.here)
	s.here = s.here[n:]
	s.size -= n
	s.notify()
	return n, nil, nil
}

// put sends a piece, or nothing if too much is under way.
func (s *stream) put(b []byte) (int, error, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return 0, s.broken, nil
	}
	if s.size+len(b) > window {
		return 0, nil, s.changed
	}
	s.size += len(b)
	s.ship(append([]byte(nil), b...))
	return len(b), nil, nil
}

// ship sets a piece on its way. mu is held.
func (s *stream) ship(b []byte) {
	f := s.net.send(s.from, s.to, len(b)+40)
	now := time.Now() // room:clock the simulation's
	at := now.Add(f.after)
	if f.lost {
		at = at.Add(again)
	}
	if f.rate > 0 {
		at = later(at, s.last).Add(time.Duration(float64(len(b)) / float64(f.rate) * float64(time.Second)))
	}
	s.last = later(at, s.last)
	s.way = append(s.way, piece{s.last, b})
	time.AfterFunc(s.last.Sub(now), func() { s.arrive(false) })
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// arrive hands over what is due. Over a cut it tries again each second.
func (s *stream) arrive(retry bool) {
	cut := s.net.cut(s.from, s.to)
	s.mu.Lock()
	defer s.mu.Unlock()
	if retry {
		s.waiting = false
	}
	switch {
	case cut && s.waiting:
		return
	case cut && s.tries == giveUp:
		s.way, s.err, s.broken = nil, syscall.ETIMEDOUT, syscall.ETIMEDOUT
		s.notify()
		return
	case cut:
		s.tries++
		s.waiting = true
		time.AfterFunc(time.Second, func() { s.arrive(true) })
		return
	}
	s.tries = 0
	now := time.Now() // room:clock the simulation's
	for len(s.way) > 0 && !s.way[0].at.After(now) {
		p := s.way[0]
		s.way = s.way[1:]
		if len(p.b) == 0 {
			s.err = io.EOF
		}
		s.here = append(s.here, p.b...)
	}
	s.notify()
}

// end sends the end after what was written.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = net.ErrClosed
		s.ship(nil)
	}
}

// gone says that nobody reads any more.
func (s *stream) gone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.way, s.here, s.size = nil, nil, 0
	if s.broken == nil {
		s.broken = &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
	}
	s.err = net.ErrClosed
	s.notify()
}

// drop forgets what is under way; the other end hears nothing.
func (s *stream) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.way = nil
}
