package hub

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"edgeward"
	"edgeward/fleet/overlay"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/runtime/models"
	"edgeward/sync/tuf"
)

// Order is what a person asks for: this version behind this endpoint, or this binary, on the nodes of a scope.
type Order struct {
	Key       string          `json:"key,omitempty"`    // a second Order with the same Key returns the first rollout
	Scope     string          `json:"scope,omitempty"`  // Everywhere if empty
	Select    string          `json:"select,omitempty"` // in place of Scope: the nodes that these tags mean (fleet/selector)
	Endpoint  string          `json:"endpoint,omitempty"`
	Title     string          `json:"title,omitempty"`
	Model     string          `json:"model,omitempty"`
	Version   int             `json:"version,omitempty"`
	Binary    edgeward.Digest `json:"binary,omitempty"` // of a signed binary of edgeward, in place of endpoint, model and version
	Plan      rollout.Plan    `json:"plan,omitzero"`
	Probation spec.Probation  `json:"probation,omitzero"`
	Now       bool            `json:"now,omitempty"` // it does not wait for maintenance windows; needs a reason
	Reason    string          `json:"reason,omitempty"`
}

// StartRollout begins one, in a group by its name. It needs a version that the repository names; "fleet.unsigned" says what is missing,
// "fleet.revoked" that a person forbade it for good.
func (h *Hub) StartRollout(ctx context.Context, by, group string, o Order) (Move, error) {
	const op = "hub.StartRollout"
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.none(); err != nil {
		return Move{}, err
	}
	if m, ok := h.moves[o.Key]; ok && o.Key != "" {
		return m, nil
	}
	if o.Key == "" {
		o.Key = h.o.NewID()
	}
	if o.Now && o.Reason == "" {
		return Move{}, edgeward.E(op, edgeward.Invalid, "fleet.now_reason", "what does not wait for windows needs a reason").WithHint("give --reason")
	}
	if o.Select != "" {
		if o.Scope != "" && o.Scope != Everywhere {
			return Move{}, edgeward.E(op, edgeward.Invalid, "fleet.scope", "a rollout has a scope or a selector, not both")
		}
		o.Scope = "select/" + o.Select
	}
	move, err := h.ordered(ctx, by, group, o, h.set)
	if err != nil {
		return Move{}, err
	}
	for _, m := range h.moves {
		if m.Endpoint == move.Endpoint && !m.State.Final() {
			return Move{}, edgeward.E(op, edgeward.Conflict, "fleet.rollout_under_way", "%s is being rolled out: %s", m.called(), m.ID).With("rollout", m.ID).
				WithHint("let it end, or abort it: edgeward fleet rollout abort %s", m.ID)
		}
	}
	if move.From.Digest == move.To.Digest {
		return Move{}, edgeward.E(op, edgeward.Conflict, "fleet.already_there", "version %s is what the nodes should run already", move.To.Name())
	}
	if err := h.put(ctx, Facts{Moves: []Move{move}}, h.change(by, "fleet.rollout.created", move.ID, move.called(), o.Reason)); err != nil {
		return Move{}, err
	}
	h.prepare(ctx, move)
	h.Poke()
	return move, nil
}

// ordered is the rollout that o asks for, with o.Key as its id. Nothing of it is kept.
func (h *Hub) ordered(ctx context.Context, by, group string, o Order, set *overlay.Set) (Move, error) {
	if o.Scope == "" {
		o.Scope = Everywhere
	}
	scope, err := h.scope(o.Scope, set)
	if err != nil {
		return Move{}, err
	}
	if err := o.Plan.Check(); err != nil {
		return Move{}, err
	}
	to, err := h.ordersFor(ctx, group, o)
	if err != nil {
		return Move{}, err
	}
	if o.Binary != "" && o.Plan.Gate.Requests > 0 {
		return Move{}, edgeward.E("hub.ordered", edgeward.Invalid, "rollout.plan", "a binary answers no requests of its own: there is nothing to wait for").WithHint("leave --measured out: a binary is on trial on each node until it answers on every endpoint")
	}
	from := rollout.Version{}
	if a, ok := h.assigned(scope, to); ok {
		from = versionOf(a.Endpoint)
		if a.Endpoint.Model != to.Model {
			return Move{}, edgeward.E("hub.ordered", edgeward.Conflict, "endpoint.exists", "endpoint %s has model %s", to.Name, a.Endpoint.Model).WithHint("choose another endpoint name")
		}
	}
	move := Move{Scope: scope, Title: to.Title, Probation: to.Probation, Now: o.Now}
	for _, m := range h.moves {
		if m.Endpoint == to.Key() && m.To.Digest == to.Digest {
			move.Again = max(move.Again, m.Again+1)
		}
	}
	move.Rollout = rollout.New(o.Key, to.Key(), from, versionOf(to), o.Plan, by, o.Reason, h.o.Now())
	return move, nil
}

