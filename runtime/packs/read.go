package packs

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"

	"edgeward"
	"edgeward/runtime/native"
)

// reader reads a pack from a stream, once, and hashes every byte of it.
type reader struct {
	src  *source
	in   io.Reader // of src, hashed as it is read
	hash hash.Hash
	tar  *tar.Reader
	Index
}

// source stops a long read when its context ends, counts, keeps to MaxPacked, and keeps its own error apart from that of
// whoever is written to.
type source struct {
	ctx    context.Context
	r      io.Reader
	n      int64
	failed error
}

func (s *source) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		s.failed = err
		return 0, err
	}
	n, err := s.r.Read(b)
	if s.n += int64(n); s.n > MaxPacked {
		err = tooLarge("it has more than %d bytes", int64(MaxPacked))
	}
	if err != nil && err != io.EOF {
		s.failed = err
	}
	return n, err
}

// open reads as far as the index.
func open(ctx context.Context, r io.Reader) (*reader, error) {
	p := &reader{src: &source{ctx: ctx, r: r}, hash: sha256.New()}
	p.in = io.TeeReader(bufio.NewReaderSize(p.src, 1<<20), p.hash)
	p.tar = tar.NewReader(p.in)
	h, err := p.tar.Next()
	if err != nil {
		return nil, p.why(err, "it is no tar archive")
	}
	if h.Name != indexName || h.Typeflag != tar.TypeReg || h.Size < 2 || h.Size > MaxIndex {
		return nil, bad("it does not begin with a %s of at most %d bytes", indexName, MaxIndex)
	}
	raw, err := io.ReadAll(p.tar)
	if err != nil {
		return nil, p.why(err, "its index is cut off")
	}
	p.Index, err = parseIndex(raw)
	return p, err
}

// next unpacks the next file, f of the index, into to.
func (p *reader) next(f native.File, to io.Writer) error {
	h, err := p.tar.Next()
	if err != nil {
		return p.why(err, "it ends before "+f.Name)
	}
	if h.Name != f.Name+".zst" || h.Typeflag != tar.TypeReg || h.Size != f.Packed {
		return bad("%.80q of %d bytes stands where its index has %s of %d", h.Name, h.Size, f.Name, f.Packed)
	}
	z, err := zstd.NewReader(p.tar, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20), zstd.WithDecoderMaxWindow(64<<20))
	if err != nil {
		return edgeward.Wrap("packs.Add", err)
	}
	defer z.Close()
	out, sum := &sink{to: to}, sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), io.LimitReader(z, f.Size+1))
	switch {
	case out.failed != nil:
		return full(out.failed)
	case err != nil:
		return p.why(err, f.Name+" cannot be unpacked")
	case n != f.Size || edgeward.Digest("sha256:"+hex.EncodeToString(sum.Sum(nil))) != f.Digest:
		return bad("%s has other bytes than its index says", f.Name)
	}
	return nil
}

// end reads what is left, which may only be the archive's end, and returns the digest of all.
func (p *reader) end() (edgeward.Digest, error) {
	if _, err := p.tar.Next(); err != io.EOF {
		return "", p.why(err, "something follows its last file")
	}
	const most = 1 << 20 // zeros, by the habit of tar
	if rest, err := io.Copy(io.Discard, io.LimitReader(p.in, most+1)); err != nil || rest > most {
		return "", p.why(err, "something follows its end")
	}
	return p.digest(), nil
}

func (p *reader) digest() edgeward.Digest {
	return edgeward.Digest("sha256:" + hex.EncodeToString(p.hash.Sum(nil)))
}

// why tells an error of the stream, the caller's or the network's, from what is wrong with the bytes.
func (p *reader) why(err error, text string) error {
	if p.src.failed != nil {
		if errors.Is(p.src.failed, context.Canceled) || errors.Is(p.src.failed, context.DeadlineExceeded) {
			return edgeward.E("packs.Add", edgeward.Unavailable, "runtime.stopped", "the pack was not read to its end: %w", p.src.failed)
		}
		return edgeward.Wrap("packs.Add", p.src.failed)
	}
	return bad("%s", text)
}

// sink keeps the destination's error.
type sink struct {
	to     io.Writer
	failed error
}

func (s *sink) Write(b []byte) (int, error) {
	n, err := s.to.Write(b)
	if err != nil {
		s.failed = err
	}
	return n, err
}

// Look reads a pack's index and the digest of all of it, what a person is shown before it is added; the files are only
// unpacked and compared by Add.
func Look(ctx context.Context, r io.Reader) (Index, edgeward.Digest, error) {
	p, err := open(ctx, r)
	if err != nil {
		return Index{}, "", err
	}
	if _, err := io.Copy(io.Discard, p.in); err != nil {
		return Index{}, "", p.why(err, "it cannot be read to its end")
	}
	return p.Index, p.digest(), nil
}
