package systemtest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "edgeward/node/api/oip/oippb"
	"edgeward/node/api/oip/oiptest"
	"edgeward/node/client"
	"edgeward/runtime/engine/enginetest"
)

const modelInfer = "/inference.GRPCInferenceService/ModelInfer"

// asGRPC is a call as the first administrator, and what the answer says of an error.
func asGRPC(t *testing.T, c *grpc.ClientConn, in any, o ...grpc.CallOption) (code codes.Code, ours string, err error) {
	t.Helper()
	var trailer metadata.MD
	ctx := metadata.AppendToOutgoingContext(within(t, time.Minute), "authorization", "Bearer "+bootstrap)
	var out pb.ModelInferResponse
	err = c.Invoke(ctx, modelInfer, in, &out, append(o, grpc.Trailer(&trailer))...)
	if err == nil {
		if bad := oiptest.CheckMessage(modelInfer, &out); bad != nil {
			t.Error(bad)
		}
	}
	return status.Code(err), strings.Join(trailer.Get("edgeward-code"), ","), err
}

func fp32(v ...float32) []byte {
	var b []byte
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

// badInput is a server with a model for each thing that can be asked wrongly.
func badInput(t *testing.T) (*server, *grpc.ClientConn) {
	t.Helper()
	s := start(t, options{})
	for _, m := range []string{"affine", "strings", "huge"} {
		must[client.ImportedVersion](t)(s.ImportModel(within(t, time.Minute), m, bytes.NewReader(enginetest.ONNX(t, m).Bytes), client.ModelUpload{Filename: m + ".onnx"}))
		deployed(t, s.Client, m, 1)
	}
	return s, dialGRPC(t, s.node.GRPCAddress(), insecure.NewCredentials())
}

// TestBadInputInRequests asks a real model behind the real server wrongly, over REST and gRPC: a precise refusal each time,
// and afterwards the same workers answer as before.
func TestBadInputInRequests(t *testing.T) {
	needNative(t)
	s, conn := badInput(t)
	before := must[client.NodeStatus](t)(s.Node(within(t, time.Minute))).Workers
	x := func(rest string) string { return `{"inputs":[{"name":"x",` + rest + `}]}` }
	input := func(shape []int64, raw []byte) *pb.ModelInferRequest {
		return &pb.ModelInferRequest{ModelName: "affine", Inputs: []*pb.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "FP32", Shape: shape}}, RawInputContents: [][]byte{raw}}
	}
	of := func(change func(*pb.ModelInferRequest)) *pb.ModelInferRequest {
		in := input([]int64{1, 2}, fp32(1, 2))
		change(in)
		return in
	}
	good := x(`"shape":[1,2],"datatype":"FP32","data":[3,1]`)
	rawHead := x(`"shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}`)
	textHead := `{"inputs":[{"name":"s","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":5}}]}`
	length := func(n int) []string { return []string{"Inference-Header-Content-Length", fmt.Sprint(n)} }
	for name, c := range map[string]struct {
		model, body string
		header      []string
		grpc        *pb.ModelInferRequest // nil: gRPC has no such thing
		code        string
	}{
		"nothing wrong":                   {"affine", good, nil, input([]int64{1, 2}, fp32(3, 1)), ""},
		"less data than the shape":        {"affine", x(`"shape":[2,2],"datatype":"FP32","data":[1,2,3]`), nil, input([]int64{2, 2}, fp32(1, 2, 3)), "tensor.size"},
		"more data than the shape":        {"affine", x(`"shape":[1,2],"datatype":"FP32","data":[1,2,3]`), nil, input([]int64{1, 2}, fp32(1, 2, 3)), "tensor.size"},
		"a shape the model does not take": {"affine", x(`"shape":[1,3],"datatype":"FP32","data":[1,2,3]`), nil, input([]int64{1, 3}, fp32(1, 2, 3)), "input.shape"},
		"a shape that overflows":          {"affine", x(`"shape":[4294967296,4294967296],"datatype":"FP32","data":[1]`), nil, input([]int64{1 << 32, 1 << 32}, fp32(1)), "tensor.shape"},
		"a shape over int64":              {"affine", x(`"shape":[9223372036854775808],"datatype":"FP32","data":[1]`), nil, input([]int64{math.MaxInt64, math.MaxInt64, 4}, fp32(1)), "tensor.shape"},
		"a negative dimension":            {"affine", x(`"shape":[-1,2],"datatype":"FP32","data":[1,2]`), nil, input([]int64{-1, 2}, fp32(1, 2)), "tensor.shape"},
		"an input twice": {"affine", `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]},{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}`, nil,
			of(func(r *pb.ModelInferRequest) {
				r.Inputs, r.RawInputContents = append(r.Inputs, r.Inputs[0]), append(r.RawInputContents, fp32(1, 2))
			}), "input.duplicate"},
		"an unknown input": {"affine", strings.Replace(good, `"x"`, `"z"`, 1), nil, of(func(r *pb.ModelInferRequest) { r.Inputs[0].Name = "z" }), "input.unknown"},
		"no input":         {"affine", `{"inputs":[]}`, nil, of(func(r *pb.ModelInferRequest) { r.Inputs, r.RawInputContents = nil, nil }), "input.missing"},
		"an unknown output": {"affine", strings.TrimSuffix(good, "}") + `,"outputs":[{"name":"q"}]}`, nil, of(func(r *pb.ModelInferRequest) {
			r.Outputs = []*pb.ModelInferRequest_InferRequestedOutputTensor{{Name: "q"}}
		}), "output.unknown"},
		"an output twice": {"affine", strings.TrimSuffix(good, "}") + `,"outputs":[{"name":"y"},{"name":"y"}]}`, nil, of(func(r *pb.ModelInferRequest) {
			r.Outputs = []*pb.ModelInferRequest_InferRequestedOutputTensor{{Name: "y"}, {Name: "y"}}
		}), "output.duplicate"},
		"another datatype":     {"affine", x(`"shape":[1,2],"datatype":"INT64","data":[1,2]`), nil, of(func(r *pb.ModelInferRequest) { r.Inputs[0].Datatype = "INT32" }), "input.datatype"},
		"NaN in JSON":          {"affine", x(`"shape":[1,2],"datatype":"FP32","data":[NaN,1]`), nil, nil, "request.json"},
		"Infinity in JSON":     {"affine", x(`"shape":[1,2],"datatype":"FP32","data":[-Infinity,1]`), nil, nil, "request.json"},
		"a number over FP32":   {"affine", x(`"shape":[1,2],"datatype":"FP32","data":[1e39,1]`), nil, nil, "input.not_finite"},
		"null":                 {"affine", x(`"shape":[1,2],"datatype":"FP32","data":[null,1]`), nil, nil, "input.not_finite"},
		"NaN in binary data":   {"affine", rawHead + string(fp32(float32(math.NaN()), 1)), length(len(rawHead)), input([]int64{1, 2}, fp32(float32(math.NaN()), 1)), "input.not_finite"},
		"infinity in the data": {"affine", rawHead + string(fp32(1, float32(math.Inf(-1)))), length(len(rawHead)), input([]int64{1, 2}, fp32(1, float32(math.Inf(-1)))), "input.not_finite"},
		"a BYTES length over the buffer": {"strings", textHead + "\xff\xff\xff\x7fa", length(len(textHead)),
			&pb.ModelInferRequest{ModelName: "strings", Inputs: []*pb.ModelInferRequest_InferInputTensor{{Name: "s", Datatype: "BYTES", Shape: []int64{1}}}, RawInputContents: [][]byte{[]byte("\xff\xff\xff\x7fa")}}, "tensor.size"},
		"a header longer than the body": {"affine", good, length(len(good) + 1), nil, "request.header_length"},
		"a negative header":             {"affine", good, length(-1), nil, "request.header_length"},
		"binary data that are not there": {"affine", rawHead + "1234", length(len(rawHead)), of(func(r *pb.ModelInferRequest) {
			r.Inputs = append(r.Inputs, &pb.ModelInferRequest_InferInputTensor{Name: "z", Datatype: "FP32"})
		}), ""},
		"an answer of 12 GB":              {"huge", `{"inputs":[{"name":"n","shape":[1],"datatype":"INT64","data":[3000000000]}]}`, nil, &pb.ModelInferRequest{ModelName: "huge", Inputs: []*pb.ModelInferRequest_InferInputTensor{{Name: "n", Datatype: "INT64", Shape: []int64{1}}}, RawInputContents: [][]byte{binary.LittleEndian.AppendUint64(nil, 3_000_000_000)}}, "engine.memory"},
		"an answer larger than memory is": {"huge", `{"inputs":[{"name":"n","shape":[1],"datatype":"INT64","data":[9223372036854775807]}]}`, nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.request(t, "POST", "/v2/models/"+c.model+"/infer", bootstrap, c.body, c.header...)
			t.Logf("REST: %d %.200s", a.StatusCode, a.body)
			p := a.problem()
			switch {
			case name == "nothing wrong":
				if a.StatusCode != 200 {
					t.Errorf("REST: %s %s", a.Status, a.body)
				}
			case a.StatusCode < 400 || a.StatusCode > 499 || p.Code == "" || p.Error == "" || c.code != "" && p.Code != c.code:
				t.Errorf("REST: %s %.300s, want %s", a.Status, a.body, c.code)
			}
			if c.grpc == nil {
				return
			}
			code, ours, err := asGRPC(t, conn, c.grpc)
			t.Logf("gRPC: %v %.200v", code, err)
			switch {
			case name == "nothing wrong":
				if err != nil {
					t.Errorf("gRPC: %v", err)
				}
			case code != codes.InvalidArgument && code != codes.ResourceExhausted || ours == "" || c.code != "" && ours != c.code:
				t.Errorf("gRPC: %v (%s), want %s", err, ours, c.code)
			}
		})
	}
	for _, m := range []string{"affine"} {
		a := must[client.InferAnswer](t)(s.Infer(within(t, time.Minute), m, client.InferRequest{Inputs: []client.Tensor{{Name: "x", Datatype: "FP32", Shape: []int64{1, 2}, Values: []float64{3, 1}}}}))
		if a.First("y") != 5.5 {
			t.Errorf("%+v", a)
		}
	}
	for i, w := range must[client.NodeStatus](t)(s.Node(within(t, time.Minute))).Workers {
		if w.Kind == "infer" && (i >= len(before) || w.PID != before[i].PID && before[i].PID != 0) {
			t.Errorf("the worker of the models was started again: %+v, before %+v", w, before)
		}
	}
}

