package outbox_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/fleet/outbox"
	"edgeward/fleet/spec"
)

// shelf is a store in memory: the audit is apart, as in the real one.
type shelf struct {
	mu     sync.Mutex
	audit  []outbox.Entry
	others []outbox.Entry
}

func (s *shelf) add(c spec.Class, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		list := &s.others
		if c == spec.Audit {
			list = &s.audit
		}
		at := uint64(len(*list) + 1)
		*list = append(*list, outbox.Entry{N: at, Event: spec.Event{ID: fmt.Sprintf("%s-%d", c, at), Class: c, What: "x.y", At: time.Now()}})
	}
}

func (s *shelf) NextFleetEvents(_ context.Context, n, _ int) ([]outbox.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.audit[:min(n, len(s.audit))])
	return append(out, s.others[:min(n-len(out), len(s.others))]...), nil
}

func (s *shelf) SentFleetEvents(_ context.Context, list []outbox.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range list {
		gone := func(x outbox.Entry) bool { return x.Event.ID == e.Event.ID }
		s.audit, s.others = slices.DeleteFunc(s.audit, gone), slices.DeleteFunc(s.others, gone)
	}
	return nil
}

// hub takes events, unless err says otherwise.
type hub struct {
	mu      sync.Mutex
	got     []string
	first   time.Time
	calls   int
	largest int
	answer  spec.EventsAnswer
	err     func(list []spec.Event) error
}

func (h *hub) take(_ context.Context, list []spec.Event) (spec.EventsAnswer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	h.largest = max(h.largest, len(list))
	if h.err != nil {
		if err := h.err(list); err != nil {
			return spec.EventsAnswer{}, err
		}
	}
	if h.first.IsZero() {
		h.first = time.Now()
	}
	for _, e := range list {
		h.got = append(h.got, e.ID)
	}
	return h.answer, nil
}

func (h *hub) fails(err func([]spec.Event) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
}

// seen is what a hub has heard.
type seen struct {
	got            []string
	first          time.Time
	calls, largest int
}

func (h *hub) look() seen {
	h.mu.Lock()
	defer h.mu.Unlock()
	return seen{slices.Clone(h.got), h.first, h.calls, h.largest}
}

func away([]spec.Event) error { return edgeward.E("t", edgeward.Unavailable, "fleet.hub_away", "away") }

func start(t *testing.T, node string, s *shelf, h *hub) *outbox.Outbox {
	ctx, cancel := context.WithCancel(t.Context())
	o := outbox.New(outbox.Options{Store: s, Send: h.take, Node: node, Log: slog.New(slog.DiscardHandler)})
	done := make(chan struct{})
	go func() { defer close(done); _ = o.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return o
}

// rest lets time pass, and what happened in it be seen.
func rest(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestTheAuditGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := &shelf{}, &hub{}
		s.add(spec.Drift, 3)
		s.add(spec.Audit, 2)
		start(t, "n1", s, h)
		rest(time.Second)
		if want := []string{"audit-1", "audit-2", "drift-1", "drift-2", "drift-3"}; !slices.Equal(h.look().got, want) {
			t.Errorf("got %v, want %v", h.look().got, want)
		}
		calls := h.look().calls
		rest(24 * time.Hour)
		if h.look().calls != calls {
			t.Errorf("%d calls with nothing to say", h.look().calls-calls)
		}
	})
}

func TestAtMostTheRateLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := &shelf{}, &hub{}
		s.add(spec.Audit, 6000)
		start(t, "n1", s, h)
		rest(20 * time.Second)
		if n := len(h.look().got); n > 20*outbox.Rate+spec.MaxEvents || n < 15*outbox.Rate {
			t.Errorf("%d events in 20 s", n)
		}
		rest(20 * time.Second)
		if len(h.look().got) != 6000 || h.look().largest != spec.MaxEvents {
			t.Errorf("%d of 6,000 events after 40 s, the largest call %d", len(h.look().got), h.look().largest)
		}
	})
}

func TestARefusedEventHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := &shelf{}, &hub{}
		h.fails(func(list []spec.Event) error {
			if slices.ContainsFunc(list, func(e spec.Event) bool { return e.ID == "audit-77" }) {
				return edgeward.E("t", edgeward.Invalid, "fleet.event", "not that one")
			}
			return nil
		})
		s.add(spec.Audit, 200)
		start(t, "n1", s, h)
		rest(time.Minute)
		if len(h.look().got) != 199 || slices.Contains(h.look().got, "audit-77") {
			t.Errorf("%d events", len(h.look().got))
		}
	})
}

func TestRetryAfterIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h := &shelf{}, &hub{}
		h.fails(func([]spec.Event) error {
			return edgeward.E("t", edgeward.Exhausted, "fleet.busy", "busy").With("retry_after", "30")
		})
		s.add(spec.Audit, 1)
		o := start(t, "n1", s, h)
		for range 29 {
			rest(time.Second)
			o.Answered() // other calls go through: that is no reason to call before the time
		}
		if h.look().calls != 1 {
			t.Errorf("%d calls in 29 s", h.look().calls)
		}
	})
}

