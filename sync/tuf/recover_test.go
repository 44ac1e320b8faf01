package tuf_test

import (
	"testing"

	"edgeward/sync/tuf"
)

// TestAHubFromABackupLearnsFromItsNodes goes on without the persons: what they had signed since comes back from a node.
func TestAHubFromABackupLearnsFromItsNodes(t *testing.T) {
	p := found(t)
	p.model(1, 1)
	backup := p.set
	p.now = p.now.Add(day)
	v2 := p.model(2, 1)
	n := p.node()
	want(t, "refresh", n.refresh(p.now, p.set), "")
	theirs := p.set
	p.now = p.now.Add(day)

	sealed, changed, err := tuf.Freshen(backup, p.hub, p.now.Add(6*day)) // it has signed something itself meanwhile
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	for name, own := range map[string]tuf.Set{"at once": backup, "after it sealed anew": sealed} {
		got, changed, err := tuf.Recover(own, theirs, p.hub, p.now.Add(7*day))
		if err != nil || !changed {
			t.Fatalf("%s: %v, %v", name, changed, err)
		}
		m := p.node()
		want(t, name+": what the node saw before", m.refresh(p.now, theirs), "")
		want(t, name+": then the hub's", m.refresh(p.now.Add(7*day), got), "")
		wantMay(t, name, m.may(v2, p.now.Add(7*day)), "")
		if _, again, err := tuf.Recover(got, theirs, p.hub, p.now); err != nil || again {
			t.Errorf("%s: a second node changed it again: %v", name, err)
		}
	}
	evil := theirs
	evil.Models = append([]byte(nil), evil.Models...)
	evil.Models[len(evil.Models)/2] ^= 1
	if _, changed, err := tuf.Recover(backup, evil, p.hub, p.now); err == nil || changed {
		t.Error("files that nobody signed were taken")
	}
	other := found(t)
	other.model(1, 1)
	_, _, err = tuf.Recover(backup, other.set, p.hub, p.now)
	want(t, "another fleet's", err, "fleet.pin")
}

// TestAHubFromABackupLearnsOfBinaries does the same for what was signed by the role release: the first of all, and one more.
func TestAHubFromABackupLearnsOfBinaries(t *testing.T) {
	p := releasing(t)
	none := p.set
	p.publish(p.proposeBinary(binary(1)), p.cem, p.dan)
	one := p.set
	p.now = p.now.Add(day)
	p.publish(p.proposeBinary(binary(2)), p.cem, p.dan)
	r := binary(2)
	for name, backup := range map[string]tuf.Set{"before the first": none, "before the second": one} {
		got, changed, err := tuf.Recover(backup, p.set, p.hub, p.now.Add(day))
		if err != nil || !changed {
			t.Fatalf("%s: %v, %v", name, changed, err)
		}
		n := p.node()
		want(t, name+": what the node saw before", n.refresh(p.now, p.set), "")
		want(t, name+": then the hub's", n.refresh(p.now.Add(day), got), "")
		if _, err := n.Release(r.OS, r.Arch, r.Digest, p.now.Add(day)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
