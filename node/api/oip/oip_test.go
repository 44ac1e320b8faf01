package oip_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"edgeward"
	"edgeward/node/api/oip"
	"edgeward/node/api/oip/oiptest"
	"edgeward/node/auth"
	"edgeward/packaging/needtest"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// server is the protocol on a real HTTP server.
type server struct {
	*testing.T
	*httptest.Server
	*oiptest.Endpoints
}

func start(t *testing.T, change ...func(*oip.Config)) *server {
	t.Helper()
	s := &server{T: t, Endpoints: &oiptest.Endpoints{}}
	e := echo.New()
	config := s.Endpoints.Service()
	for _, f := range change {
		f(&config)
	}
	oip.New(config).Register(e, func(c echo.Context, v auth.Verb, _ auth.Resource) (auth.Principal, error) {
		return oiptest.Allow(strings.TrimPrefix(c.Request().Header.Get("Authorization"), "Bearer "), v)
	})
	s.Server = httptest.NewServer(oiptest.Checked(t, e))
	t.Cleanup(s.Close)
	return s
}

// ask sends a request as one who may do all, and returns status, header and body.
func (s *server) ask(method, path, body string, header ...string) (int, http.Header, []byte) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer x")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return resp.StatusCode, resp.Header, b
}

func (s *server) asks(status int, path, body string, header ...string) map[string]any {
	s.Helper()
	got, _, b := s.ask(http.MethodPost, path, body, header...)
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil || got != status {
		s.Fatalf("status %d, want %d: %s (%v)", got, status, b, err)
	}
	return out
}

const good = `{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2,3,4.5]}]}`

