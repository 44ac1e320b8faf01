package rollout_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
)

var (
	start  = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	before = rollout.Version{Model: "m", Number: 1, Digest: edgeward.DigestOf([]byte("1"))}
	after  = rollout.Version{Model: "m", Number: 2, Digest: edgeward.DigestOf([]byte("2"))}
)

// fleet is a made-up fleet: nodes that do what they are told, unless told otherwise.
type fleet struct {
	t     *testing.T
	r     rollout.Rollout
	now   time.Time
	nodes []rollout.Node
	fails map[string]spec.State // what a node says instead of Committed
	deaf  map[string]bool       // a node that does not do what it is told
	notes []rollout.Note
	work  rollout.Work // of all nodes
}

func newFleet(t *testing.T, n int, plan rollout.Plan) *fleet {
	if err := plan.Check(); err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, now: start, fails: map[string]spec.State{}, deaf: map[string]bool{}}
	for i := range n {
		f.add(fmt.Sprintf("n%03d", i), fmt.Sprintf("site-%d", i%2))
	}
	f.r = rollout.New("r1", spec.Key{Group: "default", Name: "e"}, before, after, plan, "user:ann", "test", start)
	return f
}

func (f *fleet) add(id, site string) {
	f.nodes = append(f.nodes, rollout.Node{ID: id, Site: site, Online: true,
		Seen: spec.State{Want: before.Digest, Live: before.Digest, Phase: spec.Committed}})
}

// turn lets every node act on what it is told, then asks Next, for so long.
func (f *fleet) turn(for_ time.Duration) {
	f.t.Helper()
	for until := f.now.Add(for_); f.now.Before(until); f.now = f.now.Add(time.Second) {
		f.step()
	}
}

func (f *fleet) step() {
	f.t.Helper()
	for i := range f.nodes {
		n := &f.nodes[i]
		v, ok := f.r.Wants(n.ID)
		if !ok || !n.Online || f.deaf[n.ID] || n.Seen.Want == v.Digest {
			continue
		}
		n.Seen = spec.State{Want: v.Digest, Live: v.Digest, Phase: spec.Committed}
		if s, bad := f.fails[n.ID]; bad && v == after {
			s.Want, s.Live = v.Digest, before.Digest
			n.Seen = s
		}
	}
	next, notes := rollout.Next(f.r, f.nodes, f.work, f.now)
	if again, more := rollout.Next(next, f.nodes, f.work, f.now); !reflect.DeepEqual(next, again) || len(more) != 0 {
		f.t.Fatalf("a second Next changed\n%+v\ninto\n%+v\nand noted %v", next, again, more)
	}
	f.r, f.notes = next, append(f.notes, notes...)
}

func (f *fleet) node(id string) *rollout.Node {
	return &f.nodes[slices.IndexFunc(f.nodes, func(n rollout.Node) bool { return n.ID == id })]
}

func (f *fleet) have() (n int) {
	for _, x := range f.nodes {
		if x.Seen.Live == after.Digest {
			n++
		}
	}
	return n
}

func (f *fleet) is(state rollout.State) {
	f.t.Helper()
	if f.r.State != state {
		f.t.Fatalf("the rollout is %s (%s), want %s", f.r.State, f.r.Why, state)
	}
}

func TestAGoodVersionReachesAllInWaves(t *testing.T) {
	f := newFleet(t, 20, rollout.Plan{})
	seen := map[int]int{}
	for range 600 {
		f.turn(time.Second)
		seen[f.r.Wave] = max(seen[f.r.Wave], len(f.r.Told))
	}
	f.is(rollout.Succeeded)
	if want := map[int]int{0: 1, 1: 2, 2: 10, 3: 20}; !reflect.DeepEqual(seen, want) {
		t.Errorf("waves told %v, want %v", seen, want)
	}
	if f.have() != 20 {
		t.Errorf("%d nodes have it", f.have())
	}
}

