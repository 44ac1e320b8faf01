package systemtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/node/client"
	"edgeward/sync/tuf"
)

// TestDriftTakesARolloutBack has a hub give two nodes a version that was trained on other coffees than the nodes are asked for. No node sees anything wrong: it answers, and
// quickly. What the first one counts shows at the hub that the version's features have drifted, those of the version before have not: the rollout is taken back, and the other
// node never had it.
func TestDriftTakesARolloutBack(t *testing.T) {
	needNative(t)
	at := freeAddress(t)
	h := start(t, options{set: map[string]string{"fleet.address": at, "node.name": "hub"}})
	ctx := within(t, 4*time.Minute)
	train := func(name, table string) int {
		t.Helper()
		return trainRoasts(ctx, t, h.Client, name, name+".csv", table).Version
	}
	root, ann := newKey(t), newKey(t)
	foundFleet(t, h.Client, "https://"+at, root, tuf.Charter{Fleet: "drifting", Models: tuf.Role{Threshold: 1, Holders: []tuf.Holder{{Name: "ann", Key: ann.Public()}}}})
	code := must[client.FleetCode](t)(h.CreateFleetCode(ctx, client.FleetCodeRequest{Site: "north", Auto: true, Uses: 2}))
	var nodes []*server
	for _, name := range []string{"ward-1", "ward-2"} {
		n := start(t, options{set: map[string]string{"fleet.address": "off", "node.name": name}})
		must[client.FleetMembership](t)(n.JoinFleet(ctx, code.Text))
		nodes = append(nodes, n)
	}
	rollOut := func(version int, p rollout.Plan, end rollout.State) client.Rollout {
		t.Helper()
		signVersion(t, h.Client, "roast-score", version, ann)
		r := must[client.Rollout](t)(h.StartRollout(ctx, client.RolloutRequest{Model: "roast-score", Version: version, Endpoint: "score", Reason: "test", Plan: p,
			Probation: spec.Probation{Requests: 20, Longest: 10 * time.Second, Quiet: "commit", Shift: 100, Slower: 100}}))
		eventually(t, 3*time.Minute, "the rollout ends", func() bool {
			got, err := h.Rollout(ctx, r.ID)
			if err == nil {
				r = got
			}
			return err == nil && (r.State.Final() || r.State == end)
		})
		if r.State != end {
			t.Fatalf("version %d: %s %s %s", version, r.State, r.Code, r.Why)
		}
		return r
	}
	live := func(n *server) edgeward.Digest {
		m := must[client.FleetMembership](t)(n.FleetMembership(ctx))
		if len(m.Items) != 1 {
			t.Fatalf("%+v", m.Items)
		}
		return m.Items[0].Live
	}
	rollOut(train("light", roasts(1)), rollout.Plan{Waves: []rollout.Wave{{Percent: 100, Soak: time.Second}}, MaxMoving: 2}, rollout.Succeeded)
	first := live(nodes[0])
	keep := "features" // what is not recorded is not counted
	for _, n := range nodes {
		must[client.EndpointView](t)(n.UpdateEndpoint(ctx, "score", client.EndpointChange{Record: &keep, Reason: "test"}))
	}

	asks, stop := sync.WaitGroup{}, make(chan struct{})
	for i, n := range nodes {
		asks.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 9))
			for {
				select {
				case <-stop:
					return
				case <-time.After(50 * time.Millisecond):
				}
				rows := make([]map[string]any, 8)
				for i := range rows {
					rows[i] = map[string]any{"roast_c": 190 + 40*r.Float64(), "minutes": 8 + 8*r.Float64(), "origin": []string{"Huila", "Sidamo", "Cerrado"}[r.IntN(3)]}
				}
				if _, err := n.Predict(t.Context(), "score", client.PredictRequest{Rows: rows}); err != nil && t.Context().Err() == nil {
					t.Errorf("node %d: %v", i, err)
					return
				}
			}
		})
	}
	defer asks.Wait()
	defer close(stop)

	r := rollOut(train("dark", darker(roasts(2))), rollout.Plan{Waves: []rollout.Wave{{Nodes: 1, Soak: 2 * time.Minute}, {Percent: 100}}, Gate: rollout.Gate{Then: rollout.RollBack}}, rollout.RolledBack)
	if r.Code != rollout.CodeGate || !strings.Contains(r.Why, "roast_c") || len(r.Told) != 1 {
		t.Errorf("code %q, told %v: %s", r.Code, r.Told, r.Why)
	}
	for i, n := range nodes {
		if got := live(n); got != first {
			t.Errorf("node %d answers with %s, not with what it had", i, got)
		}
	}
	t.Logf("taken back %s after it was asked for: %s", r.Since.Sub(r.Created).Round(time.Second), r.Why)
}

// darker is a table of roasts, all 30 degrees hotter.
func darker(table string) string {
	lines := strings.Split(strings.TrimSpace(table), "\n")
	for i, l := range lines[1:] {
		var c float64
		rest := l[strings.IndexByte(l, ',')+1:]
		if _, err := fmt.Sscanf(l, "%f,", &c); err != nil {
			panic(err)
		}
		lines[i+1] = fmt.Sprintf("%.1f,%s", c+30, rest)
	}
	return strings.Join(lines, "\n") + "\n"
}
