package spec

import (
	"time"

	"edgeward"
)

// Phase is where a wanted version stands on a node. fleet/DESIGN.md draws the ways between them.
type Phase string

// The phases.
const (
	Offered   Phase = "offered"
	Admitted  Phase = "admitted"
	Fetching  Phase = "fetching"
	Verified  Phase = "verified"
	Staged    Phase = "staged"
	Probing   Phase = "probation"
	Committed Phase = "committed"
	Reverted  Phase = "reverted" // the version before goes on answering
	Refused   Phase = "refused"  // does not fit this node
)

// Settled reports whether nothing more happens in this phase by itself.
func (p Phase) Settled() bool { return p == Committed || p == Reverted || p == Refused }

// Reported is what a node says of itself. It replaces the one before; its natural key is (Node, Boot, Seq).
type Reported struct {
	Format    int       `json:"format"`
	Node      string    `json:"node"`
	Boot      string    `json:"boot"` // a new one with each start of the process: the session nonce of clone detection
	Seq       uint64    `json:"seq"`  // grows within a boot
	At        time.Time `json:"at"`   // the node's clock
	Rev       uint64    `json:"rev"`  // of the document it acts on; 0: none yet
	Term      uint64    `json:"term,omitempty"`
	Endpoints []State   `json:"endpoints,omitempty"`
	Binary    *State    `json:"binary,omitempty"` // of edgeward itself, while the fleet wants one; its name is BinaryKey's
	Facts     Facts     `json:"facts"`
	Traffic   Traffic   `json:"traffic,omitzero"`
	Queue     Queue     `json:"queue,omitempty"` // what waits for the hub, and what was lost
	Gossip    Gossip    `json:"gossip,omitzero"`
	Locals    []Local   `json:"locals,omitempty"`  // its own promotions, the newest last
	Witness   *Witness  `json:"witness,omitempty"` // how far it has seen the hub's log
	Refuses   *Refusal  `json:"refuses,omitempty"` // the hub's newest document; nil: it took it, or has not seen it
}

// Refusal is why a node does not take a document: it is of a format that the node does not know, it has expired by the node's clock.
type Refusal struct {
	Code   string `json:"code"`
	Reason string `json:"reason"` // and what to do, for people
}

