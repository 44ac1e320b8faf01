package chunk_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"edgeward/sync/chunk"
)

func TestTheTensorsOfARealModel(t *testing.T) {
	b, err := os.ReadFile("../../node/demo/data/digits/digits-cnn.onnx")
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	all := chunk.Tensors(b)
	for _, x := range all {
		if x.Kind.Width() < 4 || x.Name == "" {
			t.Errorf("%+v", x)
		}
		sum += x.Size
	}
	if len(all) < 4 || sum*10 < int64(len(b))*8 {
		t.Errorf("%d tensors of %d bytes in a file of %d", len(all), sum, len(b))
	}
}

// message is a field with a length.
func message(num protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), bytes.Join(parts, nil))
}

func number(num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), v)
}

func text(num protowire.Number, s string) []byte { return message(num, []byte(s)) }

// The arrays of a tree ensemble are tensors among a node's attributes; some initialisers lie in another file.
func TestTensorsOfNodesAndThoseOutside(t *testing.T) {
	splits := message(5, text(1, "nodes_splits"), message(5, number(1, 2), number(2, 11), text(8, "nodes_splits"), message(9, make([]byte, 16))))
	inside := message(5, number(1, 3), number(1, 2), number(2, 1), text(8, "w"), message(9, make([]byte, 24)))
	entry := func(k, v string) []byte { return message(13, text(1, k), text(2, v)) }
	outside := message(5, number(1, 4), number(1, 5), number(2, 10), text(8, "big"), entry("location", "w.data"), entry("offset", "64"), number(14, 1))
	foreign := message(5, number(1, 4), number(2, 10), text(8, "other"), entry("location", "x.data"), number(14, 1))
	b := message(7, message(1, text(4, "TreeEnsemble"), splits), inside, outside, foreign)
	all := chunk.Tensors(b)
	if len(all) != 2 || all[0].Kind != chunk.Float64 || all[0].Size != 16 || all[1].Name != "w" || all[1].Row != 2 {
		t.Errorf("%+v", all)
	}
	if got := chunk.Beside(b, "w.data", 104); len(got) != 1 || got[0] != (chunk.Tensor{Name: "big", At: 64, Size: 40, Kind: chunk.Float16, Row: 5}) {
		t.Errorf("outside: %+v", got)
	}
	if got := chunk.Beside(b, "w.data", 103); len(got) != 0 {
		t.Errorf("beyond the end: %+v", got)
	}
}

func TestOpenVINOAndSafetensors(t *testing.T) {
	xml := `<?xml version="1.0"?><net name="m"><layers>
<layer id="0" name="x" type="Parameter"><data shape="1,8" element_type="f32"/></layer>
<layer id="1" name="w" type="Const"><data element_type="f16" shape="4, 2, 3" offset="8" size="48"/></layer>
<layer id="2" name="again" type="Const"><data element_type="f16" shape="4, 2, 3" offset="8" size="48"/></layer>
<layer id="3" name="n" type="Const"><data element_type="i64" shape="" offset="0" size="8"/></layer>
<layer id="4" name="far" type="Const"><data element_type="u8" shape="9" offset="56" size="9"/></layer></layers></net>`
	want := []chunk.Tensor{{Name: "n", Size: 8, Kind: chunk.Int64, Row: 1}, {Name: "w", At: 8, Size: 48, Kind: chunk.Float16, Row: 6}}
	if got := chunk.Beside([]byte(xml), "m.bin", 60); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	header := `{"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[8,20]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"far":{"dtype":"U8","shape":[9],"data_offsets":[20,29]}}`
	b := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	at := int64(len(b))
	want = []chunk.Tensor{{Name: "a", At: at, Size: 8, Kind: chunk.Float32, Row: 1}, {Name: "b", At: at + 8, Size: 12, Kind: chunk.BFloat16, Row: 3}}
	if got := chunk.Tensors(append(b, make([]byte, 24)...)); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

func check(t *testing.T, all []chunk.Tensor, size int64) {
	end := int64(0)
	for _, x := range all {
		if x.At < end || x.At+x.Size > size || x.Kind.Width() == 0 || x.Size%int64(x.Kind.Width()) != 0 || x.Row < 1 || x.Row > chunk.MaxRow {
			t.Fatalf("%+v in %d bytes, after %d", x, size, end)
		}
		end = x.At + x.Size
	}
}

func FuzzTensors(f *testing.F) {
	f.Add([]byte("\x3a\x10\x2a\x0e\x08\x01\x10\x01\x42\x01w\x4a\x041234"))
	f.Add([]byte("\x3a\x18\x0a\x16\x2a\x14\x2a\x12\x08\x02\x10\x0b\x42\x01w\x4a\x0812345678"))
	f.Add([]byte("\x3c\x00\x00\x00\x00\x00\x00\x00" + `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}      1234`))
	f.Fuzz(func(t *testing.T, b []byte) { check(t, chunk.Tensors(b), int64(len(b))) })
}

func FuzzBeside(f *testing.F) {
	f.Add([]byte(`<net><layer name="w" type="Const"><data element_type="f32" shape="2,2" offset="0" size="16"/></layer></net>`))
	f.Add([]byte("\x3a\x1f\x2a\x1d\x08\x01\x10\x01\x42\x01w\x6a\x0d\x0a\x08location\x12\x01f\x70\x01"))
	f.Fuzz(func(t *testing.T, b []byte) { check(t, chunk.Beside(b, "f", 1000), 1000) })
}

// What stands before a border does not move those after it.
func TestCutsComeBackAfterAnInsertion(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	b := make([]byte, 4<<20)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	pieces := func(b []byte) map[string]bool {
		out := map[string]bool{}
		for len(b) > 0 {
			n := chunk.Cut(b)
			if n > chunk.MaxCut || n < chunk.MinCut && n < len(b) {
				t.Fatalf("a chunk of %d bytes", n)
			}
			out[fmt.Sprintf("%x", b[:n])], b = true, b[n:]
		}
		return out
	}
	old, now, same := pieces(b), pieces(append([]byte("an insertion"), b...)), 0
	for p := range now {
		if old[p] {
			same++
		}
	}
	if len(old) < 30 || len(old) > 120 || same < len(old)-3 {
		t.Errorf("%d chunks, then %d of which %d are the same", len(old), len(now), same)
	}
}
