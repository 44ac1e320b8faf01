package conformance

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"

	pb "edgeward/node/api/oip/oippb"
	"edgeward/node/api/oip/oiptest"
	"edgeward/runtime/tensor"
)

// ways are the forms in which the protocol can carry a case: raw tensors over REST and gRPC carry all of them. JSON has no
// half floats, no NaN and no bytes that are no text; typed contents have no half floats.
func (s *server) ways(c *testCase) map[string]func(string, *testCase) ([]tensor.Tensor, error) {
	out := map[string]func(string, *testCase) ([]tensor.Tensor, error){"REST": s.rest, "gRPC": s.grpc}
	half := func(x tensor.Tensor) bool { return x.Datatype == tensor.FP16 || x.Datatype == tensor.BF16 }
	if !slices.ContainsFunc(c.inputs, half) {
		out["gRPC contents"] = s.contents
	}
	if !slices.ContainsFunc(c.inputs, func(x tensor.Tensor) bool { return !written(x) || x.CheckFinite() != nil }) {
		out["REST JSON"] = s.json
	}
	return out
}

// written reports whether JSON has a form for a tensor, NaN and the infinities apart.
func written(x tensor.Tensor) bool {
	if x.Datatype != tensor.Bytes {
		return x.Datatype != tensor.FP16 && x.Datatype != tensor.BF16
	}
	texts, err := x.Strings()
	return err == nil && !slices.ContainsFunc(texts, func(s string) bool { return !utf8.ValidString(s) })
}

// question is a request of the protocol in JSON, and as much of an answer.
type question struct {
	Inputs     []part     `json:"inputs"`
	Outputs    []part     `json:"outputs,omitempty"`
	Parameters parameters `json:"parameters"`
}

type part struct {
	Name       string          `json:"name"`
	Datatype   tensor.Datatype `json:"datatype,omitempty"`
	Shape      []int64         `json:"shape"`
	Data       *[]any          `json:"data,omitempty"`
	Parameters *parameters     `json:"parameters,omitempty"`
}

type parameters struct {
	Size   *int  `json:"binary_data_size,omitempty"`
	Binary *bool `json:"binary_data,omitempty"`
	All    bool  `json:"binary_data_output,omitempty"`
}

func ptr[T any](v T) *T { return &v }

// rest asks over HTTP with binary tensors both ways.
func (s *server) rest(endpoint string, c *testCase) ([]tensor.Tensor, error) {
	head := question{Inputs: []part{}, Parameters: parameters{All: true}}
	var data []byte
	for _, x := range c.inputs {
		head.Inputs = append(head.Inputs, part{Name: x.Name, Datatype: x.Datatype, Shape: append([]int64{}, x.Shape...), Parameters: &parameters{Size: ptr(len(x.Data))}})
		data = append(data, x.Data...)
	}
	j, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	return s.post(endpoint, c, append(j, data...), len(j))
}

// json asks over HTTP with numbers and texts in JSON both ways, where JSON can carry the datatype.
func (s *server) json(endpoint string, c *testCase) ([]tensor.Tensor, error) {
	head := question{Inputs: []part{}}
	for _, x := range c.inputs {
		data, _ := x.JSON(math.MaxInt)
		head.Inputs = append(head.Inputs, part{Name: x.Name, Datatype: x.Datatype, Shape: append([]int64{}, x.Shape...), Data: &data})
	}
	for _, w := range c.want {
		head.Outputs = append(head.Outputs, part{Name: w.Name, Parameters: &parameters{Binary: ptr(!written(w))}})
	}
	j, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	return s.post(endpoint, c, j, len(j))
}

