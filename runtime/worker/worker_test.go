package worker_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/worker"
)

const long = 30 * time.Second

func call(t testing.TB, w *worker.Worker, method, body string) string {
	t.Helper()
	out, err := w.Call(within(t, long), method, []byte(body), nil)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return string(out)
}

func TestCallAnswers(t *testing.T) {
	t.Setenv("SECRET", "hunter2")
	w := newWorker(t, func(o *worker.Options) { o.Env.Values = map[string]string{"k": "v"}; o.Env.Threads = 2 })
	if got := call(t, w, "echo", "hello"); got != "hello" {
		t.Errorf("echo answered %q", got)
	}
	if got := call(t, w, "echo", ""); got != "" {
		t.Errorf("an empty body came back as %q", got)
	}
	if got := call(t, w, "value", ""); got != "v" {
		t.Errorf("Env.Values arrived as %q", got)
	}
	if got := call(t, w, "env", ""); got != "passive 2 " {
		t.Errorf("environment %q: want sleeping threads, two of them, and no secret of the parent", got)
	}
	if s := w.Status(); s.PID == 0 || s.Starts != 1 || s.Deaths != 0 || s.RSS == 0 {
		t.Errorf("status %+v", s)
	}
}

func TestAWorkerHasNoNetwork(t *testing.T) {
	w := newWorker(t, nil)
	if got := call(t, w, "dial", ""); got != "true <nil>" {
		t.Errorf("an internet socket refused, and the error of a local one: %q", got)
	}
}

func TestErrorsCrossWithKindCodeAndHint(t *testing.T) {
	w := newWorker(t, nil)
	_, err := w.Call(within(t, long), "fail", nil, nil)
	wantError(t, err, edgeward.Conflict, "x.code")
	if edgeward.HintOf(err) != "try harder" || edgeward.ParamsOf(err)["a"] != "b" || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("lost on the way: %v, hint %q, parameters %v", err, edgeward.HintOf(err), edgeward.ParamsOf(err))
	}
	_, err = w.Call(within(t, long), "no such method", nil, nil)
	wantError(t, err, edgeward.Internal, "")
}

// TestDeathsAreAnswersAndTheWorkerComesBack is the promise of the package: whatever a handler does, the caller learns
// why and the next call works.
func TestDeathsAreAnswersAndTheWorkerComesBack(t *testing.T) {
	for _, c := range []struct {
		method string
		kind   edgeward.Kind
		code   string
		says   string
	}{
		{"panic", edgeward.Unavailable, "worker.died", "model is bad"},
		{"exit", edgeward.Unavailable, "worker.died", "I have had enough"},
		{"abort", edgeward.Unavailable, "worker.died", "terminate called"},
		{"allocate", edgeward.Exhausted, "worker.memory", ""},
		{"loop", edgeward.Unavailable, "worker.timeout", "deadline"},
	} {
		t.Run(c.method, func(t *testing.T) {
			w := newWorker(t, nil)
			first := call(t, w, "pid", "")
			ctx := within(t, long)
			if c.method == "loop" {
				ctx = within(t, 300*time.Millisecond)
			}
			_, err := w.Call(ctx, c.method, nil, nil)
			wantError(t, err, c.kind, c.code)
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v does not say %q", err, c.says)
			}
			if edgeward.HintOf(err) == "" {
				t.Error("no hint")
			}
			if second := call(t, w, "pid", ""); second == first {
				t.Error("the dead process answered")
			}
			if s := w.Status(); s.Starts != 2 || s.Deaths != 1 || s.LastDeath == "" || c.method != "loop" && len(s.LastLines) == 0 {
				t.Errorf("status after a death: %+v", s)
			}
		})
	}
}

func TestKillDuringACallEndsAllCallsInFlight(t *testing.T) {
	w := newWorker(t, func(o *worker.Options) { o.Concurrency = 4 })
	pid, _ := strconv.Atoi(call(t, w, "pid", ""))
	var running, ended sync.WaitGroup
	errs := make(chan error, 3)
	for range 3 {
		running.Add(1)
		ended.Go(func() {
			_, err := w.Call(within(t, long), "wait", nil, func([]byte) { running.Done() })
			errs <- err
		})
	}
	running.Wait()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	ended.Wait()
	for range 3 {
		wantError(t, <-errs, edgeward.Unavailable, "worker.died")
	}
	if got := call(t, w, "echo", "again"); got != "again" {
		t.Errorf("after the kill echo answered %q", got)
	}
}

