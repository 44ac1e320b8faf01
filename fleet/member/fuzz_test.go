package member

import "testing"

// FuzzMeta reads what any member may send.
func FuzzMeta(f *testing.F) {
	f.Add([]byte(`{"r":812,"t":9,"v":"0.2.0","h":true}`))
	f.Add([]byte(`{"r":-1}`))
	f.Add([]byte(`{"v":"\u2028\u2028\u2028\u2028\u2028\u2028\u2028\u2028\u2028\u2028\u2028"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := parseMeta(b)
		if len(m.Version) > 32 {
			t.Errorf("a version of %d bytes", len(m.Version))
		}
		if n := len(m.bytes()); n > MaxMeta {
			t.Errorf("%d bytes are told", n)
		}
	})
}
