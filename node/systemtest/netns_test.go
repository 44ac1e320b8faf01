package systemtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/node"
	"edgeward/node/client"
	"edgeward/packaging/needtest"
	"edgeward/runtime/engine/enginetest"
	"edgeward/sync/tuf"
)

// TestASiteInNamespaces runs the real program six times, each in a network namespace of its own: a hub, two nodes in the site north, three in the site
// south. Each site has a switch and one line to a router, which the hub is behind too. A version reaches everybody; the line of south is cut in the
// middle of a fetch; the servers of south bring each other a version while the line is cut; the hub is killed (kill -9) and comes back; the disk of one
// node is full. The lines lose and delay packets too where the kernel has netem. It takes minutes: make netns.
//
// All the time somebody asks each node for predictions. No answer may fail, the states must be clear, and the hub must have each line of each node's log once.
func TestASiteInNamespaces(t *testing.T) {
	needNative(t)
	if os.Getenv("EDGEWARD_SOAK") == "" {
		t.Skip("make netns")
	}
	c := newCountry(t)
	began := time.Now()
	lap := func(what string) { t.Logf("%5.1f s  %s", time.Since(began).Seconds(), what) }
	c.found()
	c.small()
	for _, s := range c.nodes {
		s.start(c)
		s.join(c)
	}
	lap("all have joined")
	c.roll(1, c.nodes...)
	lap("version 1 answers everywhere")
	for _, s := range c.nodes {
		s.asked(c)
	}

	// The line is cut in the middle of a fetch. What came stays; north goes on.
	c.start(2)
	c.until("bytes come to south", func() bool {
		for _, s := range c.at("south") {
			if i := s.item(c); i.Want == c.digests[2] && i.Phase == spec.Fetching {
				return true
			}
		}
		return false
	})
	c.line("south", "down")
	lap("south is cut off")
	c.commits(2, c.at("north")...)
	for _, s := range c.at("south") {
		if i := s.item(c); i.Phase == spec.Committed && i.Want == c.digests[2] {
			t.Errorf("%s has version 2 already: nothing was cut", s.name)
		}
	}
	c.until("south says that the hub is away", func() bool {
		m, err := c.at("south")[0].FleetMembership(within(t, 10*time.Second))
		return err == nil && m.Contact.Code == "fleet.hub_away" && m.Contact.Hint != ""
	})
	c.line("south", "up")
	c.commits(2, c.at("south")...)
	lap("version 2 answers everywhere")

	// One server of south has a version, and the line is cut: the others take it from there.
	before := c.peers("south")
	c.slowLAN("south")
	c.start(3)
	c.until("one server of south has all of version 3", func() bool {
		for _, s := range c.at("south") {
			if i := s.item(c); i.Want == c.digests[3] && i.Phase != spec.Offered && i.Phase != spec.Admitted && i.Phase != spec.Fetching {
				return true
			}
		}
		return false
	})
	c.line("south", "down")
	lap("one of south has version 3, and south is cut off")
	c.commits(3, c.at("south")...)
	lap("all of south have it, from each other")
	if got := c.peers("south") - before; got < c.size {
		t.Errorf("%d bytes came from servers of the site, of %d each", got, c.size)
	}
	c.line("south", "up")
	c.commits(3, c.nodes...)

	// kill -9 of the hub while everybody is asked.
	c.hub.run.kill()
	time.Sleep(10 * time.Second)
	c.hub.start(c)
	back := time.Now()
	c.until("the hub has heard of everybody", func() bool {
		l, err := c.hub.FleetNodes(within(t, 10*time.Second), "")
		n := 0
		for _, x := range l.Items {
			if x.Seen.After(back) {
				n++
			}
		}
		return err == nil && n == len(c.nodes)
	})
	lap("the hub was killed and is back")
	c.fullDisk(4)
	lap("a disk was full")
	c.counted()
	lap("every line of every log is at the hub once")
	for _, s := range c.nodes {
		asked, failed := s.ask.Load(), s.failed.Load()
		if failed > 0 || asked < 50 {
			t.Errorf("%s was asked %d times, and %d failed: %v", s.name, asked, failed, s.why.Load())
		}
	}
}

