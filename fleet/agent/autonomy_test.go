package agent_test

import (
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/autonomy"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/sync/tuf"
)

var errAway = edgeward.E("desk", edgeward.Unavailable, "fleet.hub_away", "the hub does not answer")

// alone is a site whose node may promote after twenty minutes without the hub.
func alone(t testing.TB) *site {
	s := newSite(t)
	ca, err := pki.NewCA("fleet1", time.Now())
	s.ok(err)
	id, csr, err := pki.Request("n1")
	s.ok(err)
	id.Chain, err = ca.IssueNode("n1", csr, nil, time.Now())
	s.ok(err)
	s.ca, s.authority, s.id = ca, ca.Authority, id
	return s
}

// goesItsOwnWay has the node answer by its own version 5, twenty minutes after the hub was last heard.
func (s *site) goesItsOwnWay() {
	s.t.Helper()
	s.alone(20)
	_, err := s.a.Promote(s.t.Context(), s.own(5))
	s.ok(err)
	s.want("its own", s.settles(), "live 5, committed")
}

// allows is document with twenty minutes' autonomy.
func (s *site) allows(rev uint64, n int) spec.Desired {
	d := s.document(rev, n)
	d.Policy.Autonomy = spec.Autonomy{Mode: spec.LocalPromote, After: spec.Length(20 * time.Minute)}
	d.Delegation = &spec.Delegation{Site: "north", Keys: []spec.Signer{{Node: "n1", Certs: []edgeward.Digest{edgeward.DigestOf(s.id.Chain[0])}}}}
	return d
}

// own is version n as one that was trained here.
func (s *site) own(n int) agent.Own {
	m, raw, d, _ := version(n)
	s.m.mu.Lock()
	s.m.here[d] = true
	s.m.mu.Unlock()
	return agent.Own{Endpoint: spec.Key{Group: "main", Name: "triage"}, Model: m.Model, Version: n, Digest: d, Length: int64(len(raw)), Job: "01J", By: "user:bea", Reason: "drift since monday"}
}

func (s *site) refuses(what string, o agent.Own, code string) {
	s.t.Helper()
	if _, err := s.a.Promote(s.t.Context(), o); edgeward.CodeOf(err) != code {
		s.t.Errorf("%s: %v, want %q", what, err, code)
	}
}

// alone lets the hub be gone for some minutes.
func (s *site) alone(minutes int) {
	s.fail(errAway)
	time.Sleep(time.Duration(minutes) * time.Minute)
	synctest.Wait()
}

func (s *site) ended() (w autonomy.Word) {
	k, _ := s.a.Kept()
	if n := len(k.Promotions); n > 0 {
		return k.Promotions[n-1].Word
	}
	return "none"
}

func TestAPromotionWithoutTheHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := alone(t)
		stop := s.run()
		s.sign(1)
		s.say(s.document(1, 1), s.key)
		s.want("the hub's", s.settles(), "live 1, committed")
		s.refuses("without a policy", s.own(5), "fleet.managed")
		s.say(s.allows(2, 1), s.key)
		s.want("the policy changes nothing", s.settles(), "live 1, committed")
		s.refuses("while the hub is there", s.own(5), "fleet.local_early")
		s.fail(errAway)
		time.Sleep(15 * time.Minute)
		s.refuses("a while later", s.own(5), "fleet.local_early")
		stop() // a restart does not begin the time anew, and forgets no contact
		stop = s.run()
		time.Sleep(6 * time.Minute)
		foreign := s.own(5)
		foreign.Job = ""
		s.refuses("a version from elsewhere", foreign, "fleet.local_foreign")
		other := s.own(5)
		other.Endpoint.Name = "sepsis"
		s.refuses("an endpoint of nobody", other, "fleet.local_endpoint")
		mute := s.own(5)
		mute.Reason = ""
		s.refuses("without a reason", mute, "fleet.local_reason")
		p, err := s.a.Promote(t.Context(), s.own(5))
		s.ok(err)
		if p.Seq != 1 || p.Over != digest(1) || p.Target != spec.SiteTarget("north", "main", "triage", digest(5)) {
			t.Errorf("%+v", p)
		}
		if again, err := s.a.Promote(t.Context(), s.own(5)); err != nil || again.Seq != 1 {
			t.Errorf("the same again: %+v %v", again, err)
		}
		s.want("its own", s.settles(), "live 5, committed")
		s.look(func() {
			if n := len(s.m.acts); s.m.acts[n-2] != agent.Shadow || s.m.acts[n-1] != agent.Promote {
				t.Errorf("it was not a shadow first: %v", s.m.acts)
			}
			var what []string
			for _, h := range s.m.happened {
				what = append(what, h.What+" "+h.By)
			}
			if n := len(what); what[n-2] != "fleet.local.promoted user:bea" || what[n-1] != "fleet.endpoint.committed fleet:local-1" {
				t.Errorf("the audit has %v", what)
			}
		})
		stop()
		stop = s.run()
		defer func() { stop() }()
		s.want("restarted", s.settles(), "live 5, committed")

		// the hub is back: it is told, once, and nothing is overwritten
		s.fail(nil)
		s.look(func() { s.reports = nil })
		time.Sleep(15 * time.Minute)
		s.want("the hub is back", s.settles(), "live 5, committed")
		s.look(func() {
			told := 0
			for i, r := range s.reports {
				for _, l := range r.Locals {
					if told++; i > 0 {
						s.t.Errorf("told again by report %d", i)
					}
					got, err := (autonomy.Judge{Authority: s.authority, Fleet: "fleet1", Delegation: s.allows(9, 1).Delegation, Revoked: func(edgeward.Digest) (string, bool) { return "", false }}).Verify(l.SignedPromotion, time.Now())
					if err != nil || got.Seq != 1 || !l.Ended.IsZero() {
						t.Errorf("%+v %v", got, err)
					}
				}
			}
			if last := s.reports[len(s.reports)-1]; told == 0 || last.Endpoints[0].Local != 1 || last.Endpoints[0].Want != digest(5) {
				t.Errorf("told %d times; %+v", told, last.Endpoints)
			}
		})
		// a wish that the hub had before it heard waits for a person there
		s.sign(2)
		s.say(s.allows(3, 2), s.key)
		s.want("an older wish", s.settles(), "live 5, committed")
		d := s.allows(4, 2)
		d.Endpoints[0].Local = 1
		s.say(d, s.key)
		s.want("a person decided", s.settles(), "live 2, committed")
		if s.ended() != autonomy.Returned {
			t.Errorf("it ended %q", s.ended())
		}
		s.look(func() {
			if s.m.previous != digest(1) {
				t.Errorf("version 2 was held against %s, not against the fleet's own", s.m.previous.Short())
			}
			if last := s.reports[len(s.reports)-1]; last.Endpoints[0].Local != 0 {
				t.Errorf("%+v", last)
			}
		})
	})
}

func TestHowAPromotionEnds(t *testing.T) {
	key := spec.Key{Group: "main", Name: "triage"}
	for name, row := range map[string]struct {
		do   func(s *site)
		want string
		word autonomy.Word
	}{
		"the hub says return": {func(s *site) {
			s.fail(nil)
			d := s.allows(2, 1)
			d.Endpoints[0].Local = 1
			s.say(d, s.key)
			time.Sleep(12 * time.Minute)
		}, "live 1, committed", autonomy.Returned},
		"it is adopted": {func(s *site) {
			s.fail(nil)
			s.sign(5)
			s.say(s.allows(2, 5), s.key)
			time.Sleep(12 * time.Minute)
		}, "live 5, committed", autonomy.Adopted},
		"it is revoked": {func(s *site) {
			s.fail(nil)
			p, err := tuf.Revoke(s.set, []tuf.Revocation{{Digest: digest(5), Reason: "wrong labels"}}, time.Now())
			s.ok(err)
			s.publish(p, s.abe)
			time.Sleep(12 * time.Minute)
		}, "live 1, committed", autonomy.Revoked},
		"a person here": {func(s *site) { s.ok(s.a.TakeBack(s.t.Context(), "user:bea", key, "worse at night")) }, "live 1, committed", autonomy.TakenBack},
		"another one":   {func(s *site) { _, err := s.a.Promote(s.t.Context(), s.own(6)); s.ok(err) }, "live 6, committed", ""},
		"the policy ends, and it stands": {func(s *site) {
			s.fail(nil)
			s.say(s.document(2, 1), s.key)
			time.Sleep(12 * time.Minute)
			s.refuses("then", s.own(6), "fleet.managed")
		}, "live 5, committed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := alone(t)
				defer s.run()()
				s.sign(1)
				s.say(s.allows(1, 1), s.key)
				s.settles()
				s.goesItsOwnWay()
				row.do(s)
				s.want(name, s.settles(), row.want)
				if s.ended() != row.word {
					t.Errorf("%q, want %q", s.ended(), row.word)
				}
			})
		})
	}
}

func TestAPromotionThatDoesNotPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := alone(t)
		defer s.run()()
		s.sign(1)
		s.say(s.allows(1, 1), s.key)
		s.settles()
		s.alone(20)
		s.look(func() { s.m.unlike = 3 })
		_, err := s.a.Promote(t.Context(), s.own(5))
		s.ok(err)
		s.want("it did not pass", s.settles(), "live 1, committed")
		if s.ended() != autonomy.Failed {
			t.Errorf("%q", s.ended())
		}
	})
}

func TestANodeThatWasShutOutPromotesNothing(t *testing.T) {
	for _, code := range []string{"fleet.node_revoked", "fleet.node_quarantined"} {
		synctest.Test(t, func(t *testing.T) {
			s := alone(t)
			stop := s.run()
			s.sign(1)
			s.say(s.allows(1, 1), s.key)
			s.settles()
			s.fail(edgeward.E("hub", edgeward.Forbidden, code, "the hub holds this server as revoked"))
			time.Sleep(time.Minute)
			s.alone(30)
			stop() // it is known after a restart too
			defer s.run()()
			s.refuses("then", s.own(5), "fleet.local_shut_out")
			s.want("what runs goes on", s.settles(), "live 1, committed")
		})
	}
}

// A key that the director does not name signs nothing, on its own server neither.
func TestANodeThatIsNotNamedPromotesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := alone(t)
		defer s.run()()
		s.sign(1)
		d := s.allows(1, 1)
		d.Delegation.Keys[0].Certs[0] = digest(9)
		s.say(d, s.key)
		s.settles()
		s.alone(21)
		s.refuses("its certificate is not named", s.own(5), "fleet.not_delegated")
	})
}

// What an endpoint answers by is not forgotten over the promotions of others, however long the hub is away.
func TestAPromotionThatStandsIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := alone(t)
		defer s.run()()
		s.sign(1)
		both := func(rev uint64) spec.Desired {
			d := s.allows(rev, 1)
			wards := d.Endpoints[0]
			wards.Name = "wards"
			d.Endpoints = append(d.Endpoints, wards)
			return d
		}
		s.say(both(1), s.key)
		s.settles()
		s.alone(20)
		first := s.own(5)
		first.Endpoint.Name = "wards"
		_, err := s.a.Promote(t.Context(), first)
		s.ok(err)
		for n := range 2 * spec.MaxLocals {
			_, err := s.a.Promote(t.Context(), s.own(6+n%2))
			s.ok(err)
		}
		s.fail(nil)
		s.say(both(2), s.key)
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		k, _ := s.a.Kept()
		if n := len(k.Promotions); k.Rev != 2 || n != spec.MaxLocals || k.Promotions[0].Promotion.Endpoint != "wards" || !k.Promotions[0].Ended.IsZero() {
			t.Errorf("revision %d, %d promotions, %+v", k.Rev, n, k.Promotions[0])
		}
	})
}

// An endpoint that is taken away and comes back at once has what the hub wants now, not what it wanted when a promotion of the node ended there.
func TestAnEndpointThatComesBackHasWhatTheHubWantsNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := alone(t)
		defer s.run()()
		s.sign(1)
		s.sign(2)
		s.say(s.allows(1, 1), s.key)
		s.settles()
		s.goesItsOwnWay()
		away := s.allows(2, 1)
		away.Endpoints = nil
		gone, back := s.say(away, s.key), s.say(s.allows(3, 2), s.key)
		s.ok(s.a.Take(t.Context(), gone))
		s.ok(s.a.Take(t.Context(), back))
		s.fail(nil)
		time.Sleep(12 * time.Minute)
		s.want("back again", s.settles(), "live 2, committed")
		if s.ended() != autonomy.Gone {
			t.Errorf("it ended %q", s.ended())
		}
	})
}
