package tuf

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"edgeward"
)

// Bounds of files in bytes, and of roots in a chain.
const (
	MaxRoot      = 128 << 10
	MaxTimestamp = 16 << 10
	MaxSnapshot  = 64 << 10
	MaxTargets   = 128 << 10
	MaxModels    = 4 << 20
	MaxRevoked   = 1 << 20
	MaxReleases  = 1 << 20
	MaxRoots     = 1024
)

// Set is the repository as it stands: what a hub serves, a node believes and a signer's client starts from. The zero Set is
// a fleet before its first charter. A Set is a value: its byte slices are never changed.
type Set struct {
	Roots     [][]byte `json:"roots"` // every one, version 1 first
	Timestamp []byte   `json:"timestamp"`
	Snapshot  []byte   `json:"snapshot"`
	Targets   []byte   `json:"targets"`
	Models    []byte   `json:"models,omitempty"`  // none before the first model is signed
	Revoked   []byte   `json:"revoked,omitempty"` // none before the first revocation
	Release   []byte   `json:"release,omitempty"` // none before the first binary is signed
}

// File returns the bytes of the file that the wire calls name ("root/2", "timestamp", "models/7"), if s has exactly that.
func (s Set) File(name string) ([]byte, bool) {
	role, number, numbered := strings.Cut(name, "/")
	n, err := strconv.ParseInt(number, 10, 64)
	if numbered == (role == Timestamp) || numbered && (err != nil || n < 1 || strconv.FormatInt(n, 10) != number) {
		return nil, false
	}
	if role == Root {
		if n > int64(len(s.Roots)) {
			return nil, false
		}
		return s.Roots[n-1], true
	}
	b := s.current(role)
	if b == nil || role != Timestamp && versionOf(b) != n {
		return nil, false
	}
	return b, true
}

func (s Set) current(role string) []byte {
	switch role {
	case Root:
		if len(s.Roots) > 0 {
			return s.Roots[len(s.Roots)-1]
		}
	case Timestamp:
		return s.Timestamp
	case Snapshot:
		return s.Snapshot
	case Targets:
		return s.Targets
	case Models:
		return s.Models
	case Revoked:
		return s.Revoked
	case Releases:
		return s.Release
	}
	return nil
}

func (s Set) with(role string, b []byte) Set {
	switch role {
	case Root:
		s.Roots = append(s.Roots[:len(s.Roots):len(s.Roots)], b)
	case Timestamp:
		s.Timestamp = b
	case Snapshot:
		s.Snapshot = b
	case Targets:
		s.Targets = b
	case Models:
		s.Models = b
	case Revoked:
		s.Revoked = b
	case Releases:
		s.Release = b
	}
	return s
}

// Pin is the digest of the first root: what a join code carries and everything follows from.
func (s Set) Pin() edgeward.Digest {
	if len(s.Roots) == 0 {
		return ""
	}
	return edgeward.DigestOf(s.Roots[0])
}

// head is what every file has.
type head struct {
	Signed struct {
		Version int64     `json:"version"`
		Expires time.Time `json:"expires"`
	} `json:"signed"`
}

func headOf(b []byte) (h head) {
	if json.Unmarshal(b, &h) != nil {
		return head{}
	}
	return h
}

func versionOf(b []byte) int64 { return headOf(b).Signed.Version }

// Life is until when a file is valid.
type Life struct {
	Role    string    `json:"role"`
	Version int64     `json:"version"`
	Expires time.Time `json:"expires"`
}

// Lives are the files of s and how long each is valid. It verifies nothing.
func (s Set) Lives() []Life {
	var out []Life
	for _, role := range []string{Root, Targets, Models, Revoked, Releases, Snapshot, Timestamp} {
		if b := s.current(role); b != nil {
			h := headOf(b).Signed
			out = append(out, Life{role, h.Version, h.Expires})
		}
	}
	return out
}

// view is a Set that has been verified.
type view struct {
	tm      *trustedmetadata.TrustedMetadata
	charter Charter
	models  map[string]Target
	floors  map[[2]string]int // highest epoch, by group and model
	revoked map[edgeward.Digest]string
	release map[string]Release
}

// noTime is before every expiry: for looks at a Set that ask for signatures and not for freshness.
var noTime time.Time

// open verifies all of s as of now, from its first root on.
func (s Set) open(now time.Time) (v view, err error) {
	err = safely("tuf.Set", func() error {
		v.tm, err = s.roots(now)
		if err != nil {
			return err
		}
		if err := s.bounds(); err != nil {
			return err
		}
		if _, err := v.tm.UpdateTimestamp(s.Timestamp); err != nil {
			return err
		}
		if _, err := v.tm.UpdateSnapshot(s.Snapshot, false); err != nil {
			return err
		}
		return v.rest(s)
	})
	return v, err
}

