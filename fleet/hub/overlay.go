package hub

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"edgeward"
	"edgeward/fleet/overlay"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/sync/canonical"
)

// laid is the set of overlays.
func laid(overlays map[string]Overlay) *overlay.Set {
	docs := make([]overlay.Document, 0, len(overlays))
	for _, o := range overlays {
		docs = append(docs, o.Document)
	}
	return overlay.New(docs)
}

// maxOverlays bounds what a hub keeps.
const maxOverlays = 20_000

// Overlays are all that are kept, by key.
func (h *Hub) Overlays() []Overlay {
	h.mu.Lock()
	defer h.mu.Unlock()
	return sorted(h.overlays)
}

// Applied says what applying documents changed, or would change.
type Applied struct {
	Dry       bool             `json:"dry_run,omitempty"`
	Documents []DocumentChange `json:"documents"`        // as they came
	Nodes     []NodeChange     `json:"nodes"`            // by name; at most 1,000
	Touched   int              `json:"nodes_touched"`    // how many there are
	Rollouts  []Started        `json:"rollouts"`         // that versions begin
	Changes   int              `json:"documents_change"` // documents that are not the same as before
}

// DocumentChange is what becomes of a document: "new", "changed", "gone" or "same".
type DocumentChange struct {
	Kind  overlay.Kind `json:"kind"`
	Scope string       `json:"scope,omitempty"`
	Name  string       `json:"name,omitempty"`
	What  string       `json:"what"`
}

// NodeChange is what would be otherwise in a node's document, or at its place.
type NodeChange struct {
	ID    string       `json:"id"`
	Name  string       `json:"name"`
	Lines []Difference `json:"changes"`
}

