package main

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"

	"edgeward"
)

// digester writes through and knows the digest of what it wrote.
type digester struct {
	w io.Writer
	h hash.Hash
	n int64
}

func newDigester(w io.Writer) *digester { return &digester{w: w, h: sha256.New()} }

func (d *digester) Write(b []byte) (int, error) {
	n, err := d.w.Write(b)
	d.h.Write(b[:n])
	d.n += int64(n)
	return n, err
}

func (d *digester) digest() edgeward.Digest {
	return edgeward.Digest("sha256:" + hex.EncodeToString(d.h.Sum(nil)))
}

// check refuses bytes that are not the ones named.
func (d *digester) check(name string, want edgeward.Digest) error {
	if got := d.digest(); got != want {
		return edgeward.E("export", edgeward.Conflict, "blob.damaged", "%s came as %s, not as %s", name, got.Short(), want.Short()).WithHint("try again; edgeward doctor checks the server's files")
	}
	return nil
}
