// Package longpoll lets calls of thousands wait in one process for what there is to say to them.
//
// A call that waits in its handler holds that handler's goroutine, those of its connection, their stacks, and what net/http keeps of request and
// answer: 60 KiB, and more while thousands come at once. Here it holds its TLS connection and one goroutine with a small stack: 25 KiB. Lot is a listener for
// http.Server. It makes the handshake and hands a connection on once a request comes over it. A handler gives the connection of a call that waits back
// with Park, and returns; the call waits in the Lot, is answered there, and its connection goes to the server again with its next
// request. Only one of HTTP/1.1 can do that, since nothing else goes over it meanwhile: Park says of others that they have to wait where they are.
//
// Guarantees:
//   - A call is answered once, or its connection ends: it was closed, its caller said something before the answer, or the Lot was closed.
//   - While it waits, its caller is told so every spec.Beat (102 Processing): a caller that hears nothing for longer knows that the line is cut.
//   - However many come together, or are woken together, few handshakes, requests and answers are worked on at a time, and who is slow holds up nobody for
//     long: a handshake that takes longer than brief is counted no more, nor a connection that is with the server for longer than turn, and no answer waits for another one's line.
//   - A handshake that is not made within Slow, an answer that is not taken within Slow, and a connection that is silent for Idle end.
//   - What answers may panic: that ends its connection only.
package longpoll

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"edgeward/fleet/spec"
)

// What connections are bounded by.
const (
	Slow = 10 * time.Second
	Idle = 3 * time.Minute // from an answer to the next request

	handshakes = 256                    // that are made at a time
	requests   = 512                    // that are worked on at a time
	answers    = 32                     // that are made at a time
	brief      = 250 * time.Millisecond // a handshake counts for so long
	turn       = time.Second            // a connection with the server
)

// Lot is a net.Listener of TLS connections, and where their calls wait.
type Lot struct {
	under net.Listener
	conf  *tls.Config
	log   *slog.Logger
	ready chan accepted
	done  chan struct{} // closed with it

	handshakes, requests, answers chan struct{} // one for each that is under way

	mu    sync.Mutex
	conns map[*tls.Conn]struct{} // that are here
}

type accepted struct {
	conn net.Conn
	err  error
}

// Listen returns one that lets in who comes to ln. It ends with ln.
func Listen(ln net.Listener, conf *tls.Config, log *slog.Logger) *Lot {
	l := &Lot{under: ln, conf: conf, log: log, ready: make(chan accepted), done: make(chan struct{}), conns: map[*tls.Conn]struct{}{},
		handshakes: make(chan struct{}, handshakes), requests: make(chan struct{}, requests), answers: make(chan struct{}, answers)}
	go l.run()
	return l
}

// Accept implements net.Listener.
func (l *Lot) Accept() (net.Conn, error) {
	select {
	case a := <-l.ready:
		return a.conn, a.err
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (l *Lot) Addr() net.Addr { return l.under.Addr() }

// Close implements net.Listener. It ends all connections that are here; those that are with the server are the server's.
func (l *Lot) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns != nil {
		close(l.done)
		for c := range l.conns {
			_ = c.NetConn().Close() // without a word: one that is being written to would hold up the others
		}
		l.conns = nil
	}
	return l.under.Close()
}

// Len is how many connections are here.
func (l *Lot) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

// enter takes a connection in, unless the lot is closed.
func (l *Lot) enter(c *tls.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		_ = c.NetConn().Close()
		return false
	}
	l.conns[c] = struct{}{}
	return true
}

func (l *Lot) leave(c *tls.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// end ends a connection that is here.
func (l *Lot) end(c *tls.Conn) {
	l.leave(c)
	_ = c.Close()
}

func (l *Lot) run() {
	for {
		c, err := l.under.Accept()
		if err == nil {
			line := &Line{Conn: c, lot: l}
			line.tls = tls.Server(line, l.conf)
			go line.greet()
			continue
		}
		select {
		case l.ready <- accepted{nil, err}:
		case <-l.done:
			return
		}
	}
}

// take takes one of slots, for d at most: free gives it back. False if the lot was closed before.
func (l *Lot) take(slots chan struct{}, d time.Duration) (free func(), ok bool) {
	select {
	case slots <- struct{}{}:
	case <-l.done:
		return nil, false
	}
	free = sync.OnceFunc(func() { <-slots })
	time.AfterFunc(d, free) // room:clock how long it counts
	return free, true
}

// With returns ctx for the requests of a connection (http.Server.ConnContext), and its Line: nil if it did not come from a Lot.
func With(ctx context.Context, c net.Conn) (context.Context, *Line) {
	t, ok := c.(*tls.Conn)
	if !ok {
		return ctx, nil
	}
	l, ok := t.NetConn().(*Line)
	if !ok {
		return ctx, nil
	}
	return context.WithValue(ctx, lineKey{}, l), l
}

type lineKey struct{}

// Call is a call that waits. Its methods are called by one goroutine at a time.
type Call interface {
	// Answer writes the answer, or the refusal. If there is none yet, and ring is not nil, it writes nothing, returns false and has ring called once there may
	// be one; ring does not block, and may be called before Answer returns.
	Answer(w http.ResponseWriter, ring func()) bool
	// Leave says that there will be no answer: ring is not to be called any more.
	Leave()
}

// Park lets a call wait in the Lot of its connection, at most for wait; its handler is to return. False if it cannot: then nothing has happened.
func Park(w http.ResponseWriter, r *http.Request, wait time.Duration, c Call) bool {
	line, ok := r.Context().Value(lineKey{}).(*Line)
	hj, can := w.(http.Hijacker)
	if !ok || !can || r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.Close {
		return false
	}
	_, rw, err := hj.Hijack()
	if err != nil {
		return false
	}
	if rw.Reader.Buffered() > 0 {
		_ = line.tls.Close()
		return true
	}
	if line.lot.enter(line.tls) {
		p := &waiter{Line: line, call: c, until: time.Now().Add(wait)} // room:clock how long a call waits
		p.out.Lock()                                                   // until pulse is set
		p.pulse = time.AfterFunc(spec.Beat, p.beat)                    // room:clock how often a sign of life is given
		p.out.Unlock()
		p.answer()
	}
	return true
}
