package simfleet

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/fleet/pki"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/sync/blobs"
	"edgeward/sync/pull"
	"edgeward/sync/tuf"
)

// Options say what is simulated.
type Options struct {
	Seed  uint64
	Nodes int
	Sites int // 0: one for each twenty nodes, at most 500
	Line  Line
	Disk  bool                                  // each node has a blob store on the disk, and fetches by sync/pull
	Hubs  []string                              // names of the machines that may be a hub, the first is; none: hub-a
	Load  func(node int, d *Dice) float64       // requests a second; nil: 5 to 55
	Skew  func(node int, d *Dice) time.Duration // of clocks; nil: none
}

// Fleet is a hub and its nodes. It lives in one bubble of testing/synctest, and ends with End.
type Fleet struct {
	testing.TB
	Library *Library
	Hubs    []*Hub
	Nodes   []*Node

	o      Options
	began  time.Time
	dir    string
	dice   *Dice
	ctx    context.Context
	stop   context.CancelFunc
	wg     sync.WaitGroup
	puller *pull.Puller // of manifests, for all
	hubKey tuf.Key
	people []tuf.Key // root, ann, abe
	ca     pki.CA
	codes  map[string]*code

	mu        sync.Mutex
	ids       int
	trace     []string
	cut       map[string]bool // host of a node, " ", name of a hub
	documents map[revision]edgeward.Digest
}

// revision is one document of a node.
type revision struct {
	node      string
	term, rev uint64
}

// code is a join code with what is left of it.
type code struct {
	spec.Code
	left int
}

// New founds a fleet, lets the nodes join and turns everything on. It is called in a bubble.
func New(t testing.TB, o Options) *Fleet {
	t.Helper()
	f := &Fleet{TB: t, o: o, Library: &Library{}, began: clock(), dir: t.TempDir(), dice: NewDice(o.Seed, "fleet"), codes: map[string]*code{}, cut: map[string]bool{}, documents: map[revision]edgeward.Digest{}}
	f.ctx, f.stop = context.WithCancel(context.Background())
	store, err := blobs.Open(filepath.Join(f.dir, "manifests"), clock)
	f.ok(err)
	f.puller = &pull.Puller{Blobs: store, Dir: filepath.Join(f.dir, "parts")}
	f.people = make([]tuf.Key, 3)
	for _, k := range []*tuf.Key{&f.hubKey, &f.people[0], &f.people[1], &f.people[2]} {
		*k, err = tuf.NewKey()
		f.ok(err)
	}
	f.ca, err = pki.NewCA("fleet1", clock())
	f.ok(err)
	if len(o.Hubs) == 0 {
		f.o.Hubs = []string{"hub-a"}
	}
	for _, name := range f.o.Hubs {
		h := &Hub{f: f, Host: name, Shelf: newShelf()}
		h.Shelf.note = f.note
		f.Hubs = append(f.Hubs, h)
	}
	h := f.Hubs[0].Start()
	p, err := tuf.Begin(tuf.Charter{Fleet: "fleet1", Hub: f.hubKey.Public(), Root: tuf.Role{Holders: []tuf.Holder{{Name: "root", Key: f.people[0].Public()}}},
		Models: tuf.Role{Threshold: 2, Holders: []tuf.Holder{{Name: "ann", Key: f.people[1].Public()}, {Name: "abe", Key: f.people[2].Public()}}}}, clock())
	f.ok(err)
	sigs, err := tuf.Sign(tuf.Set{}, p, f.people[0])
	f.ok(err)
	p, _, err = p.Add(tuf.Set{}, sigs...)
	f.ok(err)
	_, err = h.Found(f.ctx, "user:root", "hospital", f.addresses(), p)
	f.ok(err)
	for i := range o.Nodes {
		f.Join(i).Start()
	}
	return f
}

