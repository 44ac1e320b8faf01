package agent

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/fleet/autonomy"
	"edgeward/fleet/spec"
	"edgeward/runtime/models"
	"edgeward/sync/pull"
)

// Offered is a promotion of another node of the site. A person here may take it, or Code says why not.
type Offered struct {
	Node      string         `json:"node"`
	Name      string         `json:"name,omitempty"` // of the node, for people
	Promotion spec.Promotion `json:"promotion,omitzero"`
	Code      string         `json:"code,omitempty"`
	Why       string         `json:"why,omitempty"`
	Hint      string         `json:"hint,omitempty"`
}

// offers is what one node said last.
type offers struct {
	list []spec.SignedPromotion
	said map[string]bool // codes with which some were refused, as the audit has it; kept when it offers nothing any more
}

// Shares are the promotions of this node that a node with such a document may take: those that stand, whose version was trained here and has passed its
// probation, of endpoints that both have; the newest spec.MaxLocals of them. Signed with the certificate of today.
func (a *Agent) Shares(d spec.Desired) []spec.SignedPromotion {
	a.mu.Lock()
	list := a.kept.shared()
	a.mu.Unlock()
	list = slices.DeleteFunc(list, func(p spec.Promotion) bool { return !takes(d, p) })
	var out []spec.SignedPromotion
	for _, p := range list[max(0, len(list)-spec.MaxLocals):] {
		s, err := a.sign(p)
		if err != nil {
			a.o.Log.Warn("a promotion is not offered to the site", "endpoint", p.Endpoint, "err", err)
			continue
		}
		out = append(out, s)
	}
	return out
}

// Sharing changes with what Shares might say, and is 0 while that is nothing.
func (a *Agent) Sharing() uint32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := a.kept.shared()
	if len(list) == 0 {
		return 0
	}
	h := fnv.New32a()
	for _, p := range list {
		fmt.Fprintln(h, p.Seq)
	}
	return max(1, h.Sum32())
}

// Lends are the manifests of versions that answer here by a promotion and that a node with such a document may fetch, whoever trained them.
func (a *Agent) Lends(d spec.Desired) (out []edgeward.Digest) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.kept.opens() {
		return nil
	}
	for _, p := range a.kept.Promotions {
		if p.Ended.IsZero() && takes(d, p.Promotion) {
			out = append(out, p.Promotion.Digest())
		}
	}
	return out
}

// opens reports whether the site's other nodes are this node's business.
func (k Kept) opens() bool {
	return k.Policy.Autonomy.Mode == spec.LocalPromote && k.Policy.Autonomy.Take == spec.TakeSite && k.Shut == ""
}

// shared are the promotions that other nodes are told of.
func (k Kept) shared() (out []spec.Promotion) {
	if !k.opens() {
		return nil
	}
	for _, p := range k.Promotions {
		proved := slices.ContainsFunc(k.Items, func(i Item) bool {
			return i.Local == p.Promotion.Seq && !i.Gone && i.State.Phase == spec.Committed && i.State.Live == p.Promotion.Digest()
		})
		if p.Ended.IsZero() && p.Promotion.Taken == (spec.Taken{}) && proved {
			out = append(out, p.Promotion)
		}
	}
	return out
}

// takes reports whether a node with document d may take p, as far as the document says.
func takes(d spec.Desired, p spec.Promotion) bool {
	_, model, _ := p.Parts()
	return d.Policy.Autonomy.Mode == spec.LocalPromote && d.Policy.Autonomy.Take == spec.TakeSite && d.Site == p.Site &&
		slices.ContainsFunc(d.Endpoints, func(e spec.Endpoint) bool { return e.Key() == p.Key() && e.Model == model })
}

// Offer notes what another node of the site says it promoted; nothing comes of it but what a person takes. What is not that node's word, or not for this
// site, is in the audit, once.
func (a *Agent) Offer(ctx context.Context, node string, list []spec.SignedPromotion) {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := offers{list: list[:min(len(list), spec.MaxLocals)], said: map[string]bool{}}
	maps.Copy(next.said, a.offers[node].said)
	for _, s := range next.list {
		p, err := a.said(node, s)
		if code := edgeward.CodeOf(err); code != "" && !next.said[code] {
			h := Happened{What: "fleet.local.refused", Object: p.Endpoint, Reason: edgeward.Words(err), At: a.now(), By: "system:fleet", Detail: map[string]string{"node": node, "code": code, "target": p.Target}}
			if err := a.o.Store.PutFleetKept(ctx, a.kept, h); err != nil {
				a.o.Log.Warn("a promotion of another server was refused, and is not in the audit log", "node", node, "code", code, "err", err)
				continue
			}
			next.said[code] = true
		}
	}
	a.offers[node] = next
}

