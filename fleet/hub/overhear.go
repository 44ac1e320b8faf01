package hub

import (
	"context"
	"slices"

	"edgeward/fleet/spec"
)

// Overhear counts an event that a broker brought, in the name of a node: anybody who reaches the broker can say that. It decides nothing, and
// gives way to the node's own word of the same id. A name that no member or more than one has is nobody's.
func (h *Hub) Overhear(ctx context.Context, name string, e spec.Event) error {
	h.mu.Lock()
	found := slices.DeleteFunc(h.called(name), func(n Node) bool { return n.Standing != Member })
	h.mu.Unlock()
	if len(found) != 1 {
		return nil
	}
	_, err := h.Take(ctx, found[0].ID, OverMQTT, []spec.Event{e})
	return err
}
