package role

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/sync/blobs"
	"edgeward/sync/delta"
	"edgeward/sync/pull"
)

// workshop makes differences between what was put there.
type workshop struct {
	testing.TB
	*deltas
}

func newWorkshop(t testing.TB) workshop {
	t.Helper()
	dir := t.TempDir()
	store, err := blobs.Open(filepath.Join(dir, "blobs"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return workshop{t, newDeltas(Parts{Dir: dir, Blobs: store, Now: time.Now, Log: slog.New(slog.DiscardHandler)})}
}

// runs makes what is asked for until the test is over.
func (w workshop) runs(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { w.Run(ctx) })
	t.Cleanup(func() { stop(); run.Wait() })
}

func (w workshop) put(b []byte) hub.Part {
	w.Helper()
	d, _, err := w.p.Blobs.Put(context.Background(), bytes.NewReader(b), 64<<20)
	if err != nil {
		w.Fatal(err)
	}
	return hub.Part{Digest: d}
}

// asks asks once; the code of the answer is "" if the difference came, and made the right file.
func (w workshop) asks(from, to hub.Part) string {
	w.Helper()
	f, size, err := w.Between(context.Background(), from, to)
	if err != nil {
		if edgeward.CodeOf(err) == pull.Making && edgeward.ParamsOf(err)["retry_after"] == "" {
			w.Error("it does not say when to ask again")
		}
		return edgeward.CodeOf(err)
	}
	defer f.Close()
	var out bytes.Buffer
	base, _ := w.p.Blobs.ReadAll(context.Background(), from.Digest, 64<<20)
	if err := delta.Apply(&out, bytes.NewReader(base), int64(len(base)), io.LimitReader(f, size), 64<<20); err != nil || edgeward.DigestOf(out.Bytes()) != to.Digest {
		w.Errorf("it made %d bytes: %v", out.Len(), err)
	}
	return ""
}

// pair is a text and a later one.
func pair(seed byte) (old, now []byte) {
	old = bytes.Repeat([]byte{'v', seed, ' ', 'w', 'h', 'a', 't', ' ', 'i', 't', ' ', 's', 'a', 'y', 's', '.'}, 3000)
	return old, append([]byte("since then: "), old...)
}

func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestADifferenceIsMadeInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(t)
		old, now := pair(1)
		from, to := w.put(old), w.put(now)
		a, b := w.put(noise(1, 1<<16)), w.put(noise(2, 1<<16))
		for range 4 {
			if got := w.asks(from, to); got != pull.Making {
				t.Fatalf("before anything is made: %q", got)
			}
		}
		if got := w.asks(a, b); got != pull.Making || len(w.queue) != 2 {
			t.Errorf("%q, %d are waiting; each pair counts once", got, len(w.queue))
		}
		if got := w.asks(from, hub.Part{Digest: edgeward.DigestOf([]byte("not here"))}); got != "delta.none" {
			t.Errorf("of what is not here: %q", got)
		}
		w.runs(t)
		synctest.Wait()
		if got := w.asks(from, to); got != "" {
			t.Errorf("then: %q", got)
		}
		if got := w.asks(a, b); got != "delta.none" {
			t.Errorf("noise of noise: %q", got)
		}
		if got := w.asks(b, a); got != pull.Making {
			t.Errorf("the other way: %q", got)
		}
	})
}

// One that is there waits for none that is being made, however long that takes.
func TestADifferenceThatIsThereIsGivenAtOnce(t *testing.T) {
	w := newWorkshop(t)
	old, now := pair(1)
	from, to := w.put(old), w.put(now)
	w.ask(from, to, askedFor)
	if err := w.make(t.Context(), w.queue[0]); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock() // whatever goes on
	defer w.mu.Unlock()
	if got := w.asks(from, to); got != "" {
		t.Error(got)
	}
}

func TestNobodyWantsTheDifferenceAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(t)
		old, now := pair(1)
		from, to := w.put(old), w.put(now)
		old, now = pair(2)
		later, ahead := w.put(old), w.put(now)
		w.asks(from, to)
		w.Prepare(later, ahead)
		time.Sleep(askedFor + time.Second)
		first := w.queue[0]
		if err := w.make(t.Context(), first); err == nil {
			t.Error("it was made to its end")
		}
		w.runs(t)
		synctest.Wait()
		if _, err := os.Stat(first.path); err == nil || len(w.queue) != 0 || len(w.failed) != 0 {
			t.Errorf("what nobody wants was made: %v, %d waiting, %d failed", err, len(w.queue), len(w.failed))
		}
		if got := w.asks(later, ahead); got != "" {
			t.Errorf("what a rollout will need: %q", got)
		}
		w.asks(from, to)
		synctest.Wait()
		if got := w.asks(from, to); got != "" {
			t.Errorf("asked for again: %q", got)
		}
	})
}

func TestADifferenceThatCannotBeMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(t)
		old, now := pair(1)
		from, to := w.put(old), w.put(now)
		w.Prepare(from, to)
		if err := os.Remove(w.p.Blobs.Path(from.Digest)); err != nil {
			t.Fatal(err)
		}
		w.runs(t)
		synctest.Wait()
		w.put(old)
		if got := w.asks(from, to); got != "delta.none" {
			t.Fatalf("%q: nodes wait for it", got)
		}
		time.Sleep(triedAgain)
		if got := w.asks(from, to); got != pull.Making {
			t.Errorf("ten minutes later: %q", got)
		}
		synctest.Wait()
		if got := w.asks(from, to); got != "" {
			t.Errorf("then: %q", got)
		}
	})
}

func TestHowManyDifferencesMayWait(t *testing.T) {
	w := newWorkshop(t)
	one := w.put([]byte("one"))
	for i := range maxMaking + 10 {
		if got := w.asks(one, w.put(noise(uint64(i), 10))); got != pull.Making {
			t.Errorf("the %d. is told %q", i+1, got)
		}
	}
	if len(w.queue) != maxMaking {
		t.Errorf("%d wait", len(w.queue))
	}
}

// A small file beside a large one comes whole: nobody waits for the large one to be looked through.
func TestAFileOfAnotherSizeHasNoDifference(t *testing.T) {
	w := newWorkshop(t)
	part := func(n int) hub.Part { return w.put(bytes.Repeat([]byte("what a model was trained to say. "), n)) }
	for n, code := range map[int]string{300: "delta.none", 600: pull.Making} {
		if got := w.asks(part(4000), part(n)); got != code {
			t.Errorf("4000 to %d: %q", n, got)
		}
	}
}
