// Package outbox brings what happened on a node to its hub, however long the hub is away.
//
// # What goes in
//
// Lines of the node's audit, alerts and summaries of drift windows: what Admit lets through, which is named fields of known schemas. No row, no
// input, no answer and no name of a category is among them. What versions did is counted by fleet/summary and goes its own way.
//
// # What it promises
//
//   - An event is in the store in the same transaction as the fact it reports. It leaves the store when the hub has said that the event is on
//     its disk: so it is there at least once after any crash of either, and once, because the hub knows it by its id.
//   - Lines of the audit are never dropped: the queue holds no copy of them, only how far the hub has the log. The other classes have room
//     for Quota bytes each; where that is full the oldest of the class gives way, is counted, and the hub is told the count.
//   - The audit goes first, the oldest line first; then the others, the oldest first. At most Rate events leave in a second.
//   - Without an answer the pauses grow to ten minutes, with full jitter. When another call of this node is answered again, the
//     queue begins after this node's share (Share) of the seconds the hub spread its nodes over: a fleet does not come back at once.
//   - A call that the hub refuses as a whole is made with half as many events, down to one; one event that alone is refused is given up, and logged.
//
// What an observer of the wire sees when nothing happens is nothing: an empty queue makes no calls.
package outbox

import (
	"context"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
)

// How much is sent: events a second, and events and bytes of one call.
const (
	Rate      = 200
	callBytes = spec.MaxEventCall / 2
)

// Quota is how many bytes of a class may wait. Lines of the audit are in the node's log in any case and have none.
func Quota(c spec.Class) int64 {
	switch c {
	case spec.Alert:
		return 16 << 20
	case spec.Drift:
		return 32 << 20
	default:
		return 8 << 20
	}
}

// Entry is an event that waits, and its place in the store.
type Entry struct {
	N     uint64 // of the queue; of the log, for a line of the audit
	Event spec.Event
}

// Store is where events wait. Writes are durable when they return.
type Store interface {
	// NextFleetEvents returns at most n events of together at most size bytes, and at least one if there is one, in the order they are to leave.
	NextFleetEvents(ctx context.Context, n, size int) ([]Entry, error)
	// SentFleetEvents removes what the hub has.
	SentFleetEvents(ctx context.Context, list []Entry) error
}

// Send brings events to the hub. When it returns nil they are on the hub's disk.
type Send func(ctx context.Context, list []spec.Event) (spec.EventsAnswer, error)

// Options are what an Outbox is made of. All are needed.
type Options struct {
	Store Store
	Send  Send
	Node  string
	Log   *slog.Logger
	Dice  func(n int64) int64 // a random number below n, for pauses; nil: math/rand's
}

// Outbox empties a store to the hub. Its methods are safe for concurrent use; Run may be called once.
type Outbox struct {
	o    Options
	back chan struct{}
}

// New returns one that Run sets to work.
func New(o Options) *Outbox {
	if o.Dice == nil {
		o.Dice = rand.Int64N
	}
	return &Outbox{o: o, back: make(chan struct{}, 1)}
}

// Answered says that the hub answered a call of this node, whatever it was.
func (o *Outbox) Answered() { poke(o.back) }

// Share is a node's place within seconds: the same for each node always, and even over many nodes.
func Share(node string, seconds int) time.Duration {
	if seconds <= 0 {
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(node))
	x := h.Sum64()
	x ^= x >> 29
	x *= 0xbf58476d1ce4e5b9 // one round of splitmix64: names of nodes differ in their last letters only
	x ^= x >> 32
	return time.Duration(x%1e6) * time.Duration(seconds) * time.Microsecond
}

// Run sends until ctx ends.
func (o *Outbox) Run(ctx context.Context) error {
	most, spread, fails := spec.MaxEvents, 0, 0
	for ctx.Err() == nil {
		list, err := o.o.Store.NextFleetEvents(ctx, most, callBytes)
		if err != nil {
			o.o.Log.Error("what waits for the hub cannot be read", "err", err)
			o.pause(ctx, time.Minute, nil)
			continue
		}
		if len(list) == 0 {
			o.pause(ctx, poll, nil)
			continue
		}
		events := make([]spec.Event, len(list))
		for i, e := range list {
			events[i] = e.Event
		}
		drain(o.back)
		a, err := o.o.Send(ctx, events)
		switch k := edgeward.KindOf(err); {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			fails, most, spread = 0, spec.MaxEvents, a.Spread
			if a.Refused > 0 {
				o.o.Log.Warn("the hub does not understand events of this server", "events", a.Refused)
			}
			o.sent(ctx, list)
			o.pause(ctx, time.Duration(len(list))*time.Second/Rate, nil)
		case (k == edgeward.Invalid || k == edgeward.TooLarge) && len(list) > 1:
			most = len(list) / 2
		case k == edgeward.Invalid || k == edgeward.TooLarge:
			o.o.Log.Error("the hub refuses an event for good", "id", events[0].ID, "what", events[0].What, "err", err)
			o.sent(ctx, list)
			most = spec.MaxEvents
		default:
			fails++
			o.wait(ctx, fails, spread, err)
		}
	}
	return nil
}

func (o *Outbox) sent(ctx context.Context, list []Entry) {
	if err := o.o.Store.SentFleetEvents(ctx, list); err != nil && ctx.Err() == nil { // they are sent again, and counted once
		o.o.Log.Error("what the hub has cannot be removed", "err", err)
		o.pause(ctx, time.Minute, nil)
	}
}

const (
	poll    = 2 * time.Second  // how often is looked
	retry   = 2 * time.Second  // shortest longest wait after a failed call
	longest = 10 * time.Minute // pause between two calls
)

// wait passes the time after a call that failed.
func (o *Outbox) wait(ctx context.Context, fails, spread int, err error) {
	if s, perr := strconv.Atoi(edgeward.ParamsOf(err)["retry_after"]); perr == nil && s > 0 {
		least := min(longest, time.Duration(s)*time.Second)
		o.pause(ctx, least+time.Duration(o.o.Dice(int64(least))), nil)
		return
	}
	d := time.Duration(o.o.Dice(int64(min(longest, retry<<min(fails, 12)))))
	if o.pause(ctx, max(d, retry/2), o.back) { // others of this node's calls are answered again
		o.pause(ctx, Share(o.o.Node, spread)+time.Duration(o.o.Dice(int64(retry))), nil)
	}
}

// pause ends early when early is poked, and says so.
func (o *Outbox) pause(ctx context.Context, d time.Duration, early <-chan struct{}) bool {
	t := time.NewTimer(d) // room:clock how long to wait
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-early:
		return true
	}
	return false
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func drain(c chan struct{}) {
	select {
	case <-c:
	default:
	}
}
