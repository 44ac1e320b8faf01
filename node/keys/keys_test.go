package keys_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/keys"
	"edgeward/runtime/vault"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func in(dir string) keys.Options {
	return keys.Options{DataDir: dir, Folders: []string{filepath.Join(dir, "records"), filepath.Join(dir, "state")}, Now: now}
}

// TestMain turns the test binary into the process that turns keys until it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("EDGEWARD_TEST_KEYS"); dir != "" {
		k, err := keys.Open(in(dir))
		for err == nil {
			if err = k.Err; err == nil {
				err = k.Rotate(now)
			}
			fmt.Println("turned")
		}
		panic(err)
	}
	os.Exit(m.Run())
}

func open(t *testing.T, o keys.Options) *keys.Keys {
	t.Helper()
	k, err := keys.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// file is an encrypted file under the current data key of a ring.
func file(t *testing.T, k *keys.Keys, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := vault.NewWriter(&out, k.Ring(n), "x")
	if err == nil {
		_, err = w.Write([]byte("of before"))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func readable(t *testing.T, k *keys.Keys, n int, b []byte) {
	t.Helper()
	if k.Err != nil {
		t.Fatal(k.Cause)
	}
	r, err := vault.NewReader(bytes.NewReader(b), int64(len(b)), k.Ring(n), "x")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size())); err != nil || string(got) != "of before" {
		t.Errorf("%q, %v", got, err)
	}
}

func lines(t *testing.T, p string) []vault.Master {
	t.Helper()
	all, err := vault.ReadMasters(p)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRotate(t *testing.T) {
	dir := t.TempDir()
	k := open(t, in(dir))
	a, b := file(t, k, 0), file(t, k, 1)
	for n := range 3 {
		was, current := k.Master(), k.Ring(0).Current()
		if err := k.Rotate(now); err != nil {
			t.Fatal(err)
		}
		if k.Master() == was || k.Ring(0).Current() == current || k.Ring(1).Len() != n+2 || len(lines(t, k.Path)) != 1 {
			t.Errorf("turn %d: master %s, %d keys", n, k.Master(), k.Ring(1).Len())
		}
		readable(t, k, 0, a)
		k = open(t, in(dir))
		if k.Turned || k.Source != keys.FromData {
			t.Errorf("%+v", k)
		}
		readable(t, k, 0, a)
		readable(t, k, 1, b)
	}
}

// TestARotationThatWasCutShort begins from each state that a crash can leave.
func TestARotationThatWasCutShort(t *testing.T) {
	for name, rings := range map[string]int{"the file is written": 0, "one ring is wrapped": 1, "both rings are wrapped": 2} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			k := open(t, in(dir))
			a, b := file(t, k, 0), file(t, k, 1)
			young := vault.NewMaster()
			if err := vault.WriteMasters(k.Path, append([]vault.Master{young}, lines(t, k.Path)...)); err != nil {
				t.Fatal(err)
			}
			for n := range rings {
				if err := k.Ring(n).Add(young, now); err != nil {
					t.Fatal(err)
				}
			}
			k = open(t, in(dir))
			if k.Turned != (rings < 2) || k.Master() != young.ID() || k.Ring(1).Master() != young.ID() || len(lines(t, k.Path)) != 1 {
				t.Errorf("turned %v, masters %s %s, %d lines", k.Turned, k.Master(), k.Ring(1).Master(), len(lines(t, k.Path)))
			}
			readable(t, k, 0, a)
			readable(t, k, 1, b)
		})
	}
}

