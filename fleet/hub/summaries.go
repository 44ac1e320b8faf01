package hub

import (
	"context"
	"net/http"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/fleet/summary"
)

// Summaries keeps what nodes said of their versions' work.
type Summaries interface {
	// PutFleetSummaries keeps those of a node that are newer than the kept ones, by Seq, and drops what is of a day before oldest.
	PutFleetSummaries(ctx context.Context, node string, list []summary.Summary, oldest string) error
	// FleetSummaries are those of a model of a group, by names.
	FleetSummaries(ctx context.Context, group, model string, keep func(*summary.Of) bool) ([]summary.Of, error) // nil: all
}

// summaries takes a node's report of its versions' work.
func (h *Hub) summaries(w http.ResponseWriter, r *http.Request, id string) error {
	b, err := body(r, summary.MaxBody)
	if err != nil {
		return err
	}
	in, err := summary.Parse(b, h.o.Now())
	if err != nil {
		return err
	}
	if in.Node != id {
		return edgeward.E("hub.summaries", edgeward.Forbidden, "fleet.other_node", "node %s reports for another", id)
	}
	if err := h.Summarise(r.Context(), id, in.Summaries); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Summarise takes what a member says of its versions' work. Of endpoints that it has not from the fleet nothing is kept.
func (h *Hub) Summarise(ctx context.Context, id string, list []summary.Summary) error {
	h.mu.Lock()
	n, err := h.member(id)
	if err != nil {
		h.mu.Unlock()
		return err
	}
	has := map[spec.Key]bool{}
	for _, e := range h.view().wanted(n) {
		has[e.Key()] = true
	}
	for _, s := range n.Last.Endpoints {
		has[s.Key()] = true
	}
	h.mu.Unlock()
	kept := list[:0:0]
	for _, s := range list {
		if has[spec.Key{Group: s.Group, Name: s.Endpoint}] {
			kept = append(kept, s)
		}
	}
	return h.o.Store.PutFleetSummaries(ctx, id, kept, h.o.Now().UTC().AddDate(0, 0, -summary.KeptDays).Format(time.DateOnly))
}
