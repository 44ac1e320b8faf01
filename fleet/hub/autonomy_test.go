package hub_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/fleet/overlay"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/runtime/models"
	"edgeward/sync/canonical"
	"edgeward/sync/tuf"
)

// promotes is node's word that it put its own version n over version over.
func (h *house) promotes(i pki.Identity, node, site string, seq uint64, n, over int, end string) spec.Local {
	h.Helper()
	m, b, err := manifest("triage", n)
	h.ok(err)
	p := spec.Promotion{Format: 1, Fleet: "fleet1", Node: node, Site: site, Seq: seq, Target: spec.SiteTarget(site, "main", m.Model, digest(n)), Length: int64(len(b)), Endpoint: "triage", Version: n,
		Over: digest(over), Rev: 1, Job: "01J", At: h.now.UTC(), By: "user:bea", Reason: "drift"}
	raw, err := canonical.JSON(p)
	h.ok(err)
	sig, err := i.Sign(spec.PromotionPurpose, raw)
	h.ok(err)
	l := spec.Local{SignedPromotion: spec.SignedPromotion{Promotion: raw, Certificate: i.Chain[0], Signature: sig}, Code: end}
	if end != "" {
		l.Ended = h.now.UTC()
	}
	return l
}

// tells reports that node answers by its own version n, and of its promotions.
func (h *house) tells(node string, seq uint64, n int, local uint64, list ...spec.Local) error {
	s := spec.State{Group: "main", Name: "triage", Want: digest(n), Live: digest(n), Phase: spec.Committed, Since: h.now, Local: local}
	return h.Report(h.Context(), spec.Reported{Format: 1, Node: node, Boot: "boot-" + node, Seq: seq, At: h.now, Endpoints: []spec.State{s}, Facts: spec.Facts{Name: node}, Locals: list})
}

// wants is the endpoint of node's document.
func (h *house) wants(node string) spec.Endpoint {
	h.Helper()
	h.turn()
	d := h.desired(node, 0)
	if d == nil || len(d.Endpoints) != 1 {
		h.Fatalf("%+v", d)
	}
	return d.Endpoints[0]
}

func (h *house) promotion(node string) hub.Promoted {
	h.Helper()
	n, err := h.Node(node)
	h.ok(err)
	if len(n.Promotions) == 0 {
		h.Fatal("the hub knows of no promotion")
	}
	return n.Promotions[len(n.Promotions)-1]
}

func autonomous(t testing.TB) (*house, pki.Identity, pki.Identity) {
	h := founded(t)
	a, b := h.identity("north", "a"), h.identity("south", "b")
	_, err := h.Apply(t.Context(), "user:ann", "main", []overlay.Document{{Kind: overlay.Autonomy, Autonomy: spec.LocalPromote, After: spec.Length(72 * time.Hour)}}, "", false)
	h.ok(err)
	h.everywhere(1, "a", "b")
	return h, a, b
}

func TestTheDirectorDelegatesASiteToItsNodes(t *testing.T) {
	h, a, _ := autonomous(t)
	h.joins("c", "north")
	h.turn()
	d := h.desired("a", 0)
	if d.Policy.Autonomy.Mode != spec.LocalPromote || d.Delegation == nil || d.Delegation.Site != "north" || len(d.Delegation.Keys) != 2 || d.Delegation.Keys[0].Node != "a" ||
		d.Delegation.Keys[0].Certs[0] != edgeward.DigestOf(a.Chain[0]) || d.Delegation.Keys[1].Node != "c" {
		t.Errorf("%+v %+v", d.Policy, d.Delegation)
	}
	_, err := h.Decide(t.Context(), "user:ann", "c", hub.Revoke, "stolen")
	h.ok(err)
	h.turn()
	if next := h.desired("a", 0); next.Rev == d.Rev || len(next.Delegation.Keys) != 1 {
		t.Errorf("a revoked node still signs: %+v", next.Delegation)
	}
	_, err = h.Apply(t.Context(), "user:ann", "main", []overlay.Document{{Kind: overlay.Autonomy, Scope: "site/north", Autonomy: spec.None}}, "", false)
	h.ok(err)
	h.turn()
	if d := h.desired("a", 0); d.Delegation != nil || d.Policy.Autonomy.Mode != "" {
		t.Errorf("none in the site: %+v %+v", d.Policy, d.Delegation)
	}
	if d := h.desired("b", 0); d.Delegation == nil || d.Policy.Autonomy.Mode != spec.LocalPromote {
		t.Errorf("and elsewhere: %+v %+v", d.Policy, d.Delegation)
	}
}

