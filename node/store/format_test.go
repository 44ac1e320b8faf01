package store_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/node/store"
)

// TestFormat1Opens opens the kept data directory of store format 1. It was written by TestWriteFixture at that format and
// is never written again: what a released edgeward wrote must open, whatever the code has become.
func TestFormat1Opens(t *testing.T) {
	dir := t.TempDir()
	r, err := store.Restore(t.Context(), "testdata/v1/store.db", dir)
	if err != nil || r.Format != 1 || r.Events.Size != 3 {
		t.Fatalf("%+v %v", r, err)
	}
	db := open(t, dir)
	if g, err := db.GroupByName(t.Context(), "group-1"); err != nil || g.ID != "G001" {
		t.Error(g, err)
	}
	if head, err := db.Head(t.Context()); err != nil || head.Root != r.Events.Root {
		t.Error(head, err)
	}
	if err := write(db, 3); err != nil {
		t.Errorf("it takes writes: %v", err)
	}
}

// TestWriteFixture writes testdata/vN for a new Format, once: EDGEWARD_WRITE_FIXTURE=1.
func TestWriteFixture(t *testing.T) {
	if os.Getenv("EDGEWARD_WRITE_FIXTURE") == "" {
		t.Skip("only when a format is new")
	}
	db := open(t, t.TempDir())
	for n := range 3 {
		if err := write(db, n); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join("testdata", "v1", store.File)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
}

func TestRecordsOfAnotherSchema(t *testing.T) {
	db := open(t, t.TempDir())
	ctx := t.Context()
	addGroup(t, db, group(1))
	next := store.Groups // as the next edgeward would declare it
	next.Schema = 2
	next.Upgrade = func(schema uint16, data []byte) ([]byte, error) {
		var old map[string]any
		if err := json.Unmarshal(data, &old); err != nil {
			return nil, err
		}
		old["title"] = "upgraded"
		return json.Marshal(old)
	}
	if err := db.Update(ctx, func(tx *store.Tx) error {
		g, err := next.Get(tx, "", "G001")
		if err != nil || g.Title != "upgraded" {
			t.Errorf("an older record: %+v %v", g, err)
		}
		if err := next.Put(tx, g); err != nil {
			return err
		}
		_, err = tx.Append(event("group.changed", "group", "G001"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	_, err := db.Group(ctx, "G001")
	wantCode(t, err, edgeward.Conflict, "store.newer")
	if err := db.View(ctx, func(tx *store.Tx) error {
		return next.Each(tx, func(g auth.Group) error {
			if g.Title != "upgraded" {
				t.Errorf("%+v", g)
			}
			return nil
		})
	}); err != nil {
		t.Error(err)
	}
}

func TestANewIndexIsFilledAndANewNounStartsEmpty(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	addGroup(t, db, group(1))
	db.Close()
	for _, bucket := range []string{"ix/groups/name", "outbox", "users", "ix/users/name"} {
		if err := store.DropBucket(filepath.Join(dir, store.File), bucket); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := store.Check(t.Context(), dir); err != nil || r.Found > 0 {
		t.Fatalf("an older file is sound: %+v %v", r, err)
	}
	db = open(t, dir)
	if g, err := db.GroupByName(t.Context(), "group-1"); err != nil || g.ID != "G001" {
		t.Errorf("%+v %v", g, err)
	}
	if us, _, err := db.ListUsers(t.Context(), "", "", 0); err != nil || len(us) != 0 {
		t.Error(us, err)
	}
}

// TestAMarkOfANewerFormat has a newer edgeward say whether this one reads what it wrote.
func TestAMarkOfANewerFormat(t *testing.T) {
	for _, c := range []struct {
		format, readable int
		code             string
	}{
		{store.Format + 1, store.Format, ""},
		{store.Format + 3, store.Format, ""},
		{store.Format + 1, store.Format + 1, "store.newer"},
		{store.Format + 1, 0, "store.newer"},
	} {
		dir := t.TempDir()
		db := open(t, dir)
		if err := write(db, 1); err != nil {
			t.Fatal(err)
		}
		if err := store.MarkFormat(db, c.format, c.readable); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := store.Open(dir, store.Options{})
		if edgeward.CodeOf(err) != c.code {
			t.Errorf("format %d, readable from %d: %v", c.format, c.readable, err)
		}
		if err == nil {
			if err := write(again, 2); err != nil {
				t.Error(err)
			}
			again.Close()
		}
	}
}
