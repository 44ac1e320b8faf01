package agent

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"edgeward"
	"edgeward/fleet/autonomy"
	"edgeward/fleet/spec"
	"edgeward/sync/canonical"
)

// Promoted is a promotion that this node made by itself, or took from another node of its site (Promotion.Taken).
type Promoted struct {
	Promotion spec.Promotion `json:"promotion"`
	Hub       spec.Endpoint  `json:"hub"`  // what the hub wants there, as the last document said
	Over      spec.Endpoint  `json:"over"` // what it wanted then: what answers again when the promotion ends
	Ended     time.Time      `json:"ended,omitzero"`
	Word      autonomy.Word  `json:"word,omitempty"` // how it ended
	Why       string         `json:"why,omitempty"`
}

// want is what the item of p's endpoint is to bring: the same gates as for the hub's version.
func (p Promoted) want() spec.Endpoint {
	w, s := p.Hub, p.Promotion
	_, w.Model, w.Digest = s.Parts()
	w.Version, w.Local, w.Now, w.Rollout = s.Version, 0, false, "local-"+strconv.FormatUint(s.Seq, 10)
	return w
}

// Own is a version of this node's registry that a person, or the loop, wants behind an endpoint of the fleet.
type Own struct {
	Endpoint   spec.Key
	Model      string
	Version    int
	Digest     edgeward.Digest
	Length     int64  // of the manifest
	Job        string // on this node, that made it; "" none did
	By, Reason string
}

// signer signs with the key of this node's certificate.
type signer func(purpose string, b []byte) (cert, sig []byte, err error)

// wanted is what the hub wants of an endpoint, whatever stands in its place.
func (k Kept) wanted(key spec.Key) (spec.Endpoint, bool) {
	if p, ok := k.standing(key); ok {
		return p.Hub, true
	}
	for _, i := range k.Items {
		if i.Want.Key() == key && !i.Gone {
			return i.Want, true
		}
	}
	return spec.Endpoint{}, false
}

// standing is the promotion that holds at an endpoint.
func (k Kept) standing(key spec.Key) (Promoted, bool) {
	i := slices.IndexFunc(k.Promotions, func(p Promoted) bool { return p.Ended.IsZero() && p.Promotion.Key() == key })
	if i < 0 {
		return Promoted{}, false
	}
	return k.Promotions[i], true
}

// Promote puts a version of this node behind an endpoint of the fleet in place of the hub's, if the policy lets it: through the gates of every
// version of the fleet. The same again changes nothing.
func (a *Agent) Promote(ctx context.Context, o Own) (spec.Promotion, error) {
	const op = "agent.Promote"
	a.mu.Lock()
	defer a.mu.Unlock()
	k, now := a.kept, a.now()
	hub, ok := k.wanted(o.Endpoint)
	old, stands := k.standing(o.Endpoint)
	switch {
	case !ok:
		return spec.Promotion{}, edgeward.E(op, edgeward.NotFound, "fleet.local_endpoint", "endpoint %s is none of the fleet's", o.Endpoint.Name).WithHint("promote it as any other: edgeward promote")
	case stands && old.Promotion.Digest() == o.Digest:
		return old.Promotion, nil
	case o.Model != hub.Model:
		return spec.Promotion{}, edgeward.E(op, edgeward.Conflict, "endpoint.exists", "endpoint %s has model %s", hub.Name, hub.Model)
	case o.Reason == "":
		return spec.Promotion{}, edgeward.E(op, edgeward.Invalid, "fleet.local_reason", "a promotion without the hub needs a reason").WithHint("give --reason")
	case hub.Digest == o.Digest:
		return spec.Promotion{}, edgeward.E(op, edgeward.Conflict, "fleet.already_there", "version %d is what the hub wants", o.Version)
	}
	if err := autonomy.May(autonomy.Case{Policy: k.Policy.Autonomy, Heard: a.lastHeard(), Shut: k.Shut, Trained: o.Job != ""}, now); err != nil {
		return spec.Promotion{}, err
	}
	return a.begin(ctx, hub, spec.Promotion{Target: spec.SiteTarget(k.Site, hub.Group, o.Model, o.Digest), Length: o.Length, Version: o.Version, Job: o.Job, By: o.By, Reason: o.Reason},
		"fleet.local.promoted", map[string]string{"job": o.Job})
}