// rest loads targets, models and revoked of s into v.tm, whose snapshot is loaded.
func (v *view) rest(s Set) error {
	if v.tm.Targets[Targets] == nil {
		if _, err := v.tm.UpdateTargets(s.Targets); err != nil {
			return err
		}
	}
	for _, role := range []string{Models, Revoked, Releases} {
		b := s.current(role)
		if _, listed := v.tm.Snapshot.Signed.Meta[role+".json"]; !listed && b == nil {
			continue
		}
		if v.tm.Targets[role] == nil {
			if _, err := v.tm.UpdateDelegatedTargets(b, role, Targets); err != nil {
				return fmt.Errorf("%s: %w", role, err)
			}
		}
	}
	var err error
	v.charter, err = charterOf(v.tm.Root.Signed, v.tm.Targets[Targets].Signed)
	if m := v.tm.Targets[Models]; m != nil {
		v.models = readModels(m.Signed)
		v.floors = floors(v.models)
	}
	if r := v.tm.Targets[Revoked]; r != nil {
		v.revoked = readRevoked(r.Signed)
	}
	if r := v.tm.Targets[Releases]; r != nil {
		v.release = readReleases(r.Signed)
	}
	return err
}

// roots walks the chain of s and returns it with nothing but the last root in it.
func (s Set) roots(now time.Time) (*trustedmetadata.TrustedMetadata, error) {
	if len(s.Roots) == 0 || len(s.Roots) > MaxRoots {
		return nil, edgeward.E("tuf.Set", edgeward.NotFound, "fleet.no_charter", "there is no root").WithHint("make the fleet first: edgeward fleet init")
	}
	tm, err := trustedmetadata.New(s.Roots[0])
	if err != nil {
		return nil, err
	}
	tm.RefTime = now
	for _, r := range s.Roots[1:] {
		if len(r) > MaxRoot {
			return nil, edgeward.E("tuf.Set", edgeward.TooLarge, "fleet.too_large", "a root has %d bytes, more than %d", len(r), MaxRoot)
		}
		if _, err := tm.UpdateRoot(r); err != nil {
			return nil, err
		}
	}
	return tm, nil
}

func (s Set) bounds() error {
	for role, limit := range limits {
		if b := s.current(role); len(b) > limit {
			return edgeward.E("tuf.Set", edgeward.TooLarge, "fleet.too_large", "%s has %d bytes, more than %d", role, len(b), limit)
		}
	}
	return nil
}

var limits = map[string]int{Root: MaxRoot, Timestamp: MaxTimestamp, Snapshot: MaxSnapshot, Targets: MaxTargets, Models: MaxModels, Revoked: MaxRevoked, Releases: MaxReleases}

// Charter says who may sign what in s, after verifying the signatures. Expiry does not matter here.
func (s Set) Charter() (Charter, error) {
	v, err := s.open(noTime)
	return v.charter, err
}

// Signed are the versions in s, ordered by path, after verifying s. Expiry does not matter here.
func (s Set) Signed() ([]Target, error) {
	v, err := s.open(noTime)
	return sorted(v.models), err
}

// Contents are what a Set says.
type Contents struct {
	Charter  Charter
	Signed   []Target     // ordered by path
	Revoked  []Revocation // versions and binaries that must not be installed any more, by digest
	Releases []Release    // binaries of edgeward, ordered by path
}

// Read verifies s once and returns all that it says, for who wants more than one part of it. Expiry does not matter here.
func (s Set) Read() (Contents, error) {
	v, err := s.open(noTime)
	c := Contents{Charter: v.charter, Signed: sorted(v.models), Revoked: make([]Revocation, 0, len(v.revoked)), Releases: sorted(v.release)}
	for _, d := range slices.Sorted(maps.Keys(v.revoked)) {
		c.Revoked = append(c.Revoked, Revocation{d, v.revoked[d]})
	}
	return c, err
}

// Revocation says whether a version or a binary is revoked, and why.
func (c Contents) Revocation(d edgeward.Digest) (reason string, revoked bool) {
	i := slices.IndexFunc(c.Revoked, func(r Revocation) bool { return r.Digest == d })
	if i < 0 {
		return "", false
	}
	return c.Revoked[i].Reason, true
}

// metadataFile puts signatures and payload together.
func metadataFile(payload []byte, sigs []metadata.Signature) ([]byte, error) {
	return json.Marshal(struct {
		Signatures []metadata.Signature `json:"signatures"`
		Signed     json.RawMessage      `json:"signed"`
	}{sigs, payload})
}
