package tuf

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"edgeward"
)

// Roles of the repository.
const (
	Root      = metadata.ROOT
	Timestamp = metadata.TIMESTAMP
	Snapshot  = metadata.SNAPSHOT
	Targets   = metadata.TARGETS
	Models    = "models"
	Revoked   = "revoked"
	Releases  = "release"
	director  = "director"
)

// Holder is a person and the key that stands for the person.
type Holder struct {
	Name string `json:"name"` // for people: at most 100 printable characters
	Key  Public `json:"key"`
}

// Role is who may sign, and how many of them must. Threshold 0 in a Charter's Models means 2, in others 1.
type Role struct {
	Threshold int      `json:"threshold"`
	Holders   []Holder `json:"holders"`
}

// Charter is who may say what in a fleet.
type Charter struct {
	Fleet   string `json:"fleet"` // its id; never changes
	Root    Role   `json:"root"`
	Targets Role   `json:"targets"` // zero: as Root
	Models  Role   `json:"models"`
	// Release says who may sign binaries of edgeward. Zero: nobody, as in fleets that were made before there was such a role.
	Release Role   `json:"release,omitzero"`
	Hub     Public `json:"hub"`
	// Authorities are the fleet's certificate authorities that count (fleet/pki; DER), the one that issues last. None: that of the join codes, as in
	// every fleet that has not changed it.
	Authorities [][]byte `json:"authorities,omitempty"`
}

// Bounds of Authorities.
const (
	maxAuthorities = 4
	maxAuthority   = 2 << 10 // bytes
)

// FourEyes reports whether a model needs the signatures of two persons.
func (c Charter) FourEyes() bool { return c.Models.Threshold >= 2 }

// Settled returns c with its defaults in place and its holders in order.
func (c Charter) Settled() Charter {
	if len(c.Targets.Holders) == 0 {
		c.Targets = c.Root
	}
	if c.Models.Threshold == 0 {
		c.Models.Threshold = 2
	}
	roles := []*Role{&c.Root, &c.Targets, &c.Models}
	if len(c.Release.Holders) > 0 {
		if c.Release.Threshold == 0 {
			c.Release.Threshold = c.Models.Threshold
		}
		roles = append(roles, &c.Release)
	}
	for _, r := range roles {
		r.Threshold = max(r.Threshold, 1)
		r.Holders = slices.Clone(r.Holders)
		slices.SortFunc(r.Holders, func(a, b Holder) int { return strings.Compare(a.Key.ID(), b.Key.ID()) })
	}
	return c
}

// Check reports why a settled c cannot be a charter: "fleet.charter".
func (c Charter) Check() error {
	bad := func(format string, args ...any) *edgeward.Error {
		return edgeward.E("tuf.Charter", edgeward.Invalid, "fleet.charter", format, args...)
	}
	if c.Fleet == "" || len(c.Fleet) > 64 || strings.ContainsFunc(c.Fleet, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
		return bad("the fleet's id is missing or has odd characters")
	}
	if _, err := ParsePublic(string(c.Hub)); err != nil {
		return err
	}
	if len(c.Authorities) > maxAuthorities {
		return bad("%d certificate authorities", len(c.Authorities)).WithHint("drop the old one first: edgeward fleet ca drop")
	}
	for i, der := range c.Authorities {
		if len(der) == 0 || len(der) > maxAuthority || slices.ContainsFunc(c.Authorities[:i], func(x []byte) bool { return bytes.Equal(x, der) }) {
			return bad("a certificate authority is none, or stands twice")
		}
	}
	names, keys := map[string]Public{}, map[Public]string{}
	all := map[string]Role{Root: c.Root, Targets: c.Targets, Models: c.Models}
	if len(c.Release.Holders) > 0 {
		all[Releases] = c.Release
	}
	for role, r := range all {
		if r.Threshold < 1 || r.Threshold > len(r.Holders) || len(r.Holders) > 50 {
			return bad("%s: %d of %d holders must sign", role, r.Threshold, len(r.Holders)).WithHint("name at least as many persons as must sign, and at most 50; models need two unless one is asked for")
		}
		seen := map[Public]bool{}
		for _, h := range r.Holders {
			if _, err := ParsePublic(string(h.Key)); err != nil {
				return err
			}
			if h.Name == "" || len(h.Name) > 100 || strings.ContainsFunc(h.Name, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
				return bad("%s: %.100q is no name", role, h.Name)
			}
			k, knownName := names[h.Name]
			n, knownKey := keys[h.Key]
			if seen[h.Key] || knownName && k != h.Key || knownKey && n != h.Name {
				return bad("%s stands for two keys, or its key for two names", h.Name).WithHint("one person, one key: else one person could be two pairs of eyes")
			}
			if h.Key == c.Hub {
				return bad("%s has the hub's key: the hub must not be able to sign for a person", h.Name)
			}
			seen[h.Key], names[h.Name], keys[h.Key] = true, h.Key, h.Name
		}
	}
	return nil
}

// note is what of a charter has no place in TUF: it stands in root and targets as the field "x-edgeward".
type note struct {
	Fleet  string            `json:"fleet"`
	People map[string]string `json:"people"` // key id to name

	Authorities [][]byte `json:"authorities,omitempty"` // in root alone
}

const noteField = "x-edgeward"

func (c Charter) note(roles ...Role) note {
	n := note{Fleet: c.Fleet, People: map[string]string{}}
	for _, r := range roles {
		for _, h := range r.Holders {
			n.People[h.Key.ID()] = h.Name
		}
	}
	return n
}

