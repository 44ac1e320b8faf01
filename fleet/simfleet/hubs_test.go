package simfleet_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"edgeward/fleet/rollout"
	"edgeward/fleet/simfleet"
	"edgeward/fleet/spec"
)

// TestSoakAHubKilledAtAnyWriteGoesOn: a hub is killed at its k-th write of a rollout, before that is on the disk and after, and comes back half a minute later.
func TestSoakAHubKilledAtAnyWriteGoesOn(t *testing.T) {
	step := 25
	if os.Getenv("EDGEWARD_SOAK") != "" {
		step = 1
	}
	points := 0
	for k := 1; ; k += step {
		killed := false
		for _, before := range []bool{true, false} {
			sim(t, simfleet.Options{Seed: uint64(k), Nodes: 5, Line: simfleet.Line{Delay: time.Millisecond, Jitter: 10 * time.Millisecond}}, func(f *simfleet.Fleet) {
				f.Sign(simfleet.Version{Number: 2})
				hub := f.Hubs[0]
				hub.DieAt(k, before, 30*time.Second)
				var id string
				f.Until(5*time.Minute, "the hub takes the order", func() (ok bool) { // a person who got no answer asks again
					if h := hub.Hub(); h != nil {
						var err error
						id, err = f.TryRoll(h, 2, quick(), spec.Probation{Requests: 100})
						ok = err == nil
					}
					return ok
				})
				m := f.Await(id, time.Hour)
				if m.State != rollout.Succeeded {
					t.Errorf("killed at write %d, before %t: %s, %s", k, before, m.State, m.Why)
				}
				answers(f, 2, 30*time.Minute)
				whole(f, hub.Shelf)
				killed = hub.Kills() > 0
			})
		}
		if !killed || t.Failed() {
			break
		}
		points++
	}
	t.Logf("%d writes of a rollout, each twice", points)
	if points < 2 {
		t.Errorf("the hub was killed at %d points", points)
	}
}

func TestASiteThatIsCutDuringAWave(t *testing.T) {
	for _, c := range []struct {
		name  string
		lasts time.Duration
		pause bool
	}{{"for less than the wave's deadline", 4 * time.Minute, false}, {"for more", 30 * time.Minute, true}} {
		t.Run(c.name, func(t *testing.T) {
			sim(t, simfleet.Options{Seed: 3, Nodes: 12, Sites: 3, Line: rough}, func(f *simfleet.Fleet) {
				f.Sign(simfleet.Version{Number: 2})
				plan := quick()
				plan.MaxMoving = 12
				id := f.Roll(2, plan, spec.Probation{Requests: 400})
				site := f.Of("site-1")
				f.Until(time.Hour, "nodes of the site are told", func() bool {
					return slices.ContainsFunc(site, func(n *simfleet.Node) bool { return n.State().Phase == spec.Probing })
				})
				f.Cut(f.Hubs[0], site...)
				time.Sleep(c.lasts)
				m, err := f.Hub().Rollout(id)
				if err != nil || (m.State == rollout.Paused) != c.pause || c.pause && m.Code != "rollout.missing" {
					t.Errorf("while it is cut: %s %s %v", m.State, m.Why, err)
				}
				f.Heal(f.Hubs[0], site...)
				if c.pause {
					if _, err := f.Hub().Say(t.Context(), "user:ann", id, "resume", "the line is there again"); err != nil {
						t.Fatal(err)
					}
				}
				if m := f.Await(id, 2*time.Hour); m.State != rollout.Succeeded {
					t.Errorf("after it: %s, %s", m.State, m.Why)
				}
				answers(f, 2, 30*time.Minute)
				whole(f, f.Hubs[0].Shelf)
			})
		})
	}
}

