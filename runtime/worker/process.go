package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"edgeward"
)

// process is one life of a worker: from its start to its death.
type process struct {
	*wire
	called string // the Worker's name
	pid    int
	lines  *tail
	reaped chan struct{} // closed when the process has ended, its last frames are read and reason is set
	done   chan struct{} // closed after that, when the Worker has noted the death; calls wait for this one

	lanes  []*lane
	nextID atomic.Uint64

	mu      sync.Mutex
	free    []*lane      // used last is used next: its thread is warm
	waiting []chan *lane // calls that found no free lane, first come first served
	gave    time.Time    // when the last call ended
	took    time.Duration
	killed  string // why we killed it, if we did
	proc    *os.Process
	reason  error // set before done closes
	outside bool  // somebody else killed it; set with reason
}

// environment returns what the child may know: where to find its way, nothing secret, and threads that sleep when they
// have no work.
func environment(threads int) []string {
	n := strconv.Itoa(max(threads, 1))
	// ONNX Runtime's wheel reports its use to its maker unless it is told not to; offline would stop it anyway.
	env := []string{marker + "=1", "ORT_DISABLE_TELEMETRY=1", "OMP_WAIT_POLICY=passive", "OMP_NUM_THREADS=" + n, "MALLOC_ARENA_MAX=2", "GOTRACEBACK=single",
		"CUDA_DEVICE_ORDER=PCI_BUS_ID"} // GPUs have the numbers of runtime/device
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if slices.Contains([]string{"PATH", "HOME", "LANG", "TZ", "TMPDIR", "GOCOVERDIR", "GORACE"}, name) {
			env = append(env, e)
		}
	}
	return env
}

// launch starts a process and shakes hands with it.
func launch(ctx context.Context, o Options, log *slog.Logger) (*process, error) {
	const op = "worker.start"
	p := &process{called: o.Name, lines: &tail{log: log}, reaped: make(chan struct{}), done: make(chan struct{})}
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
	}()
	conn, file, err := socketPair()
	if err != nil {
		return nil, edgeward.E(op, edgeward.Unavailable, "worker.start", "no socket pair: %w", err)
	}
	p.wire, theirs = newWire(conn, o.MaxFrame), append(theirs, file)
	for range o.Concurrency {
		l, files, err := newLane(o.MaxFrame)
		if err != nil {
			p.closeSockets()
			return nil, edgeward.E(op, edgeward.Unavailable, "worker.start", "no pipes: %w", err)
		}
		p.lanes, theirs = append(p.lanes, l), append(theirs, files...)
	}
	p.free = slices.Clone(p.lanes)
	cmd := exec.Command(o.Program, "worker", o.Kind)
	cmd.Env = environment(o.Env.Threads)
	cmd.Stdout, cmd.Stderr = p.lines, p.lines
	cmd.ExtraFiles = theirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second // should a grandchild hold stderr

	started := make(chan error)
	go p.reap(cmd, started)
	if err := <-started; err != nil {
		p.closeSockets()
		return nil, edgeward.E(op, edgeward.Unavailable, "worker.start", "%w", err)
	}
	err = p.greet(ctx, o)
	if err == nil {
		return p, nil
	}
	if errors.Is(err, errNotReady) && ctx.Err() == nil { // it is ending: let it say why
		select {
		case <-p.reaped:
		case <-time.After(o.Grace):
		}
	}
	p.kill("it did not start well")
	<-p.reaped
	if errors.Is(err, errNotReady) {
		cause := p.lines.cause()
		if cause == "" {
			cause = "it ended without a word, as a killed process does"
		}
		return nil, edgeward.E(op, edgeward.Unavailable, "worker.start", "%w: %s", err, cause).With("cause", cause).
			WithHint("its last words: %s", cause)
	}
	return nil, err
}

var errNotReady = errors.New("the worker was not ready in time or ended before")

// socketPair returns two connected ends: ours, and the child's as a file that blocks.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "parent"), os.NewFile(uintptr(fds[1]), "child")
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn, theirs, nil
}

func (p *process) closeSockets() {
	if p.wire != nil {
		p.conn.Close()
	}
	for _, l := range p.lanes {
		l.close()
	}
}

// reap starts the process, waits for its end and tells why. It keeps one OS thread from start to end, because Pdeathsig
// fires when the starting thread ends, not the program. The lanes stay open: what the process answered before it ended
// is still read, and after that the lane says that it has ended.
func (p *process) reap(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	p.pid, p.proc = cmd.Process.Pid, cmd.Process
	kills := memoryKills()
	started <- nil
	waitErr := cmd.Wait()
	p.lines.flush()
	p.conn.Close()
	p.mu.Lock()
	p.outside = p.killed == "" && fromOutside(waitErr, kills)
	p.reason = p.obituary(waitErr)
	for _, l := range p.free {
		l.close()
	}
	p.mu.Unlock()
	close(p.reaped)
}

// past is a deadline that ends waiting at once.
var past = time.Unix(1, 0)

