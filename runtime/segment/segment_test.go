package segment_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parquet-go/parquet-go"

	"edgeward"
	"edgeward/runtime/segment"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func fixed() time.Time { return t0 }

func open(t *testing.T, dir string, o segment.Options) *segment.Log {
	t.Helper()
	if o.Now == nil {
		o.Now = fixed
	}
	if o.Keys == nil && os.Getenv(encrypted) != "" {
		o.Keys = keysIn(t, dir)
	}
	l, err := segment.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func add(t *testing.T, l *segment.Log, payloads ...string) uint64 {
	t.Helper()
	var b [][]byte
	for _, p := range payloads {
		b = append(b, []byte(p))
	}
	seq, err := l.Append(b...)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// read returns "seq:payload" for each frame, "seq:!" for a damaged one.
func read(t *testing.T, l *segment.Log, from uint64) (out []string) {
	t.Helper()
	for f, err := range l.Read(t.Context(), from) {
		switch {
		case segment.IsDamaged(err):
			out = append(out, fmt.Sprintf("%d:!", f.Seq))
		case err != nil:
			t.Fatal(err)
		default:
			out = append(out, fmt.Sprintf("%d:%s", f.Seq, f.Payload))
		}
	}
	return out
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("read %v, want %v", got, want)
	}
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	m, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func wantCode(t *testing.T, err error, kind edgeward.Kind, code string) {
	t.Helper()
	if edgeward.KindOf(err) != kind || edgeward.CodeOf(err) != code {
		t.Errorf("error %v (kind %v, code %q), want kind %v, code %q", err, edgeward.KindOf(err), edgeward.CodeOf(err), kind, code)
	}
}

func TestFramesKeepOrderAndNumberAcrossFilesAndReopening(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, segment.Options{MaxBytes: 60})
	if l.First() != 1 || l.Next() != 1 {
		t.Fatalf("an empty log is %d..%d", l.First(), l.Next())
	}
	if seq := add(t, l, "a", "", "ccc"); seq != 1 {
		t.Fatalf("first number %d", seq)
	}
	add(t, l, "dddddddddd")
	add(t, l, "eeeeeeeeee")
	want(t, read(t, l, 1), "1:a", "2:", "3:ccc", "4:dddddddddd", "5:eeeeeeeeee")
	want(t, read(t, l, 4), "4:dddddddddd", "5:eeeeeeeeee")
	want(t, read(t, l, 6))
	want(t, read(t, l, 99))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := l.Append([]byte("x"))
	wantCode(t, err, edgeward.Unavailable, "segment.closed")
	if n := len(glob(t, dir, "*.seg")); n != 3 {
		t.Errorf("%d files, want 3", n)
	}
	l = open(t, dir, segment.Options{})
	if seq := add(t, l, "f"); seq != 6 {
		t.Fatalf("number %d after reopening, want 6", seq)
	}
	want(t, read(t, l, 3), "3:ccc", "4:dddddddddd", "5:eeeeeeeeee", "6:f")
	_, err = l.Append(make([]byte, segment.MaxFrame+1))
	wantCode(t, err, edgeward.TooLarge, "segment.frame_too_large")
	if seq := add(t, l); seq != 7 {
		t.Errorf("appending nothing gave %d", seq)
	}
}

// A file is cut at every length; what was whole before the cut is there, the rest is gone, and the log goes on.
func TestTornTailIsCutAtOpen(t *testing.T) {
	src := t.TempDir()
	l := open(t, src, segment.Options{})
	add(t, l, "one", "two", "three")
	l.Close()
	name := filepath.Base(glob(t, src, "*.seg")[0])
	whole, err := os.ReadFile(filepath.Join(src, name))
	if err != nil {
		t.Fatal(err)
	}
	ends := map[int]int{43: 1, 54: 2, 67: 3} // file length after each frame
	frames := 0
	for n := range len(whole) + 1 {
		if k, ok := ends[n]; ok {
			frames = k
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), append(bytes.Clone(whole[:n]), make([]byte, n%3)...), 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, dir, segment.Options{})
		if got := int(l.Next()) - 1; got != frames {
			t.Fatalf("cut at %d: %d frames, want %d", n, got, frames)
		}
		add(t, l, "after")
		all := []string{"1:one", "2:two", "3:three"}[:frames]
		want(t, read(t, l, 1), append(all, fmt.Sprintf("%d:after", frames+1))...)
		l.Close()
		want(t, read(t, open(t, dir, segment.Options{}), 1), append(all, fmt.Sprintf("%d:after", frames+1))...)
	}
	if len(whole) != 67 || frames != 3 {
		t.Fatalf("the file has %d bytes", len(whole))
	}
}

