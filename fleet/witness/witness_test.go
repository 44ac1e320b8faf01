package witness_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"edgeward"
	"edgeward/fleet/witness"
	"edgeward/sync/tuf"
)

var day = time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)

// tree is a hub's log: RFC 6962 over the lines that are in it.
type tree struct {
	hashes []tlog.Hash
	size   int64
	last   tlog.Hash
}

func (l *tree) ReadHashes(at []int64) (out []tlog.Hash, err error) {
	for _, i := range at {
		out = append(out, l.hashes[i])
	}
	return out, nil
}

func (l *tree) add(t testing.TB, lines ...string) *tree {
	t.Helper()
	for _, s := range lines {
		hs, err := tlog.StoredHashes(l.size, []byte(s), l)
		if err != nil {
			t.Fatal(err)
		}
		l.hashes, l.size, l.last = append(l.hashes, hs...), l.size+1, tlog.RecordHash([]byte(s))
	}
	return l
}

func (l *tree) head(t testing.TB) witness.Head {
	t.Helper()
	root, err := tlog.TreeHash(l.size, l)
	if err != nil {
		t.Fatal(err)
	}
	return witness.Head{Size: uint64(l.size), Root: hex.EncodeToString(root[:]), Last: hex.EncodeToString(l.last[:])}
}

func (l *tree) proof(have uint64) (out [][]byte) {
	if have == 0 || int64(have) > l.size {
		return nil
	}
	p, err := tlog.ProveTree(l.size, int64(have), l)
	if err != nil {
		panic(err)
	}
	for _, h := range p {
		out = append(out, h[:])
	}
	return out
}

// log has n lines; those from edit on are others (0: none).
func log(t testing.TB, n, edit int) *tree {
	t.Helper()
	l := &tree{}
	for i := 1; i <= n; i++ {
		s := fmt.Sprint("event ", i)
		if edit > 0 && i >= edit {
			s += ", as somebody would have liked it"
		}
		l.add(t, s)
	}
	return l
}

func TestAHeadGoesOnlyOn(t *testing.T) {
	hear := func(k witness.Kept, l *tree, term uint64) (witness.Kept, witness.Finding) {
		return k.Hear(witness.Statement{Fleet: "fleet1", Term: term, Head: l.head(t), At: day}, []byte("signed"), l.proof(k.Statement.Head.Size), day)
	}
	for _, n := range []int{1, 2, 3, 7, 8, 9, 40} {
		seen, found := hear(witness.Kept{}, log(t, n, 0), 1)
		if found != witness.Fits || seen.Statement.Head.Size != uint64(n) {
			t.Fatalf("the first head: %q, %+v", found, seen)
		}
		for m := 1; m <= 50; m++ {
			for edit := 0; edit <= m; edit++ {
				l := log(t, m, edit)
				want := witness.Fits
				switch {
				case m < n:
					want = witness.WentBack
				case edit > 0 && edit <= n:
					want = witness.Forked
				}
				k, found := hear(seen, l, 1)
				if found != want || (k.Odd != nil) != (want != witness.Fits) {
					t.Fatalf("seen %d, shown %d, other from %d on: %q, %+v", n, m, edit, found, k.Odd)
				}
				if want != witness.Fits && (k.Statement != seen.Statement || k.Odd.Statement.Head != l.head(t)) {
					t.Fatalf("what does not fit was believed, or is not kept: %+v", k)
				}
				// the same after a restore, which is another term
				k, found = hear(seen, l, 2)
				if want != witness.Fits {
					want = witness.Shorter
				}
				if found != want || k.Odd != nil || k.Statement.Head != l.head(t) || len(k.Before) != 1 || k.Before[0].Kept != (want == witness.Fits) || k.Before[0].Statement.Head != seen.Statement.Head {
					t.Fatalf("restored to %d, other from %d on: %q, %+v", m, edit, found, k)
				}
			}
		}
	}
	t.Run("a proof with a wrong hash, one more or one less", func(t *testing.T) {
		l := log(t, 40, 0)
		seen, _ := hear(witness.Kept{}, log(t, 7, 0), 1)
		s := witness.Statement{Fleet: "fleet1", Term: 1, Head: l.head(t)}
		good := l.proof(7)
		for i := range good {
			bad := append([][]byte{}, good...)
			bad[i] = append([]byte{}, bad[i]...)
			bad[i][3] ^= 1
			if _, found := seen.Hear(s, nil, bad, day); found != witness.Forked {
				t.Errorf("hash %d: %q", i, found)
			}
		}
		for _, bad := range [][][]byte{nil, good[1:], good[:len(good)-1], append(good[:len(good):len(good)], good[0]), {good[0][:31]}} {
			if _, found := seen.Hear(s, nil, bad, day); found != witness.Forked {
				t.Errorf("%d hashes: %q", len(bad), found)
			}
		}
	})
	t.Run("it fits again", func(t *testing.T) {
		seen, _ := hear(witness.Kept{}, log(t, 20, 0), 1)
		odd, _ := hear(seen, log(t, 30, 5), 1)
		k, found := hear(odd, log(t, 31, 0), 1)
		if found != witness.Again || k.Odd != nil || k.Statement.Head.Size != 31 {
			t.Errorf("%q %+v", found, k)
		}
	})
	t.Run("what did not fit stays, whatever the hub shows then", func(t *testing.T) {
		seen, _ := hear(witness.Kept{}, log(t, 20, 0), 1)
		fork := log(t, 30, 5).head(t)
		odd, _ := hear(seen, log(t, 30, 5), 1)
		for name, then := range map[string]*tree{"the same log": log(t, 20, 0), "it goes on": log(t, 31, 0), "fewer events": log(t, 12, 0)} {
			for _, term := range []uint64{1, 2} {
				k, _ := hear(odd, then, term)
				if len(k.Odds) != 1 || k.Odds[0].Statement.Head != fork || string(k.Odds[0].Envelope) != "signed" || k.Odds[0].Finding != witness.Forked {
					t.Errorf("%s, term %d: %+v", name, term, k.Odds)
				}
			}
		}
		k := odd
		for i := range 60 { // it flaps
			k, _ = hear(k, log(t, 20, 0), 1)
			k, _ = hear(k, log(t, 30, 5+i%15), 1)
		}
		k, _ = hear(k, log(t, 20, 0), 1)
		if len(k.Odds) != 8 || k.Odds[0].Statement.Head != fork || k.Odd != nil {
			t.Errorf("after flapping: %d, %+v", len(k.Odds), k.Odds)
		}
		for i, x := range k.Odds {
			for _, y := range k.Odds[:i] {
				if x.Statement.Head == y.Statement.Head {
					t.Errorf("twice: %+v", x.Statement)
				}
			}
		}
	})
	t.Run("a hub of an earlier term", func(t *testing.T) {
		seen, _ := hear(witness.Kept{}, log(t, 20, 0), 3)
		if k, found := hear(seen, log(t, 30, 5), 2); found != witness.Older || k.Odd != nil || k.Statement != seen.Statement {
			t.Errorf("%q %+v", found, k)
		}
	})
	t.Run("earlier terms are remembered, a few of them", func(t *testing.T) {
		k := witness.Kept{}
		for term := range uint64(20) {
			k, _ = hear(k, log(t, 20, 5), term+1)
		}
		if len(k.Before) != 8 || k.Before[7].Statement.Term != 19 {
			t.Errorf("%+v", k.Before)
		}
	})
}

