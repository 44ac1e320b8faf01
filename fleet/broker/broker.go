// Package broker is the embedded MQTT broker, for sites that have none. It is the only user of the broker library. It
// knows nothing of what the topics mean.
//
// It listens on loopback unless told otherwise, and on any other address only with a user name and password. Clients
// speak MQTT 3.1, 3.1.1 or 5; the Receive Maximum of an MQTT 5 client is not honoured (takeover.go says why).
//
// With a directory, retained messages, the sessions of clients that asked for a persistent one, and the messages queued
// for them survive a restart: kill -9 loses at most a message between its acknowledgement and its queueing, a power cut
// besides that what was written in the last 200 ms. Publishers cannot see such a loss; fleet/mqtt counts it. When the
// directory takes no more writes, publishers are disconnected without an acknowledgement, so that they keep what they have.
// Without a directory nothing survives.
//
// Retained messages never expire. A session is dropped after SessionExpiry without its client. At most 8,192 messages are
// queued for one client; more are dropped and counted.
package broker

import (
	"bytes"
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	server "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"edgeward"
	"edgeward/runtime/vault"
)

const (
	maxPacket  = 1 << 20
	maxClients = 1000
	// SessionExpiry is how long a persistent session outlives its last connection.
	SessionExpiry = 14 * 24 * time.Hour
)

// Options say where the broker listens and who may come. Now is required.
type Options struct {
	Addr     string // default "127.0.0.1:1883"; port 0 takes a free one
	Username string // empty: anybody who can connect
	Password string
	TLS      *tls.Config // nil: plain
	Dir      string      // see the package comment
	Keys     *vault.Ring // what the state in Dir is encrypted with; nil: it is not
	Now      func() time.Time
	Log      *slog.Logger // default: discard

	Listen func(ctx context.Context, network, address string) (net.Listener, error) // default: net's
}

// Status is what the broker knows about itself. The counts are since its start.
type Status struct {
	Addr     string
	Clients  int    // connected
	Retained int    // messages
	Dropped  uint64 // messages not queued because their client was too far behind
}

// Broker is a bound, not yet running broker.
type Broker struct {
	o  Options
	ln net.Listener
	s  *server.Server
	st *state // nil without Dir
	r  *relay

	closing  sync.Once
	closeErr error
}

// Listen binds the address, so that a taken one is known at once: Conflict "listen.in_use". An address other than
// loopback without a password is Invalid "broker.open". Close or Run releases it.
func Listen(o Options) (*Broker, error) {
	const op = "broker.Listen"
	if o.Addr == "" {
		o.Addr = "127.0.0.1:1883"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a, err := net.ResolveTCPAddr("tcp", o.Addr)
	if err != nil {
		return nil, edgeward.E(op, edgeward.Invalid, "listen.address", "%w", err).WithHint("write the address as host:port")
	}
	if !a.IP.IsLoopback() && (o.Username == "" || o.Password == "") {
		return nil, edgeward.E(op, edgeward.Invalid, "broker.open", "%s can be reached from the network and there is no password", o.Addr).
			WithHint("set a user name and a password for the embedded MQTT broker, or let it listen on 127.0.0.1")
	}
	listen := o.Listen
	if listen == nil {
		listen = (&net.ListenConfig{}).Listen
	}
	ln, err := listen(context.Background(), "tcp", a.String())
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, edgeward.E(op, edgeward.Conflict, "listen.in_use", "%w", err).
				With("address", o.Addr).WithHint("another program listens on %s: stop it, or choose another port for the MQTT broker", o.Addr)
		}
		return nil, edgeward.Wrap(op, err)
	}
	b := &Broker{o: o, ln: ln}
	if o.TLS != nil {
		b.ln = tls.NewListener(ln, o.TLS)
	}
	if err := b.build(); err != nil {
		ln.Close()
		return nil, edgeward.Wrap(op, err)
	}
	return b, nil
}

