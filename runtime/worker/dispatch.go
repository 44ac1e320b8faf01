package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"edgeward"
)

// marker is the environment variable that tells a process it was started by a Worker, beside its arguments.
const marker = "EDGEWARD_WORKER"

// controlFD is where the parent's exec puts the control socket; the pipes of the lanes follow it, perLane each.
const controlFD = 3

// hello is the parent's first frame, welcome the child's answer.
type hello struct {
	Protocol    int    `json:"protocol"`
	Build       string `json:"build"`
	Kind        string `json:"kind"`
	MaxFrame    int    `json:"max_frame"`
	Concurrency int    `json:"concurrency"`
	Env         Env    `json:"env"`
}
type welcome struct {
	Protocol int    `json:"protocol"`
	Build    string `json:"build"`
}

// Dispatch serves and exits when this process was started as a worker; otherwise it returns at once. It belongs on the
// first line of main, and of TestMain in packages whose tests start workers.
func Dispatch(kinds Kinds) {
	if len(os.Args) < 3 || os.Args[1] != "worker" || os.Getenv(marker) == "" {
		return
	}
	os.Unsetenv(marker)
	// Signals to the process group (Ctrl-C, a stopping service) are the parent's to judge; it closes the socket.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if err := serve(kinds); err != nil {
		fmt.Fprintf(os.Stderr, "edgeward worker: %v\n", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child is the serving end.
type child struct {
	*wire
	service Service

	ended atomic.Uint64 // calls

	mu    sync.Mutex
	calls map[uint64]context.CancelFunc
}

// inherited returns the file the parent left at fd. It blocks: who reads it keeps a thread, which the kernel wakes
// without our scheduler in between.
func inherited(fd int) *os.File {
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "worker")
}

// calls is the child's end of a lane.
type calls struct {
	*wire
	own *wire // to a caller who is alone
}

func (c *child) lane(i int) calls {
	fd := controlFD + 1 + perLane*i
	return calls{newWire(pipes{inherited(fd), inherited(fd + 1)}, c.max), &wire{conn: inherited(fd + 2), max: c.max}}
}

// to is where the answer to f goes.
func (l calls) to(f frame) *wire {
	if f.alone {
		return l.own
	}
	return l.wire
}

func (l calls) close() {
	l.conn.Close()
	l.own.conn.Close()
}

func serve(kinds Kinds) error {
	w := newWire(inherited(controlFD), 1<<20)
	f, err := w.read()
	if err != nil || f.kind != kindHello {
		return fmt.Errorf("no hello from the parent: %w", err)
	}
	service, h, err := greet(kinds, f.body)
	if err != nil {
		w.write(frame{kind: kindError, id: f.id}, encodeError(err)) // the parent sees the end in any case
		return err
	}
	b, err := json.Marshal(welcome{Protocol, Build()})
	if err != nil {
		return err
	}
	w.max = h.MaxFrame
	if err := w.write(frame{kind: kindReady, id: f.id}, b); err != nil {
		return err
	}
	c := &child{wire: w, service: service, calls: map[uint64]context.CancelFunc{}}
	c.run(h.Concurrency)
	return nil
}

// greet checks the hello, sets the limits and builds the service.
func greet(kinds Kinds, body []byte) (Service, hello, error) {
	const op = "worker.Dispatch"
	var h hello
	if err := json.Unmarshal(body, &h); err != nil {
		return Service{}, h, edgeward.E(op, edgeward.Unavailable, "worker.protocol", "the parent's hello cannot be read: %w", err)
	}
	if h.Protocol != Protocol || h.Build != Build() {
		return Service{}, h, edgeward.E(op, edgeward.Unavailable, "worker.build",
			"this worker is build %.12s with protocol %d, and its parent is build %.12s with protocol %d", Build(), Protocol, h.Build, h.Protocol).
			WithHint("restart the service, so that it and its workers run the same program")
	}
	build, ok := kinds[h.Kind]
	if !ok {
		return Service{}, h, edgeward.E(op, edgeward.Internal, "", "no worker is of kind %q", h.Kind)
	}
	if h.MaxFrame < 1 || h.Concurrency < 1 {
		return Service{}, h, edgeward.E(op, edgeward.Internal, "", "the parent's hello has no limits")
	}
	if err := limit(h.Env.MemoryLimit, h.Env.Reserves); err != nil {
		return Service{}, h, edgeward.E(op, edgeward.Unavailable, "worker.limit", "the memory limit cannot be set: %w", err)
	}
	if err := offline(); err != nil {
		return Service{}, h, edgeward.E(op, edgeward.Unavailable, "worker.offline", "the worker cannot be kept off the network: %w", err).
			WithHint("this kernel or container forbids seccomp filters; native code does not run without them")
	}
	s, err := build(h.Env)
	return s, h, err
}

// limit bounds the address space to what the bare process has now plus n bytes, asks the garbage collector to stay well
// below, and offers this process, not the server, to a system that runs out of memory. Where libraries reserve addresses that
// they never use, the bound is on memory that can be written and is nobody else's.
func limit(n uint64, reserves bool) error {
	size, _, err := memory(os.Getpid())
	if err != nil {
		return err
	}
	rl := syscall.Rlimit{Cur: size + n, Max: size + n}
	what := syscall.RLIMIT_AS
	if reserves {
		what = syscall.RLIMIT_DATA
	}
	if err := syscall.Setrlimit(what, &rl); err != nil {
		return err
	}
	debug.SetMemoryLimit(int64(min(n/4*3, 1<<62)))
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("500"), 0) // a wish: may be refused in a container
	return nil
}

