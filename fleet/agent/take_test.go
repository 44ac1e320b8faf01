package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/autonomy"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/sync/canonical"
	"edgeward/sync/pull"
	"edgeward/sync/tuf"
)

var triage = spec.Key{Group: "main", Name: "triage"}

// neighbours are a site whose other servers, n2 and n3, may promote too; what they have, n1 may fetch.
type neighbours struct {
	*site
	ids map[string]pki.Identity

	mu    sync.Mutex
	gives func(edgeward.Digest, []byte) []byte // what comes of a blob; nil: as it is
	came  []edgeward.Digest
}

func neighboured(t testing.TB) *neighbours {
	n := &neighbours{site: alone(t), ids: map[string]pki.Identity{}}
	for _, node := range []string{"n2", "n3", "stranger"} {
		id, csr, err := pki.Request(node)
		n.ok(err)
		id.Chain, err = n.ca.IssueNode(node, csr, nil, time.Now())
		n.ok(err)
		n.ids[node] = id
	}
	n.bring = func(ctx context.Context, wants []pull.Want, note func(int64)) (got spec.Traffic, err error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, w := range wants {
			var b []byte
			for v := range 9 {
				if _, raw, d, file := version(v); d == w.Digest {
					b = raw
				} else if edgeward.DigestOf(file) == w.Digest {
					b = file
				}
			}
			if n.gives != nil {
				b = n.gives(w.Digest, b)
			}
			if _, err := n.m.blobs.PutAs(ctx, w.Digest, bytes.NewReader(b), w.Size); err != nil { // whoever sent it is asked no more, and nobody else has it
				return got, edgeward.E("neighbours", edgeward.Unavailable, "fleet.peer_away", "nobody has it: %w", err)
			}
			n.came = append(n.came, w.Digest)
			got.Peers += int64(len(b))
		}
		return got, nil
	}
	return n
}

// together is allows, and lets persons take what n2 and n3 promote.
func (n *neighbours) together(rev uint64, v int) spec.Desired {
	d := n.allows(rev, v)
	d.Policy.Autonomy.Take = spec.TakeSite
	d.Roster = []spec.Peer{{Node: "n1", Name: "north-1"}, {Node: "n2", Name: "north-2"}, {Node: "n3", Name: "north-3"}}
	for _, x := range []string{"n2", "n3"} {
		d.Delegation.Keys = append(d.Delegation.Keys, spec.Signer{Node: x, Certs: []edgeward.Digest{edgeward.DigestOf(n.ids[x].Chain[0])}})
	}
	return d
}

// promoted is node's word that it put its own version 5 over version 1, changed by spoil.
func (n *neighbours) promoted(node string, spoil func(*spec.Promotion)) spec.SignedPromotion {
	n.t.Helper()
	_, raw, d, _ := version(5)
	p := spec.Promotion{Format: spec.Format, Fleet: "fleet1", Node: node, Site: "north", Seq: 3, Target: spec.SiteTarget("north", "main", "triage", d), Length: int64(len(raw)), Endpoint: "triage", Version: 5,
		Over: digest(1), Rev: 1, Job: "01J", At: time.Now().UTC(), By: "user:eva", Reason: "drift there too"}
	if spoil != nil {
		spoil(&p)
	}
	b, err := canonical.JSON(p)
	n.ok(err)
	sig, err := n.ids[node].Sign(spec.PromotionPurpose, b)
	n.ok(err)
	return spec.SignedPromotion{Promotion: b, Certificate: n.ids[node].Chain[0], Signature: sig}
}

// gone is a site that has version 1, and whose hub is away for long.
func gone(t testing.TB) (n *neighbours, stop func()) {
	n = neighboured(t)
	stop = n.run()
	n.sign(1)
	n.say(n.together(1, 1), n.key)
	n.want("the hub's", n.settles(), "live 1, committed")
	n.site.alone(21)
	n.mu.Lock()
	n.came = nil
	n.mu.Unlock()
	return n, stop
}

