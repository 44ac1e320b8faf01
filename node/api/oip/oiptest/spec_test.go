package oiptest_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	pb "edgeward/node/api/oip/oippb"
	"edgeward/node/api/oip/oiptest"
	"edgeward/packaging/needtest"
)

// service is the only service of both files.
const service = protoreflect.Name("GRPCInferenceService")

// shape is what decides how a file's messages lie on the wire and are called: a line for each method, message, field and
// value.
func shape(f protoreflect.FileDescriptor) map[string]string {
	out := map[string]string{}
	methods := f.Services().ByName(service).Methods()
	for i := range methods.Len() {
		m := methods.Get(i)
		out["rpc "+string(m.Name())] = fmt.Sprintf("%v(%s) %v(%s)", m.IsStreamingClient(), m.Input().FullName(), m.IsStreamingServer(), m.Output().FullName())
	}
	var enums func(protoreflect.EnumDescriptors)
	enums = func(es protoreflect.EnumDescriptors) {
		for i := range es.Len() {
			e := es.Get(i)
			for j := range e.Values().Len() {
				v := e.Values().Get(j)
				out[fmt.Sprintf("%s %d", e.FullName(), v.Number())] = string(v.Name())
			}
		}
	}
	var messages func(protoreflect.MessageDescriptors)
	messages = func(ms protoreflect.MessageDescriptors) {
		for i := range ms.Len() {
			m := ms.Get(i)
			out[string(m.FullName())] = "message"
			for j := range m.Fields().Len() {
				f := m.Fields().Get(j)
				of, choice := "", ""
				switch {
				case f.Message() != nil:
					of = string(f.Message().FullName())
				case f.Enum() != nil:
					of = string(f.Enum().FullName())
				}
				if o := f.ContainingOneof(); o != nil {
					choice = string(o.Name())
				}
				out[fmt.Sprintf("%s %d", m.FullName(), f.Number())] = fmt.Sprintf("%s %s %s %s packed=%v json=%s oneof=%s", f.Cardinality(), f.Kind(), of, f.Name(), f.IsPacked(), f.JSONName(), choice)
			}
			enums(m.Enums())
			messages(m.Messages())
		}
	}
	enums(f.Enums())
	messages(f.Messages())
	return out
}

// missing are the lines of want that got does not have as they are.
func missing(got, want map[string]string) (out []string) {
	for k, v := range want {
		if got[k] != v {
			out = append(out, fmt.Sprintf("%s: %q, want %q", k, got[k], v))
		}
	}
	return out
}

// TestOurProtoHasAllOfTheProtocols compares our messages with the protocol's own file, field by field.
func TestOurProtoHasAllOfTheProtocols(t *testing.T) {
	their, err := oiptest.Proto()
	if err != nil {
		t.Fatal(err)
	}
	want := shape(their)
	if len(want) < 70 || want["rpc ModelInfer"] == "" || want["inference.ModelInferRequest 7"] == "" {
		t.Fatalf("this is not the protocol's file: %d lines", len(want))
	}
	for _, m := range missing(shape(pb.File_oip_proto), want) {
		t.Error(m)
	}
}

