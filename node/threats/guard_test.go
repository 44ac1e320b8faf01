package threats

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/hub"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/fleet/witness"
	"edgeward/node/events"
	"edgeward/node/store"
	"edgeward/runtime/models"
	"edgeward/sync/blobs"
	"edgeward/sync/delta"
	"edgeward/sync/pull"
	"edgeward/sync/tuf"
)

// guard is a node: a real agent with a real store on a disk of its own.
type guard struct {
	*fort
	id    string
	dir   string
	shift atomic.Int64 // of this node's clock, in seconds
	m     store.Membership
	db    *store.DB
	blobs *blobs.Store
	wire  *agent.Wire
	local *machine

	mu   sync.Mutex
	a    *agent.Agent
	eyes *witness.Witness
	stop func()

	near *near // its part in its site; nil: the port is closed
}

// node lets a server join over the wire, and starts its agent.
func (f *fort) node(set ...func(*guard)) *guard {
	f.Helper()
	f.nodes++
	g := &guard{fort: f, id: fmt.Sprintf("node%d", f.nodes), dir: f.TempDir()}
	for _, s := range set {
		s(g)
	}
	g.open()
	g.join(f.code(hub.CodeRequest{Auto: true}))
	g.run()
	return g
}

func (g *guard) now() time.Time { return time.Now().Add(time.Duration(g.shift.Load()) * time.Second) }

// open opens what the node has on its disk.
func (g *guard) open() {
	g.Helper()
	var err error
	g.db, err = store.Open(g.dir, store.Options{Now: g.now})
	g.ok(err)
	g.blobs, err = blobs.Open(filepath.Join(g.dir, "blobs"), g.now)
	g.ok(err)
	if g.local == nil {
		g.local = &machine{here: map[edgeward.Digest]models.Manifest{}, blobs: g.blobs}
	}
	g.Cleanup(func() { g.quiet(); g.db.Close() })
}

// asked asks to join and returns the hub's answer.
func (f *fort) asked(code, node string) (spec.JoinAnswer, pki.Identity, spec.Code, error) {
	f.Helper()
	c, err := spec.ParseCode(code)
	f.ok(err)
	id, csr, err := pki.Request(node)
	f.ok(err)
	a, err := agent.Join(f.Context(), c, nil, spec.JoinRequest{Format: spec.Format, Code: c.ID, Secret: c.Secret, Node: node, CSR: csr, Facts: spec.Facts{Name: node}})
	return a, id, c, err
}

func (g *guard) join(code string) {
	g.Helper()
	a, id, c, err := g.asked(code, g.id)
	g.ok(err)
	if a.Pending {
		g.Fatal("nobody joined")
	}
	id, _, err = id.Join(c.CA, g.id, a.Chain)
	g.ok(err)
	if edgeward.DigestOf(a.Root) != c.Root {
		g.Fatal("another root than the code's")
	}
	g.m = store.Membership{Fleet: a.Fleet, Name: a.Name, Site: a.Site, Hubs: c.Hubs, CA: c.CA, Pin: c.Root, Root: a.Root, Identity: id, Joined: g.now()}
	g.ok(g.db.PutMembership(g.Context(), g.m, events.Event{Time: g.now(), Principal: "user:bea", Action: "fleet.joined", Object: events.Object{Kind: "fleet", ID: "fleet"}}))
}

// line is a wire with the node's certificate.
func (g *guard) line(hubs []string, heard func(time.Time)) *agent.Wire {
	g.Helper()
	cert, authority, err := g.m.Identity.Kept(g.m.CA, g.id)
	g.ok(err)
	w := agent.NewWire(hubs, pki.NodeTLS(authority, func() (*tls.Certificate, error) { return &cert, nil }), nil, heard)
	g.Cleanup(w.Close)
	return w
}

// run starts the agent, as after a start of the server.
func (g *guard) run() {
	g.Helper()
	g.ok(g.start())
}

func (g *guard) start() error {
	var a *agent.Agent
	g.wire = g.line(g.m.Hubs, func(t time.Time) {
		if a != nil {
			a.Heard(t)
		}
	})
	eyes, err := witness.Open(g.Context(), witness.Options{Fleet: g.m.Fleet, Key: func() (tuf.Public, error) { return a.HubKey() }, Ask: g.wire.Audit, Store: g.db, Found: func() { a.Tell() }, Now: g.now, Log: slog.New(slog.DiscardHandler),
		Rest: 50 * time.Millisecond, Every: time.Second})
	if err != nil {
		return err
	}
	o := agent.Options{Fleet: g.m.Fleet, Node: g.id, Pin: g.m.Pin, Root: g.m.Root, Hub: g.wire, Local: g.local, Store: g.db,
		Puller: &pull.Puller{Blobs: g.blobs, Dir: filepath.Join(g.dir, "parts"), Apply: delta.Apply}, Boot: g.fort.id(), Now: g.now, Log: slog.New(slog.DiscardHandler), Retry: 20 * time.Millisecond,
		Witness: func() *spec.Witness { return eyes.Kept().Report() }, Took: eyes.Knock}
	if g.near != nil {
		g.near.joins(&o)
	}
	a, err = agent.Open(g.Context(), o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		var both sync.WaitGroup
		both.Go(func() { _ = eyes.Run(ctx) })
		_ = a.Run(ctx)
		both.Wait()
	}()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.a, g.eyes, g.stop = a, eyes, func() { cancel(); <-done }
	return nil
}

