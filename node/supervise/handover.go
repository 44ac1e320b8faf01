package supervise

import (
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"edgeward/sync/slot"
)

// handedOver tells a supervisor what another one, whose place it took by exec, had in hand.
const handedOver = "EDGEWARD_SUPERVISE"

// handover is what handedOver holds.
type handover struct {
	PID       int          `json:"pid"` // of the server
	Control   int          `json:"control"`
	Sockets   []socket     `json:"sockets,omitempty"`
	Choice    slot.Choice  `json:"choice"`
	Installed slot.Program `json:"installed"`
	Path      string       `json:"path"` // of the installed program
}

// HandedOver returns what a supervisor must know of the installed program where it runs from a slot; false elsewhere.
func HandedOver() (installed slot.Program, path string, ok bool) {
	h, ok := readHandover()
	return h.Installed, h.Path, ok
}

func readHandover() (h handover, ok bool) {
	text := os.Getenv(handedOver)
	return h, text != "" && json.Unmarshal([]byte(text), &h) == nil && h.PID > 1
}

// giveAway gives the supervisor's place to the program the server is of, if that is another one. It returns where it stays.
func (s *Supervisor) giveAway(ctx context.Context, c *child) {
	heard, flush := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(heard, os.Interrupt, syscall.SIGTERM)
	signal.Notify(flush, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(heard)
	defer signal.Stop(flush)
	if ctx.Err() != nil {
		return
	}
	path := s.program(c.choice)
	mine, err := os.Stat("/proc/self/exe")
	if err != nil {
		return
	}
	if theirs, err := os.Stat(path); err != nil || os.SameFile(mine, theirs) {
		return
	}
	if c.choice.Slot != slot.Installed {
		may, err := s.o.Dir.TakeOver(c.choice.Program)
		if err != nil || !may {
			s.o.Log.Warn("the supervisor stays with its version", "version", s.o.Version, "err", err)
			return
		}
	}
	// Messages that were received and not looked at yet would be lost; the reader is not stopped, but the server says again each
	// five seconds that it is alive, and all else it says before it is ready.
	control, err := c.conn.File()
	if err != nil {
		return
	}
	defer control.Close()
	raw, err := control.SyscallConn()
	if err != nil {
		return
	}
	h := handover{PID: c.process.Pid, Sockets: s.sockets, Choice: c.choice, Installed: s.o.Installed, Path: s.o.Path}
	h.Choice.Problem = nil
	_ = raw.Control(func(fd uintptr) { h.Control = int(fd) })
	fds := []int{h.Control}
	for _, x := range s.sockets {
		fds = append(fds, x.FD)
	}
	b, err := json.Marshal(h)
	if err != nil {
		return
	}
	keep := func(on uintptr) {
		for _, fd := range fds {
			_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_SETFD, on)
		}
	}
	// A signal that comes now would be heard by this program and not by the next. So from here on one ends the process, and the server sees
	// that; of one that came before, ctx may not know yet, but heard does: Stop returns when all that came is told.
	signal.Stop(flush)
	select {
	case <-heard:
		return
	default:
	}
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	keep(0)
	s.o.Log.Info("the supervisor gives its place to the new version", "from", s.o.Version, "to", c.choice.Program.Version)
	env := append(os.Environ(), handedOver+"="+string(b))
	err = syscall.Exec(path, append([]string{path}, s.o.Self...), env)
	keep(syscall.FD_CLOEXEC)
	s.o.Log.Warn("the supervisor stays with its version", "version", s.o.Version, "err", err)
}

// resume takes over what another supervisor had in hand.
func (s *Supervisor) resume() error {
	h, ok := readHandover()
	os.Unsetenv(handedOver)
	if !ok {
		return nil
	}
	for _, x := range h.Sockets {
		syscall.CloseOnExec(x.FD)
	}
	s.sockets = h.Sockets
	syscall.CloseOnExec(h.Control)
	conn, err := connOf(h.Control)
	if err != nil {
		return err
	}
	p, err := os.FindProcess(h.PID)
	if err != nil {
		conn.Close()
		return err
	}
	s.o.Log.Info("this supervisor goes on with the server there is", "pid", strconv.Itoa(h.PID), "version", s.o.Version)
	s.resumed = newChild(h.Choice, p, conn)
	s.resumed.took, s.ready = true, true
	return nil
}
