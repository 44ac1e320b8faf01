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

// TestOnlyAVerifiedPromotionInheritsAVerdict is what a node gains by words that it has not signed, and what it does not lose.
func TestOnlyAVerifiedPromotionInheritsAVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		version int // that it signs in the end
		want    hub.Choice
	}{"the same, properly": {7, hub.Adopt}, "another version under the same number": {8, ""}} {
		h, _, _, d := ward(t)
		_, err := h.Choose(t.Context(), "user:ann", "a", 1, hub.Adopt, "better")
		h.ok(err)
		good := h.tookBy(d, "d", "a", 7)
		bad := good
		bad.Signature = slices.Clone(good.Signature)
		bad.Signature[8] ^= 1
		h.ok(h.tells("d", 9000, 7, 1, bad))
		if p := h.promotion("d"); !p.Refused || p.Verdict != "" || p.With != "" {
			t.Errorf("%s: while it is refused: %+v", name, p)
		}
		if c.version != 7 {
			good = h.promotes(d, "d", "north", 1, c.version, 1, "")
		}
		h.ok(h.tells("d", 9001, c.version, 1, good))
		if p := h.promotion("d"); p.Refused || p.Promotion.Version != c.version || p.Verdict != c.want || (p.With == "a") != (c.want != "") {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestTheLatestVerdictIsInherited(t *testing.T) {
	h, _, _, _ := ward(t)
	_, err := h.Choose(t.Context(), "user:ann", "a", 1, hub.Adopt, "better")
	h.ok(err)
	for _, node := range []string{"e1", "e2", "e3", "e4", "e5"} {
		l := h.tookBy(h.identity("north", node), node, "a", 7)
		l.Ended, l.Code = h.now.UTC(), "fleet.local_taken_back"
		h.ok(h.tells(node, 9000, 1, 0, l))
		if p := h.promotion(node); p.Verdict != hub.Adopt || p.Ended.IsZero() {
			t.Fatalf("%s: %+v", node, p)
		}
	}
	h.now = h.now.Add(time.Hour)
	_, err = h.Choose(t.Context(), "user:eva", "c", 1, hub.Return, "worse at night")
	h.ok(err)
	for _, node := range []string{"f1", "f2", "f3"} {
		h.ok(h.tells(node, 9000, 7, 1, h.tookBy(h.identity("north", node), node, "a", 7)))
		if p := h.promotion(node); p.Verdict != hub.Return || p.By != "user:eva" || p.With != "c" {
			t.Errorf("%s: %+v", node, p)
		}
	}
}

// copied puts a node into quarantine.
func (h *house) copied(node string) {
	h.Helper()
	for seq := uint64(9500); seq < 9505; seq++ {
		for _, boot := range []string{"one", "two"} {
			_ = h.Report(h.Context(), spec.Reported{Format: 1, Node: node, Boot: boot, Seq: seq, At: h.now})
		}
	}
	if n, err := h.Node(node); err != nil || n.Standing != hub.Quarantine {
		h.Fatalf("%+v %v", n.Standing, err)
	}
}

// TestWhoWasToBringItIsAMemberNoMore is a node that ends before it brought what a person adopts: one of the others brings it, before one whose promotion ended.
func TestWhoWasToBringItIsAMemberNoMore(t *testing.T) {
	for name, ends := range map[string]func(h *house) error{
		"left": func(h *house) error { return h.Leave(h.Context(), "a") },
		"revoked": func(h *house) error {
			_, err := h.Decide(h.Context(), "user:ann", "a", hub.Revoke, "stolen")
			return err
		},
		"forgotten": func(h *house) error {
			h.copied("a")
			_, err := h.Decide(h.Context(), "user:ann", "a", hub.Forget, "gone")
			return err
		},
	} {
		h, lib, c, d := ward(t)
		h.ok(h.tells("d", 9000, 7, 1, h.tookBy(d, "d", "a", 7)))
		_, err := h.Choose(t.Context(), "user:ann", "a", 1, hub.Adopt, "better")
		h.ok(err)
		l := h.tookBy(c, "c", "a", 7)
		l.Ended, l.Code = h.now.UTC(), "fleet.local_taken_back"
		h.ok(h.tells("c", 9001, 1, 0, l))
		h.turn()
		h.ok(ends(h))
		h.restart()
		h.turn()
		if p, q := h.promotion("c"), h.promotion("d"); p.With != "d" || q.With != "" {
			t.Errorf("%s: c waits for %q, d for %q", name, p.With, q.With)
		}
		if p, q := h.desired("c", 0), h.desired("d", 0); len(p.Bring) != 0 || len(q.Bring) != 1 {
			t.Errorf("%s: c is asked for %v, d for %v", name, p.Bring, q.Bring)
		}
		_, raw, err := manifest("triage", 7)
		h.ok(err)
		for _, b := range [][]byte{raw, file(7), raw} {
			if code, body := h.call("d", http.MethodPut, "own/"+string(edgeward.DigestOf(b)), b); code >= 300 {
				t.Errorf("%s: %d %s", name, code, body)
			}
		}
		if p, q := h.promotion("c"), h.promotion("d"); p.Number != 4 || q.Number != 4 || len(lib.adopted) != 1 {
			t.Errorf("%s: c has number %d, d %d", name, p.Number, q.Number)
		}
	}
}

// A node that is let in again does not wait for one that ended meanwhile.
func TestWhoComesBackBringsIt(t *testing.T) {
	h, _, _, _ := ward(t)
	_, err := h.Choose(t.Context(), "user:ann", "a", 1, hub.Adopt, "better")
	h.ok(err)
	h.copied("c")
	h.ok(h.Leave(t.Context(), "a"))
	_, err = h.Decide(t.Context(), "user:ann", "c", hub.Approve, "the other one is off")
	h.ok(err)
	h.turn()
	if doc := h.desired("c", 0); len(doc.Bring) != 1 {
		t.Errorf("it waits for %q", h.promotion("c").With)
	}
}

// A node whose promotion fell out of what the hub keeps of it, while others wait for its bytes, is asked again.
func TestNobodyWaitsForItself(t *testing.T) {
	h, a, _ := autonomous(t)
	c := h.identity("north", "c")
	h.ok(h.tells("a", 9000, 7, 1, h.promotes(a, "a", "north", 1, 7, 1, "")))
	h.ok(h.tells("c", 9000, 7, 1, h.tookBy(c, "c", "a", 7)))
	_, err := h.Choose(t.Context(), "user:ann", "a", 1, hub.Adopt, "better")
	h.ok(err)
	h.ok(h.tells("a", 9001, 1, 0, h.promotes(a, "a", "north", 1, 7, 1, "fleet.local_taken_back")))
	for i := range uint64(spec.MaxLocals) {
		h.ok(h.tells("a", 9002+i, 1, 0, h.promotes(a, "a", "north", 2+i, 5, 1, "fleet.local_taken_back")))
	}
	if p, q := h.promotion("a"), h.promotion("c"); p.Promotion.Seq != spec.MaxLocals+1 || q.With != "a" {
		t.Fatalf("%+v %+v", p, q)
	}
	h.ok(h.tells("a", 9900, 7, 1, h.promotes(a, "a", "north", 1, 7, 1, "")))
	if p := h.promotion("a"); p.Promotion.Seq != 1 || p.Verdict != hub.Adopt || p.With != "" {
		t.Errorf("%+v", p)
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