// quiet ends the agent.
func (g *guard) quiet() {
	g.mu.Lock()
	stop := g.stop
	g.stop = nil
	g.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// cut is a power cut and a start: all that is remembered is what is on the disk.
func (g *guard) cut() {
	g.Helper()
	g.quiet()
	g.db.Close()
	g.open()
	g.local.blobs = g.blobs
	g.run()
}

// saw is what the node remembers of the hub's log.
func (g *guard) saw() witness.Kept {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.eyes.Kept()
}

func (g *guard) agent() *agent.Agent {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.a
}

// stands is what answers and how the wanted version stands: "1", "1 offered fleet.unsigned". A contact that is not well is named after "|".
func (g *guard) stands() string {
	k, c := g.agent().Kept()
	out := "nothing"
	if n := g.local.answers(); n > 0 {
		out = fmt.Sprint(n)
	}
	if len(k.Items) > 0 {
		if s := k.Items[0].State; s.Phase != spec.Committed || s.Want != g.local.now() {
			out += fmt.Sprint(" ", s.Phase)
			if s.Code != "" {
				out += " " + s.Code
			}
		}
	}
	if c.Code != "" {
		out += " | " + c.Code
	}
	return out
}

// becomes waits until version n answers, stays, and the hub is followed.
func (g *guard) becomes(n int) {
	g.Helper()
	g.stand(fmt.Sprint(n))
}

// stand waits until stands says so.
func (g *guard) stand(want string) {
	g.Helper()
	g.eventually(fmt.Sprintf("%s stands %q", g.id, want), func() bool { return g.stands() == want }, func() string {
		_, c := g.agent().Kept()
		return fmt.Sprintf("it stands %q (%+v)", g.stands(), c)
	})
}

// hint fails the test unless a person is told what to do about the contact or the version.
func (g *guard) hint() {
	g.Helper()
	k, c := g.agent().Kept()
	if c.Code != "" && (c.Problem == "" || c.Hint == "") {
		g.Errorf("%s says %+v: no words or no hint", g.id, c)
	}
	for _, i := range k.Items {
		if i.State.Code != "" && i.State.Reason == "" {
			g.Errorf("%s says of the version %+v", g.id, i.State)
		}
	}
}

// innocent fails the test if anything of version n is on the node.
func (g *guard) innocent(n int) {
	g.Helper()
	_, _, d, files := version(n)
	if g.local.has(d) {
		g.Errorf("%s has registered version %d", g.id, n)
	}
	for i, b := range files {
		if _, err := g.blobs.Stat(edgeward.DigestOf(b)); err == nil {
			g.Errorf("%s has file %d of version %d", g.id, i, n)
		}
	}
}

// copied is a second machine with a copy of the node's disk.
func (g *guard) copied() *guard {
	g.Helper()
	g.quiet()
	g.db.Close()
	twin := &guard{fort: g.fort, id: g.id, dir: g.TempDir(), m: g.m}
	g.ok(os.CopyFS(twin.dir, os.DirFS(g.dir)))
	g.open()
	g.local.blobs = g.blobs
	twin.open()
	twin.local.live, twin.local.previous = g.local.live, g.local.previous
	g.run()
	twin.run()
	return twin
}

// machine is a node's endpoints: one, triage.
type machine struct {
	blobs *blobs.Store

	mu             sync.Mutex
	live, previous edgeward.Digest
	shadow         edgeward.Digest
	here           map[edgeward.Digest]models.Manifest
	count          uint64
	bad            edgeward.Digest // does not load
	name           string
}

// answers is the number of the version that answers, 0 none.
func (m *machine) answers() int {
	now := m.now()
	return max(0, slices.IndexFunc(versions(), func(v made) bool { return v.digest == now }))
}

func (m *machine) now() edgeward.Digest {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.live
}

func (m *machine) has(d edgeward.Digest) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.here[d]
	return ok
}

func (m *machine) Fits(context.Context, spec.Endpoint, models.Manifest) error { return nil }

func (m *machine) Here(_ context.Context, w spec.Endpoint) (bool, error) { return m.has(w.Digest), nil }

func (m *machine) Known(_ context.Context, _ spec.Endpoint, d edgeward.Digest) (models.Manifest, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x, ok := m.here[d]
	return x, ok
}

func (m *machine) Register(ctx context.Context, w spec.Endpoint, x models.Manifest) error {
	for _, f := range x.Files {
		if _, err := m.blobs.Verified(ctx, f.Digest); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.here[w.Digest] = x
	return nil
}

func (m *machine) Observe(_ context.Context, w spec.Endpoint) (agent.Observed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count += 20
	o := agent.Observed{Exists: m.live != "", Live: m.live, Previous: m.previous, Shadow: m.shadow == w.Digest, Target: m.live == w.Digest, Loaded: true}
	if m.bad == w.Digest {
		o.Loaded, o.Failure = false, *edgeward.E("machine", edgeward.Invalid, "engine.model", "it does not load")
	}
	if o.Shadow {
		o.Seen.Compared = m.count
	}
	if o.Target {
		o.Served.Answers = m.count
	}
	return o, nil
}

func (m *machine) Do(_ context.Context, a agent.Act, w spec.Endpoint) (made bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.here[w.Digest]; !ok && (a == agent.Shadow || a == agent.Promote) {
		return false, errors.New("it is not registered")
	}
	switch a {
	case agent.Shadow:
		m.shadow = w.Digest
	case agent.Promote:
		made = m.live == ""
		if m.live != w.Digest {
			m.live, m.previous, m.shadow = w.Digest, m.live, ""
		}
	case agent.Withdraw:
		m.shadow = ""
	case agent.Back:
		m.live, m.previous = m.previous, ""
	case agent.Remove:
		m.live, m.previous, m.shadow = "", "", ""
	}
	return made, nil
}

func (m *machine) Facts() spec.Facts {
	m.mu.Lock()
	defer m.mu.Unlock()
	return spec.Facts{Name: cmp.Or(m.name, "a server")}
}

func (m *machine) rename(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.name = name
}
