package oipgrpc

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"edgeward"
	"edgeward/node/api/oip"
	pb "edgeward/node/api/oip/oippb"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// FuzzDecode: no bytes make decode panic; what it takes the generated code takes too, and both read the same.
func FuzzDecode(f *testing.F) {
	text := func(s string) *pb.InferParameter {
		return &pb.InferParameter{ParameterChoice: &pb.InferParameter_StringParam{StringParam: s}}
	}
	for _, r := range []*pb.ModelInferRequest{
		{ModelName: "m", ModelVersion: "1", Id: "a", Parameters: map[string]*pb.InferParameter{"edgeward_key": text("k"), "b": {ParameterChoice: &pb.InferParameter_BoolParam{BoolParam: true}}},
			Inputs: []*pb.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "FP32", Shape: []int64{1, 2}}}, Outputs: []*pb.ModelInferRequest_InferRequestedOutputTensor{{Name: "y"}},
			RawInputContents: [][]byte{make([]byte, 8)}},
		{Inputs: []*pb.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "INT8", Shape: []int64{2}, Contents: &pb.InferTensorContents{IntContents: []int32{-1, 5}}},
			{Name: "y", Datatype: "BYTES", Shape: []int64{1}, Contents: &pb.InferTensorContents{BytesContents: [][]byte{[]byte("a")}}},
			{Name: "z", Datatype: "FP64", Shape: []int64{1}, Contents: &pb.InferTensorContents{Fp64Contents: []float64{math.Pi}}}}},
		{Inputs: []*pb.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "BOOL", Shape: []int64{math.MaxInt64, 3}}}},
	} {
		b, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\x0a\xff"))
	f.Add([]byte("\x2a\x08\x0a\x01x\x18\x01\x18\x02")) // shape not packed
	f.Fuzz(func(t *testing.T, b []byte) {
		var got inferRequest
		err := got.decode(bytes.Clone(b))
		if err != nil {
			if edgeward.KindOf(err) != edgeward.Invalid {
				t.Fatalf("%x: kind %v: %v", b, edgeward.KindOf(err), err)
			}
			return
		}
		var want pb.ModelInferRequest
		if err := proto.Unmarshal(b, &want); err != nil {
			return // an unknown field that is wrong inside, which decode passes over
		}
		if got.name != want.ModelName || got.version != want.ModelVersion || got.ID != want.Id || len(got.Inputs) != len(want.Inputs) || len(got.Outputs) != len(want.Outputs) {
			t.Fatalf("%x: got %+v, want %v", b, got, &want)
		}
		for i, w := range want.Inputs {
			g := got.Inputs[i]
			if g.Name != w.Name || string(g.Datatype) != w.Datatype || !slices.Equal(g.Shape, w.Shape) {
				t.Fatalf("%x: input %d: got %v, want %v", b, i, g, w)
			}
			data := contents(g.Datatype, w.Contents)
			if len(want.RawInputContents) > 0 {
				data = want.RawInputContents[i]
			}
			if !bytes.Equal(g.Data, data) {
				t.Fatalf("%x: input %d: got %x, want %x", b, i, g.Data, data)
			}
		}
	})
}

// contents is what the generated code read, as a tensor's data.
func contents(d tensor.Datatype, c *pb.InferTensorContents) (b []byte) {
	le := binary.LittleEndian
	for _, v := range c.GetBoolContents() {
		if v {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	for _, v := range c.GetIntContents() {
		b = append(b, le.AppendUint32(nil, uint32(v))[:d.Size()]...)
	}
	for _, v := range c.GetUintContents() {
		b = append(b, le.AppendUint32(nil, v)[:d.Size()]...)
	}
	for _, v := range c.GetInt64Contents() {
		b = le.AppendUint64(b, uint64(v))
	}
	for _, v := range c.GetUint64Contents() {
		b = le.AppendUint64(b, v)
	}
	for _, v := range c.GetFp32Contents() {
		b = le.AppendUint32(b, math.Float32bits(v))
	}
	for _, v := range c.GetFp64Contents() {
		b = le.AppendUint64(b, math.Float64bits(v))
	}
	for _, v := range c.GetBytesContents() {
		b = append(le.AppendUint32(b, uint32(len(v))), v...)
	}
	return b
}

// TestEncodeIsWhatTheGeneratedCodeReads writes answers by hand and reads them by the generated code.
func TestEncodeIsWhatTheGeneratedCodeReads(t *testing.T) {
	large := bytes.Repeat([]byte{1, 2, 3, 4}, 5000)
	for _, c := range []struct{ outputs []tensor.Tensor }{
		{nil},
		{[]tensor.Tensor{{Name: "scalar", Datatype: tensor.Uint8, Data: []byte{7}}}},
		{[]tensor.Tensor{{Name: "empty", Datatype: tensor.FP32, Shape: []int64{0, 3}, Data: []byte{}}, {Name: "large", Datatype: tensor.Uint8, Shape: []int64{20000}, Data: large},
			{Name: "y", Datatype: tensor.Uint8, Shape: []int64{1, 1, 2}, Data: []byte{1, 2}}, {Name: "z", Datatype: tensor.FP32, Shape: []int64{5000}, Data: large}}},
	} {
		a := inferResponse{name: "m", Answer: oip.Answer{Answer: serve.Answer{ID: "ours", Version: 300, Role: "live"}, ClientID: "theirs", Wanted: c.outputs}}
		var got pb.ModelInferResponse
		if err := proto.Unmarshal(mem.BufferSlice(a.encode()).Materialize(), &got); err != nil {
			t.Fatal(err)
		}
		if got.ModelName != "m" || got.ModelVersion != "300" || got.Id != "theirs" || got.Parameters["edgeward_prediction_id"].GetStringParam() != "ours" ||
			got.Parameters["edgeward_role"].GetStringParam() != "live" || len(got.Outputs) != len(c.outputs) || len(got.RawOutputContents) != len(c.outputs) {
			t.Fatalf("got %v", &got)
		}
		for i, w := range c.outputs {
			g := got.Outputs[i]
			if g.Name != w.Name || g.Datatype != string(w.Datatype) || !slices.Equal(g.Shape, w.Shape) || !bytes.Equal(got.RawOutputContents[i], w.Data) {
				t.Errorf("output %d: got %v %x", i, g, got.RawOutputContents[i])
			}
		}
	}
}

func BenchmarkDecode3072Floats(b *testing.B) {
	raw, err := proto.Marshal(&pb.ModelInferRequest{ModelName: "m", Inputs: []*pb.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "FP32", Shape: []int64{1, 3072}}},
		RawInputContents: [][]byte{make([]byte, 4*3072)}})
	if err != nil {
		b.Fatal(err)
	}
	data := mem.BufferSlice{mem.SliceBuffer(raw)}
	b.ReportAllocs()
	for b.Loop() {
		var r inferRequest
		if err := (codec{}).Unmarshal(data, &r); err != nil || r.err != nil {
			b.Fatal(err, r.err)
		}
	}
}
