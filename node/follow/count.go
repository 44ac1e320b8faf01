package follow

import (
	"context"

	"edgeward/fleet/spec"
	"edgeward/fleet/summary"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

// Count tells the hub what the fleet's versions did here.
type Count struct {
	Counter *summary.Counter
	Follow  *Follow
	Records *record.Log
}

// maxPairs is how many pairs are taken from the log at once.
const maxPairs = 512

// Counted is what is known of whose answers are counted.
func (f *Follow) Counted(s summary.Subject) summary.About {
	ctx := context.Background()
	kept, err := f.Store.FleetKept(ctx)
	if err != nil {
		return summary.About{}
	}
	for _, i := range kept.Items {
		if i.Want.Name != s.Endpoint {
			continue
		}
		if g, err := f.group(ctx, i.Want); err != nil || g != s.Group {
			continue
		}
		d, err := f.Store.Deployment(ctx, serve.Key{Group: s.Group, Name: s.Endpoint})
		if err != nil {
			return summary.About{}
		}
		v, err := f.Store.ModelVersionByDigest(ctx, s.Group, d.Endpoint.Model, s.Digest)
		if err != nil {
			return summary.About{}
		}
		a := summary.About{Fleet: true, Group: i.Want.Group, Model: v.Model, Version: v.Number}
		if a.Shape, err = f.Work.Shape(ctx, v); err != nil {
			f.Work.Log.Warn("answers of a version are not counted for the fleet", "version", v.Ref(), "err", err)
			a.Shape = summary.Shape{}
		}
		return a
	}
	return summary.About{}
}

// Turn takes what came since the last, keeps it and sends what the hub does not have.
func (c *Count) Turn(ctx context.Context, wanted []spec.Endpoint, send func(context.Context, []summary.Summary) error) error {
	for _, w := range wanted {
		g, err := c.Follow.group(ctx, w)
		if err != nil {
			continue // it is not here yet
		}
		c.Counter.Pairs(g, w.Name, func(cursor uint64) ([]record.Pair, uint64) { return c.Records.After(g, w.Name, cursor, maxPairs) })
	}
	if err := c.Keep(ctx); err != nil {
		return err
	}
	for {
		list := c.Counter.Due()
		if len(list) == 0 {
			return c.Keep(ctx)
		}
		if err := send(ctx, list); err != nil {
			return err
		}
		c.Counter.Taken(list)
	}
}

// Keep keeps what was counted.
func (c *Count) Keep(ctx context.Context) error {
	if s, ok := c.Counter.Flush(c.Follow.Work.Now()); ok {
		return c.Follow.Store.PutFleetCounts(ctx, s)
	}
	return nil
}
