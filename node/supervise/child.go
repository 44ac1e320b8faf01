package supervise

import (
	"cmp"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"edgeward/sync/slot"
)

// child is a running server.
type child struct {
	choice  slot.Choice
	process *os.Process
	conn    *net.UnixConn
	ended   chan struct{}
	state   *os.ProcessState // once ended is closed
	took    bool             // this supervisor took it over from another
	done    chan struct{}    // closed by close
}

// packet is a message with its descriptor.
type packet struct {
	Message
	fd int
}

// start starts what was chosen, with all sockets.
func (s *Supervisor) start(c slot.Choice) (*child, error) {
	conn, theirs, err := pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd := exec.Command(s.program(c), s.o.Args...)
	about := inheritance{Control: 3, Slot: c.Slot, Program: c.Program, Trial: c.Trial, Window: c.Window.Milliseconds(), Parent: s.o.Version}
	cmd.ExtraFiles = []*os.File{theirs}
	for _, x := range s.sockets {
		fd, err := dup(x.FD)
		if err != nil {
			conn.Close()
			return nil, err
		}
		f := os.NewFile(uintptr(fd), x.Name)
		defer f.Close()
		about.Sockets = append(about.Sockets, socket{x.Name, x.Address, 3 + len(cmd.ExtraFiles)})
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	b, err := json.Marshal(about)
	if err != nil {
		conn.Close()
		return nil, err
	}
	cmd.Env = environment(variable + "=" + string(b))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the terminal's Ctrl-C is for the supervisor, who passes it on once
	if err := cmd.Start(); err != nil {
		conn.Close()
		return nil, err
	}
	return newChild(c, cmd.Process, conn), nil
}

// program is the file of what was chosen.
func (s *Supervisor) program(c slot.Choice) string { return cmp.Or(c.Path, s.o.Path) }

func newChild(c slot.Choice, p *os.Process, conn *net.UnixConn) *child {
	ch := &child{choice: c, process: p, conn: conn, ended: make(chan struct{}), done: make(chan struct{})}
	go func() {
		ch.state, _ = p.Wait() // an error means that it is gone, which is all that is asked
		close(ch.ended)
	}()
	return ch
}

// dup is another descriptor that no child inherits by accident.
func dup(fd int) (int, error) {
	r, _, e := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 0)
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

// listen receives what the server says; the channel is closed when it has closed its end.
func (c *child) listen() <-chan packet {
	out := make(chan packet)
	go func() {
		defer close(out)
		for {
			m, fd, err := receive(c.conn)
			if err != nil {
				return
			}
			select {
			case out <- packet{m, fd}:
			case <-c.done:
				_ = closeIf(fd)
				return
			}
		}
	}()
	return out
}

// close lets go of a server that has ended, once.
func (c *child) close() {
	close(c.done)
	_ = c.conn.Close()
}

// stop ends the server: nicely, and after grace at once. Its workers see that it is gone.
func (c *child) stop(grace time.Duration) {
	_ = c.process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
		return
	case <-time.After(grace):
	}
	_ = c.process.Kill()
	<-c.ended
}

// code is the exit code of a server that has ended; of one that a signal ended 128 and the signal.
func (c *child) code() int {
	if c.state == nil {
		return 1
	}
	if w, ok := c.state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return c.state.ExitCode()
}
