package node

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"edgeward"
	"edgeward/node/api"
	"edgeward/node/config"
)

// SocketName is the unix socket in the data directory: whoever may open it owns the server.
const SocketName = "edgeward.sock"

// listenHTTP binds the page's and API's address, and the socket. A taken HTTP address is an error: a server nobody can
// reach is not started.
func (n *Node) listenHTTP(ctx context.Context) error {
	addr := n.cfg.HTTP.Address
	ln, err := n.o.Supervisor.Listen(ctx, "http", "tcp", addr)
	if err != nil {
		e := edgeward.E("node.listen", edgeward.Conflict, "listen.in_use", "cannot listen on %s: %w", addr, err)
		if !errors.Is(err, syscall.EADDRINUSE) {
			e.Kind, e.Code = edgeward.Invalid, "listen.failed"
		}
		return e.WithHint("another server may run there; set http.address, for instance EDGEWARD_HTTP_ADDRESS=127.0.0.1:8090")
	}
	n.listeners.keep(ln)
	if config.Loopback(addr) && n.cfg.TLS.CertFile == "" {
		n.plain = ln
		n.listeners.note("http", ln.Addr().String(), "on", "web page and API, plain HTTP on loopback")
	} else {
		c, err := n.certificate()
		if err != nil {
			return err
		}
		n.plain, n.secure = tls.NewListener(ln, c), true
		n.listeners.note("https", ln.Addr().String(), "on", "web page and API over TLS")
	}
	n.listeners.note("s3", "", "off", "not in this version")
	if n.cfg.Gossip.Address == config.Off {
		n.listeners.note("gossip", "", "off", "gossip.address is off")
	}
	return n.listenSocket(ctx)
}

func (n *Node) listenSocket(ctx context.Context) error {
	path := n.dir(SocketName)
	ln, err := n.o.Supervisor.ListenUnix(ctx, "socket", path)
	if err != nil {
		return edgeward.E("node.listen", edgeward.Invalid, "listen.socket", "cannot listen on %s: %w", path, err)
	}
	n.listeners.keep(ln)
	if err := os.Chmod(path, 0o600); err != nil {
		return edgeward.Wrap("node.listen", err)
	}
	n.socket = ln
	n.listeners.note("socket", path, "on", "commands of this machine's administrator")
	return nil
}

// URL is where the page is, with the real port. A server that listens on every address is called by its host name.
func (n *Node) URL() string {
	scheme := "http://"
	if n.secure {
		scheme = "https://"
	}
	at := n.plain.Addr().String()
	if a, ok := n.plain.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		name, err := os.Hostname()
		if err != nil || name == "" {
			name = "localhost"
		}
		at = net.JoinHostPort(name, strconv.Itoa(a.Port))
	}
	return scheme + at
}

// MQTTAddress is the embedded broker's address; "" when it is off.
func (n *Node) MQTTAddress() string {
	if n.broker == nil {
		return ""
	}
	return n.broker.Addr()
}

// runHTTP answers requests until ctx ends, then lets those under way end for a while.
func (n *Node) runHTTP(ctx context.Context) error {
	last := &parting{next: n.api, over: make(chan struct{})}
	plain := &http.Server{Handler: last, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	local := &http.Server{Handler: last, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ConnContext: api.Local}
	base, cancel := context.WithCancel(context.Background())
	defer cancel()
	failed := make(chan error, 4)
	var wg sync.WaitGroup
	serve := func(s *http.Server, ln net.Listener) {
		if ln == nil {
			return
		}
		s.BaseContext = func(net.Listener) context.Context { return base }
		wg.Go(func() {
			if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		})
	}
	serve(plain, n.plain)
	serve(local, n.socket)
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	patience, feeds := 3*time.Second, 300*time.Millisecond
	if n.o.Supervisor != nil { // another process answers next: nobody is to notice
		patience, feeds = takingLeave, takingLeave
		close(last.over)
		_ = n.plain.Close() // who comes now waits for the next process
		if n.socket != nil {
			_ = n.socket.Close()
		}
		time.Sleep(farewell)
	}
	done, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	go func() { // live feeds would hold the shutdown for ever
		select {
		case <-time.After(feeds):
			cancel()
		case <-done.Done():
		}
	}()
	_ = plain.Shutdown(done)
	_ = local.Shutdown(done)
	_ = plain.Close()
	_ = local.Close()
	wg.Wait()
	return err
}

// A server that makes room for another lets requests under way take this long, and for this long it tells clients that keep their
// connection to make a new one, before it closes those that say nothing.
const (
	takingLeave = 30 * time.Second
	farewell    = 700 * time.Millisecond
)

// parting answers as next does. Once over is closed each answer is the last of its connection, and live feeds end: their clients come back.
type parting struct {
	next http.Handler
	over chan struct{}
}

func (p *parting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-p.over:
		w.Header().Set("Connection", "close")
	default:
	}
	if r.Method == http.MethodGet && r.URL.Path == "/api/v1/events" {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		ended := make(chan struct{})
		defer close(ended)
		go func() {
			select {
			case <-p.over:
				cancel()
			case <-ended:
			}
		}()
		r = r.WithContext(ctx)
	}
	p.next.ServeHTTP(w, r)
}
