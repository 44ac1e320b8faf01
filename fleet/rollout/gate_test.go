package rollout_test

import (
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/rollout"
)

func TestAGate(t *testing.T) {
	shows := func(n, failed, oldFailed int64, moved ...string) rollout.Work {
		return rollout.Work{New: rollout.Count{Requests: n, Errors: failed}, Old: rollout.Count{Requests: 1000, Errors: oldFailed}, Moved: moved}
	}
	for name, c := range map[string]struct {
		gate  rollout.Gate
		work  rollout.Work
		state rollout.State
		code  string
		why   string
	}{
		"all is well": {rollout.Gate{}, shows(1000, 5, 5), rollout.Succeeded, "", ""},
		"nothing is known, and nothing is asked for": {rollout.Gate{}, rollout.Work{}, rollout.Succeeded, "", ""},
		"drift pauses": {rollout.Gate{}, shows(1000, 0, 0, "answer", "age", "sex", "bmi"), rollout.Paused, rollout.CodeGate, "answer, age, sex"},
		"drift takes it back where the plan says so":    {rollout.Gate{Then: rollout.RollBack}, shows(1000, 0, 0, "age"), rollout.RolledBack, rollout.CodeGate, "age"},
		"nobody looks at it":                            {rollout.Gate{Then: rollout.Ignore, Requests: 1e6}, shows(1000, 900, 0, "age"), rollout.Succeeded, "", ""},
		"errors that only the sum shows":                {rollout.Gate{}, shows(1000, 20, 1), rollout.Paused, rollout.CodeGate, "2.0 %"},
		"the version before has them too":               {rollout.Gate{}, shows(1000, 20, 30), rollout.Succeeded, "", ""},
		"the plan allows more":                          {rollout.Gate{Errors: 0.05}, shows(1000, 20, 1), rollout.Succeeded, "", ""},
		"too few to say":                                {rollout.Gate{}, shows(50, 20, 1), rollout.Succeeded, "", ""},
		"fewer than the plan asks for, to the deadline": {rollout.Gate{Requests: 500}, shows(499, 0, 0), rollout.Paused, rollout.CodeUnmeasured, "499 requests"},
		"as many as the plan asks for":                  {rollout.Gate{Requests: 500}, shows(500, 0, 0), rollout.Succeeded, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 10, rollout.Plan{Gate: c.gate})
			f.turn(30 * time.Second) // the first node has it and soaks
			f.work = c.work
			f.turn(2 * time.Hour)
			f.is(c.state)
			if f.r.Code != c.code || !strings.Contains(f.r.Why, c.why) {
				t.Errorf("code %q: %s", f.r.Code, f.r.Why)
			}
			if c.state != rollout.Succeeded && len(f.r.Told) > 1 {
				t.Errorf("%d nodes were told", len(f.r.Told))
			}
		})
	}
}

// A person who has looked lets the wave pass; the next one is held against the gate again.
func TestWhoResumesAGateHasLooked(t *testing.T) {
	f := newFleet(t, 10, rollout.Plan{Waves: []rollout.Wave{{Nodes: 1}, {Percent: 100}}})
	f.turn(30 * time.Second)
	f.is(rollout.Succeeded) // no soak: there was nothing to see
	f = newFleet(t, 10, rollout.Plan{Waves: []rollout.Wave{{Nodes: 1, Soak: time.Minute}, {Percent: 100, Soak: time.Minute}}})
	f.turn(30 * time.Second)
	f.work.Moved = []string{"age"}
	f.turn(time.Minute)
	f.is(rollout.Paused)
	var err error
	if f.r, err = f.r.Resume("user:ann", "the ward has moved", f.now); err != nil {
		t.Fatal(err)
	}
	f.turn(time.Second)
	f.is(rollout.Running)
	f.turn(5 * time.Minute)
	f.is(rollout.Paused)
	if f.r.Wave != 1 || f.r.Code != rollout.CodeGate {
		t.Errorf("wave %d, code %q: %s", f.r.Wave, f.r.Code, f.r.Why)
	}
	if f.r, err = f.r.Resume("user:ann", "all wards have", f.now); err != nil {
		t.Fatal(err)
	}
	f.turn(5 * time.Minute)
	f.is(rollout.Succeeded)
}

func TestNoGates(t *testing.T) {
	for _, g := range []rollout.Gate{{Then: "stop"}, {Errors: -1}, {Errors: 2}, {Requests: -1}} {
		if err := (rollout.Plan{Gate: g}).Check(); edgeward.CodeOf(err) != "rollout.plan" {
			t.Errorf("%+v: %v", g, err)
		}
	}
}
