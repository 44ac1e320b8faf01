package hub

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/inquiry"
	"edgeward/fleet/overlay"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/runtime/models"
	"edgeward/sync/together"
	"edgeward/sync/tuf"
)

// Bytes are the blobs of this server, manifests among them.
type Bytes interface {
	Open(ctx context.Context, d edgeward.Digest) (r io.ReadSeekCloser, size int64, err error)
}

// Registry is this server's own, where the fleet's versions come from.
type Registry interface {
	// Signable returns a version of a model of a group, by name of both, with the canonical bytes of its manifest.
	Signable(ctx context.Context, group, model string, number int) (models.Manifest, []byte, error)
	// Manifest returns a version's manifest by its digest.
	Manifest(ctx context.Context, group, model string, d edgeward.Digest) (models.Manifest, error)
}

// Options are what a Hub is made of. All are needed.
type Options struct {
	Store    Store
	CA       func(fleet string) (pki.CA, error)    // reads the CA, or makes it
	Key      tuf.Key                               // of the hub: snapshot, timestamp, director
	NextKey  func(tuf.Public) (tuf.Key, error)     // finds the key of the hub that a new charter names
	NextCA   func(edgeward.Digest) (pki.CA, error) // finds the CA that a new charter names last; nil: it is never another
	Registry Registry
	Bytes    Bytes
	Adopting Adopting
	Deltas   Deltas        // nil: there are none
	Shape    Shape         // nil: nothing is known of what nodes showed together
	Desk     *inquiry.Desk // what persons ask of nodes
	Audit    AuditLog      // of this server, which nodes are to witness; nil: none does
	Now      func() time.Time
	NewID    func() string
	Log      *slog.Logger
}

// Online is how long after its last call a node still counts as there. A node calls at least once a minute.
const Online = 90 * time.Second

// documentLife is how long a desired document may be taken.
const documentLife = 14 * 24 * time.Hour

// rest is how long Run waits at least between two looks: where thousands of nodes report, each report asks for one.
const rest = 100 * time.Millisecond

// Hub is safe for concurrent use.
type Hub struct {
	o       Options
	poke    chan struct{}
	reports *together.Group[spec.Reported]

	mu          sync.Mutex
	ca          pki.CA
	fleet       Fleet
	codes       map[string]Code
	nodes       map[string]Node
	assignments map[string]Assignment // by scope and key
	moves       map[string]Move
	measured    map[string]measured // of running rollouts
	overlays    map[string]Overlay  // by key
	set         *overlay.Set        // of overlays
	documents   map[string]document // of nodes, as far as they were asked for
	bells       map[string][]*bell  // of nodes' calls that wait
	dirty       map[string]bool     // nodes whose report is newer than the one kept
	allowed     map[string]map[edgeward.Digest]Part
	bringing    map[string]bool      // nodes that bring events
	renewing    int                  // calls for a certificate under way
	boots       map[string]pki.Watch // by reports
	calls       map[string]pki.Watch // by long polls, which are numbered here
	call        uint64
	guesses     guesses
	releases    releases
	freshened   time.Time
	ringed      time.Time              // the key rings of the sites were looked at
	stale       bool                   // something that documents are made of has changed since rendered
	rendered    time.Time              // last, all of them
	keys        map[string]delegated   // that sign for sites, as the last rendering saw them
	rosters     map[string][]spec.Peer // of sites, as the last rendering saw them
	members     int                    // that it saw
}

type document struct {
	rev      uint64
	envelope []byte
}

// Open reads what the store has.
func Open(ctx context.Context, o Options) (*Hub, error) {
	h := &Hub{o: o, poke: make(chan struct{}, 1), stale: true,
		documents: map[string]document{}, bells: map[string][]*bell{}, dirty: map[string]bool{}, bringing: map[string]bool{}, allowed: map[string]map[edgeward.Digest]Part{}, boots: map[string]pki.Watch{}, calls: map[string]pki.Watch{}, measured: map[string]measured{}}
	h.reports = together.New(maxReports, h.reported)
	f, err := o.Store.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	h.fleet = f
	if f.ID != "" {
		if h.ca, err = o.CA(f.ID); err != nil {
			return nil, err
		}
		if ca, _, err := h.successor(f, h.ca); err != nil {
			o.Log.Error("the hub goes on with the authority before", "err", err)
		} else {
			h.inherit(f, ca)
		}
	}
	if h.codes, err = keyed(ctx, o.Store.FleetCodes, func(c Code) string { return c.ID }); err != nil {
		return nil, err
	}
	if h.nodes, err = keyed(ctx, o.Store.FleetNodes, func(n Node) string { return n.ID }); err != nil {
		return nil, err
	}
	if h.assignments, err = keyed(ctx, o.Store.FleetAssignments, Assignment.key); err != nil {
		return nil, err
	}
	if h.overlays, err = keyed(ctx, o.Store.FleetOverlays, func(o Overlay) string { return o.Key() }); err != nil {
		return nil, err
	}
	h.set = laid(h.overlays)
	h.moves, err = keyed(ctx, o.Store.FleetMoves, func(m Move) string { return m.ID })
	return h, err
}

