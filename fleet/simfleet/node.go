package simfleet

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/outbox"
	"edgeward/fleet/spec"
	"edgeward/sync/blobs"
	"edgeward/sync/pull"
	"edgeward/sync/tuf"
)

// Node is a machine with an agent and what it keeps. A clone has the ID of another and its own Host.
type Node struct {
	f        *Fleet
	ID, Host string
	Site     string
	Skew     time.Duration // of its clock
	Machine  *Machine
	line     *line
	join     spec.JoinAnswer
	pin      edgeward.Digest
	puller   *pull.Puller

	mu    sync.Mutex
	disk  disk
	boots int
	run   *run // nil: it is off
}

// disk is what survives.
type disk struct {
	kept  []byte // agent.Kept
	trust tuf.Set
	log   []spec.Event
	sent  int // of log
}

// run is a process of the node. It is agent.Store and outbox.Store until it is killed.
type run struct {
	n      *Node
	agent  atomic.Pointer[agent.Agent] // nil until it is open
	box    *outbox.Outbox
	stop   context.CancelFunc
	wg     sync.WaitGroup
	mortal // under n.mu
}

func (n *Node) now() time.Time { return clock().Add(n.Skew) }

// Start turns the machine on. One that is on goes on.
func (n *Node) Start() {
	n.mu.Lock()
	if n.run != nil || n.f.ctx.Err() != nil {
		n.mu.Unlock()
		return
	}
	r := &run{n: n}
	n.run = r
	n.boots++
	boot := fmt.Sprintf("%s-boot-%d", n.Host, n.boots)
	n.mu.Unlock()
	n.Machine.power(true)
	f := n.f
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	quiet := slog.New(slog.DiscardHandler)
	dice := NewDice(f.o.Seed, boot)
	wire := agent.NewWireOver(f.addresses(), n.line, func(t time.Time) {
		if a := r.agent.Load(); a != nil {
			a.Heard(t)
			r.box.Answered()
		}
	})
	wire.Begins(boot)
	r.box = outbox.New(outbox.Options{Store: r, Send: wire.Events, Node: n.ID, Log: quiet, Dice: dice.N})
	o := agent.Options{Fleet: n.join.Fleet, Node: n.ID, Pin: n.pin, Root: n.join.Root, Hub: wire, Local: n.Machine, Store: r, Puller: n.puller, Boot: boot, Now: n.now, Log: quiet, Queue: r.queue, Dice: dice.N}
	if !f.o.Disk {
		o.Bring = n.bring(wire)
	}
	a, err := agent.Open(ctx, o)
	f.ok(err)
	r.agent.Store(a)
	if k, _ := a.Kept(); len(k.Hubs) > 0 {
		wire.Addresses(k.Hubs)
	}
	r.wg.Go(func() {
		if sleep(ctx, dice.Between(0, time.Second)) == nil { // its ticks are at no one else's instant
			r.wg.Go(func() { _ = r.box.Run(ctx) })
			_ = a.Run(ctx)
		}
	})
}

// Crash is a power cut.
func (n *Node) Crash() {
	n.mu.Lock()
	r := n.run
	n.run = nil
	if r != nil {
		r.dead = true
	}
	n.mu.Unlock()
	if r == nil {
		return
	}
	n.Machine.power(false)
	r.stop()
	r.wg.Wait()
}

// DieAt has the power fail at the node's next k-th write, before that is on the disk or after, and come back after away.
func (n *Node) DieAt(k int, before bool, away time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.run == nil {
		return
	}
	n.run.dies, n.run.before = k, before
	n.run.killed = func() {
		n.f.wg.Go(func() {
			n.Crash()
			time.Sleep(away)
			n.Start()
		})
	}
}

// On reports whether the machine is on.
func (n *Node) On() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.run != nil
}

// Agent is the running one, nil while the machine is off or starts.
func (n *Node) Agent() *agent.Agent {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.run == nil {
		return nil
	}
	return n.run.agent.Load()
}

// State is what the node itself says of the endpoint; zero while it is off or has none.
func (n *Node) State() spec.State {
	if a := n.Agent(); a != nil {
		if k, _ := a.Kept(); len(k.Items) > 0 {
			return k.Items[0].State
		}
	}
	return spec.State{}
}

// Logged is how many lines the node's log has.
func (n *Node) Logged() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.disk.log)
}

