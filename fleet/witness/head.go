package witness

import (
	"encoding/hex"
	"encoding/json"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/sync/canonical"
	"edgeward/sync/tuf"
)

// Payload is the DSSE payload type of a Statement.
const Payload = "application/vnd.edgeward.audit-head+json"

// Bounds.
const (
	MaxStatement = 2 << 10  // bytes of a statement
	MaxAnswer    = 16 << 10 // bytes of an answer
	maxProof     = 128      // hashes
	maxSize      = 1 << 53  // events: more is no number in canonical JSON
)

// Head is the state of the log after Size events; both hashes in hex, as node/events has them.
type Head struct {
	Size uint64 `json:"size"`
	Root string `json:"root"` // RFC 6962 tree hash
	Last string `json:"last"` // record hash of event number Size
}

// Statement is what a hub says of its log.
type Statement struct {
	Format int       `json:"format"`
	Fleet  string    `json:"fleet"`
	Term   uint64    `json:"term,omitempty"`
	Head   Head      `json:"head"`
	At     time.Time `json:"at"`
}

// Answer is what a node gets that asks for the head: the statement in its envelope, and the proof from the size that the node has (none if it has none, or more than
// the hub).
type Answer struct {
	Envelope []byte   `json:"envelope"`
	Proof    [][]byte `json:"proof,omitempty"` // as in RFC 6962, section 2.1.2
}

// Sign is s in an envelope.
func (s Statement) Sign(k tuf.Key) ([]byte, error) {
	s.Format = spec.Format
	b, err := canonical.JSON(s)
	if err != nil {
		return nil, err
	}
	return tuf.SignEnvelope(Payload, b, k)
}

// ParseAnswer reads an answer and the statement in it, which key must have signed for the fleet.
func ParseAnswer(b []byte, fleet string, key tuf.Public) (a Answer, s Statement, err error) {
	const op = "witness.ParseAnswer"
	bad := func(format string, args ...any) (Answer, Statement, error) {
		return a, s, edgeward.E(op, edgeward.Invalid, "fleet.audit_head", format, args...).WithHint("update the hub, or look at what is at its address")
	}
	if len(b) > MaxAnswer {
		return bad("the answer has %d bytes", len(b))
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return bad("the answer cannot be read: %v", err)
	}
	payload, err := tuf.OpenEnvelope(a.Envelope, Payload, MaxStatement, key)
	if err != nil {
		return a, s, err
	}
	if err := json.Unmarshal(payload, &s); err != nil || s.Format < 1 {
		return bad("the statement cannot be read")
	}
	if s.Format > spec.Format {
		return a, s, edgeward.E(op, edgeward.Conflict, "fleet.format", "the statement has format %d, this edgeward reads up to %d", s.Format, spec.Format).WithHint("update this server")
	}
	if s.Fleet != fleet {
		return bad("the statement is of another fleet")
	}
	if _, err := s.Head.root(); err != nil || s.Head.Size > maxSize || len(s.Head.Last) != 2*tlog.HashSize || len(a.Proof) > maxProof {
		return bad("the statement names no head")
	}
	return a, s, nil
}

func (h Head) root() (out tlog.Hash, err error) {
	b, err := hex.DecodeString(h.Root)
	if err == nil && len(b) != len(out) {
		err = edgeward.E("witness", edgeward.Invalid, "fleet.audit_head", "%.80q is no hash", h.Root)
	}
	copy(out[:], b)
	return out, err
}

// continues reports whether the proof shows that a log with head h begins with one with head old. Equal sizes need no proof.
func (h Head) continues(old Head, proof [][]byte) bool {
	if old.Size == 0 {
		return true
	}
	if h.Size == old.Size {
		return h.Root == old.Root && h.Last == old.Last
	}
	if h.Size < old.Size {
		return false
	}
	before, err := old.root()
	if err != nil {
		return false
	}
	now, err := h.root()
	if err != nil {
		return false
	}
	p := make(tlog.TreeProof, len(proof))
	for i, b := range proof {
		if len(b) != tlog.HashSize {
			return false
		}
		copy(p[i][:], b)
	}
	return tlog.CheckTree(p, int64(h.Size), now, int64(old.Size), before) == nil
}
