package oipgrpc_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"edgeward"
	"edgeward/node/api/oip"
	"edgeward/node/api/oip/oipgrpc"
	pb "edgeward/node/api/oip/oippb"
	"edgeward/node/api/oip/oiptest"
	"edgeward/node/auth"
	"edgeward/packaging/needtest"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// server is the protocol on a real listener, and a connection to it.
type server struct {
	*testing.T
	*oiptest.Endpoints
	*grpc.ClientConn
	addr string
}

func start(t *testing.T, change ...func(*oipgrpc.Config)) *server {
	t.Helper()
	s := &server{T: t, Endpoints: &oiptest.Endpoints{}}
	c := oipgrpc.Config{Service: oip.New(s.Endpoints.Service()), Log: slog.New(slog.DiscardHandler),
		Guard: func(_ context.Context, bearer, _ string, v auth.Verb, _ auth.Resource) (auth.Principal, error) {
			return oiptest.Allow(bearer, v)
		}}
	for _, f := range change {
		f(&c)
	}
	g := oipgrpc.New(c)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = ln.Addr().String()
	done := make(chan error, 1)
	go func() { done <- g.Serve(ln) }()
	if s.ClientConn, err = grpc.NewClient(s.addr, append(checked(t), grpc.WithTransportCredentials(insecure.NewCredentials()))...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.ClientConn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		g.Shutdown(ctx)
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

// checked are the options of a client that holds every answer against the protocol's own file.
func checked(t *testing.T) []grpc.DialOption {
	look := func(method string, answer any, err error) {
		m, ok := answer.(proto.Message)
		if !ok || err != nil {
			return
		}
		if err := oiptest.CheckMessage(method, m); err != nil {
			t.Errorf("%s: the answer is not the protocol's: %v", method, err)
		}
	}
	return []grpc.DialOption{
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, in, out any, c *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption) error {
			err := invoke(ctx, method, in, out, c, o...)
			look(method, out, err)
			return err
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, d *grpc.StreamDesc, c *grpc.ClientConn, method string, open grpc.Streamer, o ...grpc.CallOption) (grpc.ClientStream, error) {
			s, err := open(ctx, d, c, method, o...)
			return checkedStream{s, func(m any, err error) { look(method, m, err) }}, err
		}),
	}
}

type checkedStream struct {
	grpc.ClientStream
	look func(any, error)
}

func (s checkedStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	s.look(m, err)
	return err
}

// ask calls a method as one who may do all, or as the bearer.
func (s *server) ask(method string, in, out any, bearer ...string) (metadata.MD, error) {
	s.Helper()
	who := "x"
	if len(bearer) > 0 {
		who = bearer[0]
	}
	ctx := s.Context()
	if who != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+who)
	}
	var trailer metadata.MD
	err := s.Invoke(ctx, "/inference.GRPCInferenceService/"+method, in, out, grpc.Trailer(&trailer))
	return trailer, err
}

func floats(v ...float32) []byte {
	var b []byte
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

// sums is a good request.
func sums() *pb.ModelInferRequest {
	return &pb.ModelInferRequest{ModelName: "sums", RawInputContents: [][]byte{floats(1, 2, 3, 4.5)},
		Inputs: []*pb.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "FP32", Shape: []int64{2, 2}}}}
}

func text(s string) *pb.InferParameter {
	return &pb.InferParameter{ParameterChoice: &pb.InferParameter_StringParam{StringParam: s}}
}

func TestAStickyKeyAndAVariant(t *testing.T) {
	s := start(t)
	in := sums()
	in.Parameters = map[string]*pb.InferParameter{"edgeward_sticky_key": text("bed-7")}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer x", "edgeward-variant", "sharper")
	var out pb.ModelInferResponse
	if err := s.Invoke(ctx, "/inference.GRPCInferenceService/ModelInfer", in, &out); err != nil {
		t.Fatal(err)
	}
	if r := s.Asked()[0]; r.StickyKey != "bed-7" || r.Variant != "sharper" || r.Principal == "" {
		t.Errorf("asked %+v", r)
	}
	if got := out.Parameters["edgeward_variant"].GetStringParam(); got != "sharper" {
		t.Errorf("answered %v", out.Parameters)
	}
}

