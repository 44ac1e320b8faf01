package hub

import (
	"context"
	"slices"
	"time"

	"edgeward"
	"edgeward/fleet/rollout"
	"edgeward/fleet/summary"
)

// Shape is what a version's answers and features are counted in.
type Shape func(ctx context.Context, group, model string, d edgeward.Digest) (summary.Shape, error)

// measureEvery is how often a rollout's work is added up: nodes tell of theirs each 20 s.
const measureEvery = 10 * time.Second

// measured is a rollout's work as last added up.
type measured struct {
	at     time.Time
	work   rollout.Work
	shapes map[edgeward.Digest]summary.Shape
}

// worked is what the nodes showed together since the day on which m was asked for. What cannot be known is no work; h.mu is held.
func (h *Hub) worked(ctx context.Context, m Move) rollout.Work {
	gate := m.Plan.Gate.Then
	if h.o.Shape == nil || gate == "" || gate == rollout.Ignore || m.State != rollout.Running || m.Good.IsZero() || m.Endpoint.Binary() {
		return rollout.Work{}
	}
	now, last := h.o.Now(), h.measured[m.ID]
	if since := now.Sub(last.at); since >= 0 && since < measureEvery {
		return last.work
	}
	if last.shapes == nil {
		last.shapes = map[edgeward.Digest]summary.Shape{}
	}
	last.at = now
	w, err := h.addUp(ctx, m, last.shapes)
	if err != nil {
		h.o.Log.Warn("what nodes showed of a version is not known", "rollout", m.ID, "err", err)
	} else {
		last.work = w
	}
	h.measured[m.ID] = last
	return last.work
}

func (h *Hub) addUp(ctx context.Context, m Move, shapes map[edgeward.Digest]summary.Shape) (w rollout.Work, err error) {
	all, err := h.o.Store.FleetSummaries(ctx, m.Endpoint.Group, m.To.Model)
	if err != nil {
		return w, err
	}
	from, to := m.Created.UTC().Format(time.DateOnly), h.o.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly) // a node's clock may be ahead
	of := func(v rollout.Version) (summary.Work, error) {
		list := slices.DeleteFunc(slices.Clone(all), func(x summary.Of) bool { return x.Endpoint != m.Endpoint.Name || x.Digest != v.Digest })
		if len(list) == 0 {
			return summary.Work{}, nil
		}
		shape, ok := shapes[v.Digest]
		if !ok {
			if shape, err = h.o.Shape(ctx, m.Endpoint.Group, v.Model, v.Digest); err != nil {
				return summary.Work{}, err
			}
			shapes[v.Digest] = shape
		}
		return summary.Merge(shape, list, from, to).All, nil
	}
	now, err := of(m.To)
	if err != nil {
		return w, err
	}
	before, err := of(m.From)
	if err != nil {
		return w, err
	}
	w.New, w.Old = rollout.Count{Requests: now.Requests, Errors: now.Errors}, rollout.Count{Requests: before.Requests, Errors: before.Errors}
	for _, c := range now.Drift {
		if c.Beyond && !slices.ContainsFunc(before.Drift, func(x summary.Moved) bool { return x.Name == c.Name && x.Beyond }) {
			w.Moved = append(w.Moved, c.Name)
		}
	}
	return w, nil
}