// begin signs p, a promotion over what the hub wants, whose target, version, by and reason are given, and puts it in place of that and of the one that
// stands; a.mu is held. What happened is for the audit.
func (a *Agent) begin(ctx context.Context, hub spec.Endpoint, p spec.Promotion, what string, detail map[string]string) (spec.Promotion, error) {
	k, now := a.kept, a.now()
	p.Format, p.Fleet, p.Node, p.Site, p.Seq, p.Endpoint, p.Over, p.Rev, p.At = spec.Format, a.o.Fleet, a.o.Node, k.Site, k.Promoted+1, hub.Name, hub.Digest, k.Rev, now.UTC().Truncate(time.Second)
	if err := p.Check(); err != nil {
		return p, err
	}
	s, err := a.sign(p)
	if err != nil {
		return p, err
	}
	if _, err := a.judge().Verify(s, now); err != nil {
		return p, err
	}
	k.Promotions = slices.Clone(k.Promotions)
	over := hub
	if old, stands := k.standing(hub.Key()); stands {
		over = old.Over
		k = k.end(old.Promotion.Seq, autonomy.Replaced, "", now)
	}
	k.Promoted = p.Seq
	k.Promotions = append(k.Promotions, Promoted{Promotion: p, Hub: hub, Over: over})
	k.Promotions = autonomy.Recent(k.Promotions, func(p Promoted) bool { return !p.Ended.IsZero() })
	k = k.aim(hub.Key(), now)
	detail["version"], detail["manifest"], detail["target"] = strconv.Itoa(p.Version), string(p.Digest()), p.Target
	if err := a.o.Store.PutFleetKept(ctx, k, Happened{What: what, Object: hub.Name, Reason: p.Reason, At: now, By: p.By, Detail: detail}); err != nil {
		return p, err
	}
	a.become(k)
	poke(a.poke)
	poke(a.reports)
	return p, nil
}

// judge is what promotions are held against here; a.mu is held.
func (a *Agent) judge() autonomy.Judge {
	return autonomy.Judge{Authority: a.o.Authority, Fleet: a.o.Fleet, Delegation: a.kept.Delegation, Revoked: a.verifier.Revoked}
}

// become makes k what is kept, and ends fetches whose bytes nobody wants any more: they hold nothing up, and their failure is nobody's. a.mu is held.
func (a *Agent) become(k Kept) {
	for key, stop := range a.fetching {
		if k.digest(key) != a.kept.digest(key) {
			stop()
		}
	}
	a.kept = k
}

// SilentSince is when the hub last said something: an answer, or a document that came by file.
func (a *Agent) SilentSince() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lastHeard()
}

func (a *Agent) lastHeard() time.Time {
	heard := a.kept.Heard
	if a.kept.Issued.After(heard) {
		heard = a.kept.Issued
	}
	if last := a.contact.Last; !last.IsZero() && a.kept.Clock.At(last).After(heard) {
		heard = a.kept.Clock.At(last)
	}
	return heard
}

// TakeBack ends the promotion of an endpoint for a person on this node: the hub's version answers again.
func (a *Agent) TakeBack(ctx context.Context, by string, key spec.Key, reason string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := a.kept.standing(key)
	if !ok {
		return edgeward.E("agent.TakeBack", edgeward.NotFound, "fleet.local.not_found", "endpoint %s answers by no version of this server's own", key.Name)
	}
	return a.finish(ctx, p, autonomy.TakenBack, reason, by)
}

// finish ends a promotion; a.mu is held.
func (a *Agent) finish(ctx context.Context, p Promoted, w autonomy.Word, why, by string) error {
	now := a.now()
	k := a.kept.end(p.Promotion.Seq, w, why, now).aim(p.Promotion.Key(), now)
	if err := a.o.Store.PutFleetKept(ctx, k, p.ended(w, why, by, now)); err != nil {
		return err
	}
	a.become(k)
	poke(a.poke)
	poke(a.reports)
	return nil
}

func (p Promoted) ended(w autonomy.Word, why, by string, now time.Time) Happened {
	return Happened{What: "fleet.local.ended", Object: p.Promotion.Endpoint, Reason: cmp.Or(why, w.Words()), At: now, By: by,
		Detail: map[string]string{"version": strconv.Itoa(p.Promotion.Version), "manifest": string(p.Promotion.Digest()), "code": string(w)}}
}

// end returns k with a promotion ended. Its version stays in the registry.
func (k Kept) end(seq uint64, w autonomy.Word, why string, now time.Time) Kept {
	k.Promotions = slices.Clone(k.Promotions)
	for i, p := range k.Promotions {
		if p.Promotion.Seq == seq && p.Ended.IsZero() {
			k.Promotions[i].Ended, k.Promotions[i].Word, k.Promotions[i].Why = now.UTC(), w, cmp.Or(why, w.Words())
		}
	}
	return k
}

// aim returns k with the item of an endpoint aimed at what counts: the promotion that stands, else the hub's version. What the promotion was put over
// answers first, so that the hub's next version is held against the fleet's and not against the node's own.
func (k Kept) aim(key spec.Key, now time.Time) Kept {
	k.Items = slices.Clone(k.Items)
	for n, i := range k.Items {
		if i.Want.Key() != key || i.Gone {
			continue
		}
		if p, ok := k.standing(key); ok {
			i = i.Wants(p.want(), now)
			i.Local, i.First = p.Promotion.Seq, spec.Endpoint{}
		} else if i.Local > 0 {
			p := k.Promotions[slices.IndexFunc(k.Promotions, func(p Promoted) bool { return p.Promotion.Seq == i.Local })]
			adopted := p.Hub.Digest == i.Want.Digest
			i = i.Wants(p.Hub, now)
			if i.Local = 0; !adopted {
				i.First, i.FirstFrom = p.Over, now
			}
		}
		i.State.Local = i.Local
		k.Items[n] = i
	}
	return k
}

