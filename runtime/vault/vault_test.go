package vault_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"edgeward"
	"edgeward/runtime/vault"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// made is a ring in a new folder, and its path.
func made(t testing.TB, m vault.Master) (*vault.Ring, string) {
	t.Helper()
	p := filepath.Join(t.TempDir(), "keyring.json")
	r, err := vault.Make(p, m, now)
	if err != nil {
		t.Fatal(err)
	}
	return r, p
}

func wantCode(t *testing.T, err error, kind edgeward.Kind, code string) {
	t.Helper()
	if edgeward.KindOf(err) != kind || edgeward.CodeOf(err) != code || edgeward.HintOf(err) == "" {
		t.Errorf("error %v (kind %v, code %q, hint %q), want kind %v, code %q", err, edgeward.KindOf(err), edgeward.CodeOf(err), edgeward.HintOf(err), kind, code)
	}
}

func seal(t testing.TB, r *vault.Ring, info string, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := vault.NewWriter(&out, r, info)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, iotest.HalfReader(bytes.NewReader(b))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err == nil {
		t.Error("closed twice")
	}
	return out.Bytes()
}

func unseal(r *vault.Ring, info string, b []byte) ([]byte, error) {
	in, err := vault.NewReader(bytes.NewReader(b), int64(len(b)), r, info)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(in, 0, in.Size()))
}

func TestFilesOfEverySizeAreReadAtEveryPlace(t *testing.T) {
	r, _ := made(t, vault.NewMaster())
	for _, n := range []int{0, 1, 16383, 16384, 16385, 32767, 32768, 32769, 100_000, 3 << 20} {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		sealed := seal(t, r, "x", b)
		in, err := vault.NewReader(bytes.NewReader(sealed), int64(len(sealed)), r, "x")
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if in.Size() != int64(n) {
			t.Errorf("%d bytes: size %d", n, in.Size())
		}
		if err := iotest.TestReader(io.NewSectionReader(in, 0, in.Size()), b); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		if len(sealed) > 200 && bytes.Contains(sealed, b[len(b)/2:len(b)/2+8]) {
			t.Errorf("%d bytes: in the clear", n)
		}
		if again := seal(t, r, "x", b); bytes.Equal(again, sealed) {
			t.Errorf("%d bytes: the same twice", n)
		}
	}
}

func TestWhatSomebodyChangedIsFound(t *testing.T) {
	r, _ := made(t, vault.NewMaster())
	b := make([]byte, 50_000)
	_, _ = rand.Read(b)
	good := seal(t, r, "x", b)
	const head, chunk = vault.FileHead, 16<<10 + 16
	for name, bad := range map[string][]byte{
		"chunks in another order":    append(append(append(bytes.Clone(good[:head]), good[head+chunk:head+2*chunk]...), good[head:head+chunk]...), good[head+2*chunk:]...),
		"a chunk left out":           append(bytes.Clone(good[:head+chunk]), good[head+2*chunk:]...),
		"the last chunk left out":    good[:head+3*chunk],
		"cut off in a chunk":         good[:len(good)-1],
		"cut off to its head":        good[:head],
		"cut off in its head":        good[:20],
		"more behind it":             append(bytes.Clone(good), make([]byte, 40)...),
		"nothing":                    nil,
		"the head of another file":   append(bytes.Clone(seal(t, r, "x", b)[:head]), good[head:]...),
		"a longer chunk in its head": append(append(bytes.Clone(good[:12]), 0, 0x80, 0, 0), good[16:]...),
	} {
		if got, err := unseal(r, "x", bad); err == nil {
			t.Errorf("%s: %d bytes read", name, len(got))
		}
	}
	for at := 0; at < len(good); at += 1 + at/40 {
		bad := bytes.Clone(good)
		bad[at] ^= 0x20
		if _, err := unseal(r, "x", bad); err == nil {
			t.Errorf("a flip at %d was not found", at)
		}
	}
	if _, err := unseal(r, "y", good); err == nil {
		t.Error("a file was read as another")
	}
	other, _ := made(t, vault.NewMaster())
	_, err := unseal(other, "x", good)
	wantCode(t, err, edgeward.Unavailable, "key.unknown")
}

