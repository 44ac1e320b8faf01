package disktest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Cut says when and how the power of a process goes.
type Cut struct {
	Dir      string // the disk; a folder that nobody else changes
	At       int    // at its so manyth change, counted from 1; 0: never
	How      How
	Seed     uint64        // for Scattered
	Patience time.Duration // with Full: how long the process may go on
}

// Outcome is what became of the process.
type Outcome struct {
	Changes int  // that it made or was about to make
	Cut     bool // it was cut; else it ended by itself
	Code    int  // its exit code, if it ended by itself
	Output  string
}

// Run runs a command, cuts its power and leaves in c.Dir what a disk would hold then.
func Run(t testing.TB, cmd *exec.Cmd, c Cut) Outcome {
	t.Helper()
	runtime.LockOSThread() // who traces is a thread
	defer runtime.UnlockOSThread()
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, environ+"=1")
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	x := &tracer{Cut: c, pid: cmd.Process.Pid, journal: journal{dir: c.Dir, rnd: rand.New(rand.NewPCG(c.Seed, 1))}}
	defer x.close()
	err = x.follow()
	_ = cmd.Process.Release() // it was waited for
	if err != nil {
		t.Fatalf("%s at change %d: %v", c.How, x.Changes, err)
	}
	if x.Outcome.Cut && (c.How == Lost || c.How == Scattered) {
		if err := x.undo(c.How == Scattered); err != nil {
			t.Fatalf("%s at change %d: %v", c.How, x.Changes, err)
		}
	}
	b, _ := os.ReadFile(out.Name())
	x.Output = string(b)
	return x.Outcome
}

// tracer follows one process.
type tracer struct {
	Cut
	Outcome
	journal
	pid    int
	killed bool
	late   *time.Timer
}

func (x *tracer) follow() error {
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(x.pid, &status, 0, nil); err != nil { // it stands at its first instruction
		return err
	}
	if err := syscall.PtraceSetOptions(x.pid, unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_TRACESECCOMP|unix.PTRACE_O_EXITKILL); err != nil {
		return err
	}
	if err := syscall.PtraceCont(x.pid, 0); err != nil {
		return err
	}
	for {
		tid, err := syscall.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if status.Exited() || status.Signaled() {
			if tid == x.pid {
				if x.late != nil {
					x.late.Stop()
				}
				x.Outcome.Cut, x.Code = status.Signaled(), status.ExitStatus()
				return nil
			}
			continue
		}
		signal := 0
		switch stop := status.StopSignal(); {
		case stop == syscall.SIGTRAP && status.TrapCause() == unix.PTRACE_EVENT_SECCOMP:
			if err := x.call(tid); err != nil && syscall.Kill(x.pid, 0) == nil && !x.dying() {
				return err
			}
		case stop == syscall.SIGTRAP, stop == syscall.SIGSTOP: // a thread begins
		default:
			signal = int(stop)
		}
		if err := syscall.PtraceCont(tid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
}

// dying reports whether the process is being killed, by whom ever: what is asked of it then may fail.
func (x *tracer) dying() bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", x.pid))
	_, after, ok := bytes.Cut(b, []byte(") "))
	return err != nil || !ok || x.late != nil && !x.late.Stop() || bytes.ContainsAny(after[:1], "ZX")
}

func (x *tracer) kill() {
	x.killed = true
	_ = syscall.Kill(x.pid, syscall.SIGKILL)
}

// call is a change that a thread is about to make.
func (x *tracer) call(tid int) error {
	if x.killed {
		return nil
	}
	var r syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(tid, &r); err != nil {
		return err
	}
	ch, err := x.look(tid, &r)
	if err != nil || ch == nil {
		return err
	}
	x.Changes++
	if x.At == 0 || x.Changes < x.At {
		return ch.note()
	}
	switch {
	case x.How == Full:
		if x.Changes == x.At {
			x.late = time.AfterFunc(x.Patience, func() { _ = syscall.Kill(x.pid, syscall.SIGKILL) })
		}
		if ch.grows { // the call is skipped, and answers that there is no room
			r.Orig_rax, r.Rax = ^uint64(0), ^uint64(syscall.ENOSPC)+1
			return syscall.PtraceSetRegs(tid, &r)
		}
		return ch.note()
	case x.How == Torn && ch.write != nil:
		half := ch.write.new[:len(ch.write.new)/2]
		if _, err := ch.write.file.WriteAt(half, ch.write.at); err != nil {
			return err
		}
	}
	x.kill()
	return nil
}

// memory reads what the process has at an address.
func (x *tracer) memory(at uint64, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := unix.ProcessVMReadv(x.pid, []unix.Iovec{{Base: &b[0], Len: uint64(n)}}, []unix.RemoteIovec{{Base: uintptr(at), Len: n}}, 0)
	if err == nil && got != n {
		err = fmt.Errorf("%d of %d bytes of the process", got, n)
	}
	return b, err
}

// text reads a path.
func (x *tracer) text(at uint64) (string, error) {
	var out []byte
	for len(out) < 4096 {
		b, err := x.memory(at+uint64(len(out)), int(4096-(at+uint64(len(out)))%4096)) // not over the end of a page
		if err != nil {
			return "", err
		}
		if i := bytes.IndexByte(b, 0); i >= 0 {
			return string(append(out, b[:i]...)), nil
		}
		out = append(out, b...)
	}
	return "", errors.New("a path without end")
}