// memory is a Store.
type memory struct {
	mu    sync.Mutex
	kept  witness.Kept
	found []witness.Finding
	puts  int
	err   error
}

func (m *memory) FleetWitness(context.Context) (witness.Kept, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept, nil
}

func (m *memory) PutFleetWitness(_ context.Context, k witness.Kept, f witness.Finding, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	m.kept = k
	m.puts++
	if f != witness.Fits {
		m.found = append(m.found, f)
	}
	return nil
}

// hub answers from a log.
type hub struct {
	mu    sync.Mutex
	log   *tree
	key   tuf.Key
	fleet string
	asked int
}

func (h *hub) becomes(l *tree) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.log = l
}

func (h *hub) ask(t testing.TB) func(context.Context, uint64, string) ([]byte, error) {
	return func(_ context.Context, size uint64, root string) ([]byte, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.asked++
		if h.log == nil {
			return nil, edgeward.E("hub", edgeward.Unavailable, "fleet.hub_away", "gone")
		}
		if head := h.log.head(t); head.Size == size && head.Root == root {
			return nil, nil
		}
		e, err := witness.Statement{Fleet: h.fleet, Head: h.log.head(t), At: day}.Sign(h.key)
		if err != nil {
			return nil, err
		}
		return json.Marshal(witness.Answer{Envelope: e, Proof: h.log.proof(size)})
	}
}

