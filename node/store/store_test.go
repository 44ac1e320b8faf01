package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/node/events"
	"edgeward/node/store"
)

var day = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func now() time.Time { return day }

func open(t testing.TB, dir string) *store.DB {
	t.Helper()
	db, err := store.Open(dir, store.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func event(action, kind, id string) events.Event {
	return events.Event{Time: day, Principal: "user:alice", Action: action, Object: events.Object{Kind: kind, ID: id}}
}

func group(n int) auth.Group {
	return auth.Group{ID: fmt.Sprintf("G%03d", n), Name: fmt.Sprintf("group-%d", n), Created: day}
}

func addGroup(t testing.TB, db *store.DB, g auth.Group) {
	t.Helper()
	if err := db.CreateGroup(t.Context(), g, event("group.created", "group", g.ID)); err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, kind edgeward.Kind, code string) {
	t.Helper()
	if edgeward.KindOf(err) != kind || edgeward.CodeOf(err) != code {
		t.Fatalf("got %v (%s, %q), want %s %q", err, edgeward.KindOf(err), edgeward.CodeOf(err), kind, code)
	}
}

func TestAFactAndItsEventStandOrFallTogether(t *testing.T) {
	db := open(t, t.TempDir())
	ctx := t.Context()
	addGroup(t, db, group(1))

	boom := errors.New("boom")
	err := db.Update(ctx, func(tx *store.Tx) error {
		if err := store.Groups.Create(tx, group(2)); err != nil {
			return err
		}
		if _, err := tx.Append(event("group.created", "group", "G002")); err != nil {
			return err
		}
		if _, err := tx.Send(store.Outgoing{Topic: "t", Schema: "s/1", Key: "k", Body: []byte("{}")}); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("got %v, want the caller's own error", err)
	}
	_, err = db.Group(ctx, "G002")
	wantCode(t, err, edgeward.NotFound, "group.not_found")
	if head, _ := db.Head(ctx); head.Size != 1 {
		t.Fatalf("the log has %d events, want 1", head.Size)
	}
	if ms, _ := db.Next(ctx, 0, 10); len(ms) != 0 {
		t.Fatalf("%d messages were sent by a transaction that failed", len(ms))
	}
}

func TestAFactWithoutAnEventIsRefused(t *testing.T) {
	db := open(t, t.TempDir())
	err := db.Update(t.Context(), func(tx *store.Tx) error { return store.Groups.Put(tx, group(1)) })
	wantCode(t, err, edgeward.Internal, "store.write_without_event")
	_, err = db.Group(t.Context(), "G001")
	wantCode(t, err, edgeward.NotFound, "group.not_found")
}

func TestAPanicInATransactionLeavesTheStoreUsable(t *testing.T) {
	db := open(t, t.TempDir())
	func() {
		defer func() { _ = recover() }()
		_ = db.Update(t.Context(), func(tx *store.Tx) error { panic("ours") })
	}()
	addGroup(t, db, group(1))
}

func TestWaitingForTheWriterEndsWithTheContext(t *testing.T) {
	db := open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	_ = db.Update(t.Context(), func(*store.Tx) error {
		cancel()
		if err := db.Update(ctx, func(*store.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want canceled", err)
		}
		return nil
	})
}

func TestCollections(t *testing.T) {
	db := open(t, t.TempDir())
	ctx := t.Context()
	for n := range 5 {
		addGroup(t, db, group(n))
	}
	t.Run("a name is taken once", func(t *testing.T) {
		err := db.CreateGroup(ctx, auth.Group{ID: "G9", Name: "group-1"}, event("group.created", "group", "G9"))
		wantCode(t, err, edgeward.Conflict, "group.exists")
	})
	t.Run("an id is taken once", func(t *testing.T) {
		wantCode(t, db.CreateGroup(ctx, group(1), event("group.created", "group", "G001")), edgeward.Conflict, "group.exists")
	})
	t.Run("pages follow each other without gap or repeat", func(t *testing.T) {
		for _, newest := range []bool{false, true} {
			var got []string
			for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
				var page []auth.Group
				if err := db.View(ctx, func(tx *store.Tx) (err error) {
					page, cursor, err = store.Groups.List(tx, "", store.Page{Cursor: cursor, Limit: 2, Newest: newest})
					return err
				}); err != nil {
					t.Fatal(err)
				}
				for _, g := range page {
					got = append(got, g.ID)
				}
			}
			want := "G000 G001 G002 G003 G004"
			if newest {
				want = "G004 G003 G002 G001 G000"
			}
			if strings.Join(got, " ") != want {
				t.Errorf("newest %v: got %v", newest, got)
			}
		}
	})
	t.Run("a rename frees the old name and takes the new one", func(t *testing.T) {
		g, err := db.ChangeGroup(ctx, "G001", store.ETag(group(1)), func(g *auth.Group) error { g.Name = "other"; return nil }, event("group.changed", "group", "G001"))
		if err != nil || g.Name != "other" {
			t.Fatal(g, err)
		}
		if _, err := db.GroupByName(ctx, "other"); err != nil {
			t.Error(err)
		}
		_, err = db.GroupByName(ctx, "group-1")
		wantCode(t, err, edgeward.NotFound, "group.not_found")
	})
	t.Run("a change of an older state is refused", func(t *testing.T) {
		_, err := db.ChangeGroup(ctx, "G001", store.ETag(group(1)), func(*auth.Group) error { return nil }, event("group.changed", "group", "G001"))
		wantCode(t, err, edgeward.Conflict, "group.changed")
	})
	t.Run("a deleted value is in no index", func(t *testing.T) {
		if err := db.Update(ctx, func(tx *store.Tx) error {
			if err := store.Groups.Delete(tx, "", "G002"); err != nil {
				return err
			}
			_, err := tx.Append(event("group.deleted", "group", "G002"))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		_, err := db.GroupByName(ctx, "group-2")
		wantCode(t, err, edgeward.NotFound, "group.not_found")
	})
	t.Run("an id that would leave its group is refused", func(t *testing.T) {
		err := db.CreateGroup(ctx, auth.Group{ID: "a\x00b", Name: "x"}, event("group.created", "group", "x"))
		wantCode(t, err, edgeward.Invalid, "group.id_invalid")
	})
	t.Run("a record has a bound", func(t *testing.T) {
		err := db.CreateGroup(ctx, auth.Group{ID: "big", Name: "big", Title: strings.Repeat("x", store.MaxRecord)}, event("group.created", "group", "big"))
		wantCode(t, err, edgeward.TooLarge, "store.record_too_large")
	})
}

func TestGroupsDoNotSeeEachOther(t *testing.T) {
	db := open(t, t.TempDir())
	ctx := t.Context()
	for i, g := range []string{"A", "AB", "B"} { // a prefix of another id is another group
		tok := auth.Token{ID: fmt.Sprintf("T%d", i), Group: g, Hash: fmt.Sprintf("h%d", i), Owner: "U"}
		e := event("token.created", "token", tok.ID)
		e.Group = g
		if err := db.CreateToken(ctx, tok, e); err != nil {
			t.Fatal(err)
		}
	}
	for i, g := range []string{"A", "AB", "B"} {
		ts, _, err := db.ListTokens(ctx, g, "", 0)
		if err != nil || len(ts) != 1 || ts[0].ID != fmt.Sprintf("T%d", i) {
			t.Errorf("group %s lists %v, %v", g, ts, err)
		}
		es, _, err := db.ListEvents(ctx, store.EventPage{Filter: events.Filter{Group: g}})
		if err != nil || len(es) != 1 || es[0].Group != g {
			t.Errorf("group %s has events %v, %v", g, es, err)
		}
	}
	for _, cursor := range []string{"B\x00T2", "\x00", "\xff"} {
		ts, _, _ := db.ListTokens(ctx, "A", cursor, 0)
		for _, tok := range ts {
			if tok.Group != "A" {
				t.Errorf("the made-up cursor %q reached %v", cursor, tok)
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Run("a directory another process has", func(t *testing.T) {
		dir := t.TempDir()
		open(t, dir)
		_, err := store.Open(dir, store.Options{Now: now})
		wantCode(t, err, edgeward.Conflict, "store.locked")
	})
	t.Run("a directory that is not there", func(t *testing.T) {
		_, err := store.Open(filepath.Join(t.TempDir(), "no"), store.Options{Now: now})
		wantCode(t, err, edgeward.Unavailable, "store.unreadable")
	})
	t.Run("a file that is no store", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, store.File), []byte(strings.Repeat("no store ", 4000)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := store.Open(dir, store.Options{Now: now})
		wantCode(t, err, edgeward.Internal, "store.damaged")
	})
	t.Run("a directory of a newer edgeward", func(t *testing.T) {
		dir := t.TempDir()
		open(t, dir).Close()
		if err := store.SetFormat(filepath.Join(dir, store.File), fmt.Sprint(store.Format+1)); err != nil {
			t.Fatal(err)
		}
		_, err := store.Open(dir, store.Options{Now: now})
		wantCode(t, err, edgeward.Conflict, "store.newer")
		if edgeward.HintOf(err) == "" {
			t.Error("no hint")
		}
		_, err = store.Check(t.Context(), dir)
		wantCode(t, err, edgeward.Conflict, "store.newer")
	})
	t.Run("writing after Close", func(t *testing.T) {
		db := open(t, t.TempDir())
		db.Close()
		wantCode(t, db.Update(t.Context(), func(*store.Tx) error { return nil }), edgeward.Unavailable, "store.closed")
	})
	t.Run("writing when the disk is as good as full", func(t *testing.T) {
		dir := t.TempDir()
		open(t, dir).Close()
		db, err := store.Open(dir, store.Options{Reserve: 1 << 62})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		wantCode(t, db.Update(t.Context(), func(*store.Tx) error { return nil }), edgeward.Exhausted, "store.full")
		if _, err := db.Head(t.Context()); err != nil {
			t.Errorf("reading goes on: %v", err)
		}
	})
}