// State is one endpoint on the node.
type State struct {
	Group    string          `json:"group"`
	Name     string          `json:"name"`
	Want     edgeward.Digest `json:"want"`
	Live     edgeward.Digest `json:"live,omitempty"`
	Previous edgeward.Digest `json:"previous,omitempty"` // stays loaded: what a revert returns to
	Phase    Phase           `json:"phase"`
	Since    time.Time       `json:"since"`          // of the phase
	Opens    time.Time       `json:"opens,omitzero"` // of a phase that waits for a window: when that opens; Code is WaitsForWindow
	Code     string          `json:"code,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Fault    Fault           `json:"fault,omitempty"` // of Reverted and Refused
	Done     int64           `json:"done,omitempty"`  // bytes of Total here, while Fetching
	Total    int64           `json:"total,omitempty"`
	Evidence Evidence        `json:"evidence,omitzero"`
	Local    uint64          `json:"local,omitempty"` // Want is not the hub's but that of this promotion of the node (Promotion.Seq)
}

// WaitsForWindow is the Code of a State that waits for a maintenance window.
const WaitsForWindow = "fleet.waits_window"

// Key returns s's.
func (s State) Key() Key { return Key{s.Group, s.Name} }

// Fault says whose it is that a version does not run. Only the version's stops a rollout.
type Fault string

// The faults.
const (
	OfVersion Fault = "version" // it does not load, crashes, answers otherwise: it would elsewhere too
	OfNode    Fault = "node"    // no room, no such device: another node may well run it
)

// Evidence is what the probation saw.
type Evidence struct {
	Compared uint64  `json:"compared,omitempty"` // answers held against the old version's
	Unlike   uint64  `json:"unlike,omitempty"`   // of these, with other outputs or shapes
	Rows     uint64  `json:"rows,omitempty"`     // whose class was compared
	Disagree float64 `json:"disagree"`           // share of Rows with another class
	Shift    float64 `json:"shift"`              // mean absolute difference of numbers over their mean size
	Answered uint64  `json:"answered,omitempty"` // live answers since it answers
	Errors   float64 `json:"errors"`             // share of failed ones
	Slower   float64 `json:"slower,omitempty"`   // lower 97.5 % confidence bound of its p99 over the old version's p99
	Memory   float64 `json:"memory,omitempty"`   // measured, over the old version's
}

// Traffic is what came over the wire for the fleet, since the node joined.
type Traffic struct {
	Received int64 `json:"received,omitempty"` // bytes of blobs and deltas from the hub
	Peers    int64 `json:"peers,omitempty"`    // from servers of the site
	Saved    int64 `json:"saved,omitempty"`    // bytes that deltas made unnecessary
}

// Facts are what the hub must know to tell whether a version fits, and people to find the machine.
type Facts struct {
	Name     string            `json:"name"`
	Version  string            `json:"version"` // of edgeward
	OS       string            `json:"os"`
	Arch     string            `json:"arch"`
	CPU      string            `json:"cpu,omitempty"`
	Cores    int               `json:"cores,omitempty"`
	Memory   int64             `json:"memory,omitempty"`    // bytes
	DiskFree int64             `json:"disk_free,omitempty"` // bytes
	Engines  map[string]string `json:"engines,omitempty"`   // name to version
	URL      string            `json:"url,omitempty"`       // of its page, for people
	Serial   string            `json:"serial,omitempty"`    // of the machine, as its firmware says
	Machine  string            `json:"machine,omitempty"`   // id of the installed system
	Host     Machine           `json:"host,omitzero"`
}

// ParseReported reads a report and checks what every reader relies on.
func ParseReported(b []byte) (Reported, error) {
	return parse[Reported](b, "reported", MaxReported)
}

// Check reports why r is no usable report.
func (r Reported) Check() error {
	if err := readable(r.Format); err != nil {
		return err
	}
	if r.Node == "" || r.Boot == "" || r.Seq == 0 || len(r.Boot) > 64 || len(r.Endpoints) > 1000 {
		return invalid("reported", "node, boot and seq are needed, and at most 1,000 endpoints")
	}
	if x := r.Refuses; x != nil && (x.Code == "" || len(x.Code) > 100 || len(x.Reason) > 2000) {
		return invalid("reported", "it does not say why the document is refused")
	}
	if err := r.Facts.Host.check(); err != nil {
		return err
	}
	for _, s := range r.Endpoints {
		if edgeward.CheckName("group", s.Group) != nil {
			return invalid("reported", "endpoint %.80q is not described", s.Name)
		}
		if err := s.check(); err != nil {
			return err
		}
	}
	if r.Binary != nil {
		if !r.Binary.Key().Binary() {
			return invalid("reported", "the binary is not described")
		}
		if err := r.Binary.check(); err != nil {
			return err
		}
	}
	if len(r.Locals) > MaxLocals {
		return invalid("reported", "more than %d promotions", MaxLocals)
	}
	for _, l := range r.Locals {
		if len(l.Promotion) > MaxPromotion || len(l.Certificate) > 8<<10 || len(l.Signature) > 1<<10 || len(l.Code) > 100 || len(l.Why) > 2000 {
			return invalid("reported", "a promotion is longer than one is")
		}
	}
	if r.Witness != nil {
		if err := r.Witness.check(); err != nil {
			return err
		}
	}
	if len(r.Gossip.Members) > 16 {
		return invalid("reported", "gossip has no %d states", len(r.Gossip.Members))
	}
	if len(r.Gossip.Bans) > MaxBans {
		return invalid("reported", "more than %d bans", MaxBans)
	}
	for _, b := range r.Gossip.Bans {
		if err := b.check(); err != nil {
			return err
		}
	}
	return checkAddresses(r.Gossip.Addresses)
}

func (s State) check() error {
	if edgeward.CheckName("endpoint", s.Name) != nil || len(s.Reason) > 2000 || len(s.Code) > 100 {
		return invalid("reported", "endpoint %.80q is not described", s.Name)
	}
	for _, d := range []edgeward.Digest{s.Want, s.Live, s.Previous} {
		if d == "" {
			continue
		}
		if _, err := edgeward.ParseDigest(string(d)); err != nil {
			return err
		}
	}
	return nil
}
