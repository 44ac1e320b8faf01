package oipgrpc

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"edgeward"
	"edgeward/node/api/oip"
	"edgeward/node/auth"
)

// Bounds of a connection.
const (
	MaxStreams = 256      // calls at once
	MaxHeader  = 64 << 10 // bytes of metadata
)

// Guard says who asks, or why they may not: Unauthenticated or Forbidden. bearer and group may be empty.
type Guard func(ctx context.Context, bearer, group string, verb auth.Verb, resource auth.Resource) (auth.Principal, error)

// Config is what a Server is made of. TLS may be nil: plain HTTP/2.
type Config struct {
	Service *oip.Service
	Guard   Guard
	TLS     *tls.Config
	Log     *slog.Logger

	Access   *slog.Logger                                                              // takes a line for each call; nil: none
	Incoming func(ctx context.Context, traceparent, tracestate string) context.Context // takes a caller's trace context; nil: it is not looked at
}

// Server answers gRPC on listeners. Make it with New.
type Server struct {
	Config
	grpc     *grpc.Server
	watchers atomic.Int64  // of health
	ending   chan struct{} // closed by Shutdown
	end      func()
}

// New returns a Server that does not listen yet.
func New(c Config) *Server {
	o := []grpc.ServerOption{
		grpc.ForceServerCodecV2(codec{}), grpc.MaxRecvMsgSize(int(c.Service.MaxBody)), grpc.MaxConcurrentStreams(MaxStreams), grpc.MaxHeaderListSize(MaxHeader),
		grpc.ConnectionTimeout(10 * time.Second), grpc.SharedWriteBuffer(true),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: 15 * time.Minute, Time: 2 * time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	}
	if c.TLS != nil {
		o = append(o, grpc.Creds(credentials.NewTLS(c.TLS)))
	}
	s := &Server{Config: c, grpc: grpc.NewServer(o...), ending: make(chan struct{})}
	s.end = sync.OnceFunc(func() { close(s.ending) })
	services := map[string]*grpc.ServiceDesc{}
	for _, m := range s.methods() {
		d := services[m.service]
		if d == nil {
			d = &grpc.ServiceDesc{ServiceName: m.service, Metadata: "oip.proto"}
			services[m.service] = d
		}
		// Every method is a stream to the library: so that its guard comes before its message is read.
		d.Streams = append(d.Streams, grpc.StreamDesc{StreamName: m.name, ClientStreams: m.stream, ServerStreams: m.stream,
			Handler: func(_ any, ss grpc.ServerStream) error { return s.handle(m, ss) }})
	}
	for _, d := range services {
		s.grpc.RegisterService(d, nil)
	}
	return s
}

// Serve answers on ln until Shutdown, and then returns nil.
func (s *Server) Serve(ln net.Listener) error {
	if err := s.grpc.Serve(ln); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return edgeward.Wrap("oipgrpc.Serve", err)
	}
	return nil
}

// Shutdown refuses new calls and waits for those under way until ctx ends, then cuts them.
func (s *Server) Shutdown(ctx context.Context) {
	s.end()
	done := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
	}
}

// handle answers one call.
func (s *Server) handle(m method, ss grpc.ServerStream) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.Log.Error("handler panicked", "method", m.name, "panic", p, "stack", string(debug.Stack()))
			err = s.fail(ss, m.name, errors.New("panic"))
		}
	}()
	if s.Incoming != nil {
		ss = within{ss, s.Incoming(ss.Context(), one(ss.Context(), "traceparent"), one(ss.Context(), "tracestate"))}
	}
	began := time.Now()
	p, err := s.who(ss.Context(), m)
	if s.Access != nil {
		defer func() {
			from, _ := peer.FromContext(ss.Context())
			s.Access.LogAttrs(ss.Context(), slog.LevelInfo, "call", slog.String("method", m.name), slog.String("code", status.Code(err).String()), slog.Int64("us", time.Since(began).Microseconds()),
				slog.String("remote", from.Addr.String()), slog.String("principal", p.Ref()), slog.String("group", p.Team))
		}()
	}
	if err == nil {
		err = m.serve(ss, p)
	}
	if own, ok := err.(sent); ok {
		return own.error
	}
	if err != nil {
		return s.fail(ss, m.name, err)
	}
	return nil
}

// who asks the guard whether who calls may call m. Public methods are anybody's.
func (s *Server) who(ctx context.Context, m method) (auth.Principal, error) {
	if m.verb == "" {
		return auth.Principal{}, nil
	}
	bearer, ok := strings.CutPrefix(one(ctx, "authorization"), "Bearer ")
	if !ok {
		bearer = ""
	}
	return s.Guard(ctx, bearer, one(ctx, "edgeward-group"), m.verb, m.resource)
}

// one is the value of a key of the call's metadata; two of them are none.
func one(ctx context.Context, key string) string {
	if v := metadata.ValueFromIncomingContext(ctx, key); len(v) == 1 {
		return strings.TrimSpace(v[0]) // perf_analyzer sends the blank after the colon too
	}
	return ""
}

// within is a call with another context.
type within struct {
	grpc.ServerStream
	ctx context.Context
}

func (w within) Context() context.Context { return w.ctx }

// sent is an error that gRPC itself has answered: a message over the bound, of an unknown compression, cut off.
type sent struct{ error }

// receive reads one message. io.EOF says that the client sends no more.
func (s *Server) receive(ss grpc.ServerStream, m any) error {
	got := make(chan error, 1)
	go func() { got <- ss.RecvMsg(m) }()
	slow := time.NewTimer(s.Service.BodyTimeout)
	defer slow.Stop()
	select {
	case err := <-got:
		if err != nil && !errors.Is(err, io.EOF) {
			return sent{err}
		}
		return err
	case <-slow.C:
		return edgeward.E("oipgrpc.receive", edgeward.Invalid, "request.slow", "the message did not arrive within %v", s.Service.BodyTimeout).
			WithHint("send the whole message at once")
	}
}
