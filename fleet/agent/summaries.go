package agent

import (
	"context"

	"edgeward/fleet/spec"
	"edgeward/fleet/summary"
)

// Summaries tells the hub of this node's versions' work.
func (w *Wire) Summaries(ctx context.Context, node string, list []summary.Summary) error {
	return w.put(ctx, "summaries", summary.Report{Format: spec.Format, Node: node, Summaries: list})
}
