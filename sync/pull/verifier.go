package pull

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	"edgeward/sync/blocks"
)

// verifier holds a stream of bytes against its blocks. Without any, everything is good.
type verifier struct {
	blocks []blocks.Block
	next   int   // block
	at     int64 // where it begins
	left   int64 // bytes of it that are missing
	sum    hash.Hash
}

// resume finds the good blocks at the beginning of a part of a size, cuts the part after them and returns how much is left: without any blocks all of it.
func (v *verifier) resume(f interface {
	io.ReaderAt
	Truncate(int64) error
}, size int64) (int64, error) {
	if v.next, v.at, v.sum = 0, 0, nil; len(v.blocks) == 0 {
		return size, nil
	}
	buf := make([]byte, blocks.Size)
	for v.next < len(v.blocks) {
		k := v.blocks[v.next]
		if v.at+k.Size > size {
			break
		}
		if _, err := f.ReadAt(buf[:k.Size], v.at); err != nil {
			return 0, err
		}
		if !k.Is(buf[:k.Size]) {
			break
		}
		v.at += k.Size
		v.next++
	}
	return v.at, f.Truncate(v.at)
}

// take takes the next bytes; of a bad block it returns where that begins.
func (v *verifier) take(b []byte) (at int64, ok bool) {
	for len(b) > 0 && v.next < len(v.blocks) {
		k := v.blocks[v.next]
		if v.sum == nil {
			v.sum, v.left = sha256.New(), k.Size
		}
		n := min(v.left, int64(len(b)))
		v.sum.Write(b[:n])
		b, v.left = b[n:], v.left-n
		if v.left > 0 {
			break
		}
		if hex.EncodeToString(v.sum.Sum(nil)) != k.SHA256 {
			return v.at, false
		}
		v.next, v.at, v.sum = v.next+1, v.at+k.Size, nil
	}
	return v.at, true
}

// checked hands on what is good.
type checked struct {
	w io.Writer
	v verifier
}

var errBlock = errors.New("a block is not what was promised")

func (c *checked) Write(b []byte) (int, error) {
	if _, ok := c.v.take(b); !ok {
		return 0, errBlock
	}
	return c.w.Write(b)
}

// complete reports whether the blocks are all of the blob.
func complete(w Want) bool {
	n := int64(0)
	for _, k := range w.Blocks {
		n += k.Size
	}
	return n == w.Size && !w.Loose
}
