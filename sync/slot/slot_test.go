package slot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgeward"
)

func TestNewer(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"0.2.0", "0.1.9", true}, {"0.10.0", "0.9.0", true}, {"1.0.0", "1.0.0", false}, {"1.0.0", "1.0.0-rc1", true}, {"1.0.0-rc2", "1.0.0-rc1", true},
		{"1.0.0-rc1", "1.0.0", false}, {"1.2", "1.2.0", false}, {"1.2.1", "1.2", true}, {"v2", "1.9", true}, {"1.0.0+b2", "1.0.0+b1", false}, {"0.1.0", "", true}, {"", "0.1.0", false},
	} {
		if got := Newer(c.a, c.b); got != c.want {
			t.Errorf("%q newer than %q: %v", c.a, c.b, got)
		}
	}
}

func program(text, version string, writes, reads int) (Program, string) {
	return Program{edgeward.DigestOf([]byte(text)), int64(len(text)), version, writes, reads}, text
}

func stage(t *testing.T, d *Dir, p Program, text string) Name {
	t.Helper()
	n, err := d.Stage(strings.NewReader(text), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func bootOf(t *testing.T, d *Dir, installed Program) Choice {
	t.Helper()
	c, err := d.Boot(installed, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var old = Program{Version: "1.0.0", Writes: 1}

// onDisk is a server whose version 1.1.0 was committed.
func onDisk(t *testing.T) (*Dir, string, Program) {
	t.Helper()
	root := t.TempDir()
	d := At(root, "store.db", time.Minute)
	if c := bootOf(t, d, old); c.Slot != Installed || c.Trial || c.Problem != nil {
		t.Fatalf("%+v", c)
	}
	p, text := program("one", "1.1.0", 1, 0)
	if _, err := d.Try(stage(t, d, p, text), Asked{By: "user:a"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if c := bootOf(t, d, old); !c.Trial || c.Program != p {
		t.Fatalf("%+v", c)
	}
	if _, err := d.Commit(p, time.Now()); err != nil {
		t.Fatal(err)
	}
	return d, root, p
}

func TestALostStateIsTheLastCommittedProgram(t *testing.T) {
	d, root, p := onDisk(t)
	for _, f := range []string{"state.0", "state.1"} {
		if err := os.WriteFile(filepath.Join(root, Folder, f), []byte("not a state"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if c := bootOf(t, d, old); c.Program != p || c.Slot == Installed {
		t.Errorf("%+v", c)
	}
	for _, n := range []Name{A, B} {
		_ = os.Remove(filepath.Join(root, Folder, string(n), goodFile))
	}
	for _, f := range []string{"state.0", "state.1"} {
		_ = os.Remove(filepath.Join(root, Folder, f))
	}
	if c := bootOf(t, d, old); c.Slot != Installed {
		t.Errorf("with nothing left: %+v", c)
	}
}

func TestASlotThatWasChangedIsNotStarted(t *testing.T) {
	d, _, p := onDisk(t)
	s, err := d.State()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.Path(s.Active), []byte("two"), 0o700); err != nil {
		t.Fatal(err)
	}
	if c := bootOf(t, d, old); c.Slot != Installed || c.Problem == nil {
		t.Errorf("%+v", c)
	}
	if s, _ := d.State(); s.Last.Result != Damaged || s.Last.To != p {
		t.Errorf("%+v", s.Last)
	}
}

func TestANewerPackageWins(t *testing.T) {
	d, _, p := onDisk(t)
	if c := bootOf(t, d, Program{Version: "1.0.5", Writes: 1}); c.Program != p {
		t.Errorf("an older package: %+v", c)
	}
	if c := bootOf(t, d, Program{Version: "1.2.0", Writes: 1}); c.Slot != Installed {
		t.Errorf("a newer package: %+v", c)
	}
	s, _ := d.State()
	if s.Last.Result != Packaged || s.Previous == nil {
		t.Errorf("%+v", s)
	}
	if _, err := d.Try(*s.Previous, Asked{}, time.Now()); edgeward.CodeOf(err) != "update.older" {
		t.Errorf("an older slot beside a newer package: %v", err)
	}
}

func TestTheDatabaseComesBackOnlyWhereItMust(t *testing.T) {
	for _, c := range []struct {
		name          string
		writes, reads int
		want          string
	}{
		{"the format is raised and the program before cannot read it", 2, 2, "before"},
		{"the format is raised and the program before reads it", 2, 1, "after"},
		{"the format stays", 1, 0, "after"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			d := At(root, "store.db", time.Minute)
			db := filepath.Join(root, "store.db")
			if err := os.WriteFile(db, []byte("before"), 0o600); err != nil {
				t.Fatal(err)
			}
			bootOf(t, d, old)
			p, text := program("new", "2.0.0", c.writes, c.reads)
			if _, err := d.Try(stage(t, d, p, text), Asked{}, time.Now()); err != nil {
				t.Fatal(err)
			}
			if ch := bootOf(t, d, old); !ch.Trial {
				t.Fatalf("%+v", ch)
			}
			if err := os.WriteFile(db, []byte("after"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := d.Fail("update.golden", "wrong", time.Now()); err != nil {
				t.Fatal(err)
			}
			if ch := bootOf(t, d, old); ch.Slot != Installed {
				t.Fatalf("%+v", ch)
			}
			if b, _ := os.ReadFile(db); string(b) != c.want {
				t.Errorf("the database is the one %s", b)
			}
		})
	}
}

func TestAProgramThatCannotReadTheDatabaseIsNotTried(t *testing.T) {
	root := t.TempDir()
	d := At(root, "store.db", time.Minute)
	newer := Program{Version: "1.0.0", Writes: 3, Reads: 3}
	bootOf(t, d, newer)
	p, text := program("x", "2.0.0", 2, 0)
	if _, err := d.Try(stage(t, d, p, text), Asked{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if c := bootOf(t, d, newer); c.Slot != Installed {
		t.Errorf("%+v", c)
	}
	if s, _ := d.State(); s.Last.Code != "update.database" {
		t.Errorf("%+v", s.Last)
	}
}

func TestStageRefuses(t *testing.T) {
	d := At(t.TempDir(), "store.db", time.Minute)
	p, text := program("right", "2.0.0", 1, 0)
	for name, bytes := range map[string]string{"cut": text[:3], "longer": text + "x", "other": "wrong"} {
		if _, err := d.Stage(strings.NewReader(bytes), p, nil); edgeward.CodeOf(err) != "update.damaged" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s, _ := d.State(); s.A.Digest != "" || s.B.Digest != "" {
		t.Errorf("%+v", s)
	}
	if _, err := d.Stage(strings.NewReader(text), Program{Digest: p.Digest, Size: MaxSize + 1}, nil); edgeward.KindOf(err) != edgeward.TooLarge {
		t.Error(err)
	}
}

func TestASupervisorThatNeverWorksIsTriedThreeTimes(t *testing.T) {
	d, _, p := onDisk(t)
	for i := range maxTakeovers {
		if may, err := d.TakeOver(p); !may || err != nil {
			t.Fatalf("%d: %v %v", i, may, err)
		}
	}
	if may, err := d.TakeOver(p); may || err != nil {
		t.Errorf("once more: %v %v", may, err)
	}
	if err := d.TookOver(); err != nil {
		t.Fatal(err)
	}
	if may, _ := d.TakeOver(p); !may {
		t.Error("it worked and may not")
	}
}

func FuzzState(f *testing.F) {
	s := State{Format: format, Seq: 3, Active: A, A: Program{Digest: edgeward.DigestOf([]byte("x")), Size: 1, Version: "1"}, Trial: &Trial{Slot: B, From: A}, B: Program{Digest: edgeward.DigestOf([]byte("y"))}}
	b, err := seal(s)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("sha256:x\n{}"))
	f.Add(b[:len(b)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseState(b)
		if err == nil && !s.has(s.Active) {
			t.Errorf("%+v", s)
		}
		// What a correct seal is put on must not harm either.
		sealed := append(append([]byte(edgeward.DigestOf(b)), '\n'), b...)
		if s, err := parseState(sealed); err == nil {
			_ = s.packaged(time.Time{}).free()
			if s.Trial != nil {
				_, _ = s.commit(time.Time{}), s.fail("c", "r", time.Time{})
			}
		}
	})
}
