package tuf

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"time"
	"unicode"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"edgeward"
)

// MaxBinary is the longest binary a release may have, in bytes.
const MaxBinary = 1 << 30

// Release is one signed binary of edgeward. Its target is the binary itself.
type Release struct {
	OS      string          `json:"os"`   // as GOOS
	Arch    string          `json:"arch"` // as GOARCH
	Digest  edgeward.Digest `json:"digest"`
	Length  int64           `json:"length"`
	Version string          `json:"version"`
	Store   int             `json:"store"`          // format of the database that it writes
	Reads   int             `json:"reads"`          // programs whose own format is at least this can read that
	Libc    string          `json:"libc,omitempty"` // "2.34": the oldest C library that it runs with; "": it needs none
}

// Path is the target's name in the release file.
func (r Release) Path() string { return "release/" + r.OS + "/" + r.Arch + "/" + r.Digest.Hex() }

type releaseCustom struct {
	Libc    string `json:"libc"`
	Reads   int    `json:"reads"`
	Store   int    `json:"store"`
	Version string `json:"version"`
}

func (r Release) check() error {
	bad := func(why string) error {
		return edgeward.E("tuf.Release", edgeward.Invalid, "fleet.release", "%.200q: %s", r.Path(), why)
	}
	plain := func(s string) bool {
		return s != "" && len(s) <= 40 && !strings.ContainsFunc(s, func(c rune) bool {
			return c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune(".-+_", c)
		})
	}
	if _, err := edgeward.ParseDigest(string(r.Digest)); err != nil {
		return err
	}
	switch {
	case !plain(r.OS) || !plain(r.Arch) || !plain(r.Version) || r.Libc != "" && !plain(r.Libc):
		return bad("system, processor, version and C library are short words")
	case r.Length < 1 || r.Length > MaxBinary:
		return bad("a binary has 1 byte to 1 GiB")
	case r.Store < 1 || r.Store > 1e6 || r.Reads < 1 || r.Reads > r.Store:
		return bad("the formats of the database make no sense")
	}
	return nil
}

func releasesFile(all map[string]Release, version int64, expires time.Time) metadata.TargetsType {
	f := emptyTargets(version, expires)
	for path, r := range all {
		f.Targets[path] = &metadata.TargetFiles{Length: r.Length, Hashes: digestHashes(r.Digest), Custom: raw(releaseCustom{r.Libc, r.Reads, r.Store, r.Version})}
	}
	return f
}

// readReleases reads the targets of a release file. Those that are not as this package writes them are left out.
func readReleases(f metadata.TargetsType) map[string]Release {
	out := make(map[string]Release, len(f.Targets))
	for path, file := range f.Targets {
		p := strings.Split(path, "/")
		if len(p) != 4 || p[0] != "release" || file == nil || file.Custom == nil {
			continue
		}
		var c releaseCustom
		if json.Unmarshal(*file.Custom, &c) != nil {
			continue
		}
		r := Release{p[1], p[2], edgeward.Digest("sha256:" + p[3]), file.Length, c.Version, c.Store, c.Reads, c.Libc}
		if r.check() == nil && bytes.Equal(file.Hashes["sha256"], digestHashes(r.Digest)["sha256"]) {
			out[path] = r
		}
	}
	return out
}

// ProposeRelease proposes the release file of s with a binary more.
func ProposeRelease(s Set, r Release, now time.Time) (Proposal, error) {
	const op = "tuf.ProposeRelease"
	v, err := s.open(noTime)
	if err != nil {
		return Proposal{}, edgeward.Wrap(op, err)
	}
	if len(v.charter.Release.Holders) == 0 {
		return Proposal{}, edgeward.E(op, edgeward.Conflict, "fleet.no_release_role", "nobody may sign binaries in this fleet").
			WithHint("the fleet is older than the role release: name its persons by edgeward fleet trust amend --add release:NAME=KEY --key root.key")
	}
	if err := r.check(); err != nil {
		return Proposal{}, err
	}
	if reason, ok := v.revoked[r.Digest]; ok {
		return Proposal{}, edgeward.E(op, edgeward.Forbidden, "fleet.revoked", "binary %s is revoked: %s", r.Version, reason).WithHint("a revocation is for good; build a new version")
	}
	all, version := maps.Clone(v.release), int64(1)
	if all == nil {
		all = map[string]Release{}
	}
	if m := v.tm.Targets[Releases]; m != nil {
		version = m.Signed.Version + 1
	}
	if all[r.Path()] == r {
		return Proposal{}, edgeward.E(op, edgeward.Conflict, "fleet.signed", "binary %s of version %s is signed already", r.Digest.Short(), r.Version)
	}
	all[r.Path()] = r
	f, err := file(Releases, version, releasesFile(all, version, expiry(now)))
	return Proposal{[]File{f}}, err
}

// Release returns the signed binary of a digest for a system, if it may be newly installed at now: it is signed ("fleet.release_unsigned"), not
// revoked ("fleet.revoked"), and no file has expired ("fleet.stale").
func (v *Verifier) Release(os, arch string, d edgeward.Digest, now time.Time) (Release, error) {
	const op = "tuf.Verifier.Release"
	seen, err := v.seen()
	if err != nil {
		return Release{}, edgeward.Wrap(op, err)
	}
	r, ok := seen.release[Release{OS: os, Arch: arch, Digest: d}.Path()]
	if reason, revoked := seen.revoked[d]; revoked {
		return Release{}, edgeward.E(op, edgeward.Forbidden, "fleet.revoked", "the binary is revoked: %s", reason).WithHint("a revocation is for good; take another version")
	}
	if !ok {
		return Release{}, edgeward.E(op, edgeward.Forbidden, "fleet.release_unsigned", "the binary %s is not signed for this fleet", d.Short()).
			WithHint("let the persons who sign releases sign it, at the hub: edgeward fleet binary sign FILE --key …")
	}
	if err := seen.fresh(now); err != nil {
		return Release{}, trust(op, err)
	}
	return r, nil
}
