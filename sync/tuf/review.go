package tuf

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"edgeward"
)

// Changes is all that a proposal would change, for the person who is asked to sign.
type Changes struct {
	ID       edgeward.Digest `json:"id"`
	Files    []Life          `json:"files"`             // the new files and until when they would live
	Before   *Charter        `json:"before,omitempty"`  // if the charter changes; nil for the first
	After    *Charter        `json:"after,omitempty"`   // if the charter changes
	Added    []Target        `json:"added,omitempty"`   // a changed target stands here and in Removed
	Removed  []Target        `json:"removed,omitempty"` // not installed any more once published
	Lowered  []string        `json:"lowered,omitempty"` // "group/model" whose epoch goes down: old versions would be allowed again
	Revoked  []Revocation    `json:"revoked,omitempty"`
	Released []Release       `json:"released,omitempty"` // binaries of edgeward that would be signed
	FourEyes bool            `json:"four_eyes"`          // as it would be
	Needs    []Need          `json:"needs"`

	groups []string
}

// Groups are those whose versions it is about; none where it is about the fleet itself. Only who reviewed knows them: they are not sent.
func (c Changes) Groups() []string { return c.groups }

// Need is who must sign one file.
type Need struct {
	Role      string   `json:"role"`
	Before    bool     `json:"before,omitempty"` // of a root: those who hold it now; the new ones are another Need
	Threshold int      `json:"threshold"`
	Holders   []Holder `json:"holders"` // who may
	Signed    []Holder `json:"signed"`  // who has
}

// Missing is how many signatures the file still needs.
func (n Need) Missing() int { return max(0, n.Threshold-len(n.Signed)) }