func TestOneTimeKeysNeedNoFile(t *testing.T) {
	secret := vault.NewSecret()
	a, err := vault.OneTime(secret)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := vault.OneTime(secret)
	if got, err := unseal(b, "x", seal(t, a, "x", []byte("table"))); err != nil || string(got) != "table" {
		t.Errorf("%q, %v", got, err)
	}
	c, _ := vault.OneTime(vault.NewSecret())
	if _, err := unseal(c, "x", seal(t, a, "x", []byte("table"))); err == nil {
		t.Error("read with another key")
	}
	if _, err := vault.OneTime(secret[:5]); err == nil {
		t.Error("a short key")
	}
}

// TestMastersTurn: a new master key above the old one opens what the old one wrapped, once; then the old one is not needed.
func TestMastersTurn(t *testing.T) {
	old, young := vault.NewMaster(), vault.NewMaster()
	r, p := made(t, old)
	file := seal(t, r, "x", []byte("since then"))
	first := r.Current()
	_, _, err := vault.Open(p, []vault.Master{young}, now)
	wantCode(t, err, edgeward.Unavailable, "key.wrong")
	r, turned, err := vault.Open(p, []vault.Master{young, old}, now.AddDate(0, 1, 0))
	if err != nil || !turned || r.Current() == first || r.Len() != 2 || r.Master() != young.ID() {
		t.Fatalf("turned %v, %v, %d keys", turned, err, r.Len())
	}
	for range 2 {
		if r, turned, err = vault.Open(p, []vault.Master{young}, now); err != nil || turned || r.Len() != 2 {
			t.Fatalf("turned %v, %v", turned, err)
		}
	}
	_, _, err = vault.Open(p, []vault.Master{old}, now)
	wantCode(t, err, edgeward.Unavailable, "key.wrong")
	if got, err := unseal(r, "x", file); err != nil || string(got) != "since then" {
		t.Errorf("%q, %v", got, err)
	}
	if n, err := r.Keep(map[vault.ID]bool{first: true}); n != 0 || err != nil {
		t.Errorf("forgot %d, %v", n, err)
	}
	if n, err := r.Keep(nil); n != 1 || err != nil || r.Len() != 1 || r.Has(first) {
		t.Errorf("forgot %d, %v, %d left", n, err, r.Len())
	}
	if r, _, err = vault.Open(p, []vault.Master{young}, now); err != nil || r.Len() != 1 {
		t.Fatalf("opened again: %v", err)
	}
	_, err = unseal(r, "x", file)
	wantCode(t, err, edgeward.Unavailable, "key.unknown")
}