// TestOurProtoIsTritons compares our messages with those that tritonclient is made of. All of ours are there; of theirs, only
// parts of a model's configuration are not here, which this server has nothing to say in.
func TestOurProtoIsTritons(t *testing.T) {
	python := needtest.Python(t, "tritonclient.grpc", "google.protobuf")
	path := filepath.Join(t.TempDir(), "files")
	const dump = `
import sys
from google.protobuf import descriptor_pb2 as d
from tritonclient.grpc import model_config_pb2 as m, service_pb2 as s
out = d.FileDescriptorSet()
for f in (m, s):
    f.DESCRIPTOR.CopyToProto(out.file.add())
open(sys.argv[1], "wb").write(out.SerializeToString())
`
	if out, err := exec.CommandContext(t.Context(), python, "-c", dump, path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(b, &set); err != nil {
		t.Fatal(err)
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		t.Fatal(err)
	}
	their := map[string]string{}
	files.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if f.Services().Len() == 0 {
			f = withService{f}
		}
		for k, v := range shape(f) {
			their[k] = v
		}
		return true
	})
	if len(their) < 250 || their["inference.ModelStatistics 3"] == "" {
		t.Fatalf("these are not Triton's files: %d lines", len(their))
	}
	ours := shape(pb.File_oip_proto)
	// What the protocol has and Triton has not.
	for _, only := range []string{"inference.ModelMetadataResponse 6", "inference.ModelMetadataResponse.PropertiesEntry", "inference.ModelMetadataResponse.PropertiesEntry 1", "inference.ModelMetadataResponse.PropertiesEntry 2"} {
		if ours[only] == "" || their[only] != "" {
			t.Errorf("%s: ours %q, Triton's %q", only, ours[only], their[only])
		}
		delete(ours, only)
	}
	for _, m := range missing(their, ours) {
		t.Errorf("not Triton's: %s", m)
	}
	config := partsOf(t, files, "inference.ModelConfig")
	for _, m := range missing(ours, their) {
		name, _, _ := strings.Cut(strings.TrimSuffix(strings.Fields(m)[0], ":"), " ")
		if !config[name] {
			t.Errorf("Triton has, and we have not: %s", m)
		}
	}
}

// withService is a file without a service as shape reads it.
type withService struct{ protoreflect.FileDescriptor }

func (withService) Services() protoreflect.ServiceDescriptors { return pb.File_oip_proto.Services() }

// partsOf are the names of a message and of everything that only its fields lead to.
func partsOf(t *testing.T, files *protoregistry.Files, name protoreflect.FullName) map[string]bool {
	d, err := files.FindDescriptorByName(name)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	var walk func(protoreflect.MessageDescriptor)
	walk = func(m protoreflect.MessageDescriptor) {
		if out[string(m.FullName())] {
			return
		}
		out[string(m.FullName())] = true
		for i := range m.Enums().Len() {
			out[string(m.Enums().Get(i).FullName())] = true
		}
		for i := range m.Messages().Len() {
			walk(m.Messages().Get(i))
		}
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			if f.Message() != nil {
				walk(f.Message())
			}
			if f.Enum() != nil {
				out[string(f.Enum().FullName())] = true
			}
		}
	}
	walk(d.(protoreflect.MessageDescriptor))
	return out
}

