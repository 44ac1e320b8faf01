package spec

import (
	"encoding/hex"
	"time"
)

// Witness is how far a node has seen the log of its hub (fleet/witness). Natural key: (node, Term, Size).
type Witness struct {
	Term uint64    `json:"term,omitempty"` // of the hub whose log it is
	Size uint64    `json:"size"`           // events
	Root string    `json:"root"`           // RFC 6962 tree hash of so many events, hex
	Last string    `json:"last"`           // record hash of event number Size, hex
	At   time.Time `json:"at,omitzero"`    // when the hub signed it, by the hub's clock
	Code string    `json:"code,omitempty"` // why the log that the hub shows now does not fit; empty: it does
}

// maxEvents is how many events a log may have: more is no number in canonical JSON.
const maxEvents = 1 << 53

func (w Witness) check() error {
	for _, h := range []string{w.Root, w.Last} {
		if b, err := hex.DecodeString(h); err != nil || len(b) != 32 {
			return invalid("reported", "the head of the hub's log that was seen is none")
		}
	}
	if w.Size == 0 || w.Size > maxEvents || len(w.Code) > 100 {
		return invalid("reported", "the head of the hub's log that was seen is none")
	}
	return nil
}
