package role

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/outbox"
	"edgeward/fleet/pki"
	"edgeward/fleet/selector"
	"edgeward/fleet/spec"
	"edgeward/fleet/witness"
	"edgeward/node/events"
	"edgeward/node/store"
	"edgeward/node/wire"
	"edgeward/sync/delta"
	"edgeward/sync/pull"
	"edgeward/sync/tuf"
)

// Membership says how it stands.
func (r *Role) Membership(ctx context.Context) (wire.FleetMembership, error) {
	m, err := r.p.Store.Membership(ctx)
	if err != nil {
		return wire.FleetMembership{}, err
	}
	r.mu.Lock()
	a, eyes, problem := r.agent, r.eyes, r.asking
	r.mu.Unlock()
	out := wire.FleetMembership{Fleet: m.Fleet, Name: m.Name, Site: m.Site, Hubs: m.Hubs, Joined: m.Joined, Pending: m.Fleet == "" && len(m.Request) > 0}
	out.ByFile = out.Pending && m.ByFile
	if out.Pending {
		out.Problem = problem
	}
	if c, err := m.Identity.TLS(); err == nil {
		out.Until = c.Leaf.NotAfter
	}
	if a == nil {
		return out, nil
	}
	k, contact := a.Kept()
	out.Rev, out.Contact, out.Traffic, out.FourEyes = k.Rev, contact, k.Traffic, a.FourEyes()
	if k.Site != "" {
		out.Site = k.Site
	}
	out.Items, out.Queue = a.States(), r.queue()
	out.Witness = newFleetWitness(eyes.Kept())
	out.Autonomy, out.Promotions, out.Offers = k.Policy.Autonomy, k.Promotions, a.Offered()
	if out.Autonomy.Mode == spec.LocalPromote && !out.Autonomy.Always {
		out.MayFrom = a.SilentSince().Add(out.Autonomy.After.Duration())
	}
	return out, nil
}

// Join asks the hub of a code to let this server in. Approved at once, it is a member when Join returns; else Pending, and it goes on asking.
// The same code again asks again.
func (r *Role) Join(ctx context.Context, by, text string, tags map[string]string) (wire.FleetMembership, error) {
	m, err := r.begin(ctx, by, text, tags, false)
	if err != nil {
		return wire.FleetMembership{}, err
	}
	if m.Fleet != "" {
		return r.Membership(ctx)
	}
	if err := r.ask(ctx, by, m); err != nil {
		if k := edgeward.KindOf(err); k != edgeward.Unavailable && k != edgeward.Exhausted { // it will never be let in with this code
			_ = r.p.Store.LeaveFleet(ctx, r.event(by, "fleet.join_refused", edgeward.CodeOf(err)))
		}
		return wire.FleetMembership{}, err
	}
	poke(r.joined)
	return r.Membership(ctx)
}

// Ask has this server ask the hub of a code for as long as it takes, and does not wait for it: an installation without a person. What comes of it is in
// the log.
func (r *Role) Ask(ctx context.Context, by, text string, tags map[string]string) error {
	_, err := r.begin(ctx, by, text, tags, false)
	if err == nil {
		poke(r.joined)
	}
	return err
}

// begin keeps whom to ask and how, with a new key. A member of the code's fleet stays as it is.
func (r *Role) begin(ctx context.Context, by, text string, tags map[string]string, file bool) (store.Membership, error) {
	c, err := spec.ParseCode(text)
	if err == nil {
		err = selector.CheckTags(tags)
	}
	if err != nil {
		return store.Membership{}, err
	}
	m, err := r.p.Store.Membership(ctx)
	if err != nil || m.Fleet == "" && m.Code.ID == c.ID && m.ByFile == file {
		return m, err
	}
	if m.Fleet == "" && m.Code.ID == c.ID { // the same key, another way
		m.ByFile = file
		return m, r.p.Store.PutMembership(ctx, m, r.event(by, "fleet.join_asked", ""))
	}
	if m.Fleet != "" {
		if m.Pin != c.Root {
			err = edgeward.E("role.Join", edgeward.Conflict, "fleet.member", "this server belongs to fleet %s", m.Name).WithHint("leave it first: edgeward fleet leave")
		}
		return m, err
	}
	id, csr, err := pki.Request(r.p.Node)
	if err != nil {
		return m, err
	}
	m = store.Membership{Hubs: c.Hubs, CA: c.CA, Pin: c.Root, Identity: id, Request: csr, Code: c, Tags: tags, ByFile: file}
	return m, r.p.Store.PutMembership(ctx, m, r.event(by, "fleet.join_asked", ""))
}

