package autonomy_test

import (
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/autonomy"
	"edgeward/fleet/spec"
)

// TestWhenAPersonMayTakeAnothersPromotion is node b, asked to take a promotion of node a.
func TestWhenAPersonMayTakeAnothersPromotion(t *testing.T) {
	hubs, theirs := edgeward.DigestOf([]byte("hub")), edgeward.DigestOf([]byte("a version"))
	policy := spec.Autonomy{Mode: spec.LocalPromote, After: spec.Length(72 * time.Hour), Take: spec.TakeSite}
	for name, row := range map[string]struct {
		spoil func(p *spec.Promotion, o *autonomy.Offer)
		code  string
	}{
		"as it should be":                         {func(*spec.Promotion, *autonomy.Offer) {}, ""},
		"the same once more":                      {func(p *spec.Promotion, o *autonomy.Offer) { o.Last = p.Seq }, ""},
		"always, and the hub is there":            {func(_ *spec.Promotion, o *autonomy.Offer) { o.Policy.Always, o.Policy.After, o.Heard = true, 0, at }, ""},
		"the policy is silent on it":              {func(_ *spec.Promotion, o *autonomy.Offer) { o.Policy.Take = "" }, "fleet.local_not_shared"},
		"the policy says own":                     {func(_ *spec.Promotion, o *autonomy.Offer) { o.Policy.Take = spec.TakeOwn }, "fleet.local_not_shared"},
		"a word of a later edgeward":              {func(_ *spec.Promotion, o *autonomy.Offer) { o.Policy.Take = "fleet" }, "fleet.local_not_shared"},
		"no policy":                               {func(_ *spec.Promotion, o *autonomy.Offer) { o.Policy = spec.Autonomy{} }, "fleet.managed"},
		"this node was shut out":                  {func(_ *spec.Promotion, o *autonomy.Offer) { o.Shut = "fleet.node_revoked" }, "fleet.local_shut_out"},
		"the hub answered yesterday":              {func(_ *spec.Promotion, o *autonomy.Offer) { o.Heard = at.Add(-24 * time.Hour) }, "fleet.local_early"},
		"its own":                                 {func(p *spec.Promotion, o *autonomy.Offer) { o.Node = p.Node }, "fleet.local_foreign"},
		"one that was taken itself":               {func(p *spec.Promotion, _ *autonomy.Offer) { p.Taken = spec.Taken{Node: "c", Seq: 1} }, "fleet.local_foreign"},
		"an endpoint that the document not names": {func(_ *spec.Promotion, o *autonomy.Offer) { o.Wanted = nil }, "fleet.local_endpoint"},
		"another model": {func(p *spec.Promotion, _ *autonomy.Offer) {
			p.Target = spec.SiteTarget("north", "main", "sepsis", theirs)
		}, "fleet.local_endpoint"},
		"what the hub wants anyway":         {func(_ *spec.Promotion, o *autonomy.Offer) { o.Wanted.Digest = theirs }, "fleet.already_there"},
		"over what the hub wants no more":   {func(_ *spec.Promotion, o *autonomy.Offer) { o.Wanted.Digest = edgeward.DigestOf([]byte("newer")) }, "fleet.local_old"},
		"from before the hub's last word":   {func(_ *spec.Promotion, o *autonomy.Offer) { o.Issued = at.Add(-time.Hour) }, "fleet.local_old"},
		"before one that was taken":         {func(p *spec.Promotion, o *autonomy.Offer) { o.Last = p.Seq + 1 }, "fleet.local_old"},
		"from the future":                   {func(p *spec.Promotion, _ *autonomy.Offer) { p.At = at.Add(2 * time.Hour) }, "fleet.local_time"},
		"in place of what was trained here": {func(_ *spec.Promotion, o *autonomy.Offer) { o.Own = true }, "fleet.local_own"},
	} {
		p := promotion("a", "north", spec.SiteTarget("north", "main", "triage", theirs))
		p.At, p.Seq = at.Add(-2*time.Hour), 4
		o := autonomy.Offer{Case: autonomy.Case{Policy: policy, Heard: at.Add(-100 * time.Hour)}, Node: "b", Issued: at.Add(-99 * time.Hour),
			Wanted: &spec.Endpoint{Group: "main", Name: "triage", Model: "triage", Digest: hubs, Version: 1}}
		row.spoil(&p, &o)
		err := autonomy.MayTake(p, o, at)
		if edgeward.CodeOf(err) != row.code || err != nil && edgeward.HintOf(err) == "" && row.code != "fleet.already_there" {
			t.Errorf("%s: %v, want %q with a hint", name, err, row.code)
		}
	}
}
