package segment_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/segment"
	"edgeward/runtime/vault"
)

// encrypted is the environment variable that has the other tests of this package work on encrypted logs.
const encrypted = "EDGEWARD_TEST_ENCRYPTED"

// masterLine is the master key of the tests, and of testdata/v2.
const masterLine = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

func mustKeys(dir string) *vault.Ring {
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	check(os.MkdirAll(dir, 0o700))
	key := filepath.Join(filepath.Dir(dir), "key-"+filepath.Base(dir))
	check(os.WriteFile(key, []byte(masterLine), 0o600))
	masters, err := vault.ReadMasters(key)
	check(err)
	check(os.Remove(key))
	p := filepath.Join(dir, "keyring.json")
	if !vault.Exists(p) {
		r, err := vault.Make(p, masters[0], t0)
		check(err)
		return r
	}
	r, _, err := vault.Open(p, masters, t0)
	check(err)
	return r
}

func keysIn(t testing.TB, dir string) *vault.Ring { t.Helper(); return mustKeys(dir) }

// fixtureKeys are those of testdata/v2.
func fixtureKeys(t testing.TB) *vault.Ring {
	t.Helper()
	dir := t.TempDir()
	b, err := os.ReadFile("testdata/v2/keyring.json")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "keyring.json"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return keysIn(t, dir)
}

// TestEncryptedLogsDoTheSame runs the tests of this package whose logs need not be plain, kill -9 among them, on encrypted logs.
func TestEncryptedLogsDoTheSame(t *testing.T) {
	if os.Getenv(encrypted) != "" {
		t.Skip("this is the run on encrypted logs")
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^Test(WaitWakes|Concurrent|Sealed|SealKeeps|Drop|Export|KillNine|FullDisk|Format|RunSyncs)", "-test.v", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), encrypted+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "--- PASS: Test") < 10 {
		t.Fatalf("%v\n%s", err, out)
	}
}

// stored is all bytes of the log's files.
func stored(t *testing.T, dir string) (all []byte) {
	t.Helper()
	for _, p := range glob(t, dir, "*") {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func TestNothingIsReadableOnTheDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := open(t, dir, segment.Options{Keys: keysIn(t, dir)})
	text := strings.Repeat("patient-7 ", 20)
	add(t, l, `{"name":"`+text+`","value":1}`)
	sealAll(t, l)
	add(t, l, `{"name":"`+text+`","value":2}`)
	if len(glob(t, dir, "*.parquet")) != 1 || len(glob(t, dir, "*.seg")) != 1 {
		t.Fatal("not both forms")
	}
	if b := stored(t, dir); bytes.Contains(b, []byte("patient-7")) || bytes.Contains(b, []byte("PAR1")) || bytes.Contains(b, []byte("edgeward.first")) {
		t.Error("it is on the disk in the clear")
	}
	if got := rowsOf[row](t, l, 3); len(got) != 1 || got[0].Name != text {
		t.Errorf("read back %+v", got)
	}
	want(t, read(t, l, 2), `2:{"name":"`+text+`","value":2}`)
	if e := l.Encryption(); e != (segment.Encryption{Newest: 2}) {
		t.Errorf("%+v", e)
	}
}

// TestNoncesAreNotUsedAgain: the same frame under the same number, after its bytes were lost, is stored as other bytes.
func TestNoncesAreNotUsedAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	keys := keysIn(t, dir)
	l := open(t, dir, segment.Options{Keys: keys})
	add(t, l, "first")
	size := len(stored(t, dir))
	add(t, l, "the same")
	was := stored(t, dir)
	l.Close()
	p := glob(t, dir, "*.seg")[0]
	st, err := os.Stat(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(p, st.Size()-int64(len(was)-size)); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, segment.Options{Keys: keys})
	add(t, l, "the same")
	is := stored(t, dir)
	if len(is) != len(was) || bytes.Equal(is, was) {
		t.Errorf("%d bytes, %d before, the same: %v", len(is), len(was), bytes.Equal(is, was))
	}
}

// frames are the stored frames of an encrypted file, whole.
func frames(b []byte) (out [][]byte) {
	const head = 32 + vault.HeadSize + 4
	for b = b[head:]; len(b) > 0; {
		n := 8 + int(binary.LittleEndian.Uint32(b))
		out, b = append(out, b[:n]), b[n:]
	}
	return out
}

func TestWhatSomebodyChangedIsDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	keys := keysIn(t, dir)
	l := open(t, dir, segment.Options{Keys: keys})
	add(t, l, "aaaa", "bbbb", "cccc", "dddd")
	l.Roll()
	add(t, l, "eeee")
	l.Close()
	files := glob(t, dir, "*.seg")
	good, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(files[1])
	if err != nil {
		t.Fatal(err)
	}
	f := frames(good)
	head := good[:len(good)-len(bytes.Join(f, nil))]
	sum := func(b []byte) []byte { // a forger mends the checksum too
		table := crc32.MakeTable(crc32.Castagnoli)
		binary.LittleEndian.PutUint32(b[4:], crc32.Update(crc32.Checksum(b[:4], table), table, b[8:]))
		return b
	}
	changed := sum(append([]byte(nil), f[1]...))
	changed[25] ^= 1
	for name, c := range map[string]struct {
		bytes []byte
		want  []string
	}{
		"frames in another order":         {slices.Concat(head, f[0], f[2], f[1], f[3]), []string{"1:aaaa", "2:!", "3:!", "4:dddd", "5:eeee"}},
		"a frame taken out of the middle": {slices.Concat(head, f[0], f[2], f[3]), []string{"1:aaaa", "2:!", "3:!", "4:!", "5:eeee"}},
		"a frame twice":                   {slices.Concat(head, f[0], f[0], f[2], f[3]), []string{"1:aaaa", "2:!", "3:cccc", "4:dddd", "5:eeee"}},
		"a frame of another file":         {slices.Concat(head, f[0], frames(other)[0], f[2], f[3]), []string{"1:aaaa", "2:!", "3:cccc", "4:dddd", "5:eeee"}},
		"a changed frame":                 {slices.Concat(head, f[0], sum(changed), f[2], f[3]), []string{"1:aaaa", "2:!", "3:cccc", "4:dddd", "5:eeee"}},
		"the end cut off":                 {slices.Concat(head, f[0], f[1]), []string{"1:aaaa", "2:bbbb", "3:!", "5:eeee"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(files[0], c.bytes, 0o600); err != nil {
				t.Fatal(err)
			}
			want(t, read(t, open(t, dir, segment.Options{Keys: keys}), 1), c.want...)
		})
	}
	t.Run("the key in the header", func(t *testing.T) {
		for at := range head {
			bad := append([]byte(nil), good...)
			bad[at] ^= 0x55
			if err := os.WriteFile(files[0], bad, 0o600); err != nil {
				t.Fatal(err)
			}
			l, err := segment.Open(dir, segment.Options{Now: fixed, Keys: keys})
			if err != nil {
				t.Fatal(err)
			}
			if got := read(t, l, 1); got[len(got)-1] != "5:eeee" || at < 32 && got[0] != "1:aaaa" {
				t.Errorf("a flip at %d: %v", at, got)
			}
			l.Close()
		}
	})
	t.Run("another file under its name", func(t *testing.T) {
		if err := os.WriteFile(files[0], good, 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, dir, segment.Options{Keys: keys})
		if _, err := segment.Seal(t.Context(), l, 3, l.Next(), func(f segment.Frame) (row, error) { return row{Seq: int64(f.Seq), Name: string(f.Payload)}, nil }); err != nil {
			t.Fatal(err)
		}
		add(t, l, "ffff")
		l.Roll()
		if _, err := segment.Seal(t.Context(), l, 3, l.Next(), func(f segment.Frame) (row, error) { return row{Seq: int64(f.Seq), Name: string(f.Payload)}, nil }); err != nil {
			t.Fatal(err)
		}
		s := l.Sealed()
		a, err := os.ReadFile(s[0].Path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s[1].Path, a, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, err := range segment.Rows[row](t.Context(), l, s[1], 3) {
			if !segment.IsDamaged(err) {
				t.Errorf("got %v", err)
			}
		}
	})
}

