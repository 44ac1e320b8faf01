package store

import (
	"context"
	"time"

	"edgeward"
)

// MaxOutbox is how many messages may wait for the broker. When it is reached, Send fails with Exhausted "outbox.full":
// a broker that is away for months must not fill the disk of a node that works.
const MaxOutbox = 100_000

// Message is one message that must reach the broker at least once.
type Message struct {
	ID      string    `json:"id"` // ULID: messages leave in its order
	Topic   string    `json:"topic"`
	Payload []byte    `json:"payload"`
	QoS     byte      `json:"qos"`
	Retain  bool      `json:"retain,omitempty"`
	Key     string    `json:"key,omitempty"` // natural key, for receivers
	At      time.Time `json:"at"`
}

var outbox = Collection[Message]{
	Noun: "message", Bucket: "outbox", Schema: 1, Quiet: true,
	Key: func(m *Message) (string, string) { return "", m.ID },
}

// Send puts m in the outbox: it leaves if and only if this transaction commits.
func (tx *Tx) Send(m Message) error {
	n := tx.bolt.Bucket([]byte(outbox.Bucket)).Stats().KeyN
	if n >= MaxOutbox {
		return edgeward.E("store.Send", edgeward.Exhausted, "outbox.full", "%d messages wait for the broker", n).
			WithHint("check the MQTT broker; the oldest messages are kept")
	}
	return outbox.Create(tx, m)
}

// Append puts one message in the outbox in a transaction of its own.
func (db *DB) Append(ctx context.Context, m Message) error {
	return db.Update(ctx, func(tx *Tx) error { return tx.Send(m) })
}

// Next returns at most n messages, the oldest first.
func (db *DB) Next(ctx context.Context, n int) (ms []Message, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		ms, _, err = outbox.List(tx, "", Page{Limit: n})
		return err
	})
	return ms, err
}

// Done removes messages the broker acknowledged. An id that is not there is fine: Done may be repeated.
func (db *DB) Done(ctx context.Context, ids []string) error {
	return db.Update(ctx, func(tx *Tx) error {
		for _, id := range ids {
			if err := outbox.Delete(tx, "", id); err != nil && edgeward.KindOf(err) != edgeward.NotFound {
				return err
			}
		}
		return nil
	})
}
