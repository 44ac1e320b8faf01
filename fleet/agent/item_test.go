package agent_test

import (
	"reflect"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/spec"
)

var (
	start    = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	old, new = edgeward.DigestOf([]byte("old")), edgeward.DigestOf([]byte("new"))
)

// server is a made-up endpoint: acts change it, as the real one would.
type server struct {
	t     *testing.T
	i     agent.Item
	o     agent.Observed
	now   time.Time
	acts  []agent.Act
	crash bool // lose every second act
}

func newServer(t *testing.T, live edgeward.Digest) *server {
	s := &server{t: t, now: start}
	s.o = agent.Observed{Download: true, Activate: true, Live: live, Standing: live, Exists: live != ""}
	s.i = agent.Item{Made: live == ""}.Wants(wanted(new), s.now)
	return s
}

func wanted(d edgeward.Digest) spec.Endpoint {
	return spec.Endpoint{Group: "default", Name: "e", Model: "m", Version: 2, Digest: d, Probation: spec.Probation{Requests: 100, Longest: 10 * time.Minute}}
}

// turn does what Next says, for so many seconds; during each the endpoint gets some requests.
func (s *server) turn(seconds int, requests uint64, each func()) {
	s.t.Helper()
	for k := range seconds {
		next, acts := agent.Next(s.i, s.o, s.now)
		again, more := agent.Next(next, s.o, s.now)
		if next.State.Phase.Settled() && (!reflect.DeepEqual(next, again) || !reflect.DeepEqual(acts, more) && len(more) > 0) {
			s.t.Fatalf("a second Next changed %+v into %+v and wants %v", next, again, more)
		}
		s.i = next
		for _, a := range acts {
			s.acts = append(s.acts, a)
			if !s.crash || k%2 == 0 {
				s.do(a)
			}
		}
		if s.o.Shadow {
			s.o.Seen.Compared += requests
		}
		if s.o.Live == new {
			s.o.Served.Answers += requests
		}
		if each != nil {
			each()
		}
		s.now = s.now.Add(time.Second)
	}
}

func (s *server) do(a agent.Act) {
	switch a {
	case agent.Fetch:
		s.o.Here = true
	case agent.Shadow:
		s.o.Shadow, s.o.Loaded = true, true
	case agent.Promote:
		s.o.Exists, s.o.Shadow, s.o.Target, s.o.Loaded = true, false, true, true
		s.o.Previous, s.o.Live, s.o.Standing = s.o.Live, new, new
		if s.o.Previous == new {
			s.o.Previous = ""
		}
	case agent.Withdraw:
		s.o.Shadow, s.o.Loaded = false, false
	case agent.Back:
		s.o.Live, s.o.Standing, s.o.Previous, s.o.Target = s.o.Previous, s.o.Previous, new, false
	case agent.Remove:
		s.o = agent.Observed{Download: true, Activate: true}
	}
}

func (s *server) is(p spec.Phase, live edgeward.Digest, code string) {
	s.t.Helper()
	if s.i.State.Phase != p || s.o.Live != live || s.i.State.Code != code {
		s.t.Fatalf("it is %s (%s %s) and %s answers; want %s, %s, %s", s.i.State.Phase, s.i.State.Code, s.i.State.Reason, s.o.Live.Short(), p, live.Short(), code)
	}
}

func TestAGoodVersionIsProvedBesideTheOldOneAndStays(t *testing.T) {
	s := newServer(t, old)
	s.turn(8, 20, nil)
	if s.o.Live != old || !s.o.Shadow {
		t.Fatalf("with %d compared answers it is live: %+v", s.o.Seen.Compared, s.o)
	}
	s.turn(20, 20, nil)
	s.is(spec.Committed, new, "")
	if want := []agent.Act{agent.Fetch, agent.Shadow, agent.Promote}; !reflect.DeepEqual(s.acts, want) {
		t.Errorf("it did %v", s.acts)
	}
	if s.o.Previous != old || s.i.State.Evidence.Compared < 100 || s.i.State.Evidence.Answered < 100 {
		t.Errorf("%+v %+v", s.o, s.i.State.Evidence)
	}
}

func TestLostActsAreRepeated(t *testing.T) {
	s := newServer(t, old)
	s.crash = true
	s.turn(60, 20, nil)
	s.is(spec.Committed, new, "")
}