// Every bit of a finished file behind its header is flipped: reading never gives a wrong payload, tells which frames are
// lost, and reaches the next file.
func TestBitFlipsAreReportedAndReadingGoesOn(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, segment.Options{})
	add(t, l, "one", "two", "three")
	if err := l.Roll(); err != nil {
		t.Fatal(err)
	}
	add(t, l, "four")
	p := glob(t, dir, "*.seg")[0]
	whole, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	right := map[string]bool{"1:one": true, "2:two": true, "3:three": true, "4:four": true}
	for bit := 32 * 8; bit < len(whole)*8; bit++ {
		flipped := bytes.Clone(whole)
		flipped[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(p, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		got, damaged := read(t, l, 1), 0
		for _, g := range got {
			if strings.HasSuffix(g, ":!") {
				damaged++
			} else if !right[g] {
				t.Fatalf("bit %d: a wrong frame was given: %v", bit, got)
			}
		}
		if damaged != 1 || got[len(got)-1] != "4:four" {
			t.Fatalf("bit %d: read %v", bit, got)
		}
	}
	payloadOfTwo := bytes.Clone(whole)
	payloadOfTwo[32+8+3+8] ^= 1
	if err := os.WriteFile(p, payloadOfTwo, 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, read(t, l, 1), "1:one", "2:!", "3:three", "4:four")
}

func TestDamageInTheOpenFileKeepsWhatFollows(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, segment.Options{})
	add(t, l, "one", "two", "three")
	l.Close()
	p := glob(t, dir, "*.seg")[0]
	b, _ := os.ReadFile(p)
	b[32+8+3+8] ^= 1 // payload of two
	b[20] ^= 1       // and the header
	os.WriteFile(p, b, 0o600)
	l = open(t, dir, segment.Options{})
	add(t, l, "four")
	want(t, read(t, l, 1), "1:one", "2:!", "3:three", "4:four")
	l.Close()
	b, _ = os.ReadFile(p)
	b[32+8+3+3] ^= 0x80 // length of two: where three starts is not known any more
	os.WriteFile(p, b, 0o600)
	l = open(t, dir, segment.Options{})
	add(t, l, "new two")
	want(t, read(t, l, 1), "1:one", "2:new two")
	if kept := glob(t, dir, "*.aside"); len(kept) != 1 {
		t.Errorf("the cut bytes were not kept aside: %v", kept)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	b, err := os.ReadFile("testdata/newer.seg")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%020d.seg", 1)), b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = segment.Open(dir, segment.Options{Now: fixed})
	wantCode(t, err, edgeward.Conflict, "segment.newer")
	if edgeward.HintOf(err) == "" {
		t.Error("no hint")
	}
}

func TestFormat1FixtureStaysReadable(t *testing.T) {
	dir := t.TempDir()
	name := fmt.Sprintf("%020d.seg", 7)
	b, err := os.ReadFile(filepath.Join("testdata", "v1", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, read(t, open(t, dir, segment.Options{}), 7), "7:kept since format 1", "8:")
}

func TestRunSyncsWithin200msAndRollsAndRetains(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l, err := segment.Open(dir, segment.Options{Now: time.Now, MaxAge: 10 * time.Minute, RetainAge: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		add(t, l, "a")
		if l.Durable() != 1 {
			t.Error("durable before any sync")
		}
		time.Sleep(201 * time.Millisecond)
		synctest.Wait()
		if l.Durable() != 2 {
			t.Errorf("after 200 ms durable is %d, want 2", l.Durable())
		}
		time.Sleep(12 * time.Minute)
		if add(t, l, "b"); len(glob(t, dir, "*.seg")) != 2 {
			t.Error("not rolled by age")
		}
		time.Sleep(57 * time.Minute)
		if l.First() != 1 {
			t.Error("a frame was removed before its time")
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if l.First() != 2 {
			t.Errorf("the oldest frame is %d, want 2", l.First())
		}
		for _, err := range l.Read(t.Context(), 1) {
			wantCode(t, err, edgeward.NotFound, "segment.gone")
		}
		add(t, l, "c")
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if l.Durable() != l.Next() {
			t.Error("Run ended without a last sync")
		}
		l.Close()
	})
}

func TestRetainByBytesRemovesTheOldestFirst(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, segment.Options{RetainBytes: 500})
	for i := range 10 {
		add(t, l, strings.Repeat(fmt.Sprint(i), 60)) // 100 bytes a file
		if err := l.Roll(); err != nil {
			t.Fatal(err)
		}
	}
	n, err := l.Retain()
	if err != nil || n != 6 || l.First() != 7 {
		t.Fatalf("Retain = %d, %v; first %d; want 6 removed, first 7", n, err, l.First())
	}
	if u, err := l.Usage(); err != nil || u != 432 {
		t.Errorf("Usage = %d, %v", u, err)
	}
}

func TestWaitWakesAndEnds(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l, err := segment.Open(dir, segment.Options{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got := make(chan error)
		go func() { got <- l.Wait(ctx, 2) }()
		add(t, l, "1")
		synctest.Wait()
		select {
		case err := <-got:
			t.Fatalf("woke for frame 1: %v", err)
		default:
		}
		add(t, l, "2")
		if err := <-got; err != nil {
			t.Error(err)
		}
		if err := l.Wait(ctx, 3); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait with nothing coming: %v", err)
		}
	})
}

func TestConcurrentDurableAppendsShareNumbersAndSyncs(t *testing.T) {
	l := open(t, t.TempDir(), segment.Options{MaxBytes: 2000})
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[uint64]string{}
	for g := range 8 {
		wg.Go(func() {
			for i := range 25 {
				p := fmt.Sprintf("%d-%d", g, i)
				seq, err := l.AppendDurable(t.Context(), []byte(p))
				if err != nil {
					t.Error(err)
				}
				if l.Durable() <= seq {
					t.Errorf("frame %d acknowledged, durable is %d", seq, l.Durable())
				}
				mu.Lock()
				got[seq] = p
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for f, err := range l.Read(t.Context(), 1) {
		if err != nil || got[f.Seq] != string(f.Payload) {
			t.Fatalf("frame %d is %q, want %q (%v)", f.Seq, f.Payload, got[f.Seq], err)
		}
		delete(got, f.Seq)
	}
	if len(got) != 0 {
		t.Errorf("missing %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.AppendDurable(ctx, []byte("x")); err != nil {
		wantCode(t, err, edgeward.Unknown, "segment.unknown")
	}
}

type row struct {
	Seq   int64   `parquet:"seq"`
	Name  string  `parquet:"name,dict"`
	Value float64 `parquet:"value"`
}

func decode(f segment.Frame) (row, error) {
	var r row
	if string(f.Payload) == "no row" {
		return r, segment.ErrSkip
	}
	err := json.Unmarshal(f.Payload, &r)
	r.Seq = int64(f.Seq)
	return r, err
}

func TestSealMakesParquetAndLeavesTheRest(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, segment.Options{})
	add(t, l, `{"name":"a","value":1.5}`, "no row", `{"name":"b","value":-2}`)
	l.Roll()
	add(t, l, `{"name":"c","value":3}`)
	l.Roll()
	add(t, l, `{"name":"open"}`)

	res, err := segment.Seal(t.Context(), l, 3, 4, decode)
	if err != nil || res != (segment.SealResult{Files: 1, Rows: 2, Skipped: 1}) {
		t.Fatalf("Seal up to 4 = %+v, %v", res, err)
	}
	if l.First() != 4 || l.Next() != 6 {
		t.Errorf("frames left %d..%d", l.First(), l.Next())
	}
	res, err = segment.Seal(t.Context(), l, 3, l.Next(), decode)
	if err != nil || res.Files != 1 {
		t.Fatalf("Seal of the rest = %+v, %v", res, err)
	}
	s := l.Sealed()
	if len(s) != 2 || s[0].First != 1 || s[0].Last != 3 || s[1].First != 4 || s[1].Last != 4 {
		t.Fatalf("Sealed = %+v", s)
	}
	rows, err := parquet.ReadFile[row](s[0].Path)
	if err != nil || !slices.Equal(rows, []row{{1, "a", 1.5}, {3, "b", -2}}) {
		t.Fatalf("rows %+v, %v", rows, err)
	}
	f, err := os.Open(s[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pf, err := parquet.OpenFile(f, s[0].Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"edgeward.segment.format": "2", "edgeward.schema": "3", "edgeward.first": "1", "edgeward.last": "3"} {
		if got, _ := pf.Lookup(k); got != v {
			t.Errorf("metadata %s = %q, want %q", k, got, v)
		}
	}
	l.Close()
	l = open(t, dir, segment.Options{})
	if len(l.Sealed()) != 2 || l.Next() != 6 {
		t.Errorf("after reopening: %+v, next %d", l.Sealed(), l.Next())
	}
	want(t, read(t, l, 5), `5:{"name":"open"}`)
}

func TestSealKeepsAFileItCannotTurnIntoRows(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, segment.Options{})
	add(t, l, `{"name":"a"}`, "not json")
	l.Roll()
	if _, err := segment.Seal(t.Context(), l, 1, l.Next(), decode); err == nil {
		t.Fatal("Seal of a bad payload succeeded")
	}
	want(t, read(t, l, 1), `1:{"name":"a"}`, "2:not json")
	if left := glob(t, dir, ".tmp*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSealOfADamagedFileKeepsItAside(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, segment.Options{})
	add(t, l, `{"name":"a"}`, `{"name":"b"}`, `{"name":"c"}`)
	l.Roll()
	p := glob(t, dir, "*.seg")[0]
	b, _ := os.ReadFile(p)
	os.WriteFile(p, b[:len(b)-25], 0o600) // into b
	res, err := segment.Seal(t.Context(), l, 1, l.Next(), decode)
	if err != nil || res != (segment.SealResult{Files: 1, Rows: 1, Damaged: 2}) {
		t.Fatalf("Seal = %+v, %v", res, err)
	}
	if len(glob(t, dir, "*.aside")) != 1 {
		t.Error("the damaged file is gone")
	}
}

// A crash between the rename of the Parquet file and the removal of its source must not give the frames twice.
func TestCrashBetweenSealAndRemoval(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, segment.Options{})
	add(t, l, `{"name":"a"}`)
	l.Roll()
	p := glob(t, dir, "*.seg")[0]
	b, _ := os.ReadFile(p)
	if _, err := segment.Seal(t.Context(), l, 1, l.Next(), decode); err != nil {
		t.Fatal(err)
	}
	l.Close()
	os.WriteFile(p, b, 0o600)
	os.WriteFile(filepath.Join(dir, ".tmp-seal-1"), b, 0o600)
	l = open(t, dir, segment.Options{})
	if l.First() != 2 || len(l.Sealed()) != 1 || len(glob(t, dir, "*")) != 2 || len(glob(t, dir, ".tmp*")) != 0 {
		t.Errorf("first %d, files %v", l.First(), glob(t, dir, "*"))
	}
}

func TestDropRemovesOnlyWholeFilesBelow(t *testing.T) {
	l := open(t, t.TempDir(), segment.Options{})
	add(t, l, "1", "2")
	l.Roll()
	add(t, l, "3", "4")
	l.Roll()
	for _, c := range []struct{ before, first uint64 }{{2, 1}, {3, 3}, {4, 3}} {
		if err := l.Drop(c.before); err != nil || l.First() != c.first {
			t.Errorf("Drop(%d): first %d, %v; want %d", c.before, l.First(), err, c.first)
		}
	}
	if err := l.Drop(99); err != nil || l.First() != 5 {
		t.Errorf("Drop of all: first %d, %v", l.First(), err)
	}
	add(t, l, "5")
	want(t, read(t, l, 5), "5:5")
}
