package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/node/events"
	"edgeward/node/store"
)

// TestFlippedBitsAreFound flips 500 bits in values of records, one at a time. Each must be found by Check, and reading
// the record must be an error or the truth, never a wrong answer.
func TestFlippedBitsAreFound(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	const n = 40
	for i := range n {
		g := group(i)
		g.Title = fmt.Sprintf("[[%d]]%s", i, strings.Repeat("payload ", 8))
		addGroup(t, db, g)
	}
	db.Close()
	path := filepath.Join(dir, store.File)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The live copy of each title is where the newest pages hold it; older copies are free pages. A flip that Check does
	// not see must be in a free page: then the sound state is read.
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	random := rand.New(rand.NewPCG(1, 2))
	found, free := 0, 0
	for found < 500 {
		i := random.IntN(n)
		mark := []byte(fmt.Sprintf("[[%d]]", i))
		var places []int
		for at := 0; ; {
			k := bytes.Index(sound[at:], mark)
			if k < 0 {
				break
			}
			places, at = append(places, at+k), at+k+1
		}
		at := places[random.IntN(len(places))] + random.IntN(60) - 20
		if _, err := file.WriteAt([]byte{sound[at] ^ 1<<random.IntN(8)}, int64(at)); err != nil {
			t.Fatal(err)
		}
		r, err := store.Check(t.Context(), dir)
		switch {
		case err != nil:
			t.Fatal(err)
		case r.Found > 0:
			found++
			wantNoWrongAnswer(t, dir, n, 1)
		default:
			if free++; free > 5000 {
				t.Fatalf("only %d of 500 found", found)
			}
			if int(r.Events.Size) != n || r.Records["groups"] != n {
				t.Fatalf("a flip at %d changed the answer unseen: %+v", at, r)
			}
		}
		if t.Failed() {
			return
		}
		if _, err := file.WriteAt(sound[at:at+1], int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d flips found, %d more were in free pages", found, free)
}

// wantNoWrongAnswer reads n groups: each must be right, absent groups and errors other than store.damaged are wrong, and
// at most as many as may be are unreadable.
func wantNoWrongAnswer(t *testing.T, dir string, n, unreadable int) {
	t.Helper()
	db, err := store.Open(dir, store.Options{})
	if err != nil {
		if edgeward.CodeOf(err) != "store.damaged" {
			t.Error(err)
		}
		return
	}
	defer db.Close()
	bad := 0
	for i := range n {
		g, err := db.Group(t.Context(), group(i).ID)
		switch {
		case err == nil && (g.Name != group(i).Name || !strings.HasPrefix(g.Title, fmt.Sprintf("[[%d]]payload payload ", i))):
			t.Errorf("a wrong answer: %+v", g)
		case err != nil && edgeward.CodeOf(err) != "store.damaged":
			t.Errorf("group %d: %v", i, err)
		case err != nil:
			bad++
		}
	}
	if bad > unreadable {
		t.Errorf("one bit made %d groups unreadable", bad)
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	addGroup(t, db, group(1))
	t.Run("a store in use is not checked", func(t *testing.T) {
		_, err := store.Check(t.Context(), dir)
		wantCode(t, err, edgeward.Conflict, "store.locked")
	})
	db.Close()
	t.Run("a sound store has no problems", func(t *testing.T) {
		r, err := store.Check(t.Context(), dir)
		if err != nil || r.Found != 0 || r.Format != store.Format || r.Events.Size != 1 || !r.Created.Equal(day) {
			t.Errorf("%+v %v", r, err)
		}
	})
	t.Run("no store", func(t *testing.T) {
		_, err := store.Check(t.Context(), t.TempDir())
		wantCode(t, err, edgeward.NotFound, "store.missing")
	})
}

// TestGarbageNeverEndsTheProcess overwrites a page, its beginning or a part of it with garbage, and opens, reads, writes
// and checks. All may fail; the test binary may not, and no answer may be wrong.
func TestGarbageNeverEndsTheProcess(t *testing.T) {
	const n = 60
	db := open(t, t.TempDir())
	for i := range n {
		g := group(i)
		g.Title = fmt.Sprintf("[[%d]]%s", i, strings.Repeat("payload ", 40))
		addGroup(t, db, g)
	}
	small := filepath.Join(t.TempDir(), "small.db")
	if _, err := db.Backup(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(small)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	dir, seen := t.TempDir(), 0
	path := filepath.Join(dir, store.File)
	for page := 0; page*4096 < len(sound); page++ {
		for _, garbage := range []struct{ from, to int }{{0, 4096}, {0, 16}, {16, 64}, {8, 10}, {10, 12}, {16, 4096}} {
			broken := slices.Clone(sound)
			for i := garbage.from; i < garbage.to; i++ {
				broken[page*4096+i] = byte(random.Uint32())
			}
			if err := os.WriteFile(path, broken, 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := store.Check(t.Context(), dir)
			if err != nil || r.Found > 0 {
				seen++
			} else if int(r.Events.Size) != n || r.Records["groups"] != n {
				t.Errorf("page %d %v: a wrong answer unseen: %+v", page, garbage, r)
			}
			wantNoWrongAnswer(t, dir, n, n)
			if db, err := store.Open(dir, store.Options{Now: now}); err == nil {
				_ = db.CreateGroup(t.Context(), group(1000), event("group.created", "group", "G1000"))
				db.Close()
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d of the damages were seen", seen)
	}
}

func TestBackupWhileWriting(t *testing.T) {
	dir, into := t.TempDir(), t.TempDir()
	db := open(t, dir)
	for n := range 20 {
		if err := write(db, n); err != nil {
			t.Fatal(err)
		}
	}
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		n := 20
		defer func() { done <- n }()
		for ; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := write(db, n); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	var heads []events.Head
	for i := range 5 {
		head, err := db.Backup(t.Context(), filepath.Join(into, fmt.Sprintf("b%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, head)
	}
	close(stop)
	written := <-done
	for i, head := range heads {
		fresh := t.TempDir()
		backup := filepath.Join(into, fmt.Sprintf("b%d", i))
		r, err := store.Restore(t.Context(), backup, fresh)
		if err != nil || r.Events != head {
			t.Fatalf("backup %d: %+v, %v; want head %+v", i, r, err, head)
		}
		restored := open(t, fresh)
		if got, err := restored.Head(t.Context()); err != nil || got != head {
			t.Errorf("backup %d: the restored log is at %+v, the backup said %+v", i, got, head)
		}
		if err := write(restored, int(head.Size)); err != nil {
			t.Errorf("a restored store takes writes: %v", err)
		}
	}
	if head, _ := db.Head(t.Context()); int(head.Size) != written {
		t.Errorf("%d events, %d written", head.Size, written)
	}
	t.Run("a backup is not overwritten", func(t *testing.T) {
		_, err := db.Backup(t.Context(), filepath.Join(into, "b0"))
		wantCode(t, err, edgeward.Conflict, "backup.exists")
	})
	t.Run("nor is a store", func(t *testing.T) {
		_, err := store.Restore(t.Context(), filepath.Join(into, "b0"), dir)
		wantCode(t, err, edgeward.Conflict, "store.exists")
	})
	t.Run("a damaged backup is refused and leaves nothing", func(t *testing.T) {
		b, err := os.ReadFile(filepath.Join(into, "b0"))
		if err != nil {
			t.Fatal(err)
		}
		bad := filepath.Join(into, "bad")
		if err := os.WriteFile(bad, bytes.ReplaceAll(b, []byte(`"user:alice"`), []byte(`"user:mallo"`)), 0o600); err != nil {
			t.Fatal(err)
		}
		fresh := t.TempDir()
		_, err = store.Restore(t.Context(), bad, fresh)
		wantCode(t, err, edgeward.Conflict, "backup.damaged")
		if left, _ := os.ReadDir(fresh); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("a stopped backup leaves nothing", func(t *testing.T) {
		gone := t.TempDir()
		ctx, cancel := contextCanceled(t)
		defer cancel()
		if _, err := db.Backup(ctx, filepath.Join(gone, "b")); err == nil {
			t.Error("it went on")
		}
		if left, _ := os.ReadDir(gone); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// TestALongReaderBlocksNoWriter holds a read transaction while more than a first mapping would hold is written.
func TestALongReaderBlocksNoWriter(t *testing.T) {
	db := open(t, t.TempDir())
	addGroup(t, db, group(0))
	errDone := errors.New("done")
	err := db.View(t.Context(), func(*store.Tx) error {
		for n := 1; n <= 60; n++ {
			g := group(n)
			g.Title = strings.Repeat("x", 500_000)
			if err := db.CreateGroup(t.Context(), g, event("group.created", "group", g.ID)); err != nil {
				return err
			}
		}
		return errDone
	})
	if !errors.Is(err, errDone) {
		t.Fatal(err)
	}
	var count int
	if err := db.View(t.Context(), func(tx *store.Tx) error {
		return store.Groups.Each(tx, func(auth.Group) error { count++; return nil })
	}); err != nil || count != 61 {
		t.Errorf("%d groups, %v", count, err)
	}
}
