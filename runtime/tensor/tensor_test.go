package tensor_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"edgeward"
	"edgeward/runtime/tensor"
)

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if code == "" && err == nil {
		return
	}
	if edgeward.CodeOf(err) != code || edgeward.KindOf(err) != edgeward.Invalid {
		t.Errorf("got %v (%v %q), want Invalid %q", err, edgeward.KindOf(err), edgeward.CodeOf(err), code)
	}
}

func TestDatatypes(t *testing.T) {
	for name, size := range map[string]int{"BOOL": 1, "UINT8": 1, "UINT16": 2, "UINT32": 4, "UINT64": 8, "INT8": 1, "INT16": 2,
		"INT32": 4, "INT64": 8, "FP16": 2, "BF16": 2, "FP32": 4, "FP64": 8, "BYTES": 0} {
		d, err := tensor.ParseDatatype(name)
		if err != nil || d.Size() != size || !d.Valid() {
			t.Errorf("%s: %v, size %d, %v", name, d, d.Size(), err)
		}
	}
	for _, bad := range []string{"", "fp32", "FLOAT", strings.Repeat("x", 1000)} {
		_, err := tensor.ParseDatatype(bad)
		wantCode(t, err, "tensor.datatype")
	}
}

func TestElements(t *testing.T) {
	for _, c := range []struct {
		shape []int64
		n     int64
		code  string
	}{
		{nil, 1, ""}, {[]int64{3, 4}, 12, ""}, {[]int64{1 << 40, 0, 1 << 20}, 0, ""}, {[]int64{1 << 62, 0, 1 << 62}, 0, "tensor.shape"}, {[]int64{math.MaxInt64}, math.MaxInt64, ""},
		{[]int64{-1}, 0, "tensor.shape"}, {[]int64{0, -1}, 0, "tensor.shape"}, {[]int64{1 << 32, 1 << 32}, 0, "tensor.shape"},
		{[]int64{1 << 62, 2}, 0, "tensor.shape"}, {make([]int64, tensor.MaxRank+1), 0, "tensor.shape"},
	} {
		n, err := tensor.Elements(c.shape)
		if wantCode(t, err, c.code); n != c.n {
			t.Errorf("%v has %d elements, want %d", c.shape, n, c.n)
		}
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	for why, c := range map[string]struct {
		t    tensor.Tensor
		code string
	}{
		"fits":                  {tensor.Tensor{Name: "x", Datatype: tensor.FP32, Shape: []int64{2}, Data: make([]byte, 8)}, ""},
		"no rows":               {tensor.Tensor{Name: "x", Datatype: tensor.FP32, Shape: []int64{0, 3}}, ""},
		"no name":               {tensor.Tensor{Datatype: tensor.FP32}, "tensor.name"},
		"long name":             {tensor.Tensor{Name: strings.Repeat("n", 257)}, "tensor.name"},
		"no datatype":           {tensor.Tensor{Name: "x"}, "tensor.datatype"},
		"short data":            {tensor.Tensor{Name: "x", Datatype: tensor.FP32, Shape: []int64{2}, Data: make([]byte, 7)}, "tensor.size"},
		"beyond the bound":      {tensor.Tensor{Name: "x", Datatype: tensor.FP64, Shape: []int64{1 << 61}}, "tensor.size"},
		"a BOOL of 2":           {tensor.Tensor{Name: "x", Datatype: tensor.Bool, Shape: []int64{1}, Data: []byte{2}}, "tensor.value"},
		"BYTES past the end":    {tensor.Tensor{Name: "x", Datatype: tensor.Bytes, Shape: []int64{1}, Data: []byte{9, 0, 0, 0, 'a'}}, "tensor.size"},
		"BYTES cut":             {tensor.Tensor{Name: "x", Datatype: tensor.Bytes, Shape: []int64{2}, Data: []byte{0, 0, 0, 0, 1}}, "tensor.size"},
		"BYTES too many":        {tensor.Tensor{Name: "x", Datatype: tensor.Bytes, Shape: []int64{0}, Data: []byte{0, 0, 0, 0}}, "tensor.size"},
		"BYTES of huge shape":   {tensor.Tensor{Name: "x", Datatype: tensor.Bytes, Shape: []int64{math.MaxInt64}, Data: nil}, "tensor.size"},
		"BYTES, length of 4 GB": {tensor.Tensor{Name: "x", Datatype: tensor.Bytes, Shape: []int64{1}, Data: []byte{255, 255, 255, 255}}, "tensor.size"},
	} {
		t.Run(why, func(t *testing.T) { wantCode(t, c.t.Check(), c.code) })
	}
}

func TestSignatureCheck(t *testing.T) {
	sig := tensor.Signature{
		Inputs:  []tensor.Spec{{Name: "x", Datatype: tensor.FP32, Shape: []int64{tensor.Any, 2}}, {Name: "n", Datatype: tensor.Int64, Shape: []int64{}}},
		Outputs: []tensor.Spec{{Name: "y", Datatype: tensor.FP32, Shape: []int64{tensor.Any}}},
	}
	if err := sig.Validate(); err != nil {
		t.Fatal(err)
	}
	x, _ := tensor.FromFloat32s("x", []int64{3, 2}, make([]float32, 6))
	n, _ := tensor.FromInt64s("n", nil, []int64{1})
	wide, _ := tensor.FromFloat32s("x", []int64{2, 3}, make([]float32, 6))
	double, _ := tensor.FromFloat64s("x", []int64{1, 2}, make([]float64, 2))
	negative, short := x, x
	negative.Shape, short.Data = []int64{-1, 2}, x.Data[:4]
	other := n
	other.Name = "m"
	for _, c := range []struct {
		code string
		in   []tensor.Tensor
	}{
		{"", []tensor.Tensor{x, n}}, {"", []tensor.Tensor{n, x}},
		{"input.missing", []tensor.Tensor{x}}, {"input.unknown", []tensor.Tensor{x, n, other}},
		{"input.duplicate", []tensor.Tensor{x, n, x}}, {"input.datatype", []tensor.Tensor{double, n}},
		{"input.shape", []tensor.Tensor{wide, n}}, {"tensor.shape", []tensor.Tensor{negative, n}},
		{"tensor.size", []tensor.Tensor{short, n}},
	} {
		err := sig.Check(c.in)
		wantCode(t, err, c.code)
		if strings.HasPrefix(c.code, "input.") && edgeward.HintOf(err) == "" {
			t.Errorf("%s has no hint", c.code)
		}
	}
	b, err := json.Marshal(sig)
	var back tensor.Signature
	if err != nil || json.Unmarshal(b, &back) != nil || fmt.Sprint(back) != fmt.Sprint(sig) {
		t.Errorf("%s came back as %v, %v", b, back, err)
	}
}

func TestSignatureValidate(t *testing.T) {
	ok := tensor.Spec{Name: "x", Datatype: tensor.FP32}
	for _, in := range [][]tensor.Spec{{ok, ok}, {{Datatype: tensor.FP32}}, {{Name: "x", Datatype: "F"}}, {{Name: "x", Datatype: tensor.FP32, Shape: []int64{-2}}}} {
		wantCode(t, tensor.Signature{Inputs: in, Outputs: []tensor.Spec{ok}}.Validate(), "signature.invalid")
		wantCode(t, tensor.Signature{Inputs: []tensor.Spec{ok}, Outputs: in}.Validate(), "signature.invalid")
	}
}

func TestValuesConvert(t *testing.T) {
	raw := func(d tensor.Datatype, b ...byte) tensor.Tensor {
		return tensor.Tensor{Name: "x", Datatype: d, Shape: []int64{1}, Data: b}
	}
	for _, c := range []struct {
		t    tensor.Tensor
		want float64
	}{
		{raw(tensor.Bool, 1), 1}, {raw(tensor.Uint8, 200), 200}, {raw(tensor.Int8, 0xff), -1}, {raw(tensor.Uint16, 1, 2), 513},
		{raw(tensor.Int16, 0xfe, 0xff), -2}, {raw(tensor.Uint32, 0xff, 0xff, 0xff, 0xff), math.MaxUint32}, {raw(tensor.Int32, 0xfd, 0xff, 0xff, 0xff), -3},
		{raw(tensor.Uint64, 0, 0, 0, 0, 1, 0, 0, 0), 1 << 32}, {raw(tensor.Int64, 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), -4},
		{raw(tensor.FP16, 0x00, 0xc0), -2}, {raw(tensor.BF16, 0x40, 0x40), 3}, {raw(tensor.FP32, 0, 0, 0x20, 0x41), 10},
		{raw(tensor.FP64, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f), 1.5},
	} {
		for offset := range 3 { // at any address
			c.t.Data = append(make([]byte, offset, offset+8), c.t.Data[:c.t.Datatype.Size()]...)[offset:]
			f64, err := c.t.Float64s()
			if err != nil || len(f64) != 1 || f64[0] != c.want {
				t.Errorf("%s as float64: %v %v, want %v", c.t.Datatype, f64, err, c.want)
			}
			if f32, err := c.t.Float32s(); err != nil || f32[0] != float32(c.want) {
				t.Errorf("%s as float32: %v %v", c.t.Datatype, f32, err)
			}
		}
		i, err := c.t.Int64s()
		if strings.Contains(string(c.t.Datatype), "P") || c.t.Datatype == tensor.BF16 {
			wantCode(t, err, "tensor.datatype")
		} else if err != nil || i[0] != int64(c.want) {
			t.Errorf("%s as int64: %v %v", c.t.Datatype, i, err)
		}
	}
	_, err := raw(tensor.Uint64, 0, 0, 0, 0, 0, 0, 0, 0x80).Int64s()
	wantCode(t, err, "tensor.value")
	s, _ := tensor.FromStrings("s", []int64{2}, []string{"", "Größe"})
	if got, err := s.Strings(); err != nil || fmt.Sprintf("%q", got) != `["" "Größe"]` {
		t.Errorf("%q %v", got, err)
	}
	_, err = s.Float32s()
	wantCode(t, err, "tensor.datatype")
	if b, err := tensor.FromBools("b", []int64{2}, []bool{true, false}); err != nil || string(b.Data) != "\x01\x00" {
		t.Errorf("%v %v", b, err)
	}
	_, err = tensor.FromFloat32s("x", []int64{3}, []float32{1})
	wantCode(t, err, "tensor.size")
}

func TestCheckFinite(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1)} {
		x, _ := tensor.FromFloat64s("x", []int64{2}, []float64{1, v})
		wantCode(t, x.CheckFinite(), "input.not_finite")
	}
	half := tensor.Tensor{Name: "x", Datatype: tensor.FP16, Shape: []int64{1}, Data: []byte{0, 0x7c}}
	wantCode(t, half.CheckFinite(), "input.not_finite")
	x, _ := tensor.FromInt64s("x", []int64{1}, []int64{1})
	wantCode(t, x.CheckFinite(), "")
}

