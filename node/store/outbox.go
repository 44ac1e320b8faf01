package store

import (
	"context"
	"encoding/binary"
	"encoding/json"

	"edgeward"
	"edgeward/fleet/mqtt"
	"edgeward/node/monitor"
)

// MaxOutbox is how many messages may wait for the broker. When it is reached, Send fails with Exhausted "outbox.full":
// a broker that is away for years must not fill the disk of a node that works.
const MaxOutbox = 100_000

const bucketOutbox = "outbox"

// outboxCount is kept in meta: what was ever queued, and what waits. So an id is never used twice.
type outboxCount struct {
	Last    uint64 `json:"last"`
	Waiting int    `json:"waiting"`
}

type queued struct {
	Topic    string `json:"topic"`
	Key      string `json:"key"`
	Payload  []byte `json:"payload"`
	Retained bool   `json:"retained,omitempty"`
}

// Outgoing is a message as its maker sees it: the store gives it the next number and puts the header before Body.
type Outgoing struct {
	Topic    string
	Schema   string // "edgeward.drift/1"
	Key      string // natural key
	Body     []byte // JSON object without schema, seq and key
	Retained bool
}

var _ mqtt.Outbox = (*DB)(nil)

// Send puts o in the outbox and returns its number: it leaves if and only if this transaction commits. Errors: Invalid
// for what no broker would take, Exhausted "outbox.full".
func (tx *Tx) Send(o Outgoing) (uint64, error) {
	count, err := tx.outboxCount()
	if err != nil {
		return 0, err
	}
	if count.Waiting >= MaxOutbox {
		return 0, edgeward.E("store.Send", edgeward.Exhausted, "outbox.full", "%d messages wait for the broker", count.Waiting).
			WithHint("check the MQTT broker; what waits is kept")
	}
	id := count.Last + 1
	payload, err := mqtt.Envelope(mqtt.Header{Schema: o.Schema, Seq: id, Key: o.Key}, o.Body)
	if err != nil {
		return 0, err
	}
	return id, tx.enqueue(id, count, mqtt.Message{Topic: o.Topic, Key: o.Key, Payload: payload, Retained: o.Retained})
}

// queue sends what the monitor has to say.
func (tx *Tx) queue(m monitor.Message) error {
	if _, err := tx.Send(Outgoing(m)); err != nil {
		return err
	}
	return tx.tellHub(m)
}

// Append puts a message with its payload complete in the outbox, in a transaction of its own, and returns its number.
func (db *DB) Append(ctx context.Context, m mqtt.Message) (id uint64, err error) {
	err = db.Update(ctx, func(tx *Tx) error {
		count, err := tx.outboxCount()
		if err != nil {
			return err
		}
		id = count.Last + 1
		return tx.enqueue(id, count, m)
	})
	return id, err
}

func (tx *Tx) enqueue(id uint64, count outboxCount, m mqtt.Message) error {
	if err := m.Check(); err != nil {
		return err
	}
	data, err := json.Marshal(queued{m.Topic, m.Key, m.Payload, m.Retained})
	if err != nil {
		return edgeward.Wrap("store.Send", err)
	}
	if err := tx.put(bucketOutbox, seqKey(id), 1, data); err != nil {
		return err
	}
	return tx.setOutboxCount(outboxCount{Last: id, Waiting: count.Waiting + 1})
}

// Next returns at most n messages with a number above after, the oldest first.
func (db *DB) Next(ctx context.Context, after uint64, n int) (ms []mqtt.Message, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		return tx.scan(bucketOutbox, nil, seqKey(after), false, func(key []byte, _ uint16, data []byte) (bool, error) {
			var q queued
			if len(ms) >= n {
				return false, nil
			}
			if len(key) != 8 || json.Unmarshal(data, &q) != nil {
				return false, damaged(bucketOutbox, key)
			}
			ms = append(ms, mqtt.Message{ID: binary.BigEndian.Uint64(key), Topic: q.Topic, Key: q.Key, Payload: q.Payload, Retained: q.Retained})
			return true, nil
		})
	})
	return ms, err
}

// Done removes messages the broker acknowledged. A number that is not there is fine: Done may be repeated.
func (db *DB) Done(ctx context.Context, ids ...uint64) error {
	return db.Update(ctx, func(tx *Tx) error {
		count, err := tx.outboxCount()
		if err != nil {
			return err
		}
		for _, id := range ids {
			_, _, found, err := tx.get(bucketOutbox, seqKey(id))
			if err != nil {
				return err
			}
			if !found {
				continue
			}
			if err := tx.drop(bucketOutbox, seqKey(id)); err != nil {
				return err
			}
			count.Waiting--
		}
		return tx.setOutboxCount(count)
	})
}

// Len is the number of messages that wait.
func (db *DB) Len(ctx context.Context) (n int, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		count, err := tx.outboxCount()
		n = count.Waiting
		return err
	})
	return n, err
}

func (tx *Tx) outboxCount() (c outboxCount, err error) {
	_, err = tx.meta("outbox", &c)
	return c, err
}

func (tx *Tx) setOutboxCount(c outboxCount) error {
	return tx.setMeta("outbox", c)
}