func TestKillNineWhileTheKeyTurns(t *testing.T) {
	dir := t.TempDir()
	k := open(t, in(dir))
	a, b := file(t, k, 0), file(t, k, 1)
	for round := range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "EDGEWARD_TEST_KEYS="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said := bufio.NewScanner(out)
		for n := 0; said.Scan(); n++ {
			if n == round {
				time.Sleep(time.Duration(round) * 700 * time.Microsecond) // somewhere in the next turn
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd.Wait()
		k = open(t, in(dir))
		readable(t, k, 0, a)
		readable(t, k, 1, b)
		if len(lines(t, k.Path)) != 1 {
			t.Errorf("round %d: %d keys in the file", round, len(lines(t, k.Path)))
		}
	}
}

// TestLocked: whatever is wrong with the key, Open says so, makes nothing and changes nothing.
func TestLocked(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string)
		cause string
	}{
		"no key file": {func(t *testing.T, dir string) { remove(t, dir, keys.File) }, "key.missing"},
		"another key": {func(t *testing.T, dir string) {
			remove(t, dir, keys.File)
			must(vault.MakeMaster(filepath.Join(dir, keys.File)))
		}, "key.wrong"},
		"no key in it": {func(t *testing.T, dir string) { write(t, dir, keys.File, "# empty\n") }, "key.invalid"},
		"no ring":      {func(t *testing.T, dir string) { remove(t, dir, "records/keyring.json") }, "key.ring"},
		"no ring and no key": {func(t *testing.T, dir string) {
			remove(t, dir, "records/keyring.json")
			remove(t, dir, "state/keyring.json")
			remove(t, dir, keys.File)
		}, "key.missing"},
		"a damaged ring":       {func(t *testing.T, dir string) { write(t, dir, "records/keyring.json", "{") }, "key.ring"},
		"readable by everyone": {func(t *testing.T, dir string) { os.Chmod(filepath.Join(dir, keys.File), 0o644) }, "key.readable"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			k := open(t, in(dir))
			write(t, dir, "records/00000000000000000001-00000000000000000002.parquet", string(file(t, k, 0)))
			c.spoil(t, dir)
			was := tree(t, dir)
			k = open(t, in(dir))
			if edgeward.CodeOf(k.Err) != "records.locked" || edgeward.KindOf(k.Err) != edgeward.Unavailable || edgeward.CodeOf(k.Cause) != c.cause || edgeward.HintOf(k.Cause) == "" {
				t.Errorf("%v because of %v", k.Err, k.Cause)
			}
			if strings.Contains(k.Err.Error()+edgeward.HintOf(k.Err), dir) || strings.HasSuffix(k.Err.Error(), ": ") {
				t.Errorf("for everybody: %v", k.Err)
			}
			if k.Ring(0) != nil || k.Master() != "" || edgeward.CodeOf(k.Rotate(now)) != "records.locked" {
				t.Error("not locked")
			}
			if _, err := k.Copy(func() error { return nil }); err != nil {
				t.Errorf("a backup: %v", err)
			}
			if is := tree(t, dir); is != was {
				t.Errorf("files changed: %s, were %s", is, was)
			}
		})
	}
}

func TestWhereTheKeyIs(t *testing.T) {
	dir, away := t.TempDir(), t.TempDir()
	o := in(dir)
	o.Credentials = away
	if p, s := o.Where(); s != keys.FromData || p != filepath.Join(dir, keys.File) {
		t.Errorf("%s %s", p, s)
	}
	must(vault.MakeMaster(filepath.Join(away, keys.Credential)))
	if p, s := o.Where(); s != keys.FromCredential || p != filepath.Join(away, keys.Credential) {
		t.Errorf("%s %s", p, s)
	}
	k := open(t, o)
	if err := k.Rotate(now); edgeward.CodeOf(err) != "key.elsewhere" || edgeward.HintOf(err) == "" {
		t.Errorf("turned a credential: %v", err)
	}
	if key, err := k.Copy(func() error { return nil }); key != nil || err != nil {
		t.Errorf("a backup gets %d bytes of it, %v", len(key), err)
	}
	if _, _, master, err := keys.Check(o); err != nil || master != k.Master() {
		t.Errorf("%s, %v", master, err)
	}
	o.KeyFile = filepath.Join(away, "other")
	if p, s := o.Where(); s != keys.FromFile || p != o.KeyFile {
		t.Errorf("%s %s", p, s)
	}
	if _, _, _, err := keys.Check(o); edgeward.CodeOf(err) != "key.missing" {
		t.Errorf("checked: %v", err)
	}
	if k := open(t, o); edgeward.CodeOf(k.Cause) != "key.missing" || vault.Exists(o.KeyFile) {
		t.Errorf("%v, made: %v", k.Cause, vault.Exists(o.KeyFile))
	}
	if _, _, master, err := keys.Check(in(t.TempDir())); err != nil || master != "" {
		t.Errorf("of a server that never started: %q, %v", master, err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tree is the files of dir with what is in them.
func tree(t *testing.T, dir string) (all string) {
	t.Helper()
	err := filepath.Walk(dir, func(p string, st os.FileInfo, err error) error {
		if err != nil || st.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		all += fmt.Sprintf("%s %v %x\n", p, st.Mode(), b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