func TestABadVersionStopsAtOneNode(t *testing.T) {
	f := newFleet(t, 100, rollout.Plan{})
	for _, n := range f.nodes {
		f.fails[n.ID] = spec.State{Phase: spec.Reverted, Fault: spec.OfVersion, Reason: "other answers"}
	}
	f.turn(time.Minute)
	f.is(rollout.RolledBack)
	if len(f.r.Failed) != 1 || len(f.r.Told) != 1 || !strings.Contains(f.r.Why, "other answers") || f.r.Code != "rollout.failed" {
		t.Errorf("%+v", f.r)
	}
}

func TestAVersionThatFailsLateIsTakenBackEverywhere(t *testing.T) {
	f := newFleet(t, 20, rollout.Plan{})
	f.turn(90 * time.Second)
	if f.r.Wave < 1 || f.have() < 2 {
		t.Fatalf("the second wave has not begun: %+v", f.r)
	}
	f.node(f.r.Order[0]).Seen = spec.State{Want: after.Digest, Live: before.Digest, Phase: spec.Reverted, Fault: spec.OfVersion}
	f.turn(time.Minute)
	f.is(rollout.RolledBack)
	if f.have() != 0 {
		t.Errorf("%d nodes still have it", f.have())
	}
}

func TestAFirstVersionThatFailsIsTakenAway(t *testing.T) {
	f := newFleet(t, 4, rollout.Plan{})
	f.r.From = rollout.Version{}
	for i := range f.nodes {
		f.nodes[i].Seen = spec.State{}
	}
	first := func() string { next, _ := rollout.Next(f.r, f.nodes, f.work, f.now); return next.Told[0] }()
	f.deaf[first] = true
	f.node(first).Seen = spec.State{Want: after.Digest, Phase: spec.Reverted, Fault: spec.OfVersion}
	f.turn(time.Minute)
	f.is(rollout.RolledBack)
	if v, ok := f.r.Wants(first); !ok || v != (rollout.Version{}) {
		t.Errorf("it wants %+v, %v", v, ok)
	}
}

func TestSilenceIsNoConsent(t *testing.T) {
	f := newFleet(t, 10, rollout.Plan{})
	f.turn(time.Second)
	f.node(f.r.Told[0]).Online = false
	f.node(f.r.Told[0]).Seen = spec.State{Want: before.Digest, Live: before.Digest, Phase: spec.Committed}
	f.turn(time.Hour)
	f.is(rollout.Running)
	f.turn(2 * time.Minute)
	f.is(rollout.Paused)
	if f.r.Code != "rollout.missing" || len(f.r.Told) != 1 {
		t.Errorf("%+v", f.r)
	}
	f.node(f.r.Told[0]).Online = true
	r, err := f.r.Resume("user:bob", "it is back", f.now)
	if err != nil {
		t.Fatal(err)
	}
	f.r = r
	f.turn(10 * time.Minute)
	f.is(rollout.Succeeded)
}

func TestWhoIsAbsentIsPassedOverAndServedLater(t *testing.T) {
	f := newFleet(t, 10, rollout.Plan{})
	f.step()
	last := f.r.Order[9]
	f.node(last).Online = false
	f.turn(10 * time.Minute)
	f.is(rollout.Succeeded)
	if slices.Contains(f.r.Told, last) || len(f.r.Aside) != 1 || !f.r.Aside[0].Absent {
		t.Errorf("told %v, aside %+v", f.r.Told, f.r.Aside)
	}
	if v, _ := f.r.Wants(last); v != after {
		t.Errorf("when it is back it gets %+v", v)
	}
}

func TestAnAbsentNodeThatComesBackTakesPart(t *testing.T) {
	f := newFleet(t, 4, rollout.Plan{Waves: []rollout.Wave{{Nodes: 1, Soak: time.Minute}, {Percent: 100, Soak: 5 * time.Minute}}})
	f.step()
	last := f.r.Order[3]
	f.node(last).Online = false
	f.turn(3 * time.Minute)
	f.node(last).Online = true
	f.turn(10 * time.Minute)
	f.is(rollout.Succeeded)
	if len(f.r.Told) != 4 || len(f.r.Aside) != 0 {
		t.Errorf("told %v, aside %+v", f.r.Told, f.r.Aside)
	}
}