// TestFinite puts each kind of number at each place of tensors of many lengths.
func TestFinite(t *testing.T) {
	for d, of := range map[tensor.Datatype]struct{ one, most, least, missing, infinite []byte }{
		tensor.FP64: {le64(1), le64(math.MaxFloat64), le64(-math.SmallestNonzeroFloat64), le64(math.NaN()), le64(math.Inf(-1))},
		tensor.FP32: {le32(1), le32(math.MaxFloat32), le32(-math.SmallestNonzeroFloat32), le32(float32(math.NaN())), le32(float32(math.Inf(-1)))},
		tensor.BF16: {[]byte{0x80, 0x3f}, []byte{0x7f, 0xff}, []byte{0x01, 0x80}, []byte{0x81, 0x7f}, []byte{0x80, 0xff}},
		tensor.FP16: {[]byte{0x00, 0x3c}, []byte{0xff, 0xfb}, []byte{0x01, 0x80}, []byte{0x01, 0x7c}, []byte{0x00, 0xfc}},
	} {
		for n := range 40 {
			x := tensor.Tensor{Name: "x", Datatype: d, Shape: []int64{int64(n)}, Data: bytes.Repeat(of.one, n)}
			for at := range n {
				for want, v := range map[bool][][]byte{true: {of.one, of.most, of.least}, false: {of.missing, of.infinite}} {
					for _, b := range v {
						copy(x.Data[at*len(b):], b)
						if x.Finite() != want || (x.CheckFinite() == nil) != want {
							t.Fatalf("%s [%d]: element %d is %x, and Finite is %v", d, n, at, b, !want)
						}
					}
				}
				copy(x.Data[at*len(of.one):], of.one)
			}
			if !x.Finite() {
				t.Fatalf("%s [%d] of ones", d, n)
			}
		}
	}
}