// ask asks once, and keeps the membership if the answer is one.
func (r *Role) ask(ctx context.Context, by string, m store.Membership) error {
	a, err := agent.Join(ctx, m.Code, r.p.Proxy, spec.JoinRequest{Format: spec.Format, Code: m.Code.ID, Secret: m.Code.Secret, Node: r.p.Node, CSR: m.Request, Tags: m.Tags, Facts: r.p.Local.Facts()})
	if err != nil || a.Pending {
		return err
	}
	id, _, err := m.Identity.Join(m.CA, r.p.Node, a.Chain)
	if err != nil {
		return err
	}
	if edgeward.DigestOf(a.Root) != m.Pin {
		return edgeward.E("role.ask", edgeward.Forbidden, "fleet.pin", "the hub's first root is not the one of the join code").WithHint("get a new code at the right hub")
	}
	m.Fleet, m.Name, m.Site, m.Identity, m.Root, m.Joined = a.Fleet, a.Name, a.Site, id, a.Root, r.p.Now()
	return r.belongs(ctx, by, m)
}

// belongs keeps a membership.
func (r *Role) belongs(ctx context.Context, by string, m store.Membership) error {
	m.Code, m.Request, m.Tags, m.ByFile = spec.Code{}, nil, nil, false
	if err := r.p.Store.PutMembership(ctx, m, r.event(by, "fleet.joined", m.Name)); err != nil {
		return err
	}
	r.p.Log.Info("this server joined a fleet", "fleet", m.Name, "site", m.Site)
	return nil
}

// Leave ends the membership and tells the hub, if that can be reached; told says whether it knows. Endpoints stay as they are.
func (r *Role) Leave(ctx context.Context, by, reason string) (told bool, err error) {
	m, err := r.p.Store.Membership(ctx)
	if err != nil || m.Fleet == "" && len(m.Request) == 0 {
		return false, err
	}
	r.mu.Lock()
	if r.agent != nil {
		if k, _ := r.agent.Kept(); len(k.Hubs) > 0 {
			m.Hubs = k.Hubs
		}
	}
	r.mu.Unlock()
	e := r.event(by, "fleet.left", m.Name)
	e.Reason = reason
	if err := r.p.Store.LeaveFleet(ctx, e); err != nil {
		return false, err
	}
	poke(r.joined)
	if m.Fleet == "" {
		return false, nil
	}
	if err := r.goodbye(ctx, m); err != nil {
		r.p.Log.Warn("the hub does not know that this server left", "err", err)
		return false, nil
	}
	return true, nil
}

// goodbye tells the hub that this server has left.
func (r *Role) goodbye(ctx context.Context, m store.Membership) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cert, authority, err := m.Identity.Kept(m.CA, r.p.Node)
	if err != nil {
		return err
	}
	line := agent.NewWire(m.Hubs, pki.NodeTLS(authority, func() (*tls.Certificate, error) { return &cert, nil }), r.p.Proxy, nil)
	defer line.Close()
	return line.Leave(ctx)
}

func (r *Role) event(by, action, name string) events.Event {
	return events.Event{Time: r.p.Now(), Principal: by, Action: action, Object: events.Object{Kind: "fleet", ID: "fleet", Name: name}}
}

// runMember is a node for as long as there is a membership.
func (r *Role) runMember(ctx context.Context) {
	for ctx.Err() == nil {
		m, err := r.p.Store.Membership(ctx)
		switch {
		case err == nil && m.Fleet != "":
			r.follow(ctx, m)
			continue
		case err == nil && len(m.Request) > 0 && !m.ByFile:
			err = r.ask(ctx, "system:fleet", m)
			r.asked(err)
			wait := 2 * time.Second
			if k := edgeward.KindOf(err); err != nil && k != edgeward.Unavailable && k != edgeward.Exhausted {
				wait = 30 * time.Second // only a person at the hub can change that
			}
			select {
			case <-ctx.Done():
			case <-r.joined:
			case <-time.After(wait):
			}
		default:
			select {
			case <-ctx.Done():
			case <-r.joined:
			}
		}
	}
}

// asked notes what became of asking the hub; the log has each change.
func (r *Role) asked(err error) {
	words := edgeward.Words(err)
	r.mu.Lock()
	was := r.asking
	r.asking = words
	r.mu.Unlock()
	if words != was && err != nil {
		r.p.Log.Warn("this server is not let into the fleet", "code", edgeward.CodeOf(err), "problem", words, "hint", edgeward.HintOf(err))
	}
}

