package tuf_test

import (
	"context"
	"fmt"
	"time"

	"edgeward"
	"edgeward/sync/tuf"
)

// memory is a Store for the example; a node's is durable.
type memory struct{ set tuf.Set }

func (m *memory) LoadTrust(context.Context) (tuf.Set, error)   { return m.set, nil }
func (m *memory) SaveTrust(_ context.Context, s tuf.Set) error { m.set = s; return nil }

// A fleet is founded, two persons sign a model, a node believes it.
func Example() {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	key := func() tuf.Key { k, err := tuf.NewKey(); must(err); return k }
	// Each person keeps a key; the hub has its own.
	admin, ada, bob, hub := key(), key(), key(), key()

	// At the admin's: who may sign what.
	found, err := tuf.Begin(tuf.Charter{Fleet: "01J",
		Root:   tuf.Role{Holders: []tuf.Holder{{Name: "Admin", Key: admin.Public()}}},
		Models: tuf.Role{Holders: []tuf.Holder{{Name: "Ada", Key: ada.Public()}, {Name: "Bob", Key: bob.Public()}}},
		Hub:    hub.Public()}, now)
	must(err)
	sigs, err := tuf.Sign(tuf.Set{}, found, admin)
	must(err)
	// At the hub:
	found, _, err = found.Add(tuf.Set{}, sigs...)
	must(err)
	set, err := tuf.Publish(tuf.Set{}, found, hub, now)
	must(err)
	pin := set.Pin() // into the join codes, and to Ada and Bob

	// At the hub: a version is proposed. At Ada's and Bob's: they see what it is, and sign.
	digest := edgeward.DigestOf([]byte("manifest"))
	proposal, err := tuf.Propose(set, []tuf.Target{{Group: "default", Model: "digits", Digest: digest, Length: 8, Version: 1, Epoch: 1}}, nil, now)
	must(err)
	for _, k := range []tuf.Key{ada, bob} {
		changes, err := tuf.Review(pin, set, proposal)
		must(err)
		fmt.Println("adds", changes.Added[0].Model, changes.Added[0].Version, "missing", changes.Needs[0].Missing())
		sigs, err := tuf.Sign(set, proposal, k)
		must(err)
		proposal, _, err = proposal.Add(set, sigs...)
		must(err)
	}
	set, err = tuf.Publish(set, proposal, hub, now)
	must(err)

	// At a node:
	v, err := tuf.NewVerifier(context.Background(), &memory{}, pin, set.Roots[0])
	must(err)
	fetch := func(_ context.Context, name string, limit int64) ([]byte, error) {
		if b, ok := set.File(name); ok {
			return b, nil
		}
		return nil, edgeward.E("fetch", edgeward.NotFound, "", "%s", name)
	}
	must(v.Refresh(context.Background(), fetch, now))
	t, err := v.Target("default", "digits", digest, now)
	fmt.Println("may install version", t.Version, err)
	// Output:
	// adds digits 1 missing 2
	// adds digits 1 missing 1
	// may install version 1 <nil>
}
