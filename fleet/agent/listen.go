package agent

import (
	"context"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/sync/tuf"
)

// Contact is how it stands with the hub.
type Contact struct {
	Last    time.Time `json:"last,omitzero"` // answer
	Code    string    `json:"code,omitempty"`
	Problem string    `json:"problem,omitempty"` // of the last call; empty if it went well
	Hint    string    `json:"hint,omitempty"`
	Clock   bool      `json:"clock_wrong,omitempty"`
}

// listen waits for documents.
func (a *Agent) listen(ctx context.Context) {
	if !a.sleep(ctx, a.spread()) {
		return
	}
	reports := time.Duration(0) // how long one is waited for
	for fails := a.backoff(); ctx.Err() == nil; {
		a.gap.leave(ctx, reports)
		reports = 0
		a.mu.Lock()
		have := a.kept.Rev
		a.mu.Unlock()
		taken := false
		err := a.current(ctx)
		if err == nil {
			a.reached()
			var envelope []byte
			if envelope, err = a.o.Hub.Desired(ctx, have, 55*time.Second); err == nil && a.asked() {
				a.Tell()
				reports = expected
			}
			if err == nil && envelope == nil {
				err = a.held(ctx)
			}
			if err == nil && envelope != nil {
				if err = a.refresh(ctx); err == nil { // what was revoked while the call waited
					err, taken = a.Take(ctx, envelope), true
				}
			}
		}
		if ctx.Err() != nil {
			return
		}
		a.heard(err, taken)
		a.other(err)
		if err == nil {
			if fails.Answered(); taken {
				reports = expected
			}
			continue
		}
		if !a.pause(ctx, fails.Next(err), err) {
			return
		}
	}
}

// pause is sleep, but ends when a report is answered: then the hub is there again, and takes this node for one that listens.
func (a *Agent) pause(ctx context.Context, d time.Duration, err error) bool {
	if edgeward.KindOf(err) != edgeward.Unavailable || edgeward.ParamsOf(err)["retry_after"] != "" {
		return a.sleep(ctx, d)
	}
	select {
	case <-a.met: // before
	default:
	}
	t := time.NewTimer(d) // room:clock how long to wait
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	case <-a.met:
		return a.sleep(ctx, a.spread())
	}
}

// freshFor is how long the signed files count as the latest while the hub says of no others.
const freshFor = time.Hour

// says is what a hub tells beside its answer to a long poll: the mark of its latest signed files ("": it does not say), and whether it wants a report.
type says interface {
	Said() (mark string, report bool)
}

// current refreshes the signed repository where the hub has other files than those refreshed last, or does not say, and each hour. Where the last call
// failed it asks in any case: what was refreshed before says nothing of whether the hub is there.
func (a *Agent) current(ctx context.Context) error {
	mark := ""
	if w, ok := a.o.Hub.(says); ok {
		mark, _ = w.Said()
	}
	a.mu.Lock()
	well := !a.contact.Last.IsZero() && a.contact.Code == ""
	a.mu.Unlock()
	if well && mark != "" && mark == a.mark && a.o.Now().Sub(a.fresh).Abs() < freshFor {
		return nil
	}
	err := a.refresh(ctx)
	if err == nil {
		a.mark, a.fresh = mark, a.o.Now()
	}
	return err
}

// asked reports whether the hub wants to hear of this node: it was started anew, and knows nothing of this start.
func (a *Agent) asked() bool {
	w, ok := a.o.Hub.(says)
	if !ok {
		return false
	}
	_, report := w.Said()
	return report
}

// refresh brings the signed repository up to date.
func (a *Agent) refresh(ctx context.Context) error {
	now := a.clock()
	err := a.verifier.Refresh(ctx, a.o.Hub.Trust, now)
	if w, ok := a.o.Hub.(returner); ok && edgeward.CodeOf(err) == "fleet.rollback" {
		if err := w.Return(ctx, a.verifier.Set()); err == nil { // a hub that was restored from a backup gets back what persons signed since
			return a.verifier.Refresh(ctx, a.o.Hub.Trust, now)
		}
	}
	return err
}

// returner gives signed files back to a hub that has older ones.
type returner interface {
	Return(ctx context.Context, s tuf.Set) error
}

// other tries the next address where the hub says, or its document shows, that another one is followed.
func (a *Agent) other(err error) {
	if c := edgeward.CodeOf(err); c != "fleet.old_hub" && c != "fleet.superseded" {
		return
	}
	if w, ok := a.o.Hub.(interface{ Next() }); ok {
		w.Next()
	}
}

// terms is what a hub that holds this node says in place of a document; nil: it does not.
type terms interface{ Term() []byte }

// held takes the term of a hub that was restored and has no document for this node: what runs stays, and a hub from before it is not followed any more.
func (a *Agent) held(ctx context.Context) error {
	w, ok := a.o.Hub.(terms)
	if !ok || len(w.Term()) == 0 {
		return nil
	}
	payload, err := a.opened(w.Term(), spec.PayloadTerm, spec.MaxTerm)
	if err != nil {
		return err
	}
	t, err := spec.ParseTerm(payload)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.Fleet != a.o.Fleet || t.Term <= a.kept.Term {
		return nil
	}
	k := a.kept
	k.Term = t.Term
	if err := a.o.Store.PutFleetKept(ctx, k); err != nil {
		return err
	}
	a.kept = k
	a.o.Log.Info("the hub was restored from a backup; hubs from before are not followed any more", "term", t.Term)
	poke(a.reports)
	return nil
}