func TestWhatIsOtherIsNeverPromoted(t *testing.T) {
	for name, c := range map[string]struct {
		seen spec.Evidence
		code string
	}{
		"other classes":   {spec.Evidence{Compared: 30, Rows: 30, Disagree: 0.6}, "fleet.disagrees"},
		"other shapes":    {spec.Evidence{Compared: 1, Unlike: 1}, "fleet.unlike"},
		"other numbers":   {spec.Evidence{Compared: 40, Shift: 0.9}, "fleet.shifts"},
		"ten times fat":   {spec.Evidence{Compared: 1, Memory: 10}, "fleet.memory"},
		"at the very end": {spec.Evidence{Compared: 100, Rows: 100, Disagree: 0.11}, "fleet.disagrees"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, old)
			s.turn(60, 0, func() {
				if s.o.Shadow {
					s.o.Seen = c.seen
				}
			})
			s.is(spec.Reverted, old, c.code)
			if s.o.Shadow || s.i.State.Fault != spec.OfVersion || s.i.State.Reason == "" {
				t.Errorf("%+v %+v", s.o, s.i.State)
			}
		})
	}
}

func TestFewOtherClassesAreNoReason(t *testing.T) {
	s := newServer(t, old)
	s.turn(60, 20, func() {
		if s.o.Shadow {
			s.o.Seen.Rows, s.o.Seen.Disagree = s.o.Seen.Compared, 0.08
		}
	})
	s.is(spec.Committed, new, "")
}

func TestAVersionThatDoesNotLoadIsReverted(t *testing.T) {
	s := newServer(t, old)
	s.o.Failure = edgeward.Error{Code: "version.golden", Err: errText("other golden answers")}
	s.turn(30, 20, nil)
	s.is(spec.Reverted, old, "version.golden")
}

type errText string

func (e errText) Error() string { return string(e) }

func TestErrorsAfterThePromotionTakeItBack(t *testing.T) {
	s := newServer(t, old)
	s.turn(60, 20, func() {
		if s.o.Live == new {
			s.o.Served.Errors += 2
		}
	})
	s.is(spec.Reverted, old, "fleet.errors")
	if s.o.Previous != new {
		t.Errorf("the old version was not rolled back to: %+v", s.o)
	}
}

func TestADeadWorkerAfterThePromotionTakesItBack(t *testing.T) {
	s := newServer(t, old)
	s.turn(60, 20, func() {
		if s.o.Live == new {
			s.o.Failure = edgeward.Error{Code: "version.quarantined"}
		}
	})
	s.is(spec.Reverted, old, "version.quarantined")
}

func TestWithoutTraffic(t *testing.T) {
	s := newServer(t, old)
	s.turn(9*60, 0, nil)
	s.is(spec.Probing, old, "")
	s.turn(15*60, 0, nil)
	s.is(spec.Committed, new, "")
	w := wanted(new)
	w.Probation.Quiet = "wait"
	s = newServer(t, old)
	s.i = s.i.Wants(w, s.now)
	s.turn(60*60, 0, nil)
	s.is(spec.Probing, old, "")
}

func TestAFirstVersion(t *testing.T) {
	s := newServer(t, "")
	s.turn(60, 20, nil)
	s.is(spec.Committed, new, "")
	s = newServer(t, "")
	s.turn(60, 20, func() { s.o.Failure = edgeward.Error{Code: "version.golden"} })
	s.is(spec.Reverted, "", "version.golden")
	if s.o.Exists {
		t.Error("an endpoint that never answered is still there")
	}
}

func TestWhatDoesNotFitIsRefusedUntilItDoes(t *testing.T) {
	s := newServer(t, old)
	s.o.Unfit = edgeward.Error{Code: "fleet.disk", Err: errText("3 GiB are needed")}
	s.turn(60, 20, nil)
	s.is(spec.Refused, old, "fleet.disk")
	if s.i.State.Fault != spec.OfNode || len(s.acts) != 0 {
		t.Errorf("%+v, did %v", s.i.State, s.acts)
	}
	s.o.Unfit = edgeward.Error{}
	s.turn(60, 20, nil)
	s.is(spec.Committed, new, "")
}

