package pull_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"edgeward"
	"edgeward/sync/blobs"
	"edgeward/sync/blocks"
	"edgeward/sync/delta"
	"edgeward/sync/pull"
)

// source answers as its funcs say, and notes the offsets it was asked for.
type source struct {
	blob    func(offset int64) (io.ReadCloser, int64, error)
	delta   func() (io.ReadCloser, error)
	offsets []int64
	deltas  int
}

func (s *source) Blob(_ context.Context, _ edgeward.Digest, offset int64) (io.ReadCloser, int64, error) {
	s.offsets = append(s.offsets, offset)
	return s.blob(offset)
}

func (s *source) Delta(context.Context, edgeward.Digest, edgeward.Digest) (io.ReadCloser, error) {
	s.deltas++
	if s.delta == nil {
		return nil, edgeward.E("source", edgeward.NotFound, "blob.not_found", "no delta")
	}
	return s.delta()
}

var errCut = errors.New("the line was cut")

// cut gives b and then an error.
func cut(b []byte) io.ReadCloser {
	return io.NopCloser(io.MultiReader(bytes.NewReader(b), iotestErr{}))
}

type iotestErr struct{}

func (iotestErr) Read([]byte) (int, error) { return 0, errCut }

func whole(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }

func serving(b []byte) func(int64) (io.ReadCloser, int64, error) {
	return func(at int64) (io.ReadCloser, int64, error) { return whole(b[at:]), at, nil }
}

