package store

import (
	"context"

	"edgeward/fleet/inquiry"
	"edgeward/node/events"
)

var fleetInquiries = Collection[inquiry.Inquiry]{Noun: "fleet.inquiry", Bucket: "fleet_inquiries", Schema: 1, Quiet: true,
	Key: func(q *inquiry.Inquiry) (string, string) { return "", q.ID }}

var _ inquiry.Store = (*DB)(nil)

// Inquiries implements inquiry.Store.
func (db *DB) Inquiries(ctx context.Context) ([]inquiry.Inquiry, error) {
	return all(ctx, db, &fleetInquiries)
}

// PutInquiry implements inquiry.Store.
func (db *DB) PutInquiry(ctx context.Context, q inquiry.Inquiry, list ...inquiry.Happened) error {
	return db.Update(ctx, func(tx *Tx) error {
		if err := fleetInquiries.Put(tx, q); err != nil {
			return err
		}
		for _, h := range list {
			if _, err := tx.Append(events.Event{Time: h.At, Principal: h.By, Action: h.Action, Object: events.Object{Kind: "fleet", ID: q.Node}, Reason: h.Reason, Detail: h.Detail}); err != nil {
				return err
			}
		}
		return nil
	})
}

// DropInquiry implements inquiry.Store.
func (db *DB) DropInquiry(ctx context.Context, id string) error {
	return db.Update(ctx, func(tx *Tx) error { return ignoreMissing(fleetInquiries.Delete(tx, "", id)) })
}
