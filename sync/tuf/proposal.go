package tuf

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"edgeward"
)

// MaxProposal is the longest proposal in bytes of JSON.
const MaxProposal = 16 << 20

const year = 365 * 24 * time.Hour

// Proposal is the next version of one or more files, on its way to be signed and published together.
type Proposal struct {
	Files []File `json:"files"` // in the order root, targets, models, revoked, release; each at most once
}

// File is one file of a proposal.
type File struct {
	Role       string      `json:"role"`
	Version    int64       `json:"version"`
	Payload    []byte      `json:"payload"` // canonical JSON of what is signed; never changes
	Signatures []Signature `json:"signatures,omitempty"`
}

// Signature is one key's under one file of a proposal.
type Signature struct {
	Role string `json:"role"`
	Key  string `json:"key"` // id
	Sig  []byte `json:"sig"`
}

// ID names the proposal by what would be signed, whoever has signed yet.
func (p Proposal) ID() edgeward.Digest {
	var b bytes.Buffer
	for _, f := range p.Files {
		b.WriteString(f.Role + " " + string(edgeward.DigestOf(f.Payload)) + "\n")
	}
	return edgeward.DigestOf(b.Bytes())
}

// ParseProposal reads a proposal and checks its form, not what it says.
func ParseProposal(b []byte) (Proposal, error) {
	const op = "tuf.ParseProposal"
	var p Proposal
	if len(b) > MaxProposal {
		return p, edgeward.E(op, edgeward.TooLarge, "fleet.too_large", "a proposal has at most %d bytes", MaxProposal)
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, edgeward.E(op, edgeward.Invalid, "fleet.proposal", "%v", err)
	}
	return p, p.check()
}

var proposable = []string{Root, Targets, Models, Revoked, Releases}

func (p Proposal) check() error {
	bad := func(why string) error {
		return edgeward.E("tuf.Proposal", edgeward.Invalid, "fleet.proposal", "%s", why)
	}
	if len(p.Files) == 0 {
		return bad("it changes nothing")
	}
	at := -1
	for _, f := range p.Files {
		i := slices.Index(proposable, f.Role)
		if i <= at {
			return bad("its files are unknown, stand twice or out of order")
		}
		at = i
		if len(f.Payload) > limits[f.Role] || len(f.Signatures) > 200 {
			return bad(f.Role + " is too large")
		}
		var v any
		d := json.NewDecoder(bytes.NewReader(f.Payload))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			return bad(f.Role + " is no JSON")
		}
		again, err := canonical(v)
		if err != nil || !bytes.Equal(again, f.Payload) {
			return bad(f.Role + " is not canonical")
		}
		var h struct {
			Version int64 `json:"version"`
		}
		if err := json.Unmarshal(f.Payload, &h); err != nil || h.Version != f.Version || h.Version < 1 {
			return bad(f.Role + " has another version than it says")
		}
	}
	return nil
}

// canonical is OLPC canonical JSON, the form TUF signs. Its writer escapes no control characters, so those are refused.
func canonical(v any) (out []byte, err error) {
	err = safely("tuf.canonical", func() error {
		out, err = cjson.EncodeCanonical(v)
		return err
	})
	if err == nil && bytes.ContainsFunc(out, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil, edgeward.E("tuf.canonical", edgeward.Invalid, "fleet.proposal", "a control character")
	}
	return out, err
}

func file(role string, version int64, signed any) (File, error) {
	b, err := canonical(signed)
	return File{Role: role, Version: version, Payload: b}, err
}

func expiry(now time.Time) time.Time { return now.UTC().Add(year).Truncate(time.Second) }

// Begin makes the first root and targets of a fleet. The zero fields of c take their defaults (Settled).
func Begin(c Charter, now time.Time) (Proposal, error) {
	c = c.Settled()
	if err := c.Check(); err != nil {
		return Proposal{}, err
	}
	root, err := file(Root, 1, c.root(1, expiry(now)))
	if err != nil {
		return Proposal{}, err
	}
	targets, err := file(Targets, 1, c.targets(1, expiry(now)))
	return Proposal{[]File{root, targets}}, err
}

// Amend proposes c in place of the charter of s: other persons, other keys, other thresholds, another hub key. Files whose
// signatures would no longer do are renewed along with it.
func Amend(s Set, c Charter, now time.Time) (Proposal, error) {
	const op = "tuf.Amend"
	v, err := s.open(noTime)
	if err != nil {
		return Proposal{}, edgeward.Wrap(op, err)
	}
	c = c.Settled()
	if err := c.Check(); err != nil {
		return Proposal{}, err
	}
	if c.Fleet != v.charter.Fleet {
		return Proposal{}, edgeward.E(op, edgeward.Invalid, "fleet.charter", "the fleet's id never changes")
	}
	var p Proposal
	next := func(role string, signed any, version int64) {
		if err == nil {
			var f File
			f, err = file(role, version, signed)
			p.Files = append(p.Files, f)
		}
	}
	same := func(a, b any) bool {
		x, _ := canonical(a)
		y, _ := canonical(b)
		return bytes.Equal(x, y)
	}
	old := v.charter
	if !same(old.root(1, noTime), c.root(1, noTime)) {
		n := v.tm.Root.Signed.Version + 1
		next(Root, c.root(n, expiry(now)), n)
	}
	if !same(old.targets(1, noTime), c.targets(1, noTime)) || !enough(v.tm.Targets[Targets].Signatures, c.Targets) {
		n := v.tm.Targets[Targets].Signed.Version + 1
		next(Targets, c.targets(n, expiry(now)), n)
	}
	if m := v.tm.Targets[Models]; m != nil && !enough(m.Signatures, c.Models) {
		next(Models, modelsFile(v.models, m.Signed.Version+1, expiry(now)), m.Signed.Version+1)
	}
	if r := v.tm.Targets[Revoked]; r != nil && !enough(r.Signatures, Role{1, c.Models.Holders}) {
		next(Revoked, revokedFile(v.revoked, r.Signed.Version+1, expiry(now)), r.Signed.Version+1)
	}
	if r := v.tm.Targets[Releases]; r != nil && len(c.Release.Holders) > 0 && !enough(r.Signatures, c.Release) {
		next(Releases, releasesFile(v.release, r.Signed.Version+1, expiry(now)), r.Signed.Version+1)
	}
	if r := v.tm.Targets[Releases]; r != nil && len(c.Release.Holders) == 0 {
		return p, edgeward.E(op, edgeward.Invalid, "fleet.charter", "binaries are signed already: somebody must hold the role release").WithHint("name other persons for it")
	}
	if err == nil && len(p.Files) == 0 {
		err = edgeward.E(op, edgeward.Invalid, "fleet.proposal", "that is the charter already").WithHint("to lengthen the life of a file, renew it")
	}
	return p, err
}

