package blocks_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"edgeward"
	"edgeward/sync/blocks"
	"edgeward/sync/chunk"
)

func content(n int) []byte {
	r, b := rand.New(rand.NewPCG(1, 1)), make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestAllBytesAreInBlocksThatEndAtTensors(t *testing.T) {
	b := content(5 << 20)
	tensors := []chunk.Tensor{{At: 100, Size: 200}, {At: 70_000, Size: 2<<20 + 5}, {At: 2<<20 + 70_005, Size: 1 << 20}}
	list, err := blocks.Cut(bytes.NewReader(b), tensors)
	if err != nil {
		t.Fatal(err)
	}
	at, borders := int64(0), map[int64]bool{}
	for _, k := range list {
		if k.Size > blocks.Size || !k.Is(b[at:at+k.Size]) || k.Is(b[:k.Size]) && at > 0 {
			t.Fatalf("at %d: %+v", at, k)
		}
		at += k.Size
		borders[at] = true
	}
	if at != int64(len(b)) || !borders[70_000] || !borders[2<<20+70_005] || !borders[3<<20+70_005] || borders[100] {
		t.Errorf("%d bytes, borders %v", at, borders)
	}
	changed := bytes.Clone(b)
	changed[1<<20] ^= 1
	other, err := blocks.Cut(bytes.NewReader(changed), tensors)
	differ := 0
	for i := range other {
		if other[i] != list[i] {
			differ++
		}
	}
	if err != nil || len(other) != len(list) || differ != 1 {
		t.Errorf("one changed byte made %d blocks others: %v", differ, err)
	}
	if none, err := blocks.Cut(bytes.NewReader(nil), nil); err != nil || len(none) != 0 {
		t.Errorf("of nothing: %v %v", none, err)
	}
}

func TestAListComesBack(t *testing.T) {
	b := content(300_000)
	k, err := blocks.Cut(bytes.NewReader(b), nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := blocks.List{Files: []blocks.File{{Digest: edgeward.DigestOf(b), Blocks: k}}}.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	l, err := blocks.Parse(raw)
	if got := l.Of(edgeward.DigestOf(b)); err != nil || len(got) != len(k) || got[0] != k[0] || l.Of(edgeward.DigestOf(nil)) != nil {
		t.Errorf("%+v %v", l, err)
	}
	for _, bad := range []string{`{}`, `{"format":2,"files":[]}`, `[]`, `{"format":1,"files":[{"digest":"x","blocks":[]}]}`,
		`{"format":1,"files":[{"digest":"` + string(edgeward.DigestOf(b)) + `","blocks":[{"size":0,"sha256":"` + k[0].SHA256 + `"}]}]}`,
		`{"format":1,"files":[{"digest":"` + string(edgeward.DigestOf(b)) + `","blocks":[{"size":1,"sha256":"00"}]}]}`} {
		if _, err := blocks.Parse([]byte(bad)); edgeward.CodeOf(err) != "blocks.invalid" {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"files":[{"blocks":[{"sha256":"0000000000000000000000000000000000000000000000000000000000000000","size":1}],"digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000"}],"format":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := blocks.Parse(b)
		if err != nil {
			return
		}
		again, err := l.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := blocks.Parse(again); err != nil {
			t.Fatal(err)
		}
	})
}
