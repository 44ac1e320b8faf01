// Package inquiry is what a person at the hub asks of one node: the last lines of its log, or a support bundle.
//
// # Parties
//
// A person with the right asks at the hub and says why. The Desk keeps what was asked and what came. A node, which is never called, hears
// at its next long poll that something was asked, fetches the Orders, checks their signature, and sends a file or its refusal.
//
// # What it promises
//
//   - An order is signed by the key that signs desired documents, names one fleet and one node, and is good for an hour. A document of
//     another kind is no order: the payload type is part of what is signed.
//   - Both sides have it in their audit logs, with who asked and why: the hub when it is asked, when it is read and when it is dropped, the node
//     when it answers or refuses.
//   - A node's administrator can forbid it (fleet.allow_inquiries). What leaves the node are its own log lines, which hold no input and no
//     secret, and facts about the server; never predictions, data sets, models or keys.
//   - A file has at most MaxFile bytes, is seen only when it is complete and has its digest, and is deleted a day after it came. At most
//     MaxOpen inquiries of a node are open.
//   - An answer that comes twice changes nothing.
package inquiry

import (
	"encoding/json"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
)

// Payload is the DSSE payload type of an Order.
const Payload = "application/vnd.edgeward.inquiry+json"

// Hint is the header that tells a node, in the answer to its long poll, that somebody asks something of it.
const Hint = "Edgeward-Inquiry"

// Bounds.
const (
	MaxFile  = 16 << 20
	MaxLines = 5000
	MaxOpen  = 4                // of a node
	MaxKept  = 200              // inquiries the hub keeps
	MaxOrder = 16 << 10         // bytes of an order
	Good     = time.Hour        // how long an order may be answered
	Kept     = 24 * time.Hour   // how long a file is kept
	Again    = 10 * time.Second // least time between two hints to a node that something is asked
)

// What is asked for.
type What string

// The kinds.
const (
	Logs   What = "logs"   // the last lines of the node's log, gzip of text
	Bundle What = "bundle" // a support bundle, tar.gz
)

// State is where an inquiry stands.
type State string

// The states.
const (
	Asked   State = "asked"   // the node has not heard yet
	Told    State = "told"    // it has
	Here    State = "here"    // its file is here
	Refused State = "refused" // the node does not give it: Code and Why say why
	Expired State = "expired" // the node did not answer in time
	Gone    State = "gone"    // the file was deleted
)

// Inquiry is one, as the hub keeps it.
type Inquiry struct {
	ID     string          `json:"id"`
	Node   string          `json:"node"`
	What   What            `json:"what"`
	Lines  int             `json:"lines,omitempty"`
	By     string          `json:"by"`
	Reason string          `json:"reason"`
	At     time.Time       `json:"at"`
	Until  time.Time       `json:"until"` // when the order, and later the file, ends
	State  State           `json:"state"`
	Came   time.Time       `json:"came,omitzero"`
	Size   int64           `json:"size,omitempty"`
	Digest edgeward.Digest `json:"digest,omitempty"`
	Code   string          `json:"code,omitempty"`
	Why    string          `json:"why,omitempty"`
	Got    int64           `json:"got,omitempty"` // bytes that have come, while they come
}

// Open reports whether the node may still answer.
func (q Inquiry) Open() bool { return q.State == Asked || q.State == Told }

// Order is what the node is told.
type Order struct {
	Format  int       `json:"format"`
	Fleet   string    `json:"fleet"`
	Node    string    `json:"node"`
	ID      string    `json:"id"`
	What    What      `json:"what"`
	Lines   int       `json:"lines,omitempty"`
	By      string    `json:"by"`
	Reason  string    `json:"reason"`
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"`
}

// Orders are what a node fetches: envelopes.
type Orders struct {
	Envelopes []json.RawMessage `json:"envelopes"`
}

// Refusal is why a node gives nothing.
type Refusal struct {
	Code string `json:"code"`
	Why  string `json:"why"`
}

// ParseOrder reads an order and checks that it is one for this node, good at now. Its signature is the caller's to check first.
func ParseOrder(b []byte, fleet, node string, now time.Time) (Order, error) {
	const op = "inquiry.ParseOrder"
	var o Order
	if len(b) > MaxOrder || json.Unmarshal(b, &o) != nil || o.Format != spec.Format {
		return Order{}, edgeward.E(op, edgeward.Invalid, "fleet.order", "the hub's order cannot be read")
	}
	if o.Fleet != fleet || o.Node != node {
		return Order{}, edgeward.E(op, edgeward.Forbidden, "fleet.other_node", "the order is for node %.60s of fleet %.60s", o.Node, o.Fleet)
	}
	if !now.Before(o.Expires) || o.Expires.Sub(o.Issued) > 2*Good {
		return Order{}, edgeward.E(op, edgeward.Conflict, "fleet.order_expired", "the order expired on %s", o.Expires.Format(time.DateTime))
	}
	return o, Check(o.What, o.Lines, o.Reason)
}

// Check reports why something cannot be asked for.
func Check(w What, lines int, reason string) error {
	if w != Logs && w != Bundle || lines < 0 || lines > MaxLines {
		return edgeward.E("inquiry.Check", edgeward.Invalid, "fleet.inquiry", "ask for logs, of at most %d lines, or for a bundle", MaxLines)
	}
	if reason == "" || len(reason) > 1000 {
		return edgeward.E("inquiry.Check", edgeward.Invalid, "fleet.inquiry_reason", "say why, in at most 1,000 bytes").WithHint("the reason stands in the audit log of both servers")
	}
	return nil
}