func (n *neighbours) take(from string) error {
	_, err := n.a.TakeOffer(n.t.Context(), "user:bea", triage, from, "north-2 does better with it")
	return err
}

func (n *neighbours) audit(what string) (out []agent.Happened) {
	n.m.mu.Lock()
	defer n.m.mu.Unlock()
	for _, h := range n.m.happened {
		if h.What == what {
			out = append(out, h)
		}
	}
	return out
}

func TestAPersonTakesWhatAnotherServerOfTheSitePromoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, stop := gone(t)
		n.refusesTake("before anybody offers", "", "fleet.local_no_offer")
		n.a.Offer(t.Context(), "n2", []spec.SignedPromotion{n.promoted("n2", nil)})
		n.want("an offer changes nothing", n.settles(), "live 1, committed")
		if o := n.a.Offered(); len(o) != 1 || o[0].Code != "" || o[0].Name != "north-2" || o[0].Promotion.Seq != 3 || len(n.came) > 0 {
			t.Errorf("%+v, fetched %v", o, n.came)
		}
		n.refusesTake("from somebody who offers nothing", "north-3", "fleet.local_no_offer")
		if _, err := n.a.TakeOffer(t.Context(), "user:bea", triage, "", ""); edgeward.CodeOf(err) != "fleet.local_reason" {
			t.Errorf("without a reason: %v", err)
		}
		p, err := n.a.TakeOffer(t.Context(), "user:bea", triage, "north-2", "north-2 does better with it")
		n.ok(err)
		if p.Node != "n1" || p.Seq != 1 || p.Taken != (spec.Taken{Node: "n2", Name: "north-2", Seq: 3}) || p.Over != digest(1) || p.Digest() != digest(5) {
			t.Errorf("%+v", p)
		}
		if again, err := n.a.TakeOffer(t.Context(), "user:bea", triage, "n2", "again"); err != nil || again.Seq != 1 {
			t.Errorf("the same again: %+v %v", again, err)
		}
		n.want("it passed its probation here", n.settles(), "live 5, committed")
		n.look(func() {
			if k := len(n.m.acts); k < 2 || n.m.acts[k-2] != agent.Shadow || n.m.acts[k-1] != agent.Promote {
				t.Errorf("it was not a shadow first: %v", n.m.acts)
			}
		})
		if h := n.audit("fleet.local.taken"); len(h) != 1 || h[0].By != "user:bea" || h[0].Detail["node"] != "n2" || h[0].Detail["name"] != "north-2" || h[0].Detail["promoted_by"] != "user:eva" {
			t.Errorf("the audit has %+v", h)
		}
		if o := n.a.Offered(); len(o) != 0 {
			t.Errorf("it is still offered: %+v", o)
		}
		if s := n.a.Shares(n.together(9, 1)); len(s) != 0 || n.a.Sharing() != 0 {
			t.Errorf("what was taken is offered on: %d", len(s))
		}
		if l := n.a.Lends(n.together(9, 1)); !slices.Equal(l, []edgeward.Digest{digest(5)}) {
			t.Errorf("its bytes are not handed on: %v", l)
		}
		stop()
		stop = n.run()
		defer func() { stop() }()
		n.want("restarted", n.settles(), "live 5, committed")
		// the hub is back: it is told by this node's own word, and its word counts again
		n.fail(nil)
		n.look(func() { n.reports = nil })
		time.Sleep(12 * time.Minute)
		told := false
		n.look(func() {
			for _, r := range n.reports {
				for _, l := range r.Locals {
					got, err := (autonomy.Judge{Authority: n.authority, Fleet: "fleet1", Delegation: n.together(9, 1).Delegation, Revoked: func(edgeward.Digest) (string, bool) { return "", false }}).Verify(l.SignedPromotion, time.Now())
					told = err == nil && got.Node == "n1" && got.Origin() == (spec.Taken{Node: "n2", Seq: 3})
				}
			}
		})
		if !told {
			t.Error("the hub was not told where it came from")
		}
		d := n.together(2, 1)
		d.Endpoints[0].Local = 1
		n.say(d, n.key)
		time.Sleep(12 * time.Minute)
		n.want("a person at the hub says return", n.settles(), "live 1, committed")
		old := n.promoted("n2", func(p *spec.Promotion) { p.At = p.At.Add(-time.Hour) })
		n.site.alone(21)
		n.a.Offer(t.Context(), "n2", []spec.SignedPromotion{old})
		n.refusesTake("the hub has spoken since", "", "fleet.local_old")
	})
}

