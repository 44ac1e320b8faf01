package broker

import (
	"fmt"
	"slices"
	"strings"

	server "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/storage"
	"github.com/mochi-mqtt/server/v2/packets"
)

// keeper notes in the state what must survive a restart. Keys (client ids are quoted, so they cannot run into the rest):
//
//	c/<client>            a persistent session
//	s/<client>/<filter>   a subscription of one
//	q/<client>/<packet>   a message queued or sent, not acknowledged by the client
//	r/<topic>             a retained message
//
// Sessions that end with their connection leave nothing here.
type keeper struct {
	server.HookBase
	state *state
}

// ID implements server.Hook.
func (k *keeper) ID() string { return "keeper" }

var kept = []byte{server.OnPublish, server.OnSessionEstablished, server.OnDisconnect, server.OnClientExpired, server.OnSubscribed,
	server.OnUnsubscribed, server.OnRetainMessage, server.OnRetainedExpired, server.OnQosPublish, server.OnQosComplete,
	server.OnQosDropped, server.StoredClients, server.StoredSubscriptions, server.StoredInflightMessages, server.StoredRetainedMessages}

// Provides implements server.Hook.
func (k *keeper) Provides(b byte) bool { return slices.Contains(kept, b) }

func clientKey(cl *server.Client) string { return fmt.Sprintf("c/%q", cl.ID) }
func subscriptionKey(cl *server.Client, filter string) string {
	return fmt.Sprintf("s/%q/%s", cl.ID, filter)
}
func queuedKey(cl *server.Client, pk packets.Packet) string {
	return fmt.Sprintf("q/%q/%d", cl.ID, pk.PacketID)
}

// passing reports that a session ends with its connection.
func passing(cl *server.Client) bool {
	if cl.Properties.ProtocolVersion == 5 {
		return cl.Properties.Props.SessionExpiryInterval == 0
	}
	return cl.Properties.Clean
}

// OnPublish refuses to take a message that could not be kept: no acknowledgement, and the connection ends.
func (k *keeper) OnPublish(cl *server.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Qos == 0 && !pk.FixedHeader.Retain || k.state.healthy() {
		return pk, nil
	}
	cl.Stop(packets.ErrServerBusy)
	return pk, packets.ErrRejectPacket
}

// OnSessionEstablished stores a persistent session, or removes what an earlier one of that name left.
func (k *keeper) OnSessionEstablished(cl *server.Client, _ packets.Packet) {
	if passing(cl) {
		k.OnClientExpired(cl)
		return
	}
	p := cl.Properties.Props
	k.state.put(clientKey(cl), storage.Client{ID: cl.ID, T: storage.ClientKey, Listener: cl.Net.Listener, Username: cl.Properties.Username,
		Clean: cl.Properties.Clean, ProtocolVersion: cl.Properties.ProtocolVersion,
		Properties: storage.ClientProperties{SessionExpiryInterval: p.SessionExpiryInterval, SessionExpiryIntervalFlag: p.SessionExpiryIntervalFlag,
			ReceiveMaximum: p.ReceiveMaximum, TopicAliasMaximum: p.TopicAliasMaximum, MaximumPacketSize: p.MaximumPacketSize}})
}

// OnDisconnect removes a session that ends with its connection.
func (k *keeper) OnDisconnect(cl *server.Client, _ error, expire bool) {
	if expire && !cl.IsTakenOver() {
		k.state.put(clientKey(cl), nil)
	}
}

// OnClientExpired removes a session whose client stayed away too long, with all that belongs to it.
func (k *keeper) OnClientExpired(cl *server.Client) {
	if k.known(cl.ID) {
		k.state.put(clientKey(cl), nil)
		k.state.drop(subscriptionKey(cl, ""), fmt.Sprintf("q/%q/", cl.ID))
	}
}