// ordersFor is what an order is about, once the repository lets it be rolled out.
func (h *Hub) ordersFor(ctx context.Context, group string, o Order) (spec.Endpoint, error) {
	if o.Binary != "" {
		if o.Endpoint+o.Model != "" || o.Version != 0 {
			return spec.Endpoint{}, edgeward.E("hub.ordersFor", edgeward.Invalid, "rollout.both", "a rollout is of a binary or of a version, not of both").WithHint("name the binary alone")
		}
		return h.binary(o.Binary)
	}
	manifest, raw, err := h.o.Registry.Signable(ctx, group, o.Model, o.Version)
	if err != nil {
		return spec.Endpoint{}, err
	}
	to := spec.Endpoint{Group: group, Name: o.Endpoint, Title: o.Title, Model: manifest.Model, Version: o.Version, Digest: edgeward.DigestOf(raw), Probation: o.Probation}
	if err := to.Check(); err != nil {
		return to, err
	}
	return to, h.signed(to, manifest)
}

// versionOf is the version behind e; of a binary its title is the label.
func versionOf(e spec.Endpoint) rollout.Version {
	v := rollout.Version{Model: e.Model, Number: e.Version, Digest: e.Digest}
	if e.Key().Binary() {
		v.Label = e.Title
	}
	return v
}

// called is what m moves, for people.
func (m Move) called() string {
	if m.Endpoint.Binary() {
		return m.To.Ref()
	}
	return m.Endpoint.Name
}

// assigned is what the nodes of a scope should have of an endpoint: what was said of the scope itself, else of a wider one.
func (h *Hub) assigned(scope string, e spec.Endpoint) (Assignment, bool) {
	if kind, id, _ := strings.Cut(scope, "/"); kind == "node" {
		a, ok := h.view().assigned(h.nodes[id].server())[e.Key()]
		return a, ok
	}
	for _, s := range []string{scope, Everywhere} {
		if a, ok := h.assignments[Assignment{Scope: s, Endpoint: e}.key()]; ok {
			return a, true
		}
	}
	return Assignment{}, false
}

// signed reports why the repository does not let a version be rolled out.
func (h *Hub) signed(e spec.Endpoint, m models.Manifest) error {
	says, err := h.fleet.Set.Read()
	if err != nil {
		return err
	}
	if reason, revoked := says.Revocation(e.Digest); revoked {
		return edgeward.E("hub.signed", edgeward.Conflict, "fleet.revoked", "version %d of %s is revoked: %s", e.Version, e.Model, reason).WithHint("a revocation is for good; make a new version")
	}
	for _, f := range m.Parts() {
		if reason, revoked := says.Revocation(f.Digest); revoked {
			return edgeward.E("hub.signed", edgeward.Conflict, "fleet.revoked", "a part of version %d of %s is revoked: %s", e.Version, e.Model, reason).WithHint("make a graph of other versions")
		}
	}
	if slices.ContainsFunc(says.Signed, func(t tuf.Target) bool { return t.Group == e.Group && t.Model == e.Model && t.Digest == e.Digest }) {
		return nil
	}
	return edgeward.E("hub.signed", edgeward.Conflict, "fleet.unsigned", "version %d of %s is not signed for the fleet", e.Version, e.Model).
		WithHint("sign it: edgeward fleet sign %s/%d --key FILE, each of those who must", e.Model, e.Version)
}

// Rollouts are all, the newest last.
func (h *Hub) Rollouts() []Move {
	h.mu.Lock()
	defer h.mu.Unlock()
	return sorted(h.moves)
}

// Rollout returns one, or NotFound fleet.rollout.not_found.
func (h *Hub) Rollout(id string) (Move, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.move(id)
}

func (h *Hub) move(id string) (Move, error) {
	m, ok := h.moves[id]
	if !ok {
		return m, NoRollout(id)
	}
	return m, nil
}

