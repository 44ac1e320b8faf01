// Package pull brings blobs from other servers into this one's store.
//
// What comes is believed for its digest alone: it may come from a hub, a peer or a stick. A blob that is here already is not
// fetched. An interrupted one goes on where it stopped (dir/<hex>.part); a part whose end does not have the digest is thrown away and
// fetched whole once more. Whatever a source does wrong is Unavailable: another time or another source may do better. Where a source can tell the difference to a blob that is here, that is tried first: what comes of a difference
// is checked like everything else, and whatever is wrong with it leads to the whole blob, never to an error. A difference that the source has to make first is waited for,
// for a time that grows with the size (Patience): nothing holds a call up meanwhile.
//
// Where the blocks of a blob are known, each is believed for its own digest, as soon as it is here: a source that sends another is given up at once, what came before stays good, and
// an interrupted transfer goes on after the last good block, whatever was written to the part meanwhile.
//
// Every answer is bounded by the size the manifest names, and a source that sends less than MinRate over a minute is given up.
package pull

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/time/rate"

	"edgeward"
	"edgeward/sync/blobs"
	"edgeward/sync/blocks"
	"edgeward/sync/disk"
)

// MinRate is how slow a source may be, in bytes a second over StallAfter.
const MinRate = 1 << 10

// StallAfter is how long a source may be slower than MinRate.
const StallAfter = time.Minute

// Source is where blobs come from.
type Source interface {
	// Blob returns the bytes of d from offset on. A source that cannot skip begins at 0 and says so.
	Blob(ctx context.Context, d edgeward.Digest, offset int64) (r io.ReadCloser, from int64, err error)
	// Delta returns what makes to out of from, as sync/delta reads it, or NotFound; with the code Making it is to be asked again. It never waits until one is made.
	Delta(ctx context.Context, to, from edgeward.Digest) (io.ReadCloser, error)
}

// Apply makes the blob to out of base and a delta, writing at most limit bytes.
type Apply func(w io.Writer, base io.ReaderAt, baseSize int64, delta io.Reader, limit int64) error

// Want is a blob that is to be here.
type Want struct {
	Digest edgeward.Digest
	Size   int64           // exact, or with Loose at most
	Loose  bool            // the size is a bound
	Like   edgeward.Digest // a blob that is here and may be like it; "" none
	Blocks []blocks.Block  // what it is made of, from whoever named the digest; nil if that was not said
}

// Puller is safe for concurrent use, but for the same blob twice at a time.
type Puller struct {
	Blobs *blobs.Store
	Dir   string // for parts; on the same file system as temporary files
	Apply Apply  // nil: no differences
	Limit *rate.Limiter
}

// Got counts what came over the wire, and what differences made unnecessary.
type Got struct {
	Bytes int64
	Saved int64
}

// Fetch brings w. It reports each piece as it comes.
func (p *Puller) Fetch(ctx context.Context, src Source, w Want, report func(n int64)) (Got, error) {
	if _, err := p.Blobs.Touch(w.Digest); err == nil {
		if !w.Loose {
			report(w.Size)
		}
		return Got{}, nil
	}
	if !complete(w) {
		w.Blocks = nil
	}
	var wasted int64
	if w.Like != "" && p.Apply != nil {
		got, err := p.difference(ctx, src, w)
		if err == nil {
			report(w.Size)
			return got, nil
		}
		if ctx.Err() != nil {
			return got, ctx.Err()
		}
		wasted = got.Bytes
	}
	got, resumed, err := p.whole(ctx, src, w, report)
	if resumed && edgeward.CodeOf(err) == wrong && len(w.Blocks) == 0 {
		wasted += got.Bytes
		got, _, err = p.whole(ctx, src, w, report)
	}
	got.Bytes += wasted
	return got, err
}

// Drop throws a part of d away: what came of it is not believed.
func (p *Puller) Drop(d edgeward.Digest) {
	_ = os.Remove(filepath.Join(p.Dir, d.Hex()+".part")) // gone is gone
}

// wrong is the code of bytes that do not have the digest.
const wrong = "pull.mismatch"

// difference fetches and applies a delta.
func (p *Puller) difference(ctx context.Context, src Source, w Want) (Got, error) {
	path, err := p.Blobs.Verified(ctx, w.Like)
	if err != nil {
		return Got{}, err
	}
	base, err := os.Open(path)
	if err != nil {
		return Got{}, err
	}
	defer base.Close()
	info, err := base.Stat()
	if err != nil {
		return Got{}, err
	}
	r, err := p.made(ctx, src, w)
	if err != nil {
		return Got{}, err
	}
	defer r.Close()
	stop := stalled(r)
	defer stop.end()
	in := &counted{r: Limited(ctx, io.LimitReader(r, w.Size), p.Limit), each: stop.count} // longer than the whole is no use
	pr, pw := io.Pipe()
	applied := make(chan struct{})
	go func() {
		pw.CloseWithError(p.Apply(&checked{pw, verifier{blocks: w.Blocks}}, base, info.Size(), in, w.Size))
		close(applied)
	}()
	_, err = p.Blobs.PutAs(ctx, w.Digest, pr, w.Size)
	pr.CloseWithError(err)
	r.Close() // ends a read that Apply waits in
	<-applied
	if err != nil {
		return Got{Bytes: in.n}, err
	}
	return Got{in.n, max(0, w.Size-in.n)}, nil
}

