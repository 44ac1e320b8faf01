package store

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"edgeward"
	"edgeward/fleet/outbox"
	"edgeward/fleet/spec"
	"edgeward/node/events"
	"edgeward/node/monitor"
)

// hubEvent is an event that waits for the hub. Its group is its class, so that a class is a range of keys, the oldest first.
type hubEvent struct {
	N     uint64     `json:"n"`
	Size  int        `json:"size"`
	Event spec.Event `json:"event"`
}

// hubQueue is how it stands with all of them.
type hubQueue struct {
	Last  uint64     `json:"last"`  // number ever given
	Audit uint64     `json:"audit"` // line of this server's log up to which the hub has it
	Queue spec.Queue `json:"queue,omitempty"`
}

var (
	hubEvents = Collection[hubEvent]{Noun: "fleet.event", Bucket: "fleet_outbox", Schema: 1, Quiet: true,
		Key: func(e *hubEvent) (string, string) { return string(e.Event.Class), eventNumber(e.N) }}
	hubQueues = Collection[hubQueue]{Noun: "fleet.queue", Bucket: "fleet_queue", Schema: 1, Quiet: true,
		Key: func(*hubQueue) (string, string) { return "", "fleet" }}
)

var _ outbox.Store = (*DB)(nil)

// PutFleetEvent keeps an event for the hub, as far as it may leave (outbox.Admit); where this server is in no fleet it keeps nothing.
func (db *DB) PutFleetEvent(ctx context.Context, e spec.Event) error {
	return db.Update(ctx, func(tx *Tx) error { return tx.PutFleetEvent(e) })
}

// tellHub keeps what the monitor has to say for the hub too.
func (tx *Tx) tellHub(m monitor.Message) error {
	e, ok := outbox.Message(m.Schema, m.Key, m.Body)
	if !ok {
		return nil
	}
	return tx.PutFleetEvent(e)
}

// PutFleetEvent is DB.PutFleetEvent within a transaction.
func (tx *Tx) PutFleetEvent(e spec.Event) error {
	m, _, err := memberships.load(tx, joinKey("", "fleet"))
	if err != nil || m.Fleet == "" {
		return err
	}
	if e, err = outbox.Admit(e); err != nil {
		return err
	}
	q, _, err := hubQueues.load(tx, joinKey("", "fleet"))
	if err != nil {
		return err
	}
	b, err := json.Marshal(e)
	if err != nil {
		return edgeward.Wrap("store.PutFleetEvent", err)
	}
	q.Last++
	if err := hubEvents.Put(tx, hubEvent{N: q.Last, Size: len(b), Event: e}); err != nil {
		return err
	}
	if q.Queue == nil {
		q.Queue = spec.Queue{}
	}
	w := q.Queue[e.Class]
	w.Events, w.Bytes = w.Events+1, w.Bytes+int64(len(b))
	if w, err = tx.makeRoom(e.Class, w); err != nil {
		return err
	}
	q.Queue[e.Class] = w
	return hubQueues.Put(tx, q)
}

// makeRoom drops the oldest events of a class that has more than its quota.
func (tx *Tx) makeRoom(c spec.Class, w spec.Waiting) (spec.Waiting, error) {
	for w.Bytes > outbox.Quota(c) {
		old, _, err := hubEvents.List(tx, string(c), Page{Limit: 64})
		if err != nil || len(old) == 0 {
			return w, err
		}
		for _, e := range old {
			if w.Bytes <= outbox.Quota(c) {
				break
			}
			if err := tx.dropHubEvent(e); err != nil {
				return w, err
			}
			w.Events, w.Bytes, w.Dropped = w.Events-1, w.Bytes-int64(e.Size), w.Dropped+1
		}
	}
	return w, nil
}

func (tx *Tx) dropHubEvent(e hubEvent) error {
	group, id := hubEvents.Key(&e)
	return hubEvents.Delete(tx, group, id)
}

// NextFleetEvents implements outbox.Store.
func (db *DB) NextFleetEvents(ctx context.Context, n, size int) (out []outbox.Entry, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		q, found, err := hubQueues.load(tx, joinKey("", "fleet"))
		if err != nil || !found {
			return err
		}
		if out, err = tx.auditFor(q.Audit, n); err != nil {
			return err
		}
		var others []outbox.Entry
		for _, c := range spec.Classes {
			if c == spec.Audit || len(out) >= n {
				continue
			}
			list, _, err := hubEvents.List(tx, string(c), Page{Limit: min(n, 1000)})
			if err != nil {
				return err
			}
			for _, e := range list {
				others = append(others, outbox.Entry{N: e.N, Event: e.Event})
			}
		}
		slices.SortFunc(others, func(a, b outbox.Entry) int { return cmp.Compare(a.N, b.N) })
		out = append(out, others[:min(len(others), n-len(out))]...)
		return nil
	})
	return cut(out, size), err
}

// auditFor are at most n lines of the log above after, as the hub gets them.
func (tx *Tx) auditFor(after uint64, n int) (out []outbox.Entry, err error) {
	err = tx.scan(bucketEvents, nil, seqKey(after), false, func(_ []byte, _ uint16, data []byte) (bool, error) {
		if len(out) == n {
			return false, nil
		}
		e, err := events.Decode(data)
		if err != nil {
			return false, err
		}
		line, err := tx.auditLine(e, data)
		out = append(out, outbox.Entry{N: e.Seq, Event: line})
		return true, err
	})
	return out, err
}

