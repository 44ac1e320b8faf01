package tuf_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"edgeward"
	"edgeward/sync/tuf"
)

func binary(n int) tuf.Release {
	return tuf.Release{OS: "linux", Arch: "amd64", Digest: edgeward.DigestOf(fmt.Append(nil, "binary", n)), Length: 7, Version: fmt.Sprintf("0.%d.0", n), Store: 1, Reads: 1, Libc: "2.34"}
}

// releasing is a fleet whose persons of models sign binaries too.
func releasing(t testing.TB) *place {
	t.Helper()
	p := found(t)
	c := p.charter()
	c.Release = c.Models
	amend, err := tuf.Amend(p.set, c, p.now)
	if err != nil {
		t.Fatal(err)
	}
	p.publish(amend, p.ada, p.bob)
	return p
}

func (p *place) proposeBinary(r tuf.Release) tuf.Proposal {
	p.t.Helper()
	prop, err := tuf.ProposeRelease(p.set, r, p.now)
	if err != nil {
		p.t.Fatal(err)
	}
	return prop
}

func TestABinaryTakesTwoPersons(t *testing.T) {
	p := releasing(t)
	r, prop := binary(1), p.proposeBinary(binary(1))
	c, err := tuf.Review(p.pin, p.set, prop)
	if err != nil || !slices.Equal(c.Released, []tuf.Release{r}) || len(c.Needs) != 1 || c.Needs[0].Threshold != 2 || len(c.Added)+len(c.Removed)+len(c.Revoked) > 0 || c.After != nil {
		t.Fatalf("%+v %v", c, err)
	}
	n := p.node()
	may := func() string {
		t.Helper()
		if err := n.refresh(p.now, p.set); err != nil {
			t.Fatal(err)
		}
		got, err := n.Release(r.OS, r.Arch, r.Digest, p.now)
		if err == nil && got != r {
			t.Errorf("%+v", got)
		}
		return edgeward.CodeOf(err)
	}
	wantMay(t, "before", may(), "fleet.release_unsigned")
	_, err = p.try(prop, p.hub, p.cem)
	want(t, "one signature", err, "fleet.threshold")
	_, err = p.try(prop, p.hub, p.cem, p.cem)
	want(t, "twice the same", err, "fleet.threshold")
	_, err = p.try(prop, p.hub, p.cem, p.ada)
	want(t, "one of root", err, "fleet.signer")
	p.publish(prop, p.cem, p.dan)
	wantMay(t, "signed by two", may(), "")
	wantMay(t, "after a restart", func() string { n = n.restart(p); return may() }(), "")
	if _, err := n.Release("linux", "arm64", r.Digest, p.now); edgeward.CodeOf(err) != "fleet.release_unsigned" {
		t.Errorf("for another processor: %v", err)
	}
	if _, err := n.Target("default", "digits", r.Digest, p.now); edgeward.CodeOf(err) != "fleet.unsigned" {
		t.Errorf("a binary as a model: %v", err)
	}
	_, err = tuf.ProposeRelease(p.set, r, p.now)
	want(t, "the same again", err, "fleet.signed")

	p.publish(p.proposeBinary(binary(2)), p.cem, p.dan)
	wantMay(t, "a second one leaves the first", may(), "")
	says, err := p.set.Read()
	if err != nil || len(says.Releases) != 2 || len(says.Signed) != 0 {
		t.Fatalf("%+v %v", says, err)
	}
	if _, err := n.Release(r.OS, r.Arch, r.Digest, p.now.Add(8*day)); edgeward.CodeOf(err) != "fleet.stale" {
		t.Errorf("a week without the hub: %v", err)
	}
	revoke, err := tuf.Revoke(p.set, []tuf.Revocation{{Digest: r.Digest, Reason: "it forgets answers"}}, p.now)
	if err != nil {
		t.Fatal(err)
	}
	p.publish(revoke, p.dan)
	wantMay(t, "revoked by one", may(), "fleet.revoked")
	_, err = tuf.ProposeRelease(p.set, r, p.now)
	want(t, "signed again", err, "fleet.revoked")
	r.Version = "0.1.1"
	_, err = tuf.ProposeRelease(p.set, r, p.now)
	want(t, "under another version", err, "fleet.revoked")
}

