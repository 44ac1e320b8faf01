package store_test

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/mqtt"
	"edgeward/fleet/mqtt/mqtttest"
	"edgeward/node/auth"
	"edgeward/node/events"
	"edgeward/node/store"
)

func contextCanceled(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}

func TestOutboxKeepsItsContract(t *testing.T) {
	mqtttest.Outbox(t, func(t *testing.T) mqtttest.Subject {
		dir := t.TempDir()
		db := open(t, dir)
		subject := func(db *store.DB) mqtttest.Subject { return mqtttest.Subject{Outbox: db, Append: db.Append} }
		s := subject(db)
		s.Reopen = func() mqtttest.Subject {
			db.Close()
			return subject(open(t, dir))
		}
		return s
	})
}

func TestOutboxNumbersWithoutGaps(t *testing.T) {
	db := open(t, t.TempDir())
	for n := uint64(1); n <= 3; n++ {
		if err := db.Update(t.Context(), func(tx *store.Tx) error {
			id, err := tx.Send(store.Outgoing{Topic: "edgeward/v1/s/n/drift/m", Schema: "edgeward.drift/1", Key: "k", Body: []byte(`{"rows":10}`)})
			if id != n {
				t.Errorf("number %d, want %d", id, n)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	ms, err := db.Next(t.Context(), 2, 10)
	if err != nil || len(ms) != 1 {
		t.Fatal(ms, err)
	}
	if h, err := mqtt.ParseHeader(ms[0].Payload); err != nil || h.Seq != 3 || h.Key != "k" || !strings.Contains(string(ms[0].Payload), `"rows":10`) {
		t.Errorf("%s %v", ms[0].Payload, err)
	}
}

func TestIdempotency(t *testing.T) {
	db := open(t, t.TempDir())
	ctx := t.Context()
	k := store.IdempotencyKey{Group: "G", Principal: "U", Key: "retry-1"}
	request := edgeward.DigestOf([]byte("POST /models {}"))
	if a, err := db.Answered(ctx, k, request, day); a != nil || err != nil {
		t.Fatal(a, err)
	}
	if err := db.Remember(ctx, k, store.Answer{Request: request, Status: 201, Body: []byte("made"), At: day}); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name    string
		key     store.IdempotencyKey
		request edgeward.Digest
		at      time.Time
		want    string // body, "" for none
		code    string
	}{
		{"the same again", k, request, day.Add(23 * time.Hour), "made", ""},
		{"another request", k, "sha256:other", day.Add(time.Hour), "", "idempotency.reused"},
		{"after a day", k, request, day.Add(24 * time.Hour), "", ""},
		{"somebody else", store.IdempotencyKey{Group: "G", Principal: "V", Key: "retry-1"}, request, day, "", ""},
		{"another group", store.IdempotencyKey{Group: "H", Principal: "U", Key: "retry-1"}, request, day, "", ""},
		{"no key", store.IdempotencyKey{Group: "G", Principal: "U"}, request, day, "", "idempotency.invalid"},
	} {
		a, err := db.Answered(ctx, row.key, row.request, row.at)
		if edgeward.CodeOf(err) != row.code || (a != nil) != (row.want != "") || a != nil && (string(a.Body) != row.want || a.Digest != edgeward.DigestOf(a.Body)) {
			t.Errorf("%s: %+v, %v", row.name, a, err)
		}
	}
	large := store.Answer{Request: request, Status: 200, Body: make([]byte, store.MaxAnswer+1), At: day.Add(25 * time.Hour)}
	k.Key = "large"
	if err := db.Remember(ctx, k, large); err != nil {
		t.Fatal(err)
	}
	if a, err := db.Answered(ctx, k, request, large.At); err != nil || a.Body != nil || a.Digest != edgeward.DigestOf(large.Body) {
		t.Errorf("of a large answer only the digest is kept: %v %v", a.Status, err)
	}
}

func TestSettings(t *testing.T) {
	db := open(t, t.TempDir())
	ctx := t.Context()
	if v, err := db.Setting(ctx, "site.name"); v != "" || err != nil {
		t.Fatal(v, err)
	}
	if err := db.SetSetting(ctx, "site.name", "st-mary", event("settings.changed", "settings", "site.name")); err != nil {
		t.Fatal(err)
	}
	if v, err := db.Setting(ctx, "site.name"); v != "st-mary" || err != nil {
		t.Fatal(v, err)
	}
	for range 2 {
		if id, err := db.NodeID(ctx, "N1", event("node.created", "node", "N1")); id != "N1" || err != nil {
			t.Fatal(id, err)
		}
	}
	if head, _ := db.Head(ctx); head.Size != 2 {
		t.Errorf("%d events, want 2", head.Size)
	}
}

func TestExpiredSessionsAreSwept(t *testing.T) {
	db := open(t, t.TempDir())
	ctx := t.Context()
	for i, id := range []string{"a", "b", "c"} {
		at := day.Add(time.Duration(i) * time.Hour)
		if err := db.CreateSession(ctx, auth.Session{ID: id, User: "U", Created: at, Seen: at, Expires: at.Add(90 * time.Minute)}, event("session.created", "user", "U")); err != nil {
			t.Fatal(err)
		}
	}
	_, err := db.Session(ctx, "a")
	wantCode(t, err, edgeward.NotFound, "session.not_found")
	if err := db.EndSessions(ctx, "U", "c", event("user.sessions.ended", "user", "U")); err != nil {
		t.Fatal(err)
	}
	_, err = db.Session(ctx, "b")
	wantCode(t, err, edgeward.NotFound, "session.not_found")
	if _, err := db.Session(ctx, "c"); err != nil {
		t.Error(err)
	}
}

func TestListEvents(t *testing.T) {
	db := open(t, t.TempDir())
	ctx := t.Context()
	for i := range 30 {
		e := event("group.created", "group", []string{"x", "y"}[i%2])
		e.Group = []string{"", "G", "H"}[i%3]
		if err := db.Record(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name  string
		page  store.EventPage
		first uint64
		count int
	}{
		{"all, newest first", store.EventPage{}, 30, 30},
		{"all, oldest first", store.EventPage{Oldest: true}, 1, 30},
		{"after one", store.EventPage{Oldest: true, After: 28}, 29, 2},
		{"before one", store.EventPage{Before: 4}, 3, 3},
		{"a group's", store.EventPage{Filter: events.Filter{Group: "G"}}, 29, 10},
		{"a group's, before one of its own", store.EventPage{Filter: events.Filter{Group: "G"}, Before: 29}, 26, 9},
		{"the node's", store.EventPage{Filter: events.Filter{Node: true}}, 28, 10},
		{"an object's", store.EventPage{Filter: events.Filter{Group: "H", Kind: "group", ID: "x"}}, 27, 5},
		{"nobody's", store.EventPage{Filter: events.Filter{Group: "Z"}}, 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			var all []events.Event
			page := row.page
			for page.Limit = 4; ; {
				es, next, err := db.ListEvents(ctx, page)
				if err != nil {
					t.Fatal(err)
				}
				if all = append(all, es...); next == 0 {
					break
				}
				page.Before, page.After = next, next
			}
			if len(all) != row.count || row.count > 0 && all[0].Seq != row.first {
				t.Errorf("%d events, the first %+v; want %d from %d", len(all), all[:min(1, len(all))], row.count, row.first)
			}
			for i := 1; i < len(all); i++ {
				if all[i].Seq > all[i-1].Seq != row.page.Oldest {
					t.Errorf("event %d after %d", all[i].Seq, all[i-1].Seq)
				}
			}
		})
	}
}

// TestTheDrawingShowsEveryBucket compares the tree in the package comment with the buckets of a new store.
func TestTheDrawingShowsEveryBucket(t *testing.T) {
	dir := t.TempDir()
	open(t, dir).Close()
	r, err := store.Check(t.Context(), dir)
	if err != nil || r.Found > 0 {
		t.Fatal(r, err)
	}
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var drawn []string
	for _, line := range regexp.MustCompile(`(?m)^//\t([a-z_./]+(?:, [a-z_./]+)*)(?:   | ->|  )`).FindAllStringSubmatch(string(text), -1) {
		drawn = append(drawn, strings.Split(line[1], ", ")...)
	}
	for _, bucket := range store.Buckets() {
		if !strings.HasPrefix(bucket, "ix/") && !slices.Contains(drawn, bucket) {
			t.Errorf("bucket %s is not drawn in doc.go (%v are)", bucket, drawn)
		}
	}
	for _, bucket := range drawn {
		if !slices.Contains(store.Buckets(), bucket) {
			t.Errorf("%s is drawn in doc.go and does not exist", bucket)
		}
	}
}
