package member_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"edgeward/fleet/member"
	"edgeward/fleet/spec"
)

func TestWhoIsNotOnTheRosterIsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, 4, lan(0))
		defer s.end()
		with := s.roster
		s.roster = s.roster[:3] // the fourth has the key, and names all the others on its own
		for _, x := range s.nodes[:3] {
			s.start(x)
		}
		s.start(s.nodes[3], func(o *member.Options) { o.Roster = with })
		time.Sleep(2 * time.Minute)
		if !all(s.nodes[:3], member.Alive, 2) || !knows(s.nodes[:3], s.nodes[3], member.Unseen) {
			t.Error("a stranger with the key is taken for a member")
		}
		for _, x := range s.nodes[:3] {
			x.pool.SetRoster(with)
		}
		s.until(time.Minute, "once it is on the roster it is a member", func() bool { return all(s.nodes, member.Alive, 3) })
		for _, x := range s.nodes[:3] {
			x.pool.SetRoster(with[:3])
		}
		time.Sleep(time.Minute)
		for _, x := range s.nodes[:3] {
			if n := len(x.pool.Members()); n != 2 {
				t.Errorf("who was taken off the roster is still shown: %d", n)
			}
		}
	})
}

func TestAnotherKeyOrAnotherSiteHearsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, 4, lan(0))
		defer s.end()
		s.start(s.nodes[0])
		s.start(s.nodes[1])
		s.start(s.nodes[2], func(o *member.Options) { o.Keys = [][]byte{key(2)} })
		s.start(s.nodes[3], func(o *member.Options) { o.Site = "attic" })
		time.Sleep(2 * time.Minute)
		for i, want := range []int{1, 1, 0, 0} {
			if n := s.nodes[i].pool.Counts()[member.Alive]; n != want {
				t.Errorf("node %d sees %d alive, want %d", i, n, want)
			}
		}
	})
	if _, err := member.Open(member.Options{Packets: none{}, Streams: none{}}); err == nil {
		t.Error("gossip without a key")
	}
}

// none is a socket nobody reads.
type none struct {
	net.PacketConn
	net.Listener
}

func (none) Close() error { return nil }

func TestKeysAreRotatedWithoutLosingAnybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, 8, lan(0.01))
		defer s.end()
		s.power()
		s.until(time.Minute, "everybody sees everybody", func() bool { return all(s.nodes, member.Alive, 7) })
		for _, ring := range [][][]byte{{key(1), key(2)}, {key(2), key(1)}, {key(2)}} {
			for _, x := range s.nodes { // each at another time, as documents arrive
				if err := x.pool.SetKeys(ring); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
				if !all(s.nodes, member.Alive, 7) {
					t.Fatal("somebody was lost while keys change")
				}
			}
			time.Sleep(30 * time.Second)
		}
		last := s.nodes[7]
		last.stop()
		s.start(last) // with the old key
		time.Sleep(time.Minute)
		if last.pool.Counts()[member.Alive] != 0 {
			t.Error("the old key still opens")
		}
		if err := last.pool.SetKeys([][]byte{key(2)}); err != nil {
			t.Fatal(err)
		}
		s.until(time.Minute, "with the new key it is back", func() bool { return all(s.nodes, member.Alive, 7) })
		if err := last.pool.SetKeys(nil); err == nil {
			t.Error("no key is no ring")
		}
	})
}

// forged is a packet of memberlist that says that node is dead, as any holder of the key can make it: type 5 in msgpack, AES-GCM with the label as associated data,
// behind the label's header.
func forged(t *testing.T, site, node, from string, secret []byte) []byte {
	str := func(s string) []byte { return append([]byte{0xa0 | byte(len(s))}, s...) }
	msg := []byte{5, 0x83}
	msg = append(append(msg, str("Incarnation")...), 0xce)
	msg = binary.BigEndian.AppendUint32(msg, 1<<20)
	msg = append(append(msg, str("Node")...), str(node)...)
	msg = append(append(msg, str("From")...), str(from)...)
	block, err := aes.NewCipher(secret)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(nonce)
	out := append([]byte{244, byte(len(site))}, site...)
	out = append(out, 1)
	out = append(out, nonce...)
	return gcm.Seal(out, nonce, msg, []byte(site))
}

// TestForgedDeathsChangeNothing is attack 8: whoever holds the key marks all dead, over and over.
func TestForgedDeathsChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, 6, lan(0))
		defer s.end()
		s.power()
		s.until(time.Minute, "everybody sees everybody", func() bool { return all(s.nodes, member.Alive, 5) })
		from, err := s.net.Host(netip.MustParseAddr("10.0.9.9")).ListenPacket(port)
		if err != nil {
			t.Fatal(err)
		}
		hit := false
		for range 40 {
			for _, of := range s.nodes {
				for _, to := range s.nodes {
					if _, err := from.WriteTo(forged(t, "cellar", of.id, s.nodes[0].id, key(1)), net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.host.Addr(), port))); err != nil {
						t.Fatal(err)
					}
				}
			}
			for i := range 40 {
				time.Sleep(200 * time.Microsecond)
				if i > 20 {
					time.Sleep(50 * time.Millisecond)
				}
				for _, x := range s.nodes {
					c := x.pool.Counts()
					hit = hit || c[member.Suspect] > 0
					if c[member.Dead] > 0 {
						t.Fatalf("%s believes a forged death", x.id)
					}
				}
			}
		}
		if !hit {
			t.Error("the forged packets were not even read: they prove nothing")
		}
		s.until(30*time.Second, "it passes", func() bool { return all(s.nodes, member.Alive, 5) })
	})
}

func TestWhatIsToldGoesAround(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, 3, lan(0))
		defer s.end()
		s.power()
		s.until(time.Minute, "everybody sees everybody", func() bool { return all(s.nodes, member.Alive, 2) })
		s.nodes[0].pool.SetMeta(member.Meta{Rev: 812, Trust: 9, Version: "0.2.0-a-very-long-version-with-<odd>-letters", Hub: false})
		s.until(10*time.Second, "the others know", func() bool {
			for _, x := range s.nodes[1:] {
				m := x.pool.Members()[0]
				if m.Meta.Rev != 812 || m.Meta.Trust != 9 || m.Meta.Hub || len(m.Meta.Version) > 32 {
					return false
				}
			}
			return true
		})
		time.Sleep(time.Minute)
		if m := s.nodes[1].pool.Members()[0]; m.RTT <= 0 || m.RTT > 10*time.Millisecond || time.Since(m.Seen) > 10*time.Second || m.Address != s.roster[0].Addresses[0] {
			t.Errorf("%+v", m)
		}
	})
}

func TestMembersOfTheRosterAreShownBeforeTheyAreSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1, 2, lan(0))
		s.roster = append(s.roster, spec.Peer{Node: "zz-no-address"})
		defer s.end()
		s.start(s.nodes[0])
		m := s.nodes[0].pool.Members()
		if len(m) != 2 || m[0].State != member.Unseen || m[0].Address != s.roster[1].Addresses[0] || m[1].State != member.Unseen {
			t.Errorf("%+v", m)
		}
	})
}
