package record_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"edgeward"
	"edgeward/runtime/record"
	"edgeward/runtime/segment"
	"edgeward/runtime/vault"
)

// encrypted is the environment variable that has the other tests of this package work on encrypted logs.
const encrypted = "EDGEWARD_TEST_ENCRYPTED"

// mustKeys is the ring of a log's folder, under the same master key in every process.
func mustKeys(dir string) *vault.Ring {
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	check(os.MkdirAll(dir, 0o700))
	key := filepath.Join(filepath.Dir(dir), "key-"+filepath.Base(dir))
	check(os.WriteFile(key, []byte("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), 0o600))
	masters, err := vault.ReadMasters(key)
	check(err)
	check(os.Remove(key))
	p := filepath.Join(dir, "keyring.json")
	if !vault.Exists(p) {
		r, err := vault.Make(p, masters[0], start)
		check(err)
		return r
	}
	r, _, err := vault.Open(p, masters, start)
	check(err)
	return r
}

// TestEncryptedLogsDoTheSame runs the tests of this package, those that look for bytes on the disk apart, on encrypted logs.
func TestEncryptedLogsDoTheSame(t *testing.T) {
	if os.Getenv(encrypted) != "" {
		t.Skip("this is the run on encrypted logs")
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^Test", "-test.skip", "^Test(ForgottenLeavesTheDisk|TornAndDamagedFiles|OldLogsAreRenewed|Retention|RunSealsFinished)", "-test.v", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), encrypted+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "--- PASS: Test") < 15 {
		t.Fatalf("%v\n%s", err, out)
	}
}

// canary reports whether a file below dir holds the text, as it is or in a Parquet file.
func canary(t *testing.T, dir, text string) (found string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		if bytes.Contains(b, []byte(text)) || bytes.HasPrefix(b, []byte("PAR1")) {
			found = p
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestOldLogsAreRenewed: a log of before goes on encrypted and tells the same; in the end nothing of it is in the clear, and after
// another turn of the key the older data key is gone.
func TestOldLogsAreRenewed(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, record.Options{})
	fill := func(n int) {
		p := prediction(n, 1, record.Live)
		p.Key = "patient-7"
		add(t, l, p)
		f := truth(n, "his", float64(n))
		f.Note = "patient-7 again"
		tell(t, l, f)
	}
	fill(1)
	if err := l.SealAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(2)
	was := all(t, l, id(1), id(2))
	l.Close()
	if canary(t, dir, "patient-7") == "" {
		t.Fatal("the test looks in the wrong place")
	}
	keys := mustKeys(dir)
	l = open(t, dir, record.Options{Keys: keys})
	run(t, l)
	if got := all(t, l, id(1), id(2)); !reflect.DeepEqual(got, was) {
		t.Errorf("at once: got  %+v\nwant %+v", got, was)
	}
	fill(3)
	eventually(t, "every file is encrypted", func() bool { return l.Encryption() == segment.Encryption{Newest: 3} })
	if p := canary(t, dir, "patient-7"); p != "" {
		t.Errorf("in the clear in %s", p)
	}
	if got := all(t, l, id(1), id(2)); !reflect.DeepEqual(got.Entries, was.Entries) {
		t.Errorf("got  %+v\nwant %+v", got, was)
	}
	old := keys.Current()
	if err := keys.Add(vault.NewMaster(), start); err != nil {
		t.Fatal(err)
	}
	if err := l.Turned(); err != nil {
		t.Fatal(err)
	}
	fill(4)
	eventually(t, "the old data key is gone", func() bool { return keys.Len() == 1 && !keys.Has(old) })
	if e := l.Encryption(); e.Older > 0 || e.Plain > 0 {
		t.Errorf("%+v", e)
	}
	if got := all(t, l, id(1), id(2)); !reflect.DeepEqual(got.Entries, was.Entries) {
		t.Errorf("got  %+v\nwant %+v", got, was)
	}
}

// TestALockedLogLosesNothing: without the keys it says so, and takes and changes nothing.
func TestALockedLogLosesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	keys := mustKeys(dir)
	l := open(t, dir, record.Options{Keys: keys})
	add(t, l, prediction(1, 1, record.Live))
	l.Close()
	_, err := record.Open(dir, record.Options{Now: func() time.Time { return start }})
	if edgeward.CodeOf(err) != "key.unknown" {
		t.Fatalf("opened without keys: %v", err)
	}
	l = record.Locked(dir, err)
	stop := run(t, l)
	if err := l.Add(prediction(2, 1, record.Live)); edgeward.KindOf(err) != edgeward.Unavailable || edgeward.CodeOf(err) != "key.unknown" || edgeward.HintOf(err) == "" {
		t.Errorf("Add: %v", err)
	}
	if _, err := l.AddFeedback(t.Context(), []record.Feedback{truth(1, "his", 1)}); edgeward.KindOf(err) != edgeward.Unavailable {
		t.Errorf("AddFeedback: %v", err)
	}
	if err := l.Forget(t.Context(), "ward", "beds"); edgeward.KindOf(err) != edgeward.Unavailable {
		t.Errorf("Forget: %v", err)
	}
	if err := l.WriteTable(t.Context(), record.Table{Group: "ward", Endpoint: "beds"}, new(bytes.Buffer)); edgeward.KindOf(err) != edgeward.Unavailable {
		t.Errorf("WriteTable: %v", err)
	}
	if list, next := l.List("ward", "beds", record.Query{}, 0, 10); len(list) != 0 || next != 0 {
		t.Errorf("%+v", list)
	}
	if e, err := l.Get(t.Context(), "ward", id(1)); edgeward.KindOf(err) != edgeward.NotFound {
		t.Errorf("%+v, %v", e, err)
	}
	l.After("ward", "beds", 0, 10)
	l.Overview("ward", "beds")
	l.Watermark("ward", "beds")
	l.Changed()
	l.Encryption()
	if err := l.Turned(); err != nil {
		t.Error(err)
	}
	linked := t.TempDir()
	if err := l.Link(linked); err != nil {
		t.Error(err)
	}
	stop()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	for what, l := range map[string]*record.Log{"the log": open(t, dir, record.Options{Keys: keys}), "its backup": open(t, linked, record.Options{Keys: mustKeys(linked)})} {
		if list, _ := l.List("ward", "beds", record.Query{}, 0, 10); len(list) != 1 {
			t.Errorf("%s: %+v", what, list)
		}
	}
}

// TestTheTableIsOfTheEndpointOnly: what WriteTable gives has nothing of others, nor inputs that were not asked for.
func TestTheTableIsOfTheEndpointOnly(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, record.Options{Keys: mustKeys(dir)})
	for n := range 4 {
		p := prediction(n, 1, record.Live)
		p.Inputs = append(p.Inputs, floats("x", []int64{1}, 1))
		if n%2 == 1 {
			p.Endpoint = "other"
		}
		add(t, l, p)
		tell(t, l, truth(n, "his", 1))
		if n == 1 {
			if err := l.SealAll(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	type line struct {
		What     string `parquet:"what"`
		Endpoint string `parquet:"endpoint"`
		ID       string `parquet:"id"`
		Inputs   []byte `parquet:"inputs"`
	}
	write := func(tab record.Table) (rows []line) {
		t.Helper()
		tab.Group, tab.Endpoint = "ward", "beds"
		var out bytes.Buffer
		if err := l.WriteTable(t.Context(), tab, &out); err != nil {
			t.Fatal(err)
		}
		rows, err := parquet.Read[line](bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if r.Endpoint != "beds" || (len(r.Inputs) > 0) != (tab.Inputs && r.What == "prediction") {
				t.Errorf("%+v", r)
			}
		}
		return rows
	}
	if rows := write(record.Table{Inputs: true}); len(rows) != 4 {
		t.Errorf("%+v", rows)
	}
	if rows := write(record.Table{From: day(1)}); len(rows) != 3 { // one prediction, all feedback
		t.Errorf("%+v", rows)
	}
	if rows := write(record.Table{To: day(0)}); len(rows) != 2 {
		t.Errorf("%+v", rows)
	}
}
