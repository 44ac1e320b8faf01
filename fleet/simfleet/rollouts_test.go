package simfleet_test

import (
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"edgeward/fleet/rollout"
	"edgeward/fleet/simfleet"
	"edgeward/fleet/spec"
)

// seeds are few, or with EDGEWARD_SOAK many; EDGEWARD_SEED names the one to look at again, or some ("1-500").
func seeds(few, many uint64) (from, to uint64) {
	first, last, some := strings.Cut(os.Getenv("EDGEWARD_SEED"), "-")
	if from, err := strconv.ParseUint(first, 10, 64); err == nil {
		if to, err := strconv.ParseUint(last, 10, 64); some && err == nil {
			return from, to + 1
		}
		return from, from + 1
	}
	if os.Getenv("EDGEWARD_SOAK") != "" {
		return 1, many + 1
	}
	return 1, few + 1
}

// bad are the ways in which a version can be bad on every machine.
var bad = []simfleet.Version{{Breaks: true}, {Unlike: true}, {Disagree: 0.4}, {Shift: 2}, {Memory: 9}, {Errors: 0.2}, {Slower: 8}}

// whole checks what holds at every end: the hub has each line of each node's log once and in order, no request was left without an answer, and
// nothing stands beside what answers.
func whole(f *simfleet.Fleet, shelf *simfleet.Shelf) {
	f.Helper()
	f.Until(30*time.Minute, "all nodes are on, and all events at the hub", func() bool {
		for _, n := range f.Nodes {
			if k, _ := shelf.Events(n.ID); !n.On() || k < n.Logged() {
				return false
			}
		}
		return true
	})
	for _, n := range f.Nodes {
		if k, breaks := shelf.Events(n.ID); k != n.Logged() || breaks != 0 {
			f.Errorf("%s: the hub has %d lines of %d, with %d breaks", n.ID, k, n.Logged(), breaks)
		}
		if x := n.Machine.Failed(); x > 0 {
			f.Errorf("%s: %.0f requests had no answer", n.ID, x)
		}
		if k := n.Machine.Shadows(); n.State().Phase.Settled() && k > 0 {
			f.Errorf("%s: %d versions still get copies of requests", n.ID, k)
		}
	}
}

// answers waits until every node that is on answers with a version.
func answers(f *simfleet.Fleet, version int, longest time.Duration, but ...*simfleet.Node) time.Duration {
	f.Helper()
	return f.Until(longest, "all nodes answer with version "+strconv.Itoa(version), func() bool {
		return f.All(func(n *simfleet.Node) bool {
			for _, b := range but {
				if n == b {
					return true
				}
			}
			return n.Machine.Answers() == version
		})
	})
}

func TestSoakABadVersionReachesOneNodeInAHundredAtMost(t *testing.T) {
	from, to := seeds(7, 1000)
	soak := os.Getenv("EDGEWARD_SOAK") != ""
	nodes, reached, answered, ends := 0, 0, 0, map[rollout.State]int{}
	for seed := from; seed < to; seed++ {
		d := simfleet.NewDice(seed, "size")
		most := 30.0 // nodes; small fleets are more frequent
		if soak && seed%20 == 0 {
			most = 400
		}
		n := int(math.Exp(float64(d.N(1000)) / 1000 * math.Log(most)))
		v := bad[seed%uint64(len(bad))]
		v.Number = 2
		sim(t, simfleet.Options{Seed: seed, Nodes: n, Line: rough}, func(f *simfleet.Fleet) {
			x := f.Sign(v)
			over := f.Disturb(simfleet.Faults{For: time.Minute, Crashes: 1 + n/10, Cuts: 1, Kills: 1})
			m := f.Await(f.Roll(2, quick(), spec.Probation{Requests: 100}), 2*time.Hour)
			over()
			if m.State == rollout.Succeeded || m.State == rollout.Paused && m.Code == "" {
				t.Errorf("seed %d: a version that is bad everywhere: %s %s", seed, m.State, m.Why)
			}
			if m.State.Final() {
				answers(f, 1, 30*time.Minute)
			}
			here := 0
			for _, n := range f.Nodes {
				got, live := n.Machine.Reached(x)
				if got {
					here++
				}
				if live {
					answered++
				}
			}
			if limit := max(1, (n+99)/100); here > limit {
				t.Errorf("seed %d: a bad version came to %d of %d nodes, and %d are allowed", seed, here, n, limit)
			}
			ends[m.State]++
			nodes, reached = nodes+n, reached+here
			whole(f, f.Hubs[0].Shelf)
		})
		if t.Failed() {
			t.Fatalf("EDGEWARD_SEED=%d shows it again", seed)
		}
	}
	t.Logf("%d fleets of %d nodes: a bad version came to %d nodes and answered on %d; %v", to-from, nodes, reached, answered, ends)
}

