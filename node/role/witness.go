package role

import (
	"edgeward/fleet/witness"
	"edgeward/node/wire"
)

// newFleetWitness is what a page says of it; nil before anything was seen.
func newFleetWitness(k witness.Kept) *wire.FleetWitness {
	if k.Statement.Head.Size == 0 {
		return nil
	}
	out := &wire.FleetWitness{Head: k.Statement.Head, Term: k.Statement.Term, At: k.At, Before: k.Before, Signed: k.Envelope}
	if k.Odd != nil {
		out.Code, out.Since, out.Shown, out.ShownSigned = string(k.Odd.Finding), k.Odd.Since, &k.Odd.Statement.Head, k.Odd.Envelope
	}
	return out
}
