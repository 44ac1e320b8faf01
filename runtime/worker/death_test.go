package worker_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/worker"
)

// TestWhoIsSuspectedOfADeath: of the calls that a death ended, those are suspects that ran and may have caused it.
func TestWhoIsSuspectedOfADeath(t *testing.T) {
	for _, c := range []struct {
		name         string
		method       string        // what the first call does, while a second one waits in its handler
		limit        time.Duration // of the first call
		outside      bool          // the process is killed by the test
		first, other bool          // suspected
	}{
		{"a crash has all that ran for suspects", "panic", 0, false, true, true},
		{"an end without a word too", "exit", 0, false, true, true},
		{"a call that does not stop is the only one", "loop", 100 * time.Millisecond, false, true, false},
		{"a kill from outside has none", "wait", 0, true, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := worker.New(worker.Options{Kind: "test", Concurrency: 2, Grace: 100 * time.Millisecond})
			defer w.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			running, result := make(chan bool, 1), make(chan error, 1)
			other := make(chan error, 1)
			go func() {
				_, err := w.Call(ctx, "wait", nil, func([]byte) { running <- true })
				other <- err
			}()
			<-running
			first, stop := context.WithCancel(ctx)
			if c.limit > 0 {
				first, stop = context.WithTimeout(ctx, c.limit)
			}
			defer stop()
			go func() {
				_, err := w.Call(first, c.method, nil, func([]byte) { running <- true })
				result <- err
			}()
			if c.outside {
				<-running
				if err := syscall.Kill(w.Status().PID, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			names := map[string]bool{}
			for i, ch := range []chan error{result, other} {
				err := <-ch
				d, ok := errors.AsType[*worker.Death](err)
				if !ok || edgeward.KindOf(err) != edgeward.Unavailable {
					t.Fatalf("call %d: %v has no death in its chain", i, err)
				}
				if want := []bool{c.first, c.other}[i]; d.Suspect != want || (d.Killed() != "") != want {
					t.Errorf("call %d suspected %t, want %t: %v", i, d.Suspect, want, err)
				}
				names[d.Process] = true
			}
			if len(names) != 1 {
				t.Errorf("one death has the names %v", names)
			}
		})
	}
}
