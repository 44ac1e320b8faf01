package hub

import (
	"context"
	"slices"
	"time"

	"edgeward/fleet/spec"
)

// maxReports is how many reports are kept in one write at most.
const maxReports = 256

// Report takes what a member says of itself. What is older than what is known is dropped: a report of the same start with no
// higher number, and the first one of a start that another has followed. Reports that come at the same time share a write.
func (h *Hub) Report(ctx context.Context, r spec.Reported) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return h.reports.Do(r)
}

// reported takes reports that came at the same time, each as if it had come alone after the one before.
func (h *Hub) reported(list []spec.Reported) []error {
	ctx := context.Background() // one call's end is not the others'
	h.mu.Lock()
	defer h.mu.Unlock()
	errs := make([]error, len(list))
	var news []heard
	keep := func() { h.keepNews(ctx, news, errs); news = nil }
	for i, r := range list {
		if slices.ContainsFunc(news, func(x heard) bool { return x.node.ID == r.Node }) {
			keep()
		}
		n, own, moved, err := h.report(ctx, r)
		if errs[i] = err; moved {
			news = append(news, heard{i, n, own})
		}
	}
	keep()
	return errs
}

// heard is a node after a report that is to be kept at once.
type heard struct {
	at   int // of the report
	node Node
	own  []Change // of its promotions
}

// keepNews keeps what was heard in one write, and where that is refused each alone: one that cannot be kept is not the others' matter.
func (h *Hub) keepNews(ctx context.Context, news []heard, errs []error) {
	if len(news) == 0 {
		return
	}
	var w Facts
	var c []Change
	for _, x := range news {
		w.Nodes, c = append(w.Nodes, x.node), append(c, x.own...)
	}
	err := h.put(ctx, w, c...)
	if err != nil && len(news) > 1 {
		for _, x := range news {
			h.keepNews(ctx, []heard{x}, errs)
		}
		return
	}
	for _, x := range news {
		if errs[x.at] = err; err == nil {
			delete(h.allowed, x.node.ID)
		}
	}
	h.Poke()
}

// report is what the hub knows of a node after its report; moved says that it is to be kept at once.
func (h *Hub) report(ctx context.Context, r spec.Reported) (n Node, own []Change, moved bool, err error) {
	if n, err = h.member(r.Node); err != nil {
		return n, nil, false, err
	}
	now := h.o.Now()
	before := h.boots[r.Node]
	watch, clones := before.See(r.Boot, r.Seq)
	h.boots[r.Node] = watch
	if clones {
		return n, nil, false, h.quarantine(ctx, n)
	}
	if err := h.superseded(ctx, r.Term); err != nil {
		return n, nil, false, err
	}
	if n.late(r) && !before.Lives(r.Boot, r.Seq) {
		return n, nil, false, nil
	}
	h.stale = h.stale || n.Held
	own = h.heard(&n, r.Locals)
	r.Locals = nil
	moved = len(own) > 0 || n.Last.Boot != r.Boot || n.Last.Gossip.Ring != r.Gossip.Ring || !slices.Equal(n.Last.Gossip.Addresses, r.Gossip.Addresses) || !slices.EqualFunc(n.States(), Node{Last: r}.States(), func(a, b spec.State) bool {
		return a.Key() == b.Key() && a.Want == b.Want && a.Live == b.Live && a.Phase == b.Phase && a.Code == b.Code && a.Local == b.Local
	})
	n = n.says(r)
	n.Seen, n.Got, n.Receipt = now, now, time.Time{}
	if !moved {
		h.nodes[n.ID] = n
		h.dirty[n.ID] = true
	}
	h.stale = h.stale || len(own) > 0
	return n, own, moved, nil
}
