package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"edgeward/sync/slot"
)

// Options are what a Supervisor is made of.
type Options struct {
	Dir       *slot.Dir
	Installed slot.Program // of the package: this program, unless this one runs from a slot
	Path      string       // of the installed program
	Args      []string     // of the server: "serve" and its flags
	Self      []string     // arguments of the supervisor itself, for giving its place away
	Version   string       // of this program
	Log       *slog.Logger

	Grace   time.Duration // how long a server may take to end; 0: a minute
	Silence time.Duration // how long a server may say nothing; 0: two minutes
	Pause   time.Duration // before a server that died is started again, the first time; 0: a second
}

// Supervisor runs one server. It is used by one goroutine.
type Supervisor struct {
	o       Options
	notify  notifier
	sockets []socket
	ready   bool // some server was, since the supervisor began
	resumed *child
}

// New returns a Supervisor that has started nothing, or, in a process whose place was given away to it, one that goes on with the server there is.
func New(o Options) (*Supervisor, error) {
	for p, d := range map[*time.Duration]time.Duration{&o.Grace: time.Minute, &o.Silence: 2 * time.Minute, &o.Pause: time.Second} {
		if *p == 0 {
			*p = d
		}
	}
	s := &Supervisor{o: o, notify: newNotifier()}
	return s, s.resume()
}

// end is why a server is no longer watched.
type end int

const (
	exited  end = iota // by itself
	wanted             // restart: something was changed in the slots
	stopped            // the supervisor is to end
)

