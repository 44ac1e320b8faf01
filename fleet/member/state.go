package member

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"
)

// State is how it stands with a server of the site.
type State string

// The states; the package comment says what each means.
const (
	Unseen  State = "unseen"
	Alive   State = "alive"
	Suspect State = "suspect"
	Dead    State = "dead"
	Left    State = "left"
)

// Member is a server of the site as this one sees it.
type Member struct {
	Node    string
	Address string // it named last; of an unseen one the first of the roster
	State   State
	Since   time.Time
	Seen    time.Time     // last sign of life to this very server
	RTT     time.Duration // of the last packet there and back; 0: not measured
	Reason  string        // of Suspect and Dead
	Meta    Meta
	proved  time.Time // last connection that worked, of a suspect
}

// Members are all on the roster but this server itself, by id.
func (p *Pool) Members() []Member {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Member
	for _, id := range slices.Sorted(maps.Keys(p.roster)) {
		if id == p.o.Node {
			continue
		}
		m := Member{Node: id, State: Unseen}
		if x := p.members[id]; x != nil {
			m = *x
		} else if a := p.roster[id].Addresses; len(a) > 0 {
			m.Address = a[0]
		}
		out = append(out, m)
	}
	return out
}

// Is returns the state of one.
func (p *Pool) Is(node string) State {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.members[node]; m != nil {
		return m.State
	}
	return Unseen
}

// on reports whether node is on the roster; this server always is.
func (p *Pool) on(node string) bool {
	_, ok := p.roster[node]
	return ok || node == p.o.Node
}

// Counts of the states.
func (p *Pool) Counts() map[State]int {
	out := map[State]int{}
	for _, m := range p.Members() {
		out[m.State]++
	}
	return out
}

// Deaths counts how often a member was given up by gossip, and how often it was found dead.
func (p *Pool) Deaths() (suspected, dead uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.suspected, p.dead
}

// came notes that memberlist holds a node for alive.
func (p *Pool) came(n *memberlist.Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n.Name == p.o.Node || !p.on(n.Name) {
		return
	}
	now := p.o.Now()
	m := &Member{Node: n.Name, State: Alive, Since: now, Seen: now, Address: address(n), Meta: parseMeta(n.Meta)}
	if old := p.members[n.Name]; old != nil {
		m.RTT = old.RTT
	}
	p.members[n.Name] = m
}

// went notes that memberlist gave a node up.
func (p *Pool) went(n *memberlist.Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.members[n.Name]
	if m == nil {
		return
	}
	m.Since, m.State, m.Reason = p.o.Now(), Suspect, "gossip gave it up"
	if m.Meta.Leaving {
		m.State, m.Reason = Left, ""
	} else {
		p.suspected++
	}
	p.nudge()
}

func (p *Pool) updated(n *memberlist.Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.members[n.Name]; m != nil {
		m.Meta, m.Seen = parseMeta(n.Meta), p.o.Now()
	}
}

func (p *Pool) answered(n *memberlist.Node, rtt time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.members[n.Name]; m != nil {
		m.Seen, m.RTT = p.o.Now(), rtt
	}
}

func address(n *memberlist.Node) string {
	a, ok := netip.AddrFromSlice(n.Addr)
	if !ok {
		return ""
	}
	return netip.AddrPortFrom(a.Unmap(), n.Port).String()
}

// addresses are where node may be, the one it named last first.
func (p *Pool) addresses(node string) []string {
	var out []string
	if m := p.members[node]; m != nil && m.Address != "" {
		out = append(out, m.Address)
	}
	for _, a := range p.roster[node].Addresses {
		if _, err := netip.ParseAddrPort(a); err == nil && !slices.Contains(out, a) && !strings.Contains(a, "/") {
			out = append(out, a)
		}
	}
	return out
}