// follow runs the agent until the membership changes.
func (r *Role) follow(parent context.Context, m store.Membership) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	go func() {
		select {
		case <-r.joined:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := r.act(ctx, m); err != nil && ctx.Err() == nil {
		r.p.Log.Error("this server does not follow its fleet", "err", err)
		pause(ctx, 10*time.Second)
	}
}

func (r *Role) act(ctx context.Context, m store.Membership) error {
	first, authority, err := m.Identity.Kept(m.CA, r.p.Node)
	if err != nil {
		return err
	}
	var cert atomic.Pointer[tls.Certificate] // what it points at is never changed: handshakes go on with it
	cert.Store(&first)
	current := func() (*tls.Certificate, error) { return cert.Load(), nil }
	var a *agent.Agent
	var box *outbox.Outbox
	line := agent.NewWire(m.Hubs, pki.NodeTLS(authority, current), r.p.Proxy, func(t time.Time) {
		if a != nil {
			a.Heard(t)
			box.Answered()
		}
	})
	defer line.Close()
	boot := r.p.NewID()
	line.Begins(boot)
	log := r.p.Log.With("role", "node")
	if err := r.p.Store.OpenFleetQueue(ctx); err != nil {
		return err
	}
	box = outbox.New(outbox.Options{Store: r.p.Store, Send: line.Events, Node: r.p.Node, Log: log})
	pace := agent.NewPace()
	puller := &pull.Puller{Blobs: r.p.Blobs, Dir: filepath.Join(r.p.Dir, "parts"), Apply: delta.Apply, Limit: pace.WAN}
	here := r.newSite(m, authority, current, puller, line, pace)
	eyes, err := witness.Open(ctx, witness.Options{Fleet: m.Fleet, Key: func() (tuf.Public, error) { return a.HubKey() }, Ask: line.Audit, Store: r.p.Store, Found: func() { a.Tell() }, Now: r.p.Now, Log: log})
	if err != nil {
		return err
	}
	a, err = agent.Open(ctx, agent.Options{Fleet: m.Fleet, Node: r.p.Node, Pin: m.Pin, Root: m.Root, Authority: authority, Sign: r.sign, Hub: line, Local: r.p.Local, Programs: r.programs(), Store: r.p.Store, Pace: pace, Queue: r.queue, Puller: puller,
		Bring: here.swarm.Bring, Gossip: here.report, Witness: func() *spec.Witness { return eyes.Kept().Report() }, Took: func() { here.knock(); eyes.Knock(); poke(r.renewal) }, Boot: boot, Now: r.p.Now, Log: log})
	if err != nil {
		return err
	}
	r.trusts(a, authority)
	r.mu.Lock()
	r.agent, r.site, r.eyes = a, here, eyes
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.agent, r.site, r.eyes = nil, nil, nil
		r.mu.Unlock()
	}()
	if k, _ := a.Kept(); len(k.Hubs) > 0 {
		line.Addresses(k.Hubs)
	}
	var wg sync.WaitGroup
	defer wg.Wait() // each ends with ctx, and writes to the store until then
	wg.Go(func() { here.run(ctx, a, m) })
	wg.Go(func() { r.count(ctx, a, line) })
	wg.Go(func() { r.answer(ctx, a, line) })
	wg.Go(func() {
		r.renew(ctx, m, a, authority, line, func(c tls.Certificate) {
			cert.Store(&c)
			line.Close()
		})
	})
	wg.Go(func() { _ = box.Run(ctx) })
	wg.Go(func() { _ = eyes.Run(ctx) })
	return a.Run(ctx)
}

// queue is what waits for the hub.
func (r *Role) queue() spec.Queue {
	q, err := r.p.Store.FleetQueue(context.Background())
	if err != nil {
		r.p.Log.Warn("what waits for the hub cannot be read", "err", err)
	}
	return q
}

// renew gets a new certificate when it is time, or when the fleet's CA is another; meanwhile it has this node trust what the charter says. Where the hub gives none
// it asks each hour, and where it is only busy, soon.
func (r *Role) renew(ctx context.Context, m store.Membership, a *agent.Agent, authority pki.Authority, line *agent.Wire, use func(tls.Certificate)) {
	var not time.Time // before that
	for {
		r.trusts(a, authority)
		if c, err := m.Identity.TLS(); err == nil && !time.Now().Before(not) && (pki.ShouldRenew(c.Leaf, r.p.Now()) || succeeded(a, m)) { // room:clock how often is asked
			if next, err := r.renewed(ctx, m, authority, line); err != nil {
				rest := time.Hour
				if edgeward.CodeOf(err) == "fleet.busy" {
					rest = 2*time.Second + rand.N(8*time.Second)
				}
				not = time.Now().Add(rest) // room:clock how often is asked
				r.p.Log.Warn("the certificate was not renewed", "until", c.Leaf.NotAfter, "err", err)
			} else if c, err := next.Identity.TLS(); err == nil {
				m = next
				use(c)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-r.renewal:
		case <-time.After(10 * time.Second):
		}
	}
}

// succeeded reports whether this node's certificate is of another CA than the one that issues now.
func succeeded(a *agent.Agent, m store.Membership) bool {
	k, _ := a.Kept()
	return k.Authority != "" && k.Authority != m.Identity.Issuer()
}

func (r *Role) renewed(ctx context.Context, m store.Membership, authority pki.Authority, line *agent.Wire) (store.Membership, error) {
	id, csr, err := pki.Request(r.p.Node)
	if err != nil {
		return m, err
	}
	chain, err := line.Renew(ctx, csr)
	if err != nil {
		return m, err
	}
	if m.Identity, err = id.Renew(authority, r.p.Node, chain); err != nil {
		return m, err
	}
	m.CA = m.Identity.Issuer()
	return m, r.p.Store.PutMembership(ctx, m, r.event("system:fleet", "fleet.certificate_renewed", m.Name))
}
