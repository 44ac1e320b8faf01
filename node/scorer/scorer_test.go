package scorer_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"edgeward/node/events"
	"edgeward/node/scorer"
	"edgeward/node/store"
	"edgeward/node/work"
	"edgeward/runtime/jobs"
	"edgeward/runtime/score"
	"edgeward/sync/blobs"
)

// bench is a scorer over a real store and queue; its jobs take runFor and do nothing.
type bench struct {
	store  *store.DB
	work   *work.Work
	queue  *jobs.Queue
	blobs  *blobs.Store
	scorer *scorer.Scorer
	dir    string

	mu     sync.Mutex
	runFor time.Duration
	began  []time.Time
}

func newBench(t *testing.T, dir string, change func(*scorer.Parts)) *bench {
	t.Helper()
	b := &bench{dir: dir}
	var err error
	if b.store, err = store.Open(dir, store.Options{Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	if b.blobs, err = blobs.Open(filepath.Join(dir, "blobs"), time.Now); err != nil {
		t.Fatal(err)
	}
	b.queue = jobs.NewQueue(b.store, map[jobs.Kind]jobs.Handler{jobs.Score: {Resumable: true, Work: func(ctx context.Context, _ jobs.Job, _ jobs.Reporter) (any, error) {
		b.mu.Lock()
		b.began = append(b.began, time.Now())
		wait := b.runFor
		b.mu.Unlock()
		select {
		case <-time.After(wait):
			return score.Result{}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}}, 2, time.Now, slog.New(slog.DiscardHandler))
	id := func() string { return ulid.Make().String() }
	b.work = work.New(&work.Parts{Store: b.store, Blobs: b.blobs, Queue: b.queue, Now: time.Now, NewID: id, Runs: filepath.Join(dir, "runs")})
	p := scorer.Parts{Store: b.store, Work: b.work, Jobs: b.queue, Blobs: b.blobs, Hooks: scorer.NewHookClient(nil), Wake: func() {}, NewID: id, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&p)
	}
	b.scorer = scorer.New(p)
	b.work.Rescored = b.scorer.Poke
	return b
}

// run runs queue and scorer until stop.
func (b *bench) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, f := range []func(context.Context) error{b.queue.Run, b.scorer.Run} {
		wg.Go(func() {
			if err := f(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

func (b *bench) close(t *testing.T) {
	t.Helper()
	if err := b.store.Close(); err != nil {
		t.Error(err)
	}
}

func (b *bench) starts() []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]time.Time(nil), b.began...)
}

func (b *bench) schedule(t *testing.T, s score.Scoring) {
	t.Helper()
	s.Group, s.Endpoint, s.Source, s.Since, s.By = "g", "e", score.Source{Kind: score.DataSet, DataSet: "d"}, time.Now(), "user:a"
	if s.ID == "" {
		s.ID = ulid.Make().String()
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	if err := b.store.CreateScoring(t.Context(), s, events.Event{Time: time.Now(), Principal: "user:a", Group: "g", Action: "scoring.created", Object: events.Object{Kind: "scoring", Name: s.Name, ID: s.ID}}); err != nil {
		t.Fatal(err)
	}
	b.scorer.Poke()
}

func TestSchedulesRunByTheClock(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, dir, nil)
		stop := b.run(t)
		begin := time.Now() // midnight
		b.schedule(t, score.Scoring{Name: "often", Schedule: "every 15m"})
		time.Sleep(46 * time.Minute)
		synctest.Wait()
		if got := b.starts(); len(got) != 3 || got[0].Sub(begin) != 15*time.Minute || got[2].Sub(begin) != 45*time.Minute {
			t.Fatalf("began %v", got)
		}
		// The server is down for an hour: one run when it is up again.
		stop()
		b.close(t)
		time.Sleep(time.Hour)
		b = newBench(t, dir, nil)
		stop = b.run(t)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := b.starts(); len(got) != 1 || got[0].Sub(begin) != 106*time.Minute {
			t.Fatalf("after downtime began %v", got)
		}
		// A run that takes longer than the interval: no second one beside it, and one soon after it.
		b.mu.Lock()
		b.runFor = 40 * time.Minute
		b.mu.Unlock()
		time.Sleep(58 * time.Minute) // 1:47 to 2:45; at 2:00 one begins and ends at 2:40
		synctest.Wait()
		if got := b.starts(); len(got) != 3 || got[1].Sub(begin) != 2*time.Hour || got[2].Sub(begin) < 160*time.Minute || got[2].Sub(begin) > 161*time.Minute {
			t.Fatalf("long runs began %v", got)
		}
		// Paused, then resumed: what was missed is gone.
		pause := func(p bool) {
			_, err := b.store.ChangeScoring(t.Context(), "g", "often", func(s *score.Scoring) error { s.Paused, s.Since = p, time.Now(); return nil },
				events.Event{Time: time.Now(), Principal: "user:a", Group: "g", Action: "scoring.schedule.changed", Object: events.Object{Kind: "scoring", Name: "often", ID: "x"}})
			if err != nil {
				t.Fatal(err)
			}
			b.scorer.Poke()
		}
		pause(true)
		time.Sleep(5 * time.Hour)
		pause(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := b.starts(); len(got) != 3 {
			t.Fatalf("after a pause began %v", got)
		}
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		if got := b.starts(); len(got) != 4 {
			t.Fatalf("after resuming began %v", got)
		}
		time.Sleep(time.Hour)
		stop()
		b.close(t)
	})
}

func TestDeliveriesAreTriedUntilTheyArrive(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "later")
	b := newBench(t, t.TempDir(), func(p *scorer.Parts) { p.Drops = map[string]string{"lab": folder} })
	defer b.close(t)
	d := deliver(t, b, score.Sink{Kind: score.ToDrop, Name: "lab"}, "n-1")
	stop := b.run(t)
	defer func() { stop() }()
	d = await(t, b, d.ID, func(d score.Delivery) bool { return d.Count == 1 })
	if d.State != score.Waiting || d.Attempts[0].Code != "score.drop" || d.Attempts[0].Hint == "" {
		t.Fatalf("%+v", d)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := b.work.Redeliver(t.Context(), work.Who{Group: "g", Principal: "user:a"}, d.ID); err != nil {
		t.Fatal(err)
	}
	await(t, b, d.ID, func(d score.Delivery) bool { return d.State == score.Delivered })
	got, err := os.ReadDir(folder)
	if err != nil || len(got) != 1 || got[0].Name() != "n-01JRUN.csv" {
		t.Fatalf("%v %v", got, err)
	}
	if c, err := os.ReadFile(filepath.Join(folder, got[0].Name())); string(c) != "a\n1\n" {
		t.Errorf("%q %v", c, err)
	}
	gone := deliver(t, b, score.Sink{Kind: score.ToDrop, Name: "gone"}, "n-2")
	b.scorer.Poke()
	if gone = await(t, b, gone.ID, func(d score.Delivery) bool { return d.Count == 1 }); gone.State != score.Failed || gone.Attempts[0].Code != "score.not_configured" {
		t.Errorf("a drop that is not configured any more: %+v", gone)
	}
	stop()
	want := []scorer.Count{{Group: "g", Sink: gone.Sink, Attempts: 1, Failures: 1, GivenUp: 1}, {Group: "g", Sink: d.Sink, Attempts: 2, Failures: 1, Delivered: 1}}
	if got := b.scorer.Counts(); !slices.Equal(got, want) {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

// TestNoRedirectIsFollowed: a receiver cannot send a result elsewhere.
func TestNoRedirectIsFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the result went elsewhere") }))
	defer elsewhere.Close()
	hook := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer hook.Close()
	b := newBench(t, t.TempDir(), func(p *scorer.Parts) {
		p.Webhooks = map[string]scorer.Webhook{"erp": {URL: hook.URL, Key: []byte("0123456789abcdef")}}
	})
	defer b.close(t)
	d := deliver(t, b, score.Sink{Kind: score.ToWebhook, Name: "erp"}, "n-1")
	stop := b.run(t)
	defer stop()
	if d = await(t, b, d.ID, func(d score.Delivery) bool { return d.Count == 1 }); d.State != score.Failed || d.Attempts[0].Status != 307 {
		t.Errorf("%+v", d)
	}
}

// TestAURLIsNotTold: why a webhook was not reached is said without its URL, which may hold a secret.
func TestAURLIsNotTold(t *testing.T) {
	b := newBench(t, t.TempDir(), func(p *scorer.Parts) {
		p.Webhooks = map[string]scorer.Webhook{"erp": {URL: "http://127.0.0.1:1/in?token=hidden", Key: []byte("0123456789abcdef")}}
	})
	defer b.close(t)
	d := deliver(t, b, score.Sink{Kind: score.ToWebhook, Name: "erp"}, "n-1")
	stop := b.run(t)
	defer stop()
	d = await(t, b, d.ID, func(d score.Delivery) bool { return d.Count == 1 })
	if a := d.Attempts[0]; d.State != score.Waiting || a.Code != "score.webhook" || strings.Contains(a.Message, "hidden") || !strings.Contains(a.Message, "erp") {
		t.Errorf("%+v", d)
	}
}

func deliver(t *testing.T, b *bench, sink score.Sink, id string) score.Delivery {
	t.Helper()
	digest, _, err := b.blobs.Put(t.Context(), strings.NewReader("a\n1\n"), 100)
	if err != nil {
		t.Fatal(err)
	}
	d := score.Delivery{Group: "g", ID: id, Scoring: "n", Run: "01JRUN", Sink: sink, Result: score.Result{Scoring: "n", Endpoint: "e", Format: "csv", Bytes: digest, Size: 4, Rows: 1},
		State: score.Waiting, Next: time.Now(), Created: time.Now(), By: "user:a"}
	if err := b.store.AddDelivery(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return d
}

func await(t *testing.T, b *bench, id string, wanted func(score.Delivery) bool) (d score.Delivery) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var err error
		if d, err = b.store.Delivery(t.Context(), "g", id); err != nil {
			t.Fatal(err)
		}
		if wanted(d) {
			return d
		}
		if time.Now().After(end) {
			t.Fatalf("%+v", d)
		}
	}
}