// TestAFleetThatNamesNobodyForBinaries is one from before there was the role: its files stay as they were.
func TestAFleetThatNamesNobodyForBinaries(t *testing.T) {
	p := found(t)
	p.model(1, 1)
	if strings.Contains(string(p.set.Targets)+string(p.set.Snapshot), tuf.Releases) {
		t.Error("its files name the role")
	}
	_, err := tuf.ProposeRelease(p.set, binary(1), p.now)
	want(t, "nobody may sign", err, "fleet.no_release_role")

	p = releasing(t)
	p.publish(p.proposeBinary(binary(1)), p.cem, p.dan)
	c := p.charter()
	_, err = tuf.Amend(p.set, c, p.now)
	want(t, "the role is taken away", err, "fleet.charter")
	eda := someone(t, "Eda")
	c.Release = tuf.Role{Threshold: 1, Holders: []tuf.Holder{eda.Holder}}
	amend, err := tuf.Amend(p.set, c, p.now)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.try(amend, p.hub, p.ada, p.bob)
	want(t, "a new person has not signed what is there", err, "fleet.threshold")
	p.publish(amend, p.ada, p.bob, eda)
	n := p.node()
	if err := n.refresh(p.now, p.set); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Release("linux", "amd64", binary(1).Digest, p.now); err != nil {
		t.Error(err)
	}
	renew, err := tuf.Renew(p.set, []string{tuf.Releases}, p.now)
	if err != nil {
		t.Fatal(err)
	}
	p.publish(renew, eda)
}

func TestWhatIsNoRelease(t *testing.T) {
	p := releasing(t)
	for name, spoil := range map[string]func(*tuf.Release){
		"no digest":                  func(r *tuf.Release) { r.Digest = "sha256:x" },
		"no bytes":                   func(r *tuf.Release) { r.Length = 0 },
		"too long":                   func(r *tuf.Release) { r.Length = tuf.MaxBinary + 1 },
		"no version":                 func(r *tuf.Release) { r.Version = "" },
		"a path as a processor":      func(r *tuf.Release) { r.Arch = "a/b" },
		"a letter of another script": func(r *tuf.Release) { r.OS = "lіnux" },
		"no format":                  func(r *tuf.Release) { r.Store = 0 },
		"reads more than it writes":  func(r *tuf.Release) { r.Reads = 2 },
	} {
		r := binary(1)
		spoil(&r)
		if _, err := tuf.ProposeRelease(p.set, r, p.now); edgeward.KindOf(err) != edgeward.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	prop := p.proposeBinary(binary(1))
	for name, x := range map[string][2]string{
		"a field more":       {`"version":"0.1.0"`, `"version":"0.1.0","x":1`},
		"a target elsewhere": {`"release/linux/`, `"release/x/linux/`},
		"of another format":  {`"reads":1`, `"reads":7`},
		"a model among them": {`"targets":{`, `"targets":{"models/default/digits/` + strings.Repeat("a", 64) + `":{"custom":{"epoch":1,"version":1},"hashes":{"sha256":"` + strings.Repeat("a", 64) + `"},"length":3},`},
	} {
		q := tuf.Proposal{Files: slices.Clone(prop.Files)}
		text := string(q.Files[0].Payload)
		q.Files[0].Payload = tuf.Canonical(t, strings.Replace(text, x[0], x[1], 1))
		if string(q.Files[0].Payload) == text {
			t.Fatalf("%s changes nothing", name)
		}
		if _, err := tuf.Review(p.pin, p.set, q); err == nil {
			t.Errorf("%s: reviewed", name)
		}
	}
	p.publish(prop, p.cem, p.dan)
	without := p.proposeBinary(binary(2))
	hex := binary(1).Digest.Hex()
	at := strings.Index(string(without.Files[0].Payload), `"release/linux/amd64/`+hex)
	if at < 0 {
		t.Fatal("the first is not in it")
	}
	without.Files[0].Payload = tuf.Canonical(t, strings.Replace(string(without.Files[0].Payload), hex, binary(3).Digest.Hex(), 2))
	if _, err := tuf.Review(p.pin, p.set, without); err == nil {
		t.Error("a signed binary is taken back")
	}
}