// said is what s says, if it is node's word for this site; a.mu is held.
func (a *Agent) said(node string, s spec.SignedPromotion) (spec.Promotion, error) {
	if len(s.Certificate) > 8<<10 || len(s.Signature) > 1<<10 {
		return spec.Promotion{}, edgeward.E("agent.Offer", edgeward.Invalid, "fleet.promotion", "a promotion is longer than one is")
	}
	p, err := a.judge().Verify(s, a.now())
	if err == nil && p.Node != node {
		err = edgeward.E("agent.Offer", edgeward.Forbidden, "fleet.not_delegated", "node %.64s tells of a promotion of node %s", node, p.Node).WithHint("a server of the site tells of its own promotions")
	}
	return p, err
}

// may reports why a person may not take what node promoted now; a.mu is held.
func (a *Agent) may(node string, s spec.SignedPromotion) (spec.Promotion, error) {
	p, err := a.said(node, s)
	if err != nil {
		return p, err
	}
	k := a.kept
	o := autonomy.Offer{Case: autonomy.Case{Policy: k.Policy.Autonomy, Heard: a.lastHeard(), Shut: k.Shut}, Node: a.o.Node, Issued: k.Issued}
	if hub, ok := k.wanted(p.Key()); ok {
		o.Wanted = &hub
	}
	if old, stands := k.standing(p.Key()); stands {
		o.Own = old.Promotion.Taken == (spec.Taken{})
	}
	for _, x := range k.Promotions {
		if x.Promotion.Taken.Node == node && x.Promotion.Key() == p.Key() {
			o.Last = max(o.Last, x.Promotion.Taken.Seq)
		}
	}
	return p, autonomy.MayTake(p, o, a.now())
}

// Offered are the promotions of other nodes of the site that are not taken here, by node.
func (a *Agent) Offered() (out []Offered) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for node, o := range a.offers {
		for _, s := range o.list {
			p, err := a.may(node, s)
			if old, stands := a.kept.standing(p.Key()); stands && old.Promotion.Taken.Seq == p.Seq && old.Promotion.Taken.Node == node {
				continue // it was taken
			}
			out = append(out, Offered{Node: node, Name: a.kept.name(node), Promotion: p, Code: edgeward.CodeOf(err), Why: words(err), Hint: edgeward.HintOf(err)})
		}
	}
	slices.SortFunc(out, func(x, y Offered) int {
		return strings.Compare(fmt.Sprintf("%s %020d", x.Node, x.Promotion.Seq), fmt.Sprintf("%s %020d", y.Node, y.Promotion.Seq))
	})
	return out
}

func words(err error) string {
	if err == nil {
		return ""
	}
	return edgeward.Words(err)
}

// name is what a node of the site is called.
func (k Kept) name(node string) string {
	for _, p := range k.Roster {
		if p.Node == node {
			return p.Name
		}
	}
	return ""
}

// bringWithin is how long a person waits for the manifest of what they take.
const bringWithin = 20 * time.Second

