package events

import (
	"encoding/hex"
	"fmt"
	"slices"

	"edgeward"

	"golang.org/x/mod/sumdb/tlog"
)

// Verifier checks a log from its first event on, in memory that grows with the logarithm of its length. The zero value
// has seen no event.
type Verifier struct {
	size uint64
	last string
	edge []tlog.Hash // roots of the full subtrees, largest first: one per bit of size
}

// Broken is why a log is not what was written: everything before event Seq is intact, at Seq something is not.
type Broken struct {
	Seq  uint64
	What string // one English sentence
}

// Error makes Broken usable as the cause of an error.
func (b *Broken) Error() string { return fmt.Sprintf("event %d: %s", b.Seq, b.What) }

func broken(seq uint64, format string, args ...any) error {
	b := &Broken{Seq: seq, What: fmt.Sprintf(format, args...)}
	return edgeward.E("events.Verify", edgeward.Conflict, "audit.broken", "%w", b).With("seq", fmt.Sprint(seq)).
		WithHint("the log was changed after it was written: compare with the last backup and a checkpoint kept elsewhere")
}

// Add takes the next event's bytes, which must be those of event Size+1. Its errors have code "audit.broken" and a *Broken
// as cause; the event is then not added.
func (v *Verifier) Add(raw []byte) error {
	want := v.size + 1
	e, err := Decode(raw)
	if err != nil {
		return broken(want, "the event cannot be read: %v", err)
	}
	switch {
	case e.Seq > want:
		return broken(want, "the event is missing: number %d stands in its place", e.Seq)
	case e.Seq < want:
		return broken(want, "number %d stands in its place: inserted or moved", e.Seq)
	case e.Prev != v.lastHash():
		return broken(max(want-1, 1), "the event after it was written for another one: edited, or exchanged")
	}
	h := Hash(raw)
	v.last = hex.EncodeToString(h[:])
	v.edge = append(v.edge, h)
	for n := v.size; n&1 == 1; n >>= 1 {
		k := len(v.edge)
		v.edge = append(v.edge[:k-2], tlog.NodeHash(v.edge[k-2], v.edge[k-1]))
	}
	v.size = want
	return nil
}

func (v *Verifier) lastHash() string {
	if v.size == 0 {
		return Origin
	}
	return v.last
}

// Size is how many events were added so far.
func (v *Verifier) Size() uint64 { return v.size }

// Head is the state of the log after the events added so far.
func (v *Verifier) Head() Head {
	if v.size == 0 {
		root, _ := tlog.TreeHash(0, nil)
		return Head{Root: hex.EncodeToString(root[:]), Last: Origin}
	}
	edge := slices.Clone(v.edge)
	root := edge[len(edge)-1]
	for i := len(edge) - 2; i >= 0; i-- {
		root = tlog.NodeHash(edge[i], root)
	}
	return Head{Size: v.size, Root: hex.EncodeToString(root[:]), Last: v.last}
}

// Matches is nil when the events added so far end in head, which must have the same size.
func (v *Verifier) Matches(head Head) error {
	mine := v.Head()
	switch {
	case mine.Size < head.Size:
		return broken(mine.Size+1, "the log ends here, %d events were written", head.Size)
	case mine.Size > head.Size:
		return broken(head.Size+1, "the log should end before this event")
	case mine.Last != head.Last:
		return broken(max(mine.Size, 1), "the last event is not the one that was written")
	case mine.Root != head.Root:
		return broken(1, "the log does not lead to root %s: it was rewritten as a whole", head.Root)
	}
	return nil
}