func TestSoakAGoodVersionReachesAllInTheEnd(t *testing.T) {
	from, to := seeds(1, 60)
	nodes, pauses := 0, map[string]int{}
	for seed := from; seed < to; seed++ {
		d := simfleet.NewDice(seed, "size")
		n := 10 + d.Int(15)
		if os.Getenv("EDGEWARD_SOAK") != "" {
			n *= 5
		}
		clocks := func(i int, d *simfleet.Dice) time.Duration {
			return []time.Duration{0, 0, 0, -20 * 365 * 24 * time.Hour, 90 * 365 * 24 * time.Hour, 3 * time.Hour}[d.Int(6)]
		}
		sim(t, simfleet.Options{Seed: seed, Nodes: n, Line: rough, Skew: clocks}, func(f *simfleet.Fleet) {
			full := f.Nodes[d.Int(n)]
			full.Machine.Full = true
			f.Sign(simfleet.Version{Number: 2})
			over := f.Disturb(simfleet.Faults{For: 4 * time.Minute, Crashes: n / 2, Cuts: 3, Kills: 3, Longest: 15 * time.Minute})
			id := f.Roll(2, quick(), spec.Probation{Requests: 100})
			m := f.Await(id, 6*time.Hour)
			for try := 0; m.State == rollout.Paused && try < 6; try++ {
				if m.Why == "" || m.Code == "" {
					t.Errorf("seed %d: it paused and does not say why", seed)
				}
				pauses[m.Code]++
				over()
				over = func() {}
				_, err := f.Hub().Say(t.Context(), "user:ann", id, "resume", "looked")
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Second)
				m = f.Await(id, 6*time.Hour)
			}
			over()
			if m.State != rollout.Succeeded {
				t.Errorf("seed %d: a good version: %s, %s", seed, m.State, m.Why)
			}
			answers(f, 2, time.Hour, full)
			if k := full.Machine.Answers(); k != 1 {
				t.Errorf("seed %d: without room for anything new it answers with %d", seed, k)
			}
			nodes += n
			whole(f, f.Hubs[0].Shelf)
		})
		if t.Failed() {
			t.Fatalf("EDGEWARD_SEED=%d shows it again", seed)
		}
	}
	t.Logf("%d fleets of %d nodes; pauses: %v", to-from, nodes, pauses)
}

// A version that is bad on some machines only is found when it comes to one of them, and the others go back.
func TestSoakAVersionThatIsBadOnSomeMachinesIsTakenBackEverywhere(t *testing.T) {
	from, to := seeds(1, 60)
	n := 25
	if os.Getenv("EDGEWARD_SOAK") != "" {
		n = 60
	}
	for seed := from; seed < to; seed++ {
		sim(t, simfleet.Options{Seed: seed, Nodes: n, Line: rough}, func(f *simfleet.Fleet) {
			v := bad[seed%uint64(len(bad))]
			v.Number, v.On = 2, func(node string) bool { return simfleet.NewDice(seed, "bad on "+node).Is(0.1) }
			f.Sign(v)
			over := f.Disturb(simfleet.Faults{For: 3 * time.Minute, Crashes: n / 6, Cuts: 1, Kills: 1})
			m := f.Await(f.Roll(2, quick(), spec.Probation{Requests: 100}), 6*time.Hour)
			over()
			some := false
			for _, n := range f.Nodes {
				some = some || v.On(n.ID)
			}
			switch {
			case m.State == rollout.RolledBack:
				answers(f, 1, 30*time.Minute)
			case m.State == rollout.Succeeded && some || m.Code == "" && some:
				t.Errorf("seed %d: %s, %s", seed, m.State, m.Why)
			}
			whole(f, f.Hubs[0].Shelf)
		})
	}
}
