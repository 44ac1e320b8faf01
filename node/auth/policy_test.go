package auth_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"edgeward"
	"edgeward/node/auth"
)

func TestDeniedByDefault(t *testing.T) {
	for _, v := range auth.Verbs {
		for _, r := range auth.Resources {
			if auth.Allowed(nil, v, r) || auth.Allowed([]auth.Role{"", "root"}, v, r) {
				t.Errorf("somebody without a role may %s %s", v, r)
			}
		}
	}
	if auth.Allowed(auth.Roles, "frobnicate", auth.Model) || auth.Allowed(auth.Roles, auth.Read, "teapot") {
		t.Error("an unknown verb or resource is allowed")
	}
}

func TestTheTableSaysWhatTheRolesMean(t *testing.T) {
	rows := []struct {
		role     auth.Role
		verb     auth.Verb
		resource auth.Resource
		want     bool
		why      string
	}{
		{auth.Admin, auth.Create, auth.Users, true, "admin makes users"},
		{auth.Admin, auth.Read, auth.Dataset, false, "admin sees no group's data"},
		{auth.Admin, auth.Read, auth.Prediction, false, "nor its predictions"},
		{auth.Admin, auth.Promote, auth.Endpoint, false, "nor decides what answers"},
		{auth.Owner, auth.Promote, auth.Endpoint, true, "an owner may all of the group"},
		{auth.Owner, auth.Create, auth.Users, false, "but makes no users"},
		{auth.Scientist, auth.Create, auth.Version, true, "a scientist makes versions"},
		{auth.Scientist, auth.Promote, auth.Endpoint, false, "and does not make them answer"},
		{auth.Scientist, auth.Approve, auth.Candidate, false, "nor approves them"},
		{auth.Operator, auth.Promote, auth.Endpoint, true, "an operator promotes"},
		{auth.Operator, auth.Delete, auth.Model, false, "and deletes no model"},
		{auth.Reviewer, auth.Approve, auth.Candidate, true, "a reviewer approves"},
		{auth.Reviewer, auth.Export, auth.Event, true, "and exports the audit log"},
		{auth.Reviewer, auth.Create, auth.Version, false, "and makes nothing"},
		{auth.Service, auth.Predict, auth.Endpoint, true, "a machine predicts"},
		{auth.Service, auth.Feedback, auth.Endpoint, true, "and tells the truth"},
		{auth.Service, auth.List, auth.Prediction, false, "and reads no records"},
		{auth.Service, auth.Create, auth.Tokens, false, "and makes no tokens"},
	}
	for _, row := range rows {
		if got := auth.Allowed([]auth.Role{row.role}, row.verb, row.resource); got != row.want {
			t.Errorf("%s %s %s: %v, but %s", row.role, row.verb, row.resource, got, row.why)
		}
	}
}

// TestTheTableIsReviewed holds the whole matrix against the committed one, so that a change of rights is a change of a
// file a reviewer reads. Write it anew with EDGEWARD_WRITE_GOLDEN=1.
func TestTheTableIsReviewed(t *testing.T) {
	var b strings.Builder
	for _, r := range auth.Resources {
		for _, v := range auth.Verbs {
			if roles := auth.RolesFor(v, r); len(roles) > 0 {
				slices.Sort(roles)
				fmt.Fprintf(&b, "%-11s %-9s %v\n", r, v, roles)
			}
		}
	}
	const golden = "testdata/matrix.txt"
	if os.Getenv("EDGEWARD_WRITE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the table differs from %s:\n%s", golden, b.String())
	}
}

func TestARefusalSaysWhatWouldHelp(t *testing.T) {
	p := auth.Principal{Kind: auth.Person, Name: "bob", Roles: []auth.Role{auth.Scientist}}
	err := p.Check(auth.Promote, auth.Endpoint)
	if edgeward.KindOf(err) != edgeward.Forbidden || edgeward.HintOf(err) != "ask for the role owner or operator" {
		t.Errorf("%v, hint %q", err, edgeward.HintOf(err))
	}
	if err := (auth.Principal{}).Check(auth.Read, auth.Model); edgeward.KindOf(err) != edgeward.Unauthenticated {
		t.Errorf("nobody: %v", err)
	}
}

func TestWeakPasswords(t *testing.T) {
	for _, p := range []string{"", "short", "aaaaaaaaaaaaaaaa", "alice-alice", "password12345678", "123456789012", strings.Repeat("ab cd ef ", 100), "qwertyuiopas", "\xff\xfebadbadbadbad"} {
		if err := auth.CheckPassword("alice", p); edgeward.CodeOf(err) != "password.weak" {
			t.Errorf("%.20q passes: %v", p, err)
		}
	}
	if err := auth.CheckPassword("alice", good); err != nil {
		t.Error(err)
	}
}

func ExampleExplain() {
	p := auth.Principal{Kind: auth.Person, Name: "bob", Roles: []auth.Role{auth.Reviewer}}
	fmt.Println(auth.Explain(p, auth.Approve, auth.Candidate).Text)
	fmt.Println(auth.Explain(p, auth.Promote, auth.Endpoint).Text)
	// Output:
	// user:bob may approve candidate as reviewer
	// user:bob may not promote endpoint as reviewer
}
