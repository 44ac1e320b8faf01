package store

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"edgeward"
	"edgeward/node/events"

	"golang.org/x/mod/sumdb/tlog"
)

var headKey = []byte("head")

// Append adds e to the log in this transaction, sets Seq and Prev, and returns it as stored.
func (tx *Tx) Append(e events.Event) (events.Event, error) {
	if err := e.Validate(); err != nil {
		return e, err
	}
	head, err := tx.Head()
	if err != nil {
		return e, err
	}
	e.Seq, e.Prev = head.Size+1, head.Last
	raw, err := e.Encode()
	if err != nil {
		return e, err
	}
	if err := tx.put(bucketEvents, seqKey(e.Seq), 1, raw); err != nil {
		return e, err
	}
	if err := tx.put(bucketByGroup, append(joinKey(e.Group, ""), seqKey(e.Seq)...), 1, nil); err != nil {
		return e, err
	}
	if e.Object.ID != "" {
		key := append(joinKey(e.Group, e.Object.Kind, e.Object.ID, ""), seqKey(e.Seq)...)
		if err := tx.put(bucketByObject, key, 1, nil); err != nil {
			return e, err
		}
	}
	leaf := events.Hash(raw)
	if err := tx.grow(int64(head.Size), leaf); err != nil {
		return e, err
	}
	root, err := tlog.TreeHash(int64(e.Seq), tx)
	if err != nil {
		return e, edgeward.Wrap("store.Append", err)
	}
	data, err := json.Marshal(events.Head{Size: e.Seq, Root: hex.EncodeToString(root[:]), Last: hex.EncodeToString(leaf[:])})
	if err != nil {
		return e, edgeward.Wrap("store.Append", err)
	}
	if err := tx.put(bucketHead, headKey, 1, data); err != nil {
		return e, err
	}
	tx.appended = append(tx.appended, e)
	return e, nil
}

// grow stores the hashes that leaf number n adds to the tree.
func (tx *Tx) grow(n int64, leaf tlog.Hash) error {
	hashes, err := tlog.StoredHashesForRecordHash(n, leaf, tx)
	if err != nil {
		return edgeward.Wrap("store.Append", err)
	}
	at := uint64(tlog.StoredHashIndex(0, n))
	for i, h := range hashes {
		if err := tx.put(bucketTree, seqKey(at+uint64(i)), 1, h[:]); err != nil {
			return err
		}
	}
	return nil
}

// ReadHashes implements tlog.HashReader over the stored tree, for roots and proofs.
func (tx *Tx) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, n := range indexes {
		_, data, found, err := tx.get(bucketTree, seqKey(uint64(n)))
		if err != nil {
			return nil, err
		}
		if !found || len(data) != tlog.HashSize {
			return nil, damaged(bucketTree, seqKey(uint64(n)))
		}
		copy(out[i][:], data)
	}
	return out, nil
}

// Head is the state of the log in this transaction.
func (tx *Tx) Head() (events.Head, error) {
	_, data, found, err := tx.get(bucketHead, headKey)
	if err != nil {
		return events.Head{}, err
	}
	if !found {
		root, err := tlog.TreeHash(0, tx)
		return events.Head{Root: hex.EncodeToString(root[:]), Last: events.Origin}, err
	}
	var h events.Head
	if err := json.Unmarshal(data, &h); err != nil {
		return h, damaged(bucketHead, headKey)
	}
	return h, nil
}

// Record appends an event that changes no fact.
func (db *DB) Record(ctx context.Context, e events.Event) error {
	return db.with(ctx, e, func(*Tx) error { return nil })
}

// Head is the state of the log now.
func (db *DB) Head(ctx context.Context) (h events.Head, err error) {
	err = db.View(ctx, func(tx *Tx) error { h, err = tx.Head(); return err })
	return h, err
}

// Event returns event number seq, or NotFound.
func (db *DB) Event(ctx context.Context, seq uint64) (e events.Event, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		raw, err := tx.rawEvent(seq)
		if err != nil {
			return err
		}
		e, err = events.Decode(raw)
		return err
	})
	return e, err
}