// greet sends hello and waits for the answer.
func (p *process) greet(ctx context.Context, o Options) error {
	const op = "worker.start"
	stop := context.AfterFunc(ctx, func() { p.conn.SetDeadline(past) })
	defer stop()
	b, err := json.Marshal(hello{Protocol, o.build, o.Kind, o.MaxFrame, o.Concurrency, o.Env})
	if err != nil {
		return err
	}
	if err := p.write(frame{kind: kindHello}, b); err != nil {
		return fmt.Errorf("%w: %w", errNotReady, err)
	}
	f, err := p.read()
	if err != nil || !stop() {
		return fmt.Errorf("%w: %w", errNotReady, errors.Join(err, context.Cause(ctx)))
	}
	if f.kind == kindError {
		return decodeError(op, f.body)
	}
	var w welcome
	if err := json.Unmarshal(f.body, &w); err != nil || f.kind != kindReady || w.Protocol != Protocol || w.Build != o.build {
		return edgeward.E(op, edgeward.Unavailable, "worker.build", "the worker is another build than this program").
			WithHint("restart the service, so that it and its workers run the same program")
	}
	return nil
}

func (p *process) kill(why string) {
	p.mu.Lock()
	if p.killed == "" {
		p.killed = why
	}
	p.mu.Unlock()
	p.proc.Kill() // an error means that it has ended already
}

func (p *process) dead() bool {
	select {
	case <-p.reaped:
		return true
	default:
	}
	return p.why() != ""
}

// why is the reason we ended the process for, "" if we did not.
func (p *process) why() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killed
}

// hangUp tells the child that nobody listens any more, and why.
func (p *process) hangUp(why string) {
	p.mu.Lock()
	if p.killed == "" {
		p.killed = why
	}
	p.mu.Unlock()
	p.closeSockets()
}

// closing is the reason of a process that ends because its Worker was closed.
const closing = "the server closed it"

// obituary makes the error that calls in flight get. p.mu is held.
func (p *process) obituary(waitErr error) error {
	const op = "worker.Call"
	cause := p.lines.cause()
	how := "it ended"
	if ee, ok := errors.AsType[*exec.ExitError](waitErr); ok {
		how = ee.String() // "exit status 2", "signal: killed"
	}
	switch {
	case p.killed != "":
		cause = p.killed
		how = "killed by the server"
	case cause == "":
		cause = how
	}
	kind, code, hint := edgeward.Unavailable, "worker.died", "the worker is started again by the next request; its last words: "+cause
	if p.killed == "" && p.lines.outOfMemory() {
		kind, code, hint = edgeward.Exhausted, "worker.memory", "the worker needed more memory than it may have; use a smaller model or input, or raise the worker's memory limit"
	}
	if p.killed == closing {
		code, hint = "worker.closed", "the server is stopping"
	}
	death := &Death{Process: p.name(), err: fmt.Errorf("the worker process died (%s): %s", how, cause)}
	return edgeward.E(op, kind, code, "%w", death).WithHint("%s", hint).With("cause", cause)
}

// tail keeps the last lines a worker wrote and the one that says why it ended.
type tail struct {
	log *slog.Logger

	mu    sync.Mutex
	part  []byte
	lines []string
	why   string // the first line that looks like a cause
	oom   bool
}

const (
	tailLines = 20
	tailWidth = 500
)

var causes = []string{"panic:", "fatal error:", "terminate called", "what():", "edgeward worker:", "SIG", "runtime: out of memory", "Assertion"}
var memoryWords = []string{"out of memory", "cannot allocate memory", "bad_alloc", "failed to create new OS thread", "too many address space collisions"}

// Write takes any bytes and keeps whole lines.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for rest := b; len(rest) > 0; {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		if room := tailWidth - len(t.part); room > 0 {
			t.part = append(t.part, line[:min(room, len(line))]...)
		}
		if found {
			t.end()
		}
		rest = after
	}
	return len(b), nil
}

func (t *tail) end() {
	s := strings.TrimRight(string(t.part), "\r ")
	t.part = t.part[:0]
	if s == "" {
		return
	}
	t.log.Debug("worker says", "line", s)
	if len(t.lines) == tailLines {
		t.lines = slices.Delete(t.lines, 0, 1)
	}
	t.lines = append(t.lines, s)
	if t.why == "" && slices.ContainsFunc(causes, func(c string) bool { return strings.HasPrefix(s, c) }) {
		t.why = s
	}
	t.oom = t.oom || slices.ContainsFunc(memoryWords, func(w string) bool { return strings.Contains(s, w) })
}

func (t *tail) flush() { t.mu.Lock(); t.end(); t.mu.Unlock() }

func (t *tail) last() []string { t.mu.Lock(); defer t.mu.Unlock(); return slices.Clone(t.lines) }

func (t *tail) outOfMemory() bool { t.mu.Lock(); defer t.mu.Unlock(); return t.oom }

// cause returns the line that best says why the process ended, or "".
func (t *tail) cause() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.why == "" && len(t.lines) > 0 {
		return t.lines[len(t.lines)-1]
	}
	return t.why
}
