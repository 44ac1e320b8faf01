package wire

import (
	"time"

	"edgeward/fleet/spec"
)

// FleetSite is the site of this server as gossip shows it to this very server. Gossip is a hint: nothing is decided by it.
type FleetSite struct {
	On       bool         `json:"on"` // gossip.address is not off
	Site     string       `json:"site,omitempty"`
	Node     string       `json:"node,omitempty"`      // this server
	Address  string       `json:"address,omitempty"`   // where the others reach it
	Ring     uint64       `json:"ring,omitempty"`      // number of the key ring in use; 0: no gossip yet
	Problem  string       `json:"problem,omitempty"`   // why there is no gossip
	HeldBack bool         `json:"held_back,omitempty"` // another one has seen later signatures of the hub than this server
	Traffic  spec.Traffic `json:"traffic,omitzero"`
	Members  []SiteMember `json:"members"` // the others of the roster, by id
}

// SiteMember is another server of the site.
type SiteMember struct {
	Node         string    `json:"node"`
	Name         string    `json:"name,omitempty"`
	Address      string    `json:"address,omitempty"`
	State        string    `json:"state" enum:"unseen,alive,suspect,dead,left"`
	Since        time.Time `json:"since,omitzero"`
	Seen         time.Time `json:"seen,omitzero"`    // last sign of life to this server
	Milliseconds float64   `json:"rtt_ms,omitempty"` // there and back
	Reason       string    `json:"reason,omitempty"`
	Rev          uint64    `json:"rev,omitempty"` // of the document it acts on
	Version      string    `json:"version,omitempty"`
	Hub          bool      `json:"hub,omitempty"`         // it reaches the hub
	Banned       time.Time `json:"banned_until,omitzero"` // it sent wrong bytes and is not asked until then
	BannedWhy    string    `json:"banned_why,omitempty"`
}
