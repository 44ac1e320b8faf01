package segment_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"edgeward/runtime/segment"
)

// FuzzOpen gives any bytes as the open file, and as a finished one: Open and Read never panic, numbers grow by one, and
// what is appended afterwards is read back, also after reopening. Each try syncs often: fuzz with TMPDIR=/dev/shm.
func FuzzOpen(f *testing.F) {
	for _, p := range []string{filepath.Join("testdata", "v1", fmt.Sprintf("%020d.seg", 7)), filepath.Join("testdata", "v2", fmt.Sprintf("%020d.seg", 7)), filepath.Join("testdata", "newer.seg")} {
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		for _, cut := range []int{len(b), len(b) - 1, 40, 31, 0} {
			f.Add(bytes.Clone(b[:cut]))
		}
		b[36] ^= 0x10
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		p := filepath.Join(dir, fmt.Sprintf("%020d.seg", 7))
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		keys := fixtureKeys(t)
		l, err := segment.Open(dir, segment.Options{Now: time.Now, Keys: keys})
		if err != nil {
			return // a newer format, or a key that is not there
		}
		defer l.Close()
		seq, err := l.Append([]byte("after"))
		if err != nil {
			t.Fatal(err)
		}
		check := func(l *segment.Log) {
			t.Helper()
			next, last := uint64(7), ""
			for f, err := range l.Read(t.Context(), 7) {
				if err != nil && !segment.IsDamaged(err) {
					t.Fatal(err)
				}
				if f.Seq != next {
					t.Fatalf("frame %d, want %d", f.Seq, next)
				}
				next, last = next+1, string(f.Payload)
			}
			if next != seq+1 || last != "after" {
				t.Fatalf("read to %d, the last is %q; want %d, after", next-1, last, seq)
			}
		}
		check(l)
		if err := l.Roll(); err != nil {
			t.Fatal(err)
		}
		check(l)
		l.Close()
		l, err = segment.Open(dir, segment.Options{Now: time.Now, Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		check(l)
		l.Close()
		if err := os.WriteFile(p, b, 0o600); err != nil { // the finished file changes
			t.Fatal(err)
		}
		if l, err = segment.Open(dir, segment.Options{Now: time.Now, Keys: keys}); err != nil {
			return
		}
		defer l.Close()
		for _, err := range l.Read(t.Context(), 7) {
			if err != nil && !segment.IsDamaged(err) {
				t.Fatal(err)
			}
		}
	})
}