// country is namespaces, lines and servers.
type country struct {
	testing.TB
	tag     string
	dir     string
	hub     *place
	nodes   []*place
	root    tuf.Key
	ann     tuf.Key
	abe     tuf.Key
	size    int64 // of a model's file
	digests map[int]edgeward.Digest
}

// place is one server in its namespace.
type place struct {
	*client.Client // over its socket, which no cut line touches
	name, site     string
	ns, addr       string
	dir            string
	run            *process
	ask, failed    atomic.Int64
	why            atomic.Value
}

// ip runs ip, or tc. An error ends the test.
func (c *country) ip(args ...string) {
	c.Helper()
	name := "ip"
	if args[0] == "tc" {
		name, args = "tc", args[1:]
	}
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		c.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// ns is the name of a namespace.
func (c *country) ns(name string) string { return c.tag + name }

func newCountry(t testing.TB) *country {
	t.Helper()
	needtest.Tool(t, "ip", "tc")
	c := &country{TB: t, tag: fmt.Sprintf("ew%d-", os.Getpid()), dir: t.TempDir(), digests: map[int]edgeward.Digest{}}
	if out, err := exec.Command("ip", "netns", "add", c.ns("router")).CombinedOutput(); err != nil {
		needtest.Hardware(t, "network-namespaces", fmt.Sprintf("this machine does not let us make one: %s", bytes.TrimSpace(out)))
	}
	for _, n := range []string{"router", "hub", "north", "south", "n1", "n2", "s1", "s2", "s3"} {
		if n != "router" {
			c.ip("netns", "add", c.ns(n))
		}
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", c.ns(n)).Run() })
		c.ip("-n", c.ns(n), "link", "set", "lo", "up")
	}
	if out, err := exec.Command("ip", "netns", "exec", c.ns("router"), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward").CombinedOutput(); err != nil {
		needtest.Hardware(t, "network-namespaces", fmt.Sprintf("no router can be made: %s", bytes.TrimSpace(out)))
	}
	c.wire("router", "hub", "10.77.0.1/24")
	c.hub = &place{name: "hub", site: "north", ns: c.ns("hub"), addr: "10.77.0.2", dir: filepath.Join(c.dir, "hub")}
	c.home(c.hub, "10.77.0.1")
	for i, site := range []string{"north", "south"} {
		gateway := fmt.Sprintf("10.77.%d.1", i+1)
		c.wire("router", site, gateway+"/24")
		c.ip("-n", c.ns(site), "link", "add", "lan", "type", "bridge")
		c.ip("-n", c.ns(site), "link", "set", "lan", "up")
		c.ip("-n", c.ns(site), "link", "set", "router", "master", "lan")
		for k, n := range map[string][]string{"north": {"n1", "n2"}, "south": {"s1", "s2", "s3"}}[site] {
			c.wire(site, n, "")
			c.ip("-n", c.ns(site), "link", "set", n, "master", "lan")
			s := &place{name: n, site: site, ns: c.ns(n), addr: fmt.Sprintf("10.77.%d.%d", i+1, k+10), dir: filepath.Join(c.dir, n)}
			c.home(s, gateway)
			c.nodes = append(c.nodes, s)
		}
		// The line: 1 Mbit/s, so that a file takes seconds.
		c.ip("tc", "-n", c.ns("router"), "qdisc", "replace", "dev", site, "root", "tbf", "rate", "1mbit", "burst", "16k", "latency", "400ms")
		if out, err := exec.Command("tc", "-n", c.ns(site), "qdisc", "replace", "dev", "router", "root", "netem", "delay", "40ms", "10ms", "loss", "3%").CombinedOutput(); err != nil {
			t.Logf("this kernel has no netem, so no packet is lost on purpose: %s", bytes.TrimSpace(out))
		}
	}
	return c
}

// wire lays a cable between two namespaces; each end has the name of the other one.
func (c *country) wire(a, b, address string) {
	c.Helper()
	c.ip("link", "add", b, "netns", c.ns(a), "type", "veth", "peer", "name", a, "netns", c.ns(b))
	c.ip("-n", c.ns(a), "link", "set", b, "up")
	c.ip("-n", c.ns(b), "link", "set", a, "up")
	if address != "" {
		c.ip("-n", c.ns(a), "addr", "add", address, "dev", b)
	}
}

// home gives a server its address.
func (c *country) home(s *place, gateway string) {
	c.Helper()
	to := s.site
	if s == c.hub {
		to = "router"
	}
	c.ip("-n", s.ns, "addr", "add", s.addr+"/24", "dev", to)
	c.ip("-n", s.ns, "route", "add", "default", "via", gateway)
}

// line cuts a site off, or joins it again.
func (c *country) line(site, word string) {
	c.Helper()
	c.ip("-n", c.ns("router"), "link", "set", site, word)
}

// slowLAN makes what servers of a site send each other take seconds.
func (c *country) slowLAN(site string) {
	c.Helper()
	for _, s := range c.at(site) {
		c.ip("tc", "-n", c.ns(site), "qdisc", "replace", "dev", s.name, "root", "tbf", "rate", "600kbit", "burst", "16k", "latency", "400ms")
	}
}

// at are the nodes of a site.
func (c *country) at(site string) (out []*place) {
	for _, s := range c.nodes {
		if s.site == site {
			out = append(out, s)
		}
	}
	return out
}

func (c *country) until(what string, holds func() bool) {
	c.Helper()
	eventually(c.TB, 2*time.Minute, what, holds)
}

// start runs the server, the first time and again.
func (s *place) start(c *country) {
	c.Helper()
	if _, err := os.Lstat(filepath.Join(s.dir, "native")); err != nil {
		linkNative(c.TB, s.dir)
	}
	fleet, gossip := "off", "0.0.0.0:7946"
	if s == c.hub {
		fleet, gossip = s.addr+":8443", "off"
	}
	s.run = launched(c.TB, []string{"EDGEWARD_BOOTSTRAP_TOKEN=" + bootstrap}, exec.Command("ip", "netns", "exec", s.ns, program(c.TB), "serve", "--config", emptyFile(c.TB), "--data-dir", s.dir, "--http-address", "127.0.0.1:0", "--mqtt-address", "127.0.0.1:0", "--grpc-address", "off",
		"--set", "node.name="+s.name, "--set", "site="+s.site, "--set", "fleet.address="+fleet, "--set", "gossip.address="+gossip, "--set", "workers.threads=1"))
	var err error
	if s.Client, err = client.New(client.Options{Socket: filepath.Join(s.dir, node.SocketName)}); err != nil {
		c.Fatal(err)
	}
	if _, err := s.AwaitReady(within(c.TB, time.Minute)); err != nil {
		c.Fatalf("%s does not start: %v\n%s", s.name, err, s.run.stderr.tail(15))
	}
}

// small gives the last node a disk of its own, of 320 MiB: 256 stay free for what a server must write.
func (c *country) small() {
	c.Helper()
	s := c.nodes[len(c.nodes)-1]
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		c.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", s.dir, "tmpfs", 0, "size=320m"); err != nil {
		needtest.Missing(c, "right-to-mount-tmpfs")
	}
	c.Cleanup(func() { _ = syscall.Unmount(s.dir, syscall.MNT_DETACH) })
}

