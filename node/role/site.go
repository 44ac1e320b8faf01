package role

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/member"
	"edgeward/fleet/peer"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/node/config"
	"edgeward/node/events"
	"edgeward/node/store"
	"edgeward/node/wire"
	"edgeward/sync/pull"
)

// site is this server's part in its site while it is a node: the port for the others, and gossip.
type site struct {
	r         *Role
	fleet     string
	authority pki.Authority
	cert      pki.Cert
	poke      chan struct{}
	asking    sync.WaitGroup // for promotions

	swarm *peer.Swarm
	pace  *agent.Pace

	mu      sync.Mutex
	client  *peer.Client // while the port is open
	a       *agent.Agent
	at      netip.AddrPort // where the others reach it; the zero one while it does not listen
	pool    *member.Pool
	ring    peer.Ring        // in use
	told    uint64           // epoch of the hub's ring that was taken last
	lonely  time.Time        // since when nobody of the site is heard
	problem string           // why there is no gossip
	away    time.Time        // since when the hub does not answer
	behind  time.Time        // since when another one has seen later signatures
	asked   map[string]asked // for promotions, by node
}

func (r *Role) newSite(m store.Membership, a pki.Authority, c pki.Cert, p *pull.Puller, hub pull.Source, pace *agent.Pace) *site {
	near := *p
	near.Limit = pace.LAN
	s := &site{r: r, pace: pace, fleet: m.Fleet, authority: a, cert: c, poke: make(chan struct{}, 1), asked: map[string]asked{}}
	s.swarm = peer.NewSwarm(peer.SwarmOptions{Node: r.p.Node, Puller: p, Near: &near, Hub: hub, Site: s, Hears: s.hearsHub, Now: r.p.Now, Log: r.p.Log.With("role", "peer"), Ban: s.banned})
	return s
}

// Targets are the servers of the site that may be asked for bytes; it implements peer.Site.
func (s *site) Targets() (out []peer.Target) {
	s.mu.Lock()
	p, c := s.pool, s.client
	s.mu.Unlock()
	if p == nil || c == nil {
		return nil
	}
	roster := s.roster()
	for _, m := range p.Members() {
		if x, ok := roster.Find(m.Node); ok && m.State == member.Alive && len(x.Certs) > 0 {
			out = append(out, peer.Target{Node: m.Node, Cert: x.Certs[0]})
		}
	}
	return out
}

// Have asks one of Targets.
func (s *site) Have(ctx context.Context, node string, blobs []edgeward.Digest) (peer.Have, error) {
	return s.others().Have(ctx, node, blobs)
}

// From is one of Targets as a source.
func (s *site) From(node string) pull.Source { return s.others().From(node) }

// others is the client; while the port is closed one that says so.
func (s *site) others() *peer.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		return &peer.Client{}
	}
	return s.client
}

// address is where gossip last heard of a node.
func (s *site) address(node string) string {
	s.mu.Lock()
	p := s.pool
	s.mu.Unlock()
	if p == nil {
		return ""
	}
	for _, m := range p.Members() {
		if m.Node == node {
			return m.Address
		}
	}
	return ""
}

// hearsHub says whether the hub answered the last call.
func (s *site) hearsHub() bool {
	_, c := s.kept()
	return c.Problem == "" && !c.Last.IsZero()
}

// document is this server's own, as the hub signed it.
func (s *site) document() []byte {
	k, _ := s.kept()
	return k.Envelope
}

// knock makes run look at once.
func (s *site) knock() { poke(s.poke) }

// report is what the hub is told.
func (s *site) report() spec.Gossip {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.at.IsValid() {
		return spec.Gossip{}
	}
	g := spec.Gossip{Addresses: []string{s.at.String()}, Ring: s.ring.Epoch}
	for _, b := range s.swarm.Bans() {
		g.Bans = append(g.Bans, b)
	}
	slices.SortFunc(g.Bans, func(a, b spec.Ban) int { return cmp.Or(strings.Compare(a.Node, b.Node), a.Until.Compare(b.Until)) })
	g.Bans = g.Bans[:min(len(g.Bans), spec.MaxBans)]
	if s.pool != nil {
		g.Members = map[string]int{}
		for st, n := range s.pool.Counts() {
			g.Members[string(st)] = n
		}
	}
	return g
}

// roster is who may call now.
func (s *site) roster() peer.Roster {
	k, _ := s.kept()
	return peer.Roster{Peers: k.Roster, Issued: k.Issued}
}

// now is the time to judge by.
func (s *site) now() time.Time {
	k, _ := s.kept()
	return k.Clock.At(s.r.p.Now())
}

// kept is what the agent holds; nothing before there is one.
func (s *site) kept() (k agent.Kept, c agent.Contact) {
	s.mu.Lock()
	a := s.a
	s.mu.Unlock()
	if a != nil {
		k, c = a.Kept()
	}
	return k, c
}

