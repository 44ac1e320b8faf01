package store

import (
	"context"
	"encoding/hex"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/fleet/witness"
	"edgeward/node/events"
)

var fleetWitness = Collection[witness.Kept]{Noun: "fleet.witness", Bucket: "fleet_witness", Schema: 1, Quiet: true,
	Key: func(*witness.Kept) (string, string) { return "", "fleet" }}

var (
	_ witness.Store = (*DB)(nil)
	_ hub.AuditLog  = (*DB)(nil)
)

// FleetWitness implements witness.Store.
func (db *DB) FleetWitness(ctx context.Context) (k witness.Kept, err error) {
	err = db.View(ctx, func(tx *Tx) error { k, _, err = fleetWitness.load(tx, joinKey("", "fleet")); return err })
	return k, err
}

// findings are the actions under which they stand in the log.
var findings = map[witness.Finding]string{witness.WentBack: "fleet.audit.contradicted", witness.Forked: "fleet.audit.contradicted", witness.Shorter: "fleet.audit.restored", witness.Again: "fleet.audit.agrees"}

// PutFleetWitness implements witness.Store.
func (db *DB) PutFleetWitness(ctx context.Context, k witness.Kept, f witness.Finding, now time.Time) error {
	return db.Update(ctx, func(tx *Tx) error {
		if err := fleetWitness.Put(tx, k); err != nil {
			return err
		}
		action, ok := findings[f]
		if !ok {
			return nil
		}
		saw, shown := k.Statement, k.Statement
		switch {
		case k.Odd != nil:
			shown = k.Odd.Statement
		case f == witness.Shorter && len(k.Before) > 0:
			saw = k.Before[len(k.Before)-1].Statement
		}
		_, err := tx.Append(events.Event{Time: now, Principal: "system:fleet", Action: action, Object: events.Object{Kind: "fleet", ID: "fleet"}, Detail: map[string]string{"finding": string(f),
			"saw": strconv.FormatUint(saw.Head.Size, 10), "saw_root": saw.Head.Root, "shown": strconv.FormatUint(shown.Head.Size, 10), "shown_root": shown.Head.Root}})
		return err
	})
}

// AuditHead implements hub.AuditLog.
func (db *DB) AuditHead(ctx context.Context, have uint64) (head witness.Head, root string, proof [][]byte, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		h, err := tx.Head()
		if err != nil {
			return err
		}
		head = witness.Head(h)
		if have == 0 || have > h.Size {
			return nil
		}
		r, err := tlog.TreeHash(int64(have), tx)
		if err != nil {
			return edgeward.Wrap("store.AuditHead", err)
		}
		root = hex.EncodeToString(r[:])
		p, err := tlog.ProveTree(int64(h.Size), int64(have), tx)
		for _, x := range p {
			proof = append(proof, x[:])
		}
		return edgeward.Wrap("store.AuditHead", err)
	})
	return head, root, proof, err
}
