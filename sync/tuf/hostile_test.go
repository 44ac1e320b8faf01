package tuf_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"edgeward"
	"edgeward/sync/tuf"
)

// TestNoSignedBytesPanic: go-tuf takes a null for an object in a file that its role has signed, and ends the process at the next look. Whoever
// stole the hub's key could so end every node.
func TestNoSignedBytesPanic(t *testing.T) {
	p := found(t)
	v := p.model(1, 1)
	for name, set := range tuf.Malformed(t, p.set, p.hub, p.now, p.cem.key, p.dan.key) {
		n := p.node()
		want(t, name+": the good one first", n.refresh(p.now, p.set), "")
		if err := n.refresh(p.now, set); edgeward.CodeOf(err) == "" && !strings.Contains(name, "target") {
			t.Errorf("%s: %v", name, err)
		}
		if got := n.may(v, p.now); got != "" && !strings.Contains(name, "target") {
			t.Errorf("%s: what was signed before: %s", name, got)
		}
		_, _ = tuf.Review(p.pin, set, p.propose(version(2, 1)))
		_, _ = tuf.Propose(set, []tuf.Target{version(3, 1)}, nil, p.now)
		_, _, _ = tuf.Freshen(set, p.hub, p.now)
	}
}

// TestReviewBelievesNoHub: what the hub calls published is verified from the signer's own pin.
func TestReviewBelievesNoHub(t *testing.T) {
	p := found(t)
	p.model(1, 1)
	prop := p.propose(version(2, 1))
	evil := version(666, 1)
	// The hub says that evil is published already, so that it would not show as added.
	forged := tuf.Forged(t, p.set, p.hub, p.now, evil, p.hub)
	_, err := tuf.Review(p.pin, forged, prop)
	want(t, "a published set that nobody signed", err, "fleet.untrusted")
	_, err = tuf.Sign(forged, prop, p.cem.key)
	want(t, "signing on top of it", err, "fleet.untrusted")
	other := found(t)
	mixed := other.set
	mixed.Roots = append(slices.Clone(p.set.Roots), other.set.Roots...)
	_, err = tuf.Review(p.pin, mixed, prop)
	want(t, "roots of two fleets", err, "fleet.untrusted")
	_, err = tuf.Review(p.pin, tuf.Set{}, prop)
	want(t, "a fleet that is said to be new", err, "fleet.pin")
	_, err = tuf.Review("", tuf.Set{}, prop)
	if err == nil {
		t.Error("a models file before the first charter was reviewed")
	}
}

func TestAnotherFleetsRootIsRefused(t *testing.T) {
	p, other := found(t), found(t)
	_, err := tuf.NewVerifier(t.Context(), &disk{}, p.pin, other.set.Roots[0])
	want(t, "another root than the code's", err, "fleet.pin")
	_, err = tuf.NewVerifier(t.Context(), &disk{}, p.pin, nil)
	want(t, "no root", err, "fleet.pin")
	_, err = tuf.NewVerifier(t.Context(), &disk{set: other.set}, p.pin, p.set.Roots[0])
	want(t, "what another fleet left on the disk", err, "fleet.pin")
	junk := []byte("junk")
	_, err = tuf.NewVerifier(t.Context(), &disk{}, edgeward.DigestOf(junk), junk)
	want(t, "junk with the right digest", err, "fleet.untrusted")
}

// TestManyRoots: a node that slept through seven new roots follows all of them, and a cut on the way costs nothing.
func TestManyRoots(t *testing.T) {
	p := found(t)
	v := p.model(1, 1)
	n := p.node()
	for i := range 7 {
		old := p.bob
		p.bob = someone(t, fmt.Sprint("Bob ", i))
		p.amend(p.ada, old, p.bob)
	}
	served := 0
	cut := func(ctx context.Context, name string, limit int64) ([]byte, error) {
		if served++; served > 3 {
			return nil, fmt.Errorf("cut")
		}
		return serve(p.set)(ctx, name, limit)
	}
	want(t, "cut on the way", n.Refresh(t.Context(), cut, p.now), "fleet.unreachable")
	if got := len(n.disk.set.Roots); got != 4 {
		t.Errorf("%d roots are on the disk", got)
	}
	n = n.restart(p)
	want(t, "the rest", n.refresh(p.now, p.set), "")
	wantMay(t, "then", n.may(v, p.now), "")
	if got := len(n.Set().Roots); got != len(p.set.Roots) || got != 8 {
		t.Errorf("%d roots", got)
	}
}

// TestAHubFromABackup goes on above what its nodes have seen, as soon as the persons have signed what the backup lacks.
func TestAHubFromABackup(t *testing.T) {
	p := found(t)
	p.model(1, 1)
	backup := p.set
	p.now = p.now.Add(day)
	v2 := p.model(2, 1)
	n := p.node()
	want(t, "refresh", n.refresh(p.now, p.set), "")
	p.set, p.now = backup, p.now.Add(day)
	fresh, err := tuf.Renew(p.set, []string{tuf.Targets}, p.now)
	if err != nil {
		t.Fatal(err)
	}
	p.publish(fresh, p.ada, p.bob)
	want(t, "a models file is missing", n.refresh(p.now, p.set), "fleet.rollback")
	wantMay(t, "meanwhile", n.may(v2, p.now), "")
	p.publish(p.propose(v2), p.cem, p.dan)
	want(t, "signed again", n.refresh(p.now, p.set), "")
	wantMay(t, "then", n.may(v2, p.now), "")
}

