package hub_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/bundle"
	"edgeward/fleet/hub"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/sync/delta"
	"edgeward/sync/tuf"
)

// binary n is a program whose bytes are the library's file n.
func binary(n int) tuf.Release {
	return tuf.Release{OS: "linux", Arch: "amd64", Digest: edgeward.DigestOf(file(n)), Length: int64(len(file(n))), Version: "0." + string(rune('0'+n)) + ".0", Store: 1, Reads: 1}
}

// releases lets the persons of models sign binaries too.
func (h *house) releases() {
	h.Helper()
	c, err := h.Fleet().Set.Charter()
	h.ok(err)
	c.Release = c.Models
	p, err := tuf.Amend(h.Fleet().Set, c, h.now)
	h.ok(err)
	h.ok(h.Propose(h.Context(), "user:ann", p))
	h.signed(p, h.root)
}

func (h *house) signed(p tuf.Proposal, by ...tuf.Key) {
	h.Helper()
	for _, k := range by {
		sigs, err := tuf.Sign(h.Fleet().Set, p, k)
		h.ok(err)
		_, _, err = h.Sign(h.Context(), "user:ann", p.ID(), sigs)
		h.ok(err)
	}
}

func (h *house) signBinary(n int) {
	h.Helper()
	p, err := h.AskRelease(h.Context(), "user:ann", binary(n))
	h.ok(err)
	h.signed(p, h.ann, h.abe)
}

// of gives nodes a platform.
func (h *house) of(arch string, nodes ...string) {
	h.Helper()
	for _, n := range nodes {
		h.program(n, arch, 1, nil)
	}
}

// program says how a node's program stands.
func (h *house) program(node, arch string, seq uint64, s *spec.State) {
	h.Helper()
	if s != nil {
		k := spec.BinaryKey("linux", arch)
		s.Group, s.Name, s.Since = k.Group, k.Name, h.now
	}
	h.ok(h.Report(h.Context(), spec.Reported{Format: 1, Node: node, Boot: "boot-" + node, Seq: seq, At: h.now, Binary: s, Facts: spec.Facts{Name: node, OS: "linux", Arch: arch}}))
}

func has(n int) *spec.State {
	return &spec.State{Want: binary(n).Digest, Live: binary(n).Digest, Phase: spec.Committed}
}

func orderBinary(n int) hub.Order {
	return hub.Order{Binary: binary(n).Digest, Reason: "test", Plan: rollout.Plan{Waves: []rollout.Wave{{Nodes: 1}, {Percent: 100}}}}
}

func (h *house) told(nodes ...string) (out []string) {
	h.Helper()
	h.turn()
	for _, n := range nodes {
		if d := h.desired(n, 0); d != nil && d.Binary != nil {
			out = append(out, n+" "+d.Binary.Version)
		}
	}
	return out
}

