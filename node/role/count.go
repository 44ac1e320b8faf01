package role

import (
	"context"
	"time"

	"edgeward/fleet/agent"
	"edgeward/fleet/spec"
	"edgeward/fleet/summary"
)

// countEvery is how often the hub is told of the versions' work.
const countEvery = 20 * time.Second

// count tells the hub of this node's versions' work until ctx ends. A hub that is away gets it later; a hub that knows no such reports never does.
func (r *Role) count(ctx context.Context, a *agent.Agent, line *agent.Wire) {
	r.p.Count.Counter.On(true)
	defer r.p.Count.Counter.On(false)
	var rev uint64
	for ctx.Err() == nil {
		k, _ := a.Kept()
		r.p.Count.Counter.Follows(k.Term)
		if k.Rev != rev {
			rev = k.Rev
			r.p.Count.Counter.Forget()
		}
		wanted := make([]spec.Endpoint, len(k.Items))
		for i, x := range k.Items {
			wanted[i] = x.Want
		}
		err := r.p.Count.Turn(ctx, wanted, func(ctx context.Context, list []summary.Summary) error { return line.Summaries(ctx, r.p.Node, list) })
		if err != nil && ctx.Err() == nil {
			r.p.Log.Debug("the hub was not told of the versions' work", "err", err)
		}
		pause(ctx, countEvery)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := r.p.Count.Keep(last); err != nil {
		r.p.Log.Warn("what was counted of the versions' work since the last report is not kept", "err", err)
	}
}
