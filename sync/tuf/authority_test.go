package tuf_test

import (
	"bytes"
	"testing"

	"edgeward"
	"edgeward/sync/tuf"
)

// TestTheCharterNamesAuthorities: only root's key changes them, a signer sees them, nodes believe them, and a charter that names none has the bytes it always had.
func TestTheCharterNamesAuthorities(t *testing.T) {
	f := found(t)
	c, err := f.set.Charter()
	if err != nil || len(c.Authorities) != 0 || bytes.Contains(f.set.Roots[0], []byte("authorities")) {
		t.Fatalf("%+v %v", c, err)
	}
	c.Authorities = [][]byte{[]byte("the old one"), []byte("the new one")}
	p, err := tuf.Amend(f.set, c, f.now)
	if err != nil || len(p.Files) != 1 || p.Files[0].Role != tuf.Root {
		t.Fatalf("%d files, %v", len(p.Files), err)
	}
	changes, err := tuf.Review(f.set.Pin(), f.set, p)
	if err != nil || len(changes.Before.Authorities) != 0 || len(changes.After.Authorities) != 2 {
		t.Fatalf("%+v %v", changes, err)
	}
	for name, k := range map[string]tuf.Key{"the hub": f.hub, "a person": f.cem.key} {
		if _, err := tuf.Sign(f.set, p, k); err == nil {
			t.Errorf("%s may sign it", name)
		}
	}
	if _, err := f.try(p, f.hub, f.ada); err == nil {
		t.Error("one root key of two is enough")
	}
	n := f.node()
	f.publish(p, f.ada, f.bob)
	if err := n.refresh(f.now, f.set); err != nil {
		t.Fatal(err)
	}
	if c, err := n.Charter(); err != nil || len(c.Authorities) != 2 || string(c.Authorities[1]) != "the new one" {
		t.Errorf("%+v %v", c, err)
	}
	for name, list := range map[string][][]byte{"twice": {[]byte("a"), []byte("a")}, "nothing": {{}}, "too many": {{1}, {2}, {3}, {4}, {5}}, "too long": {make([]byte, 4<<10)}} {
		c.Authorities = list
		if _, err := tuf.Amend(f.set, c, f.now); edgeward.CodeOf(err) != "fleet.charter" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
