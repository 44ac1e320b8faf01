package role

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"edgeward/fleet/hub"
	"edgeward/fleet/member"
)

// ringOf is the key ring that a node's gossip uses.
func (s *server) ringOf() (epoch uint64, keys [][]byte) {
	s.role.mu.Lock()
	site := s.role.site
	s.role.mu.Unlock()
	if site == nil {
		return 0, nil
	}
	r := site.ringInUse()
	return r.Epoch, split(r.Keys)
}

// looks has the node bring its gossip to what its document says, which it does each five seconds anyway.
func (s *server) looks() {
	s.role.mu.Lock()
	defer s.role.mu.Unlock()
	if s.role.site != nil {
		s.role.site.knock()
	}
}

// hears is whether the node has heard by gossip, and not only by the hub, that each of the others has the document of the revision that the hub says.
func (s *server) hears(others ...*server) error {
	v, err := s.role.Site(s.Context())
	if err != nil {
		return err
	}
	for _, o := range others {
		if o == s {
			continue
		}
		found := false
		for _, m := range v.Members {
			if m.Node != o.id {
				continue
			}
			found = true
			if m.State != string(member.Alive) {
				return fmt.Errorf("%s holds %s for %s", s.id, o.id, m.State)
			}
			if want := o.seen().Rev; m.Rev != want {
				return fmt.Errorf("%s heard of revision %d of %s, which has %d", s.id, m.Rev, o.id, want)
			}
		}
		if !found {
			return fmt.Errorf("%s does not know %s", s.id, o.id)
		}
	}
	return nil
}

// TestTheKeysOfASiteChangeWhileItGossips is a rotation of a site's key ring, with a hub, three nodes and their gossip over the loopback: add, use, remove. In no step anybody
// loses sight of anybody, and after each what one says is heard by all. Months and rests go by as the hub's clock says.
func TestTheKeysOfASiteChangeWhileItGossips(test *testing.T) {
	test.Parallel()
	t := newTown(test)
	nodes := []*server{t.node("a"), t.node("b"), t.node("c")}
	for _, n := range nodes {
		n.joins(t.code())
	}
	h := t.hub.role.Hub()
	ring := func() hub.Ring { return h.Fleet().Rings["north"] }
	// all have the hub's ring; with heard they also hear each other's latest revision, which goes around each five seconds
	together := func(what string, step hub.RingStep, heard bool, keys ...[]byte) hub.Ring {
		t.Helper()
		why := ""
		for end := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			why = ""
			for _, n := range nodes {
				n.looks()
			}
			r := ring()
			if r.Step != step || r.Epoch == 0 {
				why = fmt.Sprintf("the ring is %d, %q", r.Epoch, r.Step)
			}
			if len(keys) > 0 && !bytes.Equal(bytes.Join(r.Keys, nil), bytes.Join(keys, nil)) {
				why = "the ring has other keys"
			}
			for _, n := range nodes {
				if e, k := n.ringOf(); e != r.Epoch || !bytes.Equal(bytes.Join(k, nil), bytes.Join(r.Keys, nil)) {
					why = fmt.Sprintf("%s uses ring %d of %d", n.id, e, r.Epoch)
				}
				if n.seen().Last.Gossip.Ring != r.Epoch {
					why = n.id + " has not told the hub of its ring"
				}
				if err := n.hears(nodes...); err != nil && heard && why == "" {
					why = err.Error()
				}
			}
			if why == "" {
				return r
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %s", what, why)
			}
		}
	}
	first := together("the site finds together", hub.Settled, true)
	if len(first.Keys) != 1 {
		t.Fatalf("%d keys", len(first.Keys))
	}

	// Somebody looks at all pages all the time.
	stop, lost := make(chan struct{}), make(chan string, 1)
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			for _, n := range nodes {
				v, err := n.role.Site(t.Context())
				for _, m := range v.Members {
					if err == nil && m.State != string(member.Alive) {
						select {
						case lost <- fmt.Sprintf("%s holds %s for %s, with ring %d", n.id, m.Node, m.State, v.Ring):
						default:
						}
					}
				}
			}
		}
	})
	h.Poke()
	t.passes(31 * 24 * time.Hour)
	var added hub.Ring
	t.eventually("a key is added", func() bool { added = ring(); return added.Step == hub.Adding })
	if len(added.Keys) != 2 || !bytes.Equal(added.Keys[0], first.Keys[0]) || bytes.Equal(added.Keys[1], first.Keys[0]) {
		t.Fatalf("%d keys, or the new one encrypts already", len(added.Keys))
	}
	together("all have the new key behind the old", hub.Adding, false, added.Keys[0], added.Keys[1])
	t.passes(ringTick)
	together("all encrypt by the new key", hub.Using, true, added.Keys[1], added.Keys[0])
	t.passes(ringTick)
	last := together("nobody has the old key", hub.Settled, false, added.Keys[1])
	if last.Epoch != first.Epoch+3 {
		t.Errorf("from ring %d to %d", first.Epoch, last.Epoch)
	}
	h.Poke()
	t.hub.called()
	together("and a document later", hub.Settled, true, added.Keys[1])
	close(stop)
	watch.Wait()
	select {
	case s := <-lost:
		t.Error("somebody was lost sight of:", s)
	default:
	}
}

// ringTick is longer than a step of a rotation lasts at least.
const ringTick = 11 * time.Second