func TestABinaryIsRolledOutInWaves(t *testing.T) {
	h := founded(t)
	for _, n := range []string{"n1", "n2", "n3", "arm"} {
		h.joins(n, "north-"+n) // one site each: no budget between them
	}
	h.of("amd64", "n1", "n2", "n3")
	h.of("arm64", "arm")
	start := func(n int) error {
		_, err := h.StartRollout(t.Context(), "user:ann", "main", orderBinary(n))
		return err
	}
	_, err := h.AskRelease(t.Context(), "user:ann", binary(1))
	h.want("a fleet without the role", err, "fleet.no_release_role")
	h.releases()
	_, err = h.AskRelease(t.Context(), "user:ann", tuf.Release{OS: "linux", Arch: "amd64", Digest: edgeward.DigestOf(nil), Length: 9, Version: "1", Store: 1, Reads: 1})
	h.want("bytes that are not here", err, "fleet.release_absent")
	long := binary(1)
	long.Length++
	_, err = h.AskRelease(t.Context(), "user:ann", long)
	h.want("another length", err, "fleet.release")
	h.want("unsigned", start(1), "fleet.release_unsigned")
	p, err := h.AskRelease(t.Context(), "user:ann", binary(1))
	h.ok(err)
	h.signed(p, h.ann)
	if again, err := h.AskRelease(t.Context(), "user:abe", binary(1)); err != nil || again.ID() != p.ID() {
		t.Errorf("the second who signs: %v", err)
	}
	if kept, err := h.ReleaseBytes(); err != nil || len(kept) != 1 {
		t.Errorf("the bytes of what waits are not kept: %v %v", kept, err)
	}
	h.want("signed by one", start(1), "fleet.release_unsigned")
	_, err = h.AskRelease(t.Context(), "user:ann", binary(2))
	h.want("another one meanwhile", err, "fleet.proposal_open")
	h.signed(p, h.abe)
	if l, err := h.Releases(); err != nil || len(l) != 1 || l[0] != binary(1) {
		t.Errorf("%v %v", l, err)
	}
	both := orderBinary(1)
	both.Endpoint, both.Model, both.Version = "triage", "triage", 1
	_, err = h.StartRollout(t.Context(), "user:ann", "main", both)
	h.want("of both", err, "rollout.both")

	h.ok(start(1))
	all := []string{"n1", "n2", "n3", "arm"}
	first := h.told(all...)
	if len(first) != 1 || strings.HasPrefix(first[0], "arm") {
		t.Fatalf("the first wave is told: %q", first)
	}
	n, _, _ := strings.Cut(first[0], " ")
	var others []string
	for _, x := range []string{"n1", "n2", "n3"} {
		if x != n {
			others = append(others, x)
		}
	}
	hex := string(binary(1).Digest)
	if code, _ := h.call(n, "GET", "blobs/"+hex, nil); code != 200 {
		t.Errorf("the bytes for who is told: %d", code)
	}
	for _, x := range append(others, "arm") {
		if code, _ := h.call(x, "GET", "blobs/"+hex, nil); code != 404 {
			t.Errorf("the bytes for %s: %d", x, code)
		}
	}
	h.signBinary(2)
	h.want("another one meanwhile", start(2), "fleet.rollout_under_way")
	h.program(n, "amd64", 2, has(1))
	if got := h.told(all...); len(got) != 3 {
		t.Fatalf("the second wave is told: %q", got)
	}
	for _, x := range others {
		h.program(x, "amd64", 2, has(1))
	}
	h.turn()
	m := h.Rollouts()[0]
	if m.State != rollout.Succeeded || m.To.Ref() != "edgeward 0.1.0" || m.Why != "3 nodes run version 0.1.0" {
		t.Fatalf("%s %q %q", m.State, m.To.Ref(), m.Why)
	}
	if g := h.Gaps(); len(g) != 0 {
		t.Errorf("%+v", g)
	}
	h.want("the same again", start(1), "fleet.already_there")
	plan, err := h.PlanBundle(t.Context(), hub.Everywhere)
	if err != nil || !slices.ContainsFunc(plan.Entries, func(e bundle.Entry) bool { return e.Name == "blobs/"+binary(1).Digest.Hex() }) {
		t.Errorf("a bundle does not bring it: %v", err)
	}
	h.joins("n4", "north")
	h.of("amd64", "n4")
	if got := h.told("n4"); len(got) != 1 || got[0] != "n4 0.1.0" {
		t.Errorf("who comes late is told %q", got)
	}
	h.program("n4", "amd64", 2, has(1))

	// A node that says that another blob of this hub is its program gets nothing by that.
	model := file(3)
	h.program("n4", "amd64", 3, &spec.State{Want: binary(1).Digest, Live: edgeward.DigestOf(model), Phase: spec.Committed})
	if code, _ := h.call("n4", "GET", "blobs/"+string(edgeward.DigestOf(model)), nil); code != 404 {
		t.Errorf("a blob that was never signed as a binary: %d", code)
	}
	h.program("n4", "amd64", 4, has(1))

	// Who runs a signed binary gets the next as a difference to it, and as one to nothing else.
	ahead := &bench{asked: map[string]int{}}
	h.o.Deltas = ahead
	h.restart()
	h.ok(start(2))
	if want := " " + binary(1).Digest.Short() + " >  " + binary(2).Digest.Short(); len(ahead.prepared) != 1 || ahead.prepared[0] != want {
		t.Errorf("prepared %q, want %q", ahead.prepared, want)
	}
	told := h.told(append(all, "n4")...)
	for _, x := range told {
		if n, v, _ := strings.Cut(x, " "); v == "0.2.0" {
			path := "deltas/" + string(binary(2).Digest) + "?version=" + delta.Version + "&from="
			if code, _ := h.call(n, "GET", "deltas/"+string(binary(2).Digest)+"?from="+string(binary(1).Digest), nil); code != 404 {
				t.Errorf("a difference to who reads an earlier format: %d", code)
			}
			for _, want := range []int{500, 200} { // it is being made; it is there
				if code, _ := h.call(n, "GET", path+string(binary(1).Digest), nil); code != want {
					t.Errorf("a difference to what runs: %d, want %d", code, want)
				}
			}
			if code, _ := h.call(n, "GET", path+string(edgeward.DigestOf(model)), nil); code != 404 {
				t.Errorf("a difference to another blob: %d", code)
			}
			return
		}
	}
	t.Errorf("nobody is told the next: %q", told)
}