func TestWhoJoinsLateIsLast(t *testing.T) {
	sim(t, simfleet.Options{Seed: 4, Nodes: 12, Line: rough}, func(f *simfleet.Fleet) {
		x := f.Sign(simfleet.Version{Number: 2})
		id := f.Roll(2, quick(), spec.Probation{Requests: 100})
		f.Until(time.Hour, "the second wave", func() bool { m, _ := f.Hub().Rollout(id); return m.Wave == 1 })
		var late []*simfleet.Node
		for i := range 6 {
			n := f.Join(100 + i)
			n.Start()
			late = append(late, n)
		}
		f.Until(2*time.Hour, "the last wave", func() bool {
			m, _ := f.Hub().Rollout(id)
			for _, n := range late {
				if here, _ := n.Machine.Reached(x); here && m.Wave < 3 {
					t.Errorf("%s came late and has version 2 in wave %d", n.ID, m.Wave+1)
				}
			}
			return m.Wave == 3
		})
		if m := f.Await(id, 2*time.Hour); m.State != rollout.Succeeded {
			t.Errorf("%s, %s", m.State, m.Why)
		}
		answers(f, 2, 30*time.Minute)
		whole(f, f.Hubs[0].Shelf)
	})
}

func TestACloneIsFoundAndTheOthersGoOn(t *testing.T) {
	trace := sim(t, simfleet.Options{Seed: 5, Nodes: 8, Line: rough}, func(f *simfleet.Fleet) {
		copied := f.Clone(f.Nodes[2])
		copied.Start()
		defer copied.Crash()
		f.Until(10*time.Minute, "the clone is found", func() bool { n, _ := f.Hub().Node(copied.ID); return n.Standing == "quarantined" })
		x := f.Sign(simfleet.Version{Number: 2})
		id := f.Roll(2, quick(), spec.Probation{Requests: 100})
		if m := f.Await(id, 2*time.Hour); m.State != rollout.Succeeded {
			t.Errorf("%s, %s", m.State, m.Why)
		}
		answers(f, 2, 30*time.Minute, f.Nodes[2])
		for _, n := range []*simfleet.Node{f.Nodes[2], copied} {
			if here, _ := n.Machine.Reached(x); here {
				t.Errorf("%s is in quarantine and has the new version", n.Host)
			}
		}
		if f.Nodes[2].Machine.Answers() != 1 {
			t.Error("what ran on it does not run any more")
		}
	})
	if !slices.ContainsFunc(trace, func(s string) bool { return strings.Contains(s, "fleet.node.quarantined n00002") }) {
		t.Errorf("%q", trace)
	}
}

// TestTwoHubs: hub-a goes on while hub-b is restored from a backup of before version 2 was rolled out. Half of the nodes cannot reach hub-a.
func TestTwoHubs(t *testing.T) {
	sim(t, simfleet.Options{Seed: 6, Nodes: 8, Sites: 2, Line: rough, Hubs: []string{"hub-a", "hub-b"}}, func(f *simfleet.Fleet) {
		a, b := f.Hubs[0], f.Hubs[1]
		made, backup := time.Now(), a.Shelf.Copy()
		f.Everywhere(2)
		b.Shelf = backup
		restored := b.Start()
		if err := restored.Restart(t.Context(), made, []string{"https://hub-b"}); err != nil {
			t.Fatal(err)
		}
		away := f.Of("site-1")
		f.Cut(a, away...)
		went := func(what string) {
			t.Helper()
			for _, n := range f.Nodes {
				if k := n.Machine.Answers(); k != 2 {
					t.Fatalf("%s: %s answers with version %d", what, n.ID, k)
				}
			}
		}
		for range 15 {
			time.Sleep(time.Minute)
			went("two hubs")
		}
		if _, err := f.TryRoll(restored, 2, quick(), spec.Probation{Requests: 100}); err != nil {
			t.Fatal(err)
		}
		f.Until(2*time.Hour, "nodes follow the restored hub", func() bool {
			return !slices.ContainsFunc(away, func(n *simfleet.Node) bool { k, _ := n.Agent().Kept(); return k.Term != 1 })
		})
		went("half of the nodes follow the restored hub")
		f.Heal(a, away...)
		f.Until(3*time.Hour, "all follow the restored hub", func() bool {
			return f.All(func(n *simfleet.Node) bool { k, _ := n.Agent().Kept(); return k.Term == 1 })
		})
		went("all follow the restored hub")
		if a.Hub().Fleet().Superseded.IsZero() {
			t.Error("the old hub does not know that it is over")
		}
	})
}