func TestAnAnswerInJSON(t *testing.T) {
	s := start(t)
	out := s.asks(200, "/v2/models/sums/infer", `{"id":"mine","parameters":{"edgeward_event_time":"2022-07-01T23:00:00+02:00","edgeward_target_time":"2022-07-02T00:00:00Z","edgeward_key":"north","sequence_id":0},
		"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2],[3,4.5]]}],"outputs":[{"name":"n"},{"name":"y"}]}`)
	want := `{"id":"mine","model_name":"sums","model_version":"1","outputs":[{"data":[2],"datatype":"INT64","name":"n","shape":[1]},{"data":[3,7.5],"datatype":"FP32","name":"y","shape":[2,1]}],` +
		`"parameters":{"edgeward_prediction_id":"` + oiptest.ID + `","edgeward_role":"live"}}`
	if b, _ := json.Marshal(out); string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
	r := s.Asked()[0]
	if r.ID != oiptest.ID || r.Endpoint != (serve.Key{Group: "ward", Name: "sums"}) || r.SeriesKey != "north" || !r.ReceivedAt.Equal(oiptest.Now) ||
		!r.EventTime.Equal(time.Date(2022, 7, 1, 21, 0, 0, 0, time.UTC)) || !r.Target.Equal(time.Date(2022, 7, 2, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("asked %+v", r)
	}
	if out := s.asks(200, "/v2/models/sums/versions/2/infer", good); out["model_version"] != "2" || out["id"] != oiptest.ID {
		t.Errorf("got %v", out)
	}
	if r := s.Asked()[1]; !r.EventTime.Equal(oiptest.Now) {
		t.Errorf("event time %v, want the time of the request", r.EventTime)
	}
}

func TestBinaryTensors(t *testing.T) {
	s := start(t)
	le := binary.LittleEndian
	var data []byte
	for _, f := range []float32{1, 2, 3, 4} {
		data = le.AppendUint32(data, math.Float32bits(f))
	}
	head := `{"parameters":{"binary_data_output":true},"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","parameters":{"binary_data_size":16}}],"outputs":[{"name":"y"},{"name":"n","parameters":{"binary_data":false}}]}`
	status, h, b := s.ask(http.MethodPost, "/v2/models/sums/infer", head+string(data), "Inference-Header-Content-Length", fmt.Sprint(len(head)))
	if status != 200 || h.Get("Edgeward-Prediction-Id") != oiptest.ID {
		t.Fatalf("status %d, header %v: %s", status, h, b)
	}
	var n int
	fmt.Sscan(h.Get("Inference-Header-Content-Length"), &n)
	var out struct {
		Outputs []struct {
			Name       string
			Parameters struct {
				Size int `json:"binary_data_size"`
			}
			Data []int64
		}
	}
	if err := json.Unmarshal(b[:n], &out); err != nil {
		t.Fatalf("%v: %s", err, b[:n])
	}
	if out.Outputs[0].Parameters.Size != 8 || len(b) != n+8 || out.Outputs[1].Data[0] != 2 ||
		math.Float32frombits(le.Uint32(b[n:])) != 3 || math.Float32frombits(le.Uint32(b[n+4:])) != 7 {
		t.Errorf("got %s and %x", b[:n], b[n:])
	}
}

// TestEveryDatatypeComesBack sends each datatype as JSON and reads it back, at the ends of its range.
func TestEveryDatatypeComesBack(t *testing.T) {
	s := start(t)
	for d, data := range map[tensor.Datatype]string{
		tensor.Bool: `[true,false]`, tensor.Uint8: `[0,255]`, tensor.Uint16: `[0,65535]`, tensor.Uint32: `[0,4294967295]`, tensor.Uint64: `[0,18446744073709551615]`,
		tensor.Int8: `[-128,127]`, tensor.Int16: `[-32768,32767]`, tensor.Int32: `[-2147483648,2147483647]`, tensor.Int64: `[-9223372036854775808,9223372036854775807]`,
		tensor.FP32: `[3.4028235e+38,null]`, tensor.FP64: `[-1.7976931348623157e+308,5e-324]`,
	} {
		_, _, b := s.ask(http.MethodPost, "/v2/models/echo-"+strings.ToLower(string(d))+"/infer", `{"inputs":[{"data":`+data+`,"name":"x","shape":[2],"datatype":"`+string(d)+`"}]}`)
		if !bytes.Contains(b, []byte(`"data":`+data)) {
			t.Errorf("%s: sent %s, got %s", d, data, b)
		}
	}
	b := "\x02\x00\x00\x00\xff\xfe\x00\x00\x00\x00"
	head := `{"inputs":[{"name":"x","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":10}}],"outputs":[{"name":"x","parameters":{"binary_data":true}}]}`
	_, h, got := s.ask(http.MethodPost, "/v2/models/texts/infer", head+b, "Inference-Header-Content-Length", fmt.Sprint(len(head)))
	var n int
	if fmt.Sscan(h.Get("Inference-Header-Content-Length"), &n); string(got[n:]) != b {
		t.Errorf("bytes: got %q", got[n:])
	}
	if out := s.asks(200, "/v2/models/texts/infer", `{"inputs":[{"name":"x","shape":[3],"datatype":"BYTES","data":["a\u00e9\n","","\ud83d\ude00"]}]}`); fmt.Sprint(out["outputs"].([]any)[0].(map[string]any)["data"]) != "[aé\n  😀]" {
		t.Errorf("texts: %v", out)
	}
}

// TestBareBodies sends nothing but the data of the one input.
func TestBareBodies(t *testing.T) {
	s := start(t)
	data := func(v ...float32) (b string) {
		for _, f := range v {
			b += string(binary.LittleEndian.AppendUint32(nil, math.Float32bits(f)))
		}
		return b
	}
	for _, c := range []struct{ path, body, shape, data string }{
		{"sums", data(1, 2), "[1 2]", data(3)},
		{"sums", data(1, 2, 3, 4), "[2 2]", data(3, 7)},
		{"echo-uint8", "abc", "[3]", "abc"},
		{"texts", "a\x00b", "[1]", "\x03\x00\x00\x00a\x00b"},
	} {
		status, h, b := s.ask(http.MethodPost, "/v2/models/"+c.path+"/infer", c.body, "Inference-Header-Content-Length", "0")
		n, _ := strconv.Atoi(h.Get("Inference-Header-Content-Length"))
		asked := s.Asked()
		if status != 200 || fmt.Sprint(asked[len(asked)-1].Inputs[0].Shape) != c.shape || !strings.HasPrefix(string(b[n:]), c.data) {
			t.Errorf("%s %q: status %d, asked %v: %q", c.path, c.body, status, asked[len(asked)-1].Inputs, b)
		}
	}
}

// TestPackedBodies: gzip and deflate, in both directions.
func TestPackedBodies(t *testing.T) {
	s := start(t)
	n := 2000
	body := `{"inputs":[{"name":"x","shape":[2000],"datatype":"UINT8","data":[` + strings.Repeat("7,", n-1) + `7]}]}`
	for _, how := range []string{"gzip", "deflate"} {
		var out bytes.Buffer
		var z io.WriteCloser = gzip.NewWriter(&out)
		if how == "deflate" {
			z = zlib.NewWriter(&out)
		}
		io.WriteString(z, body)
		z.Close()
		status, h, b := s.ask(http.MethodPost, "/v2/models/echo-uint8/infer", out.String(), "Content-Encoding", how, "Accept-Encoding", "br, "+how+";q=0.5")
		if status != 200 || h.Get("Content-Encoding") != how {
			t.Fatalf("%s: status %d, %v: %s", how, status, h, b)
		}
		var r io.Reader
		var err error
		if how == "gzip" {
			r, err = gzip.NewReader(bytes.NewReader(b))
		} else {
			r, err = zlib.NewReader(bytes.NewReader(b))
		}
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := io.ReadAll(r); err != nil || bytes.Count(plain, []byte("7,")) != n-1 {
			t.Errorf("%s: %v %d bytes", how, err, len(plain))
		}
	}
	for _, accept := range []string{"", "identity", "gzip;q=0", "deflate; q=0.0", "br"} {
		if _, h, _ := s.ask(http.MethodPost, "/v2/models/echo-uint8/infer", body, "Accept-Encoding", accept); h.Get("Content-Encoding") != "" {
			t.Errorf("asked for %q, packed with %q", accept, h.Get("Content-Encoding"))
		}
	}
	if _, h, _ := s.ask(http.MethodPost, "/v2/models/sums/infer", good, "Accept-Encoding", "gzip"); h.Get("Content-Encoding") != "" {
		t.Error("a small answer is packed")
	}
}

// TestBadInputSlowBody sends half a request and waits.
func TestBadInputSlowBody(t *testing.T) {
	s := start(t, func(c *oip.Config) { c.BodyTimeout = 50 * time.Millisecond })
	c, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /v2/models/sums/infer HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 100\r\n\r\n{")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusRequestTimeout || !bytes.Contains(b, []byte("request.slow")) {
		t.Errorf("status %d: %s", resp.StatusCode, b)
	}
}

// TestPriorityAndTimeout reach the scheduler.
func TestPriorityAndTimeout(t *testing.T) {
	s := start(t)
	s.Slow = func(ctx context.Context, r serve.Request) error {
		if r.Priority == 2 {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	with := func(parameters string) string { return strings.Replace(good, "{", `{"parameters":`+parameters+`,`, 1) }
	if out := s.asks(504, "/v2/models/sums/infer", with(`{"priority":2,"timeout":20000}`)); out["code"] != "request.timeout" {
		t.Errorf("%v", out)
	}
	s.asks(200, "/v2/models/sums/infer", with(`{"priority":18446744073709551615,"timeout":9223372036854775807}`))
	s.asks(400, "/v2/models/sums/infer", with(`{"priority":1.5}`))
}

// TestSharedMemory takes inputs from a file in /dev/shm and puts an output there.
func TestSharedMemory(t *testing.T) {
	s := start(t)
	f, err := os.CreateTemp("/dev/shm", "edgeward-test-")
	if err != nil {
		needtest.Missing(t, "/dev/shm")
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(append(make([]byte, 4), "\x00\x00\x80\x3f\x00\x00\x00\x40--------"...)); err != nil { // 1, 2
		t.Fatal(err)
	}
	const at = "/v2/systemsharedmemory"
	register := fmt.Sprintf(`{"key":"/%s","offset":4,"byte_size":16}`, filepath.Base(f.Name()))
	for _, c := range []struct {
		method, path, body, header string
		status                     int
		want                       string
	}{
		{"GET", at + "/status", "", "", 200, "[]"},
		{"POST", at + "/region/a/register", register, "10.0.0.1", 403, ""},
		{"POST", at + "/region/a/register", register, "", 200, "{}"},
		{"POST", at + "/region/a/register", register, "", 409, ""},
		{"POST", at + "/region/b/register", `{"key":"/../etc/passwd","byte_size":1}`, "", 400, ""},
		{"POST", at + "/region/b/register", `{"key":"/x","offset":-1,"byte_size":1}`, "", 400, ""},
		{"GET", at + "/region/a/status", "", "", 200, fmt.Sprintf(`[{"name":"a","key":"/%s","offset":4,"byte_size":16}]`, filepath.Base(f.Name()))},
		{"GET", at + "/region/nosuch/status", "", "", 404, ""},
		{"POST", "/v2/models/sums/infer", `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"shared_memory_region":"a","shared_memory_byte_size":8}}],` +
			`"outputs":[{"name":"n"},{"name":"y","parameters":{"shared_memory_region":"a","shared_memory_offset":8,"shared_memory_byte_size":8}}]}`, "", 200,
			`{"id":"` + oiptest.ID + `","model_name":"sums","model_version":"1","parameters":{"edgeward_prediction_id":"` + oiptest.ID + `","edgeward_role":"live"},"outputs":[{"name":"n","datatype":"INT64","shape":[1],"data":[1]},` +
				`{"name":"y","datatype":"FP32","shape":[1,1],"parameters":{"shared_memory_region":"a","shared_memory_offset":8,"shared_memory_byte_size":4,"binary_data_size":0}}]}`},
		{"POST", "/v2/models/sums/infer", strings.Replace(good, "}]}", `}],"outputs":[{"name":"y","parameters":{"shared_memory_region":"a","shared_memory_byte_size":4}}]}`, 1), "", 400, ""}, // two rows do not fit
		{"POST", at + "/unregister", "", "", 200, "{}"},
		{"GET", at + "/status", "", "", 200, "[]"},
		{"GET", "/v2/cudasharedmemory/status", "", "", 200, "[]"},
		{"POST", "/v2/cudasharedmemory/unregister", "", "", 200, "{}"},
		{"POST", "/v2/cudasharedmemory/region/g/register", "{}", "", 400, ""},
	} {
		status, _, b := s.ask(c.method, c.path, c.body, "X-Forwarded-For", c.header)
		if status != c.status || c.want != "" && strings.TrimSpace(string(b)) != c.want {
			t.Errorf("%s %s: status %d, want %d\ngot  %s\nwant %s", c.method, c.path, status, c.status, b, c.want)
		}
	}
	b := make([]byte, 4)
	if _, err := f.ReadAt(b, 12); err != nil || math.Float32frombits(binary.LittleEndian.Uint32(b)) != 3 {
		t.Errorf("y is %x, %v", b, err)
	}
}

// TestSequences: one version answers all of a sequence.
func TestSequences(t *testing.T) {
	now := oiptest.Now
	s := start(t, func(c *oip.Config) { c.Now = func() time.Time { return now } })
	ask := func(path, parameters string) (int, string) {
		status, _, b := s.ask(http.MethodPost, "/v2/models/sums"+path+"/infer", strings.Replace(good, "{", `{"parameters":{`+parameters+`},`, 1))
		var out struct {
			Code    string
			Version string `json:"model_version"`
		}
		_ = json.Unmarshal(b, &out)
		return status, out.Code + out.Version
	}
	for i, c := range []struct {
		path, parameters string
		wait             time.Duration
		status           int
		want             string
	}{
		{"", `"sequence_id":7`, 0, 400, "sequence.unknown"},
		{"/versions/2", `"sequence_id":7,"sequence_start":true`, 0, 200, "2"},
		{"", `"sequence_id":7`, 0, 200, "2"},
		{"", `"sequence_id":"seven","sequence_start":true`, 0, 200, "1"},
		{"", `"sequence_id":"7"`, 0, 200, "2"}, // one sequence, however its id is written
		{"/versions/1", `"sequence_id":7`, 0, 409, "sequence.version"},
		{"", `"sequence_id":7,"sequence_end":true`, 0, 200, "2"},
		{"", `"sequence_id":7`, 0, 400, "sequence.unknown"},
		{"", `"sequence_id":"seven"`, 9 * time.Minute, 200, "1"},
		{"", `"sequence_id":"seven"`, 11 * time.Minute, 400, "sequence.unknown"},
		{"", `"sequence_id":0`, 0, 200, "1"}, // none
	} {
		now = now.Add(c.wait)
		if status, got := ask(c.path, c.parameters); status != c.status || got != c.want {
			t.Errorf("%d: %s %s: %d %s, want %d %s", i, c.path, c.parameters, status, got, c.status, c.want)
		}
	}
	ask("/versions/2", `"sequence_id":8,"sequence_start":true`)
	s.Err = edgeward.E("serve", edgeward.NotFound, "endpoint.no_version", "version 2 is not there")
	if status, got := ask("", `"sequence_id":8`); status != 409 || got != "sequence.version_gone" {
		t.Errorf("%d %s", status, got)
	}
	s.Err = nil
	if status, got := ask("", `"sequence_id":8`); status != 400 || got != "sequence.unknown" {
		t.Errorf("%d %s", status, got)
	}
}

func TestLookup(t *testing.T) {
	s := start(t)
	out := s.asks(200, "/v2/models/sums/infer", `{"parameters":{"edgeward_lookup":true,"edgeward_key":"north","edgeward_event_time":"2022-07-01T00:00:00Z"},"inputs":[]}`)
	if r := s.Asked()[0]; !r.Target.Equal(time.Date(2022, 7, 2, 0, 0, 0, 0, time.UTC)) || len(r.Inputs) != 1 {
		t.Errorf("%v: asked %+v", out, r)
	}
	if out := s.asks(404, "/v2/models/sums/infer", `{"parameters":{"edgeward_lookup":true,"edgeward_key":"west"}}`); out["code"] != "lookup.no_series" {
		t.Errorf("got %v", out)
	}
}

// TestBadInputIsRefused: each way to be wrong has its own status and code.
func TestBadInputIsRefused(t *testing.T) {
	s := start(t)
	x := func(rest string) string { return `{"inputs":[{"name":"x",` + rest + `}]}` }
	fp := func(data string) string { return x(`"shape":[1,2],"datatype":"FP32","data":` + data) }
	bin := func(size int) string {
		return x(fmt.Sprintf(`"shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":%d}`, size))
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(make([]byte, 2<<20))
	z.Close()
	var deflated bytes.Buffer
	d := zlib.NewWriter(&deflated)
	d.Write(make([]byte, 2<<20))
	d.Close()
	type header = []string
	length := func(n int) header { return header{"Inference-Header-Content-Length", fmt.Sprint(n)} }
	for name, c := range map[string]struct {
		path, body string
		header     header
		status     int
		code       string
	}{
		"nothing wrong":                  {"sums", good, nil, 200, ""},
		"nobody asks":                    {"sums", good, header{"Authorization", ""}, 401, "auth.required"},
		"who may not ask":                {"sums", good, header{"Authorization", "Bearer reader"}, 403, "auth.forbidden"},
		"another group's endpoint":       {"sums", good, header{"Authorization", "Bearer stranger"}, 404, "endpoint.not_found"},
		"an unknown model":               {"nosuch", good, nil, 404, "endpoint.not_found"},
		"an unknown version":             {"sums/versions/9", good, nil, 404, "endpoint.no_version"},
		"a version that is no number":    {"sums/versions/latest", good, nil, 404, "endpoint.no_version"},
		"no body":                        {"sums", "", nil, 400, "request.json"},
		"no JSON":                        {"sums", "x=1", nil, 400, "request.json"},
		"JSON that ends early":           {"sums", good[:40], nil, 400, "request.json"},
		"JSON with something behind":     {"sums", good + "x", nil, 400, "request.json"},
		"JSON too deep":                  {"sums", `{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, nil, 400, "request.json"},
		"invalid UTF-8":                  {"sums", "{\"id\":\"\xff\"}", nil, 400, "request.json"},
		"a key twice":                    {"sums", `{"inputs":[],"inputs":[]}`, nil, 400, "request.duplicate_key"},
		"a key twice, once escaped":      {"sums", `{"id":"a","\u0069d":"b"}`, nil, 400, "request.duplicate_key"},
		"no inputs":                      {"sums", `{}`, nil, 400, "input.missing"},
		"an input twice":                 {"sums", `{"inputs":[` + strings.TrimSuffix(strings.TrimPrefix(fp("[1,2]"), `{"inputs":[`), `]}`) + "," + strings.TrimPrefix(fp("[1,2]"), `{"inputs":[`), nil, 400, "input.duplicate"},
		"an unknown input":               {"sums", strings.Replace(good, `"x"`, `"z"`, 1), nil, 400, "input.unknown"},
		"an input without a name":        {"sums", strings.Replace(good, `"name":"x",`, ``, 1), nil, 400, "tensor.name"},
		"an input without a shape":       {"sums", x(`"datatype":"FP32","data":[1,2]`), nil, 400, "input.incomplete"},
		"an input without data":          {"sums", x(`"shape":[1,2],"datatype":"FP32"`), nil, 400, "input.data"},
		"an input with data twice":       {"sums", x(`"shape":[1,2],"datatype":"FP32","data":[1,2],"parameters":{"binary_data_size":8}`), nil, 400, "input.data"},
		"a datatype nobody knows":        {"sums", strings.Replace(good, "FP32", "FP99", 1), nil, 400, "tensor.datatype"},
		"another datatype":               {"sums", x(`"shape":[1,2],"datatype":"INT64","data":[1,2]`), nil, 400, "input.datatype"},
		"another shape":                  {"sums", x(`"shape":[1,3],"datatype":"FP32","data":[1,2,3]`), nil, 400, "input.shape"},
		"a negative dimension":           {"sums", x(`"shape":[-1,2],"datatype":"FP32","data":[1,2]`), nil, 400, "tensor.shape"},
		"a shape that overflows":         {"sums", x(`"shape":[4294967296,4294967296],"datatype":"FP32","data":[1]`), nil, 400, "tensor.shape"},
		"a shape of halves":              {"sums", x(`"shape":[0.5],"datatype":"FP32","data":[1]`), nil, 400, "tensor.shape"},
		"a shape of too many dimensions": {"sums", x(`"shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"datatype":"FP32","data":[1]`), nil, 400, "tensor.shape"},
		"a huge shape, little data":      {"sums", x(`"shape":[1000000000,2],"datatype":"FP32","data":[1]`), nil, 400, "tensor.size"},
		"too few values":                 {"sums", fp("[1]"), nil, 400, "tensor.size"},
		"too many values":                {"sums", fp("[1,2,3]"), nil, 400, "tensor.size"},
		"ragged rows":                    {"sums", x(`"shape":[2,2],"datatype":"FP32","data":[[1],[2,3,4]]`), nil, 400, "tensor.shape"},
		"rows nested too deep":           {"sums", fp("[[[1],[2]]]"), nil, 400, "request.json"},
		"NaN":                            {"sums", fp("[NaN,1]"), nil, 400, "request.json"},
		"Infinity":                       {"sums", fp("[1,Infinity]"), nil, 400, "request.json"},
		"a number too large":             {"sums", fp("[1e39,1]"), nil, 400, "input.not_finite"},
		"a string for a number":          {"sums", fp(`["1",2]`), nil, 400, "request.json"},
		"a fraction for an integer":      {"echo-int64", x(`"shape":[1],"datatype":"INT64","data":[1.5]`), nil, 400, "tensor.value"},
		"an integer too large":           {"echo-int8", x(`"shape":[1],"datatype":"INT8","data":[128]`), nil, 400, "tensor.value"},
		"a negative for an unsigned":     {"echo-uint8", x(`"shape":[1],"datatype":"UINT8","data":[-1]`), nil, 400, "tensor.value"},
		"FP16 in JSON":                   {"echo-fp16", x(`"shape":[1],"datatype":"FP16","data":[1]`), nil, 400, "input.json_datatype"},
		"a header longer than the body":  {"sums", good, length(len(good) + 1), 400, "request.header_length"},
		"a header that is no number":     {"sums", good, header{"Inference-Header-Content-Length", "x"}, 400, "request.header_length"},
		"too little binary data":         {"sums", bin(8) + "1234567", length(len(bin(8))), 400, "request.binary_short"},
		"too much binary data":           {"sums", bin(8) + "123456789", length(len(bin(8))), 400, "request.binary_left"},
		"binary data of another size":    {"sums", bin(7) + "1234567", length(len(bin(7))), 400, "tensor.size"},
		"a negative binary size":         {"sums", bin(-1), nil, 400, "input.binary_data_size"},
		"a BYTES prefix over its buffer": {"texts", x(`"shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":5}`) + "\xff\xff\xff\x7fa", length(len(x(`"shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":5}`))), 400, "tensor.size"},
		"an unknown output":              {"sums", strings.TrimSuffix(good, "}") + `,"outputs":[{"name":"q"}]}`, nil, 400, "output.unknown"},
		"an output twice":                {"sums", strings.TrimSuffix(good, "}") + `,"outputs":[{"name":"y"},{"name":"y"}]}`, nil, 400, "output.duplicate"},
		"classification of texts":        {"texts", `{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","data":["a"]}],"outputs":[{"name":"x","parameters":{"classification":1}}]}`, nil, 400, "output.classification"},
		"classification by a fraction":   {"sums", strings.TrimSuffix(good, "}") + `,"outputs":[{"name":"y","parameters":{"classification":3.5}}]}`, nil, 400, "parameter.type"},
		"shared memory":                  {"sums", x(`"shape":[1,2],"datatype":"FP32","parameters":{"shared_memory_region":"a","shared_memory_byte_size":8}`), nil, 404, "shared_memory.not_found"},
		"shared memory and data":         {"sums", x(`"shape":[1,2],"datatype":"FP32","data":[1,2],"parameters":{"shared_memory_region":"a","shared_memory_byte_size":8}`), nil, 400, "input.data"},
		"shared memory over the bound":   {"sums", x(`"shape":[1,2],"datatype":"FP32","parameters":{"shared_memory_region":"a","shared_memory_byte_size":9223372036854775807}`), nil, 413, "request.too_large"},
		"shared memory from elsewhere":   {"sums", x(`"shape":[1,2],"datatype":"FP32","parameters":{"shared_memory_region":"a","shared_memory_byte_size":8}`), header{"X-Forwarded-For", "10.0.0.1"}, 403, "shared_memory.remote"},
		"an output in no region":         {"sums", strings.TrimSuffix(good, "}") + `,"outputs":[{"name":"y","parameters":{"shared_memory_region":"a","shared_memory_byte_size":8}}]}`, nil, 404, "shared_memory.not_found"},
		"a region without a name":        {"sums", x(`"shape":[1,2],"datatype":"FP32","parameters":{"shared_memory_region":""}`), nil, 400, "shared_memory.name"},
		"a sequence that is not begun":   {"sums", strings.TrimSuffix(good, "}") + `,"parameters":{"sequence_id":7}}`, nil, 400, "sequence.unknown"},
		"an end of no sequence":          {"sums", strings.TrimSuffix(good, "}") + `,"parameters":{"sequence_end":true}}`, nil, 400, "sequence.id"},
		"a parameter misspelt":           {"sums", `{"parameters":{"edgeward_eventtime":"2022-07-01T00:00:00Z"}}`, nil, 400, "parameter.unknown"},
		"a time that is none":            {"sums", `{"parameters":{"edgeward_event_time":"yesterday"}}`, nil, 400, "parameter.time"},
		"a time nobody means":            {"sums", `{"parameters":{"edgeward_event_time":"0022-07-01T00:00:00Z"}}`, nil, 400, "time.out_of_range"},
		"a key too long":                 {"sums", `{"parameters":{"edgeward_key":"` + strings.Repeat("k", 2000) + `"}}`, nil, 400, "parameter.key"},
		"an id too long":                 {"sums", `{"id":"` + strings.Repeat("k", 2000) + `"}`, nil, 400, "request.id"},
		"a lookup with inputs":           {"sums", strings.TrimSuffix(good, "}") + `,"parameters":{"edgeward_lookup":true}}`, nil, 400, "parameter.lookup"},
		"a body over the bound":          {"sums", strings.Repeat(" ", 1<<20) + good, nil, 413, "request.too_large"},
		"a gzip bomb":                    {"sums", zipped.String(), header{"Content-Encoding", "gzip"}, 413, "request.too_large"},
		"a deflate bomb":                 {"sums", deflated.String(), header{"Content-Encoding", "deflate"}, 413, "request.too_large"},
		"gzip that ends early":           {"sums", zipped.String()[:100], header{"Content-Encoding", "gzip"}, 400, "request.body"},
		"gzip that is none":              {"sums", good, header{"Content-Encoding", "gzip"}, 400, "request.body"},
		"a packing nobody knows":         {"sums", good, header{"Content-Encoding", "br"}, 415, "request.encoding"},
		"packed twice":                   {"sums", good, header{"Content-Encoding", "gzip, gzip"}, 415, "request.encoding"},
		"a negative priority":            {"sums", `{"parameters":{"priority":-1}}`, nil, 400, "parameter.type"},
		"a timeout that is a text":       {"sums", `{"parameters":{"timeout":"1"}}`, nil, 400, "parameter.type"},
		"a bare body of another size":    {"sums", "1234567", length(0), 400, "tensor.size"},
	} {
		t.Run(name, func(t *testing.T) {
			s.T = t
			h := c.header
			if h == nil {
				h = header{}
			}
			out := s.asks(c.status, "/v2/models/"+c.path+"/infer", c.body, h...)
			if c.status != 200 && (out["code"] != c.code || out["error"] == "") {
				t.Errorf("got %v, want code %q", out, c.code)
			}
		})
	}
}

// TestABodyIsReadOnlyForAnEndpointThatIsThere: a body over the bound shows what was looked at first.
func TestABodyIsReadOnlyForAnEndpointThatIsThere(t *testing.T) {
	s := start(t)
	for _, c := range []struct {
		name, path, bearer string
		status             int
	}{
		{"an endpoint that is there", "sums", "x", 413},
		{"an unknown endpoint", "nosuch", "x", 404},
		{"an unknown version", "sums/versions/9", "x", 404},
		{"another group's endpoint", "sums", "stranger", 404},
		{"who may not ask", "sums", "reader", 403},
	} {
		chunked, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v2/models/"+c.path+"/infer", io.MultiReader(strings.NewReader(strings.Repeat(" ", 2<<20))))
		if err != nil {
			t.Fatal(err)
		}
		chunked.Header.Set("Authorization", "Bearer "+c.bearer)
		resp, err := s.Client().Do(chunked)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s: a chunked body over the bound got status %d, want %d", c.name, resp.StatusCode, c.status)
		}
	}
}

func TestWhatTheServerCannotDo(t *testing.T) {
	s := start(t)
	for name, c := range map[string]struct {
		err         error
		status      int
		code, after string
	}{
		"too many at once":    {edgeward.E("serve", edgeward.Exhausted, "endpoint.busy", "busy").With("retry_after", "3"), 429, "endpoint.busy", "3"},
		"no version is ready": {edgeward.E("serve", edgeward.Unavailable, "endpoint.not_ready", "loading"), 503, "endpoint.not_ready", "1"},
		"the model is slow":   {fmt.Errorf("run: %w", context.DeadlineExceeded), 504, "request.timeout", ""},
		"a defect of ours":    {fmt.Errorf("secret path /var/lib"), 500, "internal", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s.Err = c.err
			status, h, b := s.ask(http.MethodPost, "/v2/models/sums/infer", good)
			if status != c.status || h.Get("Retry-After") != c.after || !bytes.Contains(b, []byte(`"code":"`+c.code+`"`)) || bytes.Contains(b, []byte("secret")) {
				t.Errorf("status %d, Retry-After %q: %s", status, h.Get("Retry-After"), b)
			}
		})
	}
}

func TestMetadataAndHealth(t *testing.T) {
	s := start(t)
	for path, want := range map[string]string{
		"/v2":                              `{"extensions":["binary_tensor_data","classification","logging","model_configuration","model_repository","parameters","schedule_policy","sequence","sequence(string_id)","statistics","trace","system_shared_memory"],"name":"edgeward","version":"1.2.3"}`,
		"/v2/health/live":                  `{"live":true}`,
		"/v2/health/ready":                 `{"ready":true}`,
		"/v2/models/sums":                  `{"inputs":[{"name":"x","datatype":"FP32","shape":[-1,2]}],"name":"sums","outputs":[{"name":"y","datatype":"FP32","shape":[-1,1]},{"name":"n","datatype":"INT64","shape":[1]}],"platform":"onnx","versions":["1","2"]}`,
		"/v2/models/sums/versions/2":       `{"inputs":[{"name":"x","datatype":"FP32","shape":[-1,2]}],"name":"sums","outputs":[{"name":"y","datatype":"FP32","shape":[-1,1]},{"name":"n","datatype":"INT64","shape":[1]}],"platform":"onnx","versions":["1","2"]}`,
		"/v2/models/sums/ready":            `{"name":"sums","ready":true}`,
		"/v2/models/sums/versions/1/ready": `{"name":"sums","ready":true}`,
	} {
		if status, _, b := s.ask(http.MethodGet, path, ""); status != 200 || strings.TrimSpace(string(b)) != want {
			t.Errorf("%s: status %d\ngot  %s\nwant %s", path, status, b, want)
		}
	}
	if status, _, _ := s.ask(http.MethodGet, "/v2/models/nosuch/ready", ""); status != 404 {
		t.Errorf("an unknown model is ready with status %d", status)
	}
	if status, _, _ := s.ask(http.MethodGet, "/v2/health/live", "", "Authorization", ""); status != 200 {
		t.Errorf("health asks who one is: status %d", status)
	}
}

// TestManagement asks what clients plan and watch by, and makes models answer.
func TestManagement(t *testing.T) {
	s := start(t)
	stats := `{"name":"sums","version":"1","last_inference":1709294400000,"inference_count":6,"execution_count":2,"inference_stats":{"success":{"count":3,"ns":30000},"fail":{"count":2,"ns":0},` +
		`"queue":{"count":3,"ns":5000},"compute_input":{"count":2,"ns":0},"compute_infer":{"count":2,"ns":20000},"compute_output":{"count":2,"ns":0},"cache_hit":{"count":0,"ns":0},"cache_miss":{"count":0,"ns":0}},` +
		`"response_stats":{},"batch_stats":[{"batch_size":2,"compute_input":{"count":1,"ns":0},"compute_infer":{"count":1,"ns":8000},"compute_output":{"count":1,"ns":0}},` +
		`{"batch_size":4,"compute_input":{"count":1,"ns":0},"compute_infer":{"count":1,"ns":12000},"compute_output":{"count":1,"ns":0}}],"memory_usage":[]}`
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/v2/models/echo-fp32/config", "", 200, `{"name":"echo-fp32","platform":"onnxruntime_onnx","backend":"onnxruntime","version_policy":{"specific":{"versions":[1,2]}},"max_batch_size":1024,` +
			`"input":[{"name":"x","data_type":"TYPE_FP32","format":"FORMAT_NONE","dims":[],"is_shape_tensor":false,"allow_ragged_batch":false,"optional":false}],` +
			`"output":[{"name":"x","data_type":"TYPE_FP32","dims":[],"label_filename":"","is_shape_tensor":false}],"dynamic_batching":{},"instance_group":[],` +
			`"parameters":{"edgeward_device":{"string_value":"cpu"},"edgeward_digest":{"string_value":""},"edgeward_engine":{"string_value":"onnxruntime 1.31.1"},"edgeward_version":{"string_value":"1"}},` +
			`"model_transaction_policy":{"decoupled":false},"response_cache":{"enable":false}}`},
		{"GET", "/v2/models/nosuch/config", "", 404, ""},
		{"GET", "/v2/models/sums/stats", "", 200, `{"model_stats":[` + stats + `]}`},
		{"GET", "/v2/models/sums/versions/1/stats", "", 200, `{"model_stats":[` + stats + `]}`},
		{"GET", "/v2/models/stats", "", 200, `{"model_stats":[` + stats + `]}`},
		{"GET", "/v2/models/nosuch/stats", "", 404, ""},
		{"POST", "/v2/repository/index", "", 200, `[{"name":"sums","version":"1","state":"READY","reason":""},{"name":"sums","version":"2","state":"UNAVAILABLE","reason":"it is broken"}]`},
		{"POST", "/v2/repository/index", `{"ready":true}`, 200, `[{"name":"sums","version":"1","state":"READY","reason":""}]`},
		{"POST", "/v2/repository/index", `{"ready":1}`, 400, ""},
		{"POST", "/v2/repository/models/new/load", `{"parameters":{"config":"{}","file:1/model.onnx":"YWJj","edgeward_reason":"because"}}`, 200, `{}`},
		{"POST", "/v2/repository/models/new/load", "", 200, `{}`},
		{"POST", "/v2/repository/models/new/load", `{"parameters":{"file:1/model.onnx":"not base64"}}`, 400, ""},
		{"POST", "/v2/repository/models/new/load", `{"parameters":{"edgeward_raeson":"because"}}`, 400, ""},
		{"POST", "/v2/repository/models/nosuch/load", "", 404, ""},
		{"POST", "/v2/repository/models/new/unload", `{"parameters":{"unload_dependents":false}}`, 200, `{}`},
		{"GET", "/v2/trace/setting", "", 200, `{"log_frequency":"0","trace_count":"-1","trace_file":"","trace_level":["OFF"],"trace_mode":"triton","trace_rate":"1000"}`},
		{"GET", "/v2/models/sums/trace/setting", "", 200, `{"log_frequency":"0","trace_count":"-1","trace_file":"","trace_level":["OFF"],"trace_mode":"triton","trace_rate":"1000"}`},
		{"POST", "/v2/trace/setting", `{"trace_level":["TIMESTAMPS"]}`, 403, ""},
		{"GET", "/v2/logging", "", 200, `{"log_error":true,"log_file":"","log_format":"default","log_info":true,"log_verbose_level":0,"log_warning":true}`},
		{"POST", "/v2/logging", `{"log_verbose_level":1}`, 403, ""},
	} {
		if status, _, b := s.ask(c.method, c.path, c.body); status != c.status || c.want != "" && strings.TrimSpace(string(b)) != c.want {
			t.Errorf("%s %s %s: status %d\ngot  %s\nwant %s", c.method, c.path, c.body, status, b, c.want)
		}
	}
	if status, _, b := s.ask("POST", "/v2/logging", `{"log_verbose_level":1}`, "Authorization", "Bearer admin"); status != 409 || !bytes.Contains(b, []byte("setting.fixed")) {
		t.Errorf("an administrator: %d %s", status, b)
	}
	if status, _, b := s.ask("POST", "/v2/logging", `{"log_verbose_level":0,"log_info":true}`, "Authorization", "Bearer admin"); status != 200 {
		t.Errorf("an administrator, the same: %d %s", status, b)
	}
	if status, _, b := s.ask("POST", "/v2/repository/index", `{"ready":true}`, "Inference-Header-Content-Length", "187"); status != 200 { // left over from an inference
		t.Errorf("with the header of an inference: %d %s", status, b)
	}
	if _, _, b := s.ask("POST", "/v2/repository/models/sums/unload", "", "Edgeward-Reason", "it drifts"); string(b) != "{}\n" {
		t.Errorf("%s", b)
	}
	want := []string{`load ward/new "because" "{}" map["1/model.onnx":"abc"]`, `load ward/new "loaded through the model repository API" "" map[]`,
		`unload ward/new "unloaded through the model repository API" "" map[]`, `unload ward/sums "it drifts" "" map[]`}
	if !slices.Equal(s.Loads, want) {
		t.Errorf("got  %q\nwant %q", s.Loads, want)
	}
}

func TestEveryRouteButHealthNeedsARight(t *testing.T) {
	for _, r := range oip.New(oip.Config{}).Register(echo.New(), nil) {
		public := r.Path == "/v2" || strings.HasPrefix(r.Path, "/v2/health/")
		if public != (r.Verb == "") || !public && !slices.Contains(auth.Verbs, r.Verb) {
			t.Errorf("%s %s needs %q on %q", r.Method, r.Path, r.Verb, r.Resource)
		}
	}
}

func TestAStickyKeyAndAVariant(t *testing.T) {
	s := start(t)
	sticky, variant := []string{"Edgeward-Sticky-Key", "bed-7"}, []string{"Edgeward-Variant", "sharper"}
	for name, c := range map[string]struct {
		parameters string
		header     []string
		sticky     string
		variant    string
	}{
		"by parameter":             {`{"edgeward_sticky_key":"bed-7","edgeward_variant":"sharper"}`, nil, "bed-7", "sharper"},
		"by header":                {`{}`, append(sticky, variant...), "bed-7", "sharper"},
		"the parameter goes first": {`{"edgeward_variant":"blunt"}`, variant, "", "blunt"},
		"neither":                  {`{}`, nil, "", ""},
	} {
		before := len(s.Asked())
		status, head, body := s.ask(http.MethodPost, "/v2/models/sums/infer", `{"parameters":`+c.parameters+`,`+good[1:], c.header...)
		if status != 200 {
			t.Fatalf("%s: %d %s", name, status, body)
		}
		r := s.Asked()[before]
		if r.StickyKey != c.sticky || r.Variant != c.variant || r.Principal == "" {
			t.Errorf("%s: asked %+v", name, r)
		}
		want := ""
		if c.variant == "sharper" {
			want = c.variant
		}
		if head.Get("Edgeward-Variant") != want || strings.Contains(string(body), `"edgeward_role":"variant","edgeward_variant":"sharper"`) != (want != "") {
			t.Errorf("%s: answered %q %s", name, head.Get("Edgeward-Variant"), body)
		}
	}
	if out := s.asks(400, "/v2/models/sums/infer", good, "Edgeward-Sticky-Key", strings.Repeat("k", 2000)); out["code"] != "parameter.key" {
		t.Errorf("%v", out)
	}
}

func TestABodyIsAPicture(t *testing.T) {
	s := start(t)
	const file = "\x89PNG\r\n\x1a\nnot looked at here"
	bare := []string{"Inference-Header-Content-Length", "0"}
	for _, c := range []struct {
		body   string
		header []string
		want   string
	}{
		{file, []string{"Content-Type", "image/png"}, "BYTES [1]"},
		{"serving looks what it is", []string{"Content-Type", "image/jpeg; q=1"}, "BYTES [1]"},
		{file, bare, "BYTES [1]"},
		{"\xff\xd8\xff\xff", bare, "UINT8 [1 1 2 2]"}, // exactly one row of the tensor
		{"abcd", bare, "UINT8 [1 1 2 2]"},
	} {
		status, _, b := s.ask(http.MethodPost, "/v2/models/photos/infer", c.body, c.header...)
		asked := s.Asked()
		if status != 200 {
			t.Fatalf("%q: %d %s", c.body, status, b)
		}
		if in := asked[len(asked)-1].Inputs[0]; string(in.Datatype)+" "+tensor.ShapeString(in.Shape) != c.want {
			t.Errorf("%q: asked with %s %v; want %s", c.body, in.Datatype, in.Shape, c.want)
		}
	}
	if out := s.asks(400, "/v2/models/sums/infer", file, "Content-Type", "image/png"); out["code"] != "request.picture" {
		t.Errorf("a model that takes none: %v", out)
	}
	_, _, b := s.ask(http.MethodGet, "/v2/models/photos", "")
	if want := `"inputs":[{"name":"x","datatype":"UINT8","shape":[-1,1,2,2],"parameters":{"edgeward_image":"BYTES [-1]"}}]`; !strings.Contains(string(b), want) {
		t.Errorf("metadata %s; want %s", b, want)
	}
}