// TestWithoutTheKeysNothingChanges: no keys, other keys.
func TestWithoutTheKeysNothingChanges(t *testing.T) {
	for name, sealed := range map[string]bool{"frames": false, "sealed": true} {
		t.Run(name, func(t *testing.T) {
			dir, elsewhere := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "other")
			l := open(t, dir, segment.Options{Keys: keysIn(t, dir)})
			add(t, l, `{"name":"a"}`, `{"name":"b"}`)
			if sealed {
				sealAll(t, l)
			}
			l.Close()
			p := glob(t, dir, "*.seg")[0]
			if err := os.WriteFile(filepath.Join(dir, ".tmp-seal-1"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if f, err := os.OpenFile(p, os.O_APPEND|os.O_WRONLY, 0); err != nil {
				t.Fatal(err)
			} else if _, err := f.WriteString("torn"); err != nil {
				t.Fatal(err)
			}
			names, was := glob(t, dir, "*"), stored(t, dir)
			for _, keys := range []*vault.Ring{nil, keysIn(t, elsewhere)} {
				_, err := segment.Open(dir, segment.Options{Now: fixed, Keys: keys})
				wantCode(t, err, edgeward.Unavailable, "key.unknown")
				if !slices.Equal(glob(t, dir, "*"), names) || !bytes.Equal(stored(t, dir), was) {
					t.Error("files changed")
				}
			}
			want(t, read(t, open(t, dir, segment.Options{Keys: keysIn(t, dir)}), 1+map[bool]uint64{true: 2}[sealed]), map[bool][]string{false: {`1:{"name":"a"}`, `2:{"name":"b"}`}}[sealed]...)
		})
	}
}

// TestOldFilesAreRenewed: a log of plain files goes on encrypted, and so do files under an older data key, whose key is gone then.
func TestOldFilesAreRenewed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if os.Getenv(encrypted) != "" {
		t.Skip("begins with a plain log")
	}
	l := open(t, dir, segment.Options{})
	add(t, l, `{"name":"patient-1","value":1}`)
	sealAll(t, l)
	end := l.Sealed()[0].End
	add(t, l, `{"name":"patient-2","value":2}`)
	l.Close()
	keys := keysIn(t, dir)
	l = open(t, dir, segment.Options{Keys: keys})
	add(t, l, `{"name":"patient-3","value":3}`)
	if e := l.Encryption(); e != (segment.Encryption{Plain: 2, Newest: 1}) {
		t.Errorf("at first %+v", e)
	}
	renew := func() {
		t.Helper()
		sealAll(t, l)
		for more, n := true, 0; more; n++ {
			var err error
			if more, err = segment.Renew[row](t.Context(), l, 3); err != nil || n > 9 {
				t.Fatalf("%v, round %d", err, n)
			}
		}
	}
	check := func(files int) {
		t.Helper()
		if e := l.Encryption(); e != (segment.Encryption{Newest: files}) {
			t.Errorf("%+v, want all of %d", e, files)
		}
		if b := stored(t, dir); bytes.Contains(b, []byte("patient-")) {
			t.Error("still in the clear")
		}
		got := rowsOf[row](t, l, 3)
		if len(got) != 3 || got[0].Name != "patient-1" || got[2].Name != "patient-3" || got[2].Seq != 3 {
			t.Errorf("%+v", got)
		}
		if !l.Sealed()[0].End.Equal(end) {
			t.Errorf("retention counts from %v, not from %v", l.Sealed()[0].End, end)
		}
	}
	renew()
	check(3)
	old := keys.Current()
	if err := keys.Add(vault.NewMaster(), t0.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if e := l.Encryption(); e.Older != 3 {
		t.Errorf("after a new data key %+v", e)
	}
	renew()
	check(3)
	if keys.Len() != 1 || keys.Has(old) {
		t.Errorf("%d data keys, the old one: %v", keys.Len(), keys.Has(old))
	}
}

// TestTornTailOfAnEncryptedFile cuts the open file at every place: what is whole stays, and the next frame follows it.
func TestTornTailOfAnEncryptedFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	keys := keysIn(t, dir)
	l := open(t, dir, segment.Options{Keys: keys})
	add(t, l, "one", "two")
	l.Close()
	p := glob(t, dir, "*.seg")[0]
	good, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	f := frames(good)
	for cut := range good {
		if err := os.WriteFile(p, good[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, dir, segment.Options{Keys: keys})
		var stay []string
		if cut >= len(good)-len(f[1]) {
			stay = []string{"1:one"}
		}
		add(t, l, "next")
		want(t, read(t, l, 1), append(stay, fmt.Sprintf("%d:next", len(stay)+1))...)
		l.Close()
		want(t, read(t, open(t, dir, segment.Options{Keys: keys}), 1), append(stay, fmt.Sprintf("%d:next", len(stay)+1))...)
		for _, aside := range glob(t, dir, "*.aside") {
			os.Remove(aside)
		}
	}
}

func TestFormat2FixtureStaysReadable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if os.Getenv("EDGEWARD_WRITE_GOLDEN") == "2" { // once, by the program that wrote format 2
		keys := keysIn(t, dir)
		l := open(t, dir, segment.Options{Keys: keys})
		add(t, l, `{"name":"1"}`, `{"name":"2"}`, `{"name":"3"}`, `{"name":"4"}`, `{"name":"5"}`, `{"name":"sealed since format 2","value":2.5}`)
		sealAll(t, l)
		add(t, l, "kept since format 2", "")
		l.Close()
		if err := os.CopyFS("testdata/v2", os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(dir, os.DirFS("testdata/v2")); err != nil && os.Getenv("EDGEWARD_WRITE_GOLDEN") != "2" {
		t.Fatal(err)
	}
	l := open(t, dir, segment.Options{Keys: keysIn(t, dir)})
	want(t, read(t, l, 7), "7:kept since format 2", "8:")
	if got := rowsOf[row](t, l, 3); len(got) != 6 || got[5] != (row{6, "sealed since format 2", 2.5}) {
		t.Errorf("%+v", got)
	}
	if n := len(glob(t, dir, fmt.Sprintf("%020d.seg", 7))); n != 1 {
		t.Errorf("%d files", n)
	}
}