// post sends a body and reads the answer's tensors, wherever their data are.
func (s *server) post(endpoint string, c *testCase, body []byte, header int) ([]tensor.Tensor, error) {
	req, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.url+"/v2/models/"+endpoint+"/infer", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Inference-Header-Content-Length", strconv.Itoa(header))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP %d: %s", resp.StatusCode, got)
	}
	n := len(got)
	if h := resp.Header.Get("Inference-Header-Content-Length"); h != "" {
		if n, err = strconv.Atoi(h); err != nil {
			return nil, err
		}
	}
	var answer question
	d := json.NewDecoder(bytes.NewReader(got[:n]))
	d.UseNumber()
	if err := d.Decode(&answer); err != nil {
		return nil, err
	}
	rest := got[n:]
	out := []tensor.Tensor{}
	for i, o := range answer.Outputs {
		var data []byte
		if o.Data != nil {
			var like tensor.Tensor
			if i < len(c.want) {
				like = c.want[i]
			}
			if data, err = bytesOf(o.Datatype, *o.Data, like); err != nil {
				return nil, err
			}
		} else {
			data, rest = rest[:*o.Parameters.Size], rest[*o.Parameters.Size:]
		}
		x, err := tensor.New(o.Name, o.Datatype, o.Shape, data)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// bytesOf is the raw form of what came as JSON. null stands for what JSON cannot write: it is like's infinity, or NaN.
func bytesOf(d tensor.Datatype, data []any, like tensor.Tensor) (out []byte, err error) {
	le := binary.LittleEndian
	want, _ := like.Float64s()
	for i, v := range data {
		switch v := v.(type) {
		case string:
			out = append(le.AppendUint32(out, uint32(len(v))), v...)
		case bool:
			b := byte(0)
			if v {
				b = 1
			}
			out = append(out, b)
		case nil, json.Number:
			f := math.NaN()
			if i < len(want) && math.IsInf(want[i], 0) {
				f = want[i]
			}
			var n int64
			var u uint64
			if s, ok := v.(json.Number); ok {
				switch {
				case d == tensor.FP32 || d == tensor.FP64:
					f, err = s.Float64()
				case d == tensor.Uint64:
					u, err = strconv.ParseUint(string(s), 10, 64)
				default:
					n, err = s.Int64()
					u = uint64(n)
				}
				if err != nil {
					return nil, err
				}
			} else if d != tensor.FP32 && d != tensor.FP64 {
				return nil, fmt.Errorf("null for %s", d)
			}
			switch {
			case d == tensor.FP32:
				out = le.AppendUint32(out, math.Float32bits(float32(f)))
			case d == tensor.FP64:
				out = le.AppendUint64(out, math.Float64bits(f))
			case d.Size() == 1:
				out = append(out, byte(u))
			case d.Size() == 2:
				out = le.AppendUint16(out, uint16(u))
			case d.Size() == 4:
				out = le.AppendUint32(out, uint32(u))
			default:
				out = le.AppendUint64(out, u)
			}
		}
	}
	return out, nil
}

// grpc asks by ModelInfer with raw contents.
func (s *server) grpc(endpoint string, c *testCase) ([]tensor.Tensor, error) {
	in := &pb.ModelInferRequest{ModelName: endpoint}
	for _, x := range c.inputs {
		in.Inputs = append(in.Inputs, &pb.ModelInferRequest_InferInputTensor{Name: x.Name, Datatype: string(x.Datatype), Shape: x.Shape})
		in.RawInputContents = append(in.RawInputContents, x.Data)
	}
	return s.call(in)
}

// contents asks by ModelInfer with typed contents.
func (s *server) contents(endpoint string, c *testCase) ([]tensor.Tensor, error) {
	in := &pb.ModelInferRequest{ModelName: endpoint}
	for _, x := range c.inputs {
		typed, err := typed(x)
		if err != nil {
			return nil, err
		}
		in.Inputs = append(in.Inputs, &pb.ModelInferRequest_InferInputTensor{Name: x.Name, Datatype: string(x.Datatype), Shape: x.Shape, Contents: typed})
	}
	return s.call(in)
}

// typed are a tensor's elements as the protocol's file has them for its datatype.
func typed(x tensor.Tensor) (*pb.InferTensorContents, error) {
	out := &pb.InferTensorContents{}
	switch x.Datatype {
	case tensor.Bytes:
		texts, err := x.Strings()
		for _, s := range texts {
			out.BytesContents = append(out.BytesContents, []byte(s))
		}
		return out, err
	case tensor.FP32:
		v, err := x.Float32s()
		out.Fp32Contents = v
		return out, err
	case tensor.FP64:
		v, err := x.Float64s()
		out.Fp64Contents = v
		return out, err
	case tensor.Uint64:
		for i := 0; i < len(x.Data); i += 8 {
			out.Uint64Contents = append(out.Uint64Contents, binary.LittleEndian.Uint64(x.Data[i:]))
		}
		return out, nil
	case tensor.Bool:
		for _, b := range x.Data {
			out.BoolContents = append(out.BoolContents, b != 0)
		}
		return out, nil
	}
	v, err := x.Int64s()
	for _, n := range v {
		switch x.Datatype {
		case tensor.Int64:
			out.Int64Contents = append(out.Int64Contents, n)
		case tensor.Uint8, tensor.Uint16, tensor.Uint32:
			out.UintContents = append(out.UintContents, uint32(n))
		default:
			out.IntContents = append(out.IntContents, int32(n))
		}
	}
	return out, err
}

// call asks ModelInfer.
func (s *server) call(in *pb.ModelInferRequest) ([]tensor.Tensor, error) {
	var answer pb.ModelInferResponse
	if err := s.conn.Invoke(s.Context(), "/inference.GRPCInferenceService/ModelInfer", in, &answer); err != nil {
		return nil, err
	}
	if err := oiptest.CheckMessage("ModelInfer", &answer); err != nil {
		s.Errorf("%s: %v", in.ModelName, err)
	}
	out := []tensor.Tensor{}
	for i, o := range answer.GetOutputs() {
		x, err := tensor.New(o.GetName(), tensor.Datatype(o.GetDatatype()), append([]int64{}, o.GetShape()...), answer.GetRawOutputContents()[i])
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}
