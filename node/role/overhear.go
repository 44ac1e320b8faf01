package role

import (
	"context"
	"time"

	"edgeward/fleet/mqtt"
	"edgeward/fleet/outbox"
)

// overheard are the topics a hub listens to: alerts and drift, no predictions.
var overheard = []string{"edgeward/v1/+/+/drift/+", "edgeward/v1/+/+/event/+"}

// Overhear lets the hub count what a broker brings of its nodes' messages, whichever brokers it came over; each is counted once, with what
// came over HTTPS. It waits until there is a fleet, and ends with ctx.
func (r *Role) Overhear(ctx context.Context, o mqtt.Options) error {
	for r.hub.Fleet().ID == "" {
		if pause(ctx, 5*time.Second); ctx.Err() != nil {
			return nil
		}
	}
	o.ClientID += "-hub"
	return mqtt.Watch(ctx, mqtt.WatchOptions{Options: o, Filters: overheard, Persistent: true}, func(ctx context.Context, m mqtt.Received) error {
		topic, err := mqtt.ParseTopic(m.Topic)
		if err != nil || m.Key == "" {
			return nil // not ours: nothing would change if it came again
		}
		e, ok := outbox.Message(m.Schema, m.Key, m.Payload)
		if !ok {
			return nil
		}
		return r.hub.Overhear(ctx, topic.Node, e)
	})
}