// Log adds a line to the node's log, for its hub.
func (n *Node) Log(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.add(agent.Happened{What: what, Object: model, At: n.now(), By: "user:bea"})
}

func (n *Node) add(h agent.Happened) {
	e := spec.Event{Class: spec.Audit, Seq: uint64(len(n.disk.log) + 1), At: h.At.UTC(), What: h.What, Object: h.Object, By: h.By, Reason: h.Reason}
	if k := len(n.disk.log); k > 0 {
		e.Prev = n.disk.log[k-1].ID
	}
	e.ID = edgeward.DigestOf(fmt.Appendf(nil, "%s %s %d", e.Prev, e.What, e.Seq)).Hex()
	n.disk.log = append(n.disk.log, e)
}

func (r *run) write(f func()) error {
	r.n.mu.Lock()
	defer r.n.mu.Unlock()
	return r.mortal.write(f)
}

// LoadTrust implements tuf.Store.
func (r *run) LoadTrust(context.Context) (tuf.Set, error) {
	r.n.mu.Lock()
	defer r.n.mu.Unlock()
	return r.n.disk.trust, nil
}

// SaveTrust implements tuf.Store.
func (r *run) SaveTrust(_ context.Context, s tuf.Set) error {
	return r.write(func() { r.n.disk.trust = s })
}

// FleetKept implements agent.Store.
func (r *run) FleetKept(context.Context) (k agent.Kept, err error) {
	r.n.mu.Lock()
	defer r.n.mu.Unlock()
	if r.n.disk.kept != nil {
		err = json.Unmarshal(r.n.disk.kept, &k)
	}
	return k, err
}

// PutFleetKept implements agent.Store.
func (r *run) PutFleetKept(_ context.Context, k agent.Kept, h ...agent.Happened) error {
	return r.write(func() {
		r.n.disk.kept = raw(k)
		for _, x := range h {
			r.n.add(x)
		}
	})
}

// NextFleetEvents implements outbox.Store.
func (r *run) NextFleetEvents(_ context.Context, most, _ int) (out []outbox.Entry, err error) {
	r.n.mu.Lock()
	defer r.n.mu.Unlock()
	for _, e := range r.n.disk.log[r.n.disk.sent:] {
		if len(out) < most {
			out = append(out, outbox.Entry{N: e.Seq, Event: e})
		}
	}
	return out, nil
}

// queue is what waits for the hub.
func (r *run) queue() spec.Queue {
	r.n.mu.Lock()
	defer r.n.mu.Unlock()
	waits := r.n.disk.log[r.n.disk.sent:]
	if len(waits) == 0 {
		return nil
	}
	return spec.Queue{spec.Audit: {Events: len(waits), Oldest: waits[0].At}}
}

// SentFleetEvents implements outbox.Store.
func (r *run) SentFleetEvents(_ context.Context, list []outbox.Entry) error {
	return r.write(func() { r.n.disk.sent = int(list[len(list)-1].N) })
}

// bring fetches files over the wire into memory.
func (n *Node) bring(wire *agent.Wire) agent.Bring {
	return func(ctx context.Context, wants []pull.Want, note func(int64)) (t spec.Traffic, err error) {
		for _, w := range wants {
			n.Machine.mu.Lock()
			have := n.Machine.files[w.Digest]
			n.Machine.mu.Unlock()
			if have {
				continue
			}
			in, _, err := wire.Blob(ctx, w.Digest, 0)
			if err != nil {
				return t, err
			}
			b, err := io.ReadAll(io.LimitReader(in, w.Size+1))
			t.Received += int64(len(b))
			note(int64(len(b)))
			if err != nil || edgeward.DigestOf(b) != w.Digest {
				return t, edgeward.E("simfleet", edgeward.Unavailable, "pull.mismatch", "what came is not %s: %v", w.Digest.Short(), err)
			}
			n.Machine.mu.Lock()
			n.Machine.files[w.Digest] = true
			n.Machine.mu.Unlock()
		}
		return t, nil
	}
}

// store opens the node's blobs: its own with Options.Disk, else those of the fleet, where only manifests are.
func (n *Node) store() {
	if !n.f.o.Disk {
		n.puller = n.f.puller
		return
	}
	dir := filepath.Join(n.f.dir, n.Host)
	s, err := blobs.Open(filepath.Join(dir, "blobs"), clock)
	n.f.ok(err)
	n.puller = &pull.Puller{Blobs: s, Dir: filepath.Join(dir, "parts")}
}
