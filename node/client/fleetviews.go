package client

import (
	"context"
	"strconv"

	"edgeward/fleet/summary"
	"edgeward/node/wire"
)

// Aliases.
type (
	FleetMonitor = wire.FleetMonitor
	FleetMatrix  = wire.FleetMatrix
	FleetWork    = summary.Work
)

// FleetMonitor returns a model's work on all nodes over the newest days; 0 means 7.
func (c *Client) FleetMonitor(ctx context.Context, group, model string, days int) (FleetMonitor, error) {
	return get[FleetMonitor](ctx, c, "/api/v1/fleet/models/"+segment(group)+"/"+segment(model)+"/monitor", "days", strconv.Itoa(days))
}

// FleetMatrix returns which node runs what; site and selector narrow it, "" does not.
func (c *Client) FleetMatrix(ctx context.Context, site, selector string) (FleetMatrix, error) {
	return get[FleetMatrix](ctx, c, "/api/v1/fleet/matrix", "site", site, "selector", selector)
}
