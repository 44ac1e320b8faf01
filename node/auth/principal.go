package auth

import (
	"fmt"
	"slices"
	"strings"

	"edgeward"
)

// PrincipalKind says what kind of somebody is asking.
type PrincipalKind string

// The kinds of principals.
const (
	Person PrincipalKind = "user"   // logged in with a browser
	APIKey PrincipalKind = "token"  // a token
	System PrincipalKind = "system" // a part of the product, or the server's owner on the data directory's socket
)

// Principal is who is asking, with the current group and the roles there. The zero Principal is nobody and may nothing.
type Principal struct {
	Kind    PrincipalKind
	ID      string   // ULID of the user or token; empty for system
	Name    string   // of the user, token or part
	User    string   // id of the person behind it; empty for system
	Group   string   // id of the current group; empty: none
	Team    string   // name of the current group
	Roles   []Role   // in the current group, and Admin when on the node
	Groups  []string // ids of all groups the principal may choose
	Session string   // id of the session, when there is one
}

// Ref is how events and logs name the principal: "user:alice", "token:ci", "system:demo-policy"; "" for nobody.
func (p Principal) Ref() string {
	if p.Kind == "" {
		return ""
	}
	return string(p.Kind) + ":" + p.Name
}

// Key is who p is for limits and counts: the id, or the name of a part of the product.
func (p Principal) Key() string {
	if p.ID != "" {
		return p.ID
	}
	return p.Ref()
}

// Can reports whether p may do verb to resource in its current group.
func (p Principal) Can(verb Verb, resource Resource) bool { return Allowed(p.Roles, verb, resource) }

// Has reports whether p has the role.
func (p Principal) Has(r Role) bool { return slices.Contains(p.Roles, r) }

// Check is nil when p may do verb to resource; else Unauthenticated "auth.required" for nobody and Forbidden
// "auth.forbidden" with the roles that may.
func (p Principal) Check(verb Verb, resource Resource) error {
	if p.Can(verb, resource) {
		return nil
	}
	if p.Kind == "" {
		return edgeward.E("auth.Check", edgeward.Unauthenticated, "auth.required", "sign in first").
			WithHint("log in, or send \"Authorization: Bearer TOKEN\"; commands take the token from --token-file or EDGEWARD_TOKEN")
	}
	e := Explain(p, verb, resource)
	return edgeward.E("auth.Check", edgeward.Forbidden, "auth.forbidden", "%s", e.Text).
		With("verb", string(verb)).With("resource", string(resource)).WithHint("%s", e.hint())
}

// Explanation says why something is allowed or not.
type Explanation struct {
	Allowed  bool     `json:"allowed"`
	Verb     Verb     `json:"verb"`
	Resource Resource `json:"resource"`
	By       Role     `json:"by,omitempty"` // the role that allows it
	Roles    []Role   `json:"roles"`        // the principal's
	Would    []Role   `json:"would"`        // every role that would allow it
	Text     string   `json:"text"`         // one English sentence
}

// Explain says whether and why p may do verb to resource.
func Explain(p Principal, verb Verb, resource Resource) Explanation {
	by, ok := grantedBy(p.Roles, verb, resource)
	e := Explanation{Allowed: ok, Verb: verb, Resource: resource, By: by, Roles: p.Roles, Would: RolesFor(verb, resource)}
	who := p.Ref()
	if who == "" {
		who = "nobody"
	}
	switch {
	case ok:
		e.Text = fmt.Sprintf("%s may %s %s as %s", who, verb, resource, by)
	case len(p.Roles) == 0:
		e.Text = fmt.Sprintf("%s may not %s %s: no role in this group", who, verb, resource)
	default:
		e.Text = fmt.Sprintf("%s may not %s %s as %s", who, verb, resource, join(p.Roles))
	}
	return e
}

func (e Explanation) hint() string {
	if len(e.Would) == 0 {
		return "nobody may do this"
	}
	return "ask for the role " + join(e.Would)
}

func join(roles []Role) string {
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = string(r)
	}
	return strings.Join(words, " or ")
}
