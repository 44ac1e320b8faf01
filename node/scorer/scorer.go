package scorer

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"edgeward"
	"edgeward/node/store"
	"edgeward/node/work"
	"edgeward/runtime/jobs"
	"edgeward/runtime/score"
	"edgeward/sync/blobs"
)

// Principal is who acts when nobody does.
const Principal = "system:scorer"

// Parts are what a Scorer joins. All but Webhooks, Drops and MQTT are needed.
type Parts struct {
	Store    *store.DB
	Work     *work.Work
	Jobs     *jobs.Queue
	Blobs    *blobs.Store
	Webhooks map[string]Webhook
	Hooks    *http.Client      // see NewHookClient
	Drops    map[string]string // name → folder
	MQTT     *MQTT             // nil: no broker
	Wake     func()            // the outbox has grown
	NewID    func() string
	Now      func() time.Time
	Log      *slog.Logger
}

// Scorer is safe for concurrent use. Make it with New; it works while Run runs.
type Scorer struct {
	Parts
	poke chan struct{}

	mu     sync.Mutex
	flying map[string]bool // deliveries under way
	counts map[key]*Count
	wg     sync.WaitGroup

	ears ears // of Run alone
}

// New returns a scorer that does nothing yet.
func New(p Parts) *Scorer {
	return &Scorer{Parts: p, poke: make(chan struct{}, 1), flying: map[string]bool{}, counts: map[key]*Count{}}
}

// Poke asks Run to look again: a scoring, a run or a delivery changed.
func (s *Scorer) Poke() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// lookAgain is how long Run sleeps at most, and sweepEvery how often it tidies up.
const (
	lookAgain  = time.Minute
	sweepEvery = time.Hour
)

// Run queues what is due and delivers until ctx ends.
func (s *Scorer) Run(ctx context.Context) error {
	defer s.wg.Wait()
	defer s.listen(ctx, nil)
	var swept time.Time
	for ctx.Err() == nil {
		now := s.Now()
		next, err := s.turn(ctx, now)
		if err == nil {
			var due time.Time
			due, err = s.dispatch(ctx, now)
			next = sooner(next, due)
		}
		if err == nil && now.Sub(swept) >= sweepEvery {
			swept, err = now, s.sweep(ctx, now)
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Error("scorings not looked at", "err", err)
		}
		wait := lookAgain
		if !next.IsZero() {
			wait = max(0, min(wait, next.Sub(now)))
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.poke:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return nil
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// turn queues a run of each scoring whose slot has come and says when the next one comes.
func (s *Scorer) turn(ctx context.Context, now time.Time) (next time.Time, err error) {
	all, err := s.Store.AllScorings(ctx)
	if err != nil {
		return next, err
	}
	s.listen(ctx, all)
	for _, x := range all {
		at := x.NextRun()
		if at.IsZero() {
			continue
		}
		if at.After(now) {
			next = sooner(next, at)
			continue
		}
		busy, err := s.Work.Running(ctx, x)
		if err != nil {
			return next, err
		}
		slot := x.Due(now, busy)
		if slot.IsZero() {
			continue // when the run has ended, Poke comes
		}
		switch _, err := s.Work.RunSlot(ctx, x, slot); {
		case err == nil:
			next = sooner(next, x.Took("", now).NextRun())
		case edgeward.KindOf(err) == edgeward.Conflict: // no file yet, or a run began meanwhile
			s.Log.Debug("a scheduled scoring cannot run", "scoring", x.Name, "err", err)
		default:
			return next, err
		}
	}
	return next, nil
}

func (s *Scorer) sweep(ctx context.Context, now time.Time) error {
	if err := s.Work.SweepRuns(ctx); err != nil {
		return err
	}
	for {
		n, err := s.Store.SweepDeliveries(ctx, now, 500)
		if err != nil || n < 500 {
			return err
		}
	}
}

// maxFlying bounds the deliveries under way.
const maxFlying = 8

// dispatch begins the deliveries that are due and says when the next one is. One that is under way is left alone.
func (s *Scorer) dispatch(ctx context.Context, now time.Time) (next time.Time, err error) {
	due, err := s.Store.DueDeliveries(ctx, now.Add(lookAgain), 100)
	if err != nil {
		return next, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range due {
		switch {
		case s.flying[d.ID] || len(s.flying) >= maxFlying: // its end pokes
		case d.Next.After(now):
			next = sooner(next, d.Next)
		default:
			s.flying[d.ID] = true
			s.wg.Go(func() {
				s.attempt(ctx, d)
				s.mu.Lock()
				delete(s.flying, d.ID)
				s.mu.Unlock()
				s.Poke()
			})
		}
	}
	return next, nil
}

// attempt makes one attempt of a delivery and notes it.
func (s *Scorer) attempt(ctx context.Context, d score.Delivery) {
	begin := s.Now()
	a := score.Attempt{At: begin}
	out, wrong := s.send(ctx, d, &a)
	if ctx.Err() != nil {
		return // the server stops: it will be made again
	}
	a.TookMS = s.Now().Sub(begin).Milliseconds()
	if wrong != nil {
		s.Log.Warn("a result was not delivered", "scoring", d.Scoring, "sink", d.Sink.String(), "delivery", d.ID, "err", wrong)
	}
	tried, err := s.Store.ChangeDelivery(ctx, d.Group, d.ID, Principal, s.Now(), func(d *score.Delivery) error {
		*d = d.Tried(a, wrong)
		return nil
	}, out...)
	if err == nil {
		s.count(tried, wrong != nil)
	}
	if len(out) > 0 {
		s.Wake()
	}
	if err != nil && ctx.Err() == nil && edgeward.KindOf(err) != edgeward.NotFound { // removed meanwhile
		s.Log.Error("an attempt to deliver was not kept", "delivery", d.ID, "err", err)
	}
}

// send delivers to the sink. What it returns goes to the outbox when the attempt is noted.
func (s *Scorer) send(ctx context.Context, d score.Delivery, a *score.Attempt) ([]store.Outgoing, error) {
	switch d.Sink.Kind {
	case score.ToDrop:
		return nil, s.drop(ctx, d)
	case score.ToWebhook:
		return nil, s.post(ctx, d, a)
	case score.ToDataSet:
		return nil, s.importResult(ctx, d)
	case score.ToMQTT:
		return s.lines(ctx, d)
	}
	return nil, edgeward.E("scorer.send", edgeward.Invalid, "score.sinks", "there is no sink %.40q", d.Sink.Kind)
}
