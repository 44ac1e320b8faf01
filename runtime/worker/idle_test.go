package worker_test

import (
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/worker"
)

func TestAnIdleWorkerEndsAndTheNextCallStartsAnother(t *testing.T) {
	w := newWorker(t, func(o *worker.Options) { o.Idle = 20 * time.Millisecond })
	first, err := strconv.Atoi(call(t, w, "pid", ""))
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the process rests", func() bool { return w.Status().PID == 0 })
	until(t, "its process has gone", func() bool { return syscall.Kill(first, 0) == syscall.ESRCH })
	if second := call(t, w, "pid", ""); second == strconv.Itoa(first) {
		t.Error("the process that rested answered")
	}
	if s := w.Status(); s.Starts < 2 || s.Deaths != 0 || s.LastDeath != "" {
		t.Errorf("a rest is no death: %+v", s)
	}
}

func TestACallUnderWayIsNotIdle(t *testing.T) {
	w := newWorker(t, func(o *worker.Options) { o.Idle = time.Millisecond; o.Concurrency = 2 })
	ctx := within(t, 300*time.Millisecond) // 300 times the idle time
	_, err := w.Call(ctx, "wait", nil, nil)
	if edgeward.CodeOf(err) != "worker.timeout" { // of this end or, a moment earlier, of the other
		t.Fatalf("a call that was under way ended with %v", err)
	}
	if s := w.Status(); s.Starts != 1 {
		t.Errorf("status %+v, want one start", s)
	}
}

// TestNoCallIsLostToARest calls at the very moment the process is told to go, many times.
func TestNoCallIsLostToARest(t *testing.T) {
	const idle = time.Millisecond
	w := newWorker(t, func(o *worker.Options) { o.Idle = idle; o.Concurrency = 2 })
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 25 {
				if out, err := w.Call(within(t, long), "echo", []byte("x"), nil); err != nil || string(out) != "x" {
					t.Errorf("call %d of caller %d: %q, %v", j, i, out, err)
					return
				}
				time.Sleep(idle * time.Duration(1+(i+j)%3) / 2)
			}
		})
	}
	wg.Wait()
	if s := w.Status(); s.Deaths != 0 {
		t.Errorf("status %+v, want no deaths", s)
	} else {
		t.Logf("%d starts for 100 calls", s.Starts)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func until(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for end := time.Now().Add(long); !yes(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
