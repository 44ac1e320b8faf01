package agent

import (
	"context"
	"fmt"
	"net/http"

	"edgeward/fleet/witness"
)

// Audit asks for the head of the hub's log, and for the proof that it goes on from the head that this node has seen (size 0: none). The answer is a
// witness.Answer, nil if the log is as it was.
func (w *Wire) Audit(ctx context.Context, size uint64, root string) ([]byte, error) {
	return w.do(ctx, http.MethodGet, fmt.Sprintf("audit?have=%d&root=%.64s", size, root), nil, witness.MaxAnswer)
}