// TestNoStampede lets a fleet come back after a day without its hub.
func TestNoStampede(t *testing.T) {
	const nodes, spread = 400, 200
	synctest.Test(t, func(t *testing.T) {
		var boxes []*outbox.Outbox
		var hubs []*hub
		var shelves []*shelf
		for i := range nodes {
			s, h := &shelf{}, &hub{answer: spec.EventsAnswer{Spread: spread}}
			s.add(spec.Audit, 1)
			shelves, hubs, boxes = append(shelves, s), append(hubs, h), append(boxes, start(t, fmt.Sprintf("01JNODE%05d", i), s, h))
		}
		rest(time.Minute) // each has heard once how large the fleet is
		for _, h := range hubs {
			h.fails(away)
		}
		for _, s := range shelves {
			s.add(spec.Audit, 50)
		}
		rest(24 * time.Hour)
		back := time.Now()
		for i, h := range hubs {
			h.fails(nil)
			h.mu.Lock()
			h.first = time.Time{}
			h.mu.Unlock()
			boxes[i].Answered()
		}
		rest(15 * time.Minute)
		perSecond, last := map[int]int{}, time.Duration(0)
		for i, h := range hubs {
			if len(h.look().got) != 51 {
				t.Fatalf("node %d: %d events", i, len(h.look().got))
			}
			d := h.look().first.Sub(back)
			perSecond[int(d.Seconds())]++
			last = max(last, d)
		}
		most := 0
		for _, n := range perSecond {
			most = max(most, n)
		}
		if most > 12 || last > (spread+5)*time.Second { // 2 a second are the mean
			t.Errorf("%d nodes came in one second; the last after %v", most, last)
		}
	})
}

func TestShareIsEven(t *testing.T) {
	var tenth [10]int
	for i := range 10000 {
		d := outbox.Share(fmt.Sprintf("01KB0J9Z8M%016d", i), 100)
		if d < 0 || d >= 100*time.Second {
			t.Fatal(d)
		}
		tenth[int(d.Seconds())/10]++
	}
	if slices.Min(tenth[:]) < 850 || slices.Max(tenth[:]) > 1150 {
		t.Errorf("tenths %v", tenth)
	}
}

// TestOnlyNamedFieldsLeave plants a word wherever an event has room for one that is not ours.
func TestOnlyNamedFieldsLeave(t *testing.T) {
	const canary = "Mrs-Canary-1931"
	body := func(more string) json.RawMessage {
		return json.RawMessage(`{"endpoint":"triage","group":"main","verdict":"alarm","window":{"n":100,"from":"2026-11-01T00:00:00Z","to":"2026-11-02T00:00:00Z"},"at":"2026-11-02T00:00:00Z","to":"2026-11-02T00:00:00Z"` + more + `}`)
	}
	planted := body(`,"row":["` + canary + `"],"streams":[{"group":"` + canary + `","n":3}],"columns":[{"name":"` + canary + `"}],"reason":"` + canary + `","inputs":{"name":"` + canary + `"}`)
	at := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		e    spec.Event
		goes bool
	}{
		"drift":              {spec.Event{ID: "k", What: outbox.DriftSchema, At: at, Body: planted}, true},
		"alert":              {spec.Event{ID: "k", What: outbox.AlertSchema, At: at, Body: planted}, true},
		"hours of before":    {spec.Event{ID: "k", What: "edgeward.performance/1", At: at, Body: planted}, false},
		"details":            {spec.Event{ID: "k", Class: spec.Audit, What: "dataset.version.created", At: at, Detail: map[string]string{"file": canary, "sink": canary, "rows": "3"}}, true},
		"audit with a body":  {spec.Event{ID: "k", Class: spec.Audit, What: "predictions.exported", At: at, Body: planted}, false},
		"a prediction":       {spec.Event{ID: "k", What: "edgeward.prediction/1", At: at, Body: planted}, false},
		"rows called audit":  {spec.Event{ID: "k", Class: spec.Audit, What: "edgeward.prediction/1", At: at, Body: planted}, false},
		"no object":          {spec.Event{ID: "k", What: outbox.DriftSchema, At: at, Body: json.RawMessage(`["` + canary + `"]`)}, false},
		"an unknown class":   {spec.Event{ID: "k", Class: "rows", What: "x.y", At: at, Reason: canary}, false},
		"a very long string": {spec.Event{ID: "k", What: outbox.AlertSchema, At: at, Body: body(`,"code":"` + strings.Repeat("x", 5000) + `"`)}, false},
	} {
		out, err := outbox.Admit(row.e)
		if (err == nil) != row.goes {
			t.Errorf("%s: %v", name, err)
		}
		if b, _ := json.Marshal(out); err == nil && strings.Contains(string(b), canary) {
			t.Errorf("%s: %s", name, b)
		}
		again, _ := outbox.Admit(out)
		if x, y := string(cmp.Or(string(again.Body), "-")), string(cmp.Or(string(out.Body), "-")); err == nil && x != y {
			t.Errorf("%s: admitted twice it is another: %s, %s", name, x, y)
		}
	}
}

func FuzzAdmit(f *testing.F) {
	f.Add(outbox.DriftSchema, []byte(`{"endpoint":"triage"}`))
	f.Add(outbox.AlertSchema, []byte(`{"at":"2026-11-02T00:00:00Z","code":"x"}`))
	f.Add("edgeward.performance/1", []byte(`{"version":-1}`))
	f.Fuzz(func(t *testing.T, schema string, body []byte) {
		e, ok := outbox.Message(schema, "key", body)
		if ok && (e.Check() != nil || len(e.Body) > 4<<10) {
			t.Errorf("%+v", e)
		}
	})
}
