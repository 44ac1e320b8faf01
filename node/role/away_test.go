package role

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/hub"
	"edgeward/fleet/inquiry"
	"edgeward/fleet/outbox"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/node/events"
	"edgeward/node/store"
	"edgeward/sync/pull"
	"edgeward/sync/tuf"
)

// line is the wire between a node and a hub in one process, which a test cuts.
type line struct {
	agent.Hub // no blobs are asked for
	h         *hub.Hub
	node      string

	mu       sync.Mutex
	cut      bool
	answered func()
	bytes    int // of events, as JSON
	calls    []time.Time
}

func (l *line) down(cut bool) { l.mu.Lock(); defer l.mu.Unlock(); l.cut = cut }

func (l *line) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return edgeward.E("line", edgeward.Unavailable, "fleet.hub_away", "the hub does not answer")
	}
	return nil
}

func (l *line) Desired(ctx context.Context, have uint64, wait time.Duration) ([]byte, error) {
	if err := l.err(); err != nil {
		return nil, err
	}
	b, err := l.h.Await(ctx, l.node, have, wait)
	if cut := l.err(); cut != nil {
		return nil, cut
	}
	l.answered()
	return b, err
}

func (l *line) Report(ctx context.Context, r spec.Reported) error {
	if err := l.err(); err != nil {
		return err
	}
	l.answered()
	return l.h.Report(ctx, r)
}

func (l *line) Trust(_ context.Context, name string, _ int64) ([]byte, error) {
	if err := l.err(); err != nil {
		return nil, err
	}
	if b, ok := l.h.Fleet().Set.File(name); ok {
		return b, nil
	}
	return nil, edgeward.E("line", edgeward.NotFound, "fleet.trust.not_found", "no %s", name)
}

func (l *line) Events(ctx context.Context, list []spec.Event) (spec.EventsAnswer, error) {
	if err := l.err(); err != nil {
		return spec.EventsAnswer{}, err
	}
	l.mu.Lock()
	l.calls = append(l.calls, time.Now())
	l.mu.Unlock()
	return l.h.Take(ctx, l.node, hub.OverTLS, list)
}

type nobody struct{ agent.Local }

func (nobody) Facts() spec.Facts { return spec.Facts{Name: "ward-3"} }

// TestSoakDaysWithoutTheHub is a day (thirty in the soak) of a node whose hub is gone, with its real store, in virtual time: it keeps what
// happens, within its bounds; when the hub returns, the hub has every line of the audit and counts what gave way.
func TestSoakDaysWithoutTheHub(t *testing.T) {
	days, alerts := 1, 240 // a day
	if os.Getenv("EDGEWARD_SOAK") != "" {
		days, alerts = 30, int(outbox.Quota(spec.Alert)/3000)/30+72 // together more than there is room for
	}
	synctest.Test(t, func(t *testing.T) { daysWithoutTheHub(t, days, alerts) })
}

