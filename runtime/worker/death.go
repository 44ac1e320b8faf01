package worker

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"edgeward"
)

// Death stands in the chain of every error that tells of a process's end: of worker.died, worker.memory and worker.closed,
// and of worker.timeout and worker.canceled where the process was killed because that call did not stop.
type Death struct {
	Process string // "infer#4711": the same for all calls that the same death ended
	Suspect bool   // this call may be what ended it; others only shared the process
	err     error
}

func (d *Death) Error() string { return d.err.Error() }

// Unwrap returns what happened.
func (d *Death) Unwrap() error { return d.err }

// Killed names the process if this call may have killed it, else "".
func (d *Death) Killed() string {
	if d.Suspect {
		return d.Process
	}
	return ""
}

// name is what p is called in a Death.
func (p *process) name() string { return p.called + "#" + strconv.Itoa(p.pid) }

// suspected is what a call gets that was under way in the process when it died: the reason, and that it may be the cause.
// That cannot be where we ended the process for another call, or where somebody outside killed it.
func (p *process) suspected() error {
	reason, ok := errors.AsType[*edgeward.Error](p.reason)
	d, dead := errors.AsType[*Death](p.reason)
	if !ok || !dead || p.killed != "" || p.outside {
		return p.reason
	}
	e := *reason
	e.Err = &Death{d.Process, true, d.err}
	return &e
}

// guilty is what the call gets because of which the process was killed.
func (p *process) guilty(err error) error {
	reason, ok := errors.AsType[*edgeward.Error](err)
	if !ok {
		return err
	}
	e := *reason
	e.Err = &Death{p.name(), true, reason.Err}
	return &e
}

// fromOutside reports whether a process that we did not kill was killed by somebody else than the system out of memory.
func fromOutside(waitErr error, killsBefore uint64) bool {
	ee, ok := errors.AsType[*exec.ExitError](waitErr)
	if !ok {
		return false
	}
	ws, ok := ee.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL && memoryKills() == killsBefore
}

// memoryKills counts the processes that the system has killed for want of memory; 0 where it does not tell.
func memoryKills() uint64 {
	f, err := os.Open("/proc/vmstat")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "oom_kill "); ok {
			n, _ := strconv.ParseUint(v, 10, 64) // 0 where it is no number
			return n
		}
	}
	return 0
}
