package hub_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/sync/canonical"
)

// tookBy is node's word that it took version n, which from promoted as its seq 1.
func (h *house) tookBy(i pki.Identity, node, from string, n int) spec.Local {
	h.Helper()
	l := h.promotes(i, node, "north", 1, n, 1, "")
	p, err := spec.ParsePromotion(l.Promotion)
	h.ok(err)
	p.Taken = spec.Taken{Node: from, Name: "ward-" + from, Seq: 1}
	l.Promotion, err = canonical.JSON(p)
	h.ok(err)
	l.Signature, err = i.Sign(spec.PromotionPurpose, l.Promotion)
	h.ok(err)
	return l
}

// ward is a site whose hub was away: a promoted version 7, c took it from a.
func ward(t testing.TB) (h *house, lib *shelved, c, d pki.Identity) {
	h, a, _ := autonomous(t)
	lib = &shelved{has: map[edgeward.Digest]int{}}
	h.o.Bytes, h.o.Adopting = lib, lib
	h.restart()
	c, d = h.identity("north", "c"), h.identity("north", "d")
	h.now = h.now.Add(100 * time.Hour)
	h.ok(h.tells("a", 9000, 7, 1, h.promotes(a, "a", "north", 1, 7, 1, "")))
	h.ok(h.tells("c", 9000, 7, 1, h.tookBy(c, "c", "a", 7)))
	return h, lib, c, d
}

func TestWhereATakenVersionCameFromIsShown(t *testing.T) {
	h, _, _, _ := ward(t)
	if p := h.promotion("c"); p.Refused || p.Promotion.Taken != (spec.Taken{Node: "a", Name: "ward-a", Seq: 1}) {
		t.Errorf("%+v", p)
	}
	gaps := h.Gaps()
	i := slices.IndexFunc(gaps, func(g hub.Gap) bool { return g.Node == "c" })
	if i < 0 || gaps[i].Code != "fleet.local" || gaps[i].Why != "the node took version 7, which ward-a promoted (user:bea): drift" {
		t.Errorf("%+v", gaps)
	}
}

// TestAVersionOfSeveralNodesIsAdoptedOnce is a version that one node trained and others took: a person adopts it at one of them.
func TestAVersionOfSeveralNodesIsAdoptedOnce(t *testing.T) {
	for _, at := range []string{"a", "c"} { // the one that trained it, and one that took it
		h, lib, _, d := ward(t)
		_, err := h.Choose(t.Context(), "user:ann", at, 1, hub.Adopt, "better")
		h.ok(err)
		h.ok(h.tells("d", 9000, 7, 1, h.tookBy(d, "d", "a", 7))) // it was away for longer
		for _, node := range []string{"a", "c", "d"} {
			p := h.promotion(node)
			if p.Verdict != hub.Adopt || p.By != "user:ann" || p.Reason != "better" || p.With != map[bool]string{true: "", false: at}[node == at] {
				t.Errorf("%s, chosen at %s: %+v", node, at, p)
			}
			h.turn()
			if doc := h.desired(node, 0); (len(doc.Bring) == 1) != (node == at) || doc.Endpoints[0].Local != 0 {
				t.Errorf("%s, chosen at %s: asked for %v, local %d", node, at, doc.Bring, doc.Endpoints[0].Local)
			}
		}
		_, raw, err := manifest("triage", 7)
		h.ok(err)
		put := func(node string, b []byte) (int, spec.Brought) {
			var out spec.Brought
			code, body := h.call(node, http.MethodPut, "own/"+string(edgeward.DigestOf(b)), b)
			_ = json.Unmarshal(body, &out)
			return code, out
		}
		other := map[string]string{"a": "c", "c": "a"}[at]
		if code, _ := put(other, raw); code != http.StatusNotFound {
			t.Errorf("the other one brings it too: %d", code)
		}
		put(at, raw)
		put(at, file(7))
		if code, out := put(at, raw); code != http.StatusOK || out.Version != 4 || len(lib.adopted) != 1 {
			t.Errorf("%d %+v, adopted %d times", code, out, len(lib.adopted))
		}
		h.restart()
		for _, node := range []string{"a", "c", "d"} {
			if p := h.promotion(node); p.Number != 4 {
				t.Errorf("%s, chosen at %s: %+v", node, at, p)
			}
			h.turn()
			if doc := h.desired(node, 0); len(doc.Bring) != 0 {
				t.Errorf("%s is asked again", node)
			}
		}
		if n := h.shelf.said("fleet.local.brought"); n != 1 {
			t.Errorf("the audit says %d times that it was brought", n)
		}
		if n := h.shelf.said("fleet.local.adopt"); n != 2 {
			t.Errorf("the audit says %d times that it was adopted, of two that were known then", n)
		}
	}
}

func TestOneChoiceReturnsAllThatTookIt(t *testing.T) {
	h, _, _, d := ward(t)
	other := h.tookBy(d, "d", "b", 7) // the same bytes, and another promotion
	h.ok(h.tells("d", 9000, 7, 1, other))
	_, err := h.Choose(t.Context(), "user:ann", "c", 1, hub.Return, "worse at night")
	h.ok(err)
	for node, want := range map[string]uint64{"a": 1, "c": 1, "d": 0} {
		if e := h.wants(node); e.Local != want {
			t.Errorf("%s: up to %d counts no more, want %d", node, e.Local, want)
		}
	}
}

// A node that brings nothing, because its disk broke, does not hold the others up: a person says it to another one.
func TestAnotherNodeBringsIt(t *testing.T) {
	h, _, _, _ := ward(t)
	for _, node := range []string{"a", "c"} {
		_, err := h.Choose(t.Context(), "user:ann", node, 1, hub.Adopt, "better")
		h.ok(err)
		h.turn()
		if doc := h.desired(node, 0); len(doc.Bring) != 1 {
			t.Errorf("%s is asked for %v", node, doc.Bring)
		}
	}
}
