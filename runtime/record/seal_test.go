package record_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"edgeward/runtime/record"
	"edgeward/runtime/tensor"
)

// everything is all that a log tells of the endpoint "beds".
type everything struct {
	List     []record.Summary
	Joined   []record.Pair
	After    []record.Pair
	Cursor   uint64
	Overview record.Overview
	Entries  []record.Entry
}

func all(t *testing.T, l *record.Log, ids ...string) everything {
	t.Helper()
	var e everything
	e.List, _ = l.List("ward", "beds", record.Query{}, 0, 0)
	e.Joined = l.Joined("ward", "beds", record.Query{})
	e.After, e.Cursor = l.After("ward", "beds", 0, 1000)
	e.Overview = l.Overview("ward", "beds")
	for _, id := range ids {
		got, err := l.Get(t.Context(), "ward", id)
		if err != nil {
			t.Fatal(err)
		}
		e.Entries = append(e.Entries, got)
	}
	return e
}

// odd is a prediction with everything that a form could lose.
func odd(n int) record.Prediction {
	p := prediction(n, 1, record.Canary)
	p.ReceivedAt, p.EventTime, p.Target = day(1000).Add(123456789), time.Unix(0, 0).UTC(), time.Date(1700, 1, 2, 3, 4, 5, 6, time.UTC)
	p.Key, p.Error, p.Cut, p.Demo, p.LatencyUS = "", "", true, false, -1
	big, _ := tensor.FromInt64s("big", []int64{1, 2}, []int64{1<<63 - 1, -1 << 63})
	text, _ := tensor.FromStrings("text", []int64{2}, []string{"\xff\x00", ""})
	zero := 0.0
	nan, _ := tensor.FromFloat64s("nan", []int64{1, 2}, []float64{zero / zero, 1 / zero})
	p.Inputs, p.Outputs = []tensor.Tensor{big, text}, []tensor.Tensor{nan}
	return p
}

// TestSealedTellsTheSame: frames, sealed files and both together answer alike, also after a restart.
func TestSealedTellsTheSame(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, record.Options{})
	failed := prediction(3, 1, record.Live)
	failed.Outputs, failed.Inputs, failed.Error, failed.Target = nil, nil, "worker.lost", time.Time{}
	batch := prediction(4, 1, record.Live)
	batch.Outputs = []tensor.Tensor{floats("forecast", []int64{3, 1}, 10, 20, 30)}
	add(t, l, prediction(1, 1, record.Live), prediction(1, 2, record.Shadow), odd(2), failed, batch)
	label, wrong, third := truth(1, "lab", 0), truth(1, "ada", 0), truth(4, "his", 33)
	label.Value, label.Label, label.Kind = nil, "seven", record.Correction
	wrong.Value, wrong.Kind, wrong.Note, wrong.EventTime = nil, record.Wrong, "too \x00 low", time.Time{}
	third.Row = 2
	tell(t, l, truth(1, "his", 97), truth(1, "his", 98), label, wrong, third)
	ids := []string{id(1), id(2), id(3), id(4)}
	want := all(t, l, ids...)
	want.Overview.Watermark = l.Watermark("ward", "beds")

	same := func(what string, l *record.Log, want everything) {
		t.Helper()
		got := all(t, l, ids...)
		// NaN is not itself: what a person would compare is its bytes, and those are in Entries.
		for i := range got.List {
			if v := got.List[i].Values; len(v) == 2 && v[0] != v[0] {
				got.List[i].Values, want.List[i].Values = nil, nil
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", what, got, want)
		}
	}
	if err := l.SealAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if seg, parquet := count(t, dir, "*.seg"), count(t, dir, "*.parquet"); seg != 1 || parquet != 1 {
		t.Fatalf("%d frame files and %d sealed ones, want 1 and 1", seg, parquet)
	}
	same("sealed, the index as it was", l, want)
	l.Close()
	l = open(t, dir, record.Options{})
	same("sealed, the index rebuilt", l, want)

	add(t, l, prediction(5, 1, record.Live))
	tell(t, l, truth(3, "his", 1), truth(5, "his", 1))
	ids = append(ids, id(5))
	want = all(t, l, ids...)
	l.Close()
	same("sealed and frames, the index rebuilt", open(t, dir, record.Options{}), want)
}

