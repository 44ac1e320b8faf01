package supervise

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"edgeward"
	"edgeward/sync/slot"
)

// Link is a server's end of the way to its supervisor. The nil Link is a server without one: it listens by itself, and the rest does nothing.
type Link struct {
	conn      *net.UnixConn
	about     inheritance
	committed chan struct{}
	once      sync.Once

	mu     sync.Mutex
	unused map[string]socket
	names  []string
}

// Inherit returns the Link of a process that a supervisor started, else nil. It belongs early into main, before anything is started.
func Inherit() (*Link, error) {
	text := os.Getenv(variable)
	if text == "" {
		return nil, nil
	}
	os.Unsetenv(variable)
	l := &Link{committed: make(chan struct{}), unused: map[string]socket{}}
	if err := json.Unmarshal([]byte(text), &l.about); err != nil {
		return nil, edgeward.E("supervise.Inherit", edgeward.Invalid, "update.supervisor", "what the supervisor left cannot be read: %w", err)
	}
	for _, s := range l.about.Sockets {
		syscall.CloseOnExec(s.FD)
		l.unused[s.Name+" "+s.Address] = s
	}
	syscall.CloseOnExec(l.about.Control)
	var err error
	l.conn, err = connOf(l.about.Control)
	return l, edgeward.Wrap("supervise.Inherit", err)
}

// Slot is where this program runs from, and what it is there.
func (l *Link) Slot() (slot.Name, slot.Program) {
	if l == nil {
		return slot.Installed, slot.Program{}
	}
	return l.about.Slot, l.about.Program
}

// Trial reports whether this program is on trial, and how long it has.
func (l *Link) Trial() (bool, time.Duration) {
	if l == nil {
		return false, 0
	}
	return l.about.Trial, time.Duration(l.about.Window) * time.Millisecond
}

// Supervisor is the supervisor's version; "" without one.
func (l *Link) Supervisor() string {
	if l == nil {
		return ""
	}
	return l.about.Parent
}

// Inherited reports whether there were sockets on which clients may be waiting.
func (l *Link) Inherited() bool { return l != nil && len(l.about.Sockets) > 0 }

// Listen is net.Listen on a socket that outlives this process. name is what it is for.
func (l *Link) Listen(ctx context.Context, name, network, address string) (net.Listener, error) {
	key := network + ":" + address
	if ln, err := l.inherited(name, key); ln != nil || err != nil {
		return ln, err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, network, address)
	if err == nil {
		l.deposit(ln, name, key)
	}
	return ln, err
}

// ListenUnix is Listen on a unix socket at path. What lies there is replaced, unless the socket was inherited: the caller knows that no
// other server lives here.
func (l *Link) ListenUnix(ctx context.Context, name, path string) (net.Listener, error) {
	key := "unix:" + path
	if _, err := os.Lstat(path); err == nil { // somebody may have removed it meanwhile
		if ln, err := l.inherited(name, key); ln != nil || err != nil {
			return ln, err
		}
	}
	_ = os.Remove(path)
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	// The kernel takes 107 bytes as the name of a socket: a longer path is bound through its folder's descriptor.
	ln, err := (&net.ListenConfig{}).Listen(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
	if err != nil {
		return nil, err
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	l.deposit(ln, name, key)
	return ln, nil
}

// inherited is the socket that the supervisor kept under a name, nil if there is none.
func (l *Link) inherited(name, key string) (net.Listener, error) {
	if l == nil {
		return nil, nil
	}
	l.mu.Lock()
	s, ok := l.unused[name+" "+key]
	delete(l.unused, name+" "+key)
	l.names = append(l.names, name)
	l.mu.Unlock()
	if !ok {
		return nil, nil
	}
	f := os.NewFile(uintptr(s.FD), name)
	defer f.Close()
	return net.FileListener(f)
}

// deposit hands a copy of a listening socket to the supervisor. One that cannot take it is no reason not to serve.
func (l *Link) deposit(ln net.Listener, name, key string) {
	raw, ok := ln.(syscall.Conn)
	if l == nil || !ok {
		return
	}
	if c, err := raw.SyscallConn(); err == nil {
		_ = c.Control(func(fd uintptr) { _ = send(l.conn, Message{Do: Socket, Name: name, Address: key}, int(fd)) })
	}
}

// Say sends a message.
func (l *Link) Say(m Message) error {
	if l == nil {
		return edgeward.E("supervise.Say", edgeward.Conflict, "update.unsupervised", "this server has no supervisor").
			WithHint("start it by edgeward supervise, as the package's service does, instead of edgeward serve")
	}
	return edgeward.Wrap("supervise.Say", send(l.conn, m, -1))
}

// Ready says that the server answers.
func (l *Link) Ready() {
	if l == nil {
		return
	}
	l.mu.Lock()
	names := slices.Clone(l.names)
	for _, s := range l.unused {
		_ = syscall.Close(s.FD)
	}
	clear(l.unused)
	l.mu.Unlock()
	_ = l.Say(Message{Do: Ready, Names: names})
}

// Committed is closed when the supervisor has noted that the trial ended well.
func (l *Link) Committed() <-chan struct{} {
	if l == nil {
		return nil
	}
	return l.committed
}

// beat is how often a server says that it is alive.
const beat = 5 * time.Second

// Run says that the server is alive as long as well returns nil, and calls lost when the supervisor is gone. It ends with ctx.
func (l *Link) Run(ctx context.Context, well func(context.Context) error, lost func()) {
	if l == nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = l.conn.SetReadDeadline(time.Now()) })
	defer stop()
	go func() {
		tick := time.NewTicker(beat)
		defer tick.Stop()
		for {
			if well(ctx) == nil {
				_ = l.Say(Message{Do: Alive})
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	for {
		m, fd, err := receive(l.conn)
		if fd >= 0 {
			_ = syscall.Close(fd)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			lost()
			return
		case m.Do == Committed:
			l.once.Do(func() { close(l.committed) })
		}
	}
}