// found starts the hub with three versions that are signed.
func (c *country) found() {
	c.Helper()
	c.hub.start(c)
	ctx := within(c.TB, time.Minute)
	c.root, c.ann, c.abe = newKey(c.TB), newKey(c.TB), newKey(c.TB)
	foundFleet(c.TB, c.hub.Client, "https://"+c.hub.addr+":8443", c.root, tuf.Charter{Fleet: "country", Models: both(c.ann, c.abe)})
	for range 4 {
		file := affineOf(c.TB, 300<<10)
		c.size = int64(len(file))
		v := must[client.ImportedVersion](c.TB)(c.hub.ImportModel(ctx, "affine", bytes.NewReader(file), client.ModelUpload{Filename: "affine.onnx", IntendedUse: "tests"}))
		c.digests[v.Version.Number] = v.Version.Digest
		signVersion(c.TB, c.hub.Client, "affine", v.Version.Number, c.ann, c.abe)
	}
}

// affineOf is the model of enginetest with size more bytes, which nothing makes smaller and which are others each time.
func affineOf(t testing.TB, size int) []byte {
	t.Helper()
	noise := make([]byte, size/2)
	_, _ = rand.Read(noise)
	text := hex.EncodeToString(noise)
	out := bytes.Clone(enginetest.ONNX(t, "affine").Bytes)
	out = append(out, 6<<3|2) // doc_string of the ModelProto; of two the last counts
	out = binary.AppendUvarint(out, uint64(len(text)))
	return append(out, text...)
}

