// Package spec is what the servers of a fleet say to each other: documents and their grammar, no behaviour. fleet/DESIGN.md
// draws who says what to whom.
//
// # Rules of every document
//
//   - It is JSON. What is signed or digested is canonical JSON (sync/canonical).
//   - New fields are optional and unknown ones are kept out of the way: a reader ignores what it does not know. A change of
//     meaning raises Format and adds a line to the history below; a reader refuses a Format above its own
//     ("fleet.format", with the hint to update).
//   - Delivery is at least once; each message names its natural key and the receiver is idempotent by it.
//   - Every parser is bounded: MaxDesired, MaxReported, MaxCode.
//   - Times are UTC, RFC 3339. Bytes are named by digest, versions by the digest of their manifest; numbers are labels.
//
// # History of Format
//
//	1  2026-11-25  first
//	1  2026-11-26  binary: the program itself, in Desired and Reported; who does not know it goes on with the one it has
//	1  2026-11-26  policy: windows and rates by name, in place of one window each, which no hub had ever sent
//	1  2026-11-26  reported: bans; an event of class audit names its group; a join request: tags that the server asks for
//	1  2026-11-26  policy: take; a promotion: taken; who does not know them takes nobody's promotions, and shows a taken one as the node's own
package spec

// Format is the number of the fleet's language.
const Format = 1

// Bounds of documents in bytes.
const (
	MaxDesired  = 256 << 10
	MaxReported = 256 << 10
	MaxCode     = 4 << 10
)
