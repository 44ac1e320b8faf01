package node

import (
	"net"
	"slices"
	"sync"

	"edgeward/node/wire"
)

// listeners are the addresses this server answers on, and what became of them.
type listeners struct {
	mu     sync.Mutex
	list   []wire.Listener
	opened []net.Listener
}

func (l *listeners) note(name, address, state, note string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = slices.DeleteFunc(l.list, func(x wire.Listener) bool { return x.Name == name }) // it listens anew
	l.list = append(l.list, wire.Listener{Name: name, Address: address, State: state, Note: note})
}

func (l *listeners) keep(ln net.Listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opened = append(l.opened, ln)
}

func (l *listeners) all() []wire.Listener {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]wire.Listener(nil), l.list...)
}

func (l *listeners) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ln := range l.opened {
		_ = ln.Close()
	}
	l.opened = nil
}