// Join lets the i-th node into the fleet. It is off.
func (f *Fleet) Join(i int) *Node {
	f.Helper()
	sites := cmp.Or(f.o.Sites, min(500, 1+f.o.Nodes/20))
	n := &Node{f: f, ID: fmt.Sprintf("n%05d", i), Site: fmt.Sprintf("site-%d", i%sites)}
	n.Host = n.ID
	dice := NewDice(f.o.Seed, "machine "+n.Host)
	n.Machine = newMachine(f.Library, n.ID, dice)
	if f.o.Load != nil {
		n.Machine.Load = f.o.Load(i, dice)
	} else {
		n.Machine.Load = float64(5 + dice.Int(50))
	}
	if f.o.Skew != nil {
		n.Skew = f.o.Skew(i, dice)
	}
	n.line = &line{n: n}
	n.store()
	_, csr, err := pki.Request(n.ID)
	f.ok(err)
	c := f.code(n.Site)
	n.pin = c.Root
	n.join, err = f.Hub().Join(f.ctx, spec.JoinRequest{Format: spec.Format, Code: c.ID, Secret: c.Secret, Node: n.ID, CSR: csr, Facts: spec.Facts{Name: n.ID}})
	f.ok(err)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Nodes = append(f.Nodes, n)
	return n
}

// Clone is another machine with a copy of n's disk. It is off, and not among Nodes.
func (f *Fleet) Clone(n *Node) *Node {
	c := &Node{f: f, ID: n.ID, Host: n.ID + "-copy", Site: n.Site, join: n.join, pin: n.pin}
	n.mu.Lock()
	c.disk = n.disk
	c.disk.log = slices.Clone(n.disk.log) // each adds to its own
	n.mu.Unlock()
	c.line = &line{n: c}
	c.Machine = newMachine(f.Library, c.ID, NewDice(f.o.Seed, "machine "+c.Host))
	c.Machine.Load = n.Machine.Load
	c.store()
	return c
}

func (f *Fleet) code(site string) spec.Code {
	f.Helper()
	c := f.codes[site]
	if c == nil || c.left == 0 {
		_, text, err := f.Hub().CreateCode(f.ctx, "user:ann", hub.CodeRequest{Site: site, Auto: true, Uses: hub.MaxCodeUses})
		f.ok(err)
		parsed, err := spec.ParseCode(text)
		f.ok(err)
		c = &code{parsed, hub.MaxCodeUses}
		f.codes[site] = c
	}
	c.left--
	return c.Code
}

func (f *Fleet) addresses() (out []string) {
	for _, h := range f.o.Hubs {
		out = append(out, "https://"+h)
	}
	return out
}

func (f *Fleet) hubAt(host string) *Hub {
	for _, h := range f.Hubs {
		if h.Host == host {
			return h
		}
	}
	panic("no hub " + host)
}

// Hub is the first hub that is up; one must be.
func (f *Fleet) Hub() *hub.Hub {
	f.Helper()
	for _, h := range f.Hubs {
		if p := h.process(); p != nil {
			return p.Hub
		}
	}
	f.Fatal("no hub is up")
	return nil
}

// Errorf names the seed.
func (f *Fleet) Errorf(format string, args ...any) {
	f.Helper()
	f.TB.Errorf("seed %d: "+format, append([]any{f.o.Seed}, args...)...)
}

func (f *Fleet) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *Fleet) newID() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ids++
	return fmt.Sprintf("id%06d", f.ids)
}

// Sign makes a version and has it signed by both persons.
func (f *Fleet) Sign(v Version) edgeward.Digest {
	f.Helper()
	d := f.Library.Add(v)
	h := f.Hub()
	p, err := h.Ask(f.ctx, "user:ann", "main", model, v.Number)
	f.ok(err)
	for _, k := range f.people[1:] {
		sigs, err := tuf.Sign(h.Fleet().Set, p, k)
		f.ok(err)
		_, _, err = h.Sign(f.ctx, "user:ann", p.ID(), sigs)
		f.ok(err)
	}
	return d
}

// Roll starts a rollout; its id is made of the seed, so that the order of its nodes is.
func (f *Fleet) Roll(version int, plan rollout.Plan, p spec.Probation) string {
	f.Helper()
	id, err := f.TryRoll(f.Hub(), version, plan, p)
	f.ok(err)
	return id
}

// TryRoll is Roll at one of the hubs, which may fail.
func (f *Fleet) TryRoll(h *hub.Hub, version int, plan rollout.Plan, p spec.Probation) (string, error) {
	key := fmt.Sprintf("r%d-%d", f.o.Seed, version)
	_, err := h.StartRollout(f.ctx, "user:ann", "main", hub.Order{Key: key, Endpoint: model, Model: model, Version: version, Plan: plan, Probation: p, Reason: "simulation"})
	return key, err
}

