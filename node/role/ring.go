package role

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/member"
	"edgeward/fleet/peer"
	"edgeward/fleet/spec"
)

// alone is how long nobody of the site is heard before one is asked for the key ring, and then another one.
const alone = 30 * time.Second

// overslept asks a peer for the key ring when gossip reaches nobody: this server may have slept through a rotation, and the hub may be away. The ring is the newer one, and
// a hint: the hub's next one takes its place, and if nobody is heard with it either, the next peer is asked.
func (s *site) overslept(ctx context.Context, k agent.Kept) error {
	others, now := s.silent(), s.r.p.Now()
	if len(others) == 0 {
		s.lonely = time.Time{}
		return nil
	}
	if s.lonely.IsZero() {
		s.lonely = now
	}
	if now.Sub(s.lonely) < alone {
		return nil
	}
	s.lonely = now
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for range min(len(others), 3) {
		i := rand.IntN(len(others))
		node := others[i]
		others = slices.Delete(others, i, i+1)
		sealed, err := s.others().Keyring(ctx, node)
		if err != nil || !s.newer(sealed.Epoch) {
			continue
		}
		ring, err := s.unseal(ctx, k.Site, sealed)
		if err == nil {
			err = s.pool.SetKeys(split(ring.Keys))
		}
		if err != nil {
			return err
		}
		s.set(func() { s.ring = ring })
		s.r.p.Log.Info("took the key ring of the site from another server: this one slept through its rotation", "role", "member", "node", node, "epoch", ring.Epoch)
		s.a.Tell()
		return nil
	}
	return nil
}

// newer says whether a peer's ring is later than the hub's last and another one than that in use.
func (s *site) newer(epoch uint64) bool { return epoch > s.told && epoch != s.ring.Epoch }

// silent are the others of the site, if none of them is heard.
func (s *site) silent() (out []string) {
	for _, m := range s.pool.Members() {
		if m.State == member.Alive {
			return nil
		}
		out = append(out, m.Node)
	}
	return out
}

// ringInUse is handed on to peers.
func (s *site) ringInUse() peer.Ring {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ring
}

// unseal opens a ring that is sealed to this server's key, which may have been renewed since.
func (s *site) unseal(ctx context.Context, name string, k spec.Keyring) (peer.Ring, error) {
	m, err := s.r.p.Store.Membership(ctx)
	if err != nil {
		return peer.Ring{}, err
	}
	b, err := m.Identity.Unseal(k.Info(s.fleet, name, s.r.p.Node), k.Sealed)
	if err != nil {
		return peer.Ring{}, err
	}
	if len(b)%member.KeySize != 0 {
		return peer.Ring{}, edgeward.E("role.ring", edgeward.Invalid, "fleet.keyring", "a key ring of %d bytes", len(b))
	}
	return peer.Ring{Epoch: k.Epoch, Site: name, Keys: b}, nil
}

func split(keys []byte) [][]byte { return slices.Collect(slices.Chunk(keys, member.KeySize)) }
