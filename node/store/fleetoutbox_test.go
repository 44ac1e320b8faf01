package store_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgeward/fleet/hub"
	"edgeward/fleet/outbox"
	"edgeward/fleet/spec"
	"edgeward/node/store"
	"edgeward/runtime/drift"
)

func window(key string, n int) spec.Event {
	b, _ := json.Marshal(outbox.Summary{Endpoint: "triage", Statistic: float64(n), Window: drift.Window{To: day}})
	return spec.Event{ID: key, What: outbox.DriftSchema, At: day, Body: b}
}

func alerted(key string) spec.Event {
	b, _ := json.Marshal(outbox.Notice{Endpoint: "triage", At: day, Code: strings.Repeat("x", 3000)})
	return spec.Event{ID: key, What: outbox.AlertSchema, At: day, Body: b}
}

// join makes db a member of a fleet, whose queue begins then.
func join(t testing.TB, db *store.DB) {
	t.Helper()
	if err := db.PutMembership(t.Context(), store.Membership{Fleet: "F"}, event("fleet.joined", "fleet", "fleet")); err != nil {
		t.Fatal(err)
	}
}

func next(t testing.TB, db *store.DB, n, size int) []outbox.Entry {
	t.Helper()
	list, err := db.NextFleetEvents(t.Context(), n, size)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func queue(t testing.TB, db *store.DB) spec.Queue {
	t.Helper()
	q, err := db.FleetQueue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestEventsForTheHubBeginWithTheMembership(t *testing.T) {
	db := open(t, t.TempDir())
	addGroup(t, db, group(1))
	if err := db.PutFleetEvent(t.Context(), window("early", 1)); err != nil || len(next(t, db, 10, 1e6)) > 0 {
		t.Fatal("a server in no fleet keeps events for a hub", err)
	}
	join(t, db)
	addGroup(t, db, group(2))
	if err := db.PutFleetEvent(t.Context(), window("h1", 1)); err != nil {
		t.Fatal(err)
	}
	list := next(t, db, 10, 1e6)
	if len(list) != 3 || list[0].Event.What != "fleet.joined" || list[1].Event.What != "group.created" || list[2].Event.ID != "h1" || list[1].Event.Prev != list[0].Event.ID {
		t.Fatalf("%+v", list)
	}
	if n := next(t, db, 10, 1); len(n) != 1 {
		t.Errorf("%d events where one is too large for the call", len(n))
	}
	if err := db.SentFleetEvents(t.Context(), list[:1]); err != nil {
		t.Fatal(err)
	}
	if q := queue(t, db); q[spec.Audit].Events != 1 || q[spec.Drift].Events != 1 || q[spec.Audit].Oldest.IsZero() {
		t.Errorf("%+v", q)
	}
	for range 2 {
		if err := db.SentFleetEvents(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	if q := queue(t, db); q[spec.Audit].Events != 0 || q[spec.Drift] != (spec.Waiting{}) || len(next(t, db, 10, 1e6)) > 0 {
		t.Errorf("%+v", q)
	}
	if err := db.LeaveFleet(t.Context(), event("fleet.left", "fleet", "fleet")); err != nil || len(next(t, db, 10, 1e6)) > 0 {
		t.Error("after leaving something waits", err)
	}
}

// TestOnlyTheClassThatIsFullLoses fills alerts to their quota: the oldest alerts give way, counted; the audit does not.
func TestOnlyTheClassThatIsFullLoses(t *testing.T) {
	db := open(t, t.TempDir())
	join(t, db)
	if err := db.PutFleetEvent(t.Context(), window("h1", 1)); err != nil {
		t.Fatal(err)
	}
	n := int(outbox.Quota(spec.Alert)/3000) + 200
	for i := 0; i < n; i += 100 {
		if err := db.Update(t.Context(), func(tx *store.Tx) error {
			for k := range 100 {
				if err := tx.PutFleetEvent(alerted(fmt.Sprintf("a%06d", i+k))); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	q := queue(t, db)
	w := q[spec.Alert]
	made := (n + 99) / 100 * 100
	if w.Dropped == 0 || w.Bytes > outbox.Quota(spec.Alert) || w.Bytes < outbox.Quota(spec.Alert)*9/10 || w.Events+int(w.Dropped) != made {
		t.Errorf("%+v of %d", w, made)
	}
	if q[spec.Audit].Events != 1 || q[spec.Drift].Events != 1 || q[spec.Drift].Dropped != 0 {
		t.Errorf("%+v", q)
	}
	list := next(t, db, 500, 1e9)
	if at := slices.IndexFunc(list, func(e outbox.Entry) bool { return e.Event.Class == spec.Alert }); at < 0 || list[at].Event.ID != fmt.Sprintf("a%06d", w.Dropped) {
		t.Errorf("the oldest left is %+v, %d were dropped", list[at].Event.ID, w.Dropped)
	}
}

// TestTheHubHasEachEventOnce kills a process that keeps events and brings them to a hub's store, at any moment, ten times.
func TestTheHubHasEachEventOnce(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"node", "hub"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put := -1
	for round := range 10 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "EDGEWARD_TEST_FLEET_WRITER="+dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for want := put + 3 + 2*round; put < want && lines.Scan(); {
			if _, err := fmt.Sscanf(lines.Text(), "put %d", &put); err != nil {
				t.Fatalf("the writer says %q", lines.Text())
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	node, there := open(t, filepath.Join(dir, "node")), open(t, filepath.Join(dir, "hub"))
	for bring(node, there, 500) {
	}
	page, more, err := there.FleetEvents(t.Context(), hub.EventQuery{Limit: 1000})
	if err != nil || more != "" {
		t.Fatal(err, more)
	}
	has := map[string]int{}
	for _, k := range page {
		has[k.Event.ID]++
	}
	for n := range put + 1 {
		if has[fmt.Sprintf("h%d", n)] != 1 {
			t.Errorf("event %d is there %d times", n, has[fmt.Sprintf("h%d", n)])
		}
	}
	tally, err := there.FleetTally(t.Context(), "n1")
	head, _ := node.Head(t.Context())
	if err != nil || tally.Breaks != 0 || tally.AuditSeq != head.Size || tally.Events[spec.Audit] != head.Size {
		t.Errorf("%+v %v, the log has %d lines", tally, err, head.Size)
	}
	if tally.Events[spec.Drift]+tally.Events[spec.Audit] != uint64(len(page)) {
		t.Errorf("%+v, and %d events are there", tally, len(page))
	}
}

func fleetWriter(dir string) int {
	node, err := store.Open(filepath.Join(dir, "node"), store.Options{Now: now})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	there, err := store.Open(filepath.Join(dir, "hub"), store.Options{Now: now})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	ctx := context.Background()
	if m, err := node.Membership(ctx); err != nil || m.Fleet == "" {
		if err := node.PutMembership(ctx, store.Membership{Fleet: "F"}, event("fleet.joined", "fleet", "fleet")); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	for n := nextNumber(node, there); err == nil; n++ {
		if err = node.PutFleetEvent(ctx, window(fmt.Sprintf("h%d", n), n)); err == nil {
			err = node.Record(ctx, event("group.created", "group", fmt.Sprint(n)))
		}
		fmt.Println("put", n)
		if n%3 == 2 {
			bring(node, there, 4)
		}
	}
	fmt.Println(err)
	return 1
}

// nextNumber goes on after the last event that either store has.
func nextNumber(node, there *store.DB) (n int) {
	seen := func(id string) {
		var k int
		if _, err := fmt.Sscanf(id, "h%d", &k); err == nil {
			n = max(n, k+1)
		}
	}
	waiting, _ := node.NextFleetEvents(context.Background(), 1e6, 1e9)
	for _, e := range waiting {
		seen(e.Event.ID)
	}
	page, _, _ := there.FleetEvents(context.Background(), hub.EventQuery{Class: spec.Drift, Limit: 1000})
	for _, k := range page {
		seen(k.Event.ID)
	}
	return n
}

// bring does what an outbox and a hub do, and says whether there was anything.
func bring(node, there *store.DB, n int) bool {
	ctx := context.Background()
	list, err := node.NextFleetEvents(ctx, n, 1e6)
	if err != nil || len(list) == 0 {
		return false
	}
	var events []spec.Event
	for _, e := range list {
		events = append(events, e.Event)
	}
	if _, err := there.AddFleetEvents(ctx, "n1", hub.OverTLS, day, events); err != nil {
		return false
	}
	return node.SentFleetEvents(ctx, list) == nil
}

func TestEventsAtTheHub(t *testing.T) {
	db := open(t, t.TempDir())
	ctx := t.Context()
	add := func(node string, at time.Time, list ...spec.Event) {
		t.Helper()
		if _, err := db.AddFleetEvents(ctx, node, hub.OverTLS, at, list); err != nil {
			t.Fatal(err)
		}
	}
	a := func(id string, c spec.Class) spec.Event { return spec.Event{ID: id, Class: c, What: "x.y", At: day} }
	add("n1", day.Add(-100*24*time.Hour), a("1", spec.Alert), a("2", spec.Drift))
	add("n2", day, a("1", spec.Alert), a("2", spec.Alert))
	for name, row := range map[string]struct {
		q    hub.EventQuery
		want string
	}{
		"all":               {hub.EventQuery{}, "n2/2 n2/1 n1/2 n1/1"},
		"of a node":         {hub.EventQuery{Node: "n1"}, "n1/2 n1/1"},
		"of a class":        {hub.EventQuery{Class: spec.Alert}, "n2/2 n2/1 n1/1"},
		"of both":           {hub.EventQuery{Node: "n1", Class: spec.Alert}, "n1/1"},
		"of a node without": {hub.EventQuery{Node: "n"}, ""},
	} {
		var got []string
		for cursor := ""; ; {
			row.q.Cursor, row.q.Limit = cursor, 1
			page, next, err := db.FleetEvents(ctx, row.q)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range page {
				got = append(got, k.Node+"/"+k.Event.ID)
			}
			if cursor = next; cursor == "" {
				break
			}
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if err := db.PruneFleetEvents(ctx, spec.Alert, day, 10); err != nil {
		t.Fatal(err)
	}
	if page, _, _ := db.FleetEvents(ctx, hub.EventQuery{}); len(page) != 3 {
		t.Errorf("%d events after pruning", len(page))
	}
}
