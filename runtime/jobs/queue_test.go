package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/runtime/jobs"
)

// memory is a jobs.Store in memory: what a crash leaves behind is what it holds.
type memory struct {
	mu  sync.Mutex
	all []jobs.Job
}

func (m *memory) find(id string) int {
	return slices.IndexFunc(m.all, func(j jobs.Job) bool { return j.ID == id })
}

func (m *memory) QueueJob(_ context.Context, j jobs.Job) (jobs.Job, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.IndexFunc(m.all, func(o jobs.Job) bool { return j.Key != "" && o.Key == j.Key && o.Group == j.Group }); i >= 0 {
		return m.all[i], false, nil
	}
	m.all = append(m.all, j)
	return j, true, nil
}

func (m *memory) Job(_ context.Context, _, id string) (jobs.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.find(id); i >= 0 {
		return m.all[i], nil
	}
	return jobs.Job{}, edgeward.E("memory", edgeward.NotFound, "job.not_found", "no job %s", id)
}

func (m *memory) UpdateJob(_ context.Context, _, id string, change func(*jobs.Job) error) (jobs.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.all[m.find(id)]
	if err := change(&j); err != nil {
		return jobs.Job{}, err
	}
	m.all[m.find(id)] = j
	return j, nil
}

func (m *memory) OpenJobs(context.Context) ([]jobs.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.all), func(j jobs.Job) bool { return j.State.Ended() }), nil
}

func job(id string, kind jobs.Kind) jobs.Job {
	return jobs.Job{Group: "g", ID: id, Kind: kind, Title: id, By: "user:alice", Spec: json.RawMessage(`{}`)}
}

// start runs a queue inside the bubble and returns it with a function that stops it.
func start(t *testing.T, m *memory, handlers map[jobs.Kind]jobs.Handler) (*jobs.Queue, func()) {
	t.Helper()
	q := jobs.NewQueue(m, handlers, 1, time.Now, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	return q, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestAJobRunsOnceAndKeepsItsResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, runs := &memory{}, 0
		q, stop := start(t, m, map[jobs.Kind]jobs.Handler{jobs.Train: {Work: func(_ context.Context, _ jobs.Job, r jobs.Reporter) (any, error) {
			runs++
			r.Stage("fitting", 0.5)
			r.Log("round %d", 7)
			return map[string]int{"version": 2}, nil
		}}})
		defer stop()
		first := job("1", jobs.Train)
		first.Key = "train/a"
		again := job("2", jobs.Train)
		again.Key = "train/a"
		a, err := q.Add(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		b, err := q.Add(t.Context(), again)
		if err != nil || b.ID != a.ID {
			t.Fatalf("the same key gave job %s and job %s (%v)", a.ID, b.ID, err)
		}
		got, err := q.Wait(t.Context(), "g", a.ID)
		if err != nil || got.State != jobs.Succeeded || string(got.Result) != `{"version":2}` || got.Attempt != 1 || runs != 1 {
			t.Fatalf("got %+v, %v after %d runs", got, err, runs)
		}
		if l := q.Log(a.ID, 0, 10); len(l) != 1 || l[0].Text != "round 7" || l[0].N != 1 {
			t.Fatalf("log %+v", l)
		}
	})
}

func TestCancelEndsARunningJobAndRefusesAnEndedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		q, stop := start(t, m, map[jobs.Kind]jobs.Handler{jobs.Train: {Work: func(ctx context.Context, _ jobs.Job, _ jobs.Reporter) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}})
		defer stop()
		running, _ := q.Add(t.Context(), job("1", jobs.Train))
		waiting, _ := q.Add(t.Context(), job("2", jobs.Train))
		synctest.Wait()
		for _, j := range []jobs.Job{waiting, running} {
			if _, err := q.Cancel(t.Context(), "g", j.ID); err != nil {
				t.Fatal(err)
			}
			if got, _ := q.Wait(t.Context(), "g", j.ID); got.State != jobs.Cancelled {
				t.Errorf("job %s is %s", j.ID, got.State)
			}
		}
		if _, err := q.Cancel(t.Context(), "g", running.ID); edgeward.KindOf(err) != edgeward.Conflict {
			t.Errorf("cancelling an ended job: %v", err)
		}
	})
}

func TestAfterACrashResumableJobsRunAgainAndOthersAreLost(t *testing.T) {
	for _, c := range []struct {
		name      string
		resumable bool
		want      jobs.State
		attempt   int
	}{{"resumable", true, jobs.Succeeded, 2}, {"not resumable", false, jobs.Lost, 1}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &memory{}
				left := job("1", jobs.Import)
				left.State, left.Attempt = jobs.Running, 1
				m.all = append(m.all, left)
				q, stop := start(t, m, map[jobs.Kind]jobs.Handler{jobs.Import: {Resumable: c.resumable,
					Work: func(context.Context, jobs.Job, jobs.Reporter) (any, error) { return nil, nil }}})
				defer stop()
				got, err := q.Wait(t.Context(), "g", "1")
				if err != nil || got.State != c.want || got.Attempt != c.attempt {
					t.Fatalf("got %s, attempt %d, %v", got.State, got.Attempt, err)
				}
			})
		})
	}
}

func TestAFailureShowsItsCodeAndHidesInternalTexts(t *testing.T) {
	for _, c := range []struct {
		err        error
		code, text string
	}{
		{edgeward.E("x", edgeward.Invalid, "recipe.invalid", "no target"), "recipe.invalid", "no target"},
		{errors.New("secret path"), "", "an internal error; the server's log has it"},
	} {
		if f := jobs.FailureOf(c.err); f.Code != c.code || f.Message != c.text {
			t.Errorf("FailureOf(%v) = %+v", c.err, f)
		}
	}
}

func TestAJobThatTakesTooLongFailsAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		q := jobs.NewQueue(m, map[jobs.Kind]jobs.Handler{jobs.Train: {Work: func(ctx context.Context, _ jobs.Job, _ jobs.Reporter) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}}, 1, time.Now, slog.New(slog.DiscardHandler))
		q.Timeout = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- q.Run(ctx) }()
		j, _ := q.Add(t.Context(), job("1", jobs.Train))
		got, err := q.Wait(t.Context(), "g", j.ID)
		if err != nil || got.State != jobs.Failed || got.Error.Code != "job.timeout" || got.Ended.Sub(*got.Started) != time.Hour {
			t.Errorf("%+v, %v", got, err)
		}
		cancel()
		<-ended
	})
}
