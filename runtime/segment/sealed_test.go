package segment_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"

	"edgeward"
	"edgeward/runtime/segment"
)

// named is row without its value.
type named struct {
	Seq  int64  `parquet:"seq"`
	Name string `parquet:"name"`
}

func isB(n named) bool   { return n.Name == "b" }
func nameOf(r row) named { return named{r.Seq, r.Name} }
func sealAll(t *testing.T, l *segment.Log) {
	t.Helper()
	if err := l.Roll(); err != nil {
		t.Fatal(err)
	}
	if _, err := segment.Seal(t.Context(), l, 3, l.Next(), decode); err != nil {
		t.Fatal(err)
	}
}

func rowsOf[T any](t *testing.T, l *segment.Log, schema int) (out []T) {
	t.Helper()
	for _, s := range l.Sealed() {
		for r, err := range segment.Rows[T](t.Context(), l, s, schema) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, r)
		}
	}
	return out
}

func TestSealedRowsAreReadAndFound(t *testing.T) {
	l := open(t, t.TempDir(), segment.Options{})
	if before, waiting := l.Finished(); waiting {
		t.Errorf("a file waits before %d in a new log", before)
	}
	add(t, l, `{"name":"a","value":1}`, "no row", `{"name":"b","value":2}`)
	sealAll(t, l)
	var payloads []string
	for range 1000 { // more than what is read ahead
		payloads = append(payloads, `{"name":"c","value":3}`)
	}
	add(t, l, payloads...)
	l.Roll()
	if before, waiting := l.Finished(); !waiting || before != 1004 {
		t.Errorf("waits before %d: %v", before, waiting)
	}
	if l.Oldest() != 1 || l.First() != 4 {
		t.Errorf("oldest %d, first %d", l.Oldest(), l.First())
	}
	sealAll(t, l)
	all := rowsOf[row](t, l, 3)
	if len(all) != 1002 || !slices.Equal(all[:3], []row{{1, "a", 1}, {3, "b", 2}, {4, "c", 3}}) {
		t.Errorf("%d rows, %+v", len(all), all[:3])
	}
	if some := rowsOf[named](t, l, 4); len(some) != 1002 || some[1] != (named{3, "b"}) {
		t.Errorf("%d rows of two columns", len(some))
	}
	n := 0
	for range segment.Rows[row](t.Context(), l, l.Sealed()[1], 3) {
		if n++; n == 700 { // who wants no more leaves nothing behind: goleak by -race and the detector of deadlocks
			break
		}
	}
	for _, c := range []struct {
		seq   uint64
		found bool
		name  string
	}{{1, true, "a"}, {2, false, ""}, {3, true, "b"}, {900, true, "c"}} {
		s, ok := l.SealedAt(c.seq)
		if !ok {
			t.Fatalf("%d is in no file", c.seq)
		}
		r, found, err := segment.Find[row](t.Context(), l, s, 3, c.seq)
		if err != nil || found != c.found || r.Name != c.name {
			t.Errorf("Find(%d) = %+v, %v, %v", c.seq, r, found, err)
		}
	}
	if _, ok := l.SealedAt(l.Next()); ok {
		t.Error("a frame to come is sealed")
	}
	for _, err := range segment.Rows[row](t.Context(), l, l.Sealed()[0], 2) {
		wantCode(t, err, edgeward.Conflict, "segment.newer")
	}
	gone := l.Sealed()[0]
	os.Remove(gone.Path)
	for _, err := range segment.Rows[row](t.Context(), l, gone, 3) {
		wantCode(t, err, edgeward.NotFound, "segment.gone")
	}
}

