package systemtest

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	pb "edgeward/node/api/oip/oippb"
	"edgeward/node/client"
	"edgeward/runtime/engine/enginetest"
)

// TestTracesAndAccessLog: a caller's traceparent makes it the parent of the answer's span, over REST and gRPC; who says
// not to sample is not sampled; no value leaves; and the access log has a line for each.
func TestTracesAndAccessLog(t *testing.T) {
	needNative(t)
	spans := make(chan *otlp.Span, 100)
	var sent lockedBuffer
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var q collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &q) != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		sent.Write(body)
		for _, x := range q.ResourceSpans {
			for _, y := range x.ScopeSpans {
				for _, s := range y.Spans {
					spans <- s
				}
			}
		}
	}))
	defer at.Close()
	s := start(t, options{set: map[string]string{"tracing.url": at.URL + "/v1/traces", "tracing.sample": "0", "log.access": "true"}})
	ctx := within(t, 2*time.Minute)
	must[client.ImportedVersion](t)(s.ImportModel(ctx, "leak-finder", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{Filename: "leak.onnx"}))
	deployed(t, s.Client, "leak-finder", 1)
	secret := token(t, s.Client, "service")
	ask := func(traceparent string) {
		t.Helper()
		a := s.request(t, "POST", "/v2/models/leak-finder/infer?note=hidden", secret, `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[271828,2]}]}`,
			"Content-Type", "application/json", "Traceparent", traceparent)
		if a.StatusCode != http.StatusOK {
			t.Fatalf("%s %s", a.Status, a.body)
		}
	}
	const rest, call = "0af7651916cd43dd8448eb211c80319c", "1bf7651916cd43dd8448eb211c80319d"
	ask("00-" + rest + "-b7ad6b7169203331-01")
	ask("00-2cf7651916cd43dd8448eb211c80319e-b7ad6b7169203331-00") // its caller does not sample
	ask("nonsense")                                                // as without: sampled by our share, which is none
	conn, err := grpc.NewClient(s.node.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	out := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+secret, "traceparent", "00-"+call+"-c7ad6b7169203331-01")
	in := &pb.ModelInferRequest{ModelName: "leak-finder", Inputs: []*pb.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "FP32", Shape: []int64{1, 2},
		Contents: &pb.InferTensorContents{Fp32Contents: []float32{1, 2}}}}}
	if err := conn.Invoke(out, "/inference.GRPCInferenceService/ModelInfer", in, new(pb.ModelInferResponse)); err != nil {
		t.Fatal(err)
	}
	if err := s.stop(); err != nil { // what waits is sent at the end
		t.Fatal(err)
	}
	close(spans)
	parents := map[string]string{}
	for x := range spans {
		if x.Name != "infer leak-finder" || x.Status.GetCode() == otlp.Status_STATUS_CODE_ERROR {
			t.Errorf("span %q %v", x.Name, x.Status)
		}
		parents[hex.EncodeToString(x.TraceId)] = hex.EncodeToString(x.ParentSpanId)
		attributes := map[string]string{}
		for _, a := range x.Attributes {
			attributes[a.Key] = a.Value.String()
		}
		if !strings.Contains(attributes["edgeward.model"], "leak-finder") || attributes["edgeward.prediction_id"] == "" || !strings.Contains(attributes["edgeward.version"], "1") {
			t.Errorf("attributes %v", attributes)
		}
	}
	if len(parents) != 2 || parents[rest] != "b7ad6b7169203331" || parents[call] != "c7ad6b7169203331" {
		t.Errorf("traces and parents: %v", parents)
	}
	if strings.Contains(sent.String(), "271828") {
		t.Error("an input stands in a trace")
	}
	log := s.log.String()
	for _, want := range []string{"part=access method=POST path=/v2/models/leak-finder/infer status=200", "prediction_id=01", "principal=token:", "part=access method=ModelInfer code=OK"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in the access log", want)
		}
	}
	for _, secret := range []string{"hidden", "271828", secret} {
		if strings.Contains(log, secret) {
			t.Errorf("%q stands in the log", secret)
		}
	}
}
