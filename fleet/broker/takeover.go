package broker

import (
	"log/slog"
	"sync"
	"time"

	server "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// relay mends two faults of the broker library by which it loses acknowledged messages in a running broker:
//
// While a persistent session passes from an old connection to a new one, what is published in between is queued for the
// old one only. relay queues it for the new one; a copy may then come twice, which at QoS 1 is allowed.
//
// When more messages are on their way to a client than its quota, the rest is sent later and forgotten before its
// acknowledgement; looking for that rest takes a read lock twice, which can stop the broker for good. relay takes the
// quota away, so that this never runs. The bound on messages per client stays.
type relay struct {
	server.HookBase
	s      *server.Server
	keeper *keeper // nil when nothing is kept
	log    *slog.Logger

	mu   sync.Mutex
	wg   sync.WaitGroup
	done chan struct{} // closed by stop
}

const handOver = 2 * time.Second // how long a new connection may take to appear

// ID implements server.Hook.
func (r *relay) ID() string { return "relay" }

// Provides implements server.Hook.
func (r *relay) Provides(b byte) bool {
	return b == server.OnQosPublish || b == server.OnSessionEstablished
}

// OnSessionEstablished comes before the first packet of the client is read.
func (r *relay) OnSessionEstablished(cl *server.Client, _ packets.Packet) {
	cl.State.Inflight.ResetSendQuota(0)
}

// OnQosPublish comes after the message was queued for cl. If another connection has taken the session by now, the
// message may have missed the handing over.
func (r *relay) OnQosPublish(cl *server.Client, pk packets.Packet, _ int64, _ int) {
	if pk.FixedHeader.Type != packets.Publish || !cl.IsTakenOver() || passing(cl) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.done:
	default:
		r.wg.Go(func() { r.deliver(cl, pk) })
	}
}

// deliver queues pk for the connection that follows old, once it is there.
func (r *relay) deliver(old *server.Client, pk packets.Packet) {
	limit := time.NewTimer(handOver)
	defer limit.Stop()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		if next, ok := r.s.Clients.Get(old.ID); ok && next != old {
			if passing(next) || r.queue(next, pk) {
				return // a session that began anew gets nothing of the old one
			}
			old = next // taken over again meanwhile
		}
		select {
		case <-look.C:
		case <-limit.C:
			r.log.Warn("the MQTT broker lost a message while a session changed its connection", "client", old.ID, "topic", pk.TopicName)
			return
		case <-r.done:
			return
		}
	}
}

// queue gives pk to cl under a number of its own. It reports whether cl still had the session after that.
func (r *relay) queue(cl *server.Client, pk packets.Packet) bool {
	id, err := cl.NextPacketID()
	if err != nil {
		r.log.Warn("the MQTT broker dropped a message: too many wait for the client", "client", cl.ID, "topic", pk.TopicName)
		return true
	}
	pk.PacketID = uint16(id)
	cl.State.Inflight.Set(pk)
	if cl.IsTakenOver() {
		return false
	}
	if r.keeper != nil {
		r.keeper.OnQosPublish(cl, pk, pk.Created, 0)
	}
	_ = cl.WritePacket(pk) // what cannot be written now stays queued
	return true
}

// stop ends all deliveries and waits for them.
func (r *relay) stop() {
	r.mu.Lock()
	close(r.done)
	r.mu.Unlock()
	r.wg.Wait()
}
