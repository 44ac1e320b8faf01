package serve

import (
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/runtime/record"
)

// MaxTargets bounds the versions of one spec: each is loaded.
const MaxTargets = 8

// FullWeight is all answers, in basis points: 10 % is 1000.
const FullWeight = 10000

// Target is one wanted version.
type Target struct {
	Version int             `json:"version"`
	Digest  edgeward.Digest `json:"digest"`
	Role    record.Role     `json:"role"`             // Live, Canary or Shadow
	Weight  int             `json:"weight,omitempty"` // of a canary, in basis points of all answers; the live version has the rest
}

// Spec is what is wanted behind an endpoint. The zero Spec wants nothing and has revision 0; every change adds one.
type Spec struct {
	Revision uint64    `json:"revision"`
	Targets  []Target  `json:"targets,omitempty"`  // live first, then canaries and shadows by version
	Variants []Variant `json:"variants,omitempty"` // by name
	Previous *Target   `json:"previous,omitempty"` // the live version before the last promotion: Rollback returns to it
	// RolledBack says that Previous is what a roll back left: nobody's idea of a good version.
	RolledBack bool      `json:"rolled_back,omitempty"`
	Releases   []Release `json:"releases,omitempty"` // newest last
	Reason     string    `json:"reason,omitempty"`   // of the last change
	By         string    `json:"by,omitempty"`
	At         time.Time `json:"at,omitzero"`
}

// Change says who changes a spec, why, and which revision they saw.
type Change struct {
	Revision uint64 // must be the spec's: anything else is Conflict
	By       string // principal
	Reason   string // for the audit; never empty
	At       time.Time
}

// Live returns the live target.
func (s Spec) Live() (Target, bool) {
	return s.find(func(t Target) bool { return t.Role == record.Live })
}

// Target returns the target of a version.
func (s Spec) Target(version int) (Target, bool) {
	return s.find(func(t Target) bool { return t.Version == version })
}

func (s Spec) find(is func(Target) bool) (Target, bool) {
	if i := slices.IndexFunc(s.Targets, is); i >= 0 {
		return s.Targets[i], true
	}
	return Target{}, false
}

// Promote makes a version the live one. The version that was live becomes Previous; other canaries and shadows stay.
func (s Spec) Promote(c Change, version int, digest edgeward.Digest) (Spec, error) {
	const op = "serve.Promote"
	next, err := s.begin(op, c)
	if err != nil {
		return s, err
	}
	old, had := s.Live()
	if had && old.Version == version {
		return s, conflict(op, "endpoint.already_live", "version %d is live already", version)
	}
	next.drop(version)
	if had {
		next.drop(old.Version)
		next.Previous = &Target{Version: old.Version, Digest: old.Digest, Role: record.Live}
	}
	next.RolledBack = false
	next.Targets = append(next.Targets, Target{Version: version, Digest: digest, Role: record.Live})
	return next.end(op)
}

// Canary gives a version a share of the answers, in basis points from 1 to 9999. It needs a live version.
func (s Spec) Canary(c Change, version int, digest edgeward.Digest, weight int) (Spec, error) {
	const op = "serve.Canary"
	next, err := s.begin(op, c)
	if err != nil {
		return s, err
	}
	if err := s.besideLive(op, version); err != nil {
		return s, err
	}
	next.drop(version)
	next.Targets = append(next.Targets, Target{Version: version, Digest: digest, Role: record.Canary, Weight: weight})
	return next.end(op)
}

// Shadow makes a version answer a copy of every routed request in the dark. It needs a live version.
func (s Spec) Shadow(c Change, version int, digest edgeward.Digest) (Spec, error) {
	const op = "serve.Shadow"
	next, err := s.begin(op, c)
	if err != nil {
		return s, err
	}
	if err := s.besideLive(op, version); err != nil {
		return s, err
	}
	next.drop(version)
	next.Targets = append(next.Targets, Target{Version: version, Digest: digest, Role: record.Shadow})
	return next.end(op)
}

// Weights sets the shares of canaries by version number, in basis points. Canaries not named keep theirs.
func (s Spec) Weights(c Change, weights map[int]int) (Spec, error) {
	const op = "serve.Weights"
	next, err := s.begin(op, c)
	if err != nil {
		return s, err
	}
	for v, w := range weights {
		i := slices.IndexFunc(next.Targets, func(t Target) bool { return t.Version == v && t.Role == record.Canary })
		if i < 0 {
			return s, edgeward.E(op, edgeward.NotFound, "endpoint.no_canary", "version %d is no canary", v)
		}
		next.Targets[i].Weight = w
	}
	return next.end(op)
}

// Withdraw takes a canary, a shadow or a variant away. The live version cannot be withdrawn, only replaced.
func (s Spec) Withdraw(c Change, version int) (Spec, error) {
	const op = "serve.Withdraw"
	next, err := s.begin(op, c)
	if err != nil {
		return s, err
	}
	next.Variants = slices.DeleteFunc(next.Variants, func(v Variant) bool { return v.Version == version })
	variant := len(next.Variants) < len(s.Variants)
	t, ok := s.Target(version)
	if !ok && !variant {
		return s, edgeward.E(op, edgeward.NotFound, "endpoint.no_version", "version %d does not stand behind this endpoint", version)
	}
	if t.Role != record.Live {
		next.drop(version)
	} else if !variant {
		return s, conflict(op, "endpoint.live", "version %d is the live one", version).WithHint("promote another version or roll back first")
	}
	return next.end(op)
}

