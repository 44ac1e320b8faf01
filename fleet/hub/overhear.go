package hub

import (
	"context"

	"edgeward/fleet/spec"
)

// Overhear counts an event that a broker brought, in the name of a node: anybody who reaches the broker can say that. It decides nothing, and
// gives way to the node's own word of the same id. A name that no member or more than one has is nobody's.
func (h *Hub) Overhear(ctx context.Context, name string, e spec.Event) error {
	h.mu.Lock()
	id, n := "", 0
	for _, x := range h.nodes {
		if x.Standing == Member && x.Last.Facts.Name == name {
			id, n = x.ID, n+1
		}
	}
	h.mu.Unlock()
	if n != 1 {
		return nil
	}
	_, err := h.Take(ctx, id, OverMQTT, []spec.Event{e})
	return err
}