func daysWithoutTheHub(t *testing.T, days, perDay int) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f := newFleet(t, ctx)
	time.Sleep(pki.Life - 12*time.Hour) // the node's certificate expires on the first day without the hub
	h, here, code, joined, quiet := f.h, f.here, f.code, f.joined, f.quiet
	did := func(action string) events.Event {
		return events.Event{Time: time.Now(), Principal: "user:bea", Action: action, Object: events.Object{Kind: "endpoint", Name: "triage"}}
	}

	l := &line{h: h, node: "node1"}
	box := outbox.New(outbox.Options{Store: here, Send: l.Events, Node: "node1", Log: quiet})
	l.answered = box.Answered
	queue := func() spec.Queue { q, err := here.FleetQueue(context.WithoutCancel(ctx)); ok(err); return q }
	a, err := agent.Open(ctx, agent.Options{Fleet: "fleet1", Node: "node1", Pin: code.Root, Root: joined.Root, Hub: l, Local: nobody{}, Store: here, Puller: &pull.Puller{}, Boot: "b1", Now: time.Now, Log: quiet, Queue: queue})
	ok(err)
	wg.Go(func() { _ = h.Run(ctx) })
	wg.Go(func() { _ = a.Run(ctx) })
	wg.Go(func() { _ = box.Run(ctx) })

	lines := uint64(1) // of the audit; the membership is the first
	audit := func() { ok(here.Record(ctx, did("alert.fired"))); lines++ }
	time.Sleep(time.Minute)
	audit()
	time.Sleep(time.Minute)
	if tally, err := h.Tally(ctx, "node1"); err != nil || tally.AuditSeq != lines {
		t.Fatalf("with the hub there: %+v %v, the log has %d lines", tally, err, lines)
	}

	l.down(true)
	alerts := uint64(0)
	for range days {
		for hour := range 24 {
			time.Sleep(time.Hour)
			audit()
			ok(here.Update(ctx, func(tx *store.Tx) error {
				for range perDay / 24 {
					alerts++
					body := fmt.Appendf(nil, `{"endpoint":"triage","state":"firing","at":%q,"code":%q}`, time.Now().UTC().Format(time.RFC3339), strings.Repeat("x", 3000))
					e, _ := outbox.Message(outbox.AlertSchema, fmt.Sprintf("ward-3/%d", alerts), body)
					if err := tx.PutFleetEvent(e); err != nil {
						return err
					}
				}
				return nil
			}))
			if q := queue(); q[spec.Alert].Bytes > outbox.Quota(spec.Alert) {
				t.Fatalf("hour %d: %+v", hour, q)
			}
		}
	}
	calls := len(l.calls)
	before := queue()
	if days == 30 && before[spec.Alert].Dropped == 0 || before[spec.Audit].Events != 24*days {
		t.Fatalf("%+v of %d alerts", before, alerts)
	}
	if k, contact := a.Kept(); contact.Code != "fleet.hub_away" || k.Rev == 0 {
		t.Errorf("%+v, revision %d", contact, k.Rev)
	}

	l.down(false)
	back := time.Now()
	leaf := must(pki.ParseCertificate(joined.Chain[0]))
	if p, err := h.CA().Peer(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}, back); err != nil || !p.Expired || !pki.ShouldRenew(leaf, back) {
		t.Errorf("the certificate, valid until %s, is not taken for its grace at %s: %+v %v", leaf.NotAfter, back, p, err)
	}
	_, csr, err := pki.Request("node1")
	ok(err)
	if chain, err := h.Renew(ctx, "node1", csr); err != nil || must(pki.ParseCertificate(chain[0])).NotAfter.Before(back.Add(pki.Life)) {
		t.Errorf("it is not renewed: %v", err)
	}
	for len(queue()) == 0 || queue()[spec.Audit].Events+queue()[spec.Alert].Events > 0 {
		time.Sleep(time.Second)
		if time.Since(back) > 15*time.Minute {
			t.Fatalf("15 minutes after the hub's return %+v wait", queue())
		}
	}
	t.Logf("%d days, %d lines of audit, %d alerts of which %d gave way; the hub had the rest %v after its return, in %d calls", days, lines, alerts, before[spec.Alert].Dropped, time.Since(back), len(l.calls)-calls)
	tally, err := h.Tally(ctx, "node1")
	ok(err)
	if tally.AuditSeq != lines || tally.Events[spec.Audit] != lines || tally.Breaks != 0 || tally.Events[spec.Alert] != alerts-before[spec.Alert].Dropped {
		t.Errorf("%+v; %d lines, %d alerts", tally, lines, alerts)
	}
	time.Sleep(11 * time.Minute)
	if n, err := h.Node("node1"); err != nil || n.Last.Queue[spec.Alert].Dropped != before[spec.Alert].Dropped {
		t.Errorf("the hub is not told what gave way: %+v %v", n.Last.Queue, err)
	}
	page, _, err := h.Events(ctx, hub.EventQuery{Node: "node1", Class: spec.Audit, Limit: 1})
	if err != nil || len(page) != 1 || page[0].Event.Seq != lines {
		t.Errorf("%+v %v", page, err)
	}
	cancel()
}

// fleet is a hub and a member in one process, with their real stores.
type fleet struct {
	h           *hub.Hub
	here, there *store.DB
	code        spec.Code
	joined      spec.JoinAnswer
	quiet       *slog.Logger
}

func newFleet(t *testing.T, ctx context.Context) fleet {
	t.Helper()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	open := func() *store.DB {
		db, err := store.Open(t.TempDir(), store.Options{Now: time.Now})
		ok(err)
		t.Cleanup(func() { db.Close() })
		return db
	}
	there, here, quiet := open(), open(), slog.New(slog.DiscardHandler)
	n := 0
	id := func() string { n++; return fmt.Sprintf("id%d", n) }
	key, root, one := newKey(t), newKey(t), newKey(t)
	desk, err := inquiry.Open(ctx, there, t.TempDir(), time.Now, id)
	ok(err)
	h, err := hub.Open(ctx, hub.Options{Desk: desk, Store: there, CA: func(fleet string) (pki.CA, error) { return pki.NewCA(fleet, time.Now()) }, Key: key, Now: time.Now, NewID: id, Log: quiet})
	ok(err)
	p, err := tuf.Begin(tuf.Charter{Fleet: "fleet1", Hub: key.Public(), Root: tuf.Role{Holders: []tuf.Holder{{Name: "root", Key: root.Public()}}},
		Models: tuf.Role{Threshold: 1, Holders: []tuf.Holder{{Name: "ann", Key: one.Public()}}}}, time.Now())
	ok(err)
	sigs, err := tuf.Sign(tuf.Set{}, p, root)
	ok(err)
	p, _, err = p.Add(tuf.Set{}, sigs...)
	ok(err)
	_, err = h.Found(ctx, "user:ann", "hospital", []string{"https://hub:8443"}, p)
	ok(err)
	_, text, err := h.CreateCode(ctx, "user:ann", hub.CodeRequest{Site: "north", Auto: true})
	ok(err)
	code, err := spec.ParseCode(text)
	ok(err)
	_, csr, err := pki.Request("node1")
	ok(err)
	joined, err := h.Join(ctx, spec.JoinRequest{Format: spec.Format, Code: code.ID, Secret: code.Secret, Node: "node1", CSR: csr, Facts: spec.Facts{Name: "ward-3"}})
	ok(err)
	ok(here.PutMembership(ctx, store.Membership{Fleet: "fleet1", Name: "hospital", Pin: code.Root, Root: joined.Root},
		events.Event{Time: time.Now(), Principal: "user:bea", Action: "fleet.joined", Object: events.Object{Kind: "fleet", ID: "fleet"}}))
	return fleet{h, here, there, code, joined, quiet}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newKey(t *testing.T) tuf.Key {
	k, err := tuf.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}