func TestWindows(t *testing.T) {
	s := newServer(t, old)
	s.o.Download, s.o.Activate = false, false
	s.o.Opens = start.Add(8 * time.Hour)
	s.turn(60, 20, nil)
	s.is(spec.Admitted, old, spec.WaitsForWindow)
	if s.i.State.Opens != s.o.Opens || s.i.State.Reason != "waits for the window, opens "+s.o.Opens.Format("Mon 15:04 MST") {
		t.Errorf("%+v", s.i.State)
	}
	s.o.Download = true
	s.turn(60, 20, nil)
	s.is(spec.Staged, old, spec.WaitsForWindow)
	s.o.Activate, s.o.Opens = true, time.Time{}
	s.turn(60, 20, nil)
	s.is(spec.Committed, new, "")
}

func TestARevertedDigestIsTriedAgainOnlyWhenAPersonSaysSo(t *testing.T) {
	s := newServer(t, old)
	s.o.Failure = edgeward.Error{Code: "version.golden"}
	s.turn(30, 20, nil)
	s.is(spec.Reverted, old, "version.golden")
	s.o.Failure, s.acts = edgeward.Error{}, nil
	s.i = s.i.Wants(wanted(new), s.now)
	s.turn(30, 20, nil)
	if s.is(spec.Reverted, old, "version.golden"); len(s.acts) != 0 {
		t.Errorf("it did %v", s.acts)
	}
	w := wanted(new)
	w.Again = 1
	s.i = s.i.Wants(w, s.now)
	s.turn(60, 20, nil)
	s.is(spec.Committed, new, "")
}

func TestWhatIsNoLongerWanted(t *testing.T) {
	s := newServer(t, "")
	s.turn(60, 20, nil)
	s.i.Gone = true
	s.turn(5, 20, nil)
	if s.o.Exists {
		t.Error("the endpoint that the agent made is still there")
	}
	s = newServer(t, old)
	s.turn(60, 20, nil)
	s.i.Gone = true
	s.turn(5, 20, nil)
	if !s.o.Exists {
		t.Error("an endpoint that a person made was removed")
	}
}

func TestAPersonsHandIsSeenAndNotOverruled(t *testing.T) {
	s := newServer(t, old)
	s.turn(60, 20, nil)
	s.acts, s.o.Target, s.o.Live, s.o.Previous = nil, false, old, new
	s.turn(60, 20, nil)
	if s.is(spec.Committed, old, "fleet.changed_here"); len(s.acts) != 0 {
		t.Errorf("it did %v", s.acts)
	}
}

// A server that starts again in the middle of a probation has nothing loaded for a while: that is no reason to let an unproved version answer.
func TestAStartInTheMiddleOfAProbationPromotesNothing(t *testing.T) {
	for _, at := range []int{3, 5} { // staged by then, a shadow by then
		s := newServer(t, old)
		s.turn(at, 0, nil)
		s.o.Live, s.o.Loaded, s.acts = "", false, nil
		s.turn(30, 0, func() {
			s.o.Loaded = false
			if s.o.Standing != old || s.o.Target {
				t.Fatalf("after %d s: what it does without a loaded version: %v", at, s.acts)
			}
		})
		s.o.Live, s.o.Loaded = old, true
		s.turn(8, 20, func() {
			if s.o.Shadow {
				s.o.Seen.Rows, s.o.Seen.Disagree = s.o.Seen.Compared, 0.5
			}
		})
		s.is(spec.Reverted, old, "fleet.disagrees")
	}
	// and one that starts again while the new version answers waits for it
	s := newServer(t, old)
	s.turn(12, 20, nil)
	if s.o.Live != new || s.i.State.Phase != spec.Probing {
		t.Fatalf("%+v", s.i.State)
	}
	s.o.Live, s.acts = "", nil
	s.turn(10, 0, nil)
	if len(s.acts) > 0 {
		t.Errorf("it did %v", s.acts)
	}
}

