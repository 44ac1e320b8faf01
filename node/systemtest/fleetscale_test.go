package systemtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgeward/fleet/agent"
	"edgeward/fleet/hub"
	"edgeward/fleet/outbox"
	"edgeward/fleet/pki"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/node/client"
	"edgeward/runtime/engine/enginetest"
	"edgeward/sync/tuf"
)

// TestSoakFleetAtScale holds a real hub, a process of its own, against many nodes: 100, or 10,000 with EDGEWARD_SOAK. The nodes live
// in the test: each has its own certificate and connection, waits in a long poll, opens the envelope, reports, keeps events while the hub is
// away and comes back as an agent does. What an agent does besides (verify the repository, fetch, prove) is not in it, because in a
// fleet other machines do that.
//
// Every node must acknowledge the document, come back after kill -9 of the hub, and no event may be lost or stored twice. How
// long all that took is logged, not judged.
func TestSoakFleetAtScale(t *testing.T) {
	needNative(t)
	n, dead := 100, time.Second
	if os.Getenv("EDGEWARD_SOAK") != "" {
		n, dead = 10_000, 10*time.Second
	}
	if s, err := strconv.Atoi(os.Getenv("EDGEWARD_FLEET_NODES")); err == nil {
		n = s
	}
	c := newCrowd(t, n)
	began := time.Now()
	c.join()
	t.Logf("%d nodes joined in %.1f s", n, time.Since(began).Seconds())
	c.live()
	c.all("the first document", func(x *extra) bool { return x.rev.Load() > 0 })
	cpu := c.cpu()
	time.Sleep(5 * time.Second)
	rss, _ := c.memory()
	t.Logf("waiting: hub %d MiB resident, %.2f of a core", rss>>20, (c.cpu()-cpu).Seconds()/5)

	from, cpu, mine := time.Now(), c.cpu(), own()
	must[client.Rollout](t)(c.hub.StartRollout(within(t, time.Minute), client.RolloutRequest{Model: "affine", Version: 1, Endpoint: "affine", Reason: "scale",
		Plan: rollout.Plan{Waves: []rollout.Wave{{Percent: 100}}, MaxMoving: n}}))
	c.all("the new document", func(x *extra) bool { return x.acked.Load() != nil })
	took := make([]time.Duration, 0, n)
	for _, x := range c.nodes {
		took = append(took, x.acked.Load().Sub(from))
	}
	slices.Sort(took)
	rss, peak := c.memory()
	t.Logf("a new document, acknowledged: p50 %.2f s, p99 %.2f s, all %.2f s; processor time: hub %.1f s, nodes and this test %.1f s; hub %d MiB resident, at most %d MiB",
		took[n/2].Seconds(), took[n*99/100].Seconds(), took[n-1].Seconds(), (c.cpu() - cpu).Seconds(), (own() - mine).Seconds(), rss>>20, peak>>20)

	c.away.Store(true)
	c.process.kill()
	time.Sleep(dead)
	for _, x := range c.nodes {
		x.happen(3)
	}
	back := time.Now()
	c.serve()
	c.away.Store(false)
	listening := time.Since(back)
	c.all("the hub's return", func(x *extra) bool { return x.back.Load() != nil && len(x.waiting()) == 0 })
	took = took[:0]
	for _, x := range c.nodes {
		took = append(took, x.back.Load().Sub(back))
	}
	slices.Sort(took)
	whole := time.Since(back)
	rss, peak = c.memory()
	t.Logf("hub killed, listening again after %.1f s: nodes back p50 %.1f s, all %.1f s, all events stored after %.1f s; hub %d MiB resident, at most %d MiB", listening.Seconds(),
		took[n/2].Seconds(), took[n-1].Seconds(), whole.Seconds(), rss>>20, peak>>20)
	if got := c.stored(); got != 3*n {
		t.Errorf("the hub has %d events of %d", got, 3*n)
	}
}