func le64(v float64) []byte { return binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)) }
func le32(v float32) []byte { return binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)) }

func BenchmarkFinite(b *testing.B) {
	x, _ := tensor.FromFloat32s("x", []int64{3072}, make([]float32, 3072))
	for b.Loop() {
		if !x.Finite() {
			b.Fatal("it is not")
		}
	}
}

// TestFloat16 checks all 65,536 patterns: to float32 and back is the identity, and rounding goes to the nearest.
func TestFloat16(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		f := tensor.Float16(h)
		back := tensor.ToFloat16(f)
		if f != f {
			if g := tensor.Float16(back); g == g {
				t.Fatalf("NaN %04x came back as %04x", h, back)
			}
			continue
		}
		if back != h {
			t.Fatalf("%04x is %v and came back as %04x", h, f, back)
		}
		if next := tensor.Float16(h + 1); h&0x7fff < 0x7bff {
			mid := (f + next) / 2
			if even := tensor.ToFloat16(mid); even != h+h&1 {
				t.Fatalf("half way from %04x went to %04x", h, even)
			}
		}
	}
	if tensor.ToFloat16(65520) != 0x7c00 || tensor.ToFloat16(1e-9) != 0 {
		t.Error("the ends are wrong")
	}
}

func TestCodecKeepsEverythingAndAligns(t *testing.T) {
	x, _ := tensor.FromFloat32s("features", []int64{2, 1}, []float32{1, 2})
	s, _ := tensor.FromStrings("s", []int64{1}, []string{"a"})
	z, _ := tensor.FromFloat64s("zero", []int64{0, 7}, nil)
	sc, _ := tensor.FromInt64s("scalar", nil, []int64{9})
	in := []tensor.Tensor{s, x, z, sc}
	b := tensor.Append(nil, in)
	if len(b) > tensor.EncodedSize(in) {
		t.Errorf("%d bytes, and EncodedSize says at most %d", len(b), tensor.EncodedSize(in))
	}
	out, err := tensor.Decode(b)
	if err != nil || len(out) != len(in) {
		t.Fatal(out, err)
	}
	for i := range in {
		if out[i].Name != in[i].Name || out[i].Datatype != in[i].Datatype || tensor.ShapeString(out[i].Shape) != tensor.ShapeString(in[i].Shape) || string(out[i].Data) != string(in[i].Data) {
			t.Errorf("%+v came back as %+v", in[i], out[i])
		}
	}
	for i := range b { // every byte counts: no truncation is a message
		if _, err := tensor.Decode(b[:i]); err == nil {
			t.Errorf("the first %d of %d bytes are taken for a message", i, len(b))
		}
	}
	_, err = tensor.Decode(append(b, 0))
	wantCode(t, err, "tensor.encoding")
	if out, err := tensor.Decode(tensor.Append(nil, nil)); err != nil || len(out) != 0 {
		t.Error(out, err)
	}
}