// gzipped is b as a gzip file of one member.
func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	z.Close()
	return out.Bytes()
}

// bombOf packs n MiB of zeros to next to nothing, as a gzip file of n members.
func bombOf(t *testing.T, n int) []byte {
	return bytes.Repeat(gzipped(t, make([]byte, 1<<20)), n)
}

// packed says of a message of gRPC that it is packed already.
type packed struct{}

func (packed) Do(w io.Writer, p []byte) error { _, err := w.Write(p); return err }
func (packed) Type() string                   { return "gzip" }

// raw sends bytes as a message of gRPC.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (raw) Unmarshal([]byte, any) error   { return nil }
func (raw) Name() string                  { return "proto" }

// TestBadInputTooLarge sends bodies and messages over 64 MiB, as they are and packed a thousandfold: refused, and neither
// their memory nor their goroutines stay.
func TestBadInputTooLarge(t *testing.T) {
	needNative(t)
	s, conn := badInput(t)
	const size = 65 << 20
	bomb := bombOf(t, 256)
	packing := dialGRPC(t, s.node.GRPCAddress(), insecure.NewCredentials(), grpc.WithCompressor(packed{}))
	s.request(t, "POST", "/v2/models/affine/infer", bootstrap, "{}") // what the first request leaves for the next is no leak
	heapBefore, before := heap(), runtime.NumGoroutine()
	for range 2 {
		for name, c := range map[string]struct {
			body   func() io.Reader
			packed string
		}{
			"a body that says its length": {func() io.Reader { return bytes.NewReader(make([]byte, size)) }, ""},
			"a body that does not":        {func() io.Reader { return io.LimitReader(zero{}, size) }, ""},
			"a gzip bomb":                 {func() io.Reader { return bytes.NewReader(bomb) }, "gzip"},
		} {
			for _, path := range []string{"/v2/models/affine/infer", "/v2/repository/models/affine/load"} {
				r, err := http.NewRequestWithContext(within(t, time.Minute), http.MethodPost, s.url+path, c.body())
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer "+bootstrap)
				if c.packed != "" {
					r.Header.Set("Content-Encoding", c.packed)
				}
				if a := do(t, r); a.StatusCode != http.StatusRequestEntityTooLarge || a.problem().Code != "request.too_large" {
					t.Errorf("%s to %s: %s %.200s", name, path, a.Status, a.body)
				}
			}
		}
		if code, _, err := asGRPC(t, conn, make([]byte, size), grpc.ForceCodec(raw{}), grpc.MaxCallSendMsgSize(1<<30)); code != codes.ResourceExhausted {
			t.Errorf("a message of %d bytes: %v", size, err)
		}
		if code, _, err := asGRPC(t, packing, bomb, grpc.ForceCodec(raw{})); code != codes.ResourceExhausted {
			t.Errorf("a bomb: %v", err)
		}
	}
	eventually(t, 30*time.Second, "goroutines and memory are given back", func() bool {
		return runtime.NumGoroutine() < before+30 && heap() < heapBefore+32<<20
	})
}