// build assembles the server.
func (b *Broker) build() error {
	caps := server.NewDefaultServerCapabilities()
	caps.MaximumMessageExpiryInterval = 0 // the default removes retained messages after a day
	caps.MaximumSessionExpiryInterval = uint32(SessionExpiry / time.Second)
	caps.MaximumPacketSize = maxPacket
	caps.MaximumClients = maxClients
	b.s = server.New(&server.Options{
		Capabilities:           caps,
		SysTopicResendInterval: 60,
		Logger:                 slog.New(slog.DiscardHandler), // it reports each disconnect as a warning
	})
	if err := b.s.AddHook(&gate{user: []byte(b.o.Username), password: []byte(b.o.Password)}, nil); err != nil {
		return err
	}
	b.r = &relay{s: b.s, log: b.o.Log, done: make(chan struct{})}
	if err := b.s.AddHook(b.r, nil); err != nil {
		return err
	}
	if b.o.Dir != "" {
		st, err := openState(b.o.Dir, b.o.Keys, b.o.Now, b.o.Log)
		if err != nil {
			return err
		}
		b.st = st
		b.r.keeper = &keeper{state: st}
		if err := b.s.AddHook(b.r.keeper, nil); err != nil {
			return errors.Join(err, st.close())
		}
	}
	return b.s.AddListener(listeners.NewNet("tcp", b.ln))
}

// Addr is the bound address, with the port that was taken.
func (b *Broker) Addr() string { return b.ln.Addr().String() }

// Status tells how things stand.
func (b *Broker) Status() Status {
	return Status{
		Addr:     b.Addr(),
		Clients:  int(atomic.LoadInt64(&b.s.Info.ClientsConnected)),
		Retained: b.s.Topics.Retained.Len(),
		Dropped:  uint64(atomic.LoadInt64(&b.s.Info.MessagesDropped) + atomic.LoadInt64(&b.s.Info.InflightDropped)),
	}
}

// Run serves until ctx ends, disconnects everybody and returns nil. It returns early with an error when the directory
// fails for good. It may be called once.
func (b *Broker) Run(ctx context.Context) error {
	if err := b.s.Serve(); err != nil {
		return errors.Join(edgeward.Wrap("broker.Run", err), b.Close())
	}
	b.o.Log.Info("MQTT broker listens", "address", b.Addr())
	var err error
	if b.st != nil {
		err = b.st.run(ctx)
	} else {
		<-ctx.Done()
	}
	return errors.Join(err, b.Close())
}

// Close ends what Listen began. After Run it does nothing new.
func (b *Broker) Close() error {
	b.closing.Do(func() {
		err := b.s.Close()
		b.r.stop()
		if b.st != nil {
			err = errors.Join(err, b.st.close())
		}
		if cerr := b.ln.Close(); !errors.Is(cerr, net.ErrClosed) {
			err = errors.Join(err, cerr)
		}
		b.closeErr = edgeward.Wrap("broker.Close", err)
	})
	return b.closeErr
}

// gate lets clients in and keeps the broker's own topics to itself.
type gate struct {
	server.HookBase
	user, password []byte
}

// ID implements server.Hook.
func (g *gate) ID() string { return "gate" }

// Provides implements server.Hook.
func (g *gate) Provides(b byte) bool {
	return b == server.OnConnectAuthenticate || b == server.OnACLCheck
}

// OnConnectAuthenticate compares in constant time.
func (g *gate) OnConnectAuthenticate(_ *server.Client, pk packets.Packet) bool {
	if len(g.user) == 0 {
		return true
	}
	return subtle.ConstantTimeCompare(g.user, pk.Connect.Username)&subtle.ConstantTimeCompare(g.password, pk.Connect.Password) == 1
}

// OnACLCheck allows everything but writing to $SYS.
func (g *gate) OnACLCheck(_ *server.Client, topic string, write bool) bool {
	return !write || !bytes.HasPrefix([]byte(topic), []byte("$"))
}
