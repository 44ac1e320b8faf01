package events

import (
	"crypto/sha256"
	"encoding/json"
	"strings"
	"time"

	"edgeward"

	"golang.org/x/mod/sumdb/tlog"
)

// Bounds of one event; more is Invalid "event.invalid".
const (
	MaxReason = 2000     // bytes of Reason
	MaxDetail = 32       // entries of Detail
	MaxBytes  = 16 << 10 // bytes of the whole event as JSON
)

// Object names what an event is about. ID is the object's ULID or digest; Name is what people call it.
type Object struct {
	Kind string `json:"kind"`           // a noun: "model", "endpoint"
	Name string `json:"name,omitempty"` // "er-attendance"
	ID   string `json:"id,omitempty"`
}

// Event is one line of the log. Seq and Prev are set by the store when the event is appended; everything else comes from
// the caller. An appended event never changes.
type Event struct {
	Seq         uint64            `json:"seq"`
	Time        time.Time         `json:"time"`                   // UTC
	Principal   string            `json:"principal"`              // who: "user:alice", "token:ci", "system:demo-policy"
	PrincipalID string            `json:"principal_id,omitempty"` // that principal's ULID
	Group       string            `json:"group,omitempty"`        // id of the group the object belongs to; empty: the node itself
	Action      string            `json:"action"`                 // what happened, noun first: "model.version.created"
	Object      Object            `json:"object"`
	Reason      string            `json:"reason,omitempty"` // why, in the person's own words
	Before      edgeward.Digest   `json:"before,omitempty"` // of the object's record before and after
	After       edgeward.Digest   `json:"after,omitempty"`
	Detail      map[string]string `json:"detail,omitempty"` // a few values worth reading; never secrets, never personal data
	Demo        bool              `json:"demo,omitempty"`   // made by the demonstration
	Prev        string            `json:"prev"`             // hex record hash of the event before; 64 zeros for the first
}

// Origin is Prev of the first event.
var Origin = strings.Repeat("0", 2*sha256.Size)

// Validate reports why e cannot be appended: no principal, an action that is no noun.verb, or something out of bounds.
func (e Event) Validate() error {
	bad := func(what string) error {
		return edgeward.E("events.Validate", edgeward.Invalid, "event.invalid", "%s", what).With("action", clip(e.Action))
	}
	switch {
	case e.Principal == "" || len(e.Principal) > 200:
		return bad("an event names its principal in at most 200 bytes")
	case !isAction(e.Action):
		return bad("an action is lower-case words joined by dots, noun first, such as model.version.created")
	case e.Object.Kind == "":
		return bad("an event names the kind of its object")
	case e.Time.IsZero():
		return bad("an event has a time")
	case len(e.Reason) > MaxReason:
		return bad("the reason is longer than 2000 bytes").(*edgeward.Error).WithHint("shorten the reason")
	case len(e.Detail) > MaxDetail:
		return bad("an event has at most 32 details")
	}
	return nil
}

// Encode returns the bytes that are stored, hashed and exported.
func (e Event) Encode() ([]byte, error) {
	e.Time = e.Time.UTC()
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, edgeward.E("events.Encode", edgeward.Internal, "", "%w", err)
	}
	if len(raw) > MaxBytes {
		return nil, edgeward.E("events.Encode", edgeward.Invalid, "event.invalid", "the event has %d bytes, more than %d", len(raw), MaxBytes)
	}
	return raw, nil
}

// Decode is the inverse of Encode.
func Decode(raw []byte) (Event, error) {
	var e Event
	if len(raw) > MaxBytes {
		return e, edgeward.E("events.Decode", edgeward.Invalid, "event.invalid", "the event has %d bytes, more than %d", len(raw), MaxBytes)
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return e, edgeward.E("events.Decode", edgeward.Invalid, "event.invalid", "not an event: %w", err)
	}
	return e, nil
}

// Hash is the RFC 6962 leaf hash of an encoded event: SHA-256 of a zero byte and the bytes.
func Hash(raw []byte) tlog.Hash { return tlog.RecordHash(raw) }

// Head is the state of the log after Size events. Keeping a Head elsewhere is what makes a rewritten log visible.
type Head struct {
	Size uint64 `json:"size"`
	Root string `json:"root"` // hex of the RFC 6962 tree hash
	Last string `json:"last"` // hex record hash of event number Size; Origin when the log is empty
}

func isAction(s string) bool {
	if len(s) > 80 || !strings.Contains(s, ".") {
		return false
	}
	for word := range strings.SplitSeq(s, ".") {
		if word == "" {
			return false
		}
		for _, c := range []byte(word) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
				return false
			}
		}
	}
	return true
}

func clip(s string) string { return s[:min(len(s), 80)] }