func TestAnAnswer(t *testing.T) {
	s := start(t)
	in := sums()
	in.Id = "mine"
	in.ModelVersion = "2"
	in.Outputs = []*pb.ModelInferRequest_InferRequestedOutputTensor{{Name: "n"}, {Name: "y"}}
	in.Parameters = map[string]*pb.InferParameter{"edgeward_event_time": text("2022-07-01T23:00:00+02:00"), "edgeward_key": text("north"), "someone's": text("else")}
	var out pb.ModelInferResponse
	if _, err := s.ask("ModelInfer", in, &out); err != nil {
		t.Fatal(err)
	}
	want := &pb.ModelInferResponse{ModelName: "sums", ModelVersion: "2", Id: "mine",
		Parameters:        map[string]*pb.InferParameter{"edgeward_prediction_id": text(oiptest.ID), "edgeward_role": text("live")},
		Outputs:           []*pb.ModelInferResponse_InferOutputTensor{{Name: "n", Datatype: "INT64", Shape: []int64{1}}, {Name: "y", Datatype: "FP32", Shape: []int64{2, 1}}},
		RawOutputContents: [][]byte{{2, 0, 0, 0, 0, 0, 0, 0}, floats(3, 7.5)}}
	if !proto.Equal(&out, want) {
		t.Errorf("got  %v\nwant %v", &out, want)
	}
	if r := s.Asked()[0]; r.ID != oiptest.ID || r.Endpoint != (serve.Key{Group: "ward", Name: "sums"}) || r.Version != 2 || r.SeriesKey != "north" ||
		!r.ReceivedAt.Equal(oiptest.Now) || !r.EventTime.Equal(time.Date(2022, 7, 1, 21, 0, 0, 0, time.UTC)) {
		t.Errorf("asked %+v", r)
	}
}

// TestEveryDatatypeInTypedContents sends each datatype as contents, at the ends of its range.
func TestEveryDatatypeInTypedContents(t *testing.T) {
	s := start(t)
	le := binary.LittleEndian
	for d, c := range map[tensor.Datatype]struct {
		contents *pb.InferTensorContents
		want     []byte
	}{
		tensor.Bool:   {&pb.InferTensorContents{BoolContents: []bool{true, false}}, []byte{1, 0}},
		tensor.Int8:   {&pb.InferTensorContents{IntContents: []int32{-128, 127}}, []byte{0x80, 0x7f}},
		tensor.Int16:  {&pb.InferTensorContents{IntContents: []int32{-32768, 32767}}, []byte{0, 0x80, 0xff, 0x7f}},
		tensor.Int32:  {&pb.InferTensorContents{IntContents: []int32{math.MinInt32, 1}}, []byte{0, 0, 0, 0x80, 1, 0, 0, 0}},
		tensor.Int64:  {&pb.InferTensorContents{Int64Contents: []int64{-1, 1}}, append(bytes.Repeat([]byte{0xff}, 8), 1, 0, 0, 0, 0, 0, 0, 0)},
		tensor.Uint8:  {&pb.InferTensorContents{UintContents: []uint32{0, 255}}, []byte{0, 255}},
		tensor.Uint16: {&pb.InferTensorContents{UintContents: []uint32{0, 65535}}, []byte{0, 0, 0xff, 0xff}},
		tensor.Uint32: {&pb.InferTensorContents{UintContents: []uint32{0, math.MaxUint32}}, []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}},
		tensor.Uint64: {&pb.InferTensorContents{Uint64Contents: []uint64{0, math.MaxUint64}}, append(make([]byte, 8), bytes.Repeat([]byte{0xff}, 8)...)},
		tensor.FP32:   {&pb.InferTensorContents{Fp32Contents: []float32{1, -2}}, floats(1, -2)},
		tensor.FP64:   {&pb.InferTensorContents{Fp64Contents: []float64{1, -2}}, le.AppendUint64(le.AppendUint64(nil, math.Float64bits(1)), math.Float64bits(-2))},
		tensor.Bytes:  {&pb.InferTensorContents{BytesContents: [][]byte{[]byte("ab"), {}}}, []byte("\x02\x00\x00\x00ab\x00\x00\x00\x00")},
	} {
		name := "echo-" + strings.ToLower(string(d))
		if d == tensor.Bytes {
			name = "texts"
		}
		var out pb.ModelInferResponse
		_, err := s.ask("ModelInfer", &pb.ModelInferRequest{ModelName: name,
			Inputs: []*pb.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: string(d), Shape: []int64{2}, Contents: c.contents}}}, &out)
		if err != nil || !bytes.Equal(out.RawOutputContents[0], c.want) {
			t.Errorf("%s: %v: got %x, want %x", d, err, out.GetRawOutputContents(), c.want)
		}
	}
}