func TestAPromotionIsShownAndNothingOfItIsLost(t *testing.T) {
	h, a, _ := autonomous(t)
	h.now = h.now.Add(100 * time.Hour)
	h.ok(h.tells("a", 9000, 5, 1, h.promotes(a, "a", "north", 1, 5, 1, "")))
	h.ok(h.tells("a", 9001, 5, 1))
	if p := h.promotion("a"); p.Refused || p.Promotion.Version != 5 || !p.Ended.IsZero() {
		t.Errorf("%+v", p)
	}
	gaps := h.Gaps()
	i := slices.IndexFunc(gaps, func(g hub.Gap) bool { return g.Node == "a" })
	if i < 0 || gaps[i].Code != "fleet.local" || gaps[i].Local != 1 || gaps[i].Wanted.Number != 1 || gaps[i].Observed.Digest != digest(5) {
		t.Fatalf("%+v", gaps)
	}
	h.restart()
	if e := h.wants("a"); e.Local != 0 || e.Digest != digest(1) {
		t.Errorf("the hub overrules it by itself: %+v", e)
	}
	if n := h.shelf.said("fleet.local.promoted"); n != 1 {
		t.Errorf("the audit says it %d times", n)
	}
	_, err := h.Choose(t.Context(), "user:ann", "a", 7, hub.Return, "worse")
	h.want("another one", err, "fleet.local.not_found")
	_, err = h.Choose(t.Context(), "user:ann", "a", 1, hub.Return, "worse")
	h.ok(err)
	if e := h.wants("a"); e.Local != 1 {
		t.Errorf("a person said return: %+v", e)
	}
	if e := h.wants("b"); e.Local != 0 {
		t.Errorf("and another node hears of it: %+v", e)
	}
	h.ok(h.tells("a", 9002, 1, 0, h.promotes(a, "a", "north", 1, 5, 1, "fleet.local_returned")))
	if p := h.promotion("a"); p.Ended.IsZero() || p.Code != "fleet.local_returned" {
		t.Errorf("%+v", p)
	}
	if gaps := h.Gaps(); slices.ContainsFunc(gaps, func(g hub.Gap) bool { return g.Node == "a" && g.Code == "fleet.local" }) {
		t.Errorf("%+v", gaps)
	}
	_, err = h.Choose(t.Context(), "user:ann", "a", 1, hub.Adopt, "better")
	h.want("one that ended", err, "fleet.local_ended")
}

// said counts what the audit was told.
func (s *shelf) said(action string) (n int) {
	for _, c := range s.changes {
		if c.Action == action {
			n++
		}
	}
	return n
}

// What the hub decided before it heard of a promotion waits for a person; what it decides afterwards counts.
func TestTheHubsNewerWishesCount(t *testing.T) {
	h, a, _ := autonomous(t)
	h.sign(2)
	before, err := h.StartRollout(t.Context(), "user:ann", "main", hub.Order{Scope: "site/north", Endpoint: "triage", Model: "triage", Version: 2, Reason: "before"})
	h.ok(err)
	h.now = h.now.Add(time.Hour)
	h.turn()
	h.ok(h.tells("a", 9000, 5, 1, h.promotes(a, "a", "north", 1, 5, 1, "")))
	if e := h.wants("a"); e.Digest != digest(2) || e.Local != 0 {
		t.Errorf("a wish of before: %+v", e)
	}
	_, err = h.Say(t.Context(), "user:ann", before.ID, "abort", "the node has its own")
	h.ok(err)
	h.now = h.now.Add(time.Hour)
	h.turn()
	h.sign(3)
	_, err = h.StartRollout(t.Context(), "user:ann", "main", hub.Order{Scope: "site/north", Endpoint: "triage", Model: "triage", Version: 3, Reason: "after"})
	h.ok(err)
	h.now = h.now.Add(time.Minute)
	h.ok(h.tells("a", 9003, 5, 1))
	if e := h.wants("a"); e.Digest != digest(3) || e.Local != 1 {
		t.Errorf("a wish of after: %+v", e)
	}
}

