package worker_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/worker"
)

func TestMain(m *testing.M) {
	worker.Dispatch(worker.Kinds{"test": testService, "broken": func(worker.Env) (worker.Service, error) {
		return worker.Service{}, edgeward.E("broken", edgeward.Unavailable, "broken.code", "no library here").WithHint("add it")
	}, "dies": func(worker.Env) (worker.Service, error) { panic("dead before the first breath") }})
	if os.Getenv("WORKER_TEST_PARENT") != "" {
		parentThatWaits()
	}
	os.Exit(m.Run())
}

var sink [][]byte

// testService does by name what worker processes do by accident.
func testService(env worker.Env) (worker.Service, error) {
	return worker.Service{Borrows: map[string]bool{"borrow": true}, Methods: map[string]worker.Handler{
		"borrow": func(_ context.Context, body []byte, _ func([]byte)) ([]byte, error) {
			return fmt.Appendf(nil, "%p %x", body, sha256.Sum256(body)), nil
		},
		"echo": func(_ context.Context, body []byte, _ func([]byte)) ([]byte, error) { return body, nil },
		"dial": func(context.Context, []byte, func([]byte)) ([]byte, error) {
			c, err := net.Dial("tcp", "127.0.0.1:9")
			if err == nil {
				c.Close()
			}
			u, uerr := net.Listen("unix", "")
			if uerr == nil {
				u.Close()
			}
			return fmt.Appendf(nil, "%v %v", errors.Is(err, syscall.EACCES), uerr), nil
		},
		"pid": func(context.Context, []byte, func([]byte)) ([]byte, error) {
			return strconv.AppendInt(nil, int64(os.Getpid()), 10), nil
		},
		"env": func(context.Context, []byte, func([]byte)) ([]byte, error) {
			return fmt.Appendf(nil, "%s %s %s", os.Getenv("OMP_WAIT_POLICY"), os.Getenv("OMP_NUM_THREADS"), os.Getenv("SECRET")), nil
		},
		"objects": func(context.Context, []byte, func([]byte)) ([]byte, error) {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return strconv.AppendUint(nil, m.HeapObjects, 10), nil
		},
		"value": func(context.Context, []byte, func([]byte)) ([]byte, error) { return []byte(env.Values["k"]), nil },
		"fail": func(context.Context, []byte, func([]byte)) ([]byte, error) {
			return nil, edgeward.E("x", edgeward.Conflict, "x.code", "no such luck").With("a", "b").WithHint("try harder")
		},
		"panic": func(context.Context, []byte, func([]byte)) ([]byte, error) { panic("model is bad") },
		"exit": func(context.Context, []byte, func([]byte)) ([]byte, error) {
			fmt.Fprintln(os.Stderr, "I have had enough")
			os.Exit(3)
			return nil, nil
		},
		"abort": func(context.Context, []byte, func([]byte)) ([]byte, error) {
			fmt.Fprintln(os.Stderr, "terminate called after throwing an instance of 'std::runtime_error'")
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		},
		"loop": func(_ context.Context, _ []byte, progress func([]byte)) ([]byte, error) {
			progress(nil)
			for {
				if len(sink) > 1 {
					sink = nil
				}
			}
		},
		"wait": func(ctx context.Context, _ []byte, progress func([]byte)) ([]byte, error) {
			progress([]byte("waiting"))
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"allocate": func(context.Context, []byte, func([]byte)) ([]byte, error) {
			for range 12 {
				sink = append(sink, make([]byte, 1<<30))
			}
			return nil, nil
		},
		"large": func(_ context.Context, body []byte, _ func([]byte)) ([]byte, error) {
			n, err := strconv.Atoi(string(body))
			return make([]byte, n), err
		},
		"count": func(_ context.Context, body []byte, progress func([]byte)) ([]byte, error) {
			n, err := strconv.Atoi(string(body))
			for i := range n {
				progress(strconv.AppendInt(nil, int64(i), 10))
			}
			return []byte("done"), err
		},
	}}, nil
}

// parentThatWaits is a server that starts a worker, says both ids and then does nothing until it is killed.
func parentThatWaits() {
	w := worker.New(worker.Options{Kind: "test", Concurrency: 2})
	pid, err := w.Call(context.Background(), "pid", nil, nil)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	if os.Getenv("WORKER_TEST_PARENT") == "busy" {
		_, err = w.Call(context.Background(), "loop", nil, func([]byte) { fmt.Println(string(pid)) })
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println(string(pid))
	select {}
}

func newWorker(t testing.TB, change func(*worker.Options)) *worker.Worker {
	t.Helper()
	o := worker.Options{Kind: "test", Concurrency: 2, Grace: 300 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	w := worker.New(o)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// wantError checks kind and code of err.
func wantError(t testing.TB, err error, kind edgeward.Kind, code string) {
	t.Helper()
	if edgeward.KindOf(err) != kind || edgeward.CodeOf(err) != code {
		t.Fatalf("error %v is %v %q, want %v %q", err, edgeward.KindOf(err), edgeward.CodeOf(err), kind, code)
	}
	if _, ok := errors.AsType[*edgeward.Error](err); !ok {
		t.Fatalf("error %v is no *edgeward.Error", err)
	}
}
