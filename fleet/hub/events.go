package hub

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
)

// Way is how an event came to the hub.
type Way string

// The ways.
const (
	OverTLS  Way = "https" // the node's certificate was shown
	OverFile Way = "usb"   // the node's key signed it
	OverMQTT Way = "mqtt"  // a broker brought it: nobody knows who said it
)

// Proved reports whether what comes this way is the node's own word. Nothing is decided by what is not.
func (w Way) Proved() bool { return w == OverTLS || w == OverFile }

// KeptEvent is an event of a node as the hub has it. There is one of each, whichever ways it came.
type KeptEvent struct {
	N      uint64     `json:"n"` // in the order of coming
	Node   string     `json:"node"`
	Got    time.Time  `json:"got"`
	Ways   []Way      `json:"ways"`
	Proved bool       `json:"proved"` // a way it came is proof: Event is what came that way
	Event  spec.Event `json:"event"`
}

// Tally counts a node's events.
type Tally struct {
	Node     string                `json:"node"`
	Events   map[spec.Class]uint64 `json:"events"`              // each once
	Ways     map[Way]uint64        `json:"ways"`                // that came this way, each once
	Copies   uint64                `json:"copies,omitempty"`    // that came again the same way
	Unproved uint64                `json:"unproved,omitempty"`  // of Events, that came over MQTT only
	Differ   uint64                `json:"differ,omitempty"`    // copies over MQTT that said something else than the node did
	AuditSeq uint64                `json:"audit_seq,omitempty"` // line of the node's log up to which the hub has it
	AuditID  string                `json:"audit_id,omitempty"`  // of that line
	Breaks   uint64                `json:"breaks,omitempty"`    // lines that do not follow from the one before: the log was rewritten, or the node restored
}

// MaxUnproved is how many events of a node are kept that nothing proves.
const MaxUnproved = 10_000

// Add counts e, which came by way; was is what the hub had of it before, nil if nothing. It returns what is to be kept, nil if that is what
// was, and the tally after it. Pure.
func (t Tally) Add(was *KeptEvent, node string, e spec.Event, way Way, now time.Time) (*KeptEvent, Tally) {
	if t.Events == nil {
		t = Tally{Node: node, Events: map[spec.Class]uint64{}, Ways: map[Way]uint64{}}
	}
	if was != nil {
		return t.again(*was, e, way)
	}
	if !way.Proved() && t.Unproved >= MaxUnproved {
		return nil, t
	}
	t.Events[e.Class]++
	t.Ways[way]++
	if way.Proved() {
		t = t.chained(e)
	} else {
		t.Unproved++
	}
	return &KeptEvent{Node: node, Got: now, Ways: []Way{way}, Proved: way.Proved(), Event: e}, t
}

// again is Add of an event that is here.
func (t Tally) again(k KeptEvent, e spec.Event, way Way) (*KeptEvent, Tally) {
	differs := !same(k.Event, e)
	if differs && k.Proved != way.Proved() {
		t.Differ++
	}
	known := slices.Contains(k.Ways, way)
	if known {
		t.Copies++
	} else {
		t.Ways[way]++
		k.Ways = append(slices.Clone(k.Ways), way)
	}
	if way.Proved() && !k.Proved {
		k.Proved, k.Event = true, e
		t.Unproved--
		return &k, t.chained(e)
	}
	if known {
		return nil, t
	}
	return &k, t
}

func same(a, b spec.Event) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(x) == string(y)
}

// chained follows the node's log.
func (t Tally) chained(e spec.Event) Tally {
	if e.Class != spec.Audit {
		return t
	}
	if t.AuditID != "" && (e.Seq != t.AuditSeq+1 || e.Prev != t.AuditID) {
		t.Breaks++
	}
	t.AuditSeq, t.AuditID = e.Seq, e.ID
	return t
}

// EventQuery asks for events, the newest first.
type EventQuery struct {
	Node   string     // "": all
	Class  spec.Class // "": all
	Cursor string
	Limit  int
	Sees   func(group string) bool // whose events are seen, by a group's name; "": of the node itself. nil: all
}

// Lives of events at the hub. A node keeps its own log for good.
const (
	auditLife = 2 * 365 * 24 * time.Hour
	otherLife = 90 * 24 * time.Hour
)

// Take keeps events of a member that came by way.
func (h *Hub) Take(ctx context.Context, node string, way Way, list []spec.Event) (spec.EventsAnswer, error) {
	h.mu.Lock()
	_, err := h.member(node)
	members := h.members
	h.mu.Unlock()
	if err != nil {
		return spec.EventsAnswer{}, err
	}
	stored, err := h.o.Store.AddFleetEvents(ctx, node, way, h.o.Now(), list)
	return spec.EventsAnswer{Stored: stored, Spread: Spread(members)}, err
}

// maxBringing is how many nodes may bring events at once, one call each; the others are asked to come again.
const maxBringing = 128

// brings lets a node bring events until the func it returns is called.
func (h *Hub) brings(id string) (done func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.bringing[id] || len(h.bringing) >= maxBringing {
		return nil, edgeward.E("hub.events", edgeward.Exhausted, "fleet.busy", "many nodes bring events at once").With("retry_after", "5").WithHint("this server asks again by itself")
	}
	h.bringing[id] = true
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.bringing, id)
	}, nil
}

// Spread is over how many seconds so many nodes spread their first calls after an outage: 250 a second, ten minutes at most.
func Spread(nodes int) int { return min(600, nodes/250) }

// Events returns a page of events and the cursor of the next.
func (h *Hub) Events(ctx context.Context, q EventQuery) ([]KeptEvent, string, error) {
	return h.o.Store.FleetEvents(ctx, q)
}

// Tally returns the counts of a node's events.
func (h *Hub) Tally(ctx context.Context, node string) (Tally, error) {
	return h.o.Store.FleetTally(ctx, node)
}

// prune removes events that are too old, some at a time.
func (h *Hub) prune(ctx context.Context) {
	for _, c := range spec.Classes {
		life := otherLife
		if c == spec.Audit {
			life = auditLife
		}
		if err := h.o.Store.PruneFleetEvents(ctx, c, h.o.Now().Add(-life), 10_000); err != nil {
			h.o.Log.Warn("old events are not removed", "class", c, "err", err)
		}
	}
}

// events answers POST /fleet/v1/events.
func (h *Hub) events(w http.ResponseWriter, r *http.Request, id string) error {
	done, err := h.brings(id)
	if err != nil {
		return err
	}
	defer done()
	b, err := body(r, spec.MaxEventCall)
	if err != nil {
		return err
	}
	list, refused, err := spec.ParseEvents(b)
	if err != nil {
		return err
	}
	a, err := h.Take(r.Context(), id, OverTLS, list)
	if err != nil {
		return err
	}
	a.Refused = refused
	return answer(w, a)
}