func content(seed uint64, n int) []byte {
	r, b := rand.New(rand.NewPCG(seed, 1)), make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

type place struct {
	testing.TB
	*pull.Puller
}

func here(t testing.TB) place {
	t.Helper()
	dir := t.TempDir()
	s, err := blobs.Open(filepath.Join(dir, "blobs"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return place{t, &pull.Puller{Blobs: s, Dir: filepath.Join(dir, "parts"), Apply: delta.Apply}}
}

// want fetches b and checks what came of it: code is "" where it is to be here afterwards.
func (p place) want(what string, src *source, w pull.Want, b []byte, code string) (pull.Got, int64) {
	p.Helper()
	var reported int64
	w.Digest = edgeward.DigestOf(b)
	got, err := p.Fetch(p.context(), src, w, func(n int64) { reported += n })
	if edgeward.CodeOf(err) != code {
		p.Errorf("%s: %v, want %q", what, err, code)
	}
	have, rerr := p.Blobs.ReadAll(p.context(), w.Digest, 1<<30)
	if code == "" && (rerr != nil || !bytes.Equal(have, b)) {
		p.Errorf("%s: not here: %v", what, rerr)
	}
	if code != "" && edgeward.KindOf(rerr) != edgeward.NotFound {
		p.Errorf("%s: something is here: %d bytes, %v", what, len(have), rerr)
	}
	return got, reported
}

func (p place) context() context.Context { return context.Background() }

func (p place) parts() int {
	list, _ := os.ReadDir(p.Dir)
	return len(list)
}

func TestWhatIsHereIsNotFetched(t *testing.T) {
	p, b := here(t), content(1, 5000)
	src := &source{blob: serving(b)}
	got, reported := p.want("first", src, pull.Want{Size: 5000}, b, "")
	if got.Bytes != 5000 || got.Saved != 0 || reported != 5000 || p.parts() != 0 {
		t.Errorf("got %+v, reported %d, %d parts", got, reported, p.parts())
	}
	got, reported = p.want("again", src, pull.Want{Size: 5000}, b, "")
	if got.Bytes != 0 || reported != 5000 || len(src.offsets) != 1 {
		t.Errorf("again: got %+v, reported %d, asked %d times", got, reported, len(src.offsets))
	}
}

func TestABrokenTransferGoesOnWhereItStopped(t *testing.T) {
	p, b := here(t), content(2, 700_000)
	src := &source{blob: func(int64) (io.ReadCloser, int64, error) { return cut(b[:300_000]), 0, nil }}
	got, _ := p.want("cut", src, pull.Want{Size: 700_000}, b, "pull.broken")
	if got.Bytes != 300_000 || p.parts() != 1 {
		t.Fatalf("got %+v, %d parts", got, p.parts())
	}
	src.blob = func(at int64) (io.ReadCloser, int64, error) { return whole(b[at:600_000]), at, nil }
	p.want("too short", src, pull.Want{Size: 700_000}, b, "pull.broken")
	src.blob = serving(b)
	got, reported := p.want("rest", src, pull.Want{Size: 700_000}, b, "")
	if got.Bytes != 100_000 || reported != 700_000 || p.parts() != 0 {
		t.Errorf("got %+v, reported %d, %d parts", got, reported, p.parts())
	}
	if src.offsets[0] != 0 || src.offsets[1] != 300_000 || src.offsets[2] != 600_000 {
		t.Errorf("asked at %v", src.offsets)
	}
}

func TestASourceThatCannotSkipBeginsAnew(t *testing.T) {
	p, b := here(t), content(3, 9000)
	p.want("cut", &source{blob: func(int64) (io.ReadCloser, int64, error) { return cut(b[:4000]), 0, nil }}, pull.Want{Size: 9000}, b, "pull.broken")
	got, _ := p.want("from 0", &source{blob: func(int64) (io.ReadCloser, int64, error) { return whole(b), 0, nil }}, pull.Want{Size: 9000}, b, "")
	if got.Bytes != 9000 {
		t.Errorf("got %+v", got)
	}
	p2 := here(t)
	p2.want("it skips too much", &source{blob: func(int64) (io.ReadCloser, int64, error) { return whole(b[10:]), 10, nil }}, pull.Want{Size: 9000}, b, "pull.source")
}

// A part may be of a source that sent something else: it is thrown away and the whole is fetched, once.
func TestABadPartIsFetchedWholeOnceMore(t *testing.T) {
	p, b := here(t), content(4, 9000)
	p.want("cut", &source{blob: func(int64) (io.ReadCloser, int64, error) { return cut(content(5, 4000)), 0, nil }}, pull.Want{Size: 9000}, b, "pull.broken")
	src := &source{blob: serving(b)}
	got, _ := p.want("resumed on a bad part", src, pull.Want{Size: 9000}, b, "")
	if len(src.offsets) != 2 || src.offsets[0] != 4000 || src.offsets[1] != 0 || got.Bytes != 5000+9000 {
		t.Errorf("asked at %v, got %+v", src.offsets, got)
	}
}

// Wrong bytes are the source's fault, never the version's: the kind says that another try may do better.
func TestWrongBytesAreNotKept(t *testing.T) {
	p, b := here(t), content(6, 9000)
	bad := content(7, 9000)
	src := &source{blob: serving(bad)}
	p.want("other bytes", src, pull.Want{Size: 9000}, b, "pull.mismatch")
	if len(src.offsets) != 1 || p.parts() != 0 {
		t.Errorf("asked at %v, %d parts", src.offsets, p.parts())
	}
	p.want("too long", &source{blob: serving(append(bytes.Clone(b), 1))}, pull.Want{Size: 9000}, b, "pull.too_long")
	p.want("endless", &source{blob: func(int64) (io.ReadCloser, int64, error) { return io.NopCloser(endless{}), 0, nil }}, pull.Want{Size: 9000}, b, "pull.too_long")
	for _, blob := range []func(int64) (io.ReadCloser, int64, error){serving(bad), serving(append(bytes.Clone(b), 1))} {
		if _, err := p.Fetch(t.Context(), &source{blob: blob}, pull.Want{Digest: edgeward.DigestOf(b), Size: 9000}, func(int64) {}); edgeward.KindOf(err) != edgeward.Unavailable {
			t.Errorf("%v is %v, want Unavailable", err, edgeward.KindOf(err))
		}
	}
	p.want("at last", &source{blob: serving(b)}, pull.Want{Size: 9000}, b, "")
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

func TestALooseSizeIsABound(t *testing.T) {
	p, b := here(t), content(8, 3000)
	p.want("cut", &source{blob: func(int64) (io.ReadCloser, int64, error) { return cut(b), 0, nil }}, pull.Want{Size: 5000, Loose: true}, b, "pull.broken")
	src := &source{blob: func(at int64) (io.ReadCloser, int64, error) {
		if at == 3000 { // as HTTP does: nothing begins at the end
			return nil, 0, edgeward.E("source", edgeward.Unavailable, "fleet.hub_answer", "416")
		}
		return whole(b[at:]), at, nil
	}}
	p.want("all was here when it broke", src, pull.Want{Size: 5000, Loose: true}, b, "")
	c := content(9, 6000)
	p.want("beyond the bound", &source{blob: serving(c)}, pull.Want{Size: 5000, Loose: true}, c, "pull.too_long")
}

func TestADifferenceIsTriedFirst(t *testing.T) {
	old := content(10, 200_000)
	b := bytes.Clone(old)
	copy(b[1000:], "another version")
	var d bytes.Buffer
	if err := delta.Encode(t.Context(), &d, delta.Of(old), delta.Of(b), 0); err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(d.Bytes())
	for i := len(damaged) / 2; i < len(damaged); i++ { // one bit may be one of those that say nothing
		damaged[i] ^= 1
	}
	var other bytes.Buffer
	if err := delta.Encode(t.Context(), &other, delta.Of(old), delta.Of(content(11, 200_000)), 0); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		delta func() (io.ReadCloser, error)
		whole bool
	}{
		{"good", func() (io.ReadCloser, error) { return whole(d.Bytes()), nil }, false},
		{"none", nil, true},
		{"damaged", func() (io.ReadCloser, error) { return whole(damaged), nil }, true},
		{"of another file", func() (io.ReadCloser, error) { return whole(other.Bytes()), nil }, true},
		{"cut", func() (io.ReadCloser, error) { return cut(d.Bytes()[:d.Len()/2]), nil }, true},
		{"empty", func() (io.ReadCloser, error) { return whole(nil), nil }, true},
		{"endless", func() (io.ReadCloser, error) { return io.NopCloser(endless{}), nil }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := here(t)
			like, _, err := p.Blobs.Put(t.Context(), bytes.NewReader(old), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			src := &source{blob: serving(b), delta: c.delta}
			got, reported := p.want(c.name, src, pull.Want{Size: 200_000, Like: like}, b, "")
			if src.deltas != 1 || (len(src.offsets) > 0) != c.whole {
				t.Errorf("asked for %d deltas and %d wholes", src.deltas, len(src.offsets))
			}
			if reported != 200_000 {
				t.Errorf("reported %d", reported)
			}
			if !c.whole && (got.Bytes != int64(d.Len()) || got.Saved != 200_000-int64(d.Len())) {
				t.Errorf("got %+v of a delta of %d", got, d.Len())
			}
			if c.whole && (got.Bytes < 200_000 || got.Saved != 0) {
				t.Errorf("got %+v", got)
			}
			p.Apply = nil
			p.want("without differences", src, pull.Want{Size: 200_000, Like: like}, b, "")
		})
	}
	t.Run("to a blob that rotted", func(t *testing.T) {
		p := here(t)
		like, _, err := p.Blobs.Put(t.Context(), bytes.NewReader(old), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		path := p.Blobs.Path(like)
		if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, content(12, 200_000), 0o600)); err != nil {
			t.Fatal(err)
		}
		src := &source{blob: serving(b), delta: func() (io.ReadCloser, error) { return whole(d.Bytes()), nil }}
		p.want("rotted", src, pull.Want{Size: 200_000, Like: like}, b, "")
	})
}

// slow gives first and then nothing until it is closed.
type slow struct {
	first  io.Reader
	closed chan struct{}
}

func newSlow(b []byte) *slow { return &slow{bytes.NewReader(b), make(chan struct{})} }

func (s *slow) Read(b []byte) (int, error) {
	if n, err := s.first.Read(b); err == nil {
		return n, nil
	}
	<-s.closed
	return 0, errCut
}

func (s *slow) Close() error {
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	return nil
}

func TestASlowSourceIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, old, b := here(t), content(13, 9000), content(14, 9000)
		begun := time.Now()
		p.want("whole", &source{blob: func(int64) (io.ReadCloser, int64, error) { return newSlow(b[:100]), 0, nil }}, pull.Want{Size: 9000}, b, "pull.broken")
		if d := time.Since(begun); d != pull.StallAfter {
			t.Errorf("given up after %s", d)
		}
		like, _, err := p.Blobs.Put(t.Context(), bytes.NewReader(old), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		begun = time.Now()
		src := &source{blob: serving(b), delta: func() (io.ReadCloser, error) { return newSlow(nil), nil }}
		p.want("difference, then whole", src, pull.Want{Size: 9000, Like: like}, b, "")
		if d := time.Since(begun); d != pull.StallAfter {
			t.Errorf("the difference was given up after %s", d)
		}
	})
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, b := here(t), content(15, 10_000)
		p.Limit = rate.NewLimiter(1000, 1000)
		begun := time.Now()
		p.want("limited", &source{blob: serving(b)}, pull.Want{Size: 10_000}, b, "")
		if d := time.Since(begun); d < 9*time.Second || d > 11*time.Second {
			t.Errorf("10,000 bytes at 1,000 a second took %s", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		c := content(16, 10_000)
		if _, err := p.Fetch(ctx, &source{blob: serving(c)}, pull.Want{Digest: edgeward.DigestOf(c), Size: 10_000}, func(int64) {}); err == nil {
			t.Error("it did not end with its context")
		}
	})
}

