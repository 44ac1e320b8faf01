package systemtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/fleet/overlay"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/node/client"
	"edgeward/sync/tuf"
)

// TestSoakAMonthWithoutTheHub is a hub and a node with real models, whose clocks go forward by days: the hub is gone for thirty of them. The node is asked
// all the time and answers every time; it trains, and when the policy lets it, promotes what it trained; when the hub is back, its
// version is adopted into the fleet. Real time: less than a minute on a quiet machine.
func TestSoakAMonthWithoutTheHub(t *testing.T) {
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
	ctx := within(t, 8*time.Minute)
	train := func(c *client.Client, seed uint64) client.TrainResult {
		t.Helper()
		return trainRoasts(ctx, t, c, "roasts", fmt.Sprintf("roasts-%d.csv", seed), roasts(seed))
	}
	train(h.Client, 1)
	root, ann := newKey(t), newKey(t)
	foundFleet(t, h.Client, "https://"+at, root, tuf.Charter{Fleet: "alone", Models: tuf.Role{Threshold: 1, Holders: []tuf.Holder{{Name: "ann", Key: ann.Public()}}}})
	under := ""
	rollOut := func(version int) {
		t.Helper()
		signVersion(t, h.Client, "roast-score", version, ann)
		r := must[client.Rollout](t)(h.StartRollout(ctx, client.RolloutRequest{Model: "roast-score", Version: version, Endpoint: "score", Reason: "test",
			Plan: rollout.Plan{Waves: []rollout.Wave{{Percent: 100, Soak: time.Second}}}, Probation: spec.Probation{Requests: 20, Longest: time.Minute, Quiet: "commit", Shift: 5}}))
		under = r.ID
	}
	ended := func() {
		t.Helper()
		eventually(t, 4*time.Minute, "the rollout ends", func() bool { r, err := h.Rollout(ctx, under); return err == nil && r.State == rollout.Succeeded })
	}
	code := must[client.FleetCode](t)(h.CreateFleetCode(ctx, client.FleetCodeRequest{Site: "north", Auto: true}))
	n := start(t, options{now: now, set: map[string]string{"fleet.address": "off", "node.name": "ward-3"}})
	must[client.FleetMembership](t)(n.JoinFleet(ctx, code.Text))
	must[client.Applied](t)(h.Apply(ctx, client.ApplyRequest{Documents: []overlay.Document{{Kind: overlay.Autonomy, Autonomy: spec.LocalPromote, After: spec.Length(72 * time.Hour)}}}))
	rollOut(1)
	state := func() (s spec.State) {
		m, err := n.FleetMembership(ctx)
		if err == nil && len(m.Items) == 1 {
			s = m.Items[0]
		}
		return s
	}
	eventually(t, 2*time.Minute, "the fleet's version answers", func() bool { s := state(); return s.Phase == spec.Committed && s.Live != "" })
	theirs := state().Live
	ended()

	var asked, failed atomic.Int64
	var last atomic.Value
	stop := make(chan struct{})
	var clients sync.WaitGroup
	clients.Go(func() {
		row := map[string]any{"roast_c": 212.0, "minutes": 12.0, "origin": "Cerrado"}
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
			asked.Add(1)
			if _, err := n.Predict(t.Context(), "score", client.PredictRequest{Rows: []map[string]any{row}}); err != nil {
				failed.Add(1)
				last.Store(err)
			}
		}
	})
	defer func() { close(stop); clients.Wait() }()

	refused := func(what string, version int, code string) {
		t.Helper()
		if _, err := n.PromoteOwn(ctx, client.OwnRequest{Endpoint: "score", Version: version, Reason: "drift"}); edgeward.CodeOf(err) != code || edgeward.HintOf(err) == "" {
			t.Errorf("%s: %v, want %q with a hint", what, err, code)
		}
	}
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	own := 0
	for d := 1; d <= 30; d++ {
		eventually(t, time.Minute, "the hub's silence is noticed", func() bool { m, err := n.FleetMembership(ctx); return err == nil && m.Contact.Code != "" })
		ahead.Add(int64(24 * time.Hour))
		time.Sleep(300 * time.Millisecond)
		switch d {
		case 2:
			own = train(n.Client, 7).Version
			refused("after two days", own, "fleet.local_early")
			_, err := n.ChangeSpec(ctx, "score", client.Promote, client.ChangeRequest{Version: own, Reason: "past the gates"})
			if edgeward.CodeOf(err) != "fleet.managed" {
				t.Errorf("past the gates: %v", err)
			}
		case 8:
			must[spec.Promotion](t)(n.PromoteOwn(ctx, client.OwnRequest{Endpoint: "score", Version: own, Reason: "drift, and the line is cut"}))
			eventually(t, 2*time.Minute, "its own version answers", func() bool { s := state(); return s.Phase == spec.Committed && s.Live != theirs && s.Local == 1 })
		}
	}
	mine := state().Live

	h = serve()
	var node client.FleetNode
	eventually(t, 3*time.Minute, "the hub hears of it", func() bool {
		l, err := h.FleetNodes(ctx, "")
		if err != nil || len(l.Items) != 1 || len(l.Items[0].Promotions) != 1 {
			return false
		}
		node = l.Items[0]
		return true
	})
	if p := node.Promotions[0]; p.Refused || !p.Ended.IsZero() || p.Promotion.Digest() != mine {
		t.Fatalf("%+v", p)
	}
	gaps := must[client.List[client.FleetGap]](t)(h.FleetGaps(ctx, ""))
	if len(gaps.Items) != 1 || gaps.Items[0].Code != "fleet.local" {
		t.Errorf("%+v", gaps.Items)
	}
	other := operatorOf(t, h, "press-shop")
	if x := must[client.FleetNode](t)(other.FleetNode(ctx, node.ID)); len(x.Promotions) != 0 || len(x.States) != 0 {
		t.Errorf("another group sees %+v", x)
	}
	_, err := other.ChooseLocal(ctx, node.ID, 1, hub.Return, "not theirs to say")
	wantError(t, err, edgeward.NotFound, "fleet.local.not_found")
	must[client.FleetNode](t)(h.ChooseLocal(ctx, node.ID, 1, hub.Adopt, "better everywhere"))
	number := 0
	eventually(t, 2*time.Minute, "the node brings it", func() bool {
		x, err := h.FleetNode(ctx, node.ID)
		if err == nil && len(x.Promotions) == 1 {
			number = x.Promotions[0].Number
		}
		return number > 0
	})
	if v := must[client.ModelVersion](t)(h.ModelVersion(ctx, "roast-score", number)); v.Digest != mine {
		t.Errorf("the hub has %s, the node %s", v.Digest, mine)
	}
	rollOut(number)
	eventually(t, 2*time.Minute, "it is the fleet's", func() bool {
		m, err := n.FleetMembership(ctx)
		return err == nil && len(m.Promotions) == 1 && m.Promotions[0].Word == "fleet.local_adopted" && m.Items[0].Phase == spec.Committed && m.Items[0].Live == mine && m.Items[0].Local == 0
	})
	ended()
	eventually(t, time.Minute, "nothing differs", func() bool {
		l, err := h.FleetGaps(ctx, "")
		return err == nil && len(l.Items) == 0
	})
	// the fleet goes on: its next number is one that the node had given to its own
	next := train(h.Client, 11).Version
	rollOut(next)
	eventually(t, 3*time.Minute, "the fleet's next version answers", func() bool { s := state(); return s.Phase == spec.Committed && s.Live != mine && s.Live != theirs })
	if failed.Load() > 0 || asked.Load() < 100 {
		t.Errorf("%d of %d requests failed: %v", failed.Load(), asked.Load(), last.Load())
	}
	t.Logf("thirty days without the hub: %d requests, %d failed", asked.Load(), failed.Load())
}