// auditLine is a line of the log as it leaves; its id is the hash of the record, so it also proves the record.
func (tx *Tx) auditLine(e events.Event, raw []byte) (spec.Event, error) {
	group := ""
	if e.Group != "" {
		g, _, err := Groups.load(tx, joinKey("", e.Group))
		if err != nil {
			return spec.Event{}, err
		}
		group = cmp.Or(g.Name, e.Group) // of a group that is gone, its id: nobody is taken for its member
	}
	h := events.Hash(raw)
	return outbox.Admit(spec.Event{ID: hex.EncodeToString(h[:]), Class: spec.Audit, At: e.Time, What: e.Action, Group: clip(group, 100), Object: e.Object.Kind + " " + clip(cmp.Or(e.Object.Name, e.Object.ID), 200),
		By: clip(e.Principal, 200), Reason: clip(e.Reason, 2000), Detail: e.Detail, Seq: e.Seq, Prev: e.Prev})
}

func clip(s string, n int) string { return s[:min(len(s), n)] }

// cut is the head of list that has at most size bytes, and at least one entry of it.
func cut(list []outbox.Entry, size int) []outbox.Entry {
	for i, e := range list {
		b, err := json.Marshal(e.Event)
		if size -= len(b) + 1; err != nil || size < 0 && i > 0 {
			return list[:i]
		}
	}
	return list
}

// SentFleetEvents implements outbox.Store.
func (db *DB) SentFleetEvents(ctx context.Context, list []outbox.Entry) error {
	return db.Update(ctx, func(tx *Tx) error {
		q, found, err := hubQueues.load(tx, joinKey("", "fleet"))
		if err != nil || !found {
			return err
		}
		for _, e := range list {
			if e.Event.Class == spec.Audit {
				q.Audit = max(q.Audit, e.N)
				continue
			}
			old, err := hubEvents.Get(tx, string(e.Event.Class), eventNumber(e.N))
			if edgeward.KindOf(err) == edgeward.NotFound {
				continue // it gave way meanwhile, or is acknowledged twice
			}
			if err != nil {
				return err
			}
			if err := tx.dropHubEvent(old); err != nil {
				return err
			}
			w := q.Queue[old.Event.Class]
			w.Events, w.Bytes = w.Events-1, w.Bytes-int64(old.Size)
			q.Queue[old.Event.Class] = w
		}
		return hubQueues.Put(tx, q)
	})
}

// HeardFleetEvents removes what a hub's word says it has: the log up to line seq, if that line is the one of this id, and others by id.
func (db *DB) HeardFleetEvents(ctx context.Context, seq uint64, id string, ids []string) error {
	has := map[string]bool{}
	for _, x := range ids {
		has[x] = true
	}
	var sent []outbox.Entry
	err := db.View(ctx, func(tx *Tx) error {
		if raw, err := tx.rawEvent(seq); err == nil {
			if h := events.Hash(raw); hex.EncodeToString(h[:]) == id {
				sent = append(sent, outbox.Entry{N: seq, Event: spec.Event{Class: spec.Audit}})
			}
		}
		return hubEvents.Each(tx, func(e hubEvent) error {
			if has[e.Event.ID] {
				sent = append(sent, outbox.Entry{N: e.N, Event: e.Event})
			}
			return nil
		})
	})
	if err != nil || len(sent) == 0 {
		return err
	}
	return db.SentFleetEvents(ctx, sent)
}

// FleetQueue is what waits for the hub, by class.
func (db *DB) FleetQueue(ctx context.Context) (out spec.Queue, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		q, found, err := hubQueues.load(tx, joinKey("", "fleet"))
		if err != nil || !found {
			return err
		}
		out = q.Queue
		if out == nil {
			out = spec.Queue{}
		}
		head, err := tx.Head()
		if err != nil {
			return err
		}
		for c, w := range out {
			if w.Oldest, err = tx.oldest(c); err != nil {
				return err
			}
			out[c] = w
		}
		if n := head.Size - min(head.Size, q.Audit); n > 0 {
			w := spec.Waiting{Events: int(n)}
			if first, err := tx.rawEvent(q.Audit + 1); err == nil {
				if e, err := events.Decode(first); err == nil {
					w.Oldest = e.Time
				}
			}
			out[spec.Audit] = w
		}
		return nil
	})
	return out, err
}

func (tx *Tx) oldest(c spec.Class) (time.Time, error) {
	list, _, err := hubEvents.List(tx, string(c), Page{Limit: 1})
	if err != nil || len(list) == 0 {
		return time.Time{}, err
	}
	return list[0].Event.At, nil
}

// beginFleetQueue begins with the next line of the log: what was before the membership is not the fleet's.
func beginFleetQueue(tx *Tx) error {
	head, err := tx.Head()
	if err != nil {
		return err
	}
	return hubQueues.Put(tx, hubQueue{Audit: head.Size})
}

// OpenFleetQueue makes the queue of a member that has none, because an edgeward without one joined the fleet.
func (db *DB) OpenFleetQueue(ctx context.Context) error {
	return db.Update(ctx, func(tx *Tx) error {
		if _, found, err := hubQueues.load(tx, joinKey("", "fleet")); err != nil || found {
			return err
		}
		return beginFleetQueue(tx)
	})
}

// forgetFleetQueue drops everything that waits.
func forgetFleetQueue(tx *Tx) error {
	for _, c := range spec.Classes {
		for {
			list, _, err := hubEvents.List(tx, string(c), Page{Limit: 1000})
			if err != nil {
				return err
			}
			if len(list) == 0 {
				break
			}
			for _, e := range list {
				if err := tx.dropHubEvent(e); err != nil {
					return err
				}
			}
		}
	}
	return ignoreMissing(hubQueues.Delete(tx, "", "fleet"))
}
