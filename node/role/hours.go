package role

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"edgeward/fleet/outbox"
	"edgeward/fleet/spec"
)

// hours keeps for the hub, each hour, what the endpoints did.
func (r *Role) hours(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	r.p.Hours(r.p.Now().UTC())
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, h := range r.p.Hours(r.p.Now().UTC()) {
			b, err := json.Marshal(h)
			if err == nil {
				err = r.p.Store.PutFleetEvent(ctx, spec.Event{ID: fmt.Sprintf("%s/%s/%s/%d/%s/%d", r.p.Node, h.Group, h.Endpoint, h.Version, h.Role, h.To.UnixNano()), What: outbox.PerformanceSchema, At: h.To, Body: b})
			}
			if err != nil && ctx.Err() == nil {
				r.p.Log.Warn("an hour is not kept for the hub", "endpoint", h.Endpoint, "err", err)
			}
		}
	}
}
