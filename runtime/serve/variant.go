package serve

import (
	"slices"
	"strings"

	"edgeward"
	"edgeward/runtime/record"
)

// MaxVariants bounds the named versions of one spec.
const MaxVariants = 8

// Variant is a version that clients choose by name, for comparisons whose groups the client forms (A/B). It may be the
// live version or a canary as well; its answers are counted apart.
type Variant struct {
	Name    string          `json:"name"`
	Version int             `json:"version"`
	Digest  edgeward.Digest `json:"digest"`
}

// Variant gives a version a name that clients may choose. A name that is there moves to this version; a version has at
// most one name. It needs a live version, which answers who chooses none.
func (s Spec) Variant(c Change, name string, version int, digest edgeward.Digest) (Spec, error) {
	const op = "serve.Variant"
	next, err := s.begin(op, c)
	if err != nil {
		return s, err
	}
	if _, ok := s.Live(); !ok {
		return s, noLive(op)
	}
	next.Variants = slices.DeleteFunc(next.Variants, func(v Variant) bool { return v.Name == name || v.Version == version })
	next.Variants = append(next.Variants, Variant{name, version, digest})
	slices.SortFunc(next.Variants, func(a, b Variant) int { return strings.Compare(a.Name, b.Name) })
	return next.end(op)
}

// wanted lists every version that the spec needs loaded, once each: its targets, its variants with role Variant, and the
// previous version without a role.
func (s Spec) wanted() []Target {
	out := slices.Clone(s.Targets)
	add := func(t Target) {
		if !slices.ContainsFunc(out, func(o Target) bool { return o.Version == t.Version }) {
			out = append(out, t)
		}
	}
	for _, v := range s.Variants {
		add(Target{Version: v.Version, Digest: v.Digest, Role: record.Variant})
	}
	if s.Previous != nil && len(s.Targets) > 0 { // stopped, nothing is kept
		add(Target{Version: s.Previous.Version, Digest: s.Previous.Digest})
	}
	return out
}

func (s Spec) checkVariants() error {
	bad := func(format string, args ...any) error {
		return edgeward.E("serve.Spec", edgeward.Invalid, "endpoint.variant", format, args...)
	}
	if len(s.Variants) > MaxVariants {
		return bad("%d variants; at most %d", len(s.Variants), MaxVariants)
	}
	names, versions := map[string]bool{}, map[int]bool{}
	for _, v := range s.Variants {
		if err := edgeward.CheckName("variant", v.Name); err != nil {
			return err
		}
		if v.Version < 1 || names[v.Name] || versions[v.Version] {
			return bad("variant %s of version %d stands here twice, or has no version", v.Name, v.Version)
		}
		names[v.Name], versions[v.Version] = true, true
		if _, err := edgeward.ParseDigest(string(v.Digest)); err != nil {
			return err
		}
	}
	if len(s.Variants) > 0 && len(s.Targets) == 0 {
		return bad("variants without a live version")
	}
	return nil
}