// Difference is one line of it; Before or After is empty where there is nothing.
type Difference struct {
	What   string `json:"what"` // "window nights", "tag line", "endpoint main/triage version"
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Started is a rollout that a version in a document begins. ID is empty while it waits for another one of its endpoint.
type Started struct {
	ID       string `json:"id,omitempty"`
	Scope    string `json:"scope"`
	Endpoint string `json:"endpoint"`
	From     int    `json:"from,omitempty"`
	Model    string `json:"model"`
	Version  int    `json:"version"`
}

// maxNodeChanges bounds an answer.
const maxNodeChanges = 1000

// Apply takes documents, all or none: what each says replaces what a document with its key said. A version in an endpoint document starts a rollout of
// its scope, unless the version is there or on its way; one that another rollout of the endpoint keeps from starting follows it. dry changes nothing. Endpoint
// documents are of group.
func (h *Hub) Apply(ctx context.Context, by, group string, docs []overlay.Document, reason string, dry bool) (Applied, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.none(); err != nil {
		return Applied{}, err
	}
	p := &plan{h: h, by: by, overlays: maps.Clone(h.overlays), nodes: map[string]Node{}, out: Applied{Dry: dry, Documents: []DocumentChange{}, Nodes: []NodeChange{}, Rollouts: []Started{}}}
	if len(docs) > overlay.MaxDocuments {
		return p.out, edgeward.E("hub.Apply", edgeward.TooLarge, "fleet.overlay", "more than %d documents at once", overlay.MaxDocuments)
	}
	seen := map[string]bool{}
	for _, d := range docs {
		if d.Kind == overlay.Endpoint {
			d.Group = group
		}
		if err := p.take(d.Settled(), seen); err != nil {
			return p.out, err
		}
	}
	p.set = laid(p.overlays)
	if err := p.holds(); err != nil {
		return p.out, err
	}
	if err := p.versions(ctx, reason); err != nil {
		return p.out, err
	}
	p.compare()
	if dry || p.out.Changes+len(p.w.Overlays)+len(p.w.Moves) == 0 {
		return p.out, nil
	}
	for _, m := range p.w.Moves {
		p.changes = append(p.changes, h.change(by, "fleet.rollout.created", m.ID, m.Endpoint.Name, reason))
	}
	for i := range p.changes {
		p.changes[i].Reason = reason
	}
	if err := h.put(ctx, p.w, p.changes...); err != nil {
		return p.out, err
	}
	h.prepare(ctx, p.w.Moves...)
	h.Poke()
	return p.out, nil
}

// plan is one Apply.
type plan struct {
	h        *Hub
	by       string
	overlays map[string]Overlay // as they would be
	nodes    map[string]Node    // that would be placed elsewhere
	set      *overlay.Set
	pinned   []string // keys of documents with a version that are applied
	w        Facts
	changes  []Change
	out      Applied
}

// take lays one document over what is there.
func (p *plan) take(d overlay.Document, seen map[string]bool) error {
	if err := d.Check(); err != nil {
		return err
	}
	name := d.Name
	if d.Kind == overlay.Node {
		n, err := p.h.named(d.Name)
		if err != nil {
			return err
		}
		d.Name, name = n.ID, n.Last.Facts.Name
	}
	if scope, node, _ := strings.Cut(d.Scope, "/"); scope == "node" {
		n, err := p.h.named(node)
		if err != nil {
			return err
		}
		d.Scope = "node/" + n.ID
	}
	if seen[d.Key()] {
		return edgeward.E("hub.Apply", edgeward.Invalid, "fleet.overlay", "%s %s stands twice", d.Kind, cmp.Or(name, d.Scope))
	}
	seen[d.Key()] = true
	what, err := p.lay(d)
	if err != nil {
		return err
	}
	p.out.Documents = append(p.out.Documents, DocumentChange{d.Kind, d.Scope, name, what})
	if what == "same" {
		return nil
	}
	p.out.Changes++
	c := p.h.change(p.by, "fleet.overlay."+what, d.Key(), cmp.Or(name, d.Scope), "")
	c.Detail = map[string]string{"kind": string(d.Kind), "scope": d.Scope}
	p.changes = append(p.changes, c)
	return nil
}

// lay says what becomes of d, and notes it.
func (p *plan) lay(d overlay.Document) (what string, err error) {
	if d.Kind == overlay.Node {
		was := p.h.nodes[d.Name]
		where := Where{Tags: d.Tags}
		if d.Site != "" {
			where.Site = &d.Site
		}
		if d.Pair != "" {
			where.Pair = &d.Pair
		}
		n, err := where.on(was)
		if err != nil || n.Site == was.Site && n.Pair == was.Pair && maps.Equal(n.Tags, was.Tags) {
			return "same", err
		}
		p.nodes[n.ID] = n
		p.w.Nodes = append(p.w.Nodes, n)
		return "changed", nil
	}
	key := d.Key()
	old, there := p.overlays[key]
	switch {
	case d.Absent && !there:
		return "same", nil
	case d.Absent:
		delete(p.overlays, key)
		p.w.Lifted = append(p.w.Lifted, key)
		return "gone", nil
	}
	if d.Version != "" {
		p.pinned = append(p.pinned, key)
	}
	if there && text(old.Document) == text(d) {
		return "same", nil
	}
	if len(p.overlays) >= maxOverlays {
		return "", edgeward.E("hub.Apply", edgeward.TooLarge, "fleet.overlay", "more than %d documents", maxOverlays)
	}
	o := Overlay{Document: d, Changed: p.h.o.Now(), By: p.by, Met: old.Met}
	if d.Version == old.Version {
		o.Move = old.Move
	}
	p.overlays[key] = o
	p.w.Overlays = append(p.w.Overlays, o)
	if there {
		return "changed", nil
	}
	return "new", nil
}

// text is what documents are compared by.
func text(v any) string {
	b, err := canonical.JSON(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// holds checks that the documents fit together, and that each node could obey.
func (p *plan) holds() error {
	need := func(scope string) error {
		_, err := p.h.scope(scope, p.set)
		return err
	}
	for _, k := range slices.Sorted(maps.Keys(p.overlays)) {
		if o := p.overlays[k]; o.Scope != "" && !strings.HasPrefix(o.Scope, "node/") { // a node may have been forgotten since
			if err := need(o.Scope); err != nil {
				return err
			}
		}
	}
	for _, a := range p.h.assignments {
		if strings.HasPrefix(a.Scope, "selection/") && need(a.Scope) != nil {
			return edgeward.E("hub.Apply", edgeward.Conflict, "fleet.selection_used", "a version of endpoint %s was rolled out to %s", a.Endpoint.Name, a.Scope).WithHint("keep the selection")
		}
	}
	for _, m := range p.h.open() {
		if strings.HasPrefix(m.Scope, "selection/") && need(m.Scope) != nil {
			return edgeward.E("hub.Apply", edgeward.Conflict, "fleet.selection_used", "rollout %s is under way in %s", m.ID, m.Scope).WithHint("let it end first")
		}
	}
	for _, n := range sorted(p.h.nodes) {
		if err := p.set.Policy(p.placed(n).server()).Check(); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) placed(n Node) Node {
	if at, ok := p.nodes[n.ID]; ok {
		return at
	}
	return n
}

// versions begins the rollouts that the applied documents stand for.
func (p *plan) versions(ctx context.Context, reason string) error {
	open := p.h.open()
	for _, key := range p.pinned {
		o := p.overlays[key]
		m, err := p.h.pin(ctx, o, p.set, reason, open)
		if err != nil {
			return err
		}
		if m == nil {
			if o.Move == "" {
				o.Move = noMove
				p.keep(o)
			}
			continue
		}
		s := Started{Scope: m.Scope, Endpoint: m.Endpoint.String(), From: m.From.Number, Model: m.To.Model, Version: m.To.Number}
		if !busy(m.Endpoint, open) {
			s.ID, o.Move = m.ID, m.ID
			p.w.Moves, open = append(p.w.Moves, *m), append(open, *m)
			p.keep(o)
		} else if o.Move != "" {
			o.Move = "" // once more, when its turn comes
			p.keep(o)
		}
		p.out.Rollouts = append(p.out.Rollouts, s)
	}
	return nil
}

func (p *plan) keep(o Overlay) {
	p.overlays[o.Key()] = o
	p.w.Overlays = append(slices.DeleteFunc(p.w.Overlays, func(x Overlay) bool { return x.Key() == o.Key() }), o)
}

// pin is the rollout that an endpoint document with a version stands for; nil if the version is there, or on its way by one of those that are open.
func (h *Hub) pin(ctx context.Context, o Overlay, set *overlay.Set, reason string, open []Move) (*Move, error) {
	model, number, err := o.Pin()
	if err != nil {
		return nil, err
	}
	rules, err := o.Plan()
	if err != nil {
		return nil, err
	}
	order := Order{Key: h.o.NewID(), Scope: o.Scope, Endpoint: o.Name, Title: o.Title, Model: model, Version: number, Plan: rules, Reason: reason}
	m, err := h.ordered(ctx, o.By, o.Group, order, set)
	if err != nil || m.From == m.To {
		return nil, err
	}
	for _, x := range open {
		if x.Endpoint == m.Endpoint && x.Scope == m.Scope && x.To == m.To && x.State != rollout.RollingBack {
			return nil, nil
		}
	}
	return &m, nil
}

// waits reports whether a rollout of o's endpoint is open, and none of o's version in its scope. It is cheap: pin verifies the whole repository.
func (o Overlay) waits(open []Move) bool {
	k := spec.Key{Group: o.Group, Name: o.Name}
	model, number, err := o.Pin()
	its := func(m Move) bool {
		return m.Endpoint == k && m.Scope == o.Scope && m.To.Model == model && m.To.Number == number
	}
	return err == nil && busy(k, open) && !slices.ContainsFunc(open, its)
}

// noMove is the Move of a version that no rollout needs to bring: it is there or on its way, or cannot be rolled out.
const noMove = "none"

// busy reports whether one of the rollouts that are open is of an endpoint.
func busy(k spec.Key, open []Move) bool {
	return slices.ContainsFunc(open, func(m Move) bool { return m.Endpoint == k })
}

// startPinned begins rollouts of versions in documents that waited for another rollout of their endpoint.
func (h *Hub) startPinned(ctx context.Context) error {
	var waits []string
	for k, o := range h.overlays {
		if o.Version != "" && o.Move == "" {
			waits = append(waits, k)
		}
	}
	slices.Sort(waits)
	open := h.open()
	for _, k := range waits {
		o := h.overlays[k]
		if o.waits(open) {
			continue
		}
		m, err := h.pin(ctx, o, h.set, "", open)
		if err != nil {
			h.o.Log.Warn("the version of a document is not rolled out", "endpoint", o.Name, "scope", o.Scope, "err", err)
			o.Move = noMove
		} else if m == nil {
			o.Move = noMove
		} else if busy(m.Endpoint, open) {
			continue
		} else {
			o.Move = m.ID
		}
		w, c := Facts{Overlays: []Overlay{o}}, []Change(nil)
		if m != nil && err == nil {
			w.Moves, c = []Move{*m}, []Change{h.change(o.By, "fleet.rollout.created", m.ID, m.Endpoint.Name, "")}
			open = append(open, *m)
		}
		if err := h.put(ctx, w, c...); err != nil {
			return err
		}
		h.prepare(ctx, w.Moves...)
	}
	return nil
}

// compare holds each member's document against the one it would get.
func (p *plan) compare() {
	was := p.h.view()
	is := view{was.assignments, append(slices.Clone(was.moves), p.w.Moves...), p.set}
	for _, n := range sorted(p.h.nodes) {
		if n.Standing != Member {
			continue
		}
		lines := differences(was.lines(n), is.lines(p.placed(n)))
		if len(lines) == 0 {
			continue
		}
		if p.out.Touched++; p.out.Touched <= maxNodeChanges {
			p.out.Nodes = append(p.out.Nodes, NodeChange{n.ID, n.Last.Facts.Name, lines})
		}
	}
	slices.SortFunc(p.out.Nodes, func(a, b NodeChange) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
}

// lines are all that is said of n, in words for people.
func (v view) lines(n Node) map[string]string {
	out, s := map[string]string{"site": n.Site, "pair": n.Pair}, n.server()
	for k, t := range n.Tags {
		out["tag "+k] = t
	}
	policy := v.set.Policy(s)
	for _, w := range policy.Windows {
		out["window "+w.Name] = w.Words()
	}
	for _, r := range policy.Rates {
		out["rate "+r.Name] = r.Words()
	}
	if policy.Autonomy != (spec.Autonomy{}) {
		out["autonomy"] = policy.Autonomy.Words()
	}
	for _, e := range v.wanted(n) {
		at := "endpoint " + e.Key().String() + " "
		out[at+"version"] = versionOf(e).Ref()
		out[at+"title"] = e.Title
		out[at+"probation"] = e.Probation.Words()
	}
	for _, m := range v.moves { // what a rollout is to bring, though nobody was told yet
		if at, to := "endpoint "+m.Endpoint.String()+" version", m.To.Ref(); takes(s, m.Endpoint) && v.set.Rank(m.Scope, s) >= 0 && out[at] != to {
			if m.State != rollout.RollingBack {
				if out[at] != "" {
					out[at] += " → "
				}
				out[at] += to + " by a rollout"
			}
		}
	}
	return out
}

func differences(was, is map[string]string) (out []Difference) {
	keys := maps.Clone(was)
	maps.Copy(keys, is)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if was[k] != is[k] {
			out = append(out, Difference{k, was[k], is[k]})
		}
	}
	return out
}
