package systemtest

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
)

// TestTwentyKillsOfTheInferWorker asks without pause while the worker that answers is killed again and again: every
// error is one that may be retried, and retried it succeeds.
func TestTwentyKillsOfTheInferWorker(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	ctx := within(t, 2*time.Minute)
	row := trainedTable(t, s, "plots")
	asking, stop := context.WithCancel(ctx)
	var asked, refused atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for asking.Err() == nil {
				_, err := s.Predict(asking, "plots", client.PredictRequest{Rows: []map[string]any{row}})
				asked.Add(1)
				if err == nil || asking.Err() != nil {
					continue
				}
				refused.Add(1)
				if k := edgeward.KindOf(err); k != edgeward.Unavailable && k != edgeward.Exhausted || edgeward.HintOf(err) == "" {
					t.Errorf("while its worker was killed a caller got %v (kind %v, hint %q)", err, k, edgeward.HintOf(err))
				}
			}
		})
	}
	for kills := 0; kills < 20; {
		pid := 0
		for _, w := range must[client.NodeStatus](t)(s.Node(ctx)).Workers {
			if w.Kind == "infer" {
				pid = w.PID
			}
		}
		if pid == 0 {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		kill9(pid)
		kills++
		before := asked.Load() - refused.Load()
		eventually(t, 20*time.Second, "an answer after the kill", func() bool { return asked.Load()-refused.Load() > before+3 })
	}
	stop()
	wg.Wait()
	t.Logf("%d asked, %d refused", asked.Load(), refused.Load())
	must[[]client.Prediction](t)(s.Predict(ctx, "plots", client.PredictRequest{Rows: []map[string]any{row}}))
	for _, w := range must[client.NodeStatus](t)(s.Node(ctx)).Workers {
		if w.Kind == "infer" && w.Deaths < 20 {
			t.Errorf("the status tells of %d deaths", w.Deaths)
		}
	}
}

// TestANodeLeavesNoGoroutine opens, uses and closes nodes: nothing of ours runs afterwards.
func TestANodeLeavesNoGoroutine(t *testing.T) {
	for range 2 {
		s := start(t, options{})
		imported(t, s.Client, "few", "few.csv", "a,b\n1,2\n3,4\n")
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
	}
	var left []string
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		buf := make([]byte, 4<<20)
		buf = buf[:runtime.Stack(buf, true)]
		left = left[:0]
		for _, g := range strings.Split(string(buf), "\n\n") {
			if ours(g) {
				left = append(left, g)
			}
		}
		if len(left) == 0 {
			return
		}
	}
	t.Errorf("%d goroutines are left:\n%s", len(left), strings.Join(left, "\n\n"))
}

// ours reports whether a goroutine runs the product's code, not a test's.
func ours(stack string) bool {
	return strings.Contains(stack, "edgeward/") && !strings.Contains(stack, "edgeward/node/systemtest.") || strings.Contains(stack, "mochi-mqtt") || strings.Contains(stack, "paho")
}
