package simfleet_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"edgeward/fleet/rollout"
	"edgeward/fleet/simfleet"
	"edgeward/fleet/spec"
)

// rough is a line that a clinic's contractor would not be proud of.
var rough = simfleet.Line{Delay: 5 * time.Millisecond, Jitter: 80 * time.Millisecond, Lost: 0.03, Twice: 0.03, Broken: 0.02}

// quick are the default waves with short soaks.
func quick() rollout.Plan {
	p := rollout.Plan{}.Settled()
	for i := range p.Waves {
		p.Waves[i].Soak, p.Waves[i].Deadline = 15*time.Second, 10*time.Minute
	}
	return p
}

// sim runs f in a bubble with a fleet that has version 1.
func sim(t *testing.T, o simfleet.Options, f func(f *simfleet.Fleet)) (trace []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := simfleet.New(t, o)
		defer s.End()
		s.Everywhere(1)
		f(s)
		trace = s.Trace()
	})
	return trace
}

func TestTheSameSeedGivesTheSameTrace(t *testing.T) {
	run := func(seed uint64) []string {
		return sim(t, simfleet.Options{Seed: seed, Nodes: 9, Line: rough}, func(f *simfleet.Fleet) {
			f.Sign(simfleet.Version{Number: 2})
			over := f.Disturb(simfleet.Faults{For: 2 * time.Minute, Crashes: 6, Cuts: 1, Kills: 2})
			id := f.Roll(2, quick(), spec.Probation{Requests: 100})
			f.Await(id, 2*time.Hour)
			over()
		})
	}
	a, b, c := run(1), run(1), run(2)
	if !slices.Equal(a, b) {
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("line %d differs:\n%s\n%s", i, a[i], b[i])
			}
		}
		t.Fatalf("%d lines and %d", len(a), len(b))
	}
	if slices.Equal(a, c) {
		t.Error("another seed gives the same")
	}
	t.Logf("%d lines of trace, the last of the hub: %s", len(a), a[len(a)-10])
}