// banned is for the audit of this server, and by it of the hub.
func (s *site) banned(b spec.Ban) {
	x, _ := s.roster().Find(b.Node)
	e := s.r.event("system:fleet", "fleet.peer.banned", cmp.Or(x.Name, b.Node))
	e.Object = events.Object{Kind: "node", ID: b.Node, Name: cmp.Or(x.Name, b.Node)}
	e.Reason, e.Detail = b.Why, map[string]string{"until": b.Until.UTC().Format(time.RFC3339)}
	if err := s.r.p.Store.Record(context.Background(), e); err != nil {
		s.r.p.Log.Warn("a ban is not in the audit log", "node", b.Node, "err", err)
	}
	s.mu.Lock()
	a := s.a
	s.mu.Unlock()
	if a != nil {
		a.Tell()
	}
}

// run listens and gossips until ctx ends.
func (s *site) run(ctx context.Context, a *agent.Agent, m store.Membership) {
	if s.r.p.SiteAddress == config.Off {
		return
	}
	s.mu.Lock()
	s.a = a
	s.mu.Unlock()
	for ctx.Err() == nil {
		err := s.listen(ctx, m)
		if ctx.Err() != nil {
			return
		}
		s.r.p.SiteListens(s.r.p.SiteAddress, err)
		s.r.p.Log.Error("servers of the site cannot call this one", "address", s.r.p.SiteAddress, "err", err)
		pause(ctx, 10*time.Second)
	}
}

// listen opens the port, and gossips over it as soon as the hub has said with whom.
func (s *site) listen(ctx context.Context, m store.Membership) error {
	streams, packets, err := openPort(ctx, s.r.p.SiteAddress)
	if err != nil {
		return edgeward.E("role.site", edgeward.Conflict, "listen.in_use", "cannot listen on %s: %w", s.r.p.SiteAddress, err).WithHint("set gossip.address")
	}
	defer packets.Close()
	at := advertised(streams.Addr(), m.Hubs)
	var dial net.Dialer
	door := peer.NewDoor(streams, peer.Options{Authority: s.authority, Cert: s.cert, Roster: s.roster, Now: s.now,
		Connect: func(ctx context.Context, address string) (net.Conn, error) {
			return dial.DialContext(ctx, "tcp", address)
		}})
	defer door.Close()
	client := peer.NewClient(peer.ClientOptions{Door: door, Address: s.address, Document: s.document})
	defer client.Close()
	server := peer.NewServer(peer.ServeOptions{Fleet: s.fleet, Authority: s.authority, Roster: s.roster, Hub: s.a.HubKey, Bytes: handed{s.r.p.Blobs}, Coming: s.swarm.Coming, Hears: s.hearsHub,
		Ring: s.ringInUse, Now: s.now, Shares: s.a.Shares, Lends: s.a.Lends, Limit: s.pace.LAN})
	web := &http.Server{Handler: server.Handler(s.r.p.Refuse), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(s.r.p.Log.Handler(), slog.LevelDebug), BaseContext: func(net.Listener) context.Context { return ctx }}
	defer web.Close()
	go func() { _ = web.Serve(door.For(peer.ForBytes)) }() // ends with Close
	s.set(func() { s.at, s.client = at, client })
	defer s.set(func() { s.at, s.client, s.pool, s.ring, s.told = netip.AddrPort{}, nil, nil, peer.Ring{}, 0 })
	s.r.p.SiteListens(at.String(), nil)
	s.a.Tell()
	var pool sync.WaitGroup
	defer pool.Wait()
	defer s.asking.Wait()
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		if err := s.follow(ctx, door, packets, at, &pool); err != nil {
			s.set(func() { s.problem = edgeward.Words(err) })
		} else {
			s.set(func() { s.problem = "" })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.poke:
		}
	}
}

func (s *site) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// follow brings the pool to what the document says.
func (s *site) follow(ctx context.Context, door *peer.Door, packets net.PacketConn, at netip.AddrPort, wait *sync.WaitGroup) error {
	k, contact := s.a.Kept()
	if k.Keyring == nil || len(k.Roster) == 0 {
		if s.pool != nil {
			return nil // the hub forgot us or moves us: the next document says
		}
		return edgeward.E("role.site", edgeward.Unavailable, "fleet.no_roster", "the hub has not said yet who is of this site")
	}
	var ring peer.Ring
	if k.Keyring.Epoch != s.told || s.pool == nil {
		var err error
		if ring, err = s.unseal(ctx, k.Site, *k.Keyring); err != nil {
			return err
		}
	}
	meta := member.Meta{Rev: k.Rev, Trust: s.a.Signed(), Version: s.r.p.Version, Hub: s.hears(contact), Shares: s.a.Sharing()}
	if s.pool == nil {
		p, err := member.Open(member.Options{Node: s.r.p.Node, Site: s.fleet + "/" + k.Site, Address: at, Packets: packets, Streams: door.For(peer.ForGossip),
			Dial: func(ctx context.Context, node, address string) (net.Conn, error) {
				return door.Dial(ctx, node, address, peer.ForGossip)
			},
			Keys: split(ring.Keys), Roster: k.Roster, Meta: meta, Now: s.r.p.Now, Log: s.r.p.Log.With("role", "member")})
		if err != nil {
			return err
		}
		wait.Go(func() { _ = p.Run(ctx) })
		s.set(func() { s.pool, s.ring, s.told, s.lonely = p, ring, ring.Epoch, time.Time{} })
		s.a.Tell()
		return nil
	}
	s.compare(meta.Trust)
	s.askOthers(ctx, k)
	s.pool.SetRoster(k.Roster)
	s.pool.SetMeta(meta)
	if ring.Epoch == 0 {
		return s.overslept(ctx, k)
	}
	if err := s.pool.SetKeys(split(ring.Keys)); err != nil {
		return err
	}
	s.set(func() { s.ring, s.told = ring, ring.Epoch })
	s.a.Tell()
	return nil
}