func TestANodeAsksAndRemembers(t *testing.T) {
	key, err := tuf.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		h, m := &hub{log: log(t, 5, 0), key: key, fleet: "fleet1"}, &memory{}
		told := 0
		o := witness.Options{Fleet: "fleet1", Key: func() (tuf.Public, error) { return key.Public(), nil }, Ask: h.ask(t), Store: m, Found: func() { told++ }, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
		w, err := witness.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = w.Run(ctx) }()
		synctest.Wait()
		if m.kept.Statement.Head.Size != 5 || m.puts != 1 {
			t.Fatalf("%+v, %d writes", m.kept, m.puts)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if h.asked > 8 || m.puts != 1 {
			t.Errorf("an idle hour: asked %d times, %d writes", h.asked, m.puts)
		}
		h.becomes(log(t, 5, 0).add(t, "one more"))
		for range 100 {
			w.Knock()
		}
		time.Sleep(witness.Rest + time.Second)
		synctest.Wait()
		if m.kept.Statement.Head.Size != 6 || h.asked > 10 {
			t.Errorf("after documents: %+v, asked %d times", m.kept, h.asked)
		}
		h.becomes(log(t, 9, 3))
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(m.found) != 1 || m.found[0] != witness.Forked || told != 1 || m.kept.Odd == nil || w.Kept().Report().Code != string(witness.Forked) {
			t.Errorf("rewritten: %v, told %d, %+v", m.found, told, m.kept.Odd)
		}
		h.becomes(log(t, 4, 0)) // another way of not fitting is no news
		time.Sleep(time.Hour)
		synctest.Wait()
		h.becomes(log(t, 5, 0).add(t, "one more")) // exactly what was seen
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(m.found) != 2 || m.found[1] != witness.Again || m.kept.Odd != nil {
			t.Errorf("again: %v %+v", m.found, m.kept.Odd)
		}
		forks := m.kept.Odds
		if len(forks) != 2 || forks[0].Statement.Head != log(t, 9, 3).head(t) || forks[1].Finding != witness.WentBack {
			t.Fatalf("the hub took its proof back: %+v", forks)
		}
		if b, err := tuf.OpenEnvelope(forks[0].Envelope, witness.Payload, witness.MaxStatement, key.Public()); err != nil {
			t.Errorf("as it was signed: %s %v", b, err)
		}
		h.becomes(nil)
		time.Sleep(time.Hour)
		cancel()
		<-done
	})
}

func TestWhatIsNotBelieved(t *testing.T) {
	key, err := tuf.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := tuf.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	good := &hub{log: log(t, 5, 0), key: key, fleet: "fleet1"}
	look := func(h *hub, m *memory) error {
		w, err := witness.Open(t.Context(), witness.Options{Fleet: "fleet1", Key: func() (tuf.Public, error) { return key.Public(), nil }, Ask: h.ask(t), Store: m, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			_, err = w.Look(t.Context())
		}
		return err
	}
	m := &memory{}
	if err := look(good, m); err != nil {
		t.Fatal(err)
	}
	was := m.kept
	for code, h := range map[string]*hub{
		"fleet.untrusted":  {log: log(t, 9, 1), key: other, fleet: "fleet1"},
		"fleet.audit_head": {log: log(t, 9, 1), key: key, fleet: "fleet2"},
		"fleet.hub_away":   {},
	} {
		if err := look(h, m); edgeward.CodeOf(err) != code || m.kept.Odd != was.Odd || m.kept.Statement != was.Statement {
			t.Errorf("%s: %v, %+v", code, err, m.kept)
		}
	}
	m.err = errors.New("the disk is full")
	if err := look(&hub{log: log(t, 9, 1), key: key, fleet: "fleet1"}, m); !errors.Is(err, m.err) {
		t.Errorf("a write that fails: %v", err)
	}
}

func FuzzParseAnswer(f *testing.F) {
	key, err := tuf.NewKey()
	if err != nil {
		f.Fatal(err)
	}
	h := &hub{log: log(f, 5, 0), key: key, fleet: "fleet1"}
	b, err := h.ask(f)(f.Context(), 3, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"envelope":"e30=","proof":["",""]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, s, err := witness.ParseAnswer(b, "fleet1", key.Public())
		if err != nil {
			return
		}
		if s.Head != h.log.head(t) {
			t.Fatal("a statement that the hub did not sign")
		}
		seen := witness.Kept{}
		seen.Statement.Head = log(t, 3, 2).head(t)
		if _, found := seen.Hear(s, a.Envelope, a.Proof, day); found != witness.Forked {
			t.Errorf("another log was taken: %q", found)
		}
	})
}

// TestTheStatementIsStable holds what is signed against the bytes that servers of the field verify.
func TestTheStatementIsStable(t *testing.T) {
	key, err := tuf.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	e, err := witness.Statement{Fleet: "fleet1", Term: 2, Head: witness.Head{Size: 1, Root: "ab", Last: "cd"}, At: day}.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := tuf.OpenEnvelope(e, "application/vnd.edgeward.audit-head+json", witness.MaxStatement, key.Public())
	if want := `{"at":"2026-11-26T08:00:00Z","fleet":"fleet1","format":1,"head":{"last":"cd","root":"ab","size":1},"term":2}`; err != nil || string(b) != want {
		t.Errorf("%s %v, want %s", b, err, want)
	}
}