func TestADamagedRingIsSaid(t *testing.T) {
	m := vault.NewMaster()
	_, p := made(t, m)
	good, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(p); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	for at := range good {
		bad := bytes.Clone(good)
		bad[at] ^= 0x11
		if err := os.WriteFile(p, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		r, _, err := vault.Open(p, []vault.Master{m}, now)
		if err == nil && (r.Len() != 1 || bytes.Contains(good[at:], []byte(r.Current().String()))) {
			t.Errorf("a flip at %d (%q) was not found", at, good[at])
		}
		if got, _ := os.ReadFile(p); !bytes.Equal(got, bad) {
			t.Fatal("the file was changed")
		}
	}
	for name, text := range map[string]string{"empty": "", "no keys": `{"format":1,"master":"` + m.ID() + `","keys":[]}`, "large": strings.Repeat(" ", 2<<20)} {
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := vault.Open(p, []vault.Master{m}, now)
		wantCode(t, err, edgeward.Unavailable, "key.ring")
		t.Log(name, err)
	}
	if err := os.WriteFile(p, []byte(`{"format":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = vault.Open(p, []vault.Master{m}, now)
	wantCode(t, err, edgeward.Conflict, "key.newer")
	if err := os.Remove(p); err != nil {
		t.Fatal(err)
	}
	_, _, err = vault.Open(p, []vault.Master{m}, now)
	wantCode(t, err, edgeward.Unavailable, "key.ring")
	if _, err := vault.Make(p, m, now); err != nil {
		t.Error(err)
	}
	_, err = vault.Make(p, m, now)
	if edgeward.CodeOf(err) != "key.exists" {
		t.Errorf("a ring over another: %v", err)
	}
}

func TestKeyFiles(t *testing.T) {
	p := filepath.Join(t.TempDir(), "record.key")
	_, err := vault.ReadMasters(p)
	wantCode(t, err, edgeward.NotFound, "key.missing")
	m, err := vault.MakeMaster(p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	if st, _ := os.Stat(p); st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
	got, err := vault.ReadMasters(p)
	if err != nil || len(got) != 1 || got[0] != m {
		t.Errorf("read %v, %v", got, err)
	}
	_, err = vault.MakeMaster(p)
	wantCode(t, err, edgeward.Conflict, "key.exists")
	if left, _ := filepath.Glob(p + ".*"); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	young := vault.NewMaster()
	if err := vault.WriteMasters(p, []vault.Master{young, m}); err != nil {
		t.Fatal(err)
	}
	if got, err := vault.ReadMasters(p); err != nil || len(got) != 2 || got[0] != young || got[1] != m {
		t.Errorf("read %v, %v", got, err)
	}
	if err := os.Chmod(p, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = vault.ReadMasters(p)
	wantCode(t, err, edgeward.Invalid, "key.readable")
	line := strings.Split(string(b), "\n")[1]
	for name, text := range map[string]string{"empty": "", "comment": "# nothing\n", "short": line[:40], "long": line + "AAAA", "not base64": strings.Repeat("!", 44), "zero": strings.Repeat("A", 43) + "=",
		"large": strings.Repeat("#", 100_000), "binary": string(b[:3]) + "\x00\xff"} {
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := vault.ReadMasters(p)
		wantCode(t, err, edgeward.Invalid, "key.invalid")
		if text != "" && len(text) > 30 && strings.Contains(fmt.Sprint(err, edgeward.HintOf(err)), text[:30]) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
	// However a key is printed, it is not shown.
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if text := fmt.Sprintf(format, m) + fmt.Sprintf(format, []vault.Master{m}); strings.Contains(text, line[:20]) || !strings.Contains(text, m.ID()) && format != "%x" {
			t.Errorf("%s prints %s", format, text)
		}
	}
}

type failing struct{ after int }

func (f *failing) Write(p []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, errors.New("full")
	}
	return len(p), nil
}

func TestAFullDiskIsSaid(t *testing.T) {
	r, _ := made(t, vault.NewMaster())
	for after := range 3 {
		w, err := vault.NewWriter(&failing{after}, r, "x")
		if err == nil {
			_, _ = w.Write(make([]byte, 30_000))
			err = w.Close()
		}
		if err == nil {
			t.Errorf("after %d writes nothing was said", after)
		}
	}
}

// FuzzReader gives any bytes as an encrypted file: never a panic, and never a byte that was not written.
func FuzzReader(f *testing.F) {
	secret := bytes.Repeat([]byte{7}, 32)
	keys, err := vault.OneTime(secret)
	if err != nil {
		f.Fatal(err)
	}
	for _, n := range []int{0, 10, 20_000} {
		b := seal(f, keys, "x", make([]byte, n))
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := unseal(keys, "x", b)
		if err == nil && len(bytes.Trim(got, "\x00")) > 0 {
			t.Errorf("%d bytes that nobody wrote", len(got))
		}
	})
}

// FuzzRing gives any bytes as a ring.
func FuzzRing(f *testing.F) {
	m := vault.NewMaster()
	_, p := made(f, m)
	b, err := os.ReadFile(p)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"format":1,"master":"x","keys":[{"id":"00","wrapped":"AA=="}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := filepath.Join(t.TempDir(), "keyring.json")
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if r, _, err := vault.Open(p, []vault.Master{m}, now); err == nil && r.Len() == 0 {
			t.Error("a ring without keys")
		}
	})
}

func Example() {
	dir, err := os.MkdirTemp("", "vault")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	master, err := vault.MakeMaster(filepath.Join(dir, "record.key"))
	if err != nil {
		panic(err)
	}
	keys, err := vault.Make(filepath.Join(dir, "keyring.json"), master, now)
	if err != nil {
		panic(err)
	}
	var file bytes.Buffer
	w, err := vault.NewWriter(&file, keys, "a note")
	if err != nil {
		panic(err)
	}
	fmt.Fprint(w, "nobody else reads this")
	if err := w.Close(); err != nil {
		panic(err)
	}
	r, err := vault.NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()), keys, "a note")
	if err != nil {
		panic(err)
	}
	b := make([]byte, 6)
	_, _ = r.ReadAt(b, 0)
	fmt.Println(string(b), r.Size())
	// Output: nobody 22
}

func BenchmarkFrame(b *testing.B) {
	r, _ := made(b, vault.NewMaster())
	a, err := r.Frames(r.New(), "x")
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{256, 1024, 16 << 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p, out, seq := make([]byte, n), make([]byte, 0, n+vault.Overhead), make([]byte, 8)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				out = a.Seal(out[:0], nil, p, seq)
			}
		})
	}
}
