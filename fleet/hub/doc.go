// Package hub is the fleet's centre: who belongs to it, which versions may exist, and what each node should run. It answers the
// routes under /fleet/v1 (Handler), which only nodes call, and the calls of its own server's API. fleet/DESIGN.md draws both.
//
// # What it promises
//
//   - A node's document grows by revisions that are on the disk before the node can see them. The same revision always has the
//     same content.
//   - An answer to a join, an event of a node and a person's decision are on the disk before they are acknowledged. Reports are
//     not: the next one replaces them. A change of phase in a report is kept at once, the rest every half minute.
//   - A version is told to nodes only when the repository names it (four eyes, if the fleet has them), and by a rollout: one that a person
//     started, or one that stands for a version in an overlay (fleet/overlay). The same is true of a binary of edgeward, and each is told to nodes of its platform alone.
//   - Overlays are applied all or none, and the same ones twice change nothing.
//   - A node gets bytes that its document leads to, and no others: they are as absent to it.
//   - What is called twice is done once: joins by code and node, events by id, rollouts by key.
//
// The hub holds everything in memory, 2 KiB a node, and writes through Store. One goroutine, Run, brings rollouts forward.
package hub

import (
	"context"
	"time"

	"edgeward"
	"edgeward/fleet/overlay"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/sync/tuf"
)

// Fleet is the fleet this server is the hub of.
type Fleet struct {
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	Created time.Time       `json:"created"`
	Set     tuf.Set         `json:"set"`               // the signed repository
	Pending *tuf.Proposal   `json:"pending,omitempty"` // waits for signatures
	Hubs    []string        `json:"hubs"`              // addresses nodes call, as join codes name them
	Rings   map[string]Ring `json:"rings,omitempty"`   // of the gossip of each site: secrets

	Heritage [][]byte `json:"heritage,omitempty"` // of the CA (pki.CA.Succeeds), once there was another

	Term       uint64    `json:"term,omitempty"`      // grows with each restore
	Restored   *Restored `json:"restored,omitempty"`  // the last one
	Superseded time.Time `json:"superseded,omitzero"` // when a node showed that a hub of a later term lives
}

// Code is a join code as the hub keeps it: of its secret only the digest.
type Code struct {
	ID      string    `json:"id"`
	Secret  string    `json:"secret,omitempty"` // sha256, hex
	Site    string    `json:"site"`
	Auto    bool      `json:"auto,omitempty"`     // who comes with it is let in without a person
	Tags    bool      `json:"own_tags,omitempty"` // and brings tags of its own
	Uses    int       `json:"uses"`               // how many more may join with it
	Created time.Time `json:"created"`
	By      string    `json:"by"`
	Expires time.Time `json:"expires"`
	Nodes   []string  `json:"nodes,omitempty"` // that used it
	Revoked bool      `json:"revoked,omitempty"`
}

// Standing is whether a node belongs to the fleet.
type Standing string

// The standings.
const (
	Pending    Standing = "pending" // waits for a person
	Member     Standing = "member"
	Quarantine Standing = "quarantined" // two machines show its certificate: it gets no new documents until a person decides
	Revoked    Standing = "revoked"
	Declined   Standing = "declined"
	Left       Standing = "left" // it said so itself: with a code it joins anew, without a person if the code says so
)