// Everywhere brings a version to all nodes at once, and waits until they have it.
func (f *Fleet) Everywhere(version int) {
	f.Helper()
	f.Sign(Version{Number: version})
	id := f.Roll(version, rollout.Plan{Waves: []rollout.Wave{{Percent: 100}}, MaxMoving: len(f.Nodes) + 1}, spec.Probation{Requests: 50, Longest: time.Minute})
	if m := f.Await(id, 30*time.Minute); m.State != rollout.Succeeded {
		f.Fatalf("seed %d: version %d is not everywhere: %s, %s", f.o.Seed, version, m.State, m.Why)
	}
}

// Await waits until a rollout ends or pauses, and returns it. A hub that is down is waited for.
func (f *Fleet) Await(id string, longest time.Duration) (m hub.Move) {
	f.Helper()
	f.Until(longest, "rollout "+id+" ends or pauses", func() bool {
		for _, h := range f.Hubs {
			if p := h.process(); p != nil && p.Fleet().Superseded.IsZero() {
				var err error
				if m, err = p.Rollout(id); err == nil && (m.State.Final() || m.State == rollout.Paused) {
					return true
				}
			}
		}
		return false
	})
	return m
}

// Until waits until holds does, looking each second.
func (f *Fleet) Until(longest time.Duration, what string, holds func() bool) time.Duration {
	f.Helper()
	from := clock()
	for !holds() {
		if since(from) > longest {
			f.Fatalf("seed %d: after %s not: %s\n%s", f.o.Seed, longest, what, strings.Join(f.Trace(), "\n"))
		}
		time.Sleep(time.Second + 17*time.Nanosecond)
	}
	return since(from)
}

// All reports whether holds does of every node that is on.
func (f *Fleet) All(holds func(*Node) bool) bool {
	for _, n := range f.Nodes {
		if n.On() && !holds(n) {
			return false
		}
	}
	return true
}

// Cut ends the ways between nodes and a hub; Heal opens them again.
func (f *Fleet) Cut(h *Hub, nodes ...*Node) { f.ways(true, h, nodes) }

// Heal undoes Cut.
func (f *Fleet) Heal(h *Hub, nodes ...*Node) { f.ways(false, h, nodes) }

func (f *Fleet) ways(cut bool, h *Hub, nodes []*Node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range nodes {
		f.cut[n.Host+" "+h.Host] = cut
	}
}

func (f *Fleet) isCut(n *Node, hub string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cut[n.Host+" "+hub]
}

// Of are the nodes of a site.
func (f *Fleet) Of(site string) (out []*Node) {
	for _, n := range f.Nodes {
		if n.Site == site {
			out = append(out, n)
		}
	}
	return out
}

// open reads a document.
func (f *Fleet) open(envelope []byte) (spec.Desired, error) {
	b, err := tuf.OpenEnvelope(envelope, spec.PayloadDesired, spec.MaxDesired, f.hubKey.Public())
	if err != nil {
		return spec.Desired{}, err
	}
	return spec.ParseDesired(b)
}

// note takes what a hub says for its audit into the trace.
func (f *Fleet) note(c hub.Change) {
	if !strings.HasPrefix(c.Action, "fleet.rollout.") && !strings.HasPrefix(c.Action, "fleet.node.quarantined") && c.Action != "fleet.superseded" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trace = append(f.trace, fmt.Sprintf("%10.3f %s %s %s %s", since(f.began).Seconds(), c.Action, c.Object, c.Detail["node_id"], c.Reason))
}

// Trace is what happened and how everything stands: the same for each seed.
func (f *Fleet) Trace() []string {
	f.mu.Lock()
	out := append([]string(nil), f.trace...)
	f.mu.Unlock()
	for _, n := range f.Nodes {
		s := n.State()
		out = append(out, fmt.Sprintf("%s on %t answers %d phase %s %s %s", n.Host, n.On(), n.Machine.Answers(), s.Phase, s.Code, s.Reason))
	}
	return out
}

// End turns everything off.
func (f *Fleet) End() {
	f.stop()
	for _, n := range f.Nodes {
		n.Crash()
	}
	for _, h := range f.Hubs {
		h.Kill()
	}
	f.wg.Wait()
}