// TestAStolenKeyAtTheHub is what a thief of a node's key can tell the hub.
func TestAStolenKeyAtTheHub(t *testing.T) {
	h, a, b := autonomous(t)
	for name, l := range map[string]spec.Local{
		"for another site":             h.promotes(a, "a", "south", 1, 5, 1, ""),
		"in the name of another node":  h.promotes(a, "b", "north", 2, 5, 1, ""),
		"signed by a node elsewhere":   h.promotes(b, "a", "north", 3, 5, 1, ""),
		"with a receipt's signature":   func() spec.Local { l := h.promotes(a, "a", "north", 4, 5, 1, ""); l.Signature[8] ^= 1; return l }(),
		"of another fleet's authority": h.promotes(stranger(t), "a", "north", 5, 5, 1, ""),
	} {
		h.now = h.now.Add(time.Second)
		h.ok(h.tells("a", uint64(h.now.Unix()), 5, 1, l))
		if p := h.promotion("a"); !p.Refused || p.Code == "" || p.Why == "" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if e := h.wants("a"); e.Local != 5 || e.Digest != digest(1) {
		t.Errorf("they count: %+v", e)
	}
	h.ok(h.tells("a", uint64(h.now.Unix())+1, 5, 1, spec.Local{SignedPromotion: spec.SignedPromotion{Promotion: []byte(`{"target":"models/main/triage/x"}`)}}))
	_, err := h.Choose(t.Context(), "user:ann", "a", 5, hub.Adopt, "it seems good")
	h.want("adopting one", err, "fleet.not_delegated")
	_, err = h.Decide(t.Context(), "user:ann", "b", hub.Revoke, "stolen")
	h.ok(err)
	h.want("a revoked node", h.tells("b", 9000, 5, 1, h.promotes(b, "b", "south", 1, 5, 1, "")), "fleet.node_revoked")
	if n, err := h.Node("b"); err != nil || len(n.Promotions) != 0 {
		t.Errorf("%+v %v", n.Promotions, err)
	}
	if signed, err := h.Fleet().Set.Signed(); err != nil || len(signed) != 1 {
		t.Errorf("%v %v", signed, err)
	}
}

func stranger(t testing.TB) pki.Identity {
	t.Helper()
	ca, err := pki.NewCA("fleet1", start)
	if err != nil {
		t.Fatal(err)
	}
	i, csr, err := pki.Request("a")
	if err != nil {
		t.Fatal(err)
	}
	if i.Chain, err = ca.IssueNode("a", csr, nil, start); err != nil {
		t.Fatal(err)
	}
	return i
}

// shelved is a registry that versions of nodes come into; nothing of version 7 is there before.
type shelved struct {
	library
	has     map[edgeward.Digest]int
	adopted []models.Manifest
}

func (s *shelved) Open(ctx context.Context, d edgeward.Digest) (io.ReadSeekCloser, int64, error) {
	_, raw, _ := manifest("triage", 7)
	if _, ok := s.has[d]; !ok && (d == edgeward.DigestOf(file(7)) || d == edgeward.DigestOf(raw)) {
		return nil, 0, edgeward.E("shelved", edgeward.NotFound, "blob.not_found", "no blob")
	}
	return s.library.Open(ctx, d)
}

func (s *shelved) Keep(_ context.Context, d edgeward.Digest, r io.Reader, limit int64) error {
	b, err := io.ReadAll(r)
	if err != nil || int64(len(b)) > limit || edgeward.DigestOf(b) != d {
		return edgeward.E("shelved", edgeward.Invalid, "blob.mismatch", "%d bytes: %v", len(b), err)
	}
	s.has[d]++
	return nil
}

func (s *shelved) Adopt(_ context.Context, _, _ string, m models.Manifest) (int, error) {
	s.adopted = append(s.adopted, m)
	return 4, nil
}

func TestAnAdoptedVersionComesFromItsNode(t *testing.T) {
	h, a, _ := autonomous(t)
	lib := &shelved{has: map[edgeward.Digest]int{}}
	h.o.Bytes, h.o.Adopting = lib, lib
	h.restart()
	h.ok(h.tells("a", 9000, 7, 1, h.promotes(a, "a", "north", 1, 7, 1, "")))
	_, raw, err := manifest("triage", 7)
	h.ok(err)
	put := func(node string, b []byte) int {
		code, _ := h.call(node, http.MethodPut, "own/"+string(edgeward.DigestOf(b)), b)
		return code
	}
	if got := put("a", raw); got != http.StatusNotFound {
		t.Errorf("nobody asked: %d", got)
	}
	_, err = h.Choose(t.Context(), "user:ann", "a", 1, hub.Adopt, "better")
	h.ok(err)
	h.turn()
	if d := h.desired("a", 0); !slices.Equal(d.Bring, []edgeward.Digest{digest(7)}) || d.Endpoints[0].Local != 0 {
		t.Errorf("%+v", d)
	}
	if d := h.desired("b", 0); d.Bring != nil {
		t.Errorf("%+v", d)
	}
	if got := put("b", raw); got != http.StatusNotFound {
		t.Errorf("another node: %d", got)
	}
	if got := put("a", file(8)); got != http.StatusNotFound {
		t.Errorf("what nobody asked for: %d", got)
	}
	if got := put("a", file(7)); got != http.StatusNotFound {
		t.Errorf("a file before the manifest: %d", got)
	}
	code, b := h.call("a", http.MethodPut, "own/"+string(digest(7)), raw)
	var out spec.Brought
	if code != http.StatusOK || json.Unmarshal(b, &out) != nil || !slices.Equal(out.Missing, []edgeward.Digest{edgeward.DigestOf(file(7))}) {
		t.Fatalf("%d %s", code, b)
	}
	if code, b := h.call("a", http.MethodPut, "own/"+string(edgeward.DigestOf(file(7))), []byte("other bytes")); code == http.StatusNoContent {
		t.Errorf("other bytes: %d %s", code, b)
	}
	if got := put("a", file(7)); got != http.StatusNoContent {
		t.Errorf("the file: %d", got)
	}
	if code, b = h.call("a", http.MethodPut, "own/"+string(digest(7)), raw); code != http.StatusOK || json.Unmarshal(b, &out) != nil || out.Version != 4 {
		t.Errorf("%d %s", code, b)
	}
	if p := h.promotion("a"); p.Number != 4 || len(lib.adopted) != 1 {
		t.Errorf("%+v, %d", p, len(lib.adopted))
	}
	h.turn()
	if d := h.desired("a", 0); d.Bring != nil {
		t.Errorf("it is asked for again: %+v", d)
	}
}

func TestARevokedVersionIsNotHeldAgainstAnybody(t *testing.T) {
	h, a, _ := autonomous(t)
	p, err := tuf.Revoke(h.Fleet().Set, []tuf.Revocation{{Digest: digest(5), Reason: "wrong labels"}}, h.now)
	h.ok(err)
	h.ok(h.Propose(t.Context(), "user:ann", p))
	sigs, err := tuf.Sign(h.Fleet().Set, p, h.abe)
	h.ok(err)
	_, _, err = h.Sign(t.Context(), "user:abe", p.ID(), sigs)
	h.ok(err)
	h.ok(h.tells("a", 9000, 5, 1, h.promotes(a, "a", "north", 1, 5, 1, "")))
	if e := h.wants("a"); e.Local != 1 {
		t.Errorf("a revoked version stands: %+v", e)
	}
}
