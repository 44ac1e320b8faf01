package tuf

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"edgeward"
)

// MaxManifest is the longest manifest a target may have, in bytes.
const MaxManifest = 1 << 20

// Target is one signed model version.
type Target struct {
	Group   string          `json:"group"`
	Model   string          `json:"model"`
	Digest  edgeward.Digest `json:"manifest"` // of the version's manifest
	Length  int64           `json:"length"`   // of the manifest's bytes
	Version int             `json:"version"`  // the hub's number, a label
	Epoch   int             `json:"epoch"`    // versions below the highest epoch of their model are not installed
}

// Path is the target's name in the models file.
func (t Target) Path() string { return "models/" + t.Group + "/" + t.Model + "/" + t.Digest.Hex() }

type custom struct {
	Epoch   int `json:"epoch"`
	Version int `json:"version"`
}

func (t Target) check() error {
	bad := func(why string) error {
		return edgeward.E("tuf.Target", edgeward.Invalid, "fleet.target", "%.200q: %s", t.Path(), why)
	}
	if err := edgeward.CheckName("group", t.Group); err != nil {
		return err
	}
	if err := edgeward.CheckName("model", t.Model); err != nil {
		return err
	}
	if _, err := edgeward.ParseDigest(string(t.Digest)); err != nil {
		return err
	}
	if t.Length < 1 || t.Length > MaxManifest {
		return bad("a manifest has 1 byte to 1 MiB")
	}
	if t.Version < 1 || t.Epoch < 0 || t.Version > 1e9 || t.Epoch > 1e9 {
		return bad("version and epoch are small numbers from 1 and from 0")
	}
	return nil
}

// Revocation says that a version must not be installed any more.
type Revocation struct {
	Digest edgeward.Digest `json:"manifest"`
	Reason string          `json:"reason"` // for people: at most 500 printable characters
}

func (r Revocation) check() error {
	if _, err := edgeward.ParseDigest(string(r.Digest)); err != nil {
		return err
	}
	if r.Reason == "" || len(r.Reason) > 500 || strings.ContainsFunc(r.Reason, func(c rune) bool { return !unicode.IsPrint(c) || c == unicode.ReplacementChar }) {
		return edgeward.E("tuf.Revoke", edgeward.Invalid, "fleet.reason", "a revocation needs a reason of at most 500 printable characters")
	}
	return nil
}

func digestHashes(d edgeward.Digest) metadata.Hashes {
	b, err := hex.DecodeString(d.Hex())
	if err != nil {
		b = nil
	}
	return metadata.Hashes{"sha256": b}
}

func raw(v any) *json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		b = []byte("null")
	}
	return (*json.RawMessage)(&b)
}

func emptyTargets(version int64, expires time.Time) metadata.TargetsType {
	return metadata.TargetsType{Type: Targets, SpecVersion: metadata.SPECIFICATION_VERSION, Version: version, Expires: expires, Targets: map[string]*metadata.TargetFiles{}}
}

func modelsFile(targets map[string]Target, version int64, expires time.Time) metadata.TargetsType {
	f := emptyTargets(version, expires)
	for path, t := range targets {
		f.Targets[path] = &metadata.TargetFiles{Length: t.Length, Hashes: digestHashes(t.Digest), Custom: raw(custom{t.Epoch, t.Version})}
	}
	return f
}

func revokedFile(revoked map[edgeward.Digest]string, version int64, expires time.Time) metadata.TargetsType {
	f := emptyTargets(version, expires)
	for d, reason := range revoked {
		f.Targets["revoked/"+d.Hex()] = &metadata.TargetFiles{Hashes: digestHashes(d), Custom: raw(map[string]string{"reason": reason})}
	}
	return f
}

// readModels reads the targets of a models file. Those that are not as this package writes them are left out: they name
// nothing that could be installed.
func readModels(f metadata.TargetsType) map[string]Target {
	out := make(map[string]Target, len(f.Targets))
	for path, file := range f.Targets {
		p := strings.Split(path, "/")
		if len(p) != 4 || p[0] != "models" || file == nil || file.Custom == nil {
			continue
		}
		var c custom
		if json.Unmarshal(*file.Custom, &c) != nil {
			continue
		}
		t := Target{p[1], p[2], edgeward.Digest("sha256:" + p[3]), file.Length, c.Version, c.Epoch}
		if t.check() == nil && bytes.Equal(file.Hashes["sha256"], digestHashes(t.Digest)["sha256"]) {
			out[path] = t
		}
	}
	return out
}

// readRevoked reads a revoked file. A reason that cannot be read revokes all the same.
func readRevoked(f metadata.TargetsType) map[edgeward.Digest]string {
	out := make(map[edgeward.Digest]string, len(f.Targets))
	for path, file := range f.Targets {
		h, ok := strings.CutPrefix(path, "revoked/")
		d, err := edgeward.ParseDigest("sha256:" + h)
		if !ok || err != nil {
			continue
		}
		var c struct {
			Reason string `json:"reason"`
		}
		if file == nil || file.Custom == nil || json.Unmarshal(*file.Custom, &c) != nil {
			c.Reason = ""
		}
		out[d] = c.Reason
	}
	return out
}

// floors are the highest epochs, by group and model.
func floors(targets map[string]Target) map[[2]string]int {
	out := map[[2]string]int{}
	for _, t := range targets {
		k := [2]string{t.Group, t.Model}
		out[k] = max(out[k], t.Epoch)
	}
	return out
}

// sorted returns the values of m by their paths.
func sorted[T any](m map[string]T) []T {
	out := make([]T, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out
}
