package store_test

import (
	"strings"
	"testing"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/spec"
	"edgeward/node/auth"
	"edgeward/runtime/models"
	"edgeward/runtime/serve"
)

// TestTheFleetSaysWhatAnswers changes specs of an endpoint of the fleet, and of one that is not, in every way a person may.
func TestTheFleetSaysWhatAnswers(t *testing.T) {
	db, ctx := open(t, t.TempDir()), t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(db.CreateGroup(ctx, auth.Group{ID: "g1", Name: "main", Created: day}, event("group.created", "group", "g1")))
	digest := func(n int) edgeward.Digest { return edgeward.DigestOf([]byte{byte(n)}) }
	c := func(s serve.Spec, by string) serve.Change {
		return serve.Change{Revision: s.Revision, By: by, Reason: "test", At: day}
	}
	promoted := func(by string, n int) func(serve.Spec) (serve.Spec, error) {
		return func(s serve.Spec) (serve.Spec, error) { return s.Promote(c(s, by), n, digest(n)) }
	}
	for _, name := range []string{"triage", "sepsis"} {
		_, err := db.CreateEndpoint(ctx, serve.Endpoint{Group: "g1", Name: name, Model: "m", Created: day, CreatedBy: "user:bea"})
		ok(err)
	}
	fleet := func(a spec.Autonomy) {
		ok(db.PutFleetKept(ctx, agent.Kept{Policy: spec.Policy{Autonomy: a}, Items: []agent.Item{{Want: spec.Endpoint{Group: "main", Name: "triage", Model: "m", Version: 1, Digest: digest(1)}}}}))
	}
	change := func(name string, f func(serve.Spec) (serve.Spec, error)) error {
		key := serve.Key{Group: "g1", Name: name}
		d, err := db.Deployment(ctx, key)
		ok(err)
		next, err := f(d.Spec)
		ok(err)
		return db.PutSpec(ctx, key, next)
	}
	fleet(spec.Autonomy{})
	ok(change("triage", promoted("fleet:r1", 1)))
	ok(change("triage", promoted("fleet:r1", 2)))
	ok(change("sepsis", promoted("user:bea", 1)))
	ok(change("sepsis", promoted("user:bea", 3)))
	for name, row := range map[string]struct {
		f       func(serve.Spec) (serve.Spec, error)
		refused bool
	}{
		"a promotion by a person":      {promoted("user:bea", 3), true},
		"a promotion by the loop":      {promoted("system:monitor", 3), true},
		"a canary":                     {func(s serve.Spec) (serve.Spec, error) { return s.Canary(c(s, "user:bea"), 3, digest(3), 100) }, true},
		"a version clients choose":     {func(s serve.Spec) (serve.Spec, error) { return s.Variant(c(s, "user:bea"), "new", 3, digest(3)) }, true},
		"a shadow":                     {func(s serve.Spec) (serve.Spec, error) { return s.Shadow(c(s, "user:bea"), 4, digest(4)) }, false},
		"going back to the one before": {func(s serve.Spec) (serve.Spec, error) { return s.Rollback(c(s, "user:bea")) }, false},
	} {
		err := change("triage", row.f)
		if got := edgeward.CodeOf(err) == "fleet.managed"; got != row.refused || err != nil && (!got || edgeward.HintOf(err) == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
	ok(change("triage", promoted("fleet:local-1", 5)))
	fleet(spec.Autonomy{Mode: spec.LocalPromote, Always: true})
	if err := change("triage", promoted("user:bea", 6)); edgeward.CodeOf(err) != "fleet.managed" {
		t.Errorf("past the gates: %v", err)
	}
}

// TestTheFleetsNumberMayBeTaken registers the fleet's version 2 where a version that was trained here has that number.
func TestTheFleetsNumberMayBeTaken(t *testing.T) {
	db, ctx := open(t, t.TempDir()), t.Context()
	for by, want := range map[string]int{"fleet:r1": 3, "user:bea": 0} {
		model := strings.ReplaceAll(by, ":", "-")
		version := func(what string, n int) models.Version {
			return models.Version{Group: "G", Model: model, Number: n, Digest: edgeward.DigestOf([]byte(model + what)), Manifest: models.Manifest{Model: model, Lineage: models.Lineage{Job: what}},
				State: models.Registered, Created: day, CreatedBy: by}
		}
		if _, err := db.PutModel(ctx, models.Model{Group: "G", Name: model, Task: models.Raw, Created: day, CreatedBy: by}); err != nil {
			t.Fatal(err)
		}
		for _, what := range []string{"one", "two"} {
			if _, _, err := db.AddModelVersion(ctx, version(what, 0)); err != nil {
				t.Fatal(err)
			}
		}
		err := db.AddFleetVersion(ctx, version("theirs", 2))
		v, _ := db.ModelVersionByDigest(ctx, "G", model, version("theirs", 2).Digest)
		if v.Number != want || want == 0 && edgeward.CodeOf(err) != "fleet.number_taken" || want > 0 && err != nil {
			t.Errorf("of a model of %s: version %d, %v; want %d", by, v.Number, err, want)
		}
	}
}
