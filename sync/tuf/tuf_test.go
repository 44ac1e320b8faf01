package tuf_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/sync/tuf"
)

var start = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// person is somebody with a key.
type person struct {
	tuf.Holder
	key tuf.Key
}

func someone(t testing.TB, name string) person {
	t.Helper()
	k, err := tuf.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return person{tuf.Holder{Name: name, Key: k.Public()}, k}
}

// place is a fleet's hub and its persons.
type place struct {
	t            testing.TB
	ada, bob     person // root, 2 of 2
	cem, dan     person // models
	hub          tuf.Key
	set          tuf.Set
	pin          edgeward.Digest
	now          time.Time
	lastProposal tuf.Proposal
}

func found(t testing.TB) *place {
	t.Helper()
	return foundBy(t, func(name string) person { return someone(t, name) })
}

func foundBy(t testing.TB, one func(name string) person) *place {
	t.Helper()
	p := &place{t: t, ada: one("Ada"), bob: one("Bob"), cem: one("Cem"), dan: one("Dan"), hub: one("hub").key, now: start}
	begin, err := tuf.Begin(p.charter(), p.now)
	if err != nil {
		t.Fatal(err)
	}
	p.publish(begin, p.ada, p.bob)
	p.pin = p.set.Pin()
	return p
}

func (p *place) charter() tuf.Charter {
	return tuf.Charter{Fleet: "01J", Root: tuf.Role{Threshold: 2, Holders: []tuf.Holder{p.ada.Holder, p.bob.Holder}},
		Models: tuf.Role{Holders: []tuf.Holder{p.cem.Holder, p.dan.Holder}}, Hub: p.hub.Public()}
}

// publish lets persons sign prop and publishes it.
func (p *place) publish(prop tuf.Proposal, by ...person) {
	p.t.Helper()
	set, err := p.try(prop, p.hub, by...)
	if err != nil {
		p.t.Fatal(err)
	}
	p.set = set
}

func (p *place) try(prop tuf.Proposal, hub tuf.Key, by ...person) (tuf.Set, error) {
	p.t.Helper()
	if _, err := tuf.Review(p.pin, p.set, prop); err != nil {
		return p.set, err
	}
	for _, who := range by {
		sigs, err := tuf.Sign(p.set, prop, who.key)
		if err != nil {
			return p.set, err
		}
		if prop, _, err = prop.Add(p.set, sigs...); err != nil {
			return p.set, err
		}
	}
	p.lastProposal = prop
	return tuf.Publish(p.set, prop, hub, p.now)
}

func version(n, epoch int) tuf.Target {
	return tuf.Target{Group: "default", Model: "digits", Digest: edgeward.DigestOf(fmt.Append(nil, "manifest", n)), Length: 9, Version: n, Epoch: epoch}
}

func (p *place) model(n, epoch int) tuf.Target {
	p.t.Helper()
	v := version(n, epoch)
	p.publish(p.propose(v), p.cem, p.dan)
	return v
}

func (p *place) propose(add ...tuf.Target) tuf.Proposal {
	p.t.Helper()
	prop, err := tuf.Propose(p.set, add, nil, p.now)
	if err != nil {
		p.t.Fatal(err)
	}
	return prop
}

// disk is a Store that may fail.
type disk struct {
	set   tuf.Set
	saves int
	fail  error
}

func (d *disk) LoadTrust(context.Context) (tuf.Set, error) { return d.set, nil }

func (d *disk) SaveTrust(_ context.Context, s tuf.Set) error {
	if d.fail != nil {
		return d.fail
	}
	d.set, d.saves = s, d.saves+1
	return nil
}

// node is a member of the fleet.
type node struct {
	*tuf.Verifier
	disk *disk
	t    testing.TB
}

func (p *place) node() node {
	p.t.Helper()
	d := &disk{}
	v, err := tuf.NewVerifier(p.t.Context(), d, p.pin, p.set.Roots[0])
	if err != nil {
		p.t.Fatal(err)
	}
	return node{v, d, p.t}
}

