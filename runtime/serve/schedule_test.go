package serve

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/runtime/tensor"
)

// slow is a session that answers each row by its own number and takes fixed plus perRow for each of them.
type slow struct {
	fixed, perRow time.Duration
	bad           float32 // a run with this value fails

	mu      sync.Mutex
	batches []int // rows of each run, in order
	stopped int   // runs whose ctx ended
}

func (s *slow) Run(ctx context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
	rows := int(in[0].Shape[0])
	s.mu.Lock()
	s.batches = append(s.batches, rows)
	s.mu.Unlock()
	select {
	case <-time.After(s.fixed + time.Duration(rows)*s.perRow):
	case <-ctx.Done():
		s.mu.Lock()
		s.stopped++
		s.mu.Unlock()
		return nil, edgeward.E("slow", edgeward.Unavailable, "engine.stopped", "stopped: %w", ctx.Err())
	}
	v, err := in[0].Float32s()
	if err != nil {
		return nil, err
	}
	if s.bad != 0 && slices.Contains(v, s.bad) {
		return nil, edgeward.E("slow", edgeward.Invalid, "engine.run", "%v is bad", s.bad)
	}
	words := make([]string, rows)
	for i, x := range v {
		words[i] = fmt.Sprint(x)
	}
	text, err := tensor.FromStrings("text", []int64{int64(rows)}, words)
	return []tensor.Tensor{{Name: "y", Datatype: tensor.FP32, Shape: []int64{int64(rows), 1}, Data: slices.Clone(in[0].Data)}, text}, err
}

func (*slow) About() About { return About{Engine: "test", Device: "cpu"} }
func (*slow) Close() error { return nil }

var oneColumn = tensor.Signature{
	Inputs:  []tensor.Spec{{Name: "x", Datatype: tensor.FP32, Shape: []int64{tensor.Any, 1}}},
	Outputs: []tensor.Spec{{Name: "y", Datatype: tensor.FP32, Shape: []int64{tensor.Any, 1}}, {Name: "text", Datatype: tensor.Bytes, Shape: []int64{tensor.Any}}},
}

func newQueue(sched *scheduler, s Session, batch int) *queue {
	q := &queue{scheduler: sched, session: s, sig: oneColumn, threads: 1, runs: &runs{}}
	q.batch.Store(int32(batch))
	return q
}

func column(values ...float32) []tensor.Tensor {
	t, err := tensor.FromFloat32s("x", []int64{int64(len(values)), 1}, values)
	if err != nil {
		panic(err)
	}
	return []tensor.Tensor{t}
}

// ask asks for values and holds the answer against them.
func ask(t *testing.T, q *queue, ctx context.Context, priority int, values ...float32) error {
	out, _, err := q.do(ctx, column(values...), priority, false, time.Minute)
	if err != nil {
		return err
	}
	got, _ := out[0].Float32s()
	text, _ := out[1].Strings()
	if !slices.Equal(got, values) || len(text) != len(values) || text[0] != fmt.Sprint(values[0]) || out[0].Shape[0] != int64(len(values)) {
		t.Errorf("asked %v, got %v and %v of shape %v", values, got, text, out[0].Shape)
	}
	return nil
}

// warm makes the queue learn what its session costs.
func warm(t *testing.T, q *queue) {
	for i := range 12 {
		if err := ask(t, q, t.Context(), 0, slices.Repeat([]float32{1}, 1+i%3)...); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatComesDuringARunIsAnsweredTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{fixed: time.Millisecond, perRow: 10 * time.Microsecond}
		q := newQueue(&scheduler{slots: 2}, s, MaxBatch)
		warm(t, q)
		s.batches = nil
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Microsecond)
				if err := ask(t, q, t.Context(), 0, float32(i), float32(100+i)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if !slices.Equal(s.batches, []int{2, 30}) {
			t.Errorf("runs of %v rows; the first request runs at once, the other fifteen together after it", s.batches)
		}
	})
}

func TestALongRunIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{fixed: time.Millisecond, perRow: 50 * time.Millisecond}
		q := newQueue(&scheduler{slots: 2}, s, MaxBatch)
		warm(t, q)
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 2 {
			wg.Go(func() {
				if err := ask(t, q, t.Context(), 0, float32(i)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(began); took > 60*time.Millisecond {
			t.Errorf("two requests and two slots took %v: the second waited for the first", took)
		}
	})
}

func TestOneClientNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{fixed: time.Millisecond}
		q := newQueue(&scheduler{slots: 1}, s, MaxBatch)
		began := time.Now()
		for range 50 {
			if err := ask(t, q, t.Context(), 0, 1); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 50*time.Millisecond {
			t.Errorf("fifty runs of a millisecond took %v", took)
		}
	})
}

func TestOtherShapesAndUnprovedModelsAreNotJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{fixed: time.Millisecond}
		q := newQueue(&scheduler{slots: 1}, s, 1)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				if err := ask(t, q, t.Context(), 0, float32(i)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(s.batches) != 4 || slices.Max(s.batches) != 1 {
			t.Errorf("runs of %v rows", s.batches)
		}
	})
}

func TestTheUrgentGoFirstAndThePatientGoAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{fixed: 100 * time.Millisecond}
		sched := &scheduler{slots: 1}
		q := newQueue(sched, s, 1)
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		put := func(n, priority int) {
			wg.Go(func() {
				if err := ask(t, q, t.Context(), priority, float32(n)); err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, n)
				mu.Unlock()
			})
			time.Sleep(time.Microsecond)
		}
		put(0, 0)
		put(1, Patient)
		put(2, Normal)
		put(3, Urgent)
		wg.Wait()
		if !slices.Equal(order, []int{0, 3, 2, 1}) {
			t.Errorf("answered in the order %v", order)
		}
		order = nil
		put(0, 0)
		put(1, Patient)
		for n := range 100 { // as many as can be answered, for ten seconds
			put(2+n, Urgent)
			time.Sleep(100 * time.Millisecond)
		}
		wg.Wait()
		if at := slices.Index(order, 1); at < 30 || at > 50 {
			t.Errorf("the patient request was answered as number %d: it should let urgent ones pass for four seconds", at)
		}
	})
}

func TestAnswersThatWouldComeTooLateAreRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{fixed: 100 * time.Millisecond}
		q := newQueue(&scheduler{slots: 1}, s, 1)
		warm(t, q)
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				if err := ask(t, q, t.Context(), 0, float32(i)); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		began := time.Now()
		err := ask(t, q, ctx, 0, 1)
		if edgeward.CodeOf(err) != "endpoint.overloaded" || edgeward.ParamsOf(err)["retry_after"] != "1" || time.Since(began) != 0 {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if err := ask(t, q, ctx, Urgent, 1); err != nil {
			t.Errorf("an urgent one passes the queue and is in time: %v", err)
		}
		wg.Wait()
	})
}

func TestCancelledRequestsLeaveTheQueueAndStopTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{fixed: time.Second}
		q := newQueue(&scheduler{slots: 1}, s, MaxBatch)
		cancelled := func(after time.Duration, v float32, wg *sync.WaitGroup) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(after, cancel)
			wg.Go(func() {
				if err := ask(t, q, ctx, 0, v); edgeward.KindOf(err) != edgeward.Unavailable {
					t.Errorf("cancelled after %v: %v", after, err)
				}
			})
			time.Sleep(time.Microsecond)
		}
		var wg sync.WaitGroup
		cancelled(100*time.Millisecond, 1, &wg) // runs alone: its engine is stopped
		cancelled(50*time.Millisecond, 2, &wg)  // waits: it leaves
		wg.Wait()
		if s.stopped != 1 || !slices.Equal(s.batches, []int{1}) {
			t.Errorf("%d runs stopped, runs of %v rows", s.stopped, s.batches)
		}
		began := time.Now()
		wg.Go(func() { // holds the slot
			if err := ask(t, q, t.Context(), 0, 3); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Microsecond)
		wg.Go(func() { // joined with the next two, which go
			if err := ask(t, q, t.Context(), 0, 6); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Microsecond)
		cancelled(1500*time.Millisecond, 4, &wg)
		cancelled(1500*time.Millisecond, 5, &wg)
		wg.Wait()
		if s.stopped != 1 || !slices.Equal(s.batches[1:], []int{1, 3}) || time.Since(began) < 2*time.Second {
			t.Errorf("%d runs stopped, runs of %v rows, %v", s.stopped, s.batches, time.Since(began))
		}
		wg.Go(func() {
			if err := ask(t, q, t.Context(), 0, 3); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Microsecond)
		for i := range 3 { // all of a joined run go: it is stopped
			cancelled(time.Duration(1500+i)*time.Millisecond, float32(i+1), &wg)
		}
		wg.Wait()
		if s.stopped != 2 {
			t.Errorf("%d runs stopped, though nobody waited for the joined one", s.stopped)
		}
	})
}

func TestABadRequestHarmsOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{fixed: time.Millisecond, bad: 13}
		q := newQueue(&scheduler{slots: 1}, s, MaxBatch)
		warm(t, q)
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				err := ask(t, q, t.Context(), 0, float32(i))
				if (err != nil) != (i == 13) || i == 13 && edgeward.CodeOf(err) != "engine.run" {
					t.Errorf("request %d: %v", i, err)
				}
			})
		}
		wg.Wait()
	})
}

func TestTheCostModelTellsItsPartsApart(t *testing.T) {
	var c cost
	for i := range 200 {
		rows := 1 + i%8
		c.observe(rows, 3*time.Millisecond+time.Duration(rows)*500*time.Microsecond)
	}
	fixed, perRow := c.fit()
	if d := fixed - 3*time.Millisecond; d.Abs() > 10*time.Microsecond {
		t.Errorf("fixed %v", fixed)
	}
	if d := perRow - 500*time.Microsecond; d.Abs() > 10*time.Microsecond {
		t.Errorf("per row %v", perRow)
	}
	var same cost
	for range 20 {
		same.observe(1, time.Millisecond)
	}
	if fixed, perRow := same.fit(); perRow != 0 || (fixed-time.Millisecond).Abs() > time.Microsecond {
		t.Errorf("from runs of one size: %v + %v a row", fixed, perRow)
	}
}

// TestARunOnSeveralThreadsTakesAsManySlots: the sum of the threads never passes the slots, and a stream of small requests
// does not keep one that needs all slots waiting for ever.
func TestARunOnSeveralThreadsTakesAsManySlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sched := &scheduler{slots: 4}
		var mu sync.Mutex
		threads, most := 0, 0
		wide, small := newQueue(sched, nil, 1), newQueue(sched, nil, 1)
		wide.threads = 4
		for _, q := range []*queue{wide, small} {
			q.session = session(func() func() {
				mu.Lock()
				defer mu.Unlock()
				threads += q.threads
				most = max(most, threads)
				return func() { mu.Lock(); threads -= q.threads; mu.Unlock() }
			})
		}
		var all sync.WaitGroup
		stop := time.Now().Add(time.Second)
		for i := range 6 { // more than there are slots, so that one is always waiting
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				for time.Now().Before(stop) {
					if _, _, err := small.do(t.Context(), column(1), 0, false, time.Minute); err != nil {
						t.Error(err)
					}
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		for range 3 {
			began := time.Now()
			if _, _, err := wide.do(t.Context(), column(1), 0, false, time.Minute); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > 100*time.Millisecond {
				t.Errorf("the wide one took %v beside small ones of 10 ms", took)
			}
		}
		all.Wait()
		if most != 4 || sched.slots != 4 {
			t.Errorf("%d threads at once, %d slots free at the end, want 4 and 4", most, sched.slots)
		}
	})
}

// session runs for 10 ms between the two functions.
type session func() func()

func (s session) Run(ctx context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
	defer s()()
	time.Sleep(10 * time.Millisecond)
	return in, nil
}
func (session) About() About { return About{} }
func (session) Close() error { return nil }