func TestABadBinaryReachesOneNode(t *testing.T) {
	h := founded(t)
	h.releases()
	nodes := []string{"n1", "n2", "n3", "n4"}
	for _, n := range nodes {
		h.joins(n, "north-"+n)
	}
	h.of("amd64", nodes...)
	h.signBinary(1)
	_, err := h.StartRollout(t.Context(), "user:ann", "main", orderBinary(1))
	h.ok(err)
	told := h.told(nodes...)
	if len(told) != 1 {
		t.Fatalf("%q", told)
	}
	n, _, _ := strings.Cut(told[0], " ")
	old := edgeward.DigestOf([]byte("installed"))
	h.program(n, "amd64", 2, &spec.State{Want: binary(1).Digest, Live: old, Phase: spec.Reverted, Fault: spec.OfVersion, Code: "update.exits", Reason: "it was started 3 times and did not prove itself"})
	if got := h.told(nodes...); len(got) != 0 {
		t.Fatalf("after it failed, it is told %q", got)
	}
	h.program(n, "amd64", 3, nil)
	h.turn()
	m := h.Rollouts()[0]
	if m.State != rollout.RolledBack || m.Code != "rollout.failed" || len(m.Told) != 1 {
		t.Fatalf("%s %s %v", m.State, m.Code, m.Told)
	}

	// Again, after a person has looked: it is another try. Then it is revoked.
	_, err = h.StartRollout(t.Context(), "user:ann", "main", orderBinary(1))
	h.ok(err)
	told = h.told(nodes...)
	if len(told) != 1 {
		t.Fatalf("%q", told)
	}
	n, _, _ = strings.Cut(told[0], " ")
	if d := h.desired(n, 0); d.Binary.Again != 1 {
		t.Errorf("%+v", d.Binary)
	}
	p, err := tuf.Revoke(h.Fleet().Set, []tuf.Revocation{{Digest: binary(1).Digest, Reason: "it loses answers"}}, h.now)
	h.ok(err)
	h.ok(h.Propose(t.Context(), "user:ann", p))
	h.signed(p, h.ann)
	_, err = h.StartRollout(t.Context(), "user:ann", "main", orderBinary(1))
	h.want("revoked", err, "fleet.revoked")
	if kept, err := h.ReleaseBytes(); err != nil || len(kept) != 0 {
		t.Errorf("the bytes of what is revoked are kept: %v %v", kept, err)
	}

	// A restarted hub goes on, and a node that never says anything of programs leads to a pause, not to silence.
	h.restart()
	h.now = h.now.Add(time.Minute)
	h.here(nodes)
	h.now = h.now.Add(2 * time.Hour)
	h.here(nodes)
	h.turn()
	all := h.Rollouts()
	if m := all[len(all)-1]; m.State != rollout.Paused || m.Code != "rollout.missing" {
		t.Errorf("%s %s", m.State, m.Why)
	}
}

// here lets nodes say that they are there.
func (h *house) here(nodes []string) {
	h.Helper()
	for _, n := range nodes {
		h.program(n, "amd64", uint64(h.now.Unix()), nil)
	}
}
