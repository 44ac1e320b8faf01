package member_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgeward/fleet/member"
	"edgeward/fleet/simnet"
	"edgeward/fleet/spec"
)

const port = 7946

// lan is a site's network: half a millisecond, and the given share of packets lost.
func lan(loss float64) simnet.Link {
	return simnet.Link{Delay: 300 * time.Microsecond, Jitter: 400 * time.Microsecond, Loss: loss, Duplicate: loss / 10, Rate: 100 << 20}
}

// site is n servers of one site inside a bubble.
type site struct {
	t      *testing.T
	net    *simnet.Net
	roster []spec.Peer
	keys   [][]byte
	nodes  []*node
}

type node struct {
	id   string
	host *simnet.Host
	pool *member.Pool
	stop func()
}

func key(b byte) []byte { return slices.Repeat([]byte{b}, member.KeySize) }

func newSite(t *testing.T, seed uint64, n int, l simnet.Link) *site {
	s := &site{t: t, net: simnet.Same(seed, l), keys: [][]byte{key(1)}}
	for i := range n {
		a := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		x := &node{id: fmt.Sprintf("node-%03d", i), host: s.net.Host(a)}
		s.nodes = append(s.nodes, x)
		s.roster = append(s.roster, spec.Peer{Node: x.id, Addresses: []string{netip.AddrPortFrom(a, port).String()}})
	}
	return s
}

// start begins a node, with options of its own.
func (s *site) start(x *node, with ...func(*member.Options)) {
	s.t.Helper()
	packets, err := x.host.ListenPacket(port)
	if err != nil {
		s.t.Fatal(err)
	}
	streams, err := x.host.Listen(port)
	if err != nil {
		s.t.Fatal(err)
	}
	o := member.Options{Node: x.id, Site: "cellar", Address: netip.AddrPortFrom(x.host.Addr(), port), Packets: packets, Streams: streams, Keys: s.keys, Roster: s.roster,
		Dial: func(ctx context.Context, _, address string) (net.Conn, error) { return x.host.Dial(ctx, address) },
		Meta: member.Meta{Rev: 1, Version: "1.2.3", Hub: true}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	for _, w := range with {
		w(&o)
	}
	x.pool, err = member.Open(o)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := x.pool.Run(ctx); err != nil {
			s.t.Error(err)
		}
	}()
	x.stop = func() { cancel(); <-done; x.stop = func() {} }
}

// power starts all nodes within five seconds, as when the power returns.
func (s *site) power() {
	for _, x := range s.nodes {
		s.start(x)
		time.Sleep(5 * time.Second / time.Duration(len(s.nodes)))
	}
}

func (s *site) end() {
	var wg sync.WaitGroup
	for _, x := range s.nodes {
		if x.stop != nil {
			wg.Go(x.stop)
		}
	}
	wg.Wait()
	time.Sleep(time.Minute) // memberlist does not wait for its own probes
}

// until waits until ok, and returns how long that took.
func (s *site) until(longest time.Duration, what string, ok func() bool) time.Duration {
	s.t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > longest {
			for _, x := range s.nodes[:min(len(s.nodes), 5)] {
				s.t.Logf("%s sees %v", x.id, x.pool.Counts())
			}
			s.t.Fatalf("not within %s: %s", longest, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(began)
}

// all reports whether every one of list sees so many in a state.
func all(list []*node, st member.State, n int) bool {
	return !slices.ContainsFunc(list, func(x *node) bool { return x.pool.Counts()[st] != n })
}

// knows reports whether every one of list holds who for st.
func knows(list []*node, who *node, st member.State) bool {
	return !slices.ContainsFunc(list, func(x *node) bool { return x != who && x.pool.Is(who.id) != st })
}

func soak(t *testing.T) {
	if os.Getenv("EDGEWARD_SOAK") == "" {
		t.Skip("set EDGEWARD_SOAK=1")
	}
}

// life is a site's: power returns, one dies, one is stopped, the network falls apart and heals.
func life(t *testing.T, n int, loss float64, apart, deadWithin time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, n, lan(loss))
		defer s.end()
		s.power()
		took := s.until(4*time.Minute, "everybody sees everybody", func() bool { return all(s.nodes, member.Alive, n-1) })
		t.Logf("%d nodes, loss %.0f %%: everybody sees everybody %s after the last start", n, 100*loss, took)
		before := s.net.Sent(nil, nil)
		time.Sleep(time.Minute)
		after := s.net.Sent(nil, nil)
		t.Logf("steady: %.1f packets and %d bytes a second and node", float64(after.Packets-before.Packets)/60/float64(n), (after.Bytes-before.Bytes)/60/int64(n))

		died, rest := s.nodes[n/2], slices.Delete(slices.Clone(s.nodes), n/2, n/2+1)
		died.host.Crash()
		took = s.until(deadWithin, "a dead node is known to all", func() bool { return knows(rest, died, member.Dead) })
		t.Logf("a dead node is known to all after %s", took)
		died.stop()
		died.host.Up()
		s.start(died)
		took = s.until(time.Minute, "it is back", func() bool { return knows(rest, died, member.Alive) && died.pool.Counts()[member.Alive] == n-1 })
		t.Logf("it is back for all after %s", took)

		left := s.nodes[1]
		rest = slices.Delete(slices.Clone(s.nodes), 1, 2)
		left.stop()
		took = s.until(30*time.Second, "who said good-bye has left", func() bool {
			heard := 0
			for _, x := range rest {
				switch x.pool.Is(left.id) {
				case member.Left:
					heard++
				case member.Dead: // it missed the mark
				default:
					return false
				}
			}
			return heard*10 >= len(rest)*9
		})
		t.Logf("who was stopped has left for all after %s", took)
		s.start(left)
		s.until(time.Minute, "it is back", func() bool { return all(s.nodes, member.Alive, n-1) })

		var half []netip.Addr
		for _, x := range s.nodes[:n/2] {
			half = append(half, x.host.Addr())
		}
		s.net.Partition(half)
		time.Sleep(apart)
		if !all(s.nodes[:n/2], member.Alive, n/2-1) || !all(s.nodes[n/2:], member.Dead, n/2) {
			t.Error("while the site is apart each half sees its own alive and the others dead")
		}
		s.net.Heal()
		took = s.until(30*time.Second, "the halves come together", func() bool { return all(s.nodes, member.Alive, n-1) })
		t.Logf("%s apart: together %s after contact", apart, took)
	})
}

func TestASiteOfTwentyLivesThroughWhatHappens(t *testing.T) {
	life(t, 20, 0, 3*time.Minute, 15*time.Second)
}

func TestASiteOfTwoFindsItsDeadToo(t *testing.T) { life(t, 2, 0, 2*time.Minute, 5*time.Second) }

// TestSoakLife has sites fall apart for an hour, or for EDGEWARD_FLEET_APART: 500 servers take a processor half a minute for each minute of it.
func TestSoakLife(t *testing.T) {
	soak(t)
	apart := time.Hour
	if d, err := time.ParseDuration(os.Getenv("EDGEWARD_FLEET_APART")); err == nil {
		apart = d
	}
	for _, r := range []struct {
		n    int
		loss float64
		dead time.Duration
	}{{50, 0, 5 * time.Second}, {50, 0.05, 5 * time.Second}, {200, 0, 15 * time.Second}, {200, 0.05, 15 * time.Second}, {500, 0, 20 * time.Second}} {
		t.Run(fmt.Sprintf("%d_%.0f", r.n, 100*r.loss), func(t *testing.T) { life(t, r.n, r.loss, apart, r.dead) })
	}
}
