package views

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/fleet/selector"
	"edgeward/fleet/spec"
	"edgeward/fleet/summary"
	"edgeward/node/wire"
	"edgeward/runtime/models"
)

// Fleet is what views of the fleet are made of, on its hub.
type Fleet struct {
	Hub       *hub.Hub
	Summaries hub.Summaries
	Version   func(ctx context.Context, group, model string, d edgeward.Digest) (models.Version, error) // by names
	Shape     func(ctx context.Context, v models.Version) (summary.Shape, error)
	Now       func() time.Time
}

// Monitor is a model's work on all nodes over the newest days, merged.
func (f *Fleet) Monitor(ctx context.Context, group, model string, days int) (wire.FleetMonitor, error) {
	if days <= 0 {
		days = 7
	}
	days = min(days, summary.KeptDays)
	now := f.Now().UTC()
	from, to := now.AddDate(0, 0, 1-days).Format(time.DateOnly), now.AddDate(0, 0, 1).Format(time.DateOnly) // a node's clock may be ahead
	out := wire.FleetMonitor{Group: group, Model: model, Days: days, Items: []wire.FleetMonitorRow{}, Names: map[string]string{}}
	all, err := f.Summaries.FleetSummaries(ctx, group, model, nil)
	if err != nil {
		return out, err
	}
	type which struct {
		endpoint string
		digest   edgeward.Digest
	}
	by := map[which][]summary.Of{}
	for _, s := range all {
		k := which{s.Endpoint, s.Digest}
		by[k] = append(by[k], s)
	}
	for k, list := range by {
		var shape summary.Shape // of a version the hub has forgotten: requests and latencies only
		if v, err := f.Version(ctx, group, model, k.digest); err == nil {
			if shape, err = f.Shape(ctx, v); err != nil {
				return out, err
			}
		} else if edgeward.KindOf(err) != edgeward.NotFound {
			return out, err
		}
		m := summary.Merge(shape, list, from, to)
		if len(m.Nodes) == 0 {
			continue
		}
		out.Items = append(out.Items, wire.FleetMonitorRow{Endpoint: k.endpoint, Merged: m})
		for _, n := range m.Nodes {
			out.Names[n.Node] = n.Node
		}
	}
	for _, n := range f.Hub.Nodes() {
		if _, ok := out.Names[n.ID]; ok && n.Last.Facts.Name != "" {
			out.Names[n.ID] = n.Last.Facts.Name
		}
	}
	slices.SortFunc(out.Items, func(a, b wire.FleetMonitorRow) int {
		return cmp.Or(strings.Compare(a.Endpoint, b.Endpoint), cmp.Compare(b.Version, a.Version), strings.Compare(string(a.Digest), string(b.Digest)))
	})
	return out, nil
}

// Matrix is which member runs what, of the groups that sees holds for. site and where (a selector) narrow it; "" does not.
func (f *Fleet) Matrix(site, where string, sees func(group string) bool) (wire.FleetMatrix, error) {
	out := wire.FleetMatrix{Endpoints: []spec.Key{}, Rows: []wire.FleetMatrixNode{}}
	sel, err := selector.Parse(where)
	if err != nil {
		return out, err
	}
	names, programs := f.names(), f.programs()
	var nodes []hub.Node
	for _, n := range f.Hub.Select(sel) {
		if n.Standing == hub.Pending || n.Standing == hub.Declined || site != "" && n.Site != site {
			continue
		}
		nodes = append(nodes, n)
		for _, s := range n.Last.Endpoints {
			if sees(s.Group) && !slices.Contains(out.Endpoints, s.Key()) {
				out.Endpoints = append(out.Endpoints, s.Key())
			}
		}
	}
	slices.SortFunc(out.Endpoints, spec.Key.Compare)
	for _, n := range nodes {
		r := wire.FleetMatrixNode{ID: n.ID, Name: cmp.Or(n.Last.Facts.Name, n.ID), Site: n.Site, Tags: n.Tags, Standing: string(n.Standing), Seen: n.Seen, Software: n.Last.Facts.Version,
			Program: programOf(n, programs), Online: n.Online(f.Now()), Cells: make([]wire.FleetMatrixCell, len(out.Endpoints))}
		for i, k := range out.Endpoints {
			r.Cells[i].State = "none"
			for _, s := range n.Last.Endpoints {
				if s.Key() == k {
					r.Cells[i] = cellOf(s, names)
				}
			}
		}
		out.Rows = append(out.Rows, r)
	}
	slices.SortFunc(out.Rows, func(a, b wire.FleetMatrixNode) int {
		return cmp.Or(strings.Compare(a.Site, b.Site), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return out, nil
}

func cellOf(s spec.State, names map[edgeward.Digest]string) wire.FleetMatrixCell {
	name := func(d edgeward.Digest) string { return cmp.Or(names[d], d.Short()) }
	c := wire.FleetMatrixCell{Phase: s.Phase, Code: s.Code, Reason: s.Reason}
	if s.Live != "" {
		c.Live = name(s.Live)
	}
	if s.Want != s.Live {
		c.Want = name(s.Want)
	}
	switch {
	case s.Local > 0:
		c.State = "local"
	case s.Phase == spec.Reverted || s.Phase == spec.Refused:
		c.State = "failed"
	case s.Phase == spec.Committed && s.Want == s.Live:
		c.State = "same"
	case s.Phase.Settled():
		c.State = "other"
	default:
		c.State = "moving"
	}
	return c
}

// programOf is n's own edgeward: what runs is as n says, what is wanted of the programs that were signed.
func programOf(n hub.Node, programs map[edgeward.Digest]string) wire.FleetMatrixCell {
	if n.Last.Facts.Version == "" {
		return wire.FleetMatrixCell{State: "none"}
	}
	c := wire.FleetMatrixCell{State: "same"}
	if s := n.Last.Binary; s != nil {
		c = cellOf(*s, programs)
		c.Digest = s.Live
	}
	c.Live = n.Last.Facts.Version
	return c
}

// programs are the versions of edgeward that are signed for the fleet.
func (f *Fleet) programs() map[edgeward.Digest]string {
	out := map[edgeward.Digest]string{}
	if all, err := f.Hub.Releases(); err == nil {
		for _, r := range all {
			out[r.Digest] = r.Version
		}
	}
	return out
}

// names are "model/version" by digest, of what was ever signed for the fleet or rolled out in it.
func (f *Fleet) names() map[edgeward.Digest]string {
	out := map[edgeward.Digest]string{}
	if signed, err := f.Hub.Fleet().Set.Signed(); err == nil {
		for _, t := range signed {
			out[t.Digest] = fmt.Sprintf("%s/%d", t.Model, t.Version)
		}
	}
	for _, m := range f.Hub.Rollouts() {
		if m.From.Number > 0 {
			out[m.From.Digest] = fmt.Sprintf("%s/%d", m.From.Model, m.From.Number)
		}
		out[m.To.Digest] = m.To.Ref()
	}
	return out
}