// The version that was committed before is loaded and proved: to return to it takes no probation, no requests and no window. What it would be compared
// with is the version that must go.
func TestTheVersionBeforeIsReturnedToAtOnce(t *testing.T) {
	stood := func() agent.Item {
		i := agent.Item{}.Wants(wanted(old), start)
		i, _ = agent.Next(i, agent.Observed{Exists: true, Live: old, Standing: old, Target: true, Loaded: true}, start)
		i = i.Wants(wanted(new), start)
		i.State.Phase = spec.Committed
		return i
	}
	now := agent.Observed{Exists: true, Live: new, Standing: new, Previous: old}
	for name, c := range map[string]struct {
		item agent.Item
		o    func(o *agent.Observed)
		acts []agent.Act
		then spec.Phase
		code string
	}{
		"at once":                         {item: stood(), acts: []agent.Act{agent.Back}, then: spec.Offered},
		"with the hub away":               {item: stood(), o: func(o *agent.Observed) { o.Waits = edgeward.Error{Kind: edgeward.Unavailable, Code: "fleet.hub_away"} }, acts: []agent.Act{agent.Back}, then: spec.Offered},
		"not if it is revoked":            {item: stood(), o: func(o *agent.Observed) { o.Waits = edgeward.Error{Kind: edgeward.Forbidden, Code: "fleet.revoked"} }, then: spec.Offered, code: "fleet.revoked"},
		"not if it stands no more":        {item: stood(), o: func(o *agent.Observed) { o.Previous = "" }, then: spec.Admitted},
		"not if a person put it here":     {item: agent.Item{}.Wants(wanted(new), start), then: spec.Admitted},
		"once it stands it is waited for": {item: stood(), o: func(o *agent.Observed) { o.Standing, o.Previous, o.Target = old, new, true }, then: spec.Offered},
		"once it answers it is committed": {item: stood(), o: func(o *agent.Observed) {
			o.Standing, o.Live, o.Previous, o.Target = old, old, new, true
		}, then: spec.Committed},
	} {
		t.Run(name, func(t *testing.T) {
			o := now
			if c.o != nil {
				c.o(&o)
			}
			i, acts := agent.Next(c.item.Wants(wanted(old), start), o, start)
			if !reflect.DeepEqual(acts, c.acts) || i.State.Phase != c.then || i.State.Code != c.code {
				t.Errorf("it is %s %s and does %v", i.State.Phase, i.State.Code, acts)
			}
		})
	}
	// what was returned from is not returned to: with another try it is proved again
	i := stood().Wants(wanted(old), start)
	i.State.Phase = spec.Committed
	again := wanted(new)
	again.Again = 1
	if i = i.Wants(again, start); i.Returns || i.Proved != old {
		t.Errorf("%+v", i)
	}
	// what was reverted is not proved, though it is the previous version
	s := newServer(t, old)
	s.o.Failure = edgeward.Error{Code: "version.golden"}
	s.turn(30, 20, nil)
	w := wanted(new)
	w.Again = 1
	s.o.Failure, s.o.Previous, s.acts = edgeward.Error{}, new, nil
	s.i = s.i.Wants(w, s.now)
	s.turn(2, 20, nil)
	if len(s.acts) > 0 && s.acts[0] == agent.Back || s.o.Live != old {
		t.Errorf("it did %v", s.acts)
	}
}

// A server that starts with a clock decades ahead, and learns the time from its hub a moment later, does not wait for these decades.
func TestTimesOfAWrongClockAreNotWaitedFor(t *testing.T) {
	s := newServer(t, old)
	s.turn(3, 0, nil)
	s.i.State.Phase, s.o.Here = spec.Fetching, false
	s.i.Next, s.i.State.Since = start.AddDate(90, 0, 0), start.AddDate(90, 0, 0)
	s.turn(60, 20, nil)
	s.is(spec.Committed, new, "")

	// nor for a version that is to answer first and does not
	s = newServer(t, old)
	s.i.First, s.i.FirstFrom = wanted(edgeward.DigestOf([]byte("before"))), start.AddDate(90, 0, 0)
	i, acts := agent.Next(s.i, s.o, start)
	if !reflect.DeepEqual(acts, []agent.Act{agent.Restore}) {
		t.Errorf("it did %v", acts)
	}
	if i, _ = agent.Next(i, s.o, start.Add(6*time.Minute)); i.First.Digest != "" {
		t.Errorf("it still waits: %+v", i)
	}

	// and a clock decades ahead after a start ends no probation
	s = newServer(t, old)
	s.turn(5, 0, nil)
	s.is(spec.Probing, old, "")
	s.now = s.now.AddDate(90, 0, 0)
	s.i = s.i.Restarted(s.now)
	s.turn(60, 0, nil)
	s.is(spec.Probing, old, "")
}
