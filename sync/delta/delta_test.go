package delta_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/klauspost/compress/zstd"

	"edgeward"
	"edgeward/sync/chunk"
	"edgeward/sync/delta"
)

const digits = "../../node/demo/data/digits/digits-cnn.onnx"

func encode(t testing.TB, base, now []byte, l delta.Level) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := delta.Encode(t.Context(), &b, delta.Of(base), delta.Of(now), l); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func apply(base, d []byte, limit int) ([]byte, error) {
	var out bytes.Buffer
	err := delta.Apply(&out, bytes.NewReader(base), int64(len(base)), bytes.NewReader(d), int64(limit))
	return out.Bytes(), err
}

// retrained is a model file whose weights all moved a little, as a warm retraining moves them.
func retrained(t testing.TB, b []byte, step float64) []byte {
	t.Helper()
	out := bytes.Clone(b)
	r := rand.New(rand.NewPCG(1, 2))
	tensors := chunk.Tensors(b)
	if len(tensors) == 0 {
		t.Fatal("no tensors were found")
	}
	for _, x := range tensors {
		if x.Kind != chunk.Float32 {
			continue
		}
		for i := x.At; i < x.At+x.Size; i += 4 {
			f := math.Float32frombits(binary.LittleEndian.Uint32(out[i:]))
			binary.LittleEndian.PutUint32(out[i:], math.Float32bits(f*(1+float32(step*r.NormFloat64()))))
		}
	}
	return out
}

func TestEveryPairComesBack(t *testing.T) {
	model, err := os.ReadFile(digits)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, 3<<20+5)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	moved := append([]byte("a new head of the file, "), noise...)
	for name, c := range map[string]struct{ base, now []byte }{
		"retrained":           {model, retrained(t, model, 1e-4)},
		"the same":            {model, model},
		"out of nothing":      {nil, model},
		"into nothing":        {model, nil},
		"nothing":             {nil, nil},
		"noise":               {noise, noise[:len(noise)-7]},
		"of equal size":       {noise, append(bytes.Clone(noise[:len(noise)-4]), 1, 2, 3, 4)},
		"with a new head":     {noise, moved},
		"something else":      {[]byte("short"), model},
		"a truncated model":   {model, model[:len(model)/2]},
		"odd size, no tensor": {[]byte("abcde"), []byte("abcdf")},
	} {
		for _, l := range []delta.Level{delta.Fast, delta.Small} {
			d := encode(t, c.base, c.now, l)
			got, err := apply(c.base, d, len(c.now))
			if err != nil || !bytes.Equal(got, c.now) {
				t.Errorf("%s, level %d: %v, %d bytes of %d", name, l, err, len(got), len(c.now))
			}
		}
	}
}

func TestARetrainedModelIsSmallerThanByAnyCommonWay(t *testing.T) {
	base, err := os.ReadFile(digits)
	if err != nil {
		t.Fatal(err)
	}
	now := retrained(t, base, 1e-4)
	d := encode(t, base, now, delta.Small)
	z, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	whole := z.EncodeAll(now, nil)
	p, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderDictRaw(1, base))
	patch := p.EncodeAll(now, nil)
	t.Logf("%d bytes: delta %d, zstd with the old file as dictionary %d, zstd %d", len(now), len(d), len(patch), len(whole))
	if len(d)*10 > len(whole)*7 || len(d) >= len(patch) {
		t.Errorf("the delta has %d bytes, zstd alone %d, as a patch %d", len(d), len(whole), len(patch))
	}
	if same := encode(t, base, base, delta.Fast); len(same) > 200 {
		t.Errorf("no difference takes %d bytes", len(same))
	}
}