// TakeOffer puts a version that another node of the site promoted behind the endpoint here, for a person: through the gates of every version of the fleet.
// from is the node's id or name, and may be "" where one alone offers. The same again changes nothing.
func (a *Agent) TakeOffer(ctx context.Context, by string, key spec.Key, from, reason string) (spec.Promotion, error) {
	const op = "agent.TakeOffer"
	if reason == "" {
		return spec.Promotion{}, edgeward.E(op, edgeward.Invalid, "fleet.local_reason", "a promotion without the hub needs a reason").WithHint("give --reason")
	}
	node, s, err := a.offer(key, from)
	if err != nil {
		return spec.Promotion{}, err
	}
	a.mu.Lock()
	if old, stands := a.kept.standing(key); stands && old.Promotion.Taken.Node == node {
		if p, err := a.said(node, s); err == nil && old.Promotion.Taken.Seq == p.Seq {
			a.mu.Unlock()
			return old.Promotion, nil
		}
	}
	p, err := a.may(node, s)
	a.mu.Unlock()
	if err != nil {
		return spec.Promotion{}, err
	}
	within, cancel := context.WithTimeout(ctx, bringWithin)
	defer cancel()
	if err := a.bringManifest(within, p); err != nil {
		return spec.Promotion{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if p, err = a.may(node, s); err != nil { // a document may have come meanwhile
		return p, err
	}
	hub, _ := a.kept.wanted(key)
	return a.begin(ctx, hub, spec.Promotion{Target: p.Target, Length: p.Length, Version: p.Version, Job: p.Job, By: by, Reason: reason, Taken: spec.Taken{Node: node, Name: a.kept.name(node), Seq: p.Seq}},
		"fleet.local.taken", map[string]string{"node": node, "name": a.kept.name(node), "seq": fmt.Sprint(p.Seq), "promoted_by": p.By, "promoted_why": p.Reason})
}

// offer is the latest that a node, or the only one that does, offers for an endpoint.
func (a *Agent) offer(key spec.Key, from string) (node string, s spec.SignedPromotion, err error) {
	const op = "agent.TakeOffer"
	a.mu.Lock()
	defer a.mu.Unlock()
	seq := uint64(0)
	for id, o := range a.offers {
		if from != "" && from != id && from != a.kept.name(id) {
			continue
		}
		for _, x := range o.list {
			p, err := spec.ParsePromotion(x.Promotion)
			if err != nil || p.Key() != key {
				continue
			}
			if node != "" && node != id {
				return "", s, edgeward.E(op, edgeward.Conflict, "fleet.local_offers", "several servers of the site promoted a version behind %s", key.Name).WithHint("say from which one: --from SERVER; edgeward fleet local list shows them")
			}
			if p.Seq > seq {
				node, s, seq = id, x, p.Seq
			}
		}
	}
	if node == "" {
		return "", s, edgeward.E(op, edgeward.NotFound, "fleet.local_no_offer", "no server of the site promoted a version behind %s that this one knows of", key.Name).
			WithHint("edgeward fleet local list shows what others promoted; edgeward fleet site whether they are heard")
	}
	return node, s, nil
}

// taken is the promotion that an item brings, if it was taken from another node.
func (a *Agent) taken(i Item) (spec.Promotion, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.kept.Promotions {
		if i.Local > 0 && p.Promotion.Seq == i.Local {
			return p.Promotion, p.Promotion.Taken != (spec.Taken{})
		}
	}
	return spec.Promotion{}, false
}

// bringManifest fetches the manifest of a version of another node, and those of its parts, where they are not here. They are verified as the repository's:
// by length and digest, which the other node signed.
func (a *Agent) bringManifest(ctx context.Context, p spec.Promotion) error {
	fetch := a.o.Bring
	if fetch == nil {
		fetch = a.fromHub
	}
	bring := func(w pull.Want) error {
		if _, err := a.o.Puller.Blobs.Touch(w.Digest); err == nil {
			return nil
		}
		got, err := fetch(ctx, []pull.Want{w}, func(int64) {})
		a.came(got)
		return err
	}
	if err := bring(pull.Want{Digest: p.Digest(), Size: p.Length}); err != nil {
		return err
	}
	m, err := a.brought(ctx, p)
	if err != nil {
		return err
	}
	for _, f := range m.Parts() {
		if f.Size > models.MaxManifest {
			return edgeward.E("agent.bring", edgeward.TooLarge, "fleet.manifest", "the manifest of a part of version %d has %d bytes", p.Version, f.Size)
		}
		if err := bring(pull.Want{Digest: f.Digest, Size: f.Size}); err != nil {
			return err
		}
	}
	return nil
}

// brought is the manifest of a version of another node, of bytes that are here.
func (a *Agent) brought(ctx context.Context, p spec.Promotion) (models.Manifest, error) {
	_, model, d := p.Parts()
	raw, err := a.o.Puller.Blobs.ReadAll(ctx, d, p.Length)
	if err != nil {
		return models.Manifest{}, err
	}
	if int64(len(raw)) != p.Length || edgeward.DigestOf(raw) != d {
		return models.Manifest{}, edgeward.E("agent.brought", edgeward.Invalid, "fleet.manifest", "what came is not the manifest of version %d", p.Version)
	}
	m, err := models.ParseManifest(raw)
	if err != nil {
		return m, err
	}
	if _, x, err := m.Canonical(); err != nil || x != d || m.Model != model {
		return m, edgeward.E("agent.brought", edgeward.Invalid, "fleet.manifest_unread", "this edgeward does not understand all of the manifest of version %d", p.Version).WithHint("update this server")
	}
	return m, nil
}
