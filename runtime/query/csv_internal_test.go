package query

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzDialect: whatever the bytes, a dialect has unique, usable names and a known delimiter and encoding, or there is an
// error. DuckDB is not asked.
func FuzzDialect(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a;b\r\n1;2", "\xff\xfea\x00,\x00b\x00\n\x00", "\"a\n", "n\xfcm,x\n", "\xef\xbb\xbfa\n", ",,\n", "1,2\n3,4\n", "a,A,a_2\n"} {
		f.Add([]byte(s))
	}
	path := filepath.Join(f.TempDir(), "in.csv")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := readDialect(path)
		if err != nil {
			return
		}
		if len(d.names) == 0 || len(d.names) > MaxColumns {
			t.Fatalf("%d names", len(d.names))
		}
		seen := map[string]bool{}
		for _, n := range d.names {
			if n == "" || len(n) > 210 || seen[n] {
				t.Errorf("name %q", n)
			}
			seen[n] = true
		}
		if d.encoding != "utf-8" && d.encoding != "latin-1" && d.encoding != "utf-16" {
			t.Errorf("encoding %q", d.encoding)
		}
	})
}