func (n *neighbours) refusesTake(what, from, code string) {
	n.t.Helper()
	if err := n.take(from); edgeward.CodeOf(err) != code || edgeward.HintOf(err) == "" {
		n.t.Errorf("%s: %v, want %q with a hint", what, err, code)
	}
}

// TestWhatOthersOfferAndIsNotTaken is a server of the site that was stolen, or another one, that offers what it may not.
func TestWhatOthersOfferAndIsNotTaken(t *testing.T) {
	for name, row := range map[string]struct {
		offer func(n *neighbours) spec.SignedPromotion
		code  string
		loud  bool // the audit has it
	}{
		"of another site": {func(n *neighbours) spec.SignedPromotion {
			return n.promoted("n2", func(p *spec.Promotion) {
				p.Site, p.Target = "south", strings.Replace(p.Target, "north", "south", 1)
			})
		}, "fleet.not_delegated", true},
		"of a server that the hub does not name, such as a revoked one": {func(n *neighbours) spec.SignedPromotion {
			return n.promoted("stranger", nil)
		}, "fleet.not_delegated", true},
		"in the name of another server": {func(n *neighbours) spec.SignedPromotion {
			return n.promoted("n3", nil)
		}, "fleet.not_delegated", true},
		"altered": {func(n *neighbours) spec.SignedPromotion {
			s := n.promoted("n2", nil)
			s.Promotion = bytes.Replace(s.Promotion, []byte(`"version":5`), []byte(`"version":6`), 1)
			return s
		}, "fleet.untrusted", true},
		"a target of the persons'": {func(n *neighbours) spec.SignedPromotion {
			return n.promoted("n2", func(p *spec.Promotion) { p.Target = strings.Replace(p.Target, "site/north", "models", 1) })
		}, "fleet.promotion", true},
		"no promotion at all": {func(*neighbours) spec.SignedPromotion {
			return spec.SignedPromotion{Promotion: []byte("[]"), Certificate: bytes.Repeat([]byte("x"), 9<<10)}
		}, "fleet.promotion", true},
		"an endpoint that the document does not name": {func(n *neighbours) spec.SignedPromotion {
			return n.promoted("n2", func(p *spec.Promotion) { p.Endpoint = "sepsis" })
		}, "fleet.local_endpoint", false},
		"another model": {func(n *neighbours) spec.SignedPromotion {
			return n.promoted("n2", func(p *spec.Promotion) { p.Target = strings.Replace(p.Target, "triage", "sepsis", 1) })
		}, "fleet.local_endpoint", false},
		"one from before the hub's last word": {func(n *neighbours) spec.SignedPromotion {
			return n.promoted("n2", func(p *spec.Promotion) { p.At = p.At.Add(-time.Hour) })
		}, "fleet.local_old", false},
		"one over another version of the hub": {func(n *neighbours) spec.SignedPromotion {
			return n.promoted("n2", func(p *spec.Promotion) { p.Over = digest(2) })
		}, "fleet.local_old", false},
		"from the future": {func(n *neighbours) spec.SignedPromotion {
			return n.promoted("n2", func(p *spec.Promotion) { p.At = p.At.Add(24 * time.Hour) })
		}, "fleet.local_time", false},
		"one that it took itself": {func(n *neighbours) spec.SignedPromotion {
			return n.promoted("n2", func(p *spec.Promotion) { p.Taken = spec.Taken{Node: "n3", Seq: 1} })
		}, "fleet.local_foreign", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, stop := gone(t)
				defer stop()
				s := row.offer(n)
				from := "n2"
				if name == "of a server that the hub does not name, such as a revoked one" {
					from = "stranger"
				}
				n.look(func() { n.m.full = edgeward.E("disk", edgeward.Exhausted, "disk.full", "no space") })
				n.a.Offer(t.Context(), from, []spec.SignedPromotion{s}) // it is said when it can be
				n.look(func() { n.m.full = nil })
				for range 3 {
					n.a.Offer(t.Context(), from, nil)
					n.a.Offer(t.Context(), from, []spec.SignedPromotion{s})
				}
				o := n.a.Offered()
				if len(o) != 1 || o[0].Code != row.code || o[0].Why == "" {
					t.Fatalf("%+v, want %q", o, row.code)
				}
				if h := n.audit("fleet.local.refused"); row.loud != (len(h) == 1) || len(h) > 1 {
					t.Errorf("the audit has %+v", h)
				}
				key := spec.Key{Group: "main", Name: "triage"}
				if p, err := spec.ParsePromotion(s.Promotion); err == nil {
					key = p.Key()
				}
				if _, err := n.a.TakeOffer(t.Context(), "user:bea", key, "", "it seems good"); edgeward.CodeOf(err) != row.code && edgeward.CodeOf(err) != "fleet.local_no_offer" {
					t.Errorf("taken all the same: %v", err)
				}
				n.want("what answers", n.settles(), "live 1, committed")
				if len(n.came) > 0 {
					t.Errorf("%v were fetched", n.came)
				}
			})
		})
	}
}

