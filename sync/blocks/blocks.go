// Package blocks says what large files are made of, so that a transfer is believed block by block.
//
// A list stands beside a version's manifest (runtime/models, Manifest.Blocks names it by digest), so whoever believes the manifest believes the list. With it a reader knows after a block, and
// not only after the whole, that a source sends something else; what came before stays good, from whichever source the rest comes. A version without a list is fetched as ever.
//
// # Format 1
//
// Canonical JSON, at most MaxList bytes:
//
//	{"files":[{"blocks":[{"sha256":"<64 hex>","size":65536},…],"digest":"sha256:…"},…],"format":1}
//
// The files come in the order of their digests, a file's blocks in the order of its bytes; together they are all of it. A block ends where a tensor of at least Large bytes begins or ends
// (sync/chunk), within such a tensor after Size bytes, and elsewhere where the content says so (chunk.Cut). So blocks of tensors that did not change have
// the same digests in both versions.
package blocks

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"edgeward"
	"edgeward/sync/canonical"
	"edgeward/sync/chunk"
)

// Bounds and sizes.
const (
	Format  = 1
	Size    = 1 << 20  // the largest block
	Large   = 64 << 10 // tensors below this do not end a block
	MaxList = 16 << 20 // bytes of a list
	Max     = 1 << 16  // blocks of a file
)

// Block is a run of bytes.
type Block struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

// Of is all of b as a block.
func Of(b []byte) Block { return Block{int64(len(b)), edgeward.DigestOf(b).Hex()} }

// Is reports whether b has the block's digest and size.
func (k Block) Is(b []byte) bool { return Of(b) == k }

// File is a file and all its blocks.
type File struct {
	Digest edgeward.Digest `json:"digest"`
	Blocks []Block         `json:"blocks"`
}

// List is the files of a version that have blocks.
type List struct {
	Format int    `json:"format"`
	Files  []File `json:"files"`
}

// Of returns the blocks of a file; nil if it has none here.
func (l List) Of(d edgeward.Digest) []Block {
	for _, f := range l.Files {
		if f.Digest == d {
			return f.Blocks
		}
	}
	return nil
}

// Canonical returns the list's bytes.
func (l List) Canonical() ([]byte, error) {
	l.Format = Format
	slices.SortFunc(l.Files, func(a, b File) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	return canonical.JSON(l)
}

// Parse reads a list and checks it.
func Parse(b []byte) (List, error) {
	var l List
	bad := func(err error) (List, error) {
		return List{}, &edgeward.Error{Op: "blocks.Parse", Kind: edgeward.Invalid, Code: "blocks.invalid", Err: err}
	}
	if len(b) > MaxList {
		return bad(errors.New("too large"))
	}
	if err := json.Unmarshal(b, &l); err != nil {
		return bad(err)
	}
	if l.Format != Format {
		return bad(errors.New("another format"))
	}
	for _, f := range l.Files {
		if _, err := edgeward.ParseDigest(string(f.Digest)); err != nil {
			return bad(err)
		}
		if len(f.Blocks) > Max {
			return bad(errors.New("too many blocks"))
		}
		for _, k := range f.Blocks {
			if _, err := edgeward.ParseDigest("sha256:" + k.SHA256); err != nil || k.Size <= 0 || k.Size > Size {
				return bad(errors.New("a block is not described completely"))
			}
		}
	}
	return l, nil
}

// Cut reads a file whose tensors are known, or none, and returns its blocks.
func Cut(r io.Reader, tensors []chunk.Tensor) ([]Block, error) {
	in := bufio.NewReaderSize(r, Size)
	tensors = slices.DeleteFunc(slices.Clone(tensors), func(t chunk.Tensor) bool { return t.Size < Large })
	var out []Block
	for at := int64(0); ; {
		for len(tensors) > 0 && tensors[0].At+tensors[0].Size <= at {
			tensors = tensors[1:]
		}
		most, inside := int64(Size), false
		if len(tensors) > 0 {
			t := tensors[0]
			if inside = t.At <= at; inside {
				most = min(most, t.At+t.Size-at)
			} else {
				most = min(most, t.At-at)
			}
		}
		b, err := in.Peek(int(most))
		if err != nil && err != io.EOF {
			return nil, edgeward.Wrap("blocks.Cut", err)
		}
		if len(b) == 0 {
			return out, nil
		}
		if !inside {
			b = b[:chunk.Cut(b)]
		}
		if len(out) == Max {
			return nil, edgeward.E("blocks.Cut", edgeward.TooLarge, "blocks.too_many", "the file has more than %d blocks", Max)
		}
		out = append(out, Of(b))
		at += int64(len(b))
		if _, err := in.Discard(len(b)); err != nil {
			return nil, edgeward.Wrap("blocks.Cut", err)
		}
	}
}
