package role

import (
	"testing"

	"edgeward/fleet/peer"
)

// A ring from a peer is taken if it is later than the hub's last, and not twice.
func TestWhichRingOfAPeerIsTaken(t *testing.T) {
	for _, c := range []struct {
		told, used, offered uint64
		want                bool
	}{{3, 3, 4, true}, {3, 3, 3, false}, {3, 3, 2, false}, {3, 9, 4, true}, {3, 4, 4, false}} {
		s := &site{told: c.told, ring: peer.Ring{Epoch: c.used}}
		if s.newer(c.offered) != c.want {
			t.Errorf("told %d, used %d, offered %d: not %v", c.told, c.used, c.offered, c.want)
		}
	}
}