// memory returns the address space and the resident bytes of a process.
func memory(pid int) (size, resident uint64, err error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0, 0, fmt.Errorf("statm of process %d has no sizes", pid)
	}
	page := uint64(os.Getpagesize())
	s, err1 := strconv.ParseUint(fields[0], 10, 64)
	r, err2 := strconv.ParseUint(fields[1], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, 0, fmt.Errorf("statm of process %d: %q", pid, b)
	}
	return s * page, r * page, nil
}

// run serves the lanes and takes cancellations until the parent has gone, then cancels all calls and lets the service
// clean up for a second.
func (c *child) run(lanes int) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	// A processor more than the lanes, whose threads sit in the kernel with theirs: while one is free, the runtime's monitor
	// takes none away from a waiting lane and sleeps itself.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), lanes+1))
	for i := range lanes {
		go c.serveLane(ctx, c.lane(i))
	}
	go c.rests(ctx)
	for {
		f, err := c.read()
		if err != nil {
			break
		}
		if f.kind != kindCancel { // a parent of the same build sends nothing else
			fmt.Fprintf(os.Stderr, "edgeward worker: frame of kind %d\n", f.kind)
			return
		}
		c.mu.Lock()
		if cancel := c.calls[f.id]; cancel != nil {
			cancel()
		}
		c.mu.Unlock()
	}
	stop()
	if c.service.Close == nil {
		return
	}
	done := make(chan struct{})
	go func() { defer close(done); c.service.Close() }()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
}

// serveLane answers the calls of one lane, one after the other, until the parent closes it.
func (c *child) serveLane(ctx context.Context, lane calls) {
	runtime.LockOSThread() // it waits in the kernel most of the time
	for {
		f, err := lane.read()
		if err != nil {
			return
		}
		out, err := c.call(ctx, lane, f)
		if err == nil && len(out) > lane.max {
			err = edgeward.E("worker", edgeward.TooLarge, "worker.answer_too_large", "the answer has %d bytes, and at most %d fit", len(out), lane.max)
		}
		if err != nil {
			err = lane.to(f).write(frame{kind: kindError, id: f.id}, encodeError(err))
		} else {
			err = lane.to(f).write(frame{kind: kindResult, id: f.id}, out)
		}
		if err != nil { // the parent sees the end of the lane and ends the process
			lane.close()
			return
		}
		if method, _, err := splitCall(f.body); err == nil && c.service.Borrows[method] {
			lane.reuse(f.body)
		}
	}
}

// call runs the handler that a frame names.
func (c *child) call(parent context.Context, lane calls, f frame) ([]byte, error) {
	method, body, err := splitCall(f.body)
	if err != nil {
		return nil, err
	}
	h := c.service.Methods[method]
	if f.kind != kindCall || h == nil {
		return nil, edgeward.E("worker", edgeward.Internal, "", "no method %q", method)
	}
	ctx, cancel := within(parent, f.left)
	defer cancel()
	c.mu.Lock()
	c.calls[f.id] = cancel
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.calls, f.id)
		c.mu.Unlock()
		c.ended.Add(1)
	}()
	out, err := h(ctx, body, func(p []byte) {
		if len(p) <= lane.max && lane.to(f).write(frame{kind: kindProgress, id: f.id}, p) != nil {
			lane.close()
		}
	})
	if err != nil && ctx.Err() != nil {
		err = ended(ctx) // this end's timer may fire before the parent's
	}
	return out, err
}

// within is parent's context until the time that is left has passed; 0 is no bound.
func within(parent context.Context, left time.Duration) (context.Context, context.CancelFunc) {
	if left > 0 {
		return context.WithTimeout(parent, left)
	}
	return context.WithCancel(parent)
}