// TestBadInputSlowClients opens connections and sends nothing, or half of what it should: all are cut off, while others are
// answered.
func TestBadInputSlowClients(t *testing.T) {
	if testing.Short() {
		t.Skip("the bound on a body is a minute")
	}
	needNative(t)
	t.Parallel()
	s, conn := badInput(t)
	addr := strings.TrimPrefix(s.url, "http://")
	dial := func(send string) net.Conn {
		c := must[net.Conn](t)((&net.Dialer{}).DialContext(t.Context(), "tcp", addr))
		t.Cleanup(func() { c.Close() })
		if _, err := io.WriteString(c, send); err != nil {
			t.Fatal(err)
		}
		if err := c.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	headers := dial("POST /v2/models/affine/infer HTTP/1.1\r\nHost: x\r\nAuthor")
	body := dial("POST /v2/models/affine/infer HTTP/1.1\r\nHost: " + addr + "\r\nAuthorization: Bearer " + bootstrap + "\r\nContent-Length: 100\r\n\r\n{")
	nobody := dial("POST /v2/models/affine/infer HTTP/1.1\r\nHost: " + addr + "\r\nContent-Length: 100\r\n\r\n{") // refused unread
	ctx := metadata.AppendToOutgoingContext(within(t, 2*time.Minute), "authorization", "Bearer "+bootstrap)
	silent := must[grpc.ClientStream](t)(conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, modelInfer))
	if a := s.request(t, "POST", "/v2/models/affine/infer", bootstrap, `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[3,1]}]}`); a.StatusCode != 200 {
		t.Errorf("beside slow clients: %s %s", a.Status, a.body)
	}
	if b, err := io.ReadAll(headers); err != nil || len(b) > 0 && !bytes.Contains(b, []byte("408")) && !bytes.Contains(b, []byte("400")) {
		t.Errorf("half a header is not cut off: %v %q", err, b)
	}
	resp, err := http.ReadResponse(bufio.NewReader(body), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusRequestTimeout || !bytes.Contains(b, []byte(`"request.slow"`)) {
		t.Errorf("half a body: %s %s", resp.Status, b)
	}
	refused, err := http.ReadResponse(bufio.NewReader(nobody), nil)
	if err != nil {
		t.Fatalf("half a body without a token: %v", err)
	}
	defer refused.Body.Close()
	if refused.StatusCode != http.StatusUnauthorized {
		t.Errorf("half a body without a token: %s", refused.Status)
	}
	if err := silent.RecvMsg(new(pb.ModelInferResponse)); status.Code(err) != codes.InvalidArgument || strings.Join(silent.Trailer().Get("edgeward-code"), "") != "request.slow" {
		t.Errorf("a call without a message: %v %v", err, silent.Trailer())
	}
}
