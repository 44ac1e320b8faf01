package store

import (
	"context"

	"edgeward/fleet/summary"
)

var (
	fleetSummaries = Collection[summary.Of]{Noun: "fleet.summary", Bucket: "fleet_summaries", Schema: 1, Quiet: true,
		Key: func(s *summary.Of) (string, string) {
			return "", s.Node + " " + s.Group + "/" + s.Endpoint + " " + string(s.Digest) + " " + s.Day
		},
		Indexes: []Index[summary.Of]{
			{Name: "model", Keys: func(s *summary.Of) []string { return []string{s.Group + "/" + s.Model} }},
			{Name: "day", Keys: func(s *summary.Of) []string { return []string{s.Day} }},
		}}
	fleetCounts = Collection[summary.State]{Noun: "fleet.counts", Bucket: "fleet_counts", Schema: 1, Quiet: true,
		Key: func(*summary.State) (string, string) { return "", "fleet" }}
)

// pruneStep bounds how many old summaries one call removes.
const pruneStep = 500

// PutFleetSummaries implements hub.Summaries.
func (db *DB) PutFleetSummaries(ctx context.Context, node string, list []summary.Summary, oldest string) error {
	return db.Update(ctx, func(tx *Tx) error {
		for _, s := range list {
			v := summary.Of{Node: node, Summary: s}
			_, key, err := fleetSummaries.key(&v)
			if err != nil {
				return err
			}
			old, found, err := fleetSummaries.load(tx, key)
			if err != nil {
				return err
			}
			if found && old.Seq >= s.Seq {
				continue
			}
			if err := fleetSummaries.Put(tx, v); err != nil {
				return err
			}
		}
		gone, err := fleetSummaries.Below(tx, "day", "", oldest, pruneStep)
		if err != nil {
			return err
		}
		for _, v := range gone {
			group, id := fleetSummaries.Key(&v)
			if err := fleetSummaries.Delete(tx, group, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// FleetSummaries implements hub.Summaries.
func (db *DB) FleetSummaries(ctx context.Context, group, model string, keep func(*summary.Of) bool) (out []summary.Of, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		for page := (Page{Limit: 1000}); ; {
			items, next, err := fleetSummaries.ListBy(tx, "model", "", group+"/"+model, page)
			if err != nil {
				return err
			}
			for i := range items {
				if keep == nil || keep(&items[i]) {
					out = append(out, items[i])
				}
			}
			if page.Cursor = next; next == "" {
				return nil
			}
		}
	})
	return out, err
}

// FleetCounts is what this node has counted.
func (db *DB) FleetCounts(ctx context.Context) (s summary.State, err error) {
	err = db.View(ctx, func(tx *Tx) error { s, _, err = fleetCounts.load(tx, joinKey("", "fleet")); return err })
	return s, err
}

// PutFleetCounts keeps what this node has counted.
func (db *DB) PutFleetCounts(ctx context.Context, s summary.State) error {
	return db.Update(ctx, func(tx *Tx) error { return fleetCounts.Put(tx, s) })
}