// Node is a server of the fleet as the hub knows it.
type Node struct {
	ID       string            `json:"id"`
	Site     string            `json:"site"`
	Tags     map[string]string `json:"tags,omitempty"`
	Pair     string            `json:"pair,omitempty"` // the redundant pair it belongs to, within its site
	Standing Standing          `json:"standing"`
	Why      string            `json:"why,omitempty"`
	Asked    time.Time         `json:"asked"`
	Joined   time.Time         `json:"joined,omitzero"`
	Asks     map[string]string `json:"asks_tags,omitempty"` // tags that it asks for: its own once a person lets it in
	Code     string            `json:"code,omitempty"`
	Claim    string            `json:"claim,omitempty"`   // that expected it
	Request  []byte            `json:"request,omitempty"` // PKCS #10, of the last join
	Chain    [][]byte          `json:"chain,omitempty"`
	Before   edgeward.Digest   `json:"before,omitempty"` // of the certificate before the last
	Until    time.Time         `json:"until,omitzero"`   // its certificate
	Rev      uint64            `json:"rev,omitempty"`
	Content  string            `json:"content,omitempty"` // digest of what revision Rev says
	Issued   time.Time         `json:"issued,omitzero"`
	Unmet    bool              `json:"unmet,omitempty"` // not heard since this hub was restored: what document it has is not known, and it gets none
	Held     bool              `json:"held,omitempty"`  // it has a document newer than the backup this hub was restored from, and gets none until a person decides
	Last     spec.Reported     `json:"last,omitzero"`
	Ended    []string          `json:"ended,omitempty"`  // the starts of its process before that of Last, the latest last; at most 4
	Got      time.Time         `json:"got,omitzero"`     // when Last came
	Seen     time.Time         `json:"seen,omitzero"`    // last call
	Receipt  time.Time         `json:"receipt,omitzero"` // when Last came by file; zero: it came over the wire

	Promotions []Promoted `json:"promotions,omitempty"` // that it made by itself, the newest last
}

// Assignment says that the nodes of a scope have an endpoint.
type Assignment struct {
	Scope    string        `json:"scope"` // as overlay.Set ranks them; the narrowest counts, of selections the latest
	Endpoint spec.Endpoint `json:"endpoint"`
	Changed  time.Time     `json:"changed"`
	Decided  time.Time     `json:"decided,omitzero"` // when the rollout began that brought it; zero: Changed
	By       string        `json:"by"`
}

// Everywhere is the scope of all nodes.
const Everywhere = overlay.Everywhere

// Move is a rollout with the scope whose assignment it changes.
type Move struct {
	rollout.Rollout
	Scope     string         `json:"scope"`
	Title     string         `json:"title,omitempty"`
	Probation spec.Probation `json:"probation,omitzero"`
	Again     int            `json:"again,omitempty"`
	Now       bool           `json:"now,omitempty"` // it does not wait for windows, while it is under way
}

// Overlay is a document of persons that is kept.
type Overlay struct {
	overlay.Document
	Changed time.Time `json:"changed"`
	By      string    `json:"by"`
	Move    string    `json:"move,omitempty"` // of an endpoint with a version: the rollout that stands for it; "" not yet, "none" none is needed
	Met     string    `json:"met,omitempty"`  // of a claim: the node that met it
}

// Change is what the audit is to say about a write.
type Change struct {
	By     string // principal
	Action string // "fleet.node.joined"
	Object string // id
	Name   string // for people
	Reason string
	Detail map[string]string
	At     time.Time
}

// Store keeps the hub's facts. Each method is one transaction, and its event with it; no change means no event.
type Store interface {
	Fleet(ctx context.Context) (Fleet, error) // the zero Fleet if there is none
	PutFleet(ctx context.Context, f Fleet, c ...Change) error
	FleetCodes(ctx context.Context) ([]Code, error)
	FleetNodes(ctx context.Context) ([]Node, error)
	FleetAssignments(ctx context.Context) ([]Assignment, error)
	FleetMoves(ctx context.Context) ([]Move, error)
	FleetOverlays(ctx context.Context) ([]Overlay, error)
	// PutFleetFacts keeps all of w or nothing.
	PutFleetFacts(ctx context.Context, w Facts, c ...Change) error
	Summaries
	// AddFleetEvents keeps events of a node as Tally.Add says, by id, and returns how many were new.
	AddFleetEvents(ctx context.Context, node string, way Way, now time.Time, e []spec.Event) (stored int, err error)
	FleetEvents(ctx context.Context, q EventQuery) (page []KeptEvent, next string, err error)
	FleetTally(ctx context.Context, node string) (Tally, error) // the zero Tally if nothing came
	// PruneFleetEvents removes at most n events of a class that came before.
	PruneFleetEvents(ctx context.Context, c spec.Class, before time.Time, n int) error
}

// Facts are what one step changes together.
type Facts struct {
	Codes       []Code
	Nodes       []Node
	Gone        []string // nodes that are forgotten
	Assignments []Assignment
	Moves       []Move
	Overlays    []Overlay
	Lifted      []string // keys of overlays that are taken away
}
