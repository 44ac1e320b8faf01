package witness

import (
	"slices"
	"time"

	"edgeward/fleet/spec"
)

// Seen is a head as the hub signed it.
type Seen struct {
	Statement Statement `json:"statement"`
	Envelope  []byte    `json:"envelope"`
}

// Past is the last head of an earlier term of the hub.
type Past struct {
	Seen
	Kept bool `json:"kept"` // the log of the next term began with it: nothing was lost
}

// maxPast is how many earlier terms are remembered, and how many earlier logs that did not fit.
const maxPast = 8

// Odd is a log that does not fit what was seen.
type Odd struct {
	Seen
	Finding Finding   `json:"finding"`
	Since   time.Time `json:"since"`
}

// Kept is what a node remembers of its hub's log.
type Kept struct {
	Seen
	At     time.Time `json:"at,omitzero"` // when the hub last showed a log that leads through Seen, by this node's clock
	Before []Past    `json:"before,omitempty"`
	Odd    *Odd      `json:"odd,omitempty"`  // the hub's log does not fit: this is what it shows
	Odds   []Odd     `json:"odds,omitempty"` // what did not fit earlier, one entry a head, in the order seen: the first and the newest others
}

// settled is k once what the hub shows is no longer Odd. What it signed is kept: else it could take its proof back by showing the old log again.
func (k Kept) settled() Kept {
	if k.Odd == nil {
		return k
	}
	odd := *k.Odd
	k.Odd = nil
	same := func(o Odd) bool {
		return o.Statement.Term == odd.Statement.Term && o.Statement.Head == odd.Statement.Head
	}
	if slices.ContainsFunc(k.Odds, same) {
		return k
	}
	k.Odds = append(slices.Clone(k.Odds), odd)
	if len(k.Odds) > maxPast {
		k.Odds = slices.Delete(k.Odds, 1, 2)
	}
	return k
}

// Finding is what an answer of the hub means. It is also the code by which people read of it.
type Finding string

// The findings.
const (
	Fits     Finding = ""                       // the log goes on from what was seen
	Older    Finding = "fleet.old_hub"          // a hub of an earlier term: its log is of no interest any more
	Shorter  Finding = "fleet.audit_restored"   // a new term whose log does not lead through what was seen: restored from a backup
	WentBack Finding = "fleet.audit_went_back"  // fewer events than were seen, in the same term
	Forked   Finding = "fleet.audit_rewritten"  // the log does not lead through what was seen
	Again    Finding = "fleet.audit_fits_again" // after WentBack or Forked the log leads through what was seen again
)

// Hear returns what is remembered after the hub said s, in envelope, with a proof from k's size on, and what that means. Pure.
func (k Kept) Hear(s Statement, envelope []byte, proof [][]byte, now time.Time) (Kept, Finding) {
	old, seen := k.Statement, Seen{s, envelope}
	fits := s.Head.continues(old.Head, proof)
	switch {
	case s.Term < old.Term:
		return k, Older
	case fits:
		found := Fits
		if k.Odd != nil {
			found = Again
		}
		if s.Term > old.Term && old.Head.Size > 0 {
			k.Before = remembered(k.Before, Past{k.Seen, true})
		}
		if s.Head != old.Head || s.Term != old.Term {
			k.Seen = seen
		}
		k.At = now
		return k.settled(), found
	case s.Term > old.Term:
		k.Before = remembered(k.Before, Past{k.Seen, false})
		k.Seen, k.At = seen, now
		return k.settled(), Shorter
	}
	found := Forked
	if s.Head.Size < old.Head.Size {
		found = WentBack
	}
	if k.Odd == nil || k.Odd.Finding != found {
		k = k.settled()
		k.Odd = &Odd{Seen: seen, Finding: found, Since: now}
	}
	return k, found
}

func remembered(list []Past, p Past) []Past {
	list = append(list[:len(list):len(list)], p)
	return list[max(0, len(list)-maxPast):]
}

// Report is what the hub is told; nil before anything was seen.
func (k Kept) Report() *spec.Witness {
	if k.Statement.Head.Size == 0 {
		return nil
	}
	w := spec.Witness{Term: k.Statement.Term, Size: k.Statement.Head.Size, Root: k.Statement.Head.Root, Last: k.Statement.Head.Last, At: k.Statement.At}
	if k.Odd != nil {
		w.Code = string(k.Odd.Finding)
	}
	return &w
}
