package node

import (
	"context"
	"crypto/tls"
	"errors"
	"syscall"
	"time"

	"edgeward"
	"edgeward/node/config"
)

// openGRPC binds the Open Inference Protocol's second address. Its default port taken leaves it off: the server is degraded
// and says so. An address somebody asked for is an error of the start. TLS is as for the page.
func (n *Node) openGRPC(ctx context.Context) error {
	addr := n.cfg.GRPC.Address
	if addr == config.Off {
		n.listeners.note("grpc", "", "off", "grpc.address is off")
		return nil
	}
	ln, err := n.o.Supervisor.Listen(ctx, "grpc", "tcp", addr)
	taken := errors.Is(err, syscall.EADDRINUSE)
	switch {
	case taken && n.o.Config.Source("grpc.address") == config.FromDefault:
		n.listeners.note("grpc", addr, "taken", "the default port is in use: gRPC is off")
		n.log.Warn("gRPC is off: its default port is in use", "address", addr)
		n.health.ReportCertain("grpc", edgeward.E("node", edgeward.Unavailable, "grpc.port_taken", "gRPC is off: %s is in use", addr).
			WithHint("set grpc.address to a free port, or to off"))
		return nil
	case taken:
		return edgeward.E("node.listen", edgeward.Conflict, "listen.in_use", "cannot listen on %s: %w", addr, err).WithHint("another server may run there; set grpc.address, or off")
	case err != nil:
		return edgeward.E("node.listen", edgeward.Invalid, "listen.failed", "cannot listen on %s: %w", addr, err).WithHint("set grpc.address to an address of this machine")
	}
	n.listeners.keep(ln)
	var conf *tls.Config
	note := "Open Inference Protocol over gRPC, plain on loopback"
	if !config.Loopback(addr) || n.cfg.TLS.CertFile != "" {
		if conf, err = n.certificate(); err != nil {
			return err
		}
		note = "Open Inference Protocol over gRPC with TLS"
	}
	n.grpc, n.grpcListener = n.api.GRPC(conf), ln
	n.listeners.note("grpc", ln.Addr().String(), "on", note)
	return nil
}

// GRPCAddress is where gRPC is answered, with the real port; "" when it is off.
func (n *Node) GRPCAddress() string {
	if n.grpcListener == nil {
		return ""
	}
	return n.grpcListener.Addr().String()
}

// runGRPC answers calls until ctx ends, then lets those under way end for a while.
func (n *Node) runGRPC(ctx context.Context) error {
	if n.grpc == nil {
		<-ctx.Done()
		return nil
	}
	ended := make(chan error, 1)
	go func() { ended <- n.grpc.Serve(n.grpcListener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	done, stop := context.WithTimeout(context.Background(), 3*time.Second)
	defer stop()
	n.grpc.Shutdown(done)
	return <-ended
}
