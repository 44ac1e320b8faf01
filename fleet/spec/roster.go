package spec

import (
	"fmt"
	"net/netip"
	"time"

	"edgeward"
)

// Peer is a server of the same site, as the hub names it in a Desired document.
type Peer struct {
	Node      string            `json:"node"`
	Name      string            `json:"name,omitempty"`      // for people
	Certs     []edgeward.Digest `json:"certs"`               // of its certificates: the latest, and the one before until the latest was used
	Addresses []string          `json:"addresses,omitempty"` // "10.0.0.7:7946" each, as the node reported them; none: its site port is closed
}

// Keyring is the key ring of a site's gossip, for one node alone: HPKE (RFC 9180; P-256, HKDF-SHA256, AES-256-GCM) to the key of the node's latest
// certificate, over the keys one after the other, 32 bytes each, the first of which encrypts.
type Keyring struct {
	Epoch  uint64 `json:"epoch"` // grows with each change of the ring
	Sealed []byte `json:"sealed"`
}

// Info binds a sealed ring to whom it is for.
func (k Keyring) Info(fleet, site, node string) []byte {
	return fmt.Appendf(nil, "edgeward keyring 1\n%s\n%s\n%s\n%d", fleet, site, node, k.Epoch)
}

// Gossip is what a node reports of the gossip of its site; the zero Gossip where its site port is closed.
type Gossip struct {
	Addresses []string       `json:"addresses,omitempty"` // where peers reach it, "10.0.0.7:7946"
	Ring      uint64         `json:"ring,omitempty"`      // epoch of the key ring it uses
	Members   map[string]int `json:"members,omitempty"`   // how many it sees, by fleet/member's states
	Bans      []Ban          `json:"bans,omitempty"`      // servers of the site that it asks for nothing now; at most MaxBans
}

// Ban is a server of the site that another one asks for nothing until then, because it sent wrong bytes.
type Ban struct {
	Node  string    `json:"node"`
	Until time.Time `json:"until"`
	Why   string    `json:"why,omitempty"` // for people
}

func (b Ban) check() error {
	if b.Node == "" || len(b.Node) > 64 || len(b.Why) > 500 {
		return invalid("reported", "a ban names a server, and says why in at most 500 bytes")
	}
	return nil
}

// Bounds of a roster.
const (
	MaxPeers     = 600
	MaxBans      = 100
	maxAddresses = 8
)

// checkRoster reports why list is no roster: peers by id, each once.
func checkRoster(list []Peer) error {
	if len(list) > MaxPeers {
		return invalid("roster", "more than %d servers in one site", MaxPeers)
	}
	for i, p := range list {
		if i > 0 && list[i-1].Node >= p.Node {
			return invalid("roster", "servers are not in order or stand twice: %.64s", p.Node)
		}
		if err := p.Check(); err != nil {
			return err
		}
	}
	return nil
}

// Check reports why p is no peer.
func (p Peer) Check() error {
	if p.Node == "" || len(p.Node) > 64 || len(p.Name) > 200 || len(p.Certs) > 4 || len(p.Addresses) > maxAddresses {
		return invalid("roster", "%.64q is not described", p.Node)
	}
	for _, d := range p.Certs {
		if _, err := edgeward.ParseDigest(string(d)); err != nil {
			return err
		}
	}
	return checkAddresses(p.Addresses)
}

func checkAddresses(list []string) error {
	if len(list) > maxAddresses {
		return invalid("roster", "more than %d addresses", maxAddresses)
	}
	for _, a := range list {
		if _, err := netip.ParseAddrPort(a); err != nil {
			return invalid("roster", "%.80q is no address with a port", a)
		}
	}
	return nil
}