// Run starts servers until ctx ends or there is no use in starting another. It returns the exit code of the last.
func (s *Supervisor) Run(ctx context.Context) int {
	pause := s.o.Pause
	for {
		c := s.resumed
		s.resumed = nil
		if c == nil {
			choice, err := s.o.Dir.Boot(s.o.Installed, time.Now())
			if err != nil {
				s.o.Log.Error("nothing is started", "err", err)
				if !sleep(ctx, 5*time.Second) {
					return 1
				}
				continue
			}
			if choice.Problem != nil {
				s.o.Log.Error("the slots of the program are not as they should be", "err", choice.Problem)
			}
			if c, err = s.start(choice); err != nil {
				s.o.Log.Error("the program does not start", "slot", choice.Slot.String(), "version", choice.Program.Version, "err", err)
				if choice.Trial {
					s.fail("update.exec", err.Error())
					continue
				}
				if choice.Slot == slot.Installed {
					return 1
				}
				if !sleep(ctx, s.o.Pause) {
					return 1
				}
				continue
			}
			if choice.Trial {
				s.o.Log.Info("a new version is on trial", "slot", choice.Slot.String(), "version", choice.Program.Version, "window", choice.Window.String())
			}
		}
		began := time.Now()
		why := s.watch(ctx, c)
		code := c.code()
		switch {
		case why == stopped, why == exited && code == 0 && !c.choice.Trial:
			s.notify.say("STOPPING=1")
			return code
		case why == wanted:
			pause = s.o.Pause
			continue
		case c.choice.Trial:
			s.o.Log.Error("the version on trial ended", "version", c.choice.Program.Version, "exit", code)
			if !sleep(ctx, s.o.Pause) {
				return code
			}
			continue
		case !s.ready:
			return code
		}
		if time.Since(began) > time.Minute {
			pause = s.o.Pause
		}
		s.o.Log.Error("the server ended and is started again", "exit", code, "after", pause.String())
		if !sleep(ctx, pause) {
			return code
		}
		pause = min(2*pause, 30*time.Second)
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// watch follows a server until it has ended.
func (s *Supervisor) watch(ctx context.Context, c *child) end {
	messages := c.listen()
	defer c.close()
	var late <-chan time.Time
	if c.choice.Trial {
		t := time.NewTimer(c.choice.Window)
		defer t.Stop()
		late = t.C
	}
	tick := time.NewTicker(s.tick())
	defer tick.Stop()
	heard := time.Now()
	for {
		select {
		case <-c.ended:
			return exited
		case <-ctx.Done():
			c.stop(s.o.Grace)
			return stopped
		case <-late:
			s.fail("update.deadline", fmt.Sprintf("version %s did not prove itself within %v", c.choice.Program.Version, c.choice.Window))
			c.stop(min(s.o.Grace, 10*time.Second))
			return wanted
		case <-tick.C:
			if silent := time.Since(heard); silent > s.o.Silence {
				s.o.Log.Error("the server says nothing any more and is ended", "for", silent.String())
				_ = c.process.Kill()
				<-c.ended
				return exited
			}
			s.notify.say("WATCHDOG=1")
		case m, ok := <-messages:
			if !ok {
				messages = nil // it is ending
				continue
			}
			heard = time.Now()
			switch m.Do {
			case Socket:
				s.keep(socket{m.Name, m.Address, m.fd})
			case Ready:
				s.answers(ctx, c, m.Names)
			case Alive:
				if s.alive(c) {
					c.stop(s.o.Grace)
					return wanted
				}
			case Proved:
				if !s.commit(ctx, c) {
					c.stop(s.o.Grace)
					return wanted
				}
				late = nil
			case Failed:
				s.fail(m.Code, m.Reason)
				c.stop(s.o.Grace)
				return wanted
			case Restart:
				c.stop(s.o.Grace)
				return wanted
			}
			if m.Do != Socket {
				_ = closeIf(m.fd)
			}
		}
	}
}

// tick is how often is looked: systemd's watchdog wants to hear in time.
func (s *Supervisor) tick() time.Duration {
	d := min(5*time.Second, s.o.Silence/4)
	if s.notify.every > 0 {
		d = min(d, s.notify.every)
	}
	return max(d, 10*time.Millisecond)
}

func closeIf(fd int) error {
	if fd < 0 {
		return nil
	}
	return syscall.Close(fd)
}

// keep holds a socket in the place of one of the same name.
func (s *Supervisor) keep(x socket) {
	if x.FD < 0 {
		return
	}
	s.sockets = slices.DeleteFunc(s.sockets, func(o socket) bool {
		if o.Name == x.Name {
			_ = syscall.Close(o.FD)
		}
		return o.Name == x.Name
	})
	s.sockets = append(s.sockets, x)
}

// answers notes that a server is ready, and closes the sockets that it has no use for.
func (s *Supervisor) answers(ctx context.Context, c *child, names []string) {
	s.sockets = slices.DeleteFunc(s.sockets, func(o socket) bool {
		unused := !slices.Contains(names, o.Name)
		if unused {
			_ = syscall.Close(o.FD)
		}
		return unused
	})
	s.ready = true
	s.notify.say("READY=1\nSTATUS=version " + c.choice.Program.Version + " from slot " + c.choice.Slot.String())
	if !c.choice.Trial {
		s.giveAway(ctx, c)
	}
}

// alive notes that a supervisor that took a place over has a server that speaks to it. It reports whether a trial was begun meanwhile: its
// message may have been lost with the supervisor before.
func (s *Supervisor) alive(c *child) (trial bool) {
	if !c.took {
		return false
	}
	c.took = false
	if err := s.o.Dir.TookOver(); err != nil {
		s.o.Log.Warn("it is not noted that the supervisor works", "err", err)
	}
	st, err := s.o.Dir.State()
	return err == nil && st.Trial != nil && !c.choice.Trial
}

func (s *Supervisor) commit(ctx context.Context, c *child) bool {
	if !c.choice.Trial {
		return true
	}
	if _, err := s.o.Dir.Commit(c.choice.Program, time.Now()); err != nil {
		s.o.Log.Error("the new version cannot be kept", "err", err)
		s.fail("update.disk", err.Error())
		return false
	}
	c.choice.Trial = false
	s.o.Log.Info("the new version is kept", "slot", c.choice.Slot.String(), "version", c.choice.Program.Version)
	_ = send(c.conn, Message{Do: Committed}, -1)
	s.giveAway(ctx, c)
	return true
}

func (s *Supervisor) fail(code, reason string) {
	s.o.Log.Error("the new version is given up", "code", code, "reason", reason)
	if _, err := s.o.Dir.Fail(code, reason, time.Now()); err != nil {
		s.o.Log.Error("it is not noted that the new version was given up", "err", err)
	}
}

// environment is the server's: nothing of systemd's that is for the supervisor alone.
func environment(more ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !slices.Contains([]string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", variable, handedOver}, name) {
			env = append(env, kv)
		}
	}
	return append(env, more...)
}