// TestAltersBytesOnTheWay is a server of the site that sends other bytes than it promoted.
func TestAlteredBytesOfATakenVersionNeverRun(t *testing.T) {
	_, raw, d, file := version(5)
	for name, row := range map[string]struct {
		gives func(x edgeward.Digest, b []byte) []byte
		code  string // of the person's request; "" it is accepted, and the item waits for better bytes
	}{
		"its manifest": {func(x edgeward.Digest, b []byte) []byte {
			if x == d {
				return append([]byte(" "), raw[1:]...)
			}
			return b
		}, "fleet.peer_away"},
		"its weights": {func(x edgeward.Digest, b []byte) []byte {
			if x != d {
				return bytes.ToUpper(file)
			}
			return b
		}, ""},
		"nothing comes": {func(edgeward.Digest, []byte) []byte { return nil }, "fleet.peer_away"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, stop := gone(t)
				defer stop()
				n.mu.Lock()
				n.gives = row.gives
				n.mu.Unlock()
				n.a.Offer(t.Context(), "n2", []spec.SignedPromotion{n.promoted("n2", nil)})
				if err := n.take("n2"); edgeward.CodeOf(err) != row.code {
					t.Fatalf("%v, want %q", err, row.code)
				}
				if got := n.settles(); !strings.HasPrefix(got, "live 1") {
					t.Errorf("%s answers", got)
				}
				if row.code != "" {
					return
				}
				n.mu.Lock()
				n.gives = nil
				n.mu.Unlock()
				n.want("good bytes", n.settles(), "live 5, committed")
			})
		})
	}
}