func count(t *testing.T, dir, pattern string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// TestRunSealsFinishedFiles: what was finished is sealed without anybody asking, and nobody who reads sees it happen.
func TestRunSealsFinishedFiles(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, record.Options{})
	big := prediction(1, 1, record.Live)
	big.Inputs = []tensor.Tensor{floats("x", []int64{1 << 18}, make([]float32, 1<<18)...)}
	for n := range 20 { // 20 MiB: two finished files
		big.ID = id(n)
		add(t, l, big)
	}
	run(t, l)
	eventually(t, "two finished files are sealed", func() bool {
		if _, err := l.Get(t.Context(), "ward", id(3)); err != nil {
			t.Fatal(err)
		}
		return count(t, dir, "*.parquet") == 2 && count(t, dir, "*.seg") == 1
	})
	for n := range 20 {
		got, err := l.Get(t.Context(), "ward", id(n))
		if err != nil || len(got.Predictions) != 1 || !reflect.DeepEqual(got.Predictions[0].Inputs, big.Inputs) {
			t.Fatalf("prediction %d after sealing: %d, %v", n, len(got.Predictions), err)
		}
	}
}

// TestRetentionTakesSealedFiles: with its file a prediction leaves the index, and its feedback is refused.
func TestRetentionTakesSealedFiles(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, record.Options{})
	add(t, l, prediction(1, 1, record.Live))
	if err := l.SealAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	add(t, l, prediction(2, 1, record.Live))
	l.Close()
	files, _ := filepath.Glob(filepath.Join(dir, "*.parquet"))
	if err := os.Remove(files[0]); err != nil { // as retention does
		t.Fatal(err)
	}
	l = open(t, dir, record.Options{})
	if list, _ := l.List("ward", "beds", record.Query{}, 0, 0); len(list) != 1 || list[0].ID != id(2) {
		t.Errorf("list %+v", list)
	}
}

// TestDamagedSealedFileIsSkipped: a node starts whatever the disk did to a sealed file.
func TestDamagedSealedFileIsSkipped(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, record.Options{})
	for n := range 300 {
		add(t, l, prediction(n, 1, record.Live))
	}
	if err := l.SealAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	add(t, l, prediction(1000, 1, record.Live))
	l.Close()
	files, _ := filepath.Glob(filepath.Join(dir, "*.parquet"))
	good, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(good); at += 1 + len(good)/15 {
		for name, bad := range map[string][]byte{"flip": flipped(good, at), "cut": good[:at]} {
			if err := os.WriteFile(files[0], bad, 0o600); err != nil {
				t.Fatal(err)
			}
			o := record.Options{Now: func() time.Time { return day(1000) }}
			if os.Getenv(encrypted) != "" {
				o.Keys = mustKeys(dir)
			}
			l, err := record.Open(dir, o)
			if err != nil {
				if at < len(good)-2000 || name == "cut" { // in the last bytes a flip may say "newer", which stops
					t.Fatalf("%s at %d: %v", name, at, err)
				}
				continue
			}
			if list, _ := l.List("ward", "beds", record.Query{}, 0, 1); len(list) != 1 || list[0].ID != id(1000) {
				t.Errorf("%s at %d: what came later is lost: %+v", name, at, list)
			}
			_, _ = l.Get(t.Context(), "ward", id(3))
			l.Close()
		}
	}
}

func flipped(b []byte, at int) []byte {
	out := append([]byte(nil), b...)
	out[at] ^= 0x41
	return out
}

// TestFormat2IsRead: a log of the format before, whose predictions do not say how they came, tells the same beside what is new.
func TestFormat2IsRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "v2")
	if err := os.CopyFS(dir, os.DirFS("testdata/v2")); err != nil {
		t.Fatal(err)
	}
	l := open(t, dir, record.Options{})
	p := prediction(2, 1, record.Live)
	p.Source = "batch"
	add(t, l, p)
	want := all(t, l, id(1), id(2))
	if len(want.Joined) != 2 || want.Joined[0].Truth != 97 || want.Entries[0].Predictions[0].Source != "" || want.Entries[1].Predictions[0].Source != "batch" {
		t.Fatalf("%+v", want)
	}
	if err := l.SealAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := all(t, l, id(1), id(2)); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestFormat1IsRead: a log of the format before, whose feedback does not name its endpoint, tells the same; sealed, its
// feedback knows it, and is forgotten with it.
func TestFormat1IsRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "v1")
	if err := os.CopyFS(dir, os.DirFS("testdata/v1")); err != nil {
		t.Fatal(err)
	}
	l := open(t, dir, record.Options{})
	want := all(t, l, id(1), id(2))
	if len(want.Joined) != 3 || want.Joined[0].Truth != 97 {
		t.Fatalf("joined %+v", want.Joined)
	}
	if err := l.Forget(t.Context(), "ward", "gone"); err != nil {
		t.Fatal(err)
	}
	run(t, l)
	eventually(t, "the forgotten prediction and its feedback have left the disk", func() bool { return !onDisk(t, dir, id(3)) })
	got := all(t, l, id(1), id(2))
	for i := range got.Entries { // sealed by this program, feedback names its endpoint
		for k := range got.Entries[i].Feedback {
			if f := &got.Entries[i].Feedback[k]; f.Endpoint != "beds" {
				t.Errorf("feedback %+v", f)
			} else {
				f.Endpoint = ""
			}
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