// OnSubscribed stores what was granted.
func (k *keeper) OnSubscribed(cl *server.Client, pk packets.Packet, codes []byte) {
	if passing(cl) {
		return
	}
	for i, f := range pk.Filters {
		if i < len(codes) && codes[i] <= 2 {
			k.state.put(subscriptionKey(cl, f.Filter), storage.Subscription{T: storage.SubscriptionKey, Client: cl.ID, Filter: f.Filter, Qos: codes[i],
				Identifier: f.Identifier, NoLocal: f.NoLocal, RetainHandling: f.RetainHandling, RetainAsPublished: f.RetainAsPublished})
		}
	}
}

// OnUnsubscribed removes subscriptions.
func (k *keeper) OnUnsubscribed(cl *server.Client, pk packets.Packet) {
	for _, f := range pk.Filters {
		k.state.put(subscriptionKey(cl, f.Filter), nil)
	}
}

// OnRetainMessage stores or removes the message kept for a topic.
func (k *keeper) OnRetainMessage(cl *server.Client, pk packets.Packet, _ int64) {
	if len(pk.Payload) == 0 {
		k.OnRetainedExpired(pk.TopicName)
		return
	}
	k.state.put("r/"+pk.TopicName, message(cl, pk, storage.RetainedKey))
}

// OnRetainedExpired removes the message kept for a topic.
func (k *keeper) OnRetainedExpired(topic string) { k.state.put("r/"+topic, nil) }

// OnQosPublish stores a message that a client has to acknowledge. Our own acknowledgements pass here too: they are not
// kept. Nor is what was queued for a connection that has lost its session: relay gives it a new number.
func (k *keeper) OnQosPublish(cl *server.Client, pk packets.Packet, _ int64, _ int) {
	if pk.FixedHeader.Type == packets.Publish && !passing(cl) && !cl.IsTakenOver() {
		k.state.put(queuedKey(cl, pk), message(cl, pk, storage.InflightKey))
	}
}

// OnQosComplete removes an acknowledged message.
func (k *keeper) OnQosComplete(cl *server.Client, pk packets.Packet) {
	k.state.put(queuedKey(cl, pk), nil)
}

// OnQosDropped removes a given up message. When another connection took the session over, the message goes on there.
func (k *keeper) OnQosDropped(cl *server.Client, pk packets.Packet) {
	if !cl.IsTakenOver() {
		k.OnQosComplete(cl, pk)
	}
}

// StoredClients implements server.Hook.
func (k *keeper) StoredClients() ([]storage.Client, error) {
	return each[storage.Client](k.state, "c/")
}

// StoredSubscriptions leaves out those whose session is gone.
func (k *keeper) StoredSubscriptions() ([]storage.Subscription, error) {
	subs, err := each[storage.Subscription](k.state, "s/")
	return slices.DeleteFunc(subs, func(s storage.Subscription) bool { return !k.known(s.Client) }), err
}

// StoredInflightMessages leaves out those whose session is gone.
func (k *keeper) StoredInflightMessages() ([]storage.Message, error) {
	msgs, err := each[storage.Message](k.state, "q/")
	return slices.DeleteFunc(msgs, func(m storage.Message) bool { return !k.known(m.Client) }), err
}

// StoredRetainedMessages implements server.Hook.
func (k *keeper) StoredRetainedMessages() ([]storage.Message, error) {
	return each[storage.Message](k.state, "r/")
}

func (k *keeper) known(client string) bool {
	k.state.mu.Lock()
	defer k.state.mu.Unlock()
	return k.state.live[fmt.Sprintf("c/%q", client)] != nil
}

func message(cl *server.Client, pk packets.Packet, kind string) storage.Message {
	p := pk.Properties
	return storage.Message{T: kind, Client: cl.ID, Origin: pk.Origin, FixedHeader: pk.FixedHeader, TopicName: strings.Clone(pk.TopicName),
		Payload: pk.Payload, Created: pk.Created, PacketID: pk.PacketID,
		Properties: storage.MessageProperties{PayloadFormat: p.PayloadFormat, PayloadFormatFlag: p.PayloadFormatFlag,
			MessageExpiryInterval: p.MessageExpiryInterval, ContentType: p.ContentType, ResponseTopic: p.ResponseTopic,
			CorrelationData: p.CorrelationData, SubscriptionIdentifier: p.SubscriptionIdentifier, User: p.User}}
}