// hears says whether the hub answers, and goes on saying so for half a minute: this goes around the site with each change.
func (s *site) hears(c agent.Contact) bool {
	if c.Problem == "" {
		s.away = time.Time{}
		return !c.Last.IsZero()
	}
	if s.away.IsZero() {
		s.away = s.r.p.Now()
	}
	return s.r.p.Now().Sub(s.away) < 30*time.Second
}

// compare notes since when others know of later signatures than this server: whoever is between it and the hub may hold it back.
func (s *site) compare(mine int64) {
	later := false
	for _, m := range s.pool.Members() {
		later = later || m.State == member.Alive && m.Meta.Trust > mine
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !later:
		s.behind = time.Time{}
	case s.behind.IsZero():
		s.behind = s.r.p.Now()
	}
}

// openPort listens on one port for streams and for packets.
func openPort(ctx context.Context, address string) (net.Listener, net.PacketConn, error) {
	var c net.ListenConfig
	var last error
	for range 10 { // of port 0: what is free for streams may be taken for packets
		l, err := c.Listen(ctx, "tcp", address)
		if err != nil {
			return nil, nil, err
		}
		p, err := c.ListenPacket(ctx, "udp", l.Addr().String())
		if err == nil {
			return l, p, nil
		}
		l.Close()
		if last = err; portOf(address) != 0 {
			break
		}
	}
	return nil, nil, last
}

func portOf(address string) int {
	_, p, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(p)
	return n
}

// advertised is where the others reach a listener: its own address, or where it is for all of them, the one this server calls its hub from.
func advertised(l net.Addr, hubs []string) netip.AddrPort {
	at, err := netip.ParseAddrPort(l.String())
	if err != nil || !at.Addr().IsUnspecified() {
		return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	}
	for _, h := range hubs {
		u, err := url.Parse(h)
		if err != nil {
			continue
		}
		c, err := net.DialTimeout("udp", net.JoinHostPort(u.Hostname(), "9"), time.Second) // sends nothing: the system only says which address it would use
		if err != nil {
			continue
		}
		defer c.Close()
		if a, err := netip.ParseAddrPort(c.LocalAddr().String()); err == nil {
			return netip.AddrPortFrom(a.Addr().Unmap(), at.Port())
		}
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
}

// Site is this server's site as gossip shows it.
func (r *Role) Site(ctx context.Context) (wire.FleetSite, error) {
	r.mu.Lock()
	a, s := r.agent, r.site
	r.mu.Unlock()
	out := wire.FleetSite{On: r.p.SiteAddress != config.Off, Members: []wire.SiteMember{}}
	if a == nil || s == nil {
		m, err := r.p.Store.Membership(ctx)
		out.Site = m.Site
		return out, err
	}
	k, _ := a.Kept()
	out.Site, out.Node, out.Traffic = k.Site, r.p.Node, k.Traffic
	bans := s.swarm.Bans()
	roster := s.roster()
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Ring, out.Problem = s.ring.Epoch, s.problem
	out.HeldBack = !s.behind.IsZero() && r.p.Now().Sub(s.behind) > 3*time.Minute
	if s.at.IsValid() {
		out.Address = s.at.String()
	}
	if s.pool == nil {
		return out, nil
	}
	for _, m := range s.pool.Members() {
		x, _ := roster.Find(m.Node)
		var ban spec.Ban
		for _, c := range x.Certs {
			if b, ok := bans[c]; ok {
				ban = b
			}
		}
		out.Members = append(out.Members, wire.SiteMember{Node: m.Node, Name: x.Name, Banned: ban.Until, BannedWhy: ban.Why, Address: m.Address, State: string(m.State), Since: m.Since, Seen: m.Seen,
			Milliseconds: float64(m.RTT.Microseconds()) / 1000, Reason: m.Reason, Rev: m.Meta.Rev, Version: m.Meta.Version, Hub: m.Meta.Hub && m.State == member.Alive})
	}
	return out, nil
}