// crowd is a hub and the nodes that call it.
type crowd struct {
	testing.TB
	dir, at string
	process *process
	hub     *client.Client
	nodes   []*extra
	away    atomic.Bool // the hub is dead: what nodes hear now does not count
}

// extra is a node without a server.
type extra struct {
	id    string
	code  spec.Code
	wire  *agent.Wire
	hub   tuf.Public
	rev   atomic.Uint64
	acked atomic.Pointer[time.Time]
	back  atomic.Pointer[time.Time]

	mu     sync.Mutex
	events []spec.Event
	seq    uint64
}

func newCrowd(t testing.TB, n int) *crowd {
	t.Helper()
	c := &crowd{TB: t, dir: dataDir(t), at: freeAddress(t)}
	c.serve()
	ctx := within(t, time.Minute)
	must[client.ImportedVersion](t)(c.hub.ImportModel(ctx, "affine", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{}))
	root, ann, abe := newKey(t), newKey(t), newKey(t)
	f := foundFleet(t, c.hub, "https://"+c.at, root, tuf.Charter{Fleet: "scale", Models: both(ann, abe)})
	signVersion(t, c.hub, "affine", 1, ann, abe)
	var code spec.Code
	for i := range n {
		if i%1000 == 0 { // the most that one lets in
			made := must[client.FleetCode](t)(c.hub.CreateFleetCode(ctx, client.FleetCodeRequest{Site: "north", Auto: true, Uses: min(n-i, 1000), Minutes: 600}))
			code = must[spec.Code](t)(spec.ParseCode(made.Text))
		}
		c.nodes = append(c.nodes, &extra{id: fmt.Sprintf("node%06d", i), hub: f.HubKey, code: code})
	}
	return c
}

func newKey(t testing.TB) tuf.Key {
	t.Helper()
	return must[tuf.Key](t)(tuf.NewKey())
}

// serve starts the hub, the first time and again.
func (c *crowd) serve() { c.process, c.hub = serve(c.TB, c.dir, "--set", "fleet.address="+c.at) }

// join lets all nodes in, 32 at a time.
func (c *crowd) join() {
	c.Helper()
	var wg sync.WaitGroup
	next := make(chan *extra)
	errs := make(chan error, 32)
	for range 32 {
		wg.Go(func() {
			for x := range next {
				if err := x.join(c.Context()); err != nil {
					select {
					case errs <- fmt.Errorf("%s: %w", x.id, err):
					default:
					}
				}
			}
		})
	}
	for _, x := range c.nodes {
		next <- x
	}
	close(next)
	wg.Wait()
	select {
	case err := <-errs:
		c.Fatal(err)
	default:
	}
}

func (x *extra) join(ctx context.Context) error {
	code := x.code
	who, csr, err := pki.Request(x.id)
	if err != nil {
		return err
	}
	a, err := agent.Join(ctx, code, nil, spec.JoinRequest{Format: spec.Format, Code: code.ID, Secret: code.Secret, Node: x.id, CSR: csr, Facts: spec.Facts{Name: x.id}})
	if err != nil {
		return err
	}
	who, authority, err := who.Join(code.CA, x.id, a.Chain)
	if err != nil {
		return err
	}
	cert, err := who.TLS()
	if err != nil {
		return err
	}
	x.wire = agent.NewWire(code.Hubs, pki.NodeTLS(authority, func() (*tls.Certificate, error) { return &cert, nil }), nil, nil)
	return nil
}

// live sets every node to work until the test ends.
func (c *crowd) live() {
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	c.Cleanup(func() { stop(); wg.Wait() })
	for _, x := range c.nodes {
		wg.Go(func() { c.work(ctx, x) })
	}
}

