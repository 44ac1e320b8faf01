package longpoll

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// Line is what is below a connection's TLS.
type Line struct {
	net.Conn
	Value any // of who serves the connection; here it stays with it

	lot   *Lot
	tls   *tls.Conn
	free  func() // gives back what its request takes
	first [1]byte
	heard bool // first was read, and nobody has taken it yet
}

// Read implements net.Conn.
func (l *Line) Read(p []byte) (int, error) {
	if !l.heard || len(p) == 0 {
		return l.Conn.Read(p)
	}
	l.heard = false
	p[0] = l.first[0]
	return 1, nil
}

// hear waits until the other end says something, or the read deadline. TLS is not asked: that would take twice the stack.
func (l *Line) hear() error {
	n, err := l.Conn.Read(l.first[:])
	if l.heard = n > 0; l.heard {
		return nil
	}
	return err
}

// greet makes the handshake, on a goroutine that ends with it: it takes much stack.
func (l *Line) greet() {
	free, ok := l.lot.take(l.lot.handshakes, brief)
	if !ok {
		_ = l.Conn.Close()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), Slow)
	defer cancel()
	err := l.tls.HandshakeContext(ctx)
	free()
	if err != nil {
		if e, ok := errors.AsType[tls.RecordHeaderError](err); ok && e.Conn != nil {
			_ = l.Conn.SetWriteDeadline(time.Now().Add(brief)) // room:clock how long a caller may take
			_, _ = io.WriteString(l.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nhere TLS is spoken\n")
		}
		_ = l.Conn.Close()
		return
	}
	go l.hand() // and not by hear: TLS may have read the first request together with the end of the handshake
}

// next waits for the next request, and hands the connection on. TLS has read nothing more than what was answered.
func (l *Line) next() {
	if l.hear() != nil {
		go l.lot.end(l.tls)
		return
	}
	_ = l.Conn.SetReadDeadline(time.Time{})
	l.lot.leave(l.tls)
	l.hand()
}

// hand hands the connection on, when its turn is.
func (l *Line) hand() {
	var ok bool
	if l.free, ok = l.lot.take(l.lot.requests, turn); !ok {
		_ = l.Conn.Close()
		return
	}
	select {
	case l.lot.ready <- accepted{conn: l.tls}:
	case <-l.lot.done:
		_ = l.Conn.Close()
	}
}

// Turn is for http.Server.ConnState: a connection whose call waits, or that ended, makes room for others. One that answered may bring another request before its call waits.
func Turn(c net.Conn, s http.ConnState) {
	if t, ok := c.(*tls.Conn); ok && (s == http.StateHijacked || s == http.StateClosed) {
		if l, ok := t.NetConn().(*Line); ok {
			l.free()
		}
	}
}
