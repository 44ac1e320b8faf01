package hub

import (
	"context"
	"io"
	"time"

	"edgeward"
	"edgeward/fleet/bundle"
)

// Asked is what came of a request to join that came by file.
type Asked struct {
	Node     string    `json:"node"`
	Name     string    `json:"name,omitempty"`
	Made     time.Time `json:"made"`
	Site     string    `json:"site"`
	Standing Standing  `json:"standing"` // member: the next bundle lets it in; pending: a person must approve it first
}

// TakeJoins takes what new servers ask for by file: as over the wire, but that the secret of the code is proved and not sent. The answer goes
// with the next bundle for the node.
func (h *Hub) TakeJoins(ctx context.Context, by string, r *bundle.Reader) (out []Asked, err error) {
	h.mu.Lock()
	err = h.none()
	h.mu.Unlock()
	if err != nil {
		return nil, err
	}
	for {
		e, body, err := r.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if kind, _ := e.Split(); kind != "join" {
			continue
		}
		raw, err := io.ReadAll(io.LimitReader(body, bundle.MaxJoin+1))
		if err != nil {
			return out, err
		}
		s, j, err := bundle.ParseJoin(raw)
		if err != nil {
			return out, err
		}
		if _, err := h.asks(ctx, j.Request, s.ProvedBy); err != nil {
			return out, err
		}
		n, err := h.Node(j.Request.Node)
		if err != nil {
			return out, err
		}
		h.mu.Lock()
		err = h.put(ctx, Facts{}, h.change(by, "fleet.join.taken", n.ID, n.Last.Facts.Name, ""))
		h.mu.Unlock()
		if err != nil {
			return out, edgeward.Wrap("hub.TakeJoins", err)
		}
		out = append(out, Asked{n.ID, n.Last.Facts.Name, j.Made, n.Site, n.Standing})
	}
}