// Events returns at most limit events with a sequence number above after, in order. It implements events.Log.
func (db *DB) Events(ctx context.Context, after uint64, limit int) (out []events.Event, err error) {
	err = db.RawEvents(ctx, after, limit, func(_ uint64, raw []byte) error {
		e, err := events.Decode(raw)
		out = append(out, e)
		return err
	})
	return out, err
}

// RawEvents calls fn with the stored bytes of at most limit events above after, in order, without trusting them: what fn
// gets is what the key says is event seq. It is for verification and export. raw is valid only during the call.
func (db *DB) RawEvents(ctx context.Context, after uint64, limit int, fn func(seq uint64, raw []byte) error) error {
	return db.View(ctx, func(tx *Tx) error {
		n := 0
		return tx.scan(bucketEvents, nil, seqKey(after), false, func(key []byte, _ uint16, data []byte) (bool, error) {
			if n == limit {
				return false, nil
			}
			n++
			if len(key) != 8 {
				return false, damaged(bucketEvents, key)
			}
			return true, fn(binary.BigEndian.Uint64(key), data)
		})
	})
}

// EventPage asks for selected events: those below Before when newest first, above After else.
type EventPage struct {
	Filter events.Filter
	Before uint64 // newest first, exclusive; 0: from the end. Ignored when Oldest
	After  uint64 // oldest first, exclusive
	Oldest bool
	Limit  int // 1 to 1000; 0 means 100
}

// scanEvents bounds the work of one page: so many events are looked at before the page is handed back unfinished.
const scanEvents = 20000

// ListEvents returns a page of selected events and the number to pass as Before (or After when Oldest) for the next page,
// 0 when there is none. A page may be short or empty and still have a next one: the log is searched in bounded steps.
func (db *DB) ListEvents(ctx context.Context, p EventPage) (out []events.Event, next uint64, err error) {
	limit := Page{Limit: p.Limit}.limit()
	bucket, prefix := eventIndex(p.Filter)
	var from []byte
	switch {
	case p.Oldest:
		from = append(prefix, seqKey(p.After)...)
	case p.Before > 0:
		from = append(prefix, seqKey(p.Before)...)
	}
	looked := 0
	err = db.View(ctx, func(tx *Tx) error {
		return tx.scan(bucket, prefix, from, !p.Oldest, func(key []byte, _ uint16, data []byte) (bool, error) {
			if len(key) < 8 {
				return false, damaged(bucket, key)
			}
			seq := binary.BigEndian.Uint64(key[len(key)-8:])
			if bucket != bucketEvents {
				var err error
				if data, err = tx.rawEvent(seq); err != nil {
					return false, err
				}
			}
			e, err := events.Decode(data)
			if err != nil {
				return false, damaged(bucketEvents, seqKey(seq))
			}
			if p.Filter.Match(e) {
				out = append(out, e)
			}
			looked++
			if len(out) == limit || looked == scanEvents {
				next = seq
				return false, nil
			}
			return true, nil
		})
	})
	return out, next, err
}

// eventIndex chooses the narrowest bucket that holds every event the filter can match.
func eventIndex(f events.Filter) (bucket string, prefix []byte) {
	switch {
	case (f.Group != "" || f.Node) && f.Kind != "" && f.ID != "":
		return bucketByObject, joinKey(f.Group, f.Kind, f.ID, "")
	case f.Group != "" || f.Node:
		return bucketByGroup, joinKey(f.Group, "")
	}
	return bucketEvents, []byte{}
}

func (tx *Tx) rawEvent(seq uint64) ([]byte, error) {
	_, raw, found, err := tx.get(bucketEvents, seqKey(seq))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, edgeward.E("store.Event", edgeward.NotFound, "event.not_found", "no event %d", seq).With("id", fmt.Sprint(seq))
	}
	return raw, nil
}

func seqKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
