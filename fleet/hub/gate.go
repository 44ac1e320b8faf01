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

// measureEvery is how often a rollout's work is added up at most: nodes tell of theirs each 20 s. Where that takes long it is done less often.
const measureEvery = 10 * time.Second

// measured is a rollout's work as last added up.
type measured struct {
	next   time.Time // when it is due again
	work   rollout.Work
	shapes map[edgeward.Digest]summary.Shape
}

// gated reports whether m is held against what its nodes show together, now.
func (h *Hub) gated(m Move) bool {
	gate := m.Plan.Gate.Then
	return h.o.Shape != nil && gate != "" && gate != rollout.Ignore && m.State == rollout.Running && !m.Good.IsZero() && !m.Endpoint.Binary()
}

// worked is what the nodes of m showed together since the day on which it was asked for, as last measured; h.mu is held.
func (h *Hub) worked(m Move) rollout.Work {
	if !h.gated(m) {
		return rollout.Work{}
	}
	return h.measured[m.ID].work
}

// measure adds up the work of the rollouts for which that is due. The summaries of a large fleet take long to read, so nobody waits for it: h.mu is not held.
func (h *Hub) measure(ctx context.Context) {
	type due struct {
		m     Move
		meant map[string]bool
		last  measured
	}
	var list []due
	h.mu.Lock()
	now := h.o.Now()
	for _, m := range h.moves {
		last := h.measured[m.ID]
		if !h.gated(m) || now.Before(last.next) && last.next.Sub(now) <= time.Hour { // further than that the clock was set back
			continue
		}
		d := due{m, map[string]bool{}, last}
		d.m.Told = slices.Clone(m.Told)
		for _, n := range h.meant(m) {
			d.meant[n.ID] = true
		}
		list = append(list, d)
	}
	h.mu.Unlock()
	for _, d := range list {
		if d.last.shapes == nil {
			d.last.shapes = map[edgeward.Digest]summary.Shape{}
		}
		began := time.Now() // room:clock how long it takes
		w, err := h.addUp(ctx, d.m, d.meant, d.last.shapes)
		if err != nil {
			h.o.Log.Warn("what nodes showed of a version is not known", "rollout", d.m.ID, "err", err)
		} else {
			d.last.work = w
		}
		d.last.next = now.Add(max(measureEvery, min(time.Hour, 20*time.Since(began)))) // room:clock how long it took
		h.mu.Lock()
		if m, ok := h.moves[d.m.ID]; ok && !m.State.Final() {
			h.measured[d.m.ID] = d.last
		}
		h.mu.Unlock()
	}
}

// referenceDays are how many days before a rollout are read too: what a version without a reference of its training is compared with.
const referenceDays = 7

// addUp counts the nodes that were told the new version, and of the one before those for which the rollout is meant.
func (h *Hub) addUp(ctx context.Context, m Move, meant map[string]bool, shapes map[edgeward.Digest]summary.Shape) (w rollout.Work, err error) {
	from, to := m.Created.UTC().Format(time.DateOnly), h.o.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly) // a node's clock may be ahead
	oldest := m.Created.UTC().AddDate(0, 0, -referenceDays).Format(time.DateOnly)
	all, err := h.o.Store.FleetSummaries(ctx, m.Endpoint.Group, m.To.Model, func(x *summary.Of) bool {
		if x.Endpoint != m.Endpoint.Name || x.Day < oldest {
			return false
		}
		_, told := slices.BinarySearch(m.Told, x.Node) // sorted
		return x.Digest == m.To.Digest && told || x.Digest == m.From.Digest && meant[x.Node]
	})
	if err != nil {
		return w, err
	}
	of := func(v rollout.Version) (summary.Work, error) {
		list := slices.DeleteFunc(slices.Clone(all), func(x summary.Of) bool { return x.Digest != v.Digest })
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
	old, err := of(m.From)
	if err != nil {
		return w, err
	}
	w.New, w.Old = rollout.Count{Requests: now.Requests, Errors: now.Errors}, rollout.Count{Requests: old.Requests, Errors: old.Errors}
	for _, c := range now.Drift {
		if c.Beyond && !slices.ContainsFunc(old.Drift, func(x summary.Moved) bool { return x.Name == c.Name && x.Beyond }) {
			w.Moved = append(w.Moved, c.Name)
		}
	}
	return w, nil
}
