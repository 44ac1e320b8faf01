package hub

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"edgeward"
	"edgeward/fleet/bundle"
	"edgeward/fleet/spec"
	"edgeward/sync/canonical"
	"edgeward/sync/tuf"
)

// Plan is a bundle that is about to be written.
type Plan struct {
	bundle.Index
	small map[string][]byte // by entry; the others are blobs
	bytes Bytes
}

// PlanBundle gathers what the members of a scope need: signed files, documents, manifests and whole blobs.
func (h *Hub) PlanBundle(ctx context.Context, scope string) (*Plan, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := cmp.Or(h.none(), h.over()); err != nil {
		return nil, err
	}
	scope, err := h.scope(scope, h.set)
	if err != nil {
		return nil, err
	}
	if err := h.freshen(ctx); err != nil {
		return nil, err
	}
	if err := h.render(ctx); err != nil {
		return nil, err
	}
	p := &Plan{small: map[string][]byte{}, bytes: h.o.Bytes,
		Index: bundle.Index{Format: bundle.Format, Kind: bundle.Updates, Fleet: h.fleet.ID, Name: h.fleet.Name, Made: h.o.Now().UTC().Truncate(time.Second), Until: h.o.Now().Add(documentLife)}}
	h.planTrust(p)
	manifests, blobs, view := map[edgeward.Digest]bool{}, map[edgeward.Digest]bool{}, h.view()
	for _, n := range sorted(h.nodes) {
		if n.Standing != Member || h.set.Rank(scope, n.server()) < 0 {
			continue
		}
		d, err := h.document(ctx, n)
		if err != nil {
			return nil, err
		}
		word, err := h.word(ctx, n)
		if err != nil {
			return nil, err
		}
		p.Nodes = append(p.Nodes, n.ID)
		p.add("desired/"+n.ID, d.envelope)
		p.add("word/"+n.ID, word)
		for _, e := range view.wanted(n) {
			if e.Key().Binary() {
				if f, _, err := h.o.Bytes.Open(ctx, e.Digest); err == nil { // a revoked one is gone, and the rest goes without it
					f.Close()
					blobs[e.Digest] = true
				}
				continue
			}
			m, err := h.o.Registry.Manifest(ctx, e.Group, e.Model, e.Digest)
			if err != nil {
				return nil, err
			}
			manifests[e.Digest] = true
			for _, b := range m.Blobs() {
				blobs[b] = true
			}
		}
	}
	if len(p.Nodes) == 0 {
		return nil, edgeward.E("hub.PlanBundle", edgeward.NotFound, "fleet.bundle_nobody", "no member of the fleet is in %s", scope).WithHint("edgeward fleet node list shows sites and ids")
	}
	for kind, set := range map[string]map[edgeward.Digest]bool{"manifests/": manifests, "blobs/": blobs} {
		for d := range set {
			r, size, err := h.o.Bytes.Open(ctx, d)
			if err != nil {
				return nil, err
			}
			r.Close()
			p.Entries = append(p.Entries, bundle.Entry{Name: kind + d.Hex(), Size: size})
		}
	}
	order := map[string]int{"trust": 0, "desired": 1, "word": 2, "manifests": 3, "blobs": 4}
	slices.SortStableFunc(p.Entries, func(a, b bundle.Entry) int {
		x, idA := a.Split()
		y, idB := b.Split()
		if order[x] != order[y] || order[x] == 0 {
			return order[x] - order[y]
		}
		return strings.Compare(idA, idB)
	})
	return p, nil
}

func (p *Plan) add(name string, b []byte) {
	p.small[name] = b
	p.Entries = append(p.Entries, bundle.Entry{Name: name, Size: int64(len(b))})
}

func (h *Hub) planTrust(p *Plan) {
	set := h.fleet.Set
	for i, b := range set.Roots {
		p.add("trust/"+tuf.Root+"/"+strconv.Itoa(i+1), b)
	}
	for _, l := range set.Lives() {
		if l.Expires.Before(p.Until) {
			p.Until = l.Expires
		}
		name := l.Role
		if l.Role != tuf.Timestamp {
			name += "/" + strconv.FormatInt(l.Version, 10)
		}
		if b, ok := set.File(name); ok && l.Role != tuf.Root {
			p.add("trust/"+name, b)
		}
	}
}

// word is what the hub says to a node that only files reach.
func (h *Hub) word(ctx context.Context, n Node) ([]byte, error) {
	t, err := h.o.Store.FleetTally(ctx, n.ID)
	if err != nil {
		return nil, err
	}
	w := bundle.Word{Format: bundle.Format, Fleet: h.fleet.ID, Node: n.ID, Issued: h.o.Now().UTC(), AuditSeq: t.AuditSeq, AuditID: t.AuditID, Chain: h.ca.Chain(n.Chain), Name: h.fleet.Name, Site: n.Site}
	for _, c := range spec.Classes {
		if c == spec.Audit {
			continue
		}
		page, _, err := h.o.Store.FleetEvents(ctx, EventQuery{Node: n.ID, Class: c, Limit: 1000})
		if err != nil {
			return nil, err
		}
		for _, k := range page {
			if k.Proved {
				w.Events = append(w.Events, k.Event.ID)
			}
		}
	}
	b, err := canonical.JSON(w)
	if err != nil {
		return nil, err
	}
	return tuf.SignEnvelope(bundle.PayloadWord, b, h.o.Key)
}