func TestFilesByName(t *testing.T) {
	p := found(t)
	p.model(1, 1)
	for name, there := range map[string]bool{
		"timestamp": true, "root/1": true, "targets/1": true, "models/1": true, fmt.Sprint("snapshot/", p.set.Lives()[3].Version): true,
		"root/0": false, "root/2": false, "root/01": false, "root": false, "root/": false, "models/2": false, "revoked/1": false, "timestamp/1": false,
		"": false, "/": false, "../root/1": false, "root/1/2": false, "root/-1": false, "director/1": false, "models/+1": false, "models/99999999999999999999": false,
	} {
		if b, ok := p.set.File(name); ok != there || ok != (len(b) > 0) {
			t.Errorf("%q: %v", name, ok)
		}
	}
	if lives := p.set.Lives(); len(lives) != 5 || lives[0].Role != tuf.Root || lives[4].Expires.Sub(p.now) != 7*day {
		t.Errorf("%+v", lives)
	}
}

// corpus is a small fleet's bytes of every kind.
func corpus(f *testing.F) *place {
	seeded := func(name string) person {
		k := tuf.SeededKey(name)
		return person{tuf.Holder{Name: name, Key: k.Public()}, k}
	}
	p := foundBy(f, seeded)
	p.model(1, 1)
	prop, err := tuf.Revoke(p.set, []tuf.Revocation{{Digest: version(1, 1).Digest, Reason: "why"}}, p.now)
	if err != nil {
		f.Fatal(err)
	}
	p.publish(prop, p.dan)
	return p
}

// FuzzRefresh puts junk in place of each file. Nothing is believed that was not signed, and what was believed before stands.
func FuzzRefresh(f *testing.F) {
	p := corpus(f)
	before := p.set
	p.now = p.now.Add(day)
	p.model(2, 1)
	n := p.node()
	if err := n.refresh(p.now, before); err != nil {
		f.Fatal(err)
	}
	for i, b := range [][]byte{p.set.Roots[0], p.set.Timestamp, p.set.Snapshot, p.set.Targets, p.set.Models, p.set.Revoked, []byte(`{"signed":{"_type":"root"}}`), []byte(`{"signed":null}`)} {
		f.Add(uint8(i), b)
	}
	f.Fuzz(func(t *testing.T, which uint8, junk []byte) {
		roles := []string{"root/2", "timestamp", "snapshot/", "targets/", "models/", "revoked/"}
		role := roles[int(which)%len(roles)]
		v, err := tuf.NewVerifier(t.Context(), &disk{set: before}, p.pin, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = v.Refresh(t.Context(), func(ctx context.Context, name string, limit int64) ([]byte, error) {
			if strings.HasPrefix(name, role) {
				return junk[:min(len(junk), int(limit))], nil
			}
			return serve(p.set)(ctx, name, limit)
		}, p.now)
		if _, terr := v.Target("default", "digits", version(2, 1).Digest, p.now); (terr == nil) != (err == nil && len(v.Set().Models) == len(p.set.Models)) {
			t.Errorf("refresh %v, target %v", err, terr)
		}
		if err != nil && edgeward.CodeOf(err) == "" {
			t.Errorf("an error without a code: %v", err)
		}
	})
}

// FuzzProposal: whatever is read is either reviewed in full or refused.
func FuzzProposal(f *testing.F) {
	p := corpus(f)
	add := func(prop tuf.Proposal) { f.Add(tuf.JSON(f, prop)) }
	add(p.propose(version(2, 1)))
	c := p.charter()
	c.Models.Holders = append(slices.Clone(c.Models.Holders), tuf.Holder{Name: "Eda", Key: p.ada.Key})
	c.Models.Holders[2].Name = "Ada"
	if prop, err := tuf.Amend(p.set, c, p.now); err == nil {
		add(prop)
	} else {
		f.Fatal(err)
	}
	f.Add([]byte(`{"files":[{"role":"models","version":2,"payload":"e30="}]}`))
	f.Add([]byte(`{"files":[{"role":"release","version":1,"payload":"e30="}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		prop, err := tuf.ParseProposal(b)
		if err != nil {
			if edgeward.CodeOf(err) == "" {
				t.Errorf("an error without a code: %v", err)
			}
			return
		}
		if _, err := tuf.Review(p.pin, p.set, prop); err != nil && edgeward.CodeOf(err) == "" {
			t.Errorf("an error without a code: %v", err)
		}
	})
}

func FuzzKeysAndEnvelopes(f *testing.F) {
	p := corpus(f)
	b, _ := p.ada.key.PEM()
	f.Add(b)
	e, _ := tuf.SignEnvelope("a/b", []byte("{}"), p.hub)
	f.Add(e)
	f.Add([]byte(p.ada.Key))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := tuf.ParseKey(b); err == nil {
			again, _ := k.PEM()
			if l, err := tuf.ParseKey(again); err != nil || l.Public() != k.Public() {
				t.Errorf("what was read is not read again: %v", err)
			}
		}
		if payload, err := tuf.OpenEnvelope(b, "a/b", 1000, p.hub.Public()); err == nil && string(payload) != "{}" {
			t.Errorf("opened %q", payload)
		}
		if k, err := tuf.ParsePublic(string(b)); err == nil && k.ID() == "" {
			t.Error("a key without an id")
		}
	})
}