// restart is n after a power cut.
func (n node) restart(p *place) node {
	n.t.Helper()
	v, err := tuf.NewVerifier(n.t.Context(), n.disk, p.pin, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	return node{v, n.disk, n.t}
}

// serve fetches from sets: the first one that has the file.
func serve(sets ...tuf.Set) tuf.Fetch {
	return func(_ context.Context, name string, limit int64) ([]byte, error) {
		for _, s := range sets {
			if b, ok := s.File(name); ok {
				if int64(len(b)) > limit {
					return nil, edgeward.E("test", edgeward.TooLarge, "test.large", "%s", name)
				}
				return b, nil
			}
		}
		return nil, edgeward.E("test", edgeward.NotFound, "", "%s", name)
	}
}

func (n node) refresh(now time.Time, sets ...tuf.Set) error {
	n.t.Helper()
	return n.Refresh(n.t.Context(), serve(sets...), now)
}

func (n node) may(t tuf.Target, now time.Time) string {
	n.t.Helper()
	got, err := n.Target(t.Group, t.Model, t.Digest, now)
	if err == nil && got != t {
		n.t.Errorf("got %+v, want %+v", got, t)
	}
	if err != nil && edgeward.HintOf(err) == "" {
		n.t.Errorf("no hint: %v", err)
	}
	return edgeward.CodeOf(err)
}

func want(t testing.TB, what string, err error, code string) {
	t.Helper()
	if got := edgeward.CodeOf(err); got != code || (err == nil) != (code == "") {
		t.Errorf("%s: %v (%s), want %q", what, err, got, code)
	}
}

func wantMay(t testing.TB, what, got, code string) {
	t.Helper()
	if got != code {
		t.Errorf("%s: %q, want %q", what, got, code)
	}
}

func TestAModelTakesTwoPersons(t *testing.T) {
	p := found(t)
	v1 := version(1, 1)
	prop := p.propose(v1)
	n := p.node()
	want(t, "refresh", n.refresh(p.now, p.set), "")
	wantMay(t, "unsigned", n.may(v1, p.now), "fleet.unsigned")

	c, err := tuf.Review(p.pin, p.set, prop)
	if err != nil || !slices.Equal(c.Added, []tuf.Target{v1}) || len(c.Removed) != 0 || !c.FourEyes || c.After != nil || c.Needs[0].Missing() != 2 {
		t.Errorf("review: %+v, %v", c, err)
	}
	_, err = p.try(prop, p.hub)
	want(t, "nobody", err, "fleet.threshold")
	_, err = p.try(prop, p.hub, p.cem)
	want(t, "one person", err, "fleet.threshold")
	_, err = p.try(prop, p.hub, p.cem, p.cem)
	want(t, "one person twice", err, "fleet.threshold")
	_, err = p.try(prop, p.hub, p.cem, p.ada)
	want(t, "somebody who may not", err, "fleet.signer")
	id := prop.ID()
	p.publish(prop, p.cem, p.dan)
	if p.lastProposal.ID() != id {
		t.Error("signing changed the proposal")
	}
	want(t, "refresh", n.refresh(p.now, p.set), "")
	wantMay(t, "signed", n.may(v1, p.now), "")
	if got, err := p.set.Signed(); err != nil || !slices.Equal(got, []tuf.Target{v1}) {
		t.Errorf("signed: %v, %v", got, err)
	}
}

func TestOnePersonIsEnoughOnlyIfAskedFor(t *testing.T) {
	p := found(t)
	c := p.charter()
	c.Models = tuf.Role{Holders: []tuf.Holder{p.cem.Holder}}
	_, err := tuf.Begin(c, p.now)
	want(t, "one person, not asked for", err, "fleet.charter")
	c.Models.Threshold = 1
	prop, err := tuf.Begin(c, p.now)
	if err != nil {
		t.Fatal(err)
	}
	review, err := tuf.Review("", tuf.Set{}, prop)
	if err != nil || review.FourEyes || review.After == nil || review.Before != nil {
		t.Errorf("%+v, %v", review, err)
	}
}

func TestWhatIsNoCharter(t *testing.T) {
	p := found(t)
	eve := someone(t, "Eve")
	for name, spoil := range map[string]func(*tuf.Charter){
		"no fleet":                  func(c *tuf.Charter) { c.Fleet = "" },
		"no root":                   func(c *tuf.Charter) { c.Root = tuf.Role{} },
		"threshold above holders":   func(c *tuf.Charter) { c.Root.Threshold = 3 },
		"one key under two names":   func(c *tuf.Charter) { c.Models.Holders[1] = tuf.Holder{Name: "Dan", Key: p.cem.Key} },
		"one name with two keys":    func(c *tuf.Charter) { c.Models.Holders[1] = tuf.Holder{Name: "Cem", Key: eve.Key} },
		"the same holder twice":     func(c *tuf.Charter) { c.Models.Holders[1] = p.cem.Holder },
		"the hub's key as a person": func(c *tuf.Charter) { c.Models.Holders[1] = tuf.Holder{Name: "Dan", Key: p.hub.Public()} },
		"no name":                   func(c *tuf.Charter) { c.Models.Holders[1].Name = "" },
		"a name over two lines":     func(c *tuf.Charter) { c.Models.Holders[1].Name = "Dan\nEve" },
	} {
		c := p.charter()
		c.Models.Holders = slices.Clone(c.Models.Holders)
		spoil(&c)
		_, err := tuf.Begin(c, p.now)
		want(t, name, err, "fleet.charter")
	}
	c := p.charter()
	c.Hub = ""
	_, err := tuf.Begin(c, p.now)
	want(t, "no hub", err, "fleet.public_key")
}

// TestAStolenHubKeyAddsNothing: the hub is in wrong hands, with its key and all it stores.
func TestAStolenHubKeyAddsNothing(t *testing.T) {
	p := found(t)
	good := p.model(1, 1)
	n := p.node()
	want(t, "refresh", n.refresh(p.now, p.set), "")
	evil := version(666, 9)
	thief := person{tuf.Holder{Name: "Cem", Key: p.hub.Public()}, p.hub}

	_, err := tuf.Sign(p.set, p.propose(evil), p.hub)
	want(t, "the hub signs a model", err, "fleet.signer")
	// The thief forges the files themselves instead.
	forged := forge(t, p, evil, thief)
	want(t, "a models file with the hub's signatures", n.refresh(p.now, forged), "fleet.untrusted")
	wantMay(t, "the crafted model", n.may(evil, p.now), "fleet.unsigned")
	wantMay(t, "the good model meanwhile", n.may(good, p.now), "")
	want(t, "the real hub again", n.refresh(p.now, p.set), "")
	wantMay(t, "the crafted model", n.may(evil, p.now), "fleet.unsigned")
	wantMay(t, "the good model", n.may(good, p.now), "")

	c := p.charter()
	c.Models = tuf.Role{Threshold: 1, Holders: []tuf.Holder{{Name: "Thief", Key: someone(t, "x").Key}}}
	prop, err := tuf.Amend(p.set, c, p.now)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tuf.Sign(p.set, prop, p.hub)
	want(t, "the hub signs a charter", err, "fleet.signer")
}

// forge makes what a thief of the hub's key can: a models file with evil in it, signed by thief, listed in a good snapshot.
func forge(t testing.TB, p *place, evil tuf.Target, thief person) tuf.Set {
	t.Helper()
	return tuf.Forged(t, p.set, p.hub, p.now.Add(time.Second), evil, thief.key)
}

func TestNothingGoesBack(t *testing.T) {
	p := found(t)
	old := p.model(1, 1)
	before := p.set
	p.now = p.now.Add(day)
	p.model(2, 2)
	n := p.node()
	want(t, "refresh", n.refresh(p.now, p.set), "")
	// The whole repository of yesterday, every signature good, nothing expired; also after a power cut.
	for _, n := range []node{n, n.restart(p)} {
		want(t, "yesterday's repository", n.refresh(p.now, before), "fleet.rollback")
		wantMay(t, "the version below the epoch", n.may(old, p.now), "fleet.epoch")
	}
	// A thief of the hub's key signs yesterday's models file into a new snapshot.
	replay := tuf.Replayed(t, p.set, before, p.hub, p.now.Add(time.Hour))
	want(t, "yesterday's models in a new snapshot", n.refresh(p.now, replay), "fleet.rollback")
	wantMay(t, "the old version", n.may(old, p.now), "fleet.epoch")
	// What was believed is on disk before Refresh returns; if it cannot be, it is not believed.
	m := p.node()
	m.disk.fail = fmt.Errorf("disk full")
	if err := m.refresh(p.now, p.set); err == nil || m.disk.saves != 0 {
		t.Errorf("an unsaved refresh: %v", err)
	}
	wantMay(t, "what could not be saved", m.may(version(2, 2), p.now), "fleet.incomplete")
}

func TestEpochs(t *testing.T) {
	p := found(t)
	v1, v2 := p.model(1, 1), p.model(2, 1)
	n := p.node()
	want(t, "refresh", n.refresh(p.now, p.set), "")
	wantMay(t, "back to a version of the same epoch", n.may(v1, p.now), "")
	v3 := p.model(3, 2)
	want(t, "refresh", n.refresh(p.now, p.set), "")
	for v, code := range map[tuf.Target]string{v1: "fleet.epoch", v2: "fleet.epoch", v3: ""} {
		wantMay(t, fmt.Sprint("version ", v.Version), n.may(v, p.now), code)
	}
	prop, err := tuf.Propose(p.set, nil, []string{v3.Path()}, p.now)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tuf.Review(p.pin, p.set, prop)
	if err != nil || !slices.Equal(c.Removed, []tuf.Target{v3}) || !slices.Equal(c.Lowered, []string{"default/digits"}) {
		t.Errorf("review: %+v, %v", c, err)
	}
	p.publish(prop, p.cem, p.dan)
	want(t, "refresh", n.refresh(p.now, p.set), "")
	wantMay(t, "the removed version", n.may(v3, p.now), "fleet.unsigned")
	wantMay(t, "the old one, allowed by two persons", n.may(v1, p.now), "")
}

func TestFreeze(t *testing.T) {
	p := found(t)
	v := p.model(1, 1)
	n := p.node()
	want(t, "refresh", n.refresh(p.now, p.set), "")
	wantMay(t, "six days later", n.may(v, p.now.Add(6*day)), "")
	late := p.now.Add(8 * day)
	want(t, "the same answer for eight days", n.refresh(late, p.set), "fleet.stale")
	wantMay(t, "something new after eight days", n.may(v, late), "fleet.stale")
	wantMay(t, "after a restart", n.restart(p).may(v, late), "fleet.stale")
	fresh, made, err := tuf.Freshen(p.set, p.hub, late)
	if err != nil || !made {
		t.Fatal(made, err)
	}
	want(t, "the hub again", n.refresh(late, fresh), "")
	wantMay(t, "then", n.may(v, late), "")
	if _, made, err := tuf.Freshen(fresh, p.hub, late.Add(day)); made || err != nil {
		t.Errorf("a day later it is fresh: %v, %v", made, err)
	}
	if _, made, err := tuf.Freshen(fresh, p.hub, late.Add(3*day)); !made || err != nil {
		t.Errorf("three days later it is not: %v, %v", made, err)
	}
	// A year later the persons' files have expired. The hub cannot help; they can.
	p.now, p.set = start.Add(370*day), fresh
	aged, _, err := tuf.Freshen(p.set, p.hub, p.now)
	if err != nil {
		t.Fatal(err)
	}
	p.set = aged
	want(t, "expired root", n.refresh(p.now, p.set), "fleet.stale")
	prop, err := tuf.Renew(p.set, []string{tuf.Root, tuf.Targets, tuf.Models}, p.now)
	if err != nil {
		t.Fatal(err)
	}
	p.publish(prop, p.ada, p.bob, p.cem, p.dan)
	want(t, "renewed", n.refresh(p.now, p.set), "")
	wantMay(t, "renewed", n.may(v, p.now), "")
}

// TestFastForward: a thief of the hub's key signs the highest versions there are. A new hub key, given by root, recovers.
func TestFastForward(t *testing.T) {
	p := found(t)
	v := p.model(1, 1)
	n := p.node()
	want(t, "refresh", n.refresh(p.now, tuf.FastForwarded(t, p.set, p.hub, p.now)), "")
	want(t, "the real hub", n.refresh(p.now, p.set), "fleet.rollback")
	_, _, err := tuf.Freshen(tuf.FastForwarded(t, p.set, p.hub, p.now), p.hub, p.now.Add(6*day))
	want(t, "a hub that stored them", err, "fleet.hub_key")

	old := p.hub
	p.hub = someone(t, "hub").key
	prop, err := tuf.Amend(p.set, p.charter(), p.now)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tuf.Review(p.pin, p.set, prop)
	if err != nil || c.Before.Hub != old.Public() || c.After.Hub != p.hub.Public() {
		t.Errorf("review: %+v, %v", c, err)
	}
	_, err = p.try(prop, old, p.ada, p.bob)
	want(t, "with the old key", err, "fleet.hub_key")
	p.publish(prop, p.ada, p.bob)
	for _, n := range []node{n.restart(p), n} {
		want(t, "after the new root", n.refresh(p.now, p.set), "")
		wantMay(t, "after the new root", n.may(v, p.now), "")
	}
	want(t, "the thief again", n.refresh(p.now, tuf.FastForwarded(t, p.set, old, p.now)), "fleet.untrusted")
}

func TestMixAndMatch(t *testing.T) {
	p := found(t)
	v1 := p.model(1, 1)
	before := p.set
	p.now = p.now.Add(day)
	v2 := p.model(2, 1)
	n := p.node()
	swap := func(name string, with []byte) tuf.Fetch {
		return func(ctx context.Context, asked string, limit int64) ([]byte, error) {
			if asked == name {
				return with, nil
			}
			return serve(p.set)(ctx, asked, limit)
		}
	}
	snapshot := fmt.Sprint("snapshot/", p.set.Lives()[3].Version)
	for name, c := range map[string]struct {
		fetch tuf.Fetch
		code  string
	}{
		"an old models file under the new name":     {swap("models/2", before.Models), "fleet.untrusted"},
		"another file under the models file's name": {swap("models/2", p.set.Targets), "fleet.too_large"},
		"an old snapshot under the new name":        {swap(snapshot, before.Snapshot), "fleet.untrusted"},
		"a shortened file":                          {swap("models/2", p.set.Models[:len(p.set.Models)-1]), "fleet.untrusted"},
		"nothing":                                   {swap("models/2", nil), "fleet.untrusted"},
		"junk for a root":                           {swap("root/2", []byte("{}")), "fleet.untrusted"},
		"a root of another fleet":                   {swap("root/2", found(t).set.Roots[0]), "fleet.untrusted"},
		"the first root again":                      {swap("root/2", p.set.Roots[0]), "fleet.rollback"},
		"null":                                      {swap("timestamp", []byte("null")), "fleet.untrusted"},
	} {
		err := n.Refresh(t.Context(), c.fetch, p.now)
		want(t, name, err, c.code)
		wantMay(t, name, n.may(v2, p.now), "fleet.incomplete")
	}
	without := p.set
	without.Models = nil
	want(t, "a file that does not come", n.refresh(p.now, without), "fleet.unreachable")
	want(t, "without end", n.Refresh(t.Context(), func(_ context.Context, name string, limit int64) ([]byte, error) {
		if strings.HasPrefix(name, "root") {
			return nil, edgeward.E("test", edgeward.NotFound, "test.none", "none")
		}
		return make([]byte, limit+1), nil
	}, p.now), "fleet.too_large")
	want(t, "the hub is away", n.Refresh(t.Context(), func(context.Context, string, int64) ([]byte, error) { return nil, fmt.Errorf("refused") }, p.now), "fleet.unreachable")
	want(t, "all of one snapshot", n.refresh(p.now, p.set), "")
	wantMay(t, "then", n.may(v2, p.now), "")
	wantMay(t, "then", n.may(v1, p.now), "")
}

func TestKeyRotation(t *testing.T) {
	p := found(t)
	v1 := p.model(1, 1)
	asleep := p.node()
	want(t, "refresh", asleep.refresh(p.now, p.set), "")

	before := p.set
	// Every key is replaced, step by step; one node sleeps through it for a month.
	lost := p.dan
	p.dan = someone(t, "Dana")
	p.amend(p.ada, p.bob, p.cem, p.dan)
	_, err := p.try(p.propose(version(2, 1)), p.hub, p.cem, lost)
	want(t, "a key that was taken away", err, "fleet.signer")
	p.cem = someone(t, "Cleo")
	p.amend(p.ada, p.bob, p.cem, p.dan)
	oldBob := p.bob
	p.bob = someone(t, "Bea")
	prop, err := tuf.Amend(p.set, p.charter(), p.now)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.try(prop, p.hub, p.ada, p.bob)
	want(t, "a root that the old holders did not sign", err, "fleet.threshold")
	_, err = p.try(prop, p.hub, p.ada, oldBob)
	want(t, "a root that the new holder did not sign", err, "fleet.threshold")
	p.publish(prop, p.ada, oldBob, p.bob)
	oldHub := p.hub
	p.hub = someone(t, "hub").key
	p.amend(p.ada, p.bob)
	p.now = p.now.Add(30 * day)
	v2 := p.model(2, 1)

	want(t, "the old hub's files, after a month", asleep.refresh(p.now, before), "fleet.stale")
	want(t, "the node that slept", asleep.refresh(p.now, p.set), "")
	wantMay(t, "the old model, signed anew", asleep.may(v1, p.now), "")
	wantMay(t, "the new model", asleep.may(v2, p.now), "")
	c, err := asleep.Charter()
	if err != nil || c.Hub != p.hub.Public() || !c.FourEyes() || len(c.Models.Holders) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	doc, _ := tuf.SignEnvelope("a/b", []byte("{}"), oldHub)
	_, err = tuf.OpenEnvelope(doc, "a/b", 100, c.Hub)
	want(t, "a document of the old hub key", err, "fleet.untrusted")
}

// amend publishes the place's charter as it now is.
func (p *place) amend(by ...person) {
	p.t.Helper()
	prop, err := tuf.Amend(p.set, p.charter(), p.now)
	if err != nil {
		p.t.Fatal(err)
	}
	p.publish(prop, by...)
}

func TestRevocation(t *testing.T) {
	p := found(t)
	v1, v2 := p.model(1, 1), p.model(2, 1)
	n := p.node()
	want(t, "refresh", n.refresh(p.now, p.set), "")
	_, err := tuf.Revoke(p.set, []tuf.Revocation{{Digest: v1.Digest}}, p.now)
	want(t, "without a reason", err, "fleet.reason")
	prop, err := tuf.Revoke(p.set, []tuf.Revocation{{Digest: v1.Digest, Reason: "swapped labels"}}, p.now)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tuf.Sign(p.set, prop, p.ada.key)
	want(t, "somebody who may not", err, "fleet.signer")
	p.publish(prop, p.dan) // one person
	want(t, "refresh", n.refresh(p.now, p.set), "")
	wantMay(t, "the revoked one", n.may(v1, p.now), "fleet.revoked")
	wantMay(t, "the other one", n.may(v2, p.now), "")
	_, err = tuf.Propose(p.set, []tuf.Target{{Group: "default", Model: "other", Digest: v1.Digest, Length: 9, Version: 1}}, nil, p.now)
	want(t, "the same bytes under another name", err, "fleet.revoked")
	// One person's key and the hub's are stolen: the revocation cannot be taken back.
	back := tuf.Unrevoked(t, p.set, p.hub, p.now.Add(time.Second), p.dan.key)
	want(t, "a revocation taken back", n.refresh(p.now, back), "fleet.rollback")
	wantMay(t, "the revoked one", n.may(v1, p.now), "fleet.revoked")
}

func TestAProposalIsMadeForOneState(t *testing.T) {
	p := found(t)
	first, second := p.propose(version(1, 1)), p.propose(version(2, 1))
	p.publish(first, p.cem, p.dan)
	_, err := tuf.Sign(p.set, second, p.cem.key)
	want(t, "sign", err, "fleet.proposal_outdated")
	_, err = tuf.Publish(p.set, first, p.hub, p.now)
	want(t, "publish again", err, "fleet.proposal_outdated")
	_, err = tuf.Propose(p.set, []tuf.Target{version(1, 1)}, nil, p.now)
	want(t, "nothing new", err, "fleet.proposal")
	other := found(t)
	_, err = tuf.Review(p.pin, other.set, other.propose(version(1, 1)))
	want(t, "another fleet's", err, "fleet.pin")
}

// TestReviewRefusesWhatItCannotSay: a hub in wrong hands shows a proposal with something beside what the page shows.
func TestReviewRefusesWhatItCannotSay(t *testing.T) {
	p := found(t)
	p.model(1, 1)
	c := p.charter()
	c.Models.Holders = []tuf.Holder{p.cem.Holder, p.dan.Holder, someone(t, "Eda").Holder}
	amend, err := tuf.Amend(p.set, c, p.now)
	if err != nil {
		t.Fatal(err)
	}
	models := p.propose(version(2, 1))
	for name, f := range map[string]struct {
		of       tuf.Proposal
		old, new string
	}{
		"a delegation more":               {amend, `"roles":[{`, `"roles":[{"keyids":["` + p.hub.Public().ID() + `"],"name":"extra","paths":["models/*/*/*"],"terminating":false,"threshold":1},{`},
		"a wider path":                    {amend, `"models/*/*/*"`, `"models/*/*/*","*"`},
		"a lower threshold for another":   {amend, `"terminating":true,"threshold":2`, `"terminating":false,"threshold":2`},
		"the hub's key among the persons": {amend, `"name":"models"`, `"also":["` + p.hub.Public().ID() + `"],"name":"models"`},
		"targets directly in targets":     {amend, `"targets":{}`, `"targets":{"models/default/digits/` + strings.Repeat("a", 64) + `":{"hashes":{"sha256":"` + strings.Repeat("a", 64) + `"},"length":3}}`},
		"a target elsewhere":              {models, `"models/default/digits/`, `"models/default/digits/x/`},
		"a target with another hash":      {models, `"sha256":"`, `"sha256":"00`},
		"a field more":                    {models, `"_type":"targets"`, `"_type":"targets","also":1`},
		"another type":                    {models, `"_type":"targets"`, `"_type":"snapshot"`},
		"fractions of a second":           {models, `00Z"`, `00.5Z"`},
		"a delegation below models":       {models, `"_type":"targets"`, `"_type":"targets","delegations":{"keys":{},"roles":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			q := tuf.Proposal{Files: slices.Clone(f.of.Files)}
			text := string(q.Files[0].Payload)
			spoiled := strings.Replace(text, f.old, f.new, 1)
			if spoiled == text {
				t.Fatalf("%s is not in %s", f.old, text)
			}
			if name == "a target with another hash" {
				spoiled = strings.Replace(spoiled, `"sha256":"0000`, `"sha256":"00`, 1)
			}
			q.Files[0].Payload = tuf.Canonical(t, spoiled)
			if _, err := tuf.Review(p.pin, p.set, q); err == nil || edgeward.CodeOf(err) == "" {
				t.Errorf("reviewed: %v", err)
			}
			if _, err := tuf.Sign(p.set, q, p.cem.key); err == nil {
				t.Error("signed")
			}
		})
	}
}

func TestSignaturesThatAreRefused(t *testing.T) {
	p := found(t)
	prop := p.propose(version(1, 1))
	good, err := tuf.Sign(p.set, prop, p.cem.key)
	if err != nil {
		t.Fatal(err)
	}
	other, err := tuf.Sign(p.set, p.propose(version(2, 1)), p.cem.key)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]tuf.Signature{
		"for another proposal":   other[0],
		"under another's name":   {Role: good[0].Role, Key: p.dan.Key.ID(), Sig: good[0].Sig},
		"for another file":       {Role: tuf.Root, Key: good[0].Key, Sig: good[0].Sig},
		"empty":                  {Role: tuf.Models, Key: good[0].Key},
		"of a key nobody knows":  {Role: tuf.Models, Key: "00", Sig: good[0].Sig},
		"of a role nobody knows": {Role: "x", Key: good[0].Key, Sig: good[0].Sig},
	} {
		_, _, err := prop.Add(p.set, s)
		want(t, name, err, "fleet.signature")
	}
	two, needs, err := prop.Add(p.set, good[0], good[0])
	if err != nil || len(two.Files[0].Signatures) != 1 || needs[0].Missing() != 1 || needs[0].Signed[0] != p.cem.Holder {
		t.Errorf("%+v, %v", needs, err)
	}
	// Signatures smuggled in beside Add count no more than those added.
	smuggled := tuf.Proposal{Files: slices.Clone(two.Files)}
	smuggled.Files[0].Signatures = append(smuggled.Files[0].Signatures, good[0], tuf.Signature{Role: tuf.Models, Key: p.dan.Key.ID(), Sig: good[0].Sig})
	_, err = tuf.Publish(p.set, smuggled, p.hub, p.now)
	want(t, "smuggled", err, "fleet.threshold")
	b, _ := json.Marshal(two)
	if again, err := tuf.ParseProposal(b); err != nil || again.ID() != prop.ID() {
		t.Errorf("over the wire: %v", err)
	}
}

func TestEnvelopes(t *testing.T) {
	p := found(t)
	const kind = "application/vnd.edgeward.desired+json"
	e, err := tuf.SignEnvelope(kind, []byte(`{"rev":7}`), p.hub)
	if err != nil {
		t.Fatal(err)
	}
	hub, ada := p.hub.Public(), p.ada.Key
	flip := strings.Replace(string(e), `"payload":"e`, `"payload":"f`, 1)
	for _, c := range []struct {
		name, envelope, kind string
		limit                int
		keys                 []tuf.Public
		code                 string
	}{
		{"as signed", string(e), kind, 100, []tuf.Public{ada, hub}, ""},
		{"another key", string(e), kind, 100, []tuf.Public{ada}, "fleet.untrusted"},
		{"no key", string(e), kind, 100, nil, "fleet.untrusted"},
		{"a key that is none", string(e), kind, 100, []tuf.Public{""}, "fleet.untrusted"},
		{"another type", string(e), "text/plain", 100, []tuf.Public{hub}, "fleet.envelope"},
		{"changed", flip, kind, 100, []tuf.Public{hub}, "fleet.untrusted"},
		{"too large", string(e), kind, 5, []tuf.Public{hub}, "fleet.too_large"},
		{"a novel", strings.Repeat(" ", 20000), kind, 5, []tuf.Public{hub}, "fleet.too_large"},
		{"junk", "junk", kind, 100, []tuf.Public{hub}, "fleet.envelope"},
		{"no signature", `{"payloadType":"` + kind + `","payload":"e30="}`, kind, 100, []tuf.Public{hub}, "fleet.untrusted"},
	} {
		b, err := tuf.OpenEnvelope([]byte(c.envelope), c.kind, c.limit, c.keys...)
		want(t, c.name, err, c.code)
		if (string(b) == `{"rev":7}`) != (c.code == "") {
			t.Errorf("%s: %q", c.name, b)
		}
	}
}