func (n note) field() map[string]any { return map[string]any{noteField: n} }

func noteOf(unrecognized map[string]any) (n note, err error) {
	b, err := json.Marshal(unrecognized[noteField])
	if err == nil {
		err = json.Unmarshal(b, &n)
	}
	return n, err
}

func (r Role) ids() []string {
	ids := make([]string, 0, len(r.Holders))
	for _, h := range r.Holders {
		ids = append(ids, h.Key.ID())
	}
	return ids
}

// keys are the TUF keys of roles and single keys, by id.
func keysOf(single Public, roles ...Role) map[string]*metadata.Key {
	out := map[string]*metadata.Key{single.ID(): single.tuf()}
	for _, r := range roles {
		for _, h := range r.Holders {
			out[h.Key.ID()] = h.Key.tuf()
		}
	}
	return out
}

func (c Charter) root(version int64, expires time.Time) metadata.RootType {
	role := func(ids []string, threshold int) *metadata.Role {
		return &metadata.Role{KeyIDs: ids, Threshold: threshold}
	}
	hub := []string{c.Hub.ID()}
	says := c.note(c.Root, c.Targets)
	says.Authorities = c.Authorities
	return metadata.RootType{Type: Root, SpecVersion: metadata.SPECIFICATION_VERSION, ConsistentSnapshot: true, Version: version, Expires: expires,
		Keys: keysOf(c.Hub, c.Root, c.Targets),
		Roles: map[string]*metadata.Role{Root: role(c.Root.ids(), c.Root.Threshold), Targets: role(c.Targets.ids(), c.Targets.Threshold),
			Snapshot: role(hub, 1), Timestamp: role(hub, 1)},
		UnrecognizedFields: says.field()}
}

func (c Charter) targets(version int64, expires time.Time) metadata.TargetsType {
	roles := []metadata.DelegatedRole{
		{Name: Models, KeyIDs: c.Models.ids(), Threshold: c.Models.Threshold, Terminating: true, Paths: []string{"models/*/*/*"}},
		{Name: Revoked, KeyIDs: c.Models.ids(), Threshold: 1, Terminating: true, Paths: []string{"revoked/*"}},
		{Name: director, KeyIDs: []string{c.Hub.ID()}, Threshold: 1, Terminating: true, Paths: []string{"director/*"}}}
	if len(c.Release.Holders) > 0 { // a fleet without the role has the bytes it always had
		roles = append(roles, metadata.DelegatedRole{Name: Releases, KeyIDs: c.Release.ids(), Threshold: c.Release.Threshold, Terminating: true, Paths: []string{"release/*/*/*"}})
	}
	return metadata.TargetsType{Type: Targets, SpecVersion: metadata.SPECIFICATION_VERSION, Version: version, Expires: expires, Targets: map[string]*metadata.TargetFiles{},
		Delegations:        &metadata.Delegations{Keys: keysOf(c.Hub, c.Models, c.Release), Roles: roles},
		UnrecognizedFields: c.note(c.Models, c.Release).field()}
}

// charterOf reads what root and targets say. Whether they say nothing else is seen by building them again (Review).
func charterOf(root metadata.RootType, targets metadata.TargetsType) (Charter, error) {
	bad := func(err error) (Charter, error) {
		return Charter{}, edgeward.E("tuf.Charter", edgeward.Invalid, "fleet.charter", "root or targets is not as edgeward writes it: %v", err)
	}
	rn, err := noteOf(root.UnrecognizedFields)
	if err != nil {
		return bad(err)
	}
	tn, err := noteOf(targets.UnrecognizedFields)
	if err != nil {
		return bad(err)
	}
	people := maps.Clone(tn.People)
	if people == nil {
		people = map[string]string{}
	}
	maps.Copy(people, rn.People)
	c := Charter{Fleet: rn.Fleet, Authorities: rn.Authorities}
	role := func(keys map[string]*metadata.Key, ids []string, threshold int) Role {
		r := Role{Threshold: threshold}
		for _, id := range ids {
			r.Holders = append(r.Holders, Holder{people[id], publicIn(keys, id)})
		}
		return r
	}
	of := func(name string) *metadata.Role {
		if r := root.Roles[name]; r != nil {
			return r
		}
		return &metadata.Role{}
	}
	c.Root = role(root.Keys, of(Root).KeyIDs, of(Root).Threshold)
	c.Targets = role(root.Keys, of(Targets).KeyIDs, of(Targets).Threshold)
	if ids := of(Timestamp).KeyIDs; len(ids) == 1 {
		c.Hub = publicIn(root.Keys, ids[0])
	}
	if d := targets.Delegations; d != nil {
		for _, r := range d.Roles {
			switch r.Name {
			case Models:
				c.Models = role(d.Keys, r.KeyIDs, r.Threshold)
			case Releases:
				c.Release = role(d.Keys, r.KeyIDs, r.Threshold)
			}
		}
	}
	c = c.Settled()
	return c, c.Check()
}

func publicIn(keys map[string]*metadata.Key, id string) Public {
	k := keys[id]
	if k == nil || k.Type != metadata.KeyTypeEd25519 {
		return ""
	}
	pub, err := k.ToPublicKey()
	if err != nil {
		return ""
	}
	ed, ok := pub.(ed25519.PublicKey)
	if !ok || len(ed) != ed25519.PublicKeySize {
		return ""
	}
	return publicOf(ed)
}