// foundFleet makes a server, which nodes call at an address, the hub of a fleet. c lacks only what is the hub's and root's.
func foundFleet(t testing.TB, hub *client.Client, at string, root tuf.Key, c tuf.Charter) client.Fleet {
	t.Helper()
	ctx := within(t, time.Minute)
	c.Hub, c.Root = must[client.Fleet](t)(hub.Fleet(ctx)).HubKey, tuf.Role{Holders: []tuf.Holder{{Name: "root", Key: root.Public()}}}
	p := must[tuf.Proposal](t)(tuf.Begin(c, time.Now()))
	p, _, err := p.Add(tuf.Set{}, must[[]tuf.Signature](t)(tuf.Sign(tuf.Set{}, p, root))...)
	if err != nil {
		t.Fatal(err)
	}
	return must[client.Fleet](t)(hub.FoundFleet(ctx, client.FleetRequest{Name: c.Fleet, Hubs: []string{at}, Proposal: p}))
}

// both is a role of two persons who must both sign.
func both(ann, abe tuf.Key) tuf.Role {
	return tuf.Role{Threshold: 2, Holders: []tuf.Holder{{Name: "ann", Key: ann.Public()}, {Name: "abe", Key: abe.Public()}}}
}

// signVersion has a version signed by persons.
func signVersion(t testing.TB, hub *client.Client, model string, version int, by ...tuf.Key) {
	t.Helper()
	ctx := within(t, time.Minute)
	open := must[client.FleetProposal](t)(hub.ProposeVersion(ctx, model, version))
	for _, k := range by {
		sigs := must[[]tuf.Signature](t)(tuf.Sign(open.Set, open.Proposal, k))
		if _, err := hub.SignProposal(ctx, string(open.Proposal.ID()), sigs); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *place) join(c *country) {
	c.Helper()
	code := must[client.FleetCode](c.TB)(c.hub.CreateFleetCode(within(c.TB, time.Minute), client.FleetCodeRequest{Site: s.site, Auto: true}))
	must[client.FleetMembership](c.TB)(s.JoinFleet(within(c.TB, time.Minute), code.Text))
}

// id is the node's, as the fleet knows it.
func (s *place) id(c *country) string {
	c.Helper()
	return must[client.FleetSite](c.TB)(s.FleetSite(within(c.TB, 10*time.Second))).Node
}

// start begins a rollout to everybody at once.
func (c *country) start(version int) {
	c.Helper()
	c.until("the rollouts before have ended", func() bool {
		l, err := c.hub.Rollouts(within(c.TB, 10*time.Second), "")
		return err == nil && !slices.ContainsFunc(l.Items, func(r client.Rollout) bool { return !r.State.Final() })
	})
	must[client.Rollout](c.TB)(c.hub.StartRollout(within(c.TB, time.Minute), client.RolloutRequest{Model: "affine", Version: version, Endpoint: "affine", Reason: "test",
		Plan: rollout.Plan{Waves: []rollout.Wave{{Percent: 100}}, MaxMoving: len(c.nodes)}, Probation: spec.Probation{Requests: 10, Longest: 5 * time.Second, Slower: 1000}})) // how quick it is depends on what else this machine does
}

// item is how the endpoint stands, by the node itself.
func (s *place) item(c *country) spec.State {
	m, err := s.FleetMembership(within(c.TB, 10*time.Second))
	if err != nil || len(m.Items) == 0 {
		return spec.State{}
	}
	return m.Items[0]
}

// commits waits until a version stays at each of nodes.
func (c *country) commits(version int, nodes ...*place) {
	c.Helper()
	for _, s := range nodes {
		var i spec.State
		c.Cleanup(func() {
			if c.Failed() && i.Phase != spec.Committed {
				m, err := s.FleetMembership(context.Background())
				c.Logf("%s was waited for: %+v; now %+v %v", s.name, i, m, err)
			}
		})
		c.until(fmt.Sprintf("version %d stays at %s", version, s.name), func() bool {
			i = s.item(c)
			if i.Phase == spec.Reverted || i.Phase == spec.Refused {
				c.Fatalf("%s: %+v", s.name, i)
			}
			return i.Want == c.digests[version] && i.Live == i.Want && i.Phase == spec.Committed
		})
	}
}

func (c *country) roll(version int, nodes ...*place) {
	c.Helper()
	c.start(version)
	c.commits(version, nodes...)
}

// peers is what the servers of a site got from each other.
func (c *country) peers(site string) (n int64) {
	c.Helper()
	for _, s := range c.at(site) {
		n += must[client.FleetMembership](c.TB)(s.FleetMembership(within(c.TB, 10*time.Second))).Traffic.Peers
	}
	return n
}

// asked has somebody ask the node until the test ends.
func (s *place) asked(c *country) {
	ctx, stop := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() {
		for ctx.Err() == nil {
			a, err := s.Infer(ctx, "affine", client.InferRequest{Inputs: []client.Tensor{x(1, 2)}})
			if ctx.Err() != nil {
				return
			}
			s.ask.Add(1)
			if err == nil && (len(a.Outputs) != 1 || len(a.Outputs[0].Values) != 1 || a.Outputs[0].Values[0] != 0.5) {
				err = fmt.Errorf("it answered %+v", a.Outputs)
			}
			if err != nil {
				s.failed.Add(1)
				s.why.Store(err.Error())
			}
			select {
			case <-ctx.Done():
			case <-time.After(60 * time.Millisecond):
			}
		}
	})
	c.Cleanup(func() { stop(); run.Wait() })
}

