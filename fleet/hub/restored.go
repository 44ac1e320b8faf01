package hub

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/sync/canonical"
	"edgeward/sync/tuf"
)

// Restored says that this hub goes on from a backup.
type Restored struct {
	Made  time.Time `json:"made"` // the backup
	At    time.Time `json:"at"`
	Trust bool      `json:"trust,omitempty"` // a node gave back files that persons had signed since
}

// maxReturned bounds the signed files a node gives back.
const maxReturned = 64 << 20

// maxRev bounds a revision that a node says it has.
const maxRev = 1 << 53

// Restart begins a new term of a hub that was restored from a backup: nodes do not go back to the term before, and documents that were
// issued after the backup are not undone: see ahead. hubs, if any, are the addresses of this server, which nodes call first.
func (h *Hub) Restart(ctx context.Context, made time.Time, hubs []string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fleet.ID == "" {
		return nil
	}
	f := h.fleet
	f.Term++
	f.Restored, f.Superseded = &Restored{Made: made, At: h.o.Now()}, time.Time{}
	f.Hubs = firstThen(hubs, f.Hubs)
	c := h.change("system:fleet", "fleet.restored", f.ID, f.Name, "")
	c.Detail = map[string]string{"backup": made.UTC().Format(time.RFC3339)}
	if err := h.o.Store.PutFleet(ctx, f, c); err != nil {
		return err
	}
	h.fleet, h.stale = f, true
	var w Facts
	for _, n := range sorted(h.nodes) {
		if n.Standing == Member {
			n.Unmet = true
			w.Nodes = append(w.Nodes, n)
		}
	}
	return h.put(ctx, w)
}

// firstThen is a, then what of b is not in it.
func firstThen(a, b []string) []string {
	out := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out[:min(len(out), spec.MaxHubs)]
}

// SetHubs says which addresses nodes call, in the order to try. They learn it from their next document.
func (h *Hub) SetHubs(ctx context.Context, by string, hubs []string, reason string) (Fleet, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.none(); err != nil {
		return h.fleet, err
	}
	if len(hubs) == 0 || len(hubs) > spec.MaxHubs {
		return h.fleet, edgeward.E("hub.SetHubs", edgeward.Invalid, "fleet.hubs", "one to %d addresses", spec.MaxHubs)
	}
	for _, a := range hubs {
		if !spec.IsHub(a) {
			return h.fleet, edgeward.E("hub.SetHubs", edgeward.Invalid, "fleet.hubs", "%.200q is no address nodes can call", a).WithHint("such as https://hub.hospital.lan:8443")
		}
	}
	f := h.fleet
	f.Hubs = slices.Clone(hubs)
	if err := h.o.Store.PutFleet(ctx, f, h.change(by, "fleet.hubs_changed", f.ID, f.Name, reason)); err != nil {
		return h.fleet, err
	}
	h.fleet, h.stale = f, true
	h.Poke()
	return f, nil
}

// ahead compares what a member says it has with what this hub has issued. A revision that it never issued means that the hub was restored from a
// backup: its next one goes above; and as long as the document would change what the node runs, the node is held: it gets none until a person
// decides (Release).
func (h *Hub) ahead(ctx context.Context, id string, have uint64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := h.member(id)
	if err != nil || have > maxRev || have <= n.Rev && !n.Unmet {
		return err
	}
	n.Unmet, h.stale = false, true
	if have <= n.Rev {
		return h.put(ctx, Facts{Nodes: []Node{n}})
	}
	n.Rev, n.Content, n.Held = have, "", h.fleet.Restored != nil
	delete(h.documents, id)
	return h.put(ctx, Facts{Nodes: []Node{n}}, h.change("system:fleet", "fleet.node.ahead", id, n.Last.Facts.Name, "it has a document that this hub does not know"))
}

// asHub reports whether the hub would tell a held node what it runs anyway.
func (v view) asHub(n Node) bool {
	want := map[spec.Key]edgeward.Digest{}
	for _, e := range v.wanted(n) {
		want[e.Key()] = e.Digest
	}
	if len(want) != len(n.States()) {
		return false
	}
	for _, s := range n.States() {
		if want[s.Key()] != s.Want && s.Local == 0 {
			return false
		}
	}
	return true
}