// matrices are two versions of a safetensors file: of a kind each a matrix that products of few vectors moved, with noise, and one that nothing foretells.
func matrices() (base, now []byte) {
	r := rand.New(rand.NewPCG(5, 6))
	const rows, columns = 48, 40
	head, at := map[string]any{}, 0
	for _, kind := range []string{"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8"} {
		left, right := make([]float64, rows), make([]float64, columns)
		for i := range left {
			left[i] = r.NormFloat64()
		}
		for j := range right {
			right[j] = r.NormFloat64()
		}
		begin := at
		for i := range rows {
			for j := range columns {
				v := r.NormFloat64() / 20
				w := v + left[i]*right[j]/1000 + r.NormFloat64()/10000
				if i == 7 { // nothing moved here
					w = v
				}
				for b, x := range map[*[]byte]float64{&base: v, &now: w} {
					switch kind {
					case "F64":
						*b = binary.LittleEndian.AppendUint64(*b, math.Float64bits(x))
					case "F32":
						*b = binary.LittleEndian.AppendUint32(*b, math.Float32bits(float32(x)))
					case "F16", "BF16":
						*b = binary.LittleEndian.AppendUint16(*b, uint16(math.Float32bits(float32(x))>>16))
					case "I64":
						*b = binary.LittleEndian.AppendUint64(*b, uint64(int64(x*1e12)))
					case "I32":
						*b = binary.LittleEndian.AppendUint32(*b, uint32(int32(x*1e8)))
					case "I16":
						*b = binary.LittleEndian.AppendUint16(*b, uint16(int16(x*1e4)))
					case "I8":
						*b = append(*b, byte(int8(x*500)))
					}
				}
			}
		}
		at = len(base)
		head[kind] = map[string]any{"dtype": kind, "shape": []int{rows, columns}, "data_offsets": []int{begin, at}}
	}
	h, _ := json.Marshal(head)
	h = append(binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h...)
	return append(bytes.Clone(h), base...), append(h, now...)
}

