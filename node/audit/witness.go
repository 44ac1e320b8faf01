package audit

import (
	"cmp"
	"context"
	"slices"

	"edgeward/node/events"
)

// Witness is a head of this log that somebody else has seen.
type Witness struct {
	Server string // for people
	Head   events.Head
}

// Witnessed is what the heads that others have seen say of a log.
type Witnessed struct {
	Servers int      `json:"servers"`           // whose head the log leads through
	UpTo    uint64   `json:"up_to"`             // the last event that one of them vouches for
	Against []string `json:"against,omitempty"` // servers that saw another log, with the number of events they saw
}

// VerifyWitnessed is Verify, and holds the log against what others saw of it. A head that does not fit makes no sound log broken: who says so may be the one that lies.
func VerifyWitnessed(ctx context.Context, log Log, heads []Witness) (Result, error) {
	heads = slices.Clone(heads)
	slices.SortStableFunc(heads, func(a, b Witness) int { return cmp.Compare(a.Head.Size, b.Head.Size) })
	w, rest := Witnessed{}, heads
	v, err := walk(ctx, log, func(v *events.Verifier) error {
		for len(rest) > 0 && rest[0].Head.Size <= v.Size() {
			w.hear(rest[0], v.Matches(rest[0].Head) == nil)
			rest = rest[1:]
		}
		return nil
	})
	if v == nil {
		return Result{}, err
	}
	if err == nil {
		for _, x := range rest { // longer than the log
			w.hear(x, false)
		}
	}
	r, err := result(v, err)
	if len(heads) > 0 {
		r.Witnessed = &w
	}
	return r, err
}

func (w *Witnessed) hear(x Witness, fits bool) {
	if !fits {
		w.Against = append(w.Against, x.Server)
		return
	}
	w.Servers++
	w.UpTo = max(w.UpTo, x.Head.Size)
}