func TestANodeThatItDoesNotFitIsSetAside(t *testing.T) {
	f := newFleet(t, 4, rollout.Plan{})
	f.step()
	first := f.r.Told[0]
	f.fails[first] = spec.State{Phase: spec.Refused, Fault: spec.OfNode, Reason: "no room"}
	f.turn(10 * time.Minute)
	f.is(rollout.Succeeded)
	if f.have() != 3 || len(f.r.Aside) != 1 || f.r.Aside[0].Reason != "no room" || f.r.Aside[0].Absent {
		t.Errorf("%d have it, aside %+v", f.have(), f.r.Aside)
	}
	alone := newFleet(t, 1, rollout.Plan{})
	alone.step()
	alone.fails[alone.r.Told[0]] = spec.State{Phase: spec.Refused, Fault: spec.OfNode, Reason: "no room"}
	alone.turn(time.Minute)
	alone.is(rollout.Paused)
	if alone.r.Code != "rollout.nobody" || !strings.HasSuffix(alone.r.Why, ": no room") {
		t.Errorf("%s, %s", alone.r.Code, alone.r.Why)
	}
}

func TestNeverBothOfAPairAndNeverMoreOfASiteThanAllowed(t *testing.T) {
	f := newFleet(t, 12, rollout.Plan{Waves: []rollout.Wave{{Percent: 100, Soak: time.Second}}, MaxMoving: 2})
	for i := range f.nodes {
		f.nodes[i].Pair = fmt.Sprintf("p%d", i/4*2+i%2) // 0 and 2, 1 and 3 of each four: the same site
		f.deaf[f.nodes[i].ID] = true
	}
	for range 200 {
		f.step()
		f.now = f.now.Add(time.Second)
		sites, pairs := map[string]int{}, map[string]int{}
		var moving []*rollout.Node
		for i := range f.nodes {
			if n := &f.nodes[i]; slices.Contains(f.r.Told, n.ID) && n.Seen.Live != after.Digest {
				sites[n.Site]++
				pairs[n.Pair]++
				moving = append(moving, n)
			}
		}
		for k, n := range sites {
			if n > 2 {
				t.Fatalf("%d of %s move at a time", n, k)
			}
		}
		for k, n := range pairs {
			if n > 1 {
				t.Fatalf("both of pair %s move", k)
			}
		}
		if len(moving) > 0 { // one of them arrives
			moving[0].Seen = spec.State{Want: after.Digest, Live: after.Digest, Phase: spec.Committed}
		}
	}
	f.is(rollout.Succeeded)
}

func TestWhoComesLateIsLast(t *testing.T) {
	f := newFleet(t, 10, rollout.Plan{})
	f.turn(30 * time.Second)
	for i := range 10 {
		f.add(fmt.Sprintf("late%d", i), "site-9")
	}
	f.step()
	for _, id := range f.r.Order[10:] {
		if !strings.HasPrefix(id, "late") {
			t.Fatalf("%s stands behind one that came late: %v", id, f.r.Order)
		}
	}
	f.turn(10 * time.Minute)
	f.is(rollout.Succeeded)
	if f.have() != 20 {
		t.Errorf("%d have it", f.have())
	}
}

func TestPersons(t *testing.T) {
	f := newFleet(t, 4, rollout.Plan{Approve: true, Waves: []rollout.Wave{{Nodes: 1, Soak: time.Second}, {Percent: 100, Approve: true}}})
	do := func(r rollout.Rollout, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		f.r = r
	}
	f.turn(time.Minute)
	f.is(rollout.AwaitingApproval)
	if _, err := f.r.Approve("user:ann", "", f.now); edgeward.KindOf(err) != edgeward.Forbidden {
		t.Errorf("who asked has approved: %v", err)
	}
	do(f.r.Approve("user:bob", "looks good", f.now))
	f.turn(time.Minute)
	if f.r.Step != rollout.Waiting || f.have() != 1 {
		t.Fatalf("the second wave did not wait: %+v", f.r)
	}
	do(f.r.Approve("user:ann", "go", f.now))
	f.step()
	do(f.r.Pause("user:ann", "wait", f.now))
	had := f.have()
	f.turn(time.Hour)
	f.is(rollout.Paused)
	if f.have() > had+2 {
		t.Errorf("%d nodes were told while it was paused", f.have()-had)
	}
	if _, err := f.r.Pause("user:ann", "", f.now); edgeward.CodeOf(err) != "rollout.state" {
		t.Errorf("paused twice: %v", err)
	}
	do(f.r.Abort("user:bob", "not today", f.now))
	f.turn(time.Minute)
	f.is(rollout.Aborted)
	if f.have() != 0 || len(f.r.Said) != 4 {
		t.Errorf("%d nodes have it; said %+v", f.have(), f.r.Said)
	}
	if _, err := f.r.Abort("user:bob", "", f.now); err == nil {
		t.Error("an ended rollout was ended again")
	}
}

