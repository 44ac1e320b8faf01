package spec

import (
	"encoding/json"
	"time"

	"edgeward"
)

// Bounds of events: how many one call brings at most, and bytes of one as JSON.
const (
	MaxEvents = 500
	MaxEvent  = 32 << 10
)

// Class is what kind of word an event is. It decides what may be dropped where there is no room.
type Class string

// The classes.
const (
	Audit       Class = "audit"       // a line of the node's log; never dropped
	Alert       Class = "alert"       // an alert fires, is acknowledged, resolves
	Drift       Class = "drift"       // the summary of a window
	Performance Class = "performance" // an hour of an endpoint. Nodes of before 2026-11-27 send it; since then fleet/summary says the same by day, with more
)

// Classes are those that may wait on a node or come from one, the most important first.
var Classes = []Class{Audit, Alert, Drift, Performance}

// Event is something that happened on a node and that the hub keeps. Natural key: the node and ID; it is the same on every way.
//
// An event of class audit has as ID the hash of its record in the node's log, and in Prev the hash of the record before, so that
// the hub sees a log that was rewritten. Its Seq has no gaps.
type Event struct {
	ID     string            `json:"id"`
	Class  Class             `json:"class,omitempty"`
	At     time.Time         `json:"at"`
	What   string            `json:"what"`            // "endpoint.promoted"
	Group  string            `json:"group,omitempty"` // name of the group whose the object is, of class audit; empty: the server itself
	Object string            `json:"object,omitempty"`
	By     string            `json:"by,omitempty"` // principal
	Reason string            `json:"reason,omitempty"`
	Detail map[string]string `json:"detail,omitempty"`
	Seq    uint64            `json:"seq,omitempty"`
	Prev   string            `json:"prev,omitempty"`
	Body   json.RawMessage   `json:"body,omitempty"` // a JSON object, of the schema What
}

// Check reports why e is no event that a hub would keep.
func (e Event) Check() error {
	if e.ID == "" || len(e.ID) > 300 || len(e.Class) > 20 || e.What == "" || len(e.What) > 100 || e.At.IsZero() {
		return invalid("event", "an event has an id, a class, a time, and says what")
	}
	if len(e.Group) > 100 || len(e.Object) > 300 || len(e.By) > 300 || len(e.Reason) > 2000 || len(e.Prev) > 64 || len(e.Detail) > 64 {
		return invalid("event", "%.80q is longer than an event is", e.ID)
	}
	size := len(e.Body)
	for k, v := range e.Detail {
		size += len(k) + len(v)
	}
	if size > MaxEvent {
		return tooLarge("event", MaxEvent)
	}
	if e.Body != nil && (!json.Valid(e.Body) || e.Body[0] != '{') {
		return invalid("event", "%.80q has a body that is no JSON object", e.ID)
	}
	return nil
}

// Owner is the name of the group that e is about; empty: the server itself.
func (e Event) Owner() string {
	if e.Group != "" || e.Body == nil {
		return e.Group
	}
	var of struct {
		Group string `json:"group"`
	}
	_ = json.Unmarshal(e.Body, &of) // Check saw to it that it is an object
	return of.Group
}

// ParseEvents reads what one call brings. One event that cannot be kept does not hold up the others: refused says how many there are.
func ParseEvents(b []byte) (list []Event, refused int, err error) {
	if len(b) > MaxEventCall {
		return nil, 0, tooLarge("events", MaxEventCall)
	}
	var in []Event
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, 0, invalid("events", "%v", err)
	}
	if len(in) > MaxEvents {
		return nil, 0, edgeward.E("spec.events", edgeward.TooLarge, "fleet.events", "%d events, more than %d", len(in), MaxEvents)
	}
	for _, e := range in {
		if e.Check() != nil {
			refused++
			continue
		}
		list = append(list, e)
	}
	return list, refused, nil
}

// MaxEventCall bounds a call's events in bytes.
const MaxEventCall = 1 << 20

// EventsAnswer is the hub's to events. Then they are on its disk, or will never be.
type EventsAnswer struct {
	Stored  int `json:"stored"`            // that were new
	Refused int `json:"refused,omitempty"` // that the hub does not understand
	Spread  int `json:"spread,omitempty"`  // seconds over which the nodes of this fleet spread their first call after an outage
}

// Queue is what waits on a node for its hub, by class.
type Queue map[Class]Waiting

// Waiting is a class of a Queue. Dropped is what the policy threw away for want of room, since the node joined.
type Waiting struct {
	Events  int       `json:"events,omitempty"`
	Bytes   int64     `json:"bytes,omitempty"`
	Oldest  time.Time `json:"oldest,omitzero"`
	Dropped uint64    `json:"dropped,omitempty"`
}
