package infer

import (
	"bytes"
	"testing"
)

func FuzzUnpack(f *testing.F) {
	for _, parts := range [][][]byte{nil, {{}}, {[]byte("model"), nil, []byte("example")}} {
		b, err := pack(loadHead{Key: "k"}, parts...)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(append(runHead(nil, "key", 0), 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h loadHead
		parts, err := unpack(b, &h)
		if err == nil {
			again, err := pack(h, parts...)
			if err != nil {
				t.Fatal(err)
			}
			back, err := unpack(again, &h)
			if err != nil || len(back) != len(parts) {
				t.Fatalf("%d parts came back as %d, %v", len(parts), len(back), err)
			}
			for i := range parts {
				if !bytes.Equal(parts[i], back[i]) {
					t.Fatalf("part %d changed", i)
				}
			}
		}
		if key, rest, err := splitRun(b); err == nil && len(key)+len(rest) > len(b) {
			t.Fatal("more came out than went in")
		}
	})
}

func TestRunHeadKeepsAlignment(t *testing.T) {
	for _, key := range []string{"", "k", "1234567", "12345678", string(make([]byte, MaxKey))} {
		h := runHead(nil, key, 0)
		got, rest, err := splitRun(append(h, "rest"...))
		if len(h)%8 != 0 || err != nil || got != key || string(rest) != "rest" {
			t.Errorf("key of %d bytes: %d, %q, %v", len(key), len(h), rest, err)
		}
	}
}