// resolve holds what a document wants against the promotions that stand.
func (a *Agent) resolve(k Kept, wanted []spec.Endpoint, now time.Time) (Kept, []Happened) {
	var list []Happened
	k.Promotions = slices.Clone(k.Promotions)
	for n, p := range k.Promotions {
		w := autonomy.Gone
		if i := slices.IndexFunc(wanted, func(e spec.Endpoint) bool { return e.Key() == p.Promotion.Key() }); i >= 0 {
			_, revoked := a.verifier.Revoked(p.Promotion.Digest())
			w = autonomy.Holds(p.Promotion, wanted[i], revoked, k.Delegation)
			k.Promotions[n].Hub = wanted[i] // of one that has ended too: aim may still go by it
		}
		if p.Ended.IsZero() && w != autonomy.Stands {
			k = k.end(p.Promotion.Seq, w, "", now)
			list = append(list, p.ended(w, "", "fleet:hub", now))
		}
	}
	return k, list
}

// revise ends promotions whose version was revoked, or did not pass and is out of the way.
func (a *Agent) revise(ctx context.Context, i Item, quiet bool) (ended bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := a.kept.standing(i.Want.Key())
	if !ok || p.Promotion.Seq != i.Local {
		return false, nil
	}
	if reason, revoked := a.verifier.Revoked(p.Promotion.Digest()); revoked {
		return true, a.finish(ctx, p, autonomy.Revoked, "the version was revoked: "+reason, "fleet:hub")
	}
	if s := i.State; quiet && (s.Phase == spec.Reverted || s.Phase == spec.Refused && s.Fault == spec.OfVersion) {
		return true, a.finish(ctx, p, autonomy.Failed, s.Reason, i.By())
	}
	return false, nil
}

// own reports why a version of the node's own may not be newly installed.
func (a *Agent) own(i Item) error {
	if reason, revoked := a.verifier.Revoked(i.Want.Digest); revoked {
		return edgeward.E("agent.own", edgeward.Forbidden, "fleet.revoked", "version %d is revoked: %s", i.Want.Version, reason)
	}
	return nil
}

func (a *Agent) sign(p spec.Promotion) (s spec.SignedPromotion, err error) {
	if a.o.Sign == nil {
		return s, edgeward.E("agent.sign", edgeward.Forbidden, "fleet.not_delegated", "this server has no key to sign with")
	}
	if s.Promotion, err = canonical.JSON(p); err != nil {
		return s, err
	}
	s.Certificate, s.Signature, err = a.o.Sign(spec.PromotionPurpose, s.Promotion)
	return s, err
}

// retold is how often the hub is told of promotions it was told of: it may have been restored from a backup.
const retold = 24 * time.Hour

// locals are the promotions that the hub is to be told of, as many as go into one report, signed with the certificate of today; a.mu is held.
func (a *Agent) locals(now time.Time) (out []spec.Local) {
	if now.Sub(a.toldAt).Abs() > retold {
		a.told = map[uint64]autonomy.Word{}
	}
	for _, p := range a.kept.Promotions {
		if w, ok := a.told[p.Promotion.Seq]; ok && w == p.Word || len(out) == spec.MaxLocals {
			continue
		}
		s, err := a.sign(p.Promotion)
		if err != nil {
			a.o.Log.Warn("a promotion is not reported", "endpoint", p.Promotion.Endpoint, "err", err)
			continue
		}
		out = append(out, spec.Local{SignedPromotion: s, Ended: p.Ended, Code: string(p.Word), Why: p.Why})
	}
	return out
}

// tellsOf notes that the hub has heard of what r says of promotions.
func (a *Agent) tellsOf(r spec.Reported) {
	if len(r.Locals) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.told) == 0 {
		a.told, a.toldAt = map[uint64]autonomy.Word{}, a.now()
	}
	for _, l := range r.Locals {
		if p, err := spec.ParsePromotion(l.Promotion); err == nil {
			a.told[p.Seq] = autonomy.Word(l.Code)
		}
	}
}

// contactKept is how much older than the truth the time of the last contact may be after a restart.
const contactKept = time.Hour

// noted keeps that the hub answered, or shut this node out; a.mu is held. Only what matters after a restart is written: each hour, and when it changes.
func (a *Agent) noted(err error) {
	k, code, lost := a.kept, edgeward.CodeOf(err), false
	switch code {
	case "fleet.node_revoked", "fleet.node_quarantined", "fleet.node_declined", "fleet.node_unknown":
		k.Shut = code
	case "":
		if err != nil {
			return
		}
		k.Shut, k.Heard = "", a.now().UTC()
	default:
		if a.contact.Code != "" || a.contact.Last.IsZero() {
			return
		}
		k.Heard, lost = a.kept.Clock.At(a.contact.Last).UTC(), true
	}
	if k.Shut == a.kept.Shut && !lost && k.Heard.Sub(a.kept.Heard).Abs() < contactKept {
		return
	}
	if err := a.o.Store.PutFleetKept(context.Background(), k); err != nil {
		a.o.Log.Warn("the time of the last contact with the hub is not kept", "err", err)
		return
	}
	a.kept = k
}
