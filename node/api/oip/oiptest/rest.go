package oiptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "edgeward/node/api/oip/oippb"
)

// route says what an answer of 200 looks like: by a schema of the OpenAPI file or, where it has none because the route is
// one of Triton's extensions, by the gRPC message that says the same. many is a list of such messages.
type route struct {
	is      *regexp.Regexp // of method, blank, path
	schema  string
	message proto.Message
	many    bool
	other   func(body []byte) error
}

const model = `/v2/models/[^/]+(/versions/[^/]+)?`

var routes = []route{
	{is: at(`GET /v2/?`), schema: "metadata_server_response"},
	{is: at(`GET /v2/health/(live|ready)`), other: object("live", "ready")},
	{is: at(`GET /v2/models/stats`), message: new(pb.ModelStatisticsResponse)},
	{is: at(`GET ` + model), schema: "metadata_model_response"},
	{is: at(`GET ` + model + `/ready`), other: object("name", "ready")},
	{is: at(`POST ` + model + `/infer`), schema: "inference_response"},
	{is: at(`GET ` + model + `/config`), message: new(pb.ModelConfig)},
	{is: at(`GET ` + model + `/stats`), message: new(pb.ModelStatisticsResponse)},
	{is: at(`POST /v2/repository/index`), many: true, message: new(pb.RepositoryIndexResponse_ModelIndex)},
	{is: at(`POST /v2/repository/models/[^/]+/(load|unload)`), other: object()},
	{is: at(`GET /v2/systemsharedmemory(/region/[^/]+)?/status`), many: true, message: new(pb.SystemSharedMemoryStatusResponse_RegionStatus)},
	{is: at(`POST /v2/systemsharedmemory(/region/[^/]+)?/(register|unregister)`), other: object()},
	{is: at(`GET /v2/cudasharedmemory(/region/[^/]+)?/status`), many: true, message: new(pb.CudaSharedMemoryStatusResponse_RegionStatus)},
	{is: at(`POST /v2/cudasharedmemory(/region/[^/]+)?/unregister`), other: object()},
	{is: at(`(GET|POST) /v2(/models/[^/]+)?/trace/setting`), other: object("trace_level", "trace_rate", "trace_count", "log_frequency", "trace_file", "trace_mode")},
	{is: at(`(GET|POST) /v2/logging`), other: object("log_file", "log_info", "log_warning", "log_error", "log_verbose_level", "log_format")},
}

func at(pattern string) *regexp.Regexp { return regexp.MustCompile("^" + pattern + "$") }

// object is a JSON object that has none but these keys.
func object(keys ...string) func([]byte) error {
	return func(body []byte) error {
		var got map[string]any
		if err := json.Unmarshal(body, &got); err != nil {
			return err
		}
		for k := range got {
			if !slices.Contains(keys, k) {
				return fmt.Errorf("the key %q, which the protocol does not have there", k)
			}
		}
		return nil
	}
}

// CheckREST holds an answer of the server under /v2 against the protocol's OpenAPI file. Two things are ours and written in
// package oip: an output whose data are elsewhere (behind the JSON, in shared memory) has no data, and null is a number
// that JSON cannot write.
func CheckREST(method, path string, status int, header http.Header, body []byte) error {
	kind, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	notReady := status == http.StatusServiceUnavailable && strings.HasSuffix(path, "/ready") && !bytes.Contains(body, []byte(`"error"`))
	switch {
	case status >= 400 && kind != "application/json":
		return fmt.Errorf("a refusal as %q", kind)
	case notReady:
		return object("name", "ready")(body)
	case status >= 400:
		return errors.Join(valid("inference_error_response", body), valid("metadata_model_error_response", body), valid("metadata_server_error_response", body))
	case status != http.StatusOK:
		return fmt.Errorf("status %d, which the protocol does not know", status)
	}
	for _, r := range routes {
		if !r.is.MatchString(method + " " + path) {
			continue
		}
		if n := header.Get("Inference-Header-Content-Length"); n != "" {
			head, err := strconv.Atoi(n)
			if err != nil || head > len(body) || kind != "application/octet-stream" {
				return fmt.Errorf("%q bytes of JSON in %d, sent as %q", n, len(body), kind)
			}
			left, err := binaryBytes(body[:head])
			if err != nil || left != len(body)-head {
				return fmt.Errorf("%d bytes follow the JSON, which tells of %d (%v)", len(body)-head, left, err)
			}
			body = body[:head]
		} else if kind != "application/json" {
			return fmt.Errorf("an answer as %q", kind)
		}
		switch {
		case r.schema != "":
			return valid(r.schema, body)
		case r.other != nil:
			return r.other(body)
		case r.many:
			var all []json.RawMessage
			err := json.Unmarshal(body, &all)
			for _, one := range all {
				err = errors.Join(err, protojson.Unmarshal(one, r.message.ProtoReflect().New().Interface()))
			}
			return err
		}
		return protojson.Unmarshal(body, r.message.ProtoReflect().New().Interface())
	}
	return errors.New("an answer where the protocol has no route")
}

// binaryBytes is how many bytes the outputs in an answer's JSON say that follow it.
func binaryBytes(head []byte) (n int, err error) {
	var a struct {
		Outputs []struct {
			Parameters struct {
				Size int `json:"binary_data_size"`
			} `json:"parameters"`
		} `json:"outputs"`
	}
	err = json.Unmarshal(head, &a)
	for _, o := range a.Outputs {
		n += o.Parameters.Size
	}
	return n, err
}

func valid(name string, body []byte) error {
	schema, err := Schema(name)
	if err != nil {
		return err
	}
	got, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	if answer, ok := got.(map[string]any); ok && name == "inference_response" {
		if err := extended(answer); err != nil {
			return err
		}
	}
	return schema.Validate(got)
}

// extended puts in what our two extensions leave out of an answer.
func extended(answer map[string]any) error {
	outputs, _ := answer["outputs"].([]any)
	for _, o := range outputs {
		out, _ := o.(map[string]any)
		parameters, _ := out["parameters"].(map[string]any)
		_, binary := parameters["binary_data_size"]
		_, shared := parameters["shared_memory_region"]
		data, given := out["data"].([]any)
		if (binary || shared) == given {
			return fmt.Errorf("output %v has data there and elsewhere, or nowhere", out["name"])
		}
		if !given {
			out["data"] = []any{}
		}
		for i, v := range data {
			if datatype, _ := out["datatype"].(string); v == nil && (strings.HasPrefix(datatype, "FP") || datatype == "BF16") {
				data[i] = json.Number("0")
			}
		}
	}
	return nil
}
