package wire

import (
	"time"

	"edgeward/fleet/agent"
	"edgeward/fleet/hub"
	"edgeward/fleet/spec"
	"edgeward/fleet/witness"
	"edgeward/sync/tuf"
)

// FleetView is the fleet as its hub knows it. ID is empty where none was founded.
type FleetView struct {
	ID       string           `json:"id,omitempty"`
	Name     string           `json:"name,omitempty"`
	Created  time.Time        `json:"created,omitzero"`
	Hubs     []string         `json:"hubs,omitempty"` // addresses that nodes call
	HubKey   tuf.Public       `json:"hub_key"`        // public part of the hub's online key
	Pin      string           `json:"pin,omitempty"`  // digest of the first root: what persons who sign compare
	Charter  *tuf.Charter     `json:"charter,omitempty"`
	FourEyes bool             `json:"four_eyes,omitempty"`
	Signed   []tuf.Target     `json:"signed,omitempty"`
	Revoked  []tuf.Revocation `json:"revoked,omitempty"`
	Files    []tuf.Life       `json:"files,omitempty"`    // the signed files, and until when each is valid
	Nodes    map[string]int   `json:"nodes"`              // by standing, and "online"
	Programs map[string]int   `json:"programs,omitempty"` // how many members run which version of edgeward
	Waiting  bool             `json:"proposal_waits,omitempty"`

	Term       uint64        `json:"term,omitempty"` // grows each time the hub is restored or moved
	Restored   *hub.Restored `json:"restored,omitempty"`
	Superseded time.Time     `json:"superseded,omitzero"` // another hub was restored or moved later: this one tells nodes nothing
}

// FleetRequest founds a fleet.
type FleetRequest struct {
	Name     string       `json:"name"`
	Hubs     []string     `json:"hubs,omitempty"` // "https://hub.hospital.lan:8443"; none: the address the hub listens on
	Proposal tuf.Proposal `json:"proposal"`       // the first, signed by those who must
}

// ProposalView is the open proposal with what a person's client needs to check it.
type ProposalView struct {
	Set      tuf.Set      `json:"set"`
	Proposal tuf.Proposal `json:"proposal"`
	Needs    []tuf.Need   `json:"needs"`
	Changes  *tuf.Changes `json:"changes,omitempty"` // as this server reads it; who signs reads it again
}

// ProposalRequest names the version that is to be signed, or brings a proposal that a person's client made: revocations, another charter,
// longer lives.
type ProposalRequest struct {
	Model    string        `json:"model,omitempty"`
	Version  int           `json:"version,omitempty"`
	Proposal *tuf.Proposal `json:"proposal,omitempty"`
}

// FleetAuthority is how it stands with the fleet's certificate authority.
type FleetAuthority struct {
	hub.Succession
	Waiting []AuthorityWaits `json:"waiting,omitempty"` // members with a certificate of another one than issues
}

// AuthorityWaits is a member that has not renewed its certificate since the authority was changed.
type AuthorityWaits struct {
	ID   string    `json:"id"`
	Name string    `json:"name"`
	Seen time.Time `json:"seen,omitzero"`
}

// NextAuthority are certificates (DER) of the CA that issues and of the one that is to follow it; a charter has to name both.
type NextAuthority struct {
	Current []byte `json:"current"`
	Next    []byte `json:"next"`
}

// HubKey is the public part of a key of the hub.
type HubKey struct {
	Key tuf.Public `json:"key"`
}

// SignatureRequest adds signatures to the open proposal.
type SignatureRequest struct {
	ID         string          `json:"id"`
	Signatures []tuf.Signature `json:"signatures"`
}

// SignatureResult says what is still needed.
type SignatureResult struct {
	Published bool       `json:"published"`
	Needs     []tuf.Need `json:"needs,omitempty"`
}