// spread is how long the first call after a start waits: up to a tenth of a second of this node's own, so that a site whose power
// returns does not call as one.
func (a *Agent) spread() time.Duration {
	h := fnv.New32a()
	h.Write([]byte(a.o.Node))
	return time.Duration(h.Sum32()%100) * time.Millisecond
}

func (a *Agent) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d) // room:clock how long to wait
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// reached notes that the hub answered and that its files are in order: of what was wrong before, only its document may still be. The call that
// waits for the next document may last a minute.
func (a *Agent) reached() {
	a.mu.Lock()
	news := a.contact.Last.IsZero() || a.contact.Code != "" && !a.aboutDoc
	a.mu.Unlock()
	if news {
		a.heard(nil, false)
	}
}

// heard notes how a call went; document says that it is the hub's document that err is about.
func (a *Agent) heard(err error, document bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	was := a.contact.Code
	a.aboutDoc = document
	a.noted(err)
	if err == nil {
		a.contact = Contact{Last: a.o.Now(), Clock: a.kept.Clock.Wrong(a.o.Now())}
	} else {
		a.contact.Code, a.contact.Problem, a.contact.Hint = edgeward.CodeOf(err), edgeward.Words(err), edgeward.HintOf(err)
	}
	if a.contact.Code != was {
		if err == nil || document {
			poke(a.reports) // the hub is back: it may be another one. Or it is to know that its document is not taken
		}
		a.o.Log.Info("contact with the hub changed", "code", a.contact.Code, "problem", a.contact.Problem)
	}
}

// Take verifies an envelope and makes its document the wanted state. What was taken before and is older changes nothing.
func (a *Agent) Take(ctx context.Context, envelope []byte) error {
	const op = "agent.Take"
	d, err := a.document(envelope)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case d.Fleet != a.o.Fleet || d.Node != a.o.Node:
		return edgeward.E(op, edgeward.Forbidden, "fleet.other_node", "the document is for node %s of fleet %s", d.Node, d.Fleet)
	case d.Term < a.kept.Term:
		return edgeward.E(op, edgeward.Conflict, "fleet.old_hub", "the document is of term %d of the hub, and a hub of term %d is followed", d.Term, a.kept.Term).
			WithHint("the hub was moved or restored, and the old one still runs: stop it")
	case d.Rev <= a.kept.Rev:
		return edgeward.E(op, edgeward.Conflict, "fleet.old_document", "the document has revision %d, and %d was taken", d.Rev, a.kept.Rev).
			WithHint("if the hub was restored from a backup, it catches up by itself; else somebody plays old documents")
	}
	k := a.kept
	k.Clock = k.Clock.Signed(d.Issued)
	if k.Clock.At(a.o.Now()).After(d.Expires) {
		return edgeward.E(op, edgeward.Conflict, "fleet.stale", "the document expired on %s", d.Expires.Format(time.DateTime)).WithHint("look at the clocks of hub and server")
	}
	k.Rev, k.Policy, k.Site, k.Term = d.Rev, d.Policy, d.Site, d.Term
	k.Issued, k.Envelope, k.Roster, k.Keyring = d.Issued, envelope, d.Roster, d.Keyring
	if len(d.Hubs) > 0 {
		k.Hubs = d.Hubs
	}
	k.Delegation, k.Bring, k.Authority = d.Delegation, d.Bring, d.Authority
	at := k.Clock.At(a.o.Now())
	k.Binary = wantsBinary(k.Binary, d.Binary, at)
	k, ended := a.resolve(k, d.Endpoints, at)
	k.Items = merge(k.Items, d.Endpoints, k.standing, at)
	for _, e := range d.Endpoints {
		k = k.aim(e.Key(), at)
	}
	if err := a.o.Store.PutFleetKept(ctx, k, ended...); err != nil {
		return err
	}
	if !slices.Equal(k.Bring, a.kept.Bring) {
		poke(a.gives)
	}
	a.become(k)
	if w, ok := a.o.Hub.(interface{ Addresses(hubs []string) }); ok {
		w.Addresses(k.Hubs)
	}
	poke(a.poke)
	poke(a.reports)
	if a.o.Took != nil {
		a.o.Took()
	}
	return nil
}

// digest is of what is wanted under a key; "" if nothing is.
func (k Kept) digest(key spec.Key) edgeward.Digest {
	if b := k.Binary; b != nil && !b.Gone && b.Want.Key() == key {
		return b.Want.Digest
	}
	for _, i := range k.Items {
		if !i.Gone && i.Want.Key() == key {
			return i.Want.Digest
		}
	}
	return ""
}

// merge holds the items against what is wanted. What is no longer wanted stays until it is gone.
// Where a promotion of the node stands, or one has just ended, aim says what the item is to bring.
func merge(items []Item, wanted []spec.Endpoint, standing func(spec.Key) (Promoted, bool), now time.Time) []Item {
	old := map[spec.Key]Item{}
	for _, i := range items {
		i.Gone = true
		old[i.Want.Key()] = i
	}
	for _, w := range wanted {
		i := old[w.Key()]
		if _, ok := standing(w.Key()); !ok && i.Local == 0 || i.Want.Name == "" {
			i = i.Wants(w, now)
		}
		i.Gone = false
		old[w.Key()] = i
	}
	out := slices.Collect(maps.Values(old))
	slices.SortFunc(out, func(a, b Item) int { return a.Want.Key().Compare(b.Want.Key()) })
	return out
}