// Write writes the bundle.
func (p *Plan) Write(ctx context.Context, w io.Writer) error {
	out, err := bundle.NewWriter(w, p.Index)
	if err != nil {
		return err
	}
	for _, e := range p.Entries {
		if b, ok := p.small[e.Name]; ok {
			if err := out.Add(e.Name, bytes.NewReader(b)); err != nil {
				return err
			}
			continue
		}
		d, err := e.Digest()
		if err != nil {
			return err
		}
		r, _, err := p.bytes.Open(ctx, d)
		if err != nil {
			return err
		}
		err = out.Add(e.Name, r)
		r.Close()
		if err != nil {
			return err
		}
	}
	return out.Close()
}

// ReceiptTaken is what came of a receipt.
type ReceiptTaken struct {
	Node    string    `json:"node"`
	Name    string    `json:"name,omitempty"`
	Made    time.Time `json:"made"`
	Events  int       `json:"events"` // that were new
	Older   bool      `json:"older,omitempty"`
	Renewed bool      `json:"renewed,omitempty"`
}

// TakeReceipt takes what a node says by file: its state, which counts as what it reports over the wire, its events, and its request for a certificate.
func (h *Hub) TakeReceipt(ctx context.Context, by string, s bundle.SignedReceipt) (ReceiptTaken, error) {
	const op = "hub.TakeReceipt"
	peer, err := h.CA().Signed(bundle.ReceiptPurpose, s.Receipt, s.Certificate, s.Signature, h.o.Now())
	if err != nil {
		return ReceiptTaken{}, err
	}
	if peer.Former && !h.Issued(peer.Node, peer.Fingerprint) {
		return ReceiptTaken{}, edgeward.E(op, edgeward.Forbidden, "fleet.certificate", "the receipt is signed by a certificate that this hub did not issue").WithHint("join the server anew with a new code")
	}
	r, err := bundle.ParseReceipt(s.Receipt)
	if err != nil {
		return ReceiptTaken{}, err
	}
	if r.Node != peer.Node || r.State.Node != peer.Node || r.Fleet != h.Fleet().ID {
		return ReceiptTaken{}, edgeward.E(op, edgeward.Forbidden, "fleet.other_node", "node %s speaks for another", peer.Node)
	}
	out := ReceiptTaken{Node: r.Node, Name: r.State.Facts.Name, Made: r.Made}
	if out.Older, err = h.observed(ctx, by, r); err != nil {
		return out, err
	}
	if !out.Older {
		if err := h.met(ctx, r); err != nil {
			return out, err
		}
	}
	for list := range slices.Chunk(r.Events, spec.MaxEvents) {
		a, err := h.Take(ctx, r.Node, OverFile, slices.DeleteFunc(slices.Clone(list), func(e spec.Event) bool { return e.Check() != nil }))
		if err != nil {
			return out, err
		}
		out.Events += a.Stored
	}
	if len(r.Request) > 0 {
		if _, err := h.Renew(ctx, r.Node, r.Request); err != nil {
			return out, err
		}
		out.Renewed = true
	}
	h.Poke()
	return out, nil
}

// met holds what a node had when it made a receipt against what this hub has issued, as its call for a document would. What it had before a restore says nothing.
func (h *Hub) met(ctx context.Context, r bundle.Receipt) error {
	if f := h.Fleet(); f.Restored != nil && !r.State.At.After(f.Restored.At) {
		return nil
	}
	return h.ahead(ctx, r.Node, r.State.Rev)
}

// observed takes the state of a receipt, unless a newer one is known.
func (h *Hub) observed(ctx context.Context, by string, r bundle.Receipt) (older bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := h.member(r.Node)
	if err != nil {
		return false, err
	}
	if err := h.superseded(ctx, r.State.Term); err != nil {
		return false, err
	}
	if n.late(r.State) || r.State.Boot != n.Last.Boot && !r.State.At.After(n.Last.At) {
		return true, nil
	}
	own := h.heard(&n, r.State.Locals)
	r.State.Locals = nil
	h.stale = h.stale || n.Held || len(own) > 0
	n = n.says(r.State)
	n.Got, n.Receipt = r.State.At, h.o.Now()
	delete(h.allowed, n.ID)
	c := h.change(by, "fleet.node.receipt", n.ID, n.Last.Facts.Name, "")
	c.Detail = map[string]string{"revision": strconv.FormatUint(r.State.Rev, 10)}
	return false, h.put(ctx, Facts{Nodes: []Node{n}}, append(own, c)...)
}

// TakeReceipts takes every receipt of a bundle.
func (h *Hub) TakeReceipts(ctx context.Context, by string, r *bundle.Reader) (out []ReceiptTaken, err error) {
	h.mu.Lock()
	err = h.none()
	fleet := h.fleet.ID
	h.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if r.Index().Fleet != fleet {
		return nil, edgeward.E("hub.TakeReceipts", edgeward.Forbidden, "fleet.bundle_other", "the bundle is of another fleet")
	}
	for {
		e, b, err := r.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if kind, _ := e.Split(); kind != "receipt" {
			continue
		}
		if e.Size > 2*bundle.MaxReceipt {
			return out, edgeward.E("hub.TakeReceipts", edgeward.TooLarge, "fleet.receipt", "%d bytes", e.Size)
		}
		raw, err := io.ReadAll(b)
		if err != nil {
			return out, err
		}
		var s bundle.SignedReceipt
		if err := json.Unmarshal(raw, &s); err != nil {
			return out, edgeward.E("hub.TakeReceipts", edgeward.Invalid, "fleet.receipt", "%v", err)
		}
		t, err := h.TakeReceipt(ctx, by, s)
		if err != nil {
			return out, err
		}
		out = append(out, t)
	}
}