// whole fetches all of a blob, going on from a part; resumed says that there was one.
func (p *Puller) whole(ctx context.Context, src Source, w Want, report func(int64)) (got Got, resumed bool, err error) {
	if err := disk.MkdirAll(p.Dir); err != nil {
		return got, false, disk.Err("pull.Fetch", err)
	}
	part := filepath.Join(p.Dir, w.Digest.Hex()+".part")
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return got, false, disk.Err("pull.Fetch", err)
	}
	defer f.Close()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return got, false, disk.Err("pull.Fetch", err)
	}
	if have > w.Size || w.Loose { // of a size that is not known nobody can say where it ends
		have = 0
	}
	good := verifier{blocks: w.Blocks}
	if have, err = good.resume(f, have); err != nil {
		return got, false, disk.Err("pull.Fetch", err)
	}
	resumed = have > 0
	if have < w.Size || w.Size == 0 {
		n, err := p.append(ctx, src, w, f, have, &good, report)
		got.Bytes += n
		if err != nil {
			return got, resumed, err
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return got, resumed, disk.Err("pull.Fetch", err)
	}
	_, err = p.Blobs.PutAs(ctx, w.Digest, f, w.Size)
	if edgeward.CodeOf(err) == "blob.mismatch" {
		err = edgeward.E("pull.Fetch", edgeward.Unavailable, wrong, "what the source sent is not %s", w.Digest.Short()).WithHint("the source, or something on the way to it, sends wrong bytes; it is asked again")
	}
	if rm := os.Remove(part); rm != nil && !errors.Is(rm, fs.ErrNotExist) && err == nil {
		err = disk.Err("pull.Fetch", rm)
	}
	return got, resumed, err
}

// append fetches what is missing after have bytes.
func (p *Puller) append(ctx context.Context, src Source, w Want, f *os.File, have int64, good *verifier, report func(int64)) (int64, error) {
	r, from, err := src.Blob(ctx, w.Digest, have)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	if from > have {
		return 0, edgeward.E("pull.Fetch", edgeward.Unavailable, "pull.source", "the source began at byte %d instead of %d", from, have)
	}
	if from < have {
		at, err := good.resume(f, from)
		if err != nil {
			return 0, disk.Err("pull.Fetch", err)
		}
		if at != from { // within a block: none of ours asks for that
			return 0, edgeward.E("pull.Fetch", edgeward.Unavailable, "pull.source", "the source began at byte %d instead of %d", from, have)
		}
	}
	if err := f.Truncate(from); err != nil {
		return 0, disk.Err("pull.Fetch", err)
	}
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return 0, disk.Err("pull.Fetch", err)
	}
	report(from)
	stop := stalled(r)
	defer stop.end()
	buf, n := make([]byte, 256<<10), int64(0)
	in := Limited(ctx, io.LimitReader(r, w.Size-from+1), p.Limit)
	for {
		k, rerr := in.Read(buf)
		n += int64(k)
		stop.count(k)
		if from+n > w.Size {
			kind := edgeward.Unavailable // the source's fault
			if w.Loose {
				kind = edgeward.TooLarge
			}
			return n, edgeward.E("pull.Fetch", kind, "pull.too_long", "the source sent more than the %d bytes of %s", w.Size, w.Digest.Short())
		}
		if _, err := f.Write(buf[:k]); err != nil {
			return n, disk.Err("pull.Fetch", err)
		}
		if at, ok := good.take(buf[:k]); !ok {
			if err := f.Truncate(at); err != nil {
				return n, disk.Err("pull.Fetch", err)
			}
			return n, edgeward.E("pull.Fetch", edgeward.Unavailable, wrong, "what the source sent from byte %d on is not %s", at, w.Digest.Short()).WithHint("the source, or something on the way to it, sends wrong bytes; what came before is kept")
		}
		report(int64(k))
		if rerr == io.EOF {
			break
		}
		if rerr != nil {
			return n, edgeward.E("pull.Fetch", edgeward.Unavailable, "pull.broken", "the transfer broke off after %d of %d bytes: %w", from+n, w.Size, rerr)
		}
	}
	if from+n < w.Size && !w.Loose {
		return n, edgeward.E("pull.Fetch", edgeward.Unavailable, "pull.broken", "the transfer ended after %d of %d bytes", from+n, w.Size)
	}
	return n, nil
}

// Limited reads no faster than l allows; nil: as fast as it goes.
func Limited(ctx context.Context, r io.Reader, l *rate.Limiter) io.Reader {
	if l == nil {
		return r
	}
	return readerFunc(func(b []byte) (int, error) {
		b = b[:min(len(b), l.Burst())]
		n, err := r.Read(b)
		if n > 0 {
			if werr := l.WaitN(ctx, n); werr != nil {
				return n, werr
			}
		}
		return n, err
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

type counted struct {
	r    io.Reader
	n    int64
	each func(n int)
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	c.each(n)
	return n, err
}