func TestWhatIsNoPlan(t *testing.T) {
	for name, p := range map[string]rollout.Plan{
		"a wave of nobody":         {Waves: []rollout.Wave{{}}},
		"more than all":            {Waves: []rollout.Wave{{Percent: 101}}},
		"fewer than before":        {Waves: []rollout.Wave{{Percent: 50}, {Percent: 10}}},
		"a deadline before a soak": {Waves: []rollout.Wave{{Nodes: 1, Soak: time.Hour, Deadline: time.Minute}}},
		"negative":                 {MaxFailures: -1},
		"an unknown word":          {OnFailure: "shrug"},
	} {
		if err := p.Check(); edgeward.CodeOf(err) != "rollout.plan" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p := (rollout.Plan{Waves: []rollout.Wave{{Nodes: 3}}}).Settled(); len(p.Waves) != 2 || p.Waves[1].Percent != 100 {
		t.Errorf("the last wave is not everybody: %+v", p.Waves)
	}
}

// seeds is how many made-up fleets there are; make soak makes a thousand.
func seeds() uint64 {
	if os.Getenv("EDGEWARD_SOAK") != "" {
		return 1000
	}
	return 25
}

// TestBlastRadiusSoak rolls bad versions out to fleets where nodes come, go and fall silent: at most max(1, 1 %) are ever told
// them. The same seed gives the same end.
func TestBlastRadiusSoak(t *testing.T) {
	for seed := range seeds() {
		radius(t, seed)
	}
}

func radius(t *testing.T, seed uint64) {
	end := func() rollout.Rollout {
		rnd := rand.New(rand.NewPCG(seed, 1))
		n := 1 + rnd.IntN(400)
		f := newFleet(t, n, rollout.Plan{})
		for _, x := range f.nodes {
			f.fails[x.ID] = spec.State{Phase: spec.Reverted, Fault: spec.OfVersion, Reason: "bad"}
		}
		told := map[string]bool{}
		for range 150 {
			for i := range f.nodes {
				if rnd.IntN(20) == 0 {
					f.nodes[i].Online = !f.nodes[i].Online
				}
				f.deaf[f.nodes[i].ID] = rnd.IntN(3) == 0 // takes a while
			}
			f.step()
			f.now = f.now.Add(20 * time.Second)
			for _, id := range f.r.Told {
				told[id] = true
			}
		}
		if limit := max(1, (n+99)/100); len(told) > limit {
			t.Fatalf("seed %d: %d of %d nodes were told a bad version, at most %d should be", seed, len(told), n, limit)
		}
		if f.r.State == rollout.Succeeded {
			t.Fatalf("seed %d: a bad version succeeded", seed)
		}
		return f.r
	}
	if a, b := end(), end(); !reflect.DeepEqual(a, b) {
		t.Fatalf("seed %d gave two ends:\n%+v\n%+v", seed, a, b)
	}
}

func BenchmarkNext10000(b *testing.B) {
	var nodes []rollout.Node
	for i := range 10000 {
		nodes = append(nodes, rollout.Node{ID: fmt.Sprint("n", i), Site: fmt.Sprint("s", i%500), Online: true, Seen: spec.State{Want: before.Digest, Live: before.Digest, Phase: spec.Committed}})
	}
	r := rollout.New("r", spec.Key{Group: "g", Name: "e"}, before, after, rollout.Plan{Waves: []rollout.Wave{{Percent: 100}}, MaxMoving: 20}, "user:a", "", start)
	for b.Loop() {
		rollout.Next(r, nodes, rollout.Work{}, start)
	}
}
