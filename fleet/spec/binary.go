package spec

import "edgeward"

// Binary is the program of edgeward that a node should run, for the node's own system and processor. Absent: whichever it does.
type Binary struct {
	Version string          `json:"version"` // a label
	OS      string          `json:"os"`      // as GOOS
	Arch    string          `json:"arch"`    // as GOARCH
	Digest  edgeward.Digest `json:"digest"`  // identity; a target of the role release (sync/tuf)
	Again   int             `json:"again,omitempty"`
	Rollout string          `json:"rollout,omitempty"`
	Now     bool            `json:"now,omitempty"` // it does not wait for windows
}

// binaries is a group that nobody can make.
const binaries = "~"

// BinaryKey stands for the program of a platform among endpoints: it is rolled out, assigned and reported as a version behind an endpoint is.
// In documents and reports it stands by itself.
func BinaryKey(os, arch string) Key { return Key{Group: binaries, Name: os + "-" + arch} }

// Binary reports whether k stands for a program.
func (k Key) Binary() bool { return k.Group == binaries }

// Key is what stands for b.
func (b Binary) Key() Key { return BinaryKey(b.OS, b.Arch) }

// Check reports why b cannot be wanted.
func (b Binary) Check() error {
	if b.Version == "" || len(b.Version) > 40 || edgeward.CheckName("platform", b.Key().Name) != nil || b.Again < 0 {
		return invalid("desired", "the binary is not described")
	}
	_, err := edgeward.ParseDigest(string(b.Digest))
	return err
}