// NoRollout is the answer to who asks for a rollout that is not there, or not theirs to see.
func NoRollout(id string) error {
	return edgeward.E("hub.Rollout", edgeward.NotFound, "fleet.rollout.not_found", "no rollout %.60q", id).WithHint("edgeward fleet rollout list shows them")
}

// Say is what a person says to a rollout: "approve", "pause", "resume", "abort", or "now", which takes a reason: it waits for no window any more.
func (h *Hub) Say(ctx context.Context, by, id, what, reason string) (Move, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m, err := h.move(id)
	if err != nil {
		return m, err
	}
	do := map[string]func(rollout.Rollout) (rollout.Rollout, error){
		"approve": func(r rollout.Rollout) (rollout.Rollout, error) { return r.Approve(by, reason, h.o.Now()) },
		"pause":   func(r rollout.Rollout) (rollout.Rollout, error) { return r.Pause(by, reason, h.o.Now()) },
		"resume":  func(r rollout.Rollout) (rollout.Rollout, error) { return r.Resume(by, reason, h.o.Now()) },
		"abort":   func(r rollout.Rollout) (rollout.Rollout, error) { return r.Abort(by, reason, h.o.Now()) },
	}[what]
	if what == "now" {
		if reason == "" {
			return m, edgeward.E("hub.Say", edgeward.Invalid, "fleet.now_reason", "what does not wait for windows needs a reason").WithHint("give --reason")
		}
		do = func(r rollout.Rollout) (rollout.Rollout, error) {
			m.Now = true
			return r.Hurry(by, reason, h.o.Now())
		}
	}
	if do == nil {
		return m, edgeward.E("hub.Say", edgeward.Invalid, "fleet.rollout.word", "a rollout knows no %.40q", what)
	}
	if m.Rollout, err = do(m.Rollout); err != nil {
		return m, err
	}
	if err := h.put(ctx, Facts{Moves: []Move{m}}, h.change(by, "fleet.rollout."+what, id, m.called(), reason)); err != nil {
		return m, err
	}
	h.Poke()
	return m, nil
}

// bringForward takes each rollout as far as it goes.
func (h *Hub) bringForward(ctx context.Context) error {
	for _, m := range sorted(h.moves) {
		if m.State.Final() {
			delete(h.measured, m.ID)
			continue
		}
		next, notes := rollout.Next(m.Rollout, h.meant(m), h.worked(m), h.o.Now())
		if reflect.DeepEqual(next, m.Rollout) {
			continue
		}
		was := m.State
		m.Rollout = next
		w := Facts{Moves: []Move{m}}
		if next.State == rollout.Succeeded && was != rollout.Succeeded {
			w.Assignments = []Assignment{{Scope: m.Scope, Endpoint: m.endpoint(false), Changed: h.o.Now(), Decided: m.Created, By: m.By}}
		}
		if err := h.put(ctx, w, h.noted(m, notes)...); err != nil {
			return err
		}
	}
	return nil
}

// noted are the audit's words: of a rollout's states and failures, not of each node that is told.
func (h *Hub) noted(m Move, notes []rollout.Note) (out []Change) {
	for _, n := range notes {
		if n.What == "told" {
			continue
		}
		c := h.change("fleet:"+m.ID, "fleet.rollout."+strings.ReplaceAll(n.What, "-", "_"), m.ID, m.called(), n.Text)
		if n.Node != "" {
			c.Detail = map[string]string{"node": h.nodes[n.Node].Last.Facts.Name, "node_id": n.Node}
		}
		out = append(out, c)
	}
	return out
}

// Place is a node in a rollout.
type Place struct {
	Node  Node
	Wave  int // from 1; 0 before the order is fixed
	Told  bool
	State spec.State // of the rollout's endpoint
}

// Places are the nodes of a rollout in its order; before it began those it is meant for.
func (h *Hub) Places(m Move) (out []Place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	order := m.Order
	if len(order) == 0 {
		for _, n := range h.meant(m) {
			order = append(order, n.ID)
		}
	}
	waves := m.WaveOf()
	for _, id := range order {
		n, ok := h.nodes[id]
		if !ok {
			continue
		}
		p := Place{Node: n, Wave: waves[id], Told: slices.Contains(m.Told, id), State: n.state(m.Endpoint)}
		if i := slices.IndexFunc(m.Aside, func(a rollout.Aside) bool { return a.Node == id }); i >= 0 && p.State.Reason == "" { // it is told nothing any more, and says nothing
			p.State.Reason = "set aside: " + m.Aside[i].Reason
		}
		out = append(out, p)
	}
	return out
}
