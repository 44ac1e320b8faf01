package member

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"edgeward"
	"edgeward/fleet/spec"
)

// Options are what a Pool is made of. All are needed.
type Options struct {
	Node    string         // id of this server
	Site    string         // id of the pool: nothing of another one is read
	Address netip.AddrPort // where the others reach this server, packets and streams
	Packets net.PacketConn
	Streams net.Listener                                                      // authenticated both ways
	Dial    func(ctx context.Context, node, address string) (net.Conn, error) // a connection that is node's, authenticated both ways
	Keys    [][]byte                                                          // 32 bytes each; the first encrypts
	Roster  []spec.Peer
	Meta    Meta
	Now     func() time.Time
	Log     *slog.Logger
}

// Pool is safe for concurrent use.
type Pool struct {
	o     Options
	list  *memberlist.Memberlist
	line  *transport
	keys  *memberlist.Keyring
	poke  chan struct{}
	tasks sync.WaitGroup

	mu      sync.Mutex
	roster  map[string]spec.Peer
	members map[string]*Member
	meta    Meta
	told    bool            // meta is what the others were told
	asked   map[string]bool // connections that are being tried

	suspected, dead uint64 // how often
}

// Tuned for a LAN: a dead node of a site of 50 within 5 s.
const (
	probeEvery   = 400 * time.Millisecond
	probeTimeout = 200 * time.Millisecond
	suspicion    = 3
	gossipEvery  = 100 * time.Millisecond
	exchange     = 15 * time.Second
	proof        = 600 * time.Millisecond // for a connection to who is said to be dead
	tellEvery    = 5 * time.Second
	goodbye      = time.Second
	spread       = 700 * time.Millisecond // until the mark has gone around: who hears of the leaving first takes it for a death
)

// Open joins nobody yet: that is Run's. It owns Packets and Streams from then on, also when it fails.
func Open(o Options) (*Pool, error) {
	const op = "member.Open"
	ring, err := keyring(o.Keys)
	if err != nil {
		o.Packets.Close()
		o.Streams.Close()
		return nil, err
	}
	p := &Pool{o: o, keys: ring, poke: make(chan struct{}, 1), roster: byNode(o.Roster), members: map[string]*Member{}, meta: o.Meta, told: true, asked: map[string]bool{}}
	p.line = newTransport(o)
	c := memberlist.DefaultLANConfig()
	c.Name, c.Label, c.Transport, c.Keyring, c.RequireNodeNames = o.Node, o.Site, p.line, ring, true
	c.AdvertiseAddr, c.AdvertisePort = o.Address.Addr().String(), int(o.Address.Port())
	e := ear{p}
	c.Delegate, c.Events, c.Alive, c.Merge, c.Ping = e, e, e, e, e
	c.ProbeInterval, c.ProbeTimeout, c.SuspicionMult = probeEvery, probeTimeout, suspicion
	c.GossipInterval, c.PushPullInterval, c.TCPTimeout = gossipEvery, exchange, 5*time.Second
	c.DeadNodeReclaimTime = 10 * time.Second
	c.EnableCompression = false // nothing here is large, and what is not unpacked is no bomb
	c.Logger = logger(o.Log)
	if p.list, err = memberlist.Create(c); err != nil {
		_ = p.line.Shutdown()
		return nil, edgeward.Wrap(op, err)
	}
	return p, nil
}

// Run takes part until ctx ends, then says good-bye.
func (p *Pool) Run(ctx context.Context) error {
	p.tasks.Go(func() { p.rejoin(ctx) })
	tell := time.NewTicker(tellEvery) // room:clock how often something new is told
	defer tell.Stop()
	for ctx.Err() == nil {
		p.prove(ctx)
		select {
		case <-ctx.Done():
		case <-p.poke:
		case <-tell.C:
			p.tell()
		}
	}
	p.tasks.Wait()
	p.leave()
	return nil
}

// leave says good-bye in two steps: memberlist does not tell who left from who died, so the mark goes around first.
func (p *Pool) leave() {
	p.mu.Lock()
	p.meta.Leaving = true
	p.mu.Unlock()
	if err := p.list.UpdateNode(goodbye); err != nil {
		p.o.Log.Debug("the good-bye did not go around", "err", err)
	}
	p.pause(context.Background(), spread)
	if err := p.list.Leave(goodbye); err != nil {
		p.o.Log.Debug("the good-bye did not go around", "err", err)
	}
	_ = p.list.Shutdown()
	p.line.wait()
}

// SetRoster replaces who belongs to the site.
func (p *Pool) SetRoster(r []spec.Peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roster = byNode(r)
	maps.DeleteFunc(p.members, func(id string, _ *Member) bool { return !p.on(id) })
}

// SetMeta tells the others something else of this server, within five seconds.
func (p *Pool) SetMeta(m Meta) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m != p.meta {
		p.meta, p.told = m, false
	}
}

// tell lets what is new go around.
func (p *Pool) tell() {
	p.mu.Lock()
	told := p.told
	p.told = true
	p.mu.Unlock()
	if told {
		return
	}
	if err := p.list.UpdateNode(goodbye); err != nil {
		p.o.Log.Debug("what is new of this server did not go around", "err", err)
	}
}

func (p *Pool) nudge() {
	select {
	case p.poke <- struct{}{}:
	default:
	}
}

func byNode(r []spec.Peer) map[string]spec.Peer {
	out := map[string]spec.Peer{}
	for _, x := range r {
		out[x.Node] = x
	}
	return out
}

// some returns up to n of list, by chance.
func some[T any](list []T, n int) []T {
	list = slices.Clone(list)
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:min(n, len(list))]
}