func TestABorrowedBodyIsTheNextRequestsMemory(t *testing.T) {
	w := newWorker(t, nil)
	place := ""
	for i := range 20 {
		body := strings.Repeat(string(rune('a'+i)), 100_000-1000*i)
		at, sum, _ := strings.Cut(call(t, w, "borrow", body), " ")
		if sum != fmt.Sprintf("%x", sha256.Sum256([]byte(body))) {
			t.Fatalf("request %d arrived as another", i)
		}
		if i%3 > 0 && at != place {
			t.Errorf("request %d is at %s, the one before was at %s", i, at, place)
		}
		place = at
		if i%3 == 2 && call(t, w, "echo", body) != body { // it keeps the memory that it got
			t.Fatalf("echo %d answered something else", i)
		}
	}
}

func TestCancelStopsTheHandlerAndSparesTheProcess(t *testing.T) {
	w := newWorker(t, nil)
	pid := call(t, w, "pid", "")
	ctx, cancel := context.WithCancel(within(t, long))
	_, err := w.Call(ctx, "wait", nil, func([]byte) { cancel() })
	wantError(t, err, edgeward.Unavailable, "worker.canceled")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not context.Canceled", err)
	}
	_, err = w.Call(within(t, 100*time.Millisecond), "wait", nil, nil)
	wantError(t, err, edgeward.Unavailable, "worker.timeout")
	if got := call(t, w, "pid", ""); got != pid {
		t.Error("a cancelled call that stopped in time cost the process its life")
	}
}

func TestBounds(t *testing.T) {
	w := newWorker(t, func(o *worker.Options) { o.MaxFrame = 1 << 16; o.MaxInFlight = 1; o.Concurrency = 1 })
	_, err := w.Call(within(t, long), "echo", make([]byte, 1<<16), nil)
	wantError(t, err, edgeward.TooLarge, "worker.too_large")
	_, err = w.Call(within(t, long), "large", []byte("65537"), nil)
	wantError(t, err, edgeward.TooLarge, "worker.answer_too_large")
	if n := len(call(t, w, "large", "65536")); n != 65536 {
		t.Errorf("an answer that just fits came back with %d bytes", n)
	}
	ctx, cancel := context.WithCancel(within(t, long))
	_, err = w.Call(ctx, "wait", nil, func([]byte) {
		_, err := w.Call(ctx, "echo", nil, nil)
		wantError(t, err, edgeward.Exhausted, "worker.busy")
		cancel()
	})
	wantError(t, err, edgeward.Unavailable, "worker.canceled")
}

func TestProgressArrivesInOrderAndWhole(t *testing.T) {
	w := newWorker(t, nil)
	n := 0
	out, err := w.Call(within(t, long), "count", []byte("2000"), func(b []byte) {
		if string(b) != strconv.Itoa(n) {
			t.Errorf("message %d is %q", n, b)
		}
		n++
	})
	if err != nil || string(out) != "done" || n != 2000 {
		t.Errorf("%d messages, answer %q, %v", n, out, err)
	}
}

func TestAHundredCallsAtOnce(t *testing.T) {
	w := newWorker(t, func(o *worker.Options) { o.Concurrency = 8 })
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			body := bytes.Repeat([]byte{byte(i)}, i*1000)
			out, err := w.Call(within(t, long), "echo", body, nil)
			if err != nil || !bytes.Equal(out, body) {
				t.Errorf("call %d: %d bytes back, %v", i, len(out), err)
			}
		})
	}
	wg.Wait()
	if s := w.Status(); s.Starts != 1 || s.InFlight != 0 {
		t.Errorf("status %+v", s)
	}
}