func FuzzDecode(f *testing.F) {
	x, _ := tensor.FromFloat32s("x", []int64{2, 1}, []float32{1, 2})
	s, _ := tensor.FromStrings("s", []int64{2}, []string{"a", ""})
	f.Add(tensor.Append(nil, []tensor.Tensor{x, s}))
	f.Add(tensor.Append(nil, nil))
	f.Add([]byte{1, 1, 1, 'x', 13, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		ts, err := tensor.Decode(b)
		if err != nil {
			return
		}
		if got := tensor.Append(nil, ts); string(got) != string(b) {
			t.Errorf("%x decodes and encodes to %x", b, got)
		}
		for _, x := range ts {
			if err := x.Check(); err != nil {
				t.Error(err)
			}
			x.Float64s()
			x.Strings()
		}
	})
}

func ExampleSignature_Check() {
	sig := tensor.Signature{Inputs: []tensor.Spec{{Name: "x", Datatype: tensor.FP32, Shape: []int64{tensor.Any, 2}}}}
	x, _ := tensor.FromFloat64s("x", []int64{1, 2}, []float64{1, 2})
	err := sig.Check([]tensor.Tensor{x})
	fmt.Println(edgeward.CodeOf(err))
	fmt.Println(edgeward.HintOf(err))
	// Output:
	// input.datatype
	// the model wants x FP32 [-1 2]
}

func BenchmarkCodec(b *testing.B) {
	x, _ := tensor.FromFloat32s("image", []int64{1, 3, 32, 32}, make([]float32, 3072))
	in := []tensor.Tensor{x}
	b.ReportAllocs()
	for b.Loop() {
		buf := tensor.Append(make([]byte, 0, tensor.EncodedSize(in)), in)
		if _, err := tensor.Decode(buf); err != nil {
			b.Fatal(err)
		}
	}
}