// Release lets the hub's state count again on the nodes that are held: they get its documents, whatever they run. An empty id means all.
func (h *Hub) Release(ctx context.Context, by, id, reason string) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var w Facts
	var c []Change
	for _, n := range sorted(h.nodes) {
		if n.Held && (id == "" || n.ID == id) {
			n.Held, n.Content = false, ""
			w.Nodes = append(w.Nodes, n)
			c = append(c, h.change(by, "fleet.node.released", n.ID, n.Last.Facts.Name, reason))
		}
	}
	if len(w.Nodes) == 0 {
		return 0, nil
	}
	if err := h.put(ctx, w, c...); err != nil {
		return 0, err
	}
	h.stale = true
	h.Poke()
	return len(w.Nodes), nil
}

// termFor is what tells a node that a hub from before this one is to be followed no more, where no document has said so yet, as to one that is held; nil for others.
func (h *Hub) termFor(id string) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.nodes[id].Last.Term >= h.fleet.Term {
		return nil, nil
	}
	b, err := canonical.JSON(spec.Term{Format: spec.Format, Fleet: h.fleet.ID, Term: h.fleet.Term})
	if err != nil {
		return nil, err
	}
	return tuf.SignEnvelope(spec.PayloadTerm, b, h.o.Key)
}

// superseded notes that a node follows a hub of a later term: this one was moved or restored elsewhere, and says nothing more.
func (h *Hub) superseded(ctx context.Context, term uint64) error {
	if term <= h.fleet.Term || !h.fleet.Superseded.IsZero() {
		return nil
	}
	f := h.fleet
	f.Superseded = h.o.Now()
	if err := h.o.Store.PutFleet(ctx, f, h.change("system:fleet", "fleet.superseded", f.ID, f.Name, "a node follows a hub that was restored or moved later")); err != nil {
		return err
	}
	h.fleet = f
	h.o.Log.Error("another hub of this fleet was restored or moved later: this one tells nodes nothing any more", "fleet", f.Name)
	for id := range h.bells {
		h.wake(id)
	}
	return nil
}

// over is why a hub that another one has followed tells nothing.
func (h *Hub) over() error {
	if h.fleet.Superseded.IsZero() {
		return nil
	}
	return edgeward.E("hub", edgeward.Conflict, "fleet.superseded", "another hub of this fleet was restored or moved later").WithHint("stop this server, or restore it from a newer backup")
}

// returned takes the signed files of a node that are newer than the hub's.
func (h *Hub) returned(w http.ResponseWriter, r *http.Request, id string) error {
	b, err := body(r, maxReturned)
	if err != nil {
		return err
	}
	var s tuf.Set
	if err := json.Unmarshal(b, &s); err != nil {
		return edgeward.E("hub.returned", edgeward.Invalid, "fleet.trust", "%v", err)
	}
	if err := h.Return(r.Context(), id, s); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Return takes back from a node what persons signed after the backup that this hub was restored from. It is verified as if it came from anybody.
func (h *Hub) Return(ctx context.Context, id string, s tuf.Set) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := h.member(id)
	if err != nil {
		return err
	}
	if h.fleet.Restored == nil {
		return edgeward.E("hub.Return", edgeward.Conflict, "fleet.not_restored", "this hub was not restored from a backup")
	}
	set, changed, err := tuf.Recover(h.fleet.Set, s, h.o.Key, h.o.Now())
	if err != nil || !changed {
		return err
	}
	f := h.fleet
	f.Set, f.Pending = set, nil
	r := *f.Restored
	r.Trust = true
	f.Restored = &r
	ca, heritage, err := h.successor(f, h.ca)
	if err != nil {
		h.o.Log.Error("the hub goes on with the authority before", "err", err)
		ca, heritage = h.ca, f.Heritage
	}
	f.Heritage = heritage
	if err := h.o.Store.PutFleet(ctx, f, h.change("system:fleet", "fleet.trust_recovered", id, n.Last.Facts.Name, "persons had signed it after the backup")); err != nil {
		return err
	}
	h.fleet, h.stale = f, true
	h.inherit(f, ca)
	clear(h.allowed)
	return nil
}