// operatorOf is a person of a new group.
func operatorOf(t *testing.T, s *server, group string) *client.Client {
	t.Helper()
	must[client.Group](t)(s.CreateGroup(t.Context(), client.NewGroup{Name: group, Reason: "a test"}))
	must[client.User](t)(s.CreateUser(t.Context(), client.NewUser{Name: "operator", Password: password, Group: group, Roles: []string{"operator"}, Reason: "a test"}))
	a := s.request(t, "POST", "/api/v1/session", "", fmt.Sprintf(`{"user":"operator","password":%q}`, password))
	if a.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", a.Status, a.body)
	}
	made := s.request(t, "POST", "/api/v1/tokens", "", `{"name":"own","roles":["operator"]}`, "Cookie", a.Cookies()[0].Name+"="+a.Cookies()[0].Value, "Origin", s.url)
	var k client.Token
	unmarshal(t, made.body, &k)
	return s.as(t, k.Secret, "")
}

// freeAddress is an address that is free now: join codes name the hub's.
func freeAddress(t testing.TB) string {
	t.Helper()
	ln := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	defer ln.Close()
	return ln.Addr().String()
}

// trainRoasts imports a table of coffees and trains roast-score on it.
func trainRoasts(ctx context.Context, t *testing.T, c *client.Client, dataSet, file, table string) client.TrainResult {
	t.Helper()
	imported(t, c, dataSet, file, table)
	a := must[client.RecipeAnswer](t)(c.Recipe(ctx, dataSet, 0, client.RecipeRequest{Kind: "table", Target: "cupping"}))
	j := must[client.Job](t)(c.Train(ctx, "roast-score", client.TrainRequest{DataSet: dataSet, Recipe: a.Recipe}))
	return must[client.TrainResult](t)(client.Trained(must[client.Job](t)(c.Wait(ctx, j.ID, nil))))
}

// roasts is a table of coffees whose score depends on how they were roasted.
func roasts(seed uint64) string {
	var b strings.Builder
	b.WriteString("roast_c,minutes,origin,cupping\n")
	r := rand.New(rand.NewPCG(seed, 5))
	for range 600 {
		temp, min, o := 190+40*r.Float64(), 8+8*r.Float64(), r.IntN(3)
		fmt.Fprintf(&b, "%.1f,%.1f,%s,%.2f\n", temp, min, []string{"Huila", "Sidamo", "Cerrado"}[o], 80+4*float64(o)-max(temp-212, 212-temp)/6-max(min-12, 12-min)/2+r.NormFloat64()*.4)
	}
	return b.String()
}
