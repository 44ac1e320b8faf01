package hub

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/sync/canonical"
)

// Ring is the key ring of one site's gossip as the hub keeps it. A rotation has three steps: the new key is added behind the old one; once every node
// that is online has it, it becomes first; once every node has that, the old one goes.
type Ring struct {
	Epoch   uint64    `json:"epoch"`
	Keys    [][]byte  `json:"keys"` // 32 bytes each; the first encrypts
	Step    RingStep  `json:"step,omitempty"`
	Since   time.Time `json:"since"`          // of the step
	Shut    bool      `json:"shut,omitempty"` // the rotation is because somebody with the key is of the site no more: it does not wait for who is away
	Holders []string  `json:"holders"`        // nodes that were given the first key
}

// RingStep is where a rotation stands.
type RingStep string

// The steps.
const (
	Settled RingStep = ""
	Adding  RingStep = "add"
	Using   RingStep = "use"
)

// ringLife is how long a key is used, and how long a rotation waits for nodes that are away.
const ringLife = 30 * 24 * time.Hour

// ringRest is how long a step lasts at least: who has just taken the ring hears packets of who has not.
const ringRest = 10 * time.Second

// Holder is a node of the site that gossips.
type Holder struct {
	ID     string
	Epoch  uint64 // of the ring it reported
	Online bool
}

// Next returns the ring after now, given who gossips in the site; key is the next one if one is needed. Pure.
func (r Ring) Next(site []Holder, now time.Time, key []byte) Ring {
	ids := make([]string, 0, len(site))
	online, all := true, true
	for _, h := range site {
		ids = append(ids, h.ID)
		all = all && h.Epoch >= r.Epoch
		online = online && (h.Epoch >= r.Epoch || !h.Online)
	}
	step := func(s RingStep, keys [][]byte, holders []string) Ring {
		return Ring{Epoch: r.Epoch + 1, Keys: keys, Step: s, Since: now, Shut: r.Shut, Holders: holders}
	}
	rested, old := now.Sub(r.Since) >= ringRest, now.Sub(r.Since) >= ringLife
	shut := slices.ContainsFunc(r.Holders, func(id string) bool { return !slices.Contains(ids, id) })
	switch {
	case r.Epoch == 0:
		return step(Settled, [][]byte{key}, ids)
	case r.Step == Settled && rested && (shut || old):
		out := step(Adding, [][]byte{r.Keys[0], key}, ids)
		out.Shut = shut
		return out
	case r.Step == Adding && rested && (online || old):
		return step(Using, [][]byte{r.Keys[1], r.Keys[0]}, r.Holders)
	case r.Step == Using && rested && (all || old || r.Shut && online):
		out := step(Settled, r.Keys[:1], r.Holders)
		out.Shut = false
		return out
	}
	for _, id := range ids {
		if !slices.Contains(r.Holders, id) {
			r.Holders = append(slices.Clone(r.Holders), id)
		}
	}
	return r
}

// gossips reports whether a node takes part in the gossip of its site: it has told where it listens.
func gossips(n Node) bool {
	return n.Standing == Member && len(n.Last.Gossip.Addresses) > 0 && len(n.Chain) > 0
}

// turnRings brings the key rings of all sites forward.
func (h *Hub) turnRings(ctx context.Context) error {
	now := h.o.Now()
	if since := now.Sub(h.ringed); since >= 0 && since < 5*time.Second && !h.stale {
		return nil
	}
	h.ringed = now
	sites := map[string][]Holder{}
	for _, n := range h.nodes {
		if gossips(n) {
			sites[n.Site] = append(sites[n.Site], Holder{n.ID, n.Last.Gossip.Ring, now.Sub(n.Seen) < Online})
		}
	}
	f := h.fleet
	f.Rings = maps.Clone(f.Rings)
	var changes []Change
	moved := false
	for _, site := range slices.Sorted(maps.Keys(sites)) {
		slices.SortFunc(sites[site], func(a, b Holder) int { return strings.Compare(a.ID, b.ID) })
		old := f.Rings[site]
		next := old.Next(sites[site], now, newRingKey())
		if next.Epoch == old.Epoch && len(next.Holders) == len(old.Holders) {
			continue
		}
		if f.Rings == nil {
			f.Rings = map[string]Ring{}
		}
		f.Rings[site] = next
		moved = true
		if next.Epoch != old.Epoch {
			h.stale = true
			if next.Step == Settled {
				changes = append(changes, h.change("system:fleet", "fleet.site.keys", site, site, ""))
			}
		}
	}
	if !moved {
		return nil
	}
	if err := h.o.Store.PutFleet(ctx, f, changes...); err != nil {
		return err
	}
	h.fleet = f
	return nil
}

func newRingKey() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: the process ends first
	return b
}

// rosters name the nodes of each site that gossip; nodes are by id.
func rosters(nodes []Node) map[string][]spec.Peer {
	out := map[string][]spec.Peer{}
	for _, n := range nodes {
		if !gossips(n) || len(out[n.Site]) == spec.MaxPeers {
			continue
		}
		p := spec.Peer{Node: n.ID, Name: n.Last.Facts.Name, Certs: []edgeward.Digest{edgeward.DigestOf(n.Chain[0])}, Addresses: n.Last.Gossip.Addresses}
		if n.Before != "" {
			p.Certs = append(p.Certs, n.Before)
		}
		out[n.Site] = append(out[n.Site], p)
	}
	return out
}

// around is what a revision depends on beside endpoints: who is in the site, and its ring.
type around struct {
	Roster edgeward.Digest `json:"roster,omitempty"`
	Ring   uint64          `json:"ring,omitempty"`
}

// arounds are what surrounds the nodes of each site.
func (h *Hub) arounds() (map[string]around, error) {
	out := make(map[string]around, len(h.rosters))
	for site, r := range h.rosters {
		b, err := canonical.JSON(r)
		if err != nil {
			return nil, err
		}
		out[site] = around{edgeward.DigestOf(b), h.fleet.Rings[site].Epoch}
	}
	return out, nil
}

// addSite writes roster and key ring into a node's document.
func (h *Hub) addSite(d *spec.Desired, n Node) error {
	ring := h.fleet.Rings[n.Site]
	if !gossips(n) || ring.Epoch == 0 {
		return nil
	}
	leaf, err := pki.ParseCertificate(n.Chain[0])
	if err != nil {
		return err
	}
	k := spec.Keyring{Epoch: ring.Epoch}
	if k.Sealed, err = pki.Seal(leaf, k.Info(d.Fleet, d.Site, d.Node), slices.Concat(ring.Keys...)); err != nil {
		return err
	}
	d.Roster, d.Keyring = h.rosters[n.Site], &k
	return nil
}
