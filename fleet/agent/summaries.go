package agent

import (
	"context"
	"encoding/json"
	"net/http"

	"edgeward/fleet/spec"
	"edgeward/fleet/summary"
)

// Summaries tells the hub of this node's versions' work.
func (w *Wire) Summaries(ctx context.Context, node string, list []summary.Summary) error {
	b, err := json.Marshal(summary.Report{Format: spec.Format, Node: node, Summaries: list})
	if err == nil {
		_, err = w.do(ctx, http.MethodPut, "summaries", b, 1<<16)
	}
	return err
}