// CodeRequest asks for a join code.
type CodeRequest struct {
	Site    string `json:"site"`
	Auto    bool   `json:"auto,omitempty"`     // let in without a person
	Tags    bool   `json:"own_tags,omitempty"` // tags that a server asks for count without a person
	Uses    int    `json:"uses,omitempty"`
	Minutes int    `json:"minutes,omitempty"` // 0: a day
	Reason  string `json:"reason,omitempty"`
}

// CodeView is a join code. Text is there once, in the answer that made it.
type CodeView struct {
	hub.Code
	Text string `json:"text,omitempty"`
}

// FleetNodeView is a node as the hub knows it.
type FleetNodeView struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Site       string            `json:"site"`
	Tags       map[string]string `json:"tags,omitempty"`
	Asks       map[string]string `json:"asks_tags,omitempty"` // tags that it asks for; approving it grants them
	Pair       string            `json:"pair,omitempty"`
	Standing   hub.Standing      `json:"standing"`
	Why        string            `json:"why,omitempty"`
	Online     bool              `json:"online"`
	Asked      time.Time         `json:"asked"`
	Joined     time.Time         `json:"joined,omitzero"`
	Seen       time.Time         `json:"seen,omitzero"`
	Until      time.Time         `json:"certificate_until,omitzero"`
	Held       bool              `json:"held,omitempty"` // after a restore: it has a newer document, and gets none until a person decides
	Rev        uint64            `json:"rev"`            // wanted
	Has        uint64            `json:"rev_reported"`   // acted on
	Skew       float64           `json:"clock_skew_s"`   // of its clock against the hub's, when it last reported
	Facts      spec.Facts        `json:"facts"`
	States     []spec.State      `json:"endpoints"`
	Traffic    spec.Traffic      `json:"traffic"`
	Receipt    time.Time         `json:"receipt,omitzero"`     // when States came by a file; zero: over the wire
	Queue      spec.Queue        `json:"queue,omitempty"`      // what waits on the node, and what was dropped there
	Promotions []hub.Promoted    `json:"promotions,omitempty"` // that the node made by itself, the newest last
	Bans       []PeerBan         `json:"bans,omitempty"`       // servers of its site that it asks for nothing now
	Witness    *spec.Witness     `json:"witness,omitempty"`    // how far it has seen this hub's log; its code says that the log does not fit
}

// PeerBan is a server that a node asks for nothing until then.
type PeerBan struct {
	spec.Ban
	Name string `json:"name"` // of the server
}

// BundleResult is what came of a bundle.
type BundleResult struct {
	Kind     string             `json:"kind"` // "updates", "receipts" or "joins"
	Made     time.Time          `json:"made"`
	Brought  *agent.Brought     `json:"brought,omitempty"`
	Receipts []hub.ReceiptTaken `json:"receipts,omitempty"`
	Joins    []hub.Asked        `json:"joins,omitempty"`  // on the hub: servers that ask to be let in
	Joined   string             `json:"joined,omitempty"` // the fleet that let this server in
}

// FleetEventsView is a page of events; with a node, its counts too.
type FleetEventsView struct {
	List[hub.KeptEvent]
	Tally *hub.Tally `json:"tally,omitempty"`
}

// NodeVerdict is what a person decides about a node.
type NodeVerdict struct {
	Reason string `json:"reason,omitempty"`
}

// NodePlace changes where a node stands; absent fields stay.
type NodePlace struct {
	hub.Where
	Reason string `json:"reason,omitempty"`
}

// RolloutRequest starts one.
type RolloutRequest = hub.Order

// RolloutView is a rollout with where its nodes stand.
type RolloutView struct {
	hub.Move
	Nodes []RolloutNode `json:"nodes"`
}

// RolloutNode is one node of a rollout, in its order.
type RolloutNode struct {
	ID     string     `json:"id"`
	Name   string     `json:"name"`
	Site   string     `json:"site"`
	Wave   int        `json:"wave"` // from 1, by the plan and the nodes there are now
	Told   bool       `json:"told"`
	Online bool       `json:"online"`
	State  spec.State `json:"state"`
}

