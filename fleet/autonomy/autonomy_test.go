package autonomy_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/autonomy"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/sync/canonical"
)

var at = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func TestWhenANodeMayPromote(t *testing.T) {
	week := spec.Autonomy{Mode: spec.LocalPromote, After: spec.Length(7 * 24 * time.Hour)}
	away := at.Add(-8 * 24 * time.Hour)
	for name, row := range map[string]struct {
		c    autonomy.Case
		code string
	}{
		"the hub is away for long":        {autonomy.Case{Policy: week, Heard: away, Trained: true}, ""},
		"it answered yesterday":           {autonomy.Case{Policy: week, Heard: at.Add(-24 * time.Hour), Trained: true}, "fleet.local_early"},
		"just not long enough":            {autonomy.Case{Policy: week, Heard: at.Add(-7*24*time.Hour + time.Second), Trained: true}, "fleet.local_early"},
		"it is there, and always is said": {autonomy.Case{Policy: spec.Autonomy{Mode: spec.LocalPromote, Always: true}, Heard: at, Trained: true}, ""},
		"no policy":                       {autonomy.Case{Heard: away, Trained: true}, "fleet.managed"},
		"policy none":                     {autonomy.Case{Policy: spec.Autonomy{Mode: spec.None}, Heard: away, Trained: true}, "fleet.managed"},
		"a mode of a later edgeward":      {autonomy.Case{Policy: spec.Autonomy{Mode: "everything"}, Heard: away, Trained: true}, "fleet.managed"},
		"a version from elsewhere":        {autonomy.Case{Policy: week, Heard: away}, "fleet.local_foreign"},
		"a revoked node":                  {autonomy.Case{Policy: week, Heard: away, Shut: "fleet.node_revoked", Trained: true}, "fleet.local_shut_out"},
		"a clock that went back":          {autonomy.Case{Policy: week, Heard: at.Add(365 * 24 * time.Hour), Trained: true}, "fleet.local_early"},
	} {
		err := autonomy.May(row.c, at)
		if edgeward.CodeOf(err) != row.code || err != nil && edgeward.HintOf(err) == "" {
			t.Errorf("%s: %v, want %q with a hint", name, err, row.code)
		}
	}
}

func TestWhatCountsWhereTheHubSaysSomethingElse(t *testing.T) {
	mine, theirs := edgeward.DigestOf([]byte("mine")), edgeward.DigestOf([]byte("theirs"))
	p := spec.Promotion{Site: "north", Seq: 3, Target: spec.SiteTarget("north", "main", "triage", mine)}
	for name, row := range map[string]struct {
		w       spec.Endpoint
		revoked bool
		want    autonomy.Word
	}{
		"the hub says what it said":        {spec.Endpoint{Digest: theirs}, false, autonomy.Stands},
		"it said so of an earlier one":     {spec.Endpoint{Digest: theirs, Local: 2}, false, autonomy.Stands},
		"it says that it counts no more":   {spec.Endpoint{Digest: theirs, Local: 3}, false, autonomy.Returned},
		"it wants just this":               {spec.Endpoint{Digest: mine}, false, autonomy.Adopted},
		"it wants just this, and said no":  {spec.Endpoint{Digest: mine, Local: 3}, false, autonomy.Adopted},
		"revoked":                          {spec.Endpoint{Digest: theirs}, true, autonomy.Revoked},
		"revoked, and the hub said return": {spec.Endpoint{Digest: theirs, Local: 9}, true, autonomy.Revoked},
	} {
		if got := autonomy.Holds(p, row.w, row.revoked, nil); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}

// fleet is an authority with nodes of two sites.
type fleet struct {
	testing.TB
	ca  pki.CA
	ids map[string]pki.Identity
}

func newFleet(t testing.TB, nodes ...string) *fleet {
	t.Helper()
	ca, err := pki.NewCA("fleet1", at)
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t, ca, map[string]pki.Identity{}}
	for _, n := range nodes {
		f.ids[n] = f.issue(n)
	}
	return f
}

func (f *fleet) issue(node string) pki.Identity {
	f.Helper()
	i, csr, err := pki.Request(node)
	if err != nil {
		f.Fatal(err)
	}
	if i.Chain, err = f.ca.IssueNode(node, csr, nil, at); err != nil {
		f.Fatal(err)
	}
	return i
}

func (f *fleet) delegation(site string, nodes ...string) *spec.Delegation {
	d := &spec.Delegation{Site: site}
	for _, n := range nodes {
		d.Keys = append(d.Keys, spec.Signer{Node: n, Certs: []edgeward.Digest{edgeward.DigestOf(f.ids[n].Chain[0])}})
	}
	return d
}

func (f *fleet) sign(by pki.Identity, purpose string, p spec.Promotion) spec.SignedPromotion {
	f.Helper()
	b, err := canonical.JSON(p)
	if err != nil {
		f.Fatal(err)
	}
	sig, err := by.Sign(purpose, b)
	if err != nil {
		f.Fatal(err)
	}
	return spec.SignedPromotion{Promotion: b, Certificate: by.Chain[0], Signature: sig}
}

func promotion(node, site, target string) spec.Promotion {
	return spec.Promotion{Format: 1, Fleet: "fleet1", Node: node, Site: site, Seq: 1, Target: target, Length: 900, Endpoint: "triage", Version: 2, Over: edgeward.DigestOf([]byte("hub")), Rev: 7, Job: "01J", At: at,
		By: "user:bea", Reason: "drift"}
}