// counted waits until the hub has each line of each node's log from its joining on, once.
func (c *country) counted() {
	c.Helper()
	for _, s := range c.nodes {
		id := s.id(c)
		c.until("everything of "+s.name+" is at the hub", func() bool {
			m, err := s.FleetMembership(within(c.TB, 10*time.Second))
			return err == nil && m.Queue[spec.Audit].Events == 0
		})
		joined := must[client.List[client.Event]](c.TB)(s.Audit(within(c.TB, time.Minute), client.AuditQuery{Action: "fleet.joined"}, ""))
		if len(joined.Items) != 1 {
			c.Fatalf("%s has joined %d times", s.name, len(joined.Items))
		}
		first := joined.Items[0].Seq
		e := must[client.FleetEvents](c.TB)(c.hub.FleetEvents(within(c.TB, time.Minute), id, string(spec.Audit), ""))
		if e.Tally == nil || e.Tally.AuditSeq <= first || e.Tally.Events[spec.Audit] != e.Tally.AuditSeq-first+1 || e.Tally.Breaks != 0 {
			c.Errorf("%s: from line %d on: %+v", s.name, first, e.Tally)
		}
	}
}

// fullDisk fills the disk of one node, which is a small one, before a version comes to everybody.
func (c *country) fullDisk(version int) {
	c.Helper()
	s := c.nodes[len(c.nodes)-1]
	fill := filepath.Join(s.dir, "fill")
	f := must[*os.File](c.TB)(os.Create(fill))
	if _, err := io.Copy(f, zero{}); !errors.Is(err, syscall.ENOSPC) {
		c.Fatalf("the disk of %s is not full: %v", s.name, err)
	}
	f.Close()
	c.start(version)
	c.commits(version, c.nodes[:len(c.nodes)-1]...)
	c.until("the node whose disk is full says so", func() bool {
		m, err := s.FleetMembership(within(c.TB, 10*time.Second))
		if err != nil || len(m.Items) == 0 {
			return false
		}
		for _, code := range []string{m.Items[0].Code, m.Contact.Code} {
			if strings.HasSuffix(code, ".full") || strings.HasPrefix(code, "disk.") {
				c.Logf("%s says %s %s; contact %s: %s (%s)", s.name, m.Items[0].Code, m.Items[0].Reason, m.Contact.Code, m.Contact.Problem, m.Contact.Hint)
				return true
			}
		}
		return m.Items[0].Phase == spec.Refused // it knew before that it does not fit
	})
	if err := os.Remove(fill); err != nil {
		c.Fatal(err)
	}
	c.commits(version, s)
}