// Rollback makes Previous live again. Canaries, shadows and variants go: whatever was wrong, only the known good version answers.
// The version that was live becomes Previous, so that a second Rollback undoes the first.
func (s Spec) Rollback(c Change) (Spec, error) {
	const op = "serve.Rollback"
	next, err := s.begin(op, c)
	if err != nil {
		return s, err
	}
	if s.Previous == nil {
		return s, conflict(op, "endpoint.no_previous", "there is no earlier version to return to")
	}
	next.Targets = []Target{{Version: s.Previous.Version, Digest: s.Previous.Digest, Role: record.Live}}
	next.Previous, next.Variants, next.RolledBack = nil, nil, true
	if old, had := s.Live(); had {
		next.Previous = &old
	}
	return next.end(op)
}

// Stop takes every version away: nothing answers and nothing stays loaded. The version that was live becomes Previous, so
// that Rollback makes it answer again.
func (s Spec) Stop(c Change) (Spec, error) {
	const op = "serve.Stop"
	next, err := s.begin(op, c)
	if err != nil {
		return s, err
	}
	old, had := s.Live()
	if !had {
		return s, conflict(op, "endpoint.no_live", "nothing is live")
	}
	next.Targets, next.Variants, next.Previous = nil, nil, &Target{Version: old.Version, Digest: old.Digest, Role: record.Live}
	return next.end(op)
}

// begin checks the change and returns a copy of s to work on, with the change noted.
func (s Spec) begin(op string, c Change) (Spec, error) {
	if c.Revision != s.Revision {
		return s, conflict(op, "endpoint.stale", "the endpoint is at revision %d, you saw %d", s.Revision, c.Revision).
			WithHint("somebody changed the endpoint meanwhile: look again, then decide")
	}
	if strings.TrimSpace(c.Reason) == "" || c.By == "" || len(c.Reason) > record.MaxText {
		return s, edgeward.E(op, edgeward.Invalid, "endpoint.reason", "a change names who makes it and why, in at most %d bytes", record.MaxText).
			WithHint("say in a sentence why this version may answer")
	}
	next := s
	next.Targets, next.Variants = slices.Clone(s.Targets), slices.Clone(s.Variants)
	next.Revision++
	next.By, next.Reason, next.At = c.By, c.Reason, c.At
	return next, nil
}

// end orders and checks the changed spec.
func (s Spec) end(op string) (Spec, error) {
	if s.Previous != nil {
		if _, ok := s.Target(s.Previous.Version); ok {
			s.Previous = nil // it is wanted again in another role
		}
	}
	rank := func(t Target) int {
		return map[record.Role]int{record.Live: 0, record.Canary: 1, record.Shadow: 2}[t.Role]<<32 + t.Version
	}
	slices.SortFunc(s.Targets, func(a, b Target) int { return rank(a) - rank(b) })
	if err := s.Check(); err != nil {
		return s, edgeward.Wrap(op, err)
	}
	return s, nil
}

// Check reports why s cannot be followed.
func (s Spec) Check() error {
	bad := func(code, format string, args ...any) error {
		return edgeward.E("serve.Spec", edgeward.Invalid, code, format, args...)
	}
	if len(s.Targets) > MaxTargets {
		return bad("endpoint.too_many", "%d versions behind one endpoint; at most %d", len(s.Targets), MaxTargets)
	}
	if err := s.checkVariants(); err != nil {
		return err
	}
	if len(s.Releases) > MaxReleases {
		return bad("endpoint.too_many", "%d releases; at most %d", len(s.Releases), MaxReleases)
	}
	live, weight, seen := 0, 0, map[int]bool{}
	for _, t := range s.Targets {
		if t.Version < 1 || seen[t.Version] {
			return bad("endpoint.version", "version %d is no version number or stands here twice", t.Version)
		}
		seen[t.Version] = true
		if _, err := edgeward.ParseDigest(string(t.Digest)); err != nil {
			return err
		}
		switch t.Role {
		case record.Live:
			live++
		case record.Canary:
			if t.Weight < 1 || t.Weight >= FullWeight {
				return bad("endpoint.weight", "a canary's weight is 1 to %d basis points, not %d", FullWeight-1, t.Weight)
			}
			weight += t.Weight
		case record.Shadow:
		default:
			return bad("endpoint.role", "role %.40q is not live, canary or shadow", t.Role)
		}
		if t.Role != record.Canary && t.Weight != 0 {
			return bad("endpoint.weight", "only a canary has a weight")
		}
	}
	if len(s.Targets) > 0 && live != 1 {
		return bad("endpoint.no_live", "%d live versions; there is always exactly one", live)
	}
	if weight >= FullWeight {
		return bad("endpoint.weight", "canaries take %d of %d basis points: nothing is left for the live version", weight, FullWeight)
	}
	return nil
}

func (s *Spec) drop(version int) {
	s.Targets = slices.DeleteFunc(s.Targets, func(t Target) bool { return t.Version == version })
}

func (s Spec) besideLive(op string, version int) error {
	live, ok := s.Live()
	if !ok {
		return noLive(op)
	}
	if live.Version == version {
		return conflict(op, "endpoint.already_live", "version %d is the live one", version)
	}
	return nil
}

func noLive(op string) error {
	return conflict(op, "endpoint.no_live", "nothing is live yet").WithHint("promote a version first")
}

func conflict(op, code, format string, args ...any) *edgeward.Error {
	return edgeward.E(op, edgeward.Conflict, code, format, args...)
}