// work is the loop of an agent: a long poll, a report of what came, events, and pauses as long as an agent's when the hub is away.
func (c *crowd) work(ctx context.Context, x *extra) {
	sleep := func(d time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	pauses := agent.Backoff{Least: 4 * time.Second, Dice: rand.Int64N}
	for lost := false; ctx.Err() == nil; {
		envelope, err := x.wire.Desired(ctx, x.rev.Load(), x.patience())
		now := time.Now()
		if err != nil {
			lost = true
		} else if envelope != nil {
			err = x.take(ctx, envelope)
		}
		if err == nil {
			if lost && !c.away.Load() {
				x.back.CompareAndSwap(nil, &now)
				sleep(outbox.Share(x.id, hub.Spread(len(c.nodes))))
				lost = false
			}
			if list := x.waiting(); len(list) > 0 && !lost {
				if _, err = x.wire.Events(ctx, list); err == nil {
					x.sent(len(list))
				}
			}
		}
		if err != nil {
			sleep(pauses.Next(err))
			continue
		}
		pauses.Answered()
	}
}

// patience is how long the next long poll may last: with events to send, not at all.
func (x *extra) patience() time.Duration {
	if len(x.waiting()) > 0 {
		return 0
	}
	return 55 * time.Second
}

// take opens a document and reports it as done.
func (x *extra) take(ctx context.Context, envelope []byte) error {
	b, err := tuf.OpenEnvelope(envelope, spec.PayloadDesired, spec.MaxDesired, x.hub)
	if err != nil {
		return err
	}
	d, err := spec.ParseDesired(b)
	if err != nil {
		return err
	}
	if d.Node != x.id {
		return errors.New("a document for " + d.Node)
	}
	x.seq++
	r := spec.Reported{Format: spec.Format, Node: x.id, Boot: "boot-" + x.id, Seq: x.seq, At: time.Now().UTC(), Rev: d.Rev, Facts: spec.Facts{Name: x.id}}
	for _, e := range d.Endpoints {
		r.Endpoints = append(r.Endpoints, spec.State{Group: e.Group, Name: e.Name, Want: e.Digest, Live: e.Digest, Phase: spec.Committed, Since: r.At})
	}
	if err := x.wire.Report(ctx, r); err != nil {
		return err
	}
	x.rev.Store(d.Rev)
	if now := time.Now(); len(d.Endpoints) > 0 {
		x.acked.CompareAndSwap(nil, &now)
	}
	return nil
}

func (x *extra) happen(n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range n {
		x.events = append(x.events, spec.Event{ID: fmt.Sprintf("%s-%d", x.id, i), Class: spec.Performance, At: time.Now().UTC(), What: "edgeward.performance/1", Object: "affine", Body: []byte(`{"requests":1}`)})
	}
}

func (x *extra) waiting() []spec.Event {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.events
}

func (x *extra) sent(n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.events = x.events[n:]
}

// all waits until holds of every node.
func (c *crowd) all(what string, holds func(*extra) bool) {
	c.Helper()
	eventually(c.TB, 8*time.Minute, what+" at every node", func() bool {
		time.Sleep(100 * time.Millisecond)
		return !slices.ContainsFunc(c.nodes, func(x *extra) bool { return !holds(x) })
	})
}

// stored counts the events at the hub.
func (c *crowd) stored() (n int) {
	c.Helper()
	for cursor := ""; ; {
		p := must[client.FleetEvents](c.TB)(c.hub.FleetEvents(within(c.TB, time.Minute), "", string(spec.Performance), cursor))
		n += len(p.Items)
		if cursor = p.Next; cursor == "" {
			return n
		}
	}
}

// memory is what the hub's process has resident, now and at most, in bytes; its workers not counted.
func (c *crowd) memory() (now, peak int64) {
	c.Helper()
	pid := c.process.cmd.Process.Pid
	return memoryOf(c.TB, pid, "VmRSS"), memoryOf(c.TB, pid, "VmHWM")
}

// cpu is what the hub's process has used so far.
func (c *crowd) cpu() time.Duration {
	c.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(c.process.cmd.Process.Pid), "stat"))
	if err != nil {
		c.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	user, _ := strconv.Atoi(f[11])
	sys, _ := strconv.Atoi(f[12])
	return time.Duration(user+sys) * 10 * time.Millisecond // the kernel counts in hundredths
}

// own is what this process, in which the nodes live, has used of the processor so far.
func own() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
