package peer

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"

	"edgeward"
	"edgeward/fleet/spec"
)

// maxPromotions bounds an answer: spec.MaxLocals promotions with certificates and signatures, as JSON.
const maxPromotions = 1 << 20

// promotions tells a peer what this server promoted by itself and what the peer's own document lets it take.
func (s *Server) promotions(w http.ResponseWriter, _ *http.Request, node string) error {
	x, err := s.latest(node)
	if err != nil {
		return err
	}
	out := []spec.SignedPromotion{}
	if s.o.Shares != nil {
		out = append(out, s.o.Shares(x.says)...)
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(out)
}

// Promotions asks one for what it promoted by itself: the newest spec.MaxLocals of it. Whose word that is, is the caller's to check.
func (c *Client) Promotions(ctx context.Context, node string) ([]spec.SignedPromotion, error) {
	res, err := c.call(ctx, node, http.MethodGet, "promotions", nil, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var out []spec.SignedPromotion
	if err := json.NewDecoder(io.LimitReader(res.Body, maxPromotions)).Decode(&out); err != nil {
		return nil, edgeward.E("peer.Promotions", edgeward.Unavailable, "fleet.peer_answer", "its answer cannot be read: %v", err)
	}
	return slices.Clone(out[max(0, len(out)-spec.MaxLocals):]), nil
}
