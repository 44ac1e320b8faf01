package systemtest

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"edgeward/fleet/hub"
	"edgeward/fleet/overlay"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/node/client"
	"edgeward/sync/tuf"
)

// TestSoakASiteWithoutTheHub is a hub and three nodes of one site with real models, engines and gossip, whose clocks go forward by days: the hub is gone for four of them. One
// node trains and promotes; the others hear of it by gossip, and persons there take it. When the hub is back it is adopted once and rolled out.
func TestSoakASiteWithoutTheHub(t *testing.T) {
	if os.Getenv("EDGEWARD_SOAK") == "" {
		t.Skip("set EDGEWARD_SOAK=1")
	}
	needNative(t)
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	at := freeAddress(t)
	dir := dataDir(t)
	serve := func() *server {
		return start(t, options{dir: dir, now: now, set: map[string]string{"fleet.address": at, "node.name": "hub"}})
	}
	h := serve()
	ctx := within(t, 9*time.Minute)
	train := func(c *client.Client, seed uint64) client.TrainResult {
		t.Helper()
		return trainRoasts(ctx, t, c, "roasts", fmt.Sprintf("roasts-%d.csv", seed), roasts(seed))
	}
	train(h.Client, 1)
	root, ann := newKey(t), newKey(t)
	foundFleet(t, h.Client, "https://"+at, root, tuf.Charter{Fleet: "alone", Models: tuf.Role{Threshold: 1, Holders: []tuf.Holder{{Name: "ann", Key: ann.Public()}}}})
	rollOut := func(version int) {
		t.Helper()
		signVersion(t, h.Client, "roast-score", version, ann)
		r := must[client.Rollout](t)(h.StartRollout(ctx, client.RolloutRequest{Model: "roast-score", Version: version, Endpoint: "score", Reason: "test",
			Plan: rollout.Plan{MaxMoving: 3, Waves: []rollout.Wave{{Percent: 100, Soak: time.Second}}}, Probation: spec.Probation{Requests: 5, Longest: 10 * time.Second, Quiet: "commit", Shift: 5}}))
		eventually(t, 4*time.Minute, "the rollout ends", func() bool { r, err := h.Rollout(ctx, r.ID); return err == nil && r.State == rollout.Succeeded })
	}
	code := must[client.FleetCode](t)(h.CreateFleetCode(ctx, client.FleetCodeRequest{Site: "north", Auto: true, Uses: 3}))
	var nodes []*server
	for i := range 3 {
		n := start(t, options{now: now, set: map[string]string{"fleet.address": "off", "gossip.address": "127.0.0.1:0", "node.name": fmt.Sprint("ward-", i+1)}})
		must[client.FleetMembership](t)(n.JoinFleet(ctx, code.Text))
		nodes = append(nodes, n)
	}
	must[client.Applied](t)(h.Apply(ctx, client.ApplyRequest{Documents: []overlay.Document{{Kind: overlay.Autonomy, Scope: "site/north", Autonomy: spec.LocalPromote, After: spec.Length(72 * time.Hour), Take: spec.TakeSite}}}))
	rollOut(1)
	state := func(n *server) (s spec.State) {
		if m, err := n.FleetMembership(ctx); err == nil && len(m.Items) == 1 {
			s = m.Items[0]
		}
		return s
	}
	for _, n := range nodes {
		eventually(t, 2*time.Minute, "the servers of the site hear each other", func() bool {
			s, err := n.FleetSite(ctx)
			alive := 0
			for _, m := range s.Members {
				if m.State == "alive" {
					alive++
				}
			}
			return err == nil && alive == 2 && state(n).Phase == spec.Committed
		})
	}
	theirs := state(nodes[0]).Live
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		eventually(t, time.Minute, "the hub's silence is noticed", func() bool { m, err := n.FleetMembership(ctx); return err == nil && m.Contact.Code != "" })
	}
	ahead.Store(int64(96 * time.Hour))
	a := nodes[0]
	own := train(a.Client, 7).Version
	must[spec.Promotion](t)(a.PromoteOwn(ctx, client.OwnRequest{Endpoint: "score", Version: own, Reason: "drift, and the line is cut"}))
	eventually(t, 2*time.Minute, "its own version answers", func() bool { s := state(a); return s.Phase == spec.Committed && s.Live != theirs && s.Local == 1 })
	mine := state(a).Live
	began := time.Now()
	for _, n := range nodes[1:] {
		var offer client.FleetMembership
		eventually(t, time.Minute, "it is heard of", func() bool {
			m, err := n.FleetMembership(ctx)
			offer = m
			return err == nil && len(m.Offers) == 1 && m.Offers[0].Code == ""
		})
		if o := offer.Offers[0]; o.Name != "ward-1" || o.Promotion.Digest() != mine || state(n).Live != theirs {
			t.Errorf("%+v", o)
		}
		p := must[spec.Promotion](t)(n.TakeOwn(ctx, client.OwnTake{Endpoint: "score", From: "ward-1", Reason: "ward-1 does better"}))
		if p.Taken.Name != "ward-1" {
			t.Errorf("%+v", p)
		}
	}
	t.Logf("heard of and taken after %s", time.Since(began))
	for _, n := range nodes[1:] {
		eventually(t, 2*time.Minute, "it answers", func() bool { s := state(n); return s.Phase == spec.Committed && s.Live == mine && s.Local == 1 })
	}
	t.Logf("answers everywhere after %s", time.Since(began))

	h = serve()
	ids := map[string]string{}
	eventually(t, 3*time.Minute, "the hub hears of it from all three", func() bool {
		l, err := h.FleetNodes(ctx, "")
		told := 0
		for _, n := range l.Items {
			ids[n.Name] = n.ID
			if len(n.Promotions) == 1 && !n.Promotions[0].Refused {
				told++
			}
		}
		return err == nil && told == 3
	})
	for _, g := range must[client.List[client.FleetGap]](t)(h.FleetGaps(ctx, "")).Items {
		if g.Code != "fleet.local" || g.Name != "ward-1" && !strings.Contains(g.Why, "which ward-1 promoted") {
			t.Errorf("%+v", g)
		}
	}
	must[client.FleetNode](t)(h.ChooseLocal(ctx, ids["ward-2"], 1, hub.Adopt, "better everywhere"))
	number := 0
	eventually(t, 2*time.Minute, "it is brought once, and all three have its number", func() bool {
		number = 0
		for _, id := range ids {
			x, err := h.FleetNode(ctx, id)
			if err != nil || len(x.Promotions) != 1 || x.Promotions[0].Number == 0 || number != 0 && number != x.Promotions[0].Number {
				return false
			}
			number = x.Promotions[0].Number
		}
		return true
	})
	if v := must[client.ModelVersion](t)(h.ModelVersion(ctx, "roast-score", number)); v.Digest != mine {
		t.Errorf("the hub has %s, the site %s", v.Digest, mine)
	}
	rollOut(number)
	for _, n := range nodes {
		eventually(t, 2*time.Minute, "it is the fleet's", func() bool {
			m, err := n.FleetMembership(ctx)
			return err == nil && len(m.Promotions) == 1 && m.Promotions[0].Word == "fleet.local_adopted" && m.Items[0].Phase == spec.Committed && m.Items[0].Live == mine && m.Items[0].Local == 0
		})
	}
	eventually(t, time.Minute, "nothing differs", func() bool {
		l, err := h.FleetGaps(ctx, "")
		return err == nil && len(l.Items) == 0
	})
}
