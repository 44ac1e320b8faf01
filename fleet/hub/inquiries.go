package hub

import (
	"context"
	"encoding/json"
	"net/http"

	"edgeward"
	"edgeward/fleet/inquiry"
)

// Inquire asks something of a member on behalf of a person.
func (h *Hub) Inquire(ctx context.Context, by, node string, w inquiry.What, lines int, reason string) (inquiry.Inquiry, error) {
	h.mu.Lock()
	n, err := h.named(node)
	if err == nil && n.Standing != Member {
		err = edgeward.E("hub.Inquire", edgeward.Conflict, "fleet.node.standing", "a node that is %s is asked nothing", n.Standing).WithHint("only members are; edgeward fleet node list shows them")
	}
	h.mu.Unlock()
	if err != nil {
		return inquiry.Inquiry{}, err
	}
	node = n.ID
	q, err := h.o.Desk.Ask(ctx, by, node, w, lines, reason)
	if err != nil {
		return q, err
	}
	h.mu.Lock()
	h.wake(node)
	h.mu.Unlock()
	return q, nil
}

// Desk is where inquiries are kept.
func (h *Hub) Desk() *inquiry.Desk { return h.o.Desk }

func (h *Hub) orders(w http.ResponseWriter, r *http.Request, id string) error {
	h.mu.Lock()
	fleet, key := h.fleet.ID, h.o.Key
	h.mu.Unlock()
	out, err := h.o.Desk.Orders(r.Context(), fleet, id, key)
	if err != nil {
		return err
	}
	return answer(w, out)
}

func (h *Hub) inquired(w http.ResponseWriter, r *http.Request, id string) error {
	if r.URL.Query().Has("refused") {
		b, err := body(r, 8<<10)
		if err != nil {
			return err
		}
		var why inquiry.Refusal
		if err := json.Unmarshal(b, &why); err != nil {
			return edgeward.E("hub.inquired", edgeward.Invalid, "fleet.inquiry", "%v", err)
		}
		if err := h.o.Desk.Refuse(r.Context(), id, r.PathValue("id"), why); err != nil {
			return err
		}
	} else {
		d, err := edgeward.ParseDigest(r.URL.Query().Get("digest"))
		if err != nil {
			return err
		}
		if err := h.o.Desk.Take(r.Context(), id, r.PathValue("id"), d, r.Body); err != nil {
			return err
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
