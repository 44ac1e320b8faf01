package blobs_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"edgeward"
	"edgeward/sync/blobs"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a settable now.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func open(t *testing.T) (*blobs.Store, string, *clock) {
	t.Helper()
	dir, c := filepath.Join(t.TempDir(), "blobs"), &clock{t: t0}
	s, err := blobs.Open(dir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir, c
}

func put(t *testing.T, s *blobs.Store, b []byte) edgeward.Digest {
	t.Helper()
	d, n, err := s.Put(t.Context(), bytes.NewReader(b), 1<<30)
	if err != nil || n != int64(len(b)) || d != edgeward.DigestOf(b) {
		t.Fatalf("Put = %s, %d, %v", d, n, err)
	}
	return d
}

func noise(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func wantCode(t *testing.T, err error, kind edgeward.Kind, code string) {
	t.Helper()
	if edgeward.KindOf(err) != kind || edgeward.CodeOf(err) != code {
		t.Errorf("error %v (kind %v, code %q), want kind %v, code %q", err, edgeward.KindOf(err), edgeward.CodeOf(err), kind, code)
	}
}

func files(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPutThenReadInEveryWay(t *testing.T) {
	s, dir, _ := open(t)
	for _, size := range []int{0, 1, 4095, 256 << 10, 256<<10 + 1, 3 << 20} {
		want := noise(size, uint64(size))
		d := put(t, s, want)
		if put(t, s, want) != d {
			t.Fatal("a second Put of the same bytes has another digest")
		}
		got, err := s.ReadAll(t.Context(), d, 1<<30)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("size %d: ReadAll gave %d bytes, %v", size, len(got), err)
		}
		r, err := s.Open(d)
		if err != nil || r.Size() != int64(size) {
			t.Fatalf("Open: %v", err)
		}
		got, err = io.ReadAll(r)
		if r.Close(); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("size %d: Open gave %d bytes, %v", size, len(got), err)
		}
		p, err := s.Verified(t.Context(), d)
		if err != nil || p != s.Path(d) || !strings.HasPrefix(p, dir) {
			t.Fatalf("Verified = %q, %v", p, err)
		}
		if info, err := s.Stat(d); err != nil || info.Size != int64(size) || !info.Young.Equal(t0) {
			t.Fatalf("Stat = %+v, %v", info, err)
		}
	}
	if n := files(t, dir); n != 6 {
		t.Errorf("%d files for 6 blobs", n)
	}
	if u, err := s.Usage(t.Context()); err != nil || u.Blobs != 6 || u.Damaged != 0 {
		t.Errorf("Usage = %+v, %v", u, err)
	}
}

func TestRefusals(t *testing.T) {
	s, dir, _ := open(t)
	d := edgeward.DigestOf([]byte("never put"))
	_, err := s.Open(d)
	wantCode(t, err, edgeward.NotFound, "blob.not_found")
	_, err = s.Stat("sha256:" + edgeward.Digest(strings.Repeat("../", 21)+"x"))
	wantCode(t, err, edgeward.NotFound, "blob.not_found")
	_, err = s.Verified(t.Context(), "")
	wantCode(t, err, edgeward.NotFound, "blob.not_found")
	_, _, err = s.Put(t.Context(), strings.NewReader("four+"), 4)
	wantCode(t, err, edgeward.TooLarge, "blob.too_large")
	_, err = s.PutAs(t.Context(), d, strings.NewReader("something else"), 100)
	wantCode(t, err, edgeward.Invalid, "blob.mismatch")
	_, err = s.PutAs(t.Context(), "sha256:zz", strings.NewReader(""), 100)
	wantCode(t, err, edgeward.Invalid, "digest.invalid")
	_, _, err = s.Put(t.Context(), iotest.ErrReader(edgeward.E("peer", edgeward.Unavailable, "peer.gone", "cut")), 100)
	wantCode(t, err, edgeward.Unavailable, "peer.gone")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err = s.Put(ctx, strings.NewReader("x"), 100); !errors.Is(err, context.Canceled) {
		t.Errorf("Put with an ended context: %v", err)
	}
	if n := files(t, dir); n != 0 {
		t.Errorf("%d files left by refused Puts", n)
	}
	big := put(t, s, noise(100, 1))
	_, err = s.ReadAll(t.Context(), big, 99)
	wantCode(t, err, edgeward.TooLarge, "blob.too_large")
}

// Every single bit of a blob is flipped in turn; each flip is found, moved aside, and healed by the true bytes.
func TestEveryBitFlipIsFoundAndHealed(t *testing.T) {
	s, _, _ := open(t)
	want := noise(40, 7)
	d := put(t, s, want)
	reads := []func() error{
		func() error { _, err := s.ReadAll(t.Context(), d, 1<<20); return err },
		func() error { _, err := s.Verified(t.Context(), d); return err },
		func() error {
			r, err := s.Open(d)
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = io.Copy(io.Discard, r)
			return err
		},
	}
	for bit := range len(want) * 8 {
		flipped := bytes.Clone(want)
		flipped[bit/8] ^= 1 << (bit % 8)
		overwrite(t, s.Path(d), flipped)
		wantCode(t, reads[bit%3](), edgeward.Unavailable, "blob.damaged")
		_, err := s.Stat(d)
		wantCode(t, err, edgeward.Unavailable, "blob.damaged")
		if u, _ := s.Usage(t.Context()); u.Damaged != 1 || u.Blobs != 0 {
			t.Fatalf("bit %d: usage %+v after the flip was found", bit, u)
		}
		put(t, s, want)
		if err := reads[bit%3](); err != nil {
			t.Fatalf("bit %d: after healing: %v", bit, err)
		}
	}
	if u, _ := s.Usage(t.Context()); u.Damaged != 0 || u.Blobs != 1 {
		t.Errorf("usage %+v after healing", u)
	}
}

func overwrite(t *testing.T, p string, b []byte) {
	t.Helper()
	os.Remove(p) // mode 0400 stops whom it can
	if err := os.WriteFile(p, b, 0o400); err != nil {
		t.Fatal(err)
	}
}

func TestScrubFindsShortAndLongFiles(t *testing.T) {
	s, _, _ := open(t)
	a, b, c := noise(500, 1), noise(500, 2), noise(500, 3)
	da, db, dc := put(t, s, a), put(t, s, b), put(t, s, c)
	overwrite(t, s.Path(da), a[:499])
	overwrite(t, s.Path(db), append(bytes.Clone(b), 0))
	var read int64
	bad, err := s.Scrub(t.Context(), func(_ context.Context, n int64) error { read += n; return nil })
	if bad != 2 || err != nil || read != 1500 {
		t.Fatalf("Scrub = %d, %v after %d bytes; want 2", bad, err, read)
	}
	if _, err := s.Verified(t.Context(), dc); err != nil {
		t.Error(err)
	}
	found := map[edgeward.Digest]bool{}
	for i, err := range s.Damaged(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		found[i.Digest] = true
	}
	if !found[da] || !found[db] || len(found) != 2 {
		t.Errorf("Damaged yields %v", found)
	}
}

func TestSweepKeepsTheLiveTheYoungAndTheTouched(t *testing.T) {
	s, dir, c := open(t)
	live, dead, touched := put(t, s, noise(10, 1)), put(t, s, noise(20, 2)), put(t, s, noise(30, 3))
	rotten := put(t, s, noise(40, 4))
	overwrite(t, s.Path(rotten), []byte("rot"))
	if err := os.Chtimes(s.Path(rotten), t0, t0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verified(t.Context(), rotten); err == nil {
		t.Fatal("rot was not seen")
	}
	c.add(2 * time.Hour)
	young := put(t, s, noise(50, 5))
	if _, err := s.Touch(touched); err != nil {
		t.Fatal(err)
	}
	got, err := s.Sweep(t.Context(), func(d edgeward.Digest) bool { return d == live }, time.Hour, c.now())
	if want := (blobs.Swept{Kept: 3, Removed: 2, Freed: 23}); err != nil || got != want {
		t.Fatalf("Sweep = %+v, %v; want %+v", got, err, want)
	}
	for d, there := range map[edgeward.Digest]bool{live: true, touched: true, young: true, dead: false, rotten: false} {
		if _, err := s.Stat(d); (err == nil) != there {
			t.Errorf("%s: %v, want there = %v", d.Short(), err, there)
		}
	}
	if err := s.Delete(live); err != nil {
		t.Error(err)
	}
	if err := s.Delete(live); err != nil {
		t.Errorf("second Delete: %v", err)
	}
	if n := files(t, dir); n != 2 {
		t.Errorf("%d files, want 2", n)
	}
}

func TestConcurrentPutsAndSweepsOfTheSameBytes(t *testing.T) {
	s, dir, c := open(t)
	want := noise(100_000, 9)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				put(t, s, want)
				if _, err := s.Verified(t.Context(), edgeward.DigestOf(want)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			if _, err := s.Sweep(t.Context(), func(edgeward.Digest) bool { return false }, time.Minute, c.now()); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	if n := files(t, dir); n != 1 {
		t.Errorf("%d files, want 1", n)
	}
}