func TestStartThatFailsSaysWhy(t *testing.T) {
	w := newWorker(t, func(o *worker.Options) { o.Kind = "broken" })
	_, err := w.Call(within(t, long), "echo", nil, nil)
	wantError(t, err, edgeward.Unavailable, "broken.code")
	if edgeward.HintOf(err) != "add it" {
		t.Errorf("hint %q", edgeward.HintOf(err))
	}
	w = newWorker(t, func(o *worker.Options) { o.Kind = "dies" })
	_, err = w.Call(within(t, long), "echo", nil, nil)
	wantError(t, err, edgeward.Unavailable, "worker.start")
	if !strings.Contains(err.Error(), "dead before the first breath") {
		t.Errorf("%v does not give the cause", err)
	}
	w = newWorker(t, func(o *worker.Options) { o.Program = "/bin/false" })
	_, err = w.Call(within(t, long), "echo", nil, nil)
	wantError(t, err, edgeward.Unavailable, "worker.start")
	w = newWorker(t, func(o *worker.Options) { o.Program = "/no/such/program" })
	_, err = w.Call(within(t, long), "echo", nil, nil)
	wantError(t, err, edgeward.Unavailable, "worker.start")
}

func TestDeathsInARowAreStartedSlower(t *testing.T) {
	w := newWorker(t, nil)
	var took [4]time.Duration
	for i := range took {
		began := time.Now()
		_, err := w.Call(within(t, long), "exit", nil, nil)
		took[i] = time.Since(began)
		wantError(t, err, edgeward.Unavailable, "worker.died")
	}
	if took[3] < 100*time.Millisecond {
		t.Errorf("the fourth start in a row took %v: no back-off (all: %v)", took[3], took)
	}
	_, err := w.Call(within(t, time.Millisecond), "echo", nil, nil)
	wantError(t, err, edgeward.Unavailable, "worker.timeout") // the wait honours ctx
	if got := call(t, w, "echo", "x"); got != "x" {
		t.Error(got)
	}
}

func TestTheChildEndsWithItsParent(t *testing.T) {
	for _, how := range []string{"idle", "busy"} {
		t.Run(how, func(t *testing.T) {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "WORKER_TEST_PARENT="+how)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				t.Fatalf("the parent said %q", line)
			}
			if !alive(pid) {
				t.Fatal("the child is not there")
			}
			cmd.Process.Kill()
			cmd.Wait()
			for began := time.Now(); alive(pid); time.Sleep(5 * time.Millisecond) {
				if time.Since(began) > 10*time.Second {
					t.Fatalf("process %d outlived its parent", pid)
				}
			}
		})
	}
}

// alive reports whether a process runs: not gone, and no zombie that its new parent has yet to collect.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(b, []byte(") "))
	return !bytes.HasPrefix(rest, []byte("Z"))
}

func TestCloseEndsProcessAndGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		w := worker.New(worker.Options{Kind: "test", Concurrency: 2})
		pid, _ := strconv.Atoi(call(t, w, "pid", ""))
		ended := make(chan error)
		_, err := w.Call(within(t, long), "wait", nil, func([]byte) {
			go func() { ended <- w.Close() }()
		})
		wantError(t, err, edgeward.Unavailable, "worker.closed")
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if alive(pid) {
			t.Error("the process is still there after Close")
		}
		_, err = w.Call(within(t, long), "echo", nil, nil)
		wantError(t, err, edgeward.Unavailable, "worker.closed")
		if err := w.Close(); err != nil {
			t.Error("second Close:", err)
		}
	}
	for began := time.Now(); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
		}
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	for _, size := range []int{128, 12 << 10, 150 << 10} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			w := newWorker(b, nil)
			body := make([]byte, size)
			call(b, w, "echo", "")
			ctx := context.Background()
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.Call(ctx, "echo", body, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		w := worker.New(worker.Options{Kind: "test"})
		if _, err := w.Call(context.Background(), "echo", nil, nil); err != nil {
			b.Fatal(err)
		}
		w.Close()
	}
}

// TestCallsLeaveNothingBehind: what a call with a deadline needed in the child is gone when it has answered.
func TestCallsLeaveNothingBehind(t *testing.T) {
	w := worker.New(worker.Options{Kind: "test"})
	defer w.Close()
	objects := func() int {
		n, err := strconv.Atoi(call(t, w, "objects", ""))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	many := func(n int) {
		for range n {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if _, err := w.Call(ctx, "echo", nil, nil); err != nil {
				t.Fatal(err)
			}
			cancel()
		}
	}
	many(500)
	before := objects()
	many(3000)
	if after := objects(); after > before+1000 {
		t.Errorf("%d objects before 3,000 calls, %d after", before, after)
	}
}
