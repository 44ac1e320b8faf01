package hub

import (
	"context"
	"net/http"
)

// leave takes a member's word that it is none any more.
func (h *Hub) leave(w http.ResponseWriter, r *http.Request, id string) error {
	if err := h.Leave(r.Context(), id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Leave ends the membership of a node that said so: its certificate counts no more, and with a code it joins as one that was never here.
func (h *Hub) Leave(ctx context.Context, id string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := h.member(id)
	if err != nil {
		return err
	}
	n.Standing, n.Why = Left, "it left"
	if err := h.put(ctx, Facts{Nodes: append(h.without(n), n)}, h.change("node:"+id, "fleet.node.left", id, n.Last.Facts.Name, "")); err != nil {
		return err
	}
	h.wake(id)
	h.Poke()
	return nil
}
