package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/audit"
	"edgeward/node/events"
	"edgeward/node/store"
)

var day = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func event(n int) events.Event {
	return events.Event{Time: day.Add(time.Duration(n) * time.Second), Principal: "user:alice", Action: "model.version.created", Reason: fmt.Sprintf("because of %d", n),
		Group: fmt.Sprintf("G%d", n%3), Object: events.Object{Kind: "version", Name: "m", ID: fmt.Sprint(n)}}
}

func fill(t testing.TB, n int) *store.DB {
	t.Helper()
	db, err := store.Open(t.TempDir(), store.Options{Now: func() time.Time { return day }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Update(t.Context(), func(tx *store.Tx) error {
		for i := range n {
			if _, err := tx.Append(event(i + 1)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return db
}

// tampered is a log under an attacker's hands: stored bytes and the head beside them.
type tampered struct {
	raws [][]byte
	head events.Head
}

func (l *tampered) Head(context.Context) (events.Head, error) { return l.head, nil }

func (l *tampered) RawEvents(_ context.Context, after uint64, limit int, fn func(uint64, []byte) error) error {
	for i := int(after); i < len(l.raws) && i < int(after)+limit; i++ {
		if err := fn(uint64(i+1), l.raws[i]); err != nil {
			return err
		}
	}
	return nil
}

func copyOf(t testing.TB, db *store.DB) *tampered {
	t.Helper()
	l := &tampered{}
	if err := db.RawEvents(t.Context(), 0, 1<<20, func(_ uint64, raw []byte) error {
		l.raws = append(l.raws, bytes.Clone(raw))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var err error
	if l.head, err = db.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// rewritten is what an attacker makes who changes one event and then writes all that follows and the head anew.
func rewritten(t testing.TB, n, edit int) *tampered {
	t.Helper()
	l := &tampered{head: events.Head{Last: events.Origin}}
	var v events.Verifier
	for i := 1; i <= n; i++ {
		e := event(i)
		if i == edit {
			e.Reason = "a nicer one"
		}
		e.Seq, e.Prev = uint64(i), l.head.Last
		raw, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Add(raw); err != nil {
			t.Fatal(err)
		}
		l.raws, l.head = append(l.raws, raw), v.Head()
	}
	return l
}

func TestASoundLog(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 499, 500, 501, 1100} {
		db := fill(t, n)
		r, err := audit.Verify(t.Context(), db)
		head, _ := db.Head(t.Context())
		if err != nil || !r.OK || r.Head != head || head.Size != uint64(n) {
			t.Errorf("%d events: %+v, %v, head %+v", n, r, err, head)
		}
	}
}

func TestWhatAnAttackerDoesIsFound(t *testing.T) {
	const n = 40
	db := fill(t, n)
	for _, row := range []struct {
		name string
		do   func(l *tampered)
		bad  uint64
	}{
		{"an edited event", func(l *tampered) { l.raws[9] = bytes.Replace(l.raws[9], []byte("alice"), []byte("mallo"), 1) }, 10},
		{"the first edited", func(l *tampered) { l.raws[0] = bytes.Replace(l.raws[0], []byte("alice"), []byte("mallo"), 1) }, 1},
		{"the last edited", func(l *tampered) { l.raws[n-1] = bytes.Replace(l.raws[n-1], []byte("alice"), []byte("mallo"), 1) }, n},
		{"a space more", func(l *tampered) { l.raws[9] = append(l.raws[9], ' ') }, 10},
		{"a removed event", func(l *tampered) { l.raws = slices.Delete(l.raws, 9, 10) }, 10},
		{"the end cut off", func(l *tampered) { l.raws = l.raws[:30] }, 31},
		{"an inserted event", func(l *tampered) { l.raws = slices.Insert(l.raws, 9, l.raws[20]) }, 10},
		{"two exchanged", func(l *tampered) { l.raws[9], l.raws[10] = l.raws[10], l.raws[9] }, 10},
		{"two exchanged and renumbered", func(l *tampered) {
			a, b := bytes.Replace(l.raws[10], []byte(`"seq":11`), []byte(`"seq":10`), 1), bytes.Replace(l.raws[9], []byte(`"seq":10`), []byte(`"seq":11`), 1)
			l.raws[9], l.raws[10] = a, b
		}, 9},
		{"one appended behind the head", func(l *tampered) {
			l.raws, l.head.Size = append(l.raws, bytes.Replace(l.raws[n-1], []byte(`"seq":40`), []byte(`"seq":41`), 1)), n+1
		}, n},
		{"another root", func(l *tampered) { l.head.Root = strings.Repeat("ab", 32) }, 1},
		{"no event at all", func(l *tampered) { l.raws[9] = []byte("{") }, 10},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := copyOf(t, db)
			row.do(l)
			r, err := audit.Verify(t.Context(), l)
			if err != nil || r.OK || r.Bad != row.bad || r.What == "" {
				t.Errorf("%+v, %v; want event %d", r, err, row.bad)
			}
		})
	}
}

func TestARewrittenLogIsFoundByAHeadKeptElsewhere(t *testing.T) {
	kept, err := fill(t, 25).Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	forged := rewritten(t, 40, 10)
	if r, err := audit.Verify(t.Context(), forged); err != nil || !r.OK {
		t.Fatalf("a log rewritten as a whole is sound by itself, that is why heads are kept: %+v %v", r, err)
	}
	if r, err := audit.Verify(t.Context(), forged, kept); err != nil || r.OK {
		t.Errorf("with yesterday's head: %+v %v", r, err)
	}
	honest := rewritten(t, 40, 0)
	if r, err := audit.Verify(t.Context(), honest, kept, honest.head); err != nil || !r.OK {
		t.Errorf("the honest log: %+v %v", r, err)
	}
	if r, err := audit.Verify(t.Context(), rewritten(t, 20, 0), kept); err != nil || r.OK || r.Bad != 21 {
		t.Errorf("a log shorter than the kept head: %+v %v", r, err)
	}
}

func TestAnExportIsVerifiedByItself(t *testing.T) {
	db := fill(t, 700)
	var file bytes.Buffer
	head, err := audit.Export(t.Context(), db, &file, "er-1", "", day)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := audit.VerifyExport(bytes.NewReader(file.Bytes()), head); err != nil || !r.OK || r.Head != head {
		t.Fatalf("%+v %v", r, err)
	}
	t.Run("any changed byte of an event or of the checkpoint is found", func(t *testing.T) {
		small := fill(t, 5)
		var file bytes.Buffer
		if _, err := audit.Export(t.Context(), small, &file, "er-1", "", day); err != nil {
			t.Fatal(err)
		}
		first := bytes.IndexByte(file.Bytes(), '\n') + 1
		last := bytes.Index(file.Bytes(), []byte(`,"events":`)) // the count behind it is a comfort, not a claim
		for i := first; i < last; i++ {
			changed := bytes.Clone(file.Bytes())
			changed[i] ^= 1
			if r, err := audit.VerifyExport(bytes.NewReader(changed)); err == nil && r.OK {
				t.Errorf("byte %d: %q became %q unseen", i, file.Bytes()[i], changed[i])
			}
		}
	})
	t.Run("a file without its end is not sound", func(t *testing.T) {
		cut := file.Bytes()[:file.Len()/2]
		if r, err := audit.VerifyExport(bytes.NewReader(cut)); err == nil && r.OK {
			t.Errorf("%+v", r)
		}
	})
	t.Run("a group's export holds nothing of others and says that it proves nothing", func(t *testing.T) {
		var file bytes.Buffer
		if _, err := audit.Export(t.Context(), db, &file, "er-1", "G1", day); err != nil {
			t.Fatal(err)
		}
		if s := file.String(); strings.Contains(s, `"group":"G2"`) || strings.Count(s, `"group":"G1"`) < 200 {
			t.Error("the wrong events")
		}
		if _, err := audit.VerifyExport(&file); edgeward.CodeOf(err) != "audit.export" {
			t.Error(err)
		}
	})
}

func FuzzVerifyExport(f *testing.F) {
	var file bytes.Buffer
	if _, err := audit.Export(f.Context(), fill(f, 3), &file, "er-1", "", day); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"export":"edgeward.audit/1"}` + "\n" + `{"checkpoint":{"size":0}}`))
	honest, err := audit.VerifyExport(bytes.NewReader(file.Bytes()))
	if err != nil || !honest.OK {
		f.Fatal(honest, err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := audit.VerifyExport(bytes.NewReader(b), honest.Head)
		if err == nil && r.OK && r.Head.Size < 3 {
			t.Errorf("sound without the events of the kept head: %+v", r)
		}
	})
}

func Example() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	db, err := store.Open(dir, store.Options{Now: func() time.Time { return day }})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	ctx := context.Background()
	if err := db.Record(ctx, events.Event{Time: day, Principal: "user:alice", Action: "node.started", Object: events.Object{Kind: "node"}}); err != nil {
		fmt.Println(err)
	}
	r, err := audit.Verify(ctx, db)
	fmt.Println(r.OK, r.Head.Size, err)
	// Output: true 1 <nil>
}
