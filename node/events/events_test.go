package events_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/node/events"

	"golang.org/x/mod/sumdb/tlog"
)

var day = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func event(n uint64, prev string) events.Event {
	return events.Event{Seq: n, Prev: prev, Time: day, Principal: "user:alice", Action: "model.created", Object: events.Object{Kind: "model", ID: fmt.Sprint(n)}}
}

// TestTheTreeIsRFC6962 compares the verifier's roots with those of x/mod's tlog.
func TestTheTreeIsRFC6962(t *testing.T) {
	var v events.Verifier
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, err error) {
		for _, i := range at {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for n := range int64(70) {
		raw, err := event(uint64(n+1), v.Head().Last).Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Add(raw); err != nil {
			t.Fatal(err)
		}
		hs, err := tlog.StoredHashes(n, raw, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hs...)
		root, err := tlog.TreeHash(n+1, reader)
		if err != nil || v.Head().Root != hex.EncodeToString(root[:]) {
			t.Fatalf("at %d: %s, want %x (%v)", n+1, v.Head().Root, root, err)
		}
	}
}

func TestWhatIsNoEvent(t *testing.T) {
	good := event(1, "")
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*events.Event){
		"nobody did it":          func(e *events.Event) { e.Principal = "" },
		"nothing was done":       func(e *events.Event) { e.Action = "" },
		"an action of one word":  func(e *events.Event) { e.Action = "created" },
		"an action in capitals":  func(e *events.Event) { e.Action = "Model.Created" },
		"an action with a hole":  func(e *events.Event) { e.Action = "model..created" },
		"to nothing":             func(e *events.Event) { e.Object.Kind = "" },
		"at no time":             func(e *events.Event) { e.Time = time.Time{} },
		"a novel for a reason":   func(e *events.Event) { e.Reason = strings.Repeat("x", events.MaxReason+1) },
		"more details than read": func(e *events.Event) { e.Detail = map[string]string{}; fillDetail(e.Detail, events.MaxDetail+1) },
	} {
		e := good
		spoil(&e)
		if err := e.Validate(); edgeward.CodeOf(err) != "event.invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
	big := good
	big.Detail = map[string]string{"x": strings.Repeat("x", events.MaxBytes)}
	if _, err := big.Encode(); edgeward.CodeOf(err) != "event.invalid" {
		t.Errorf("too many bytes: %v", err)
	}
}

func fillDetail(m map[string]string, n int) {
	for i := range n {
		m[fmt.Sprint(i)] = "x"
	}
}

func TestFilter(t *testing.T) {
	e := events.Event{Seq: 1, Time: day, Principal: "user:alice", Group: "G", Action: "model.version.created", Object: events.Object{Kind: "version", Name: "er", ID: "7"}, Demo: true}
	for _, row := range []struct {
		name string
		f    events.Filter
		want bool
	}{
		{"nothing asked", events.Filter{}, true},
		{"the leading word of the action", events.Filter{Action: "model"}, true},
		{"two leading words", events.Filter{Action: "model.version"}, true},
		{"half a word", events.Filter{Action: "mod"}, false},
		{"all of it", events.Filter{Group: "G", Principal: "user:alice", Kind: "version", Name: "er", ID: "7", From: day, To: day.Add(1)}, true},
		{"To is exclusive", events.Filter{To: day}, false},
		{"another group", events.Filter{Group: "H"}, false},
		{"only the node's", events.Filter{Node: true}, false},
		{"no demo", events.Filter{NoDemo: true}, false},
	} {
		if got := row.f.Match(e); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

// memory is a log for followers.
type memory struct {
	mu  sync.Mutex
	all []events.Event
}

func (m *memory) add(f *events.Feed, n int) {
	m.mu.Lock()
	for range n {
		m.all = append(m.all, event(uint64(len(m.all)+1), ""))
	}
	last := uint64(len(m.all))
	m.mu.Unlock()
	f.Committed(last)
}

func (m *memory) Events(ctx context.Context, after uint64, limit int) ([]events.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rest := m.all[min(int(after), len(m.all)):]
	return rest[:min(limit, len(rest))], ctx.Err()
}

func TestAFollowerMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memory{}
		feed := events.NewFeed(log)
		log.add(feed, 100) // more than a page before anybody follows
		ctx, cancel := context.WithCancel(t.Context())
		got := map[string][]uint64{}
		var wg sync.WaitGroup
		var mu sync.Mutex
		for name, after := range map[string]uint64{"from the start": 0, "resumed": 90, "slow": 0} {
			wg.Go(func() {
				for e, err := range feed.Follow(ctx, after, events.Filter{}) {
					if err != nil {
						return
					}
					if name == "slow" {
						time.Sleep(time.Millisecond)
					}
					mu.Lock()
					got[name] = append(got[name], e.Seq)
					mu.Unlock()
				}
			})
		}
		synctest.Wait()
		for range 50 {
			log.add(feed, 2)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		cancel()
		wg.Wait()
		for name, first := range map[string]uint64{"from the start": 1, "resumed": 91, "slow": 1} {
			for i, seq := range got[name] {
				if seq != first+uint64(i) {
					t.Fatalf("%s: event %d came at place %d", name, seq, i)
				}
			}
			if len(got[name]) != 201-int(first) {
				t.Errorf("%s: %d events", name, len(got[name]))
			}
		}
	})
}

func FuzzVerifier(f *testing.F) {
	raw, _ := event(1, events.Origin).Encode()
	f.Add(raw)
	f.Add([]byte(`{"seq":1}`))
	f.Add([]byte(`{"seq":2,"prev":""}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var v events.Verifier
		if err := v.Add(raw); err != nil && v.Head().Size != 0 {
			t.Error("a refused event was added")
		}
	})
}

func ExampleFeed_Follow() {
	log := &memory{}
	feed := events.NewFeed(log)
	log.add(feed, 3)
	for e, err := range feed.Follow(context.Background(), 1, events.Filter{Kind: "model"}) {
		fmt.Println(e.Seq, e.Action, err)
		if e.Seq == 3 {
			break
		}
	}
	// Output:
	// 2 model.created <nil>
	// 3 model.created <nil>
}