func TestHowATakenPromotionEnds(t *testing.T) {
	for name, row := range map[string]struct {
		do   func(n *neighbours)
		want string
		word autonomy.Word
	}{
		"the server that promoted it was shut out": {func(n *neighbours) {
			n.fail(nil)
			d := n.together(2, 1)
			d.Delegation.Keys = slices.DeleteFunc(d.Delegation.Keys, func(k spec.Signer) bool { return k.Node == "n2" })
			n.say(d, n.key)
			time.Sleep(12 * time.Minute)
		}, "live 1, committed", autonomy.Disowned},
		"the hub wants just this": {func(n *neighbours) {
			n.fail(nil)
			n.sign(5)
			n.say(n.together(2, 5), n.key)
			time.Sleep(12 * time.Minute)
		}, "live 5, committed", autonomy.Adopted},
		"it is revoked": {func(n *neighbours) {
			n.fail(nil)
			p, err := tuf.Revoke(n.set, []tuf.Revocation{{Digest: digest(5), Reason: "wrong labels"}}, time.Now())
			n.ok(err)
			n.publish(p, n.abe)
			time.Sleep(12 * time.Minute)
		}, "live 1, committed", autonomy.Revoked},
		"a person here": {func(n *neighbours) { n.ok(n.a.TakeBack(n.t.Context(), "user:bea", triage, "worse here")) }, "live 1, committed", autonomy.TakenBack},
		"a version that was trained here": {func(n *neighbours) {
			_, err := n.a.Promote(n.t.Context(), n.own(6))
			n.ok(err)
			n.refusesTake("in place of its own", "n2", "fleet.local_own")
		}, "live 6, committed", ""},
		"the policy ends, and it stands": {func(n *neighbours) {
			n.fail(nil)
			n.say(n.document(2, 1), n.key)
			time.Sleep(12 * time.Minute)
			if len(n.a.Lends(n.together(9, 1))) > 0 {
				n.t.Error("its bytes are handed on all the same")
			}
		}, "live 5, committed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, stop := gone(t)
				defer stop()
				n.a.Offer(t.Context(), "n2", []spec.SignedPromotion{n.promoted("n2", nil)})
				n.ok(n.take(""))
				n.want("taken", n.settles(), "live 5, committed")
				row.do(n)
				n.want(name, n.settles(), row.want)
				if n.ended() != row.word {
					t.Errorf("%q, want %q", n.ended(), row.word)
				}
			})
		})
	}
}

func TestATakenVersionThatDoesNotPassHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, stop := gone(t)
		defer stop()
		n.look(func() { n.m.unlike = 3 })
		n.a.Offer(t.Context(), "n2", []spec.SignedPromotion{n.promoted("n2", nil)})
		n.ok(n.take(""))
		n.want("it did not pass", n.settles(), "live 1, committed")
		if n.ended() != autonomy.Failed {
			t.Errorf("%q", n.ended())
		}
	})
}

// TestATakenVersionWhoseManifestWasSwept waited longer for this server than blobs are kept that nothing points at.
func TestATakenVersionWhoseManifestWasSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, stop := gone(t)
		defer func() { stop() }()
		n.look(func() { n.m.lacks = "onnx" })
		n.a.Offer(t.Context(), "n2", []spec.SignedPromotion{n.promoted("n2", nil)})
		n.ok(n.take(""))
		n.want("it does not fit yet", n.settles(), "live 1, refused fleet.engine")
		swept := func(after time.Duration) int {
			got, err := n.m.blobs.Sweep(t.Context(), func(d edgeward.Digest) bool { return d != digest(5) }, 10*time.Minute, time.Now().Add(after))
			n.ok(err)
			return got.Removed
		}
		time.Sleep(20 * time.Minute)
		if swept(0) != 0 {
			t.Error("it was swept while this server looks at it")
		}
		stop() // for longer than that
		if swept(time.Hour) != 1 {
			t.Fatal("it was not swept")
		}
		stop = n.run()
		n.look(func() { n.m.lacks = "" })
		n.want("it fits", n.settles(), "live 5, committed")
	})
}

// TestManyAreOffered is the newest of more than go into one answer.
func TestManyAreOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, stop := gone(t)
		_, err := n.a.Promote(t.Context(), n.own(5))
		n.ok(err)
		n.want("its own", n.settles(), "live 5, committed")
		stop()
		d := n.together(9, 1)
		n.look(func() { // the same at more endpoints
			k := &n.m.kept
			for seq := uint64(2); seq <= spec.MaxLocals+2; seq++ {
				i, p, e := k.Items[0], k.Promotions[0], d.Endpoints[0]
				e.Name = fmt.Sprintf("ward%02d", seq)
				i.Want.Name, i.Local, i.State.Local = e.Name, seq, seq
				p.Promotion.Endpoint, p.Promotion.Seq = e.Name, seq
				k.Items, k.Promotions, d.Endpoints = append(k.Items, i), append(k.Promotions, p), append(d.Endpoints, e)
			}
		})
		defer n.run()()
		s := n.a.Shares(d)
		if len(s) != spec.MaxLocals {
			t.Fatalf("%d are offered", len(s))
		}
		for i, x := range s {
			if p, err := spec.ParsePromotion(x.Promotion); err != nil || p.Seq != uint64(i+3) {
				t.Errorf("%d: %d %v", i, p.Seq, err)
			}
		}
	})
}

