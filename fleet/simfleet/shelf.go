package simfleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"edgeward/fleet/hub"
	"edgeward/fleet/inquiry"
	"edgeward/fleet/spec"
	"edgeward/fleet/summary"
)

// Shelf is what a hub keeps: hub.Store in maps of JSON. It survives the hub.
type Shelf struct {
	mu      sync.Mutex
	fleet   []byte
	facts   map[string]map[string][]byte // by kind and key
	events  map[string]hub.KeptEvent
	tallies map[string]hub.Tally
	note    func(hub.Change)
}

func newShelf() *Shelf {
	return &Shelf{facts: map[string]map[string][]byte{}, events: map[string]hub.KeptEvent{}, tallies: map[string]hub.Tally{}}
}

// Copy is a backup.
func (s *Shelf) Copy() *Shelf {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &Shelf{fleet: s.fleet, facts: map[string]map[string][]byte{}, events: maps.Clone(s.events), tallies: maps.Clone(s.tallies), note: s.note}
	for k, m := range s.facts {
		c.facts[k] = maps.Clone(m)
	}
	return c
}

// Events counts what is kept of a node, and the breaks of its log.
func (s *Shelf) Events(node string) (n int, breaks uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tallies[node]
	for _, k := range t.Events {
		n += int(k)
	}
	return n, t.Breaks
}

// errDead is every answer of the disk of a process that is no more.
var errDead = errors.New("the process was killed")

// mortal is a process whose writes end when it is killed. The lock of what it writes to guards it.
type mortal struct {
	dead   bool
	dies   int // at this write, counted from 1; 0: not of that
	before bool
	killed func() // when it died of a write
}

// write does f, unless the process is dead or dies here.
func (m *mortal) write(f func()) error {
	if m.dead {
		return errDead
	}
	if m.dies--; m.dies != 0 {
		f()
		return nil
	}
	m.dead = true
	if !m.before {
		f()
	}
	m.killed()
	return errDead
}

// desk is a Shelf as one process of a hub sees it: until it is killed.
type desk struct {
	*Shelf
	mortal
}

var _ hub.Store = (*desk)(nil)

func (d *desk) write(f func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mortal.write(f)
}

func (d *desk) kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
}

func raw(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // facts are data
	}
	return b
}

func (d *desk) put(kind, key string, v any) {
	if d.facts[kind] == nil {
		d.facts[kind] = map[string][]byte{}
	}
	d.facts[kind][key] = raw(v)
}

func read[T any](d *desk, kind string) (out []T, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(d.facts[kind])) {
		var v T
		if err := json.Unmarshal(d.facts[kind][k], &v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (d *desk) noted(c []hub.Change) {
	for _, x := range c {
		d.note(x)
	}
}

func (d *desk) Fleet(context.Context) (f hub.Fleet, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fleet != nil {
		err = json.Unmarshal(d.fleet, &f)
	}
	return f, err
}

func (d *desk) PutFleet(_ context.Context, f hub.Fleet, c ...hub.Change) error {
	return d.write(func() { d.fleet = raw(f); d.noted(c) })
}

func (d *desk) FleetCodes(context.Context) ([]hub.Code, error) { return read[hub.Code](d, "code") }
func (d *desk) FleetNodes(context.Context) ([]hub.Node, error) { return read[hub.Node](d, "node") }
func (d *desk) FleetMoves(context.Context) ([]hub.Move, error) { return read[hub.Move](d, "move") }
func (d *desk) FleetOverlays(context.Context) ([]hub.Overlay, error) {
	return read[hub.Overlay](d, "overlay")
}
func (d *desk) FleetAssignments(context.Context) ([]hub.Assignment, error) {
	return read[hub.Assignment](d, "assignment")
}

func (d *desk) PutFleetFacts(_ context.Context, w hub.Facts, c ...hub.Change) error {
	return d.write(func() {
		for _, x := range w.Codes {
			d.put("code", x.ID, x)
		}
		for _, x := range w.Nodes {
			d.put("node", x.ID, x)
		}
		for _, id := range w.Gone {
			delete(d.facts["node"], id)
		}
		for _, x := range w.Assignments {
			d.put("assignment", x.Scope+" "+x.Endpoint.Key().String(), x)
		}
		for _, x := range w.Moves {
			d.put("move", x.ID, x)
		}
		for _, x := range w.Overlays {
			d.put("overlay", x.Key(), x)
		}
		for _, k := range w.Lifted {
			delete(d.facts["overlay"], k)
		}
		d.noted(c)
	})
}

func (d *desk) AddFleetEvents(_ context.Context, node string, way hub.Way, now time.Time, list []spec.Event) (stored int, err error) {
	err = d.write(func() {
		for _, e := range list {
			var was *hub.KeptEvent
			if k, ok := d.events[node+" "+e.ID]; ok {
				was = &k
			} else {
				stored++
			}
			var keep *hub.KeptEvent
			if keep, d.tallies[node] = cloned(d.tallies[node]).Add(was, node, e, way, now); keep != nil {
				d.events[node+" "+e.ID] = *keep
			}
		}
	})
	return stored, err
}

// cloned is t with maps of its own: Add counts in them.
func cloned(t hub.Tally) hub.Tally {
	t.Events, t.Ways = maps.Clone(t.Events), maps.Clone(t.Ways)
	return t
}

func (d *desk) FleetEvents(context.Context, hub.EventQuery) ([]hub.KeptEvent, string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.SortedFunc(maps.Values(d.events), func(a, b hub.KeptEvent) int { return cmp.Compare(a.Node+a.Event.ID, b.Node+b.Event.ID) }), "", nil
}

func (d *desk) FleetTally(_ context.Context, node string) (hub.Tally, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return cloned(d.tallies[node]), nil
}

func (d *desk) PruneFleetEvents(context.Context, spec.Class, time.Time, int) error { return nil }
func (d *desk) PutFleetSummaries(context.Context, string, []summary.Summary, string) error {
	return nil
}
func (d *desk) FleetSummaries(context.Context, string, string, func(*summary.Of) bool) ([]summary.Of, error) {
	return nil, nil
}

// nothing is asked of nodes.
type nothing struct{}

func (nothing) Inquiries(context.Context) ([]inquiry.Inquiry, error) { return nil, nil }
func (nothing) PutInquiry(context.Context, inquiry.Inquiry, ...inquiry.Happened) error {
	return nil
}
func (nothing) DropInquiry(context.Context, string) error { return nil }
