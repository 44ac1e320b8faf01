package simfleet_test

import (
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"

	"edgeward/fleet/rollout"
	"edgeward/fleet/simfleet"
	"edgeward/fleet/spec"
)

// size is how many nodes: few, with EDGEWARD_SOAK many; EDGEWARD_FLEET_NODES says another count. A large fleet gets all processors and 6 GiB at
// most: its trace is not looked at.
func size(t *testing.T, few, many int) int {
	t.Helper()
	n := few
	if os.Getenv("EDGEWARD_SOAK") != "" {
		n = many
	}
	if s, err := strconv.Atoi(os.Getenv("EDGEWARD_FLEET_NODES")); err == nil {
		n = s
	}
	if n > 500 {
		procs, limit := runtime.GOMAXPROCS(runtime.NumCPU()), debug.SetMemoryLimit(6<<30)
		t.Cleanup(func() {
			runtime.GOMAXPROCS(procs)
			debug.SetMemoryLimit(limit)
		})
	}
	return n
}

// large logs what a large fleet takes of this machine.
func large(t *testing.T, n int, began time.Time) {
	t.Helper()
	if n <= 500 {
		return
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%d nodes take %d MiB of live heap and %d MiB of stacks, %d MiB of the machine; virtual %s so far", n, m.HeapAlloc>>20, m.StackInuse>>20, m.Sys>>20, time.Since(began).Round(time.Second))
}

// TestSoakAWholeFleetGoesBack: every node of a fleet of 20, or of 10,000, has the new version when a person ends the rollout. Half of them have no
// requests at all.
func TestSoakAWholeFleetGoesBack(t *testing.T) {
	n := size(t, 20, 10_000)
	load := func(i int, d *simfleet.Dice) float64 { return float64(i%2) * float64(20+d.Int(100)) }
	line := simfleet.Line{Delay: 5 * time.Millisecond, Jitter: 40 * time.Millisecond, Lost: 0.001, Twice: 0.001}
	real := time.Now()
	sim(t, simfleet.Options{Seed: 1, Nodes: n, Line: line, Load: load}, func(f *simfleet.Fleet) {
		began := time.Now()
		f.Sign(simfleet.Version{Number: 2})
		id := f.Roll(2, rollout.Plan{Waves: []rollout.Wave{{Percent: 100, Soak: 2 * time.Hour}}, MaxMoving: n}, spec.Probation{Requests: 50, Longest: time.Minute})
		there := answers(f, 2, time.Hour)
		f.Until(time.Hour, "all have committed it", func() bool {
			return f.All(func(n *simfleet.Node) bool { return n.State().Phase == spec.Committed })
		})
		large(t, n, began)
		said := time.Now()
		if _, err := f.Hub().Say(t.Context(), "user:ann", id, "abort", "wrong labels"); err != nil {
			t.Fatal(err)
		}
		answers(f, 1, 10*time.Minute)
		var took []time.Duration
		failed := 0.0
		for _, n := range f.Nodes {
			took = append(took, n.Machine.Since().Sub(said).Round(time.Millisecond))
			failed += n.Machine.Failed()
		}
		slices.Sort(took)
		m := f.Await(id, time.Hour)
		t.Logf("%d nodes: version 2 answered everywhere after %s; after the word version 1 answers again on half of them in %s, on 99 of 100 in %s, on all in %s (virtual time); %.0f requests without an answer", n,
			there.Round(time.Second), took[n/2], took[n*99/100], took[n-1], failed)
		if took[0] < 0 || took[n-1] > time.Minute || failed > 0 || m.State != rollout.Aborted {
			t.Errorf("it took %s to %s, %.0f requests failed, the rollout is %s", took[0], took[n-1], failed, m.State)
		}
	})
	t.Logf("all that took %s of real time", time.Since(real).Round(time.Second))
}

// TestSoakRolloutsWithFaultsOverThousands: of a bad version and of a good one, while machines lose their power, sites are cut off and the hub is killed.
func TestSoakRolloutsWithFaultsOverThousands(t *testing.T) {
	n := size(t, 40, 2000)
	real := time.Now()
	sim(t, simfleet.Options{Seed: 2, Nodes: n, Line: rough}, func(f *simfleet.Fleet) {
		began := time.Now()
		faults := func() func() {
			return f.Disturb(simfleet.Faults{For: 4 * time.Minute, Crashes: n / 10, Cuts: 1 + n/200, Kills: 3, Longest: 5 * time.Minute})
		}
		plan := quick()
		plan.MaxMoving = 10
		for i := range plan.Waves {
			plan.Waves[i].Deadline = time.Hour
		}
		x := f.Sign(simfleet.Version{Number: 2, Errors: 0.2})
		over := faults()
		if m := f.Await(f.Roll(2, plan, spec.Probation{Requests: 100}), 3*time.Hour); m.State != rollout.RolledBack {
			t.Errorf("a bad version: %s, %s", m.State, m.Why)
		}
		over()
		answers(f, 1, time.Hour)
		here := 0
		for _, n := range f.Nodes {
			if got, _ := n.Machine.Reached(x); got {
				here++
			}
		}
		if limit := max(1, (n+99)/100); here > limit {
			t.Errorf("a bad version came to %d of %d nodes, and %d are allowed", here, n, limit)
		}
		f.Sign(simfleet.Version{Number: 3})
		over = faults()
		id := f.Roll(3, plan, spec.Probation{Requests: 100})
		m := f.Await(id, 6*time.Hour)
		for try := 0; m.State == rollout.Paused && try < 3; try++ {
			over()
			over = func() {}
			if m.Code != "rollout.missing" {
				t.Errorf("it paused: %s, %s", m.Code, m.Why)
			}
			if _, err := f.Hub().Say(t.Context(), "user:ann", id, "resume", "looked"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			m = f.Await(id, 6*time.Hour)
		}
		over()
		if m.State != rollout.Succeeded {
			t.Errorf("a good version: %s, %s", m.State, m.Why)
		}
		answers(f, 3, time.Hour)
		whole(f, f.Hubs[0].Shelf)
		large(t, n, began)
		t.Logf("%d nodes: a bad version came to %d; a good one to all after %s; the hub was killed %d times", n, here, m.Since.Sub(m.Created).Round(time.Second), f.Hubs[0].Kills())
	})
	t.Logf("all that took %s of real time", time.Since(real).Round(time.Second))
}