// TestALargeTensorComesBack goes over many frames, in both directions, plain and compressed.
func TestALargeTensorComesBack(t *testing.T) {
	s := start(t)
	v := make([]byte, 800_000)
	for i := range v {
		v[i] = byte(i * 7)
	}
	for _, name := range []string{"", "gzip", "deflate"} {
		var opts []grpc.CallOption
		if name != "" {
			opts = append(opts, grpc.UseCompressor(name))
		}
		var out pb.ModelInferResponse
		err := s.Invoke(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer x"), "/inference.GRPCInferenceService/ModelInfer",
			&pb.ModelInferRequest{ModelName: "echo-uint8", RawInputContents: [][]byte{v}, Inputs: []*pb.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "UINT8", Shape: []int64{800_000}}}}, &out, opts...)
		if err != nil || !bytes.Equal(out.RawOutputContents[0], v) {
			t.Errorf("%q: %v, %d bytes", name, err, len(out.GetRawOutputContents()))
		}
	}
}

func TestBadInputIsRefused(t *testing.T) {
	s := start(t)
	in := func(change func(*pb.ModelInferRequest)) *pb.ModelInferRequest {
		r := sums()
		change(r)
		return r
	}
	input := func(shape []int64, datatype string, raw []byte, c *pb.InferTensorContents) func(*pb.ModelInferRequest) {
		return func(r *pb.ModelInferRequest) {
			r.Inputs = []*pb.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: datatype, Shape: shape, Contents: c}}
			r.RawInputContents = nil
			if raw != nil {
				r.RawInputContents = [][]byte{raw}
			}
		}
	}
	of := func(model string, f func(*pb.ModelInferRequest)) *pb.ModelInferRequest {
		r := in(f)
		r.ModelName = model
		return r
	}
	params := func(key string, v *pb.InferParameter) *pb.ModelInferRequest {
		return in(func(r *pb.ModelInferRequest) { r.Parameters = map[string]*pb.InferParameter{key: v} })
	}
	output := func(o ...*pb.ModelInferRequest_InferRequestedOutputTensor) *pb.ModelInferRequest {
		return in(func(r *pb.ModelInferRequest) { r.Outputs = o })
	}
	for name, c := range map[string]struct {
		in     *pb.ModelInferRequest
		bearer string
		status codes.Code
		code   string
	}{
		"nothing wrong":               {sums(), "x", codes.OK, ""},
		"a blank behind the token":    {sums(), "x ", codes.OK, ""},
		"nobody asks":                 {sums(), "", codes.Unauthenticated, "auth.required"},
		"who may not ask":             {sums(), "reader", codes.PermissionDenied, "auth.forbidden"},
		"another group's endpoint":    {sums(), "stranger", codes.NotFound, "endpoint.not_found"},
		"an unknown model":            {of("nosuch", func(*pb.ModelInferRequest) {}), "x", codes.NotFound, "endpoint.not_found"},
		"an unknown version":          {in(func(r *pb.ModelInferRequest) { r.ModelVersion = "9" }), "x", codes.NotFound, "endpoint.no_version"},
		"a version that is no number": {in(func(r *pb.ModelInferRequest) { r.ModelVersion = "-1" }), "x", codes.NotFound, "endpoint.no_version"},
		"an empty message":            {&pb.ModelInferRequest{}, "x", codes.NotFound, "endpoint.not_found"},
		"no inputs":                   {&pb.ModelInferRequest{ModelName: "sums"}, "x", codes.InvalidArgument, "input.missing"},
		"an input twice": {in(func(r *pb.ModelInferRequest) {
			r.Inputs = append(r.Inputs, r.Inputs[0])
			r.RawInputContents = append(r.RawInputContents, r.RawInputContents[0])
		}), "x", codes.InvalidArgument, "input.duplicate"},
		"an unknown input":                 {in(func(r *pb.ModelInferRequest) { r.Inputs[0].Name = "z" }), "x", codes.InvalidArgument, "input.unknown"},
		"an input without a name":          {in(func(r *pb.ModelInferRequest) { r.Inputs[0].Name = "" }), "x", codes.InvalidArgument, "tensor.name"},
		"a name too long":                  {in(func(r *pb.ModelInferRequest) { r.Inputs[0].Name = strings.Repeat("n", 300) }), "x", codes.InvalidArgument, "tensor.name"},
		"an input without a datatype":      {in(func(r *pb.ModelInferRequest) { r.Inputs[0].Datatype = "" }), "x", codes.InvalidArgument, "input.incomplete"},
		"a datatype nobody knows":          {in(func(r *pb.ModelInferRequest) { r.Inputs[0].Datatype = "FP99" }), "x", codes.InvalidArgument, "tensor.datatype"},
		"another datatype":                 {in(func(r *pb.ModelInferRequest) { r.Inputs[0].Datatype = "INT32" }), "x", codes.InvalidArgument, "input.datatype"},
		"another shape":                    {in(func(r *pb.ModelInferRequest) { r.Inputs[0].Shape = []int64{4} }), "x", codes.InvalidArgument, "input.shape"},
		"a negative dimension":             {in(func(r *pb.ModelInferRequest) { r.Inputs[0].Shape = []int64{-2, 2} }), "x", codes.InvalidArgument, "tensor.shape"},
		"a negative dimension, contents":   {in(input([]int64{-2, 2}, "FP32", nil, &pb.InferTensorContents{Fp32Contents: []float32{1}})), "x", codes.InvalidArgument, "tensor.shape"},
		"a shape that overflows":           {in(func(r *pb.ModelInferRequest) { r.Inputs[0].Shape = []int64{1 << 32, 1 << 32} }), "x", codes.InvalidArgument, "tensor.shape"},
		"a shape that overflows, contents": {in(input([]int64{1 << 32, 1 << 32}, "FP32", nil, &pb.InferTensorContents{Fp32Contents: []float32{1}})), "x", codes.InvalidArgument, "tensor.shape"},
		"a huge shape, little contents":    {in(input([]int64{1 << 40, 2}, "FP32", nil, &pb.InferTensorContents{Fp32Contents: []float32{1}})), "x", codes.InvalidArgument, "tensor.size"},
		"too many dimensions":              {in(func(r *pb.ModelInferRequest) { r.Inputs[0].Shape = make([]int64, 20) }), "x", codes.InvalidArgument, "tensor.shape"},
		"too few bytes":                    {in(func(r *pb.ModelInferRequest) { r.RawInputContents[0] = floats(1) }), "x", codes.InvalidArgument, "tensor.size"},
		"too few contents":                 {in(input([]int64{1, 2}, "FP32", nil, &pb.InferTensorContents{Fp32Contents: []float32{1}})), "x", codes.InvalidArgument, "tensor.size"},
		"no data":                          {in(input([]int64{1, 2}, "FP32", nil, nil)), "x", codes.InvalidArgument, "tensor.size"},
		"data twice":                       {in(input([]int64{1, 2}, "FP32", floats(1, 2), &pb.InferTensorContents{Fp32Contents: []float32{1, 2}})), "x", codes.InvalidArgument, "input.data"},
		"contents of another datatype":     {in(input([]int64{1, 2}, "FP32", nil, &pb.InferTensorContents{Fp64Contents: []float64{1, 2}})), "x", codes.InvalidArgument, "input.contents"},
		"contents for FP16":                {of("echo-fp16", input([]int64{1}, "FP16", nil, &pb.InferTensorContents{Fp32Contents: []float32{1}})), "x", codes.InvalidArgument, "input.contents"},
		"an integer too large":             {of("echo-int8", input([]int64{1}, "INT8", nil, &pb.InferTensorContents{IntContents: []int32{128}})), "x", codes.InvalidArgument, "tensor.value"},
		"an unsigned integer too large":    {of("echo-uint16", input([]int64{1}, "UINT16", nil, &pb.InferTensorContents{UintContents: []uint32{65536}})), "x", codes.InvalidArgument, "tensor.value"},
		"fewer raw contents than inputs": {in(func(r *pb.ModelInferRequest) {
			r.Inputs = append(r.Inputs, &pb.ModelInferRequest_InferInputTensor{Name: "z", Datatype: "FP32"})
		}), "x", codes.InvalidArgument, "request.raw_short"},
		"more raw contents than inputs":      {in(func(r *pb.ModelInferRequest) { r.RawInputContents = append(r.RawInputContents, nil) }), "x", codes.InvalidArgument, "request.raw_left"},
		"a BYTES prefix over its buffer":     {of("texts", input([]int64{1}, "BYTES", []byte("\xff\xff\xff\x7fa"), nil)), "x", codes.InvalidArgument, "tensor.size"},
		"an unknown output":                  {output(&pb.ModelInferRequest_InferRequestedOutputTensor{Name: "q"}), "x", codes.InvalidArgument, "output.unknown"},
		"an output twice":                    {output(&pb.ModelInferRequest_InferRequestedOutputTensor{Name: "y"}, &pb.ModelInferRequest_InferRequestedOutputTensor{Name: "y"}), "x", codes.InvalidArgument, "output.duplicate"},
		"an output without a name":           {output(&pb.ModelInferRequest_InferRequestedOutputTensor{}), "x", codes.InvalidArgument, "output.name"},
		"a parameter misspelt":               {params("edgeward_eventtime", text("2022-07-01T00:00:00Z")), "x", codes.InvalidArgument, "parameter.unknown"},
		"a parameter of another type":        {params("edgeward_lookup", text("yes")), "x", codes.InvalidArgument, "parameter.type"},
		"a time that is none":                {params("edgeward_event_time", text("yesterday")), "x", codes.InvalidArgument, "parameter.time"},
		"an id too long":                     {in(func(r *pb.ModelInferRequest) { r.Id = strings.Repeat("k", 2000) }), "x", codes.InvalidArgument, "request.id"},
		"a message over the bound":           {in(func(r *pb.ModelInferRequest) { r.RawInputContents[0] = make([]byte, 2<<20) }), "x", codes.ResourceExhausted, ""},
		"a large message by who may not ask": {in(func(r *pb.ModelInferRequest) { r.RawInputContents[0] = make([]byte, 2<<20) }), "reader", codes.PermissionDenied, "auth.forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			s.T = t
			var out pb.ModelInferResponse
			trailer, err := s.ask("ModelInfer", c.in, &out, c.bearer)
			st := status.Convert(err)
			if st.Code() != c.status {
				t.Fatalf("got %v, want %v", err, c.status)
			}
			if c.code == "" { // or gRPC refuses it before us
				return
			}
			if got := trailer.Get("edgeward-code"); !slices.Equal(got, []string{c.code}) || st.Message() == "" {
				t.Errorf("code %v, want %q: %v", got, c.code, st)
			}
			if info, ok := st.Details()[0].(*errdetails.ErrorInfo); !ok || info.Reason != c.code || info.Domain != "edgeward" {
				t.Errorf("details %v", st.Details())
			}
		})
	}
}