// keyed reads a list of the store into a map.
func keyed[T any](ctx context.Context, read func(context.Context) ([]T, error), key func(T) string) (map[string]T, error) {
	list, err := read(ctx)
	out := make(map[string]T, len(list))
	for _, v := range list {
		out[key(v)] = v
	}
	return out, err
}

func (a Assignment) key() string { return a.Scope + "\x00" + a.Endpoint.Key().String() }

// Fleet returns the fleet; the zero Fleet before there is one.
func (h *Hub) Fleet() Fleet {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fleet
}

// CA is the fleet's authority; the zero CA before there is a fleet.
func (h *Hub) CA() pki.CA {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ca
}

// Poke makes Run look at once.
func (h *Hub) Poke() {
	select {
	case h.poke <- struct{}{}:
	default:
	}
}

// Run brings rollouts forward, keeps reports and freshens the repository, until ctx ends.
func (h *Hub) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second) // room:clock how often is looked, not what time it is
	defer tick.Stop()
	for n := 0; ; n++ {
		began := time.Now() // room:clock how long a look takes
		if err := h.Turn(ctx); err != nil && ctx.Err() == nil {
			h.o.Log.Error("the fleet was not brought forward", "err", err)
		}
		if n%30 == 29 {
			h.keep(ctx)
			if err := h.o.Desk.Sweep(ctx); err != nil && ctx.Err() == nil {
				h.o.Log.Warn("what nodes were asked was not tidied up", "err", err)
			}
		}
		if n%3600 == 60 {
			h.prune(ctx)
		}
		select {
		case <-ctx.Done():
		case <-time.After(max(rest, 3*time.Since(began))): // room:clock how often is looked: calls wait meanwhile
		}
		select {
		case <-ctx.Done():
			h.keep(context.WithoutCancel(ctx))
			return nil
		case <-tick.C:
		case <-h.poke:
		}
	}
}

// Turn does what is due now.
func (h *Hub) Turn(ctx context.Context) error {
	h.measure(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fleet.ID == "" {
		return nil
	}
	if err := h.freshen(ctx); err != nil {
		return err
	}
	if err := h.bringForward(ctx); err != nil {
		return err
	}
	if err := h.turnRings(ctx); err != nil {
		return err
	}
	if err := h.startPinned(ctx); err != nil {
		return err
	}
	return h.render(ctx)
}

// keep writes the reports that changed only a little.
func (h *Hub) keep(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var w Facts
	for id := range h.dirty {
		w.Nodes = append(w.Nodes, h.nodes[id])
	}
	if len(w.Nodes) == 0 {
		return
	}
	if err := h.o.Store.PutFleetFacts(ctx, w); err != nil {
		h.o.Log.Warn("reports of nodes are not kept", "err", err)
		return
	}
	clear(h.dirty)
}

// put writes facts and takes them over.
func (h *Hub) put(ctx context.Context, w Facts, c ...Change) error {
	if err := h.o.Store.PutFleetFacts(ctx, w, c...); err != nil {
		return err
	}
	for _, x := range w.Codes {
		h.codes[x.ID] = x
	}
	for _, x := range w.Nodes {
		old := h.nodes[x.ID]
		h.stale = h.stale || old.Standing != x.Standing || old.Site != x.Site || !old.Until.Equal(x.Until) || !slices.Equal(old.Last.Gossip.Addresses, x.Last.Gossip.Addresses) ||
			old.Pair != x.Pair || !maps.Equal(old.Tags, x.Tags)
		h.nodes[x.ID] = x
		delete(h.dirty, x.ID)
	}
	for _, id := range w.Gone {
		delete(h.nodes, id)
		delete(h.documents, id)
		delete(h.allowed, id)
	}
	h.stale = h.stale || len(w.Assignments)+len(w.Moves)+len(w.Overlays)+len(w.Lifted) > 0
	for _, x := range w.Overlays {
		h.overlays[x.Key()] = x
	}
	for _, k := range w.Lifted {
		delete(h.overlays, k)
	}
	if len(w.Overlays)+len(w.Lifted) > 0 {
		h.set = laid(h.overlays)
	}
	for _, x := range w.Assignments {
		h.assignments[x.key()] = x
	}
	for _, x := range w.Moves {
		h.moves[x.ID] = x
	}
	return nil
}

func (h *Hub) change(by, action, object, name, reason string) Change {
	return Change{By: by, Action: action, Object: object, Name: name, Reason: reason, At: h.o.Now()}
}

// sorted returns the values of m by their keys.
func sorted[T any](m map[string]T) []T {
	out := make([]T, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out
}

// none is the answer where there is no fleet.
func (h *Hub) none() error {
	if h.fleet.ID != "" {
		return nil
	}
	return edgeward.E("hub", edgeward.Conflict, "fleet.none", "this server is not the hub of a fleet").WithHint("make one: edgeward fleet init NAME")
}