// of cuts b into blocks of a size.
func of(b []byte, size int) (out []blocks.Block) {
	for len(b) > 0 {
		n := min(size, len(b))
		sum := sha256.Sum256(b[:n])
		out, b = append(out, blocks.Block{Size: int64(n), SHA256: hex.EncodeToString(sum[:])}), b[n:]
	}
	return out
}

// A source that sends another block is given up there; what came before stays, and another source goes on.
func TestABadBlockEndsATransferAtOnce(t *testing.T) {
	p, b := here(t), content(17, 900_000)
	w := pull.Want{Size: 900_000, Blocks: of(b, 100_000)}
	bad := bytes.Clone(b)
	bad[250_000] ^= 1
	src := &source{blob: func(at int64) (io.ReadCloser, int64, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(bad[at:]), endless{})), at, nil
	}}
	got, _ := p.want("from a bad peer", src, w, b, "pull.mismatch")
	if got.Bytes > 600_000 || p.parts() != 1 {
		t.Errorf("got %+v, %d parts", got, p.parts())
	}
	src = &source{blob: serving(b)}
	if got, reported := p.want("from a good one", src, w, b, ""); len(src.offsets) != 1 || src.offsets[0] != 200_000 || got.Bytes != 700_000 || reported != 900_000 {
		t.Errorf("asked at %v, got %+v, reported %d", src.offsets, got, reported)
	}
}