func TestRewriteTakesRowsOut(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, segment.Options{})
	add(t, l, `{"name":"a"}`, `{"name":"b"}`)
	sealAll(t, l)
	add(t, l, `{"name":"c"}`)
	sealAll(t, l)
	add(t, l, `{"name":"b"}`)
	sealAll(t, l)
	before := l.Sealed()
	old, err := os.Stat(before[1].Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{2, 0} { // again changes nothing
		if n, err := segment.Rewrite(t.Context(), l, 3, isB, nameOf); n != want || err != nil {
			t.Fatalf("Rewrite = %d, %v; want %d", n, err, want)
		}
	}
	if same, err := os.Stat(before[1].Path); err != nil || !os.SameFile(old, same) {
		t.Error("a file without such rows was written anew")
	}
	check := func(what string, l *segment.Log) {
		t.Helper()
		if got := rowsOf[named](t, l, 3); !slices.Equal(got, []named{{1, "a"}, {3, "c"}}) {
			t.Errorf("%s: rows %+v", what, got)
		}
		after := l.Sealed()
		for i := range before {
			if st, err := os.Stat(after[i].Path); err != nil || after[i].Bytes != st.Size() || !after[i].End.Equal(before[i].End) || after[i].Last != before[i].Last {
				t.Errorf("%s: file %d is %+v, was %+v; %v", what, i, after[i], before[i], err)
			}
		}
		if l.Next() != 5 {
			t.Errorf("%s: next is %d: a number could be given twice", what, l.Next())
		}
	}
	check("as it is", l)
	l.Close()
	os.WriteFile(filepath.Join(dir, ".tmp-seal-7"), []byte("half a file"), 0o600) // a crash in the middle
	l = open(t, dir, segment.Options{})
	check("opened again", l)
	if left := glob(t, dir, ".tmp*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRewriteLeavesADamagedFileAndDoesTheOthers(t *testing.T) {
	l := open(t, t.TempDir(), segment.Options{})
	add(t, l, `{"name":"b"}`)
	sealAll(t, l)
	add(t, l, `{"name":"a"}`, `{"name":"b"}`)
	sealAll(t, l)
	bad := l.Sealed()[0].Path
	if err := os.WriteFile(bad, []byte("PAR1 what is this PAR1"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := segment.Rewrite(t.Context(), l, 3, isB, nameOf)
	if n != 1 || err == nil {
		t.Errorf("Rewrite = %d, %v; want the second file's row, and the first one's error", n, err)
	}
	if rows, err := parquet.ReadFile[named](l.Sealed()[1].Path); err != nil || !slices.Equal(rows, []named{{2, "a"}}) {
		t.Errorf("the other file: %+v, %v", rows, err)
	}
	for _, err := range segment.Rows[named](t.Context(), l, l.Sealed()[0], 3) {
		if !segment.IsDamaged(err) {
			t.Errorf("reading it: %v", err)
		}
	}
}

func TestExportAndLinkAreOfOneMoment(t *testing.T) {
	dir := t.TempDir()
	l := open(t, filepath.Join(dir, "log"), segment.Options{})
	exported := func(names ...string) []named {
		t.Helper()
		var out bytes.Buffer
		wanted := func(n named) bool { return slices.Contains(names, n.Name) }
		if err := segment.Export(t.Context(), l, &out, 3, decode, wanted, func(r *row) (bool, error) { return wanted(nameOf(*r)), nil }); err != nil {
			t.Fatal(err)
		}
		rows, err := parquet.Read[named](bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	if got := exported("a", "b"); len(got) != 0 {
		t.Errorf("of an empty log: %+v", got)
	}
	add(t, l, `{"name":"a"}`, `{"name":"b"}`)
	sealAll(t, l)
	add(t, l, `{"name":"c"}`)
	l.Roll()
	add(t, l, "no row", `{"name":"d"}`)
	if got := exported("a", "b", "c", "d"); !slices.Equal(got, []named{{1, "a"}, {2, "b"}, {3, "c"}, {5, "d"}}) {
		t.Errorf("exported %+v", got)
	}
	if got := exported("b", "d"); !slices.Equal(got, []named{{2, "b"}, {5, "d"}}) {
		t.Errorf("exported of some %+v", got)
	}
	enough := errors.New("enough")
	if err := segment.Export(t.Context(), l, io.Discard, 3, decode, isB, func(*row) (bool, error) { return false, enough }); !errors.Is(err, enough) {
		t.Errorf("an error of want: %v", err)
	}

	copied := filepath.Join(dir, "copy")
	if err := os.Mkdir(copied, 0o700); err != nil {
		t.Fatal(err)
	}
	next := l.Next()
	if err := l.Link(copied); err != nil {
		t.Fatal(err)
	}
	sealAll(t, l)
	c := open(t, copied, segment.Options{})
	if c.Next() != next || c.Oldest() != 1 || c.First() != 3 {
		t.Errorf("the copy has %d to %d, frames from %d", c.Oldest(), c.Next(), c.First())
	}
}

func TestRemoveAside(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, segment.Options{})
	add(t, l, `{"name":"a"}`)
	os.WriteFile(filepath.Join(dir, "00000000000000000001-70.aside"), []byte("x"), 0o600)
	if n, err := l.RemoveAside(); n != 1 || err != nil || len(glob(t, dir, "*")) != 1 {
		t.Errorf("removed %d, %v; left %v", n, err, glob(t, dir, "*"))
	}
}
