package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
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
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
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
	_ = os.Remove(path) // of a server that was killed; the store's lock says that no other one lives here
	dir, err := os.Open(n.cfg.DataDir)
	if err != nil {
		return edgeward.Wrap("node.listen", err)
	}
	defer dir.Close()
	// The kernel takes 107 bytes as the name of a socket: a longer path is bound through its folder's descriptor.
	ln, err := (&net.ListenConfig{}).Listen(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), SocketName))
	if err != nil {
		return edgeward.E("node.listen", edgeward.Invalid, "listen.socket", "cannot listen on %s: %w", path, err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
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
	plain := &http.Server{Handler: n.api, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	local := &http.Server{Handler: n.api, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ConnContext: api.Local}
	base, cancel := context.WithCancel(context.Background())
	defer cancel()
	failed := make(chan error, 2)
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
	done, stop := context.WithTimeout(context.Background(), 3*time.Second)
	defer stop()
	go func() { // live feeds would hold the shutdown for ever
		select {
		case <-time.After(300 * time.Millisecond):
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