// What is in a part is held against its blocks before a transfer goes on.
func TestAPartThatRottedGoesOnAfterItsLastGoodBlock(t *testing.T) {
	p, b := here(t), content(18, 900_000)
	w := pull.Want{Size: 900_000, Blocks: of(b, 100_000)}
	p.want("cut", &source{blob: func(int64) (io.ReadCloser, int64, error) { return cut(b[:555_555]), 0, nil }}, w, b, "pull.broken")
	part := filepath.Join(p.Dir, edgeward.DigestOf(b).Hex()+".part")
	raw, err := os.ReadFile(part)
	if err != nil || len(raw) != 555_555 {
		t.Fatal(len(raw), err)
	}
	raw[310_000] ^= 1
	if err := os.WriteFile(part, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	src := &source{blob: serving(b)}
	if got, _ := p.want("on", src, w, b, ""); src.offsets[0] != 300_000 || got.Bytes != 600_000 {
		t.Errorf("asked at %v, got %+v", src.offsets, got)
	}
	p2 := here(t)
	p2.want("cut", &source{blob: func(int64) (io.ReadCloser, int64, error) { return cut(b[:555_555]), 0, nil }}, w, b, "pull.broken")
	if got, _ := p2.want("a source that cannot skip", &source{blob: func(int64) (io.ReadCloser, int64, error) { return whole(b), 0, nil }}, w, b, ""); got.Bytes != 900_000 {
		t.Errorf("got %+v", got)
	}
	w.Blocks = w.Blocks[1:] // no list of this blob: as if there were none
	here(t).want("with another's blocks", &source{blob: serving(b)}, w, b, "")
}

func TestADifferenceIsHeldAgainstTheBlocks(t *testing.T) {
	old, b := content(19, 300_000), content(20, 300_000)
	for name, wrong := range map[string]int{"right": -1, "wrong in its second block": 150_000} {
		t.Run(name, func(t *testing.T) {
			p := here(t)
			like, _, err := p.Blobs.Put(t.Context(), bytes.NewReader(old), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			var end int64
			p.Apply = func(w io.Writer, _ io.ReaderAt, _ int64, _ io.Reader, _ int64) error {
				now := bytes.Clone(b)
				if wrong >= 0 {
					now[wrong] ^= 1
				}
				for at := 0; at < len(now); at += 1000 {
					n, err := w.Write(now[at : at+1000])
					if end += int64(n); err != nil {
						return err
					}
				}
				return nil
			}
			src := &source{blob: serving(b), delta: func() (io.ReadCloser, error) { return whole([]byte("x")), nil }}
			p.want(name, src, pull.Want{Size: 300_000, Like: like, Blocks: of(b, 100_000)}, b, "")
			if wrong >= 0 && (end >= 200_000 || len(src.offsets) != 1) || wrong < 0 && len(src.offsets) != 0 {
				t.Errorf("written %d, asked for the whole %d times", end, len(src.offsets))
			}
		})
	}
}
