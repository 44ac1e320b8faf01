package store

import (
	"context"
	"strings"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/node/events"
	"edgeward/runtime/models"
	"edgeward/sync/tuf"
)

// Membership says which fleet this server belongs to, or asks to join: then Fleet is empty and Request is not.
type Membership struct {
	Fleet    string          `json:"fleet"`
	Name     string          `json:"name"` // of the fleet
	Hubs     []string        `json:"hubs"`
	CA       edgeward.Digest `json:"ca"`
	Pin      edgeward.Digest `json:"pin"` // of the first root
	Root     []byte          `json:"root"`
	Identity pki.Identity    `json:"identity"` // with the private key: a secret
	Site     string          `json:"site"`     // as it was when it joined
	Joined   time.Time       `json:"joined"`

	Next        pki.Identity `json:"next,omitzero"`          // a new key that was asked for by file: a secret; without chain until the hub's word comes
	NextRequest []byte       `json:"next_request,omitempty"` // the signing request of Next

	Code    spec.Code         `json:"code,omitzero"`     // while it asks: a secret
	Request []byte            `json:"request,omitempty"` // while it asks: the signing request of Identity
	Tags    map[string]string `json:"tags,omitempty"`    // while it asks: that it asks for
	ByFile  bool              `json:"by_file,omitempty"` // while it asks: no wire leads to the hub, a person carries the request and the answer
}

// What a node keeps of its fleet: one of each.
var (
	memberships = Collection[Membership]{Noun: "fleet.membership", Bucket: "fleet_membership", Schema: 1, Quiet: true,
		Key: func(*Membership) (string, string) { return "", "fleet" }}
	fleetTrust = Collection[tuf.Set]{Noun: "fleet.trust", Bucket: "fleet_trust", Schema: 1, Quiet: true,
		Key: func(*tuf.Set) (string, string) { return "", "fleet" }}
	fleetKept = Collection[agent.Kept]{Noun: "fleet.kept", Bucket: "fleet_kept", Schema: 1, Quiet: true,
		Key: func(*agent.Kept) (string, string) { return "", "fleet" }}
)

var _ agent.Store = (*DB)(nil)

// Membership returns the fleet this server belongs to; the zero Membership if none.
func (db *DB) Membership(ctx context.Context) (m Membership, err error) {
	err = db.View(ctx, func(tx *Tx) error { m, _, err = memberships.load(tx, joinKey("", "fleet")); return err })
	return m, err
}

// PutMembership keeps m with its event. A new fleet forgets what was believed and wanted in the old one.
func (db *DB) PutMembership(ctx context.Context, m Membership, e events.Event) error {
	return db.with(ctx, e, func(tx *Tx) error {
		old, _, err := memberships.load(tx, joinKey("", "fleet"))
		if err != nil {
			return err
		}
		if old.Fleet != m.Fleet {
			if err := forgetFleet(tx); err != nil {
				return err
			}
			if m.Fleet != "" {
				if err := beginFleetQueue(tx); err != nil {
					return err
				}
			}
		}
		return memberships.Put(tx, m)
	})
}

// LeaveFleet forgets the membership and everything of the fleet; endpoints stay as they are.
func (db *DB) LeaveFleet(ctx context.Context, e events.Event) error {
	return db.with(ctx, e, func(tx *Tx) error {
		if err := forgetFleet(tx); err != nil {
			return err
		}
		return ignoreMissing(memberships.Delete(tx, "", "fleet"))
	})
}

func forgetFleet(tx *Tx) error {
	if err := ignoreMissing(fleetTrust.Delete(tx, "", "fleet")); err != nil {
		return err
	}
	if err := ignoreMissing(fleetCounts.Delete(tx, "", "fleet")); err != nil {
		return err
	}
	if err := ignoreMissing(fleetWitness.Delete(tx, "", "fleet")); err != nil {
		return err
	}
	if err := forgetFleetQueue(tx); err != nil {
		return err
	}
	return ignoreMissing(fleetKept.Delete(tx, "", "fleet"))
}

func ignoreMissing(err error) error {
	if edgeward.KindOf(err) == edgeward.NotFound {
		return nil
	}
	return err
}

// LoadTrust implements tuf.Store.
func (db *DB) LoadTrust(ctx context.Context) (s tuf.Set, err error) {
	err = db.View(ctx, func(tx *Tx) error { s, _, err = fleetTrust.load(tx, joinKey("", "fleet")); return err })
	return s, err
}

// SaveTrust implements tuf.Store.
func (db *DB) SaveTrust(ctx context.Context, s tuf.Set) error {
	return db.Update(ctx, func(tx *Tx) error { return fleetTrust.Put(tx, s) })
}

// FleetKept implements agent.Store.
func (db *DB) FleetKept(ctx context.Context) (k agent.Kept, err error) {
	err = db.View(ctx, func(tx *Tx) error { k, _, err = fleetKept.load(tx, joinKey("", "fleet")); return err })
	return k, err
}

// PutFleetKept implements agent.Store.
func (db *DB) PutFleetKept(ctx context.Context, k agent.Kept, list ...agent.Happened) error {
	return db.Update(ctx, func(tx *Tx) error {
		if err := fleetKept.Put(tx, k); err != nil {
			return err
		}
		for _, h := range list {
			g, err := Groups.Find(tx, "name", "", h.Group) // none: the version never came so far that its group was made
			if err != nil && edgeward.KindOf(err) != edgeward.NotFound {
				return err
			}
			if _, err := tx.Append(events.Event{Time: h.At, Principal: h.By, Action: h.What, Group: g.ID, Object: events.Object{Kind: "endpoint", ID: h.Object, Name: h.Object}, Reason: h.Reason, Detail: h.Detail}); err != nil {
				return err
			}
		}
		return nil
	})
}

// AddFleetVersion keeps a version under the number the fleet gave it. The same again changes nothing. If another version has the number it gets the next
// free one, as long as the model came with the fleet; the number of a model that was made here is Conflict "fleet.number_taken".
func (db *DB) AddFleetVersion(ctx context.Context, v models.Version) error {
	return db.Update(ctx, func(tx *Tx) error {
		if _, err := ModelVersions.Find(tx, "digest", v.Group, v.Model+"@"+string(v.Digest)); err == nil {
			return nil
		} else if edgeward.KindOf(err) != edgeward.NotFound {
			return err
		}
		m, err := Models.Get(tx, v.Group, v.Model)
		if err != nil {
			return err
		}
		if _, err := ModelVersions.Get(tx, v.Group, numbered(v.Model, v.Number)); err == nil && strings.HasPrefix(m.CreatedBy, "fleet:") {
			v.Number = m.Latest + 1
		} else if err == nil {
			return edgeward.E("store.AddFleetVersion", edgeward.Conflict, "fleet.number_taken", "version %d of %s is another one on this server", v.Number, v.Model).
				WithHint("models of the fleet and of this server need different names")
		} else if edgeward.KindOf(err) != edgeward.NotFound {
			return err
		}
		m.Latest = max(m.Latest, v.Number)
		v.Demo = m.Demo
		if err := Models.Put(tx, m); err != nil {
			return err
		}
		if err := ModelVersions.Create(tx, v); err != nil {
			return err
		}
		_, err = tx.Append(events.Event{Time: v.Created, Principal: v.CreatedBy, Group: v.Group, Action: "model.version.created",
			Object: events.Object{Kind: "model", Name: v.Ref().String(), ID: v.Model}, After: v.Digest, Demo: v.Demo})
		return err
	})
}
