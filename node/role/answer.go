package role

import (
	"context"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/inquiry"
)

// Answerer makes the file that an order of the hub asks for, or says why there is none.
type Answerer func(ctx context.Context, o inquiry.Order) ([]byte, error)

// answer does what persons at the hub ask of this node, until ctx ends. What it did is in this server's audit before the file leaves.
func (r *Role) answer(ctx context.Context, a *agent.Agent, line *agent.Wire) {
	done := map[string]bool{}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-line.Asked():
		}
		list, err := line.Orders(ctx)
		if err != nil {
			r.p.Log.Debug("what the hub asks was not fetched", "err", err)
			continue
		}
		for _, envelope := range list {
			o, err := a.Order(envelope)
			if err != nil {
				r.p.Log.Warn("an order of the hub was not obeyed", "err", err)
				continue
			}
			if done[o.ID] {
				continue
			}
			if err := r.obey(ctx, line, o); err != nil && ctx.Err() == nil {
				r.p.Log.Warn("an order of the hub was not answered", "err", err)
				continue // the hub hints again
			}
			done[o.ID] = true
		}
	}
}

func (r *Role) obey(ctx context.Context, line *agent.Wire, o inquiry.Order) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	b, err := r.p.Answer(ctx, o)
	if err == nil && len(b) > inquiry.MaxFile {
		err = edgeward.E("role.obey", edgeward.TooLarge, "fleet.inquiry_large", "the file has %d bytes, more than %d", len(b), inquiry.MaxFile)
	}
	action := "fleet.inquiry.answered"
	if err != nil {
		action = "fleet.inquiry.refused"
	}
	e := r.event("fleet:hub", action, string(o.What))
	e.Reason, e.Detail = o.Reason, map[string]string{"inquiry": o.ID, "by": o.By, "what": string(o.What), "code": edgeward.CodeOf(err)}
	if err := r.p.Store.Record(ctx, e); err != nil {
		return err
	}
	if err != nil {
		return line.Refuse(ctx, o.ID, inquiry.Refusal{Code: edgeward.CodeOf(err), Why: edgeward.Words(err)})
	}
	return line.Answer(ctx, o.ID, b)
}