func TestRenamedNodesStayTheSame(t *testing.T) {
	sim(t, simfleet.Options{Seed: 7, Nodes: 6, Line: rough}, func(f *simfleet.Fleet) {
		f.Sign(simfleet.Version{Number: 2})
		id := f.Roll(2, quick(), spec.Probation{Requests: 100})
		time.Sleep(20 * time.Second)
		for _, n := range f.Nodes[:3] {
			n.Crash()
			n.Machine.Rename("ward-3")
			n.Start()
		}
		if m := f.Await(id, 2*time.Hour); m.State != rollout.Succeeded {
			t.Errorf("%s, %s", m.State, m.Why)
		}
		answers(f, 2, 30*time.Minute)
		if _, err := f.Hub().Node("ward-3"); err == nil {
			t.Error("three nodes have that name")
		}
		if n, err := f.Hub().Node("n00001"); err != nil || n.Last.Facts.Name != "ward-3" {
			t.Errorf("%+v %v", n.Last.Facts, err)
		}
		whole(f, f.Hubs[0].Shelf)
	})
}

// TestNodesWithDisks: real blob stores and sync/pull, broken transfers, and power cuts in the middle of writes.
func TestNodesWithDisks(t *testing.T) {
	line := rough
	line.Broken = 0.2
	sim(t, simfleet.Options{Seed: 8, Nodes: 8, Line: line, Disk: true}, func(f *simfleet.Fleet) {
		f.Sign(simfleet.Version{Number: 2})
		over := f.Disturb(simfleet.Faults{For: 2 * time.Minute, Crashes: 12, Kills: 1})
		id := f.Roll(2, quick(), spec.Probation{Requests: 100})
		m := f.Await(id, 2*time.Hour)
		over()
		if m.State != rollout.Succeeded {
			t.Errorf("%s, %s", m.State, m.Why)
		}
		answers(f, 2, 30*time.Minute)
		whole(f, f.Hubs[0].Shelf)
	})
}

// TestAHeldNodeFollowsNoHubFromBefore: hub-b is restored from a backup of before version 2 and holds everybody; then it is gone, and hub-a comes back.
func TestAHeldNodeFollowsNoHubFromBefore(t *testing.T) {
	sim(t, simfleet.Options{Seed: 9, Nodes: 4, Hubs: []string{"hub-a", "hub-b"}}, func(f *simfleet.Fleet) {
		a, b := f.Hubs[0], f.Hubs[1]
		made, backup := time.Now(), a.Shelf.Copy()
		f.Everywhere(2)
		a.Kill()
		b.Shelf = backup
		if err := b.Start().Restart(t.Context(), made, []string{"https://hub-b"}); err != nil {
			t.Fatal(err)
		}
		f.Until(10*time.Minute, "all know the new term", func() bool {
			return f.All(func(n *simfleet.Node) bool { k, _ := n.Agent().Kept(); return k.Term == 1 })
		})
		for _, g := range b.Hub().Gaps() {
			if g.Code != "fleet.held" {
				t.Errorf("%+v", g)
			}
		}
		b.Kill()
		old := a.Start()
		if _, err := f.TryRoll(old, 1, quick(), spec.Probation{Requests: 100}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		if old.Fleet().Superseded.IsZero() {
			t.Error("the old hub does not know that it is over")
		}
		for _, n := range f.Nodes {
			if n.Machine.Answers() != 2 {
				t.Errorf("%s followed the old hub", n.ID)
			}
		}
	})
}