// enough reports whether sigs, each valid for the file it is under, reach r's threshold.
func enough(sigs []metadata.Signature, r Role) bool {
	ids, n := r.ids(), 0
	for _, s := range sigs {
		if slices.Contains(ids, s.KeyID) {
			n++
		}
	}
	return n >= r.Threshold
}

// Propose proposes the models file of s with add in and remove (paths) out. A target of the same path is replaced.
func Propose(s Set, add []Target, remove []string, now time.Time) (Proposal, error) {
	const op = "tuf.Propose"
	v, err := s.open(noTime)
	if err != nil {
		return Proposal{}, edgeward.Wrap(op, err)
	}
	models, version := maps.Clone(v.models), int64(1)
	if models == nil {
		models = map[string]Target{}
	}
	if m := v.tm.Targets[Models]; m != nil {
		version = m.Signed.Version + 1
	}
	for _, path := range remove {
		if _, ok := models[path]; !ok {
			return Proposal{}, edgeward.E(op, edgeward.NotFound, "fleet.unsigned", "%.200q is not among the signed versions", path).WithHint("edgeward fleet trust show lists them")
		}
		delete(models, path)
	}
	for _, t := range add {
		if err := t.check(); err != nil {
			return Proposal{}, err
		}
		if reason, ok := v.revoked[t.Digest]; ok {
			return Proposal{}, revokedErr(op, t, reason)
		}
		models[t.Path()] = t
	}
	if maps.Equal(models, v.models) {
		return Proposal{}, edgeward.E(op, edgeward.Invalid, "fleet.proposal", "these versions are signed already").WithHint("to lengthen the life of the file, renew it")
	}
	f, err := file(Models, version, modelsFile(models, version, expiry(now)))
	return Proposal{[]File{f}}, err
}

// Revoke proposes to revoke versions, for good. One person's signature is enough.
func Revoke(s Set, add []Revocation, now time.Time) (Proposal, error) {
	const op = "tuf.Revoke"
	v, err := s.open(noTime)
	if err != nil {
		return Proposal{}, edgeward.Wrap(op, err)
	}
	revoked, version := maps.Clone(v.revoked), int64(1)
	if revoked == nil {
		revoked = map[edgeward.Digest]string{}
	}
	if r := v.tm.Targets[Revoked]; r != nil {
		version = r.Signed.Version + 1
	}
	before := len(revoked)
	for _, r := range add {
		if err := r.check(); err != nil {
			return Proposal{}, err
		}
		if _, ok := revoked[r.Digest]; !ok {
			revoked[r.Digest] = r.Reason
		}
	}
	if len(revoked) == before {
		return Proposal{}, edgeward.E(op, edgeward.Invalid, "fleet.proposal", "these versions are revoked already")
	}
	f, err := file(Revoked, version, revokedFile(revoked, version, expiry(now)))
	return Proposal{[]File{f}}, err
}

// Renew proposes the files of roles (Root, Targets, Models, Revoked, Releases) with the same content and a new year to live.
func Renew(s Set, roles []string, now time.Time) (Proposal, error) {
	const op = "tuf.Renew"
	v, err := s.open(noTime)
	if err != nil {
		return Proposal{}, edgeward.Wrap(op, err)
	}
	var p Proposal
	for _, role := range proposable {
		if !slices.Contains(roles, role) {
			continue
		}
		b := s.current(role)
		if b == nil {
			return p, edgeward.E(op, edgeward.NotFound, "fleet.proposal", "there is no %s file yet", role)
		}
		n := versionOf(b) + 1
		f, err := file(role, n, v.build(role, n, expiry(now)))
		if err != nil {
			return p, err
		}
		p.Files = append(p.Files, f)
	}
	return p, p.check()
}

// build is what this package writes for role out of what v holds.
func (v view) build(role string, version int64, expires time.Time) any {
	switch role {
	case Root:
		return v.charter.root(version, expires)
	case Targets:
		return v.charter.targets(version, expires)
	case Models:
		return modelsFile(v.models, version, expires)
	case Releases:
		return releasesFile(v.release, version, expires)
	default:
		return revokedFile(v.revoked, version, expires)
	}
}

func verifySig(k Public, payload, sig []byte) bool {
	pub := k.raw()
	return len(pub) == ed25519.PublicKeySize && len(sig) == ed25519.SignatureSize && ed25519.Verify(pub, payload, sig)
}

func revokedErr(op string, t Target, reason string) error {
	return edgeward.E(op, edgeward.Forbidden, "fleet.revoked", "%s version %d is revoked: %s", t.Model, t.Version, reason).
		WithHint("a revocation is for good; make a new version")
}
