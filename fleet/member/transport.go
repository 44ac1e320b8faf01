package member

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// transport is memberlist's way to the others, over what Options give.
type transport struct {
	o       Options
	packets chan *memberlist.Packet
	streams chan net.Conn
	ctx     context.Context // of dials; ends with Shutdown
	cancel  context.CancelFunc
	readers sync.WaitGroup
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

func newTransport(o Options) *transport {
	t := &transport{o: o, packets: make(chan *memberlist.Packet, 64), streams: make(chan net.Conn)}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.readers.Go(t.read)
	t.readers.Go(t.accept)
	return t
}

func (t *transport) read() {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := t.o.Packets.ReadFrom(buf)
		if err != nil {
			if t.stopped() {
				return
			}
			continue
		}
		p := &memberlist.Packet{Buf: append([]byte(nil), buf[:n]...), From: from, Timestamp: time.Now()} // room:clock round trips
		select {
		case t.packets <- p:
		case <-t.ctx.Done():
			return
		}
	}
}

func (t *transport) accept() {
	for {
		c, err := t.o.Streams.Accept()
		if err != nil {
			if t.stopped() {
				return
			}
			continue
		}
		select {
		case t.streams <- c:
		case <-t.ctx.Done():
			c.Close()
			return
		}
	}
}

// stopped waits a moment after an error, and reports whether it was the last.
func (t *transport) stopped() bool {
	select {
	case <-t.ctx.Done():
		return true
	case <-time.After(100 * time.Millisecond): // room:clock after an error of a socket
		return false
	}
}

func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.o.Address.Addr().Unmap().AsSlice(), int(t.o.Address.Port()), nil
}

func (t *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	to, err := netip.ParseAddrPort(addr)
	if err == nil {
		_, err = t.o.Packets.WriteTo(b, net.UDPAddrFromAddrPort(to))
	}
	return time.Now(), err // room:clock round trips
}

func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, a.Addr)
}

func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	defer cancel()
	return t.o.Dial(ctx, a.Name, a.Addr)
}

func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }
func (t *transport) StreamCh() <-chan net.Conn           { return t.streams }

// Shutdown implements memberlist.Transport.
func (t *transport) Shutdown() error {
	t.cancel()
	t.o.Packets.Close()
	t.o.Streams.Close()
	return nil
}

func (t *transport) wait() { t.readers.Wait() }