// RolloutWord is what a person says to a rollout.
type RolloutWord struct {
	Reason string `json:"reason,omitempty"`
}

// FleetLeft is the end of a membership.
type FleetLeft struct {
	Told bool `json:"told"` // the hub knows; else an administrator there must revoke and forget the node before it joins again
}

// FleetMembership is this server as a node.
type FleetMembership struct {
	Fleet    string        `json:"fleet,omitempty"`
	Name     string        `json:"name,omitempty"`
	Site     string        `json:"site,omitempty"`
	Hubs     []string      `json:"hubs,omitempty"`
	Pending  bool          `json:"pending,omitempty"`
	ByFile   bool          `json:"by_file,omitempty"` // it asks by a file that a person carries, and a bundle is the answer
	Problem  string        `json:"problem,omitempty"`
	Joined   time.Time     `json:"joined,omitzero"`
	Until    time.Time     `json:"certificate_until,omitzero"`
	Rev      uint64        `json:"rev,omitempty"`
	FourEyes bool          `json:"four_eyes,omitempty"`
	Contact  agent.Contact `json:"contact,omitzero"`
	Items    []spec.State  `json:"endpoints,omitempty"`
	Traffic  spec.Traffic  `json:"traffic,omitzero"`
	Queue    spec.Queue    `json:"queue,omitempty"` // what waits for the hub

	Autonomy   spec.Autonomy    `json:"autonomy,omitzero"`    // what this server may do while the hub is away
	MayFrom    time.Time        `json:"may_from,omitzero"`    // from when on it may, if the hub stays away
	Promotions []agent.Promoted `json:"promotions,omitempty"` // by this server itself, or taken from others of its site; the newest last
	Offers     []agent.Offered  `json:"offers,omitempty"`     // what other servers of the site promoted by themselves and is not taken here

	Witness *FleetWitness `json:"witness,omitempty"` // what this server saw of its hub's log
}

// FleetWitness is what a node saw of its hub's log, and whether what the hub shows now leads through it.
type FleetWitness struct {
	Head   witness.Head   `json:"head"` // the last one that the hub proved to go on from all before
	Term   uint64         `json:"term,omitempty"`
	At     time.Time      `json:"at,omitzero"`      // when the hub last showed a log that leads through it
	Code   string         `json:"code,omitempty"`   // why the log that the hub shows does not fit; empty: it does
	Since  time.Time      `json:"since,omitzero"`   // when that was seen first
	Shown  *witness.Head  `json:"shown,omitempty"`  // what it showed instead
	Before []witness.Past `json:"before,omitempty"` // the last heads of earlier terms, as they were signed

	Signed      []byte `json:"signed,omitempty"`       // the hub's word for Head: an envelope
	ShownSigned []byte `json:"shown_signed,omitempty"` // and for Shown; the two together prove it to anybody
}

// OwnRequest asks to put a version that was trained on this server behind an endpoint of the fleet.
type OwnRequest struct {
	Endpoint string `json:"endpoint"`
	Version  int    `json:"version"`
	Reason   string `json:"reason"`
}

// OwnTake asks to put a version that another server of the site promoted by itself behind the same endpoint here.
type OwnTake struct {
	Endpoint string `json:"endpoint"`
	From     string `json:"from,omitempty" doc:"id or name of the server that promoted it; needed where several did"`
	Reason   string `json:"reason"`
}

// OwnReturn asks to let the hub's version answer again.
type OwnReturn struct {
	Endpoint string `json:"endpoint"`
	Reason   string `json:"reason"`
}

// JoinRequest brings a join code.
type JoinRequest struct {
	Code   string            `json:"code"`
	Tags   map[string]string `json:"tags,omitempty"`    // that this server asks for; the hub decides
	ByFile bool              `json:"by_file,omitempty"` // no wire leads to the hub: GET /fleet/membership/request is what a person carries there
}