// blind sends bytes that are no message.
type blind struct{}

func (blind) Marshal(v any) ([]byte, error)   { return v.([]byte), nil }
func (blind) Unmarshal(_ []byte, _ any) error { return nil }
func (blind) Name() string                    { return "proto" }

// TestBadInputNoMessage: each method says so, and nothing else happens.
func TestBadInputNoMessage(t *testing.T) {
	s := start(t)
	for _, m := range []string{"ModelInfer", "ModelMetadata"} {
		for _, b := range []string{"\x0a\xff", "\x0f", "\x2a\x05\x0a\x80", "\x0a\x01\xff", strings.Repeat("\x0b", 100_000)} {
			err := s.Invoke(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer x"), "/inference.GRPCInferenceService/"+m, []byte(b), new([]byte), grpc.ForceCodec(blind{}))
			if status.Code(err) != codes.InvalidArgument {
				t.Errorf("%s %.20q: %v", m, b, err)
			}
		}
	}
}

// bomb compresses everything to what unpacks to 8 MiB of nothing.
type bomb struct{}

func (bomb) Marshal(any) ([]byte, error)     { return bytes.Repeat([]byte{0}, 8<<20), nil }
func (bomb) Unmarshal(_ []byte, _ any) error { return nil }
func (bomb) Name() string                    { return "proto" }

func TestBadInputCompressedBomb(t *testing.T) {
	s := start(t)
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	_, _ = z.Write(make([]byte, 8<<20))
	z.Close()
	if small.Len() > 20_000 {
		t.Fatalf("the bomb has %d bytes", small.Len())
	}
	for _, name := range []string{"gzip", "deflate"} {
		err := s.Invoke(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer x"), "/inference.GRPCInferenceService/ModelInfer", []byte{}, new([]byte),
			grpc.ForceCodec(bomb{}), grpc.UseCompressor(name), grpc.MaxCallSendMsgSize(1<<30))
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBadInputSlowClient opens a call and sends nothing.
func TestBadInputSlowClient(t *testing.T) {
	s := start(t, func(c *oipgrpc.Config) { c.Service.BodyTimeout = 50 * time.Millisecond })
	stream, err := s.NewStream(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer x"),
		&grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/inference.GRPCInferenceService/ModelInfer")
	if err != nil {
		t.Fatal(err)
	}
	err = stream.RecvMsg(new(pb.ModelInferResponse))
	if status.Code(err) != codes.InvalidArgument || stream.Trailer().Get("edgeward-code")[0] != "request.slow" {
		t.Errorf("%v %v", err, stream.Trailer())
	}
}

func TestWhatTheServerCannotDo(t *testing.T) {
	s := start(t)
	for name, c := range map[string]struct {
		err         error
		status      codes.Code
		code, after string
	}{
		"too many at once":    {edgeward.E("serve", edgeward.Exhausted, "endpoint.busy", "busy").With("retry_after", "3"), codes.ResourceExhausted, "endpoint.busy", "3"},
		"no version is ready": {edgeward.E("serve", edgeward.Unavailable, "endpoint.not_ready", "loading"), codes.Unavailable, "endpoint.not_ready", "1"},
		"the model is slow":   {fmt.Errorf("run: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "request.timeout", ""},
		"a defect of ours":    {fmt.Errorf("secret path /var/lib"), codes.Internal, "internal", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s.T, s.Err = t, c.err
			trailer, err := s.ask("ModelInfer", sums(), new(pb.ModelInferResponse))
			if status.Code(err) != c.status || trailer.Get("edgeward-code")[0] != c.code || strings.Join(trailer.Get("retry-after"), "") != c.after || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v %v", err, trailer)
			}
		})
	}
}

// TestACancelledCallStopsTheModel: the model's context ends with the call.
func TestACancelledCallStopsTheModel(t *testing.T) {
	s := start(t)
	running, stopped := make(chan struct{}), make(chan struct{})
	s.Slow = func(ctx context.Context, _ serve.Request) error {
		close(running)
		<-ctx.Done()
		close(stopped)
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer x"))
	go func() { <-running; cancel() }()
	if err := s.Invoke(ctx, "/inference.GRPCInferenceService/ModelInfer", sums(), new(pb.ModelInferResponse)); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	<-stopped
}

// openStream opens ModelStreamInfer.
func (s *server) openStream(ctx context.Context) grpc.ClientStream {
	s.Helper()
	c, err := s.NewStream(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer x"), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/inference.GRPCInferenceService/ModelStreamInfer")
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// TestAStreamAnswersInTurn: the first request is the last one done, and still its answer comes first; no more than
// MaxStreamed are under way.
func TestAStreamAnswersInTurn(t *testing.T) {
	s := start(t)
	const n, bad = 3 * oipgrpc.MaxStreamed, 2 * oipgrpc.MaxStreamed
	release, full := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	running, most := 0, 0
	s.Slow = func(ctx context.Context, r serve.Request) error {
		mu.Lock()
		running++
		if most = max(most, running); most == oipgrpc.MaxStreamed {
			select {
			case <-full:
			default:
				close(full)
			}
		}
		mu.Unlock()
		defer func() { mu.Lock(); running--; mu.Unlock() }()
		if r.SeriesKey == "0" {
			select {
			case <-release:
			case <-ctx.Done():
				return ctx.Err()
			}
		} else if r.SeriesKey < "2" { // some wait, so that the bound is reached
			select {
			case <-full:
			case <-ctx.Done():
			}
		}
		return nil
	}
	c := s.openStream(t.Context())
	go func() {
		for i := range n {
			in := sums()
			in.Id = fmt.Sprint(i)
			in.Parameters = map[string]*pb.InferParameter{"edgeward_key": text(fmt.Sprint(i % 2))}
			if i > 0 {
				in.Parameters["edgeward_key"] = text("1")
			}
			if i == bad {
				in.ModelName = "nosuch"
			}
			if err := c.SendMsg(in); err != nil {
				return
			}
		}
		_ = c.CloseSend()
	}()
	<-full
	close(release)
	for i := range n {
		var out pb.ModelStreamInferResponse
		if err := c.RecvMsg(&out); err != nil {
			t.Fatal(i, err)
		}
		r := out.InferResponse
		if r.Id != fmt.Sprint(i) || (out.ErrorMessage != "") != (i == bad) || i == bad && r.Parameters["edgeward_code"].GetStringParam() != "endpoint.not_found" || i != bad && !r.Parameters["triton_final_response"].GetBoolParam() {
			t.Fatalf("answer %d: %v", i, &out)
		}
	}
	if err := c.RecvMsg(new(pb.ModelStreamInferResponse)); err != io.EOF {
		t.Errorf("the end: %v", err)
	}
	if most > oipgrpc.MaxStreamed {
		t.Errorf("%d requests at once", most)
	}
}

// TestACancelledStreamStopsItsModels.
func TestACancelledStreamStopsItsModels(t *testing.T) {
	s := start(t)
	var running, stopped sync.WaitGroup
	running.Add(3)
	stopped.Add(3)
	s.Slow = func(ctx context.Context, _ serve.Request) error {
		running.Done()
		<-ctx.Done()
		stopped.Done()
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	c := s.openStream(ctx)
	for range 3 {
		if err := c.SendMsg(sums()); err != nil {
			t.Fatal(err)
		}
	}
	running.Wait()
	cancel()
	stopped.Wait()
	if err := c.RecvMsg(new(pb.ModelStreamInferResponse)); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
}

// TestAStreamEndsWithItsToken: who asks is looked at for each request.
func TestAStreamEndsWithItsToken(t *testing.T) {
	asked := 0
	s := start(t, func(c *oipgrpc.Config) {
		c.Guard = func(context.Context, string, string, auth.Verb, auth.Resource) (auth.Principal, error) {
			if asked++; asked > 2 {
				return auth.Principal{}, edgeward.E("guard", edgeward.Unauthenticated, "auth.token_invalid", "the token was deleted")
			}
			return oiptest.Allow("x", auth.Predict)
		}
	})
	c := s.openStream(t.Context())
	var out pb.ModelStreamInferResponse
	if err := errors.Join(c.SendMsg(sums()), c.RecvMsg(&out)); err != nil || out.ErrorMessage != "" {
		t.Fatal(err, &out)
	}
	_ = c.SendMsg(sums())
	if err := c.RecvMsg(&out); status.Code(err) != codes.Unauthenticated || c.Trailer().Get("edgeward-code")[0] != "auth.token_invalid" {
		t.Errorf("%v %v", err, c.Trailer())
	}
}

// TestAMalformedStreamSaysSo: bytes that are no message are refused in their turn, a message over the bound ends the stream.
func TestAMalformedStreamSaysSo(t *testing.T) {
	s := start(t)
	c := s.openStream(t.Context())
	in := sums()
	in.Inputs[0].Datatype = "FP99"
	var out pb.ModelStreamInferResponse
	if err := errors.Join(c.SendMsg(in), c.RecvMsg(&out)); err != nil || !strings.Contains(out.ErrorMessage, "FP99") {
		t.Fatal(err, &out)
	}
	in.RawInputContents[0] = make([]byte, 2<<20)
	_ = c.SendMsg(in)
	if err := c.RecvMsg(&out); status.Code(err) != codes.ResourceExhausted {
		t.Error(err)
	}
}

func TestEveryMethodButHealthNeedsARight(t *testing.T) {
	public := []string{"Check", "List", "Watch", "ServerLive", "ServerReady", "ServerMetadata"}
	for _, m := range oipgrpc.New(oipgrpc.Config{Service: oip.New(oip.Config{})}).Methods() {
		name := m.Path[strings.LastIndexByte(m.Path, '/')+1:]
		if slices.Contains(public, name) != (m.Verb == "") || m.Verb != "" && len(auth.RolesFor(m.Verb, m.Resource)) == 0 {
			t.Errorf("%s needs %q on %q", m.Path, m.Verb, m.Resource)
		}
	}
}

// TestTritonClient asks by the clients that people use, in Python: grpc and grpc.aio.
func TestTritonClient(t *testing.T) {
	python := needtest.Python(t, "tritonclient", "grpc", "numpy")
	s := start(t)
	out, err := exec.CommandContext(t.Context(), python, "testdata/triton.py", s.addr).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	if want := []string{`load ward/new "loaded through the model repository API" "{\"backend\": \"onnxruntime\"}" map["1/model.onnx":"abc"]`,
		`unload ward/new "unloaded through the model repository API" "" map[]`}; !slices.Equal(s.Loads, want) {
		t.Errorf("got  %q\nwant %q", s.Loads, want)
	}
}