// TestWhoIsOfferedWhat is the other side: what this server promoted and has proved, it offers to who may take it.
func TestWhoIsOfferedWhat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, stop := gone(t)
		defer stop()
		ask := n.together(9, 1)
		if n.a.Sharing() != 0 || len(n.a.Shares(ask)) != 0 || len(n.a.Lends(ask)) != 0 {
			t.Error("something is offered before there is anything")
		}
		_, err := n.a.Promote(t.Context(), n.own(5))
		n.ok(err)
		if len(n.a.Shares(ask)) != 0 {
			t.Error("it is offered before it has passed its probation here")
		}
		n.want("its own", n.settles(), "live 5, committed")
		s := n.a.Shares(ask)
		if n.a.Sharing() == 0 || len(s) != 1 {
			t.Fatalf("%d are offered", len(s))
		}
		p, err := (autonomy.Judge{Authority: n.authority, Fleet: "fleet1", Delegation: ask.Delegation, Revoked: func(edgeward.Digest) (string, bool) { return "", false }}).Verify(s[0], time.Now())
		if err != nil || p.Node != "n1" || p.Digest() != digest(5) {
			t.Errorf("%+v %v", p, err)
		}
		for what, spoil := range map[string]func(*spec.Desired){
			"another endpoint":     func(d *spec.Desired) { d.Endpoints[0].Name = "sepsis" },
			"another model":        func(d *spec.Desired) { d.Endpoints[0].Model = "sepsis" },
			"another site":         func(d *spec.Desired) { d.Site = "south" },
			"who takes its own":    func(d *spec.Desired) { d.Policy.Autonomy.Take = spec.TakeOwn },
			"who promotes nothing": func(d *spec.Desired) { d.Policy.Autonomy = spec.Autonomy{} },
		} {
			d := n.together(9, 1)
			spoil(&d)
			if len(n.a.Shares(d)) != 0 || len(n.a.Lends(d)) != 0 {
				t.Errorf("%s: it is offered, or its bytes are handed out", what)
			}
		}
		n.ok(n.a.TakeBack(t.Context(), "user:bea", triage, "worse at night"))
		if n.a.Sharing() != 0 || len(n.a.Shares(ask)) != 0 || len(n.a.Lends(ask)) != 0 {
			t.Error("it is offered after it ended")
		}
	})
}

// TestSeveralOffer is two servers that promoted behind the same endpoint: a person says which.
func TestSeveralOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, stop := gone(t)
		defer stop()
		n.a.Offer(t.Context(), "n2", []spec.SignedPromotion{n.promoted("n2", nil), n.promoted("n2", func(p *spec.Promotion) { p.Seq = 4 })})
		n.a.Offer(t.Context(), "n3", []spec.SignedPromotion{n.promoted("n3", nil)})
		n.refusesTake("which one", "", "fleet.local_offers")
		p, err := n.a.TakeOffer(t.Context(), "user:bea", triage, "north-2", "the ward nearby")
		if n.ok(err); p.Taken.Node != "n2" || p.Taken.Seq != 4 {
			t.Errorf("%+v", p.Taken)
		}
		n.want("that", n.settles(), "live 5, committed")
		n.a.Offer(t.Context(), "n2", []spec.SignedPromotion{n.promoted("n2", nil)})
		n.refusesTake("an earlier one of the same server, played again", "n2", "fleet.local_old")
		n.a.Offer(t.Context(), "n3", nil)
		n.refusesTake("who offers nothing any more", "n3", "fleet.local_no_offer")
	})
}