// Review says what p would change in s, and refuses what it cannot say in full. s is verified from pin on, the digest of the
// first root as the signer keeps it, not as the hub tells it; for the first proposal of a fleet s and pin are zero.
func Review(pin edgeward.Digest, s Set, p Proposal) (Changes, error) {
	const op = "tuf.Review"
	if s.Pin() != pin {
		return Changes{}, edgeward.E(op, edgeward.Forbidden, "fleet.pin", "this is another fleet: its first root is %s, not %s", s.Pin().Short(), pin.Short()).
			WithHint("do not sign. Compare the fleet's fingerprint with the one you were given when it was made")
	}
	v, n, err := p.outcome(s)
	if err != nil {
		return Changes{}, edgeward.Wrap(op, err)
	}
	c := Changes{ID: p.ID(), FourEyes: n.charter.FourEyes(), Needs: n.needs(p)}
	for _, f := range p.Files {
		c.Files = append(c.Files, Life{f.Role, f.Version, n.expires[f.Role]})
		if f.Role == Root || f.Role == Targets {
			c.After = &n.charter
			if v.tm != nil {
				c.Before = &v.charter
			}
		}
	}
	for path, t := range n.models {
		if v.models[path] != t {
			c.Added = append(c.Added, t)
		}
	}
	for path, t := range v.models {
		if n.models[path] != t {
			c.Removed = append(c.Removed, t)
		}
	}
	before, after := floors(v.models), floors(n.models)
	for k, e := range before {
		if after[k] < e {
			c.Lowered = append(c.Lowered, k[0]+"/"+k[1])
		}
	}
	for d, reason := range n.revoked {
		if _, ok := v.revoked[d]; !ok {
			c.Revoked = append(c.Revoked, Revocation{d, reason})
		}
	}
	for path, r := range n.release {
		if v.release[path] != r {
			c.Released = append(c.Released, r)
		}
	}
	slices.SortFunc(c.Released, func(a, b Release) int { return strings.Compare(a.Path(), b.Path()) })
	byPath := func(a, b Target) int { return strings.Compare(a.Path(), b.Path()) }
	slices.SortFunc(c.Added, byPath)
	slices.SortFunc(c.Removed, byPath)
	slices.Sort(c.Lowered)
	slices.SortFunc(c.Revoked, func(a, b Revocation) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	if c.After == nil && len(c.Released) == 0 {
		c.groups = c.groupsIn(v.models)
	}
	return c, nil
}

// groupsIn are the groups of versions that change, where those are signed so far.
func (c Changes) groupsIn(signed map[string]Target) (out []string) {
	for _, t := range slices.Concat(c.Added, c.Removed) {
		out = append(out, t.Group)
	}
	for _, l := range c.Lowered {
		g, _, _ := strings.Cut(l, "/")
		out = append(out, g)
	}
	for _, t := range signed {
		if slices.ContainsFunc(c.Revoked, func(r Revocation) bool { return r.Digest == t.Digest }) {
			out = append(out, t.Group)
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(g string) bool { return g == "" })
}

// outcome is what holds once a proposal is published.
type outcome struct {
	old, charter Charter // old is zero for the first
	models       map[string]Target
	revoked      map[edgeward.Digest]string
	expires      map[string]time.Time
	release      map[string]Release
}

// outcome verifies s (signatures, not expiry) and works out what p makes of it. Every payload is built again from what was
// read in it: so nothing stands in one that this package does not know.
func (p Proposal) outcome(s Set) (view, outcome, error) {
	const op = "tuf.Proposal"
	var v view
	var n outcome
	if err := p.check(); err != nil {
		return v, n, err
	}
	err := safely(op, func() (err error) {
		var root metadata.RootType
		var targets metadata.TargetsType
		if len(s.Roots) > 0 {
			if v, err = s.open(noTime); err != nil {
				return err
			}
			root, targets, n.old = v.tm.Root.Signed, v.tm.Targets[Targets].Signed, v.charter
		}
		n.models, n.revoked, n.expires = maps.Clone(v.models), maps.Clone(v.revoked), map[string]time.Time{}
		n.release = maps.Clone(v.release)
		for _, f := range p.Files {
			if has := versionOf(s.current(f.Role)); f.Version != has+1 {
				return edgeward.E(op, edgeward.Conflict, "fleet.proposal_outdated", "it is version %d of %s, and version %d is published", f.Version, f.Role, has).
					WithHint("propose it anew")
			}
			b, err := metadataFile(f.Payload, nil)
			if err != nil {
				return err
			}
			if f.Role == Root {
				m, err := metadata.Root().FromBytes(b)
				if err != nil {
					return err
				}
				root, n.expires[Root] = m.Signed, m.Signed.Expires
				continue
			}
			m, err := metadata.Targets().FromBytes(b)
			if err != nil {
				return err
			}
			n.expires[f.Role] = m.Signed.Expires
			switch f.Role {
			case Targets:
				targets = m.Signed
			case Models:
				n.models = readModels(m.Signed)
			case Revoked:
				n.revoked = readRevoked(m.Signed)
			case Releases:
				n.release = readReleases(m.Signed)
			}
		}
		for role, at := range n.expires {
			if !at.Equal(at.Truncate(time.Second)) || at.Location() != time.UTC {
				return edgeward.E(op, edgeward.Invalid, "fleet.proposal", "%s: expires is no whole second of UTC", role)
			}
		}
		if n.charter, err = charterOf(root, targets); err != nil {
			return err
		}
		if n.old.Fleet != "" && n.charter.Fleet != n.old.Fleet {
			return edgeward.E(op, edgeward.Invalid, "fleet.charter", "the fleet's id never changes")
		}
		for d := range v.revoked {
			if _, ok := n.revoked[d]; !ok {
				return edgeward.E(op, edgeward.Invalid, "fleet.proposal", "it takes back the revocation of %s", d.Short())
			}
		}
		for path := range v.release {
			if _, ok := n.release[path]; !ok {
				return edgeward.E(op, edgeward.Invalid, "fleet.proposal", "it takes back a signed binary; revoke it instead")
			}
		}
		return n.only(p, root, targets)
	})
	return v, n, err
}

// only reports a payload that says more or other things than n does.
func (n outcome) only(p Proposal, root metadata.RootType, targets metadata.TargetsType) error {
	strange := func(role string) error {
		return edgeward.E("tuf.Proposal", edgeward.Invalid, "fleet.proposal", "%s says something that edgeward does not write there", role).
			WithHint("do not sign; ask who made it")
	}
	same := func(payload []byte, built any) bool {
		b, err := canonical(built)
		return err == nil && bytes.Equal(b, payload)
	}
	whole := func(v any) []byte {
		b, err := canonical(v)
		if err != nil {
			return nil
		}
		return b
	}
	if !same(whole(root), n.charter.root(root.Version, root.Expires)) {
		return strange(Root)
	}
	if !same(whole(targets), n.charter.targets(targets.Version, targets.Expires)) {
		return strange(Targets)
	}
	for _, f := range p.Files {
		var built any
		switch f.Role {
		case Root:
			built = n.charter.root(f.Version, n.expires[Root])
		case Targets:
			built = n.charter.targets(f.Version, n.expires[Targets])
		case Models:
			built = modelsFile(n.models, f.Version, n.expires[Models])
		case Releases:
			built = releasesFile(n.release, f.Version, n.expires[Releases])
		case Revoked:
			built = revokedFile(n.revoked, f.Version, n.expires[Revoked])
			for d, reason := range n.revoked {
				if err := (Revocation{d, reason}).check(); err != nil {
					return err
				}
			}
		}
		if !same(f.Payload, built) {
			return strange(f.Role)
		}
	}
	return nil
}

func (n outcome) needs(p Proposal) []Need {
	var out []Need
	add := func(f File, r Role, before bool) {
		need := Need{f.Role, before, r.Threshold, r.Holders, nil}
		for _, h := range r.Holders {
			if slices.ContainsFunc(f.Signatures, func(s Signature) bool { return s.Key == h.Key.ID() && verifySig(h.Key, f.Payload, s.Sig) }) {
				need.Signed = append(need.Signed, h)
			}
		}
		out = append(out, need)
	}
	for _, f := range p.Files {
		switch f.Role {
		case Root:
			if n.old.Fleet != "" {
				add(f, n.old.Root, true)
			}
			add(f, n.charter.Root, false)
		case Targets:
			add(f, n.charter.Targets, false)
		case Models:
			add(f, n.charter.Models, false)
		case Releases:
			add(f, n.charter.Release, false)
		case Revoked:
			add(f, Role{1, n.charter.Models.Holders}, false)
		}
	}
	return out
}

// Sign signs every file of p that k may sign. Call Review before, and show a person what it says.
func Sign(s Set, p Proposal, k Key) ([]Signature, error) {
	const op = "tuf.Sign"
	_, n, err := p.outcome(s)
	if err != nil {
		return nil, edgeward.Wrap(op, err)
	}
	var out []Signature
	for _, need := range n.needs(p) {
		for _, h := range need.Holders {
			if f := p.file(need.Role); h.Key == k.Public() && !slices.ContainsFunc(out, func(s Signature) bool { return s.Role == f.Role }) {
				out = append(out, Signature{f.Role, h.Key.ID(), k.sign(f.Payload)})
			}
		}
	}
	if len(out) == 0 {
		return nil, edgeward.E(op, edgeward.Forbidden, "fleet.signer", "this key may sign nothing in the proposal").
			WithHint("edgeward fleet status lists whose signatures are asked for")
	}
	return out, nil
}

func (p Proposal) file(role string) File {
	for _, f := range p.Files {
		if f.Role == role {
			return f
		}
	}
	return File{}
}

// Add returns p with sigs, each verified, and who must still sign. A signature that is there already changes nothing.
func (p Proposal) Add(s Set, sigs ...Signature) (Proposal, []Need, error) {
	const op = "tuf.Proposal.Add"
	_, n, err := p.outcome(s)
	if err != nil {
		return p, nil, edgeward.Wrap(op, err)
	}
	out, needs := Proposal{slices.Clone(p.Files)}, n.needs(p)
	for _, sig := range sigs {
		ok := false
		for i, f := range out.Files {
			if f.Role != sig.Role || !may(needs, sig, f.Payload) {
				continue
			}
			ok = true
			if !slices.ContainsFunc(f.Signatures, func(h Signature) bool { return h.Key == sig.Key }) {
				out.Files[i].Signatures = append(slices.Clone(f.Signatures), sig)
			}
		}
		if !ok {
			return p, nil, edgeward.E(op, edgeward.Forbidden, "fleet.signature", "the signature under %.20q is no signature of one who may sign it", sig.Role).
				WithHint("sign the proposal as the hub shows it now")
		}
	}
	return out, n.needs(out), nil
}

// may reports whether sig is a good signature of one of whom needs ask for.
func may(needs []Need, sig Signature, payload []byte) bool {
	for _, need := range needs {
		for _, h := range need.Holders {
			if need.Role == sig.Role && h.Key.ID() == sig.Key && verifySig(h.Key, payload, sig.Sig) {
				return true
			}
		}
	}
	return false
}