// TestGolden applies what an earlier build of this version wrote; the bytes of a version never change their meaning. -update writes them, for a new version.
func TestGolden(t *testing.T) {
	base, now := matrices()
	path := "testdata/v" + delta.Version + ".delta"
	if *update {
		if err := os.WriteFile(path, encode(t, base, now, delta.Small), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := apply(base, d, len(now)); err != nil || !bytes.Equal(got, now) {
		t.Errorf("%v: it made %d bytes out of it, and other ones", err, len(got))
	}
}

var update = flag.Bool("update", false, "writes the golden file")

// TestWhatFewProductsMovedIsForetold: a matrix of 32-bit floats costs less where a product of two vectors moved it.
func TestWhatFewProductsMovedIsForetold(t *testing.T) {
	base, now := matrices()
	at := 8 + int(binary.LittleEndian.Uint64(base)) + 48*40*8 // the matrix of floats stands after that of doubles
	var sizes [2]int
	for i, l := range []delta.Level{delta.Fast, delta.Small} {
		part := func(b []byte) delta.File {
			return delta.File{Bytes: b[at : at+48*40*4], Tensors: []chunk.Tensor{{Name: "w", Size: 48 * 40 * 4, Kind: chunk.Float32, Row: 40}}}
		}
		var d bytes.Buffer
		if err := delta.Encode(t.Context(), &d, part(base), part(now), l); err != nil {
			t.Fatal(err)
		}
		got, err := apply(base[at:at+48*40*4], d.Bytes(), 48*40*4)
		if err != nil || !bytes.Equal(got, now[at:at+48*40*4]) {
			t.Fatalf("level %d: %v", l, err)
		}
		sizes[i] = d.Len()
	}
	if sizes[1] > sizes[0]*97/100 { // two bits of some twenty, less the vectors
		t.Errorf("%d bytes fast, %d small", sizes[0], sizes[1])
	}
}

func TestDamagedDeltas(t *testing.T) {
	base, err := os.ReadFile(digits)
	if err != nil {
		t.Fatal(err)
	}
	now := retrained(t, base, 1e-3)
	d := encode(t, base, now, delta.Fast)
	for _, c := range [][]byte{nil, d[:3], d[:len(d)-1], append([]byte("XWD3"), d[4:]...), []byte("EWD3\xff\xff\xff\xff\xff\xff\xff\xff\x7f")} {
		if _, err := apply(base, c, len(now)); edgeward.CodeOf(err) != "delta.damaged" {
			t.Errorf("%.8q: %v", c, err)
		}
	}
	for _, other := range []string{"EWD1", "EWD2", "EWD4"} {
		if _, err := apply(base, append([]byte(other), d[4:]...), len(now)); edgeward.CodeOf(err) != "delta.version" {
			t.Errorf("%s: %v", other, err)
		}
	}
	if _, err := apply(base, d, len(now)-1); edgeward.CodeOf(err) != "delta.damaged" {
		t.Errorf("a delta of more bytes than wanted: %v", err)
	}
	if got, err := apply(base[:len(base)/2], d, len(now)); err == nil && bytes.Equal(got, now) {
		t.Error("half of the base made the whole")
	}
}

func FuzzApply(f *testing.F) {
	base := bytes.Repeat([]byte("0123456789abcdef"), 64)
	now := append(bytes.Clone(base[:500]), bytes.Repeat([]byte("new"), 100)...)
	var d bytes.Buffer
	if err := delta.Encode(f.Context(), &d, delta.Of(base), delta.Of(now), delta.Fast); err != nil {
		f.Fatal(err)
	}
	f.Add(d.Bytes())
	d.Reset()
	if err := delta.Encode(f.Context(), &d, delta.Of(base), delta.Of(append([]byte("a head "), base...)), delta.Small); err != nil {
		f.Fatal(err)
	}
	f.Add(d.Bytes())
	f.Add([]byte("EWD3\x04\x03\x04\x04\x00\x01\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := apply(base, b, 1<<21); err == nil && len(got) > 1<<21 {
			t.Error("more than the limit")
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("abcd1234abcd1234"), []byte("abcd1235abcd1234"), byte(7))
	f.Add([]byte("abcd1234abcd1234"), []byte("and abcd1235abcd1234 again 1234abcd"), byte(6))
	f.Fuzz(func(t *testing.T, base, now []byte, kind byte) {
		for _, l := range []delta.Level{delta.Fast, delta.Small} {
			var d bytes.Buffer
			a, b := delta.Of(base), delta.Of(now)
			if w := chunk.Kind(kind).Width(); w > 0 && len(now) >= w && len(base) >= w { // as if both were numbers of that kind
				a.Tensors = []chunk.Tensor{{Name: "w", Size: int64(len(base) / w * w), Kind: chunk.Kind(kind), Row: 1 + int(kind)%3}}
				b.Tensors = []chunk.Tensor{{Name: "w", Size: int64(len(now) / w * w), Kind: chunk.Kind(kind), Row: 1 + int(kind)%3}}
			}
			if err := delta.Encode(t.Context(), &d, a, b, l); err != nil {
				t.Fatal(err)
			}
			got, err := apply(base, d.Bytes(), len(now))
			if err != nil || !bytes.Equal(got, now) {
				t.Errorf("%v: %q became %q", err, now, got)
			}
		}
	})
}

func big(b *testing.B) (base, now []byte) {
	r := rand.New(rand.NewPCG(1, 2))
	base = make([]byte, 16<<20)
	for i := 0; i < len(base); i += 4 {
		binary.LittleEndian.PutUint32(base[i:], math.Float32bits(float32(r.NormFloat64()*0.05)))
	}
	now = bytes.Clone(base)
	for i := 0; i < len(now); i += 4 {
		f := math.Float32frombits(binary.LittleEndian.Uint32(now[i:]))
		binary.LittleEndian.PutUint32(now[i:], math.Float32bits(f+float32(1e-5*r.NormFloat64())))
	}
	return base, now
}

func BenchmarkEncode(b *testing.B) {
	base, now := big(b)
	for name, l := range map[string]delta.Level{"fast": delta.Fast, "small": delta.Small} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(now)))
			var n int
			for b.Loop() {
				n = len(encode(b, base, now, l))
			}
			b.ReportMetric(100*float64(n)/float64(len(now)), "%size")
		})
	}
}

func BenchmarkApply(b *testing.B) {
	base, now := big(b)
	d := encode(b, base, now, delta.Fast)
	b.SetBytes(int64(len(now)))
	for b.Loop() {
		if _, err := apply(base, d, len(now)); err != nil {
			b.Fatal(err)
		}
	}
}