// TestStolenKeys is who holds the key of one server, or of its site, and wants more than that site's own versions.
func TestStolenKeys(t *testing.T) {
	f := newFleet(t, "a", "b", "gone", "s")
	other := newFleet(t, "a")
	version := edgeward.DigestOf([]byte("a version"))
	bad := edgeward.DigestOf([]byte("a revoked version"))
	at2 := func(site string) string { return spec.SiteTarget(site, "main", "triage", version) }
	models := "models/main/triage/" + version.Hex()
	renewed := f.issue("a")
	for name, row := range map[string]struct {
		s    spec.SignedPromotion
		site string
		code string
	}{
		"its own site":                           {f.sign(f.ids["a"], spec.PromotionPurpose, promotion("a", "north", at2("north"))), "north", ""},
		"another site, as the hub of it judges":  {f.sign(f.ids["a"], spec.PromotionPurpose, promotion("a", "south", at2("south"))), "south", "fleet.not_delegated"},
		"another site, as its own site judges":   {f.sign(f.ids["a"], spec.PromotionPurpose, promotion("a", "south", at2("south"))), "north", "fleet.not_delegated"},
		"another site's path":                    {f.sign(f.ids["a"], spec.PromotionPurpose, promotion("a", "north", at2("south"))), "north", "fleet.promotion"},
		"models/*":                               {f.sign(f.ids["a"], spec.PromotionPurpose, promotion("a", "north", models)), "north", "fleet.promotion"},
		"a path out of its site":                 {f.sign(f.ids["a"], spec.PromotionPurpose, promotion("a", "north", "site/north/../../models/"+version.Hex())), "north", "fleet.promotion"},
		"in the name of another node":            {f.sign(f.ids["a"], spec.PromotionPurpose, promotion("b", "north", at2("north"))), "north", "fleet.not_delegated"},
		"a node that was revoked":                {f.sign(f.ids["gone"], spec.PromotionPurpose, promotion("gone", "north", at2("north"))), "north", "fleet.not_delegated"},
		"a certificate that the hub never named": {f.sign(renewed, spec.PromotionPurpose, promotion("a", "north", at2("north"))), "north", "fleet.not_delegated"},
		"another fleet's authority":              {other.sign(other.ids["a"], spec.PromotionPurpose, promotion("a", "north", at2("north"))), "north", "fleet.certificate"},
		"a receipt's signature":                  {f.sign(f.ids["a"], "edgeward fleet receipt 1", promotion("a", "north", at2("north"))), "north", "fleet.untrusted"},
		"a revoked version":                      {f.sign(f.ids["a"], spec.PromotionPurpose, promotion("a", "north", spec.SiteTarget("north", "main", "triage", bad))), "north", "fleet.revoked"},
	} {
		nodes := map[string][]string{"north": {"a", "b"}, "south": {"s"}}[row.site]
		j := autonomy.Judge{Authority: f.ca.Authority, Fleet: "fleet1", Delegation: f.delegation(row.site, nodes...), Revoked: func(d edgeward.Digest) (string, bool) { return "wrong labels", d == bad }}
		if _, err := j.Verify(row.s, at); edgeward.CodeOf(err) != row.code {
			t.Errorf("%s: %v, want %q", name, err, row.code)
		}
	}
	good := f.sign(f.ids["a"], spec.PromotionPurpose, promotion("a", "north", at2("north")))
	j := autonomy.Judge{Authority: f.ca.Authority, Fleet: "fleet1", Delegation: f.delegation("north", "a"), Revoked: func(edgeward.Digest) (string, bool) { return "", false }}
	for i := range good.Promotion {
		s := good
		s.Promotion = slices.Clone(good.Promotion)
		s.Promotion[i] ^= 1
		if _, err := j.Verify(s, at); err == nil {
			t.Errorf("byte %d may be changed", i)
		}
	}
	if _, err := j.Verify(good, at.Add(pki.Life+pki.Grace-24*time.Hour)); err != nil {
		t.Errorf("within the grace of its certificate: %v", err)
	}
	if _, err := j.Verify(good, at.Add(pki.Life+pki.Grace+24*time.Hour)); edgeward.CodeOf(err) != "fleet.expired" {
		t.Errorf("after it: %v", err)
	}
	j.Delegation = nil
	if _, err := j.Verify(good, at); edgeward.CodeOf(err) != "fleet.not_delegated" {
		t.Errorf("without a delegation: %v", err)
	}
}

func FuzzVerify(fz *testing.F) {
	f := newFleet(fz, "a")
	j := autonomy.Judge{Authority: f.ca.Authority, Fleet: "fleet1", Delegation: f.delegation("north", "a"), Revoked: func(edgeward.Digest) (string, bool) { return "", false }}
	good := promotion("a", "north", spec.SiteTarget("north", "main", "triage", edgeward.DigestOf([]byte("x"))))
	b, _ := json.Marshal(good)
	fz.Add(b, []byte("sig"))
	fz.Add([]byte(`{"target":"site//"}`), []byte{})
	fz.Fuzz(func(t *testing.T, p, sig []byte) {
		if _, err := j.Verify(spec.SignedPromotion{Promotion: p, Certificate: f.ids["a"].Chain[0], Signature: sig}, at); err == nil {
			t.Errorf("nobody signed %s", p)
		}
	})
}