// TestAnswersThatAreNotTheProtocols: the check itself can fail.
func TestAnswersThatAreNotTheProtocols(t *testing.T) {
	plain := http.Header{"Content-Type": {"application/json"}}
	const infer, meta = "/v2/models/m/infer", "/v2/models/m"
	out := func(o string) string { return `{"model_name":"m","outputs":[` + o + `]}` }
	four, eight := out(`{"name":"y","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}`), out(`{"name":"y","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":8}}`)
	binary := http.Header{"Content-Type": {"application/octet-stream"}, "Inference-Header-Content-Length": {fmt.Sprint(len(four))}}
	for name, c := range map[string]struct {
		method, path string
		status       int
		header       http.Header
		body         string
		good         bool
	}{
		"an answer":                     {"POST", infer, 200, plain, out(`{"name":"y","datatype":"FP32","shape":[2],"data":[1,null]}`), true},
		"nested data":                   {"POST", infer, 200, plain, out(`{"name":"y","datatype":"FP32","shape":[1,1],"data":[[1]]}`), true},
		"a shape of text":               {"POST", infer, 200, plain, out(`{"name":"y","datatype":"FP32","shape":["2"],"data":[1,2]}`), false},
		"a shape of halves":             {"POST", infer, 200, plain, out(`{"name":"y","datatype":"FP32","shape":[0.5],"data":[1]}`), false},
		"null for an integer":           {"POST", infer, 200, plain, out(`{"name":"y","datatype":"INT32","shape":[1],"data":[null]}`), false},
		"an object for a number":        {"POST", infer, 200, plain, out(`{"name":"y","datatype":"INT32","shape":[1],"data":[{}]}`), false},
		"an output without data":        {"POST", infer, 200, plain, out(`{"name":"y","datatype":"FP32","shape":[1]}`), false},
		"data twice":                    {"POST", infer, 200, plain, out(`{"name":"y","datatype":"FP32","shape":[1],"data":[1],"parameters":{"binary_data_size":4}}`), false},
		"an output without a name":      {"POST", infer, 200, plain, out(`{"datatype":"FP32","shape":[1],"data":[1]}`), false},
		"no model's name":               {"POST", infer, 200, plain, `{"outputs":[]}`, false},
		"no outputs":                    {"POST", infer, 200, plain, `{"model_name":"m"}`, false},
		"a number for an id":            {"POST", infer, 200, plain, `{"id":7,"model_name":"m","outputs":[]}`, false},
		"binary data":                   {"POST", infer, 200, binary, four + "abcd", true},
		"binary data of another size":   {"POST", infer, 200, binary, eight + "abcd", false},
		"an answer as text":             {"POST", infer, 200, http.Header{"Content-Type": {"text/plain"}}, out(``), false},
		"an answer that is none":        {"POST", infer, 204, plain, ``, false},
		"a refusal":                     {"POST", infer, 400, plain, `{"error":"why","code":"x"}`, true},
		"a refusal without a reason":    {"POST", infer, 400, plain, `{"code":"x"}`, false},
		"a refusal that is a list":      {"POST", infer, 400, plain, `["why"]`, false},
		"a refusal as a page":           {"GET", meta, 404, http.Header{"Content-Type": {"text/html"}}, `<p>`, false},
		"metadata":                      {"GET", meta, 200, plain, `{"name":"m","platform":"p","versions":["1"],"inputs":[{"name":"x","datatype":"FP32","shape":[-1]}]}`, true},
		"metadata with a number":        {"GET", meta, 200, plain, `{"name":"m","platform":"p","versions":[1]}`, false},
		"metadata without a platform":   {"GET", meta, 200, plain, `{"name":"m"}`, false},
		"an input without its datatype": {"GET", meta, 200, plain, `{"name":"m","platform":"p","inputs":[{"name":"x","shape":[-1]}]}`, false},
		"a server without extensions":   {"GET", "/v2", 200, plain, `{"name":"m","version":"1"}`, false},
		"a configuration":               {"GET", meta + "/config", 200, plain, `{"name":"m","max_batch_size":4,"input":[{"data_type":"TYPE_FP32","dims":[2]}]}`, true},
		"a key Triton does not have":    {"GET", meta + "/config", 200, plain, `{"name":"m","max_batch_sise":4}`, false},
		"statistics of another form":    {"GET", meta + "/stats", 200, plain, `{"model_stats":[{"inference_stats":{"success":3}}]}`, false},
		"a route nobody knows":          {"GET", "/v2/nothing", 200, plain, `{}`, false},
	} {
		err := oiptest.CheckREST(c.method, c.path, c.status, c.header, []byte(c.body))
		if (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	odd := &pb.ModelInferResponse{ModelName: "m"}
	if err := oiptest.CheckMessage("/x/ModelInfer", odd); err != nil {
		t.Error(err)
	}
	for name, m := range map[string]proto.Message{"a field nobody knows": func() proto.Message {
		m := &pb.ModelInferResponse{Outputs: []*pb.ModelInferResponse_InferOutputTensor{{Name: "y"}}}
		m.Outputs[0].ProtoReflect().SetUnknown([]byte{0x78, 1})
		return m
	}(), "another message": &pb.ModelReadyResponse{}} {
		if err := oiptest.CheckMessage("/x/ModelInfer", m); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}
