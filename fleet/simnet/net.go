package simnet

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"
	"sync"
	"time"
)

// Link is how it is between two hosts, one way. The zero Link is perfect.
type Link struct {
	Delay     time.Duration
	Jitter    time.Duration // up to this is added
	Loss      float64       // share of packets
	Duplicate float64       // share of packets that come twice
	Rate      int64         // bytes a second of streams; 0: no limit
}

// Count is what went from one host to another.
type Count struct {
	Packets, Bytes int64 // pieces of streams count as packets
}

// Net is safe for concurrent use.
type Net struct {
	seed uint64
	link func(from, to netip.Addr) Link

	mu    sync.Mutex
	hosts map[netip.Addr]*Host
	group map[netip.Addr]int // of a partition; nil: none
	sent  map[[2]netip.Addr]*Count
}

// New makes a network whose links are what link says.
func New(seed uint64, link func(from, to netip.Addr) Link) *Net {
	return &Net{seed: seed, link: link, hosts: map[netip.Addr]*Host{}, sent: map[[2]netip.Addr]*Count{}}
}

// Same is a network whose links are all alike.
func Same(seed uint64, l Link) *Net {
	return New(seed, func(_, _ netip.Addr) Link { return l })
}

// Partition lets only hosts of the same group reach each other; those that are not named are one more group.
func (n *Net) Partition(groups ...[]netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.group = map[netip.Addr]int{}
	for i, g := range groups {
		for _, a := range g {
			n.group[a] = i + 1
		}
	}
}

// Heal ends the partition.
func (n *Net) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.group = nil
}

// Sent sums what went from hosts that from names to hosts that to names; nil names all.
func (n *Net) Sent(from, to func(netip.Addr) bool) (c Count) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for k, x := range n.sent {
		if (from == nil || from(k[0])) && (to == nil || to(k[1])) {
			c.Packets, c.Bytes = c.Packets+x.Packets, c.Bytes+x.Bytes
		}
	}
	return c
}

// cut reports whether nothing gets from one host to the other.
func (n *Net) cut(from, to netip.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	f, t := n.hosts[from], n.hosts[to]
	return f == nil || t == nil || f.down || t.down || n.group[from] != n.group[to]
}

// fate is what becomes of one packet.
type fate struct {
	lost, twice bool
	after       time.Duration
	rate        int64
}

// send counts a packet and says what becomes of it.
func (n *Net) send(from, to netip.Addr, size int) fate {
	n.mu.Lock()
	k := [2]netip.Addr{from, to}
	c := n.sent[k]
	if c == nil {
		c = &Count{}
		n.sent[k] = c
	}
	c.Packets++
	c.Bytes += int64(size)
	number := uint64(c.Packets)
	n.mu.Unlock()
	l := n.link(from, to)
	h := fnv.New64a()
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], n.seed)
	binary.LittleEndian.PutUint64(b[8:], number)
	h.Write(b[:])
	h.Write(from.AsSlice())
	h.Write([]byte{0})
	h.Write(to.AsSlice())
	dice := dice(h.Sum64())
	return fate{lost: dice.next() < l.Loss, twice: dice.next() < l.Duplicate, after: l.Delay + time.Duration(dice.next()*float64(l.Jitter)), rate: l.Rate}
}

// dice is splitmix64.
type dice uint64

func (d *dice) next() float64 {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}

// Host is one machine.
type Host struct {
	net  *Net
	addr netip.Addr

	// guarded by net.mu
	down    bool
	port    uint16 // the next one of its own
	packets map[uint16]*packetConn
	streams map[uint16]*listener
	conns   map[*conn]bool
}

// Host returns the machine with this address; it is there from the first call on.
func (n *Net) Host(a netip.Addr) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hosts[a]
	if h == nil {
		h = &Host{net: n, addr: a, port: 40000, packets: map[uint16]*packetConn{}, streams: map[uint16]*listener{}, conns: map[*conn]bool{}}
		n.hosts[a] = h
	}
	return h
}

// Addr is the machine's address.
func (h *Host) Addr() netip.Addr { return h.addr }

// Down cuts the machine's cable: nothing comes and nothing goes until Up. What runs on it goes on.
func (h *Host) Down() { h.set(true) }

// Up ends Down.
func (h *Host) Up() { h.set(false) }

func (h *Host) set(down bool) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.down = down
}

// Crash is a power cut: Down, and every socket of the machine is closed without a word to the other ends. After Up there are none.
func (h *Host) Crash() {
	h.Down()
	h.net.mu.Lock()
	var shut []interface{ Close() error }
	for _, p := range h.packets {
		shut = append(shut, p)
	}
	for _, l := range h.streams {
		shut = append(shut, l)
	}
	for c := range h.conns {
		shut = append(shut, c)
	}
	h.net.mu.Unlock()
	for _, c := range shut {
		_ = c.Close()
	}
}

// free is port, or for 0 the next one. net.mu is held.
func (h *Host) free(port uint16) uint16 {
	if port == 0 {
		h.port++
		port = h.port
	}
	return port
}
