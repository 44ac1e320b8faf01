package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/oklog/ulid/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"edgeward"
	"edgeward/node/api/oip"
	"edgeward/node/api/oip/oipgrpc"
	"edgeward/node/api/oip/oiptest"
	"edgeward/node/auth"
	"edgeward/packaging/needtest"
	"edgeward/runtime/engine"
	"edgeward/runtime/infer"
	"edgeward/runtime/models"
	"edgeward/runtime/native"
	"edgeward/runtime/onnxgraph/onnxpb"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
	"edgeward/runtime/worker"
)

// shared is where the worker unpacks the native libraries, once for the run.
var shared string

func TestMain(m *testing.M) {
	worker.Dispatch(worker.Kinds{infer.Kind: infer.NewService})
	dir, err := os.MkdirTemp("", "edgeward-conformance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shared = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// TestONNXConformance sends every node case of the ONNX project's own backend tests through an endpoint: a worker process
// holds the model, clients ask by the Open Inference Protocol in each of its forms (see ways). Bare ONNX Runtime, in Python,
// is the oracle: we pass exactly where it passes. The list of differences is empty, and there is no list of exceptions.
//
// CONFORMANCE_EVERY=n takes each n-th case, 1 all of them, as make conformance does. Without it all are taken in CI
// (EDGEWARD_REQUIRE_ALL=1), else each tenth.
func TestONNXConformance(t *testing.T) {
	if len(native.Sets()) == 0 {
		needtest.Missing(t, "native-pack")
	}
	every := 10
	if os.Getenv("EDGEWARD_REQUIRE_ALL") == "1" {
		every = 1
	}
	if v := os.Getenv("CONFORMANCE_EVERY"); v != "" {
		var err error
		if every, err = strconv.Atoi(v); err != nil || every < 1 {
			t.Fatalf("CONFORMANCE_EVERY is %q", v)
		}
	}
	cases := oracle(t, needtest.Python(t, "onnx", "onnxruntime", "ml_dtypes"), every)
	s := newServer(t, cases)
	var mu sync.Mutex
	var differ []string
	passed, asked, same, answers := map[string]int{}, map[string]int{}, 0, 0
	queue := make(chan *testCase)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for c := range queue {
				for by, verdict := range s.try(c) {
					mu.Lock()
					asked[by]++
					if verdict.got == nil {
						passed[by]++
					}
					if (verdict.got == nil) != (c.verdict == nil) {
						differ = append(differ, fmt.Sprintf("%s by %s: %v; bare ONNX Runtime: %v", c.Case, by, said(verdict.got), said(c.verdict)))
					}
					if c.Error == "" && verdict.outputs != nil {
						if answers++; sameBytes(verdict.outputs, c.got) {
							same++
						}
					}
					mu.Unlock()
				}
			}
		})
	}
	pass := 0
	for _, c := range cases {
		if queue <- c; c.verdict == nil {
			pass++
		}
	}
	close(queue)
	all.Wait()
	t.Logf("%d cases; bare ONNX Runtime passes %d; of those asked %v pass %v; %d of %d answers equal its answers bit for bit", len(cases), pass, asked, passed, same, answers)
	slices.Sort(differ)
	for _, d := range differ {
		t.Error(d)
	}
	if pass == 0 {
		t.Error("nothing passed: there is no oracle")
	}
	for _, way := range []string{"REST", "gRPC"} { // these two can carry every case
		if asked[way] != len(cases) || passed[way] != pass {
			t.Errorf("%s: %d of %d cases asked, %d pass, want %d", way, asked[way], len(cases), passed[way], pass)
		}
	}
	for _, way := range []string{"REST JSON", "gRPC contents"} {
		if asked[way] < len(cases)/2 {
			t.Errorf("only %d of %d cases were asked by %s", asked[way], len(cases), way)
		}
	}
	if every == 1 && len(cases) < 1800 {
		t.Errorf("only %d cases: this is not the whole of ONNX's tests", len(cases))
	}
}

func said(err error) string {
	if err == nil {
		return "passes"
	}
	return err.Error()
}

// testCase is a record of testdata/conformance.py.
type testCase struct {
	Case   string  `json:"case"`
	RTol   float64 `json:"rtol"`
	ATol   float64 `json:"atol"`
	Random bool    `json:"random"`
	Error  string  `json:"error"` // of bare ONNX Runtime
	Model  int     `json:"model"`
	Inputs []piece `json:"inputs"`
	Want   []piece `json:"want"`
	Got    []piece `json:"got"`

	model             []byte
	inputs, want, got []tensor.Tensor
	verdict           error // of bare ONNX Runtime
}

type piece struct {
	Name     string          `json:"name"`
	Datatype tensor.Datatype `json:"datatype"`
	Shape    []int64         `json:"shape"`
	Size     int             `json:"size"`
}

// oracle runs bare ONNX Runtime over the cases.
func oracle(t *testing.T, python string, every int) []*testCase {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cases")
	if out, err := exec.CommandContext(t.Context(), python, "testdata/conformance.py", path, strconv.Itoa(every)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := bufio.NewReader(f)
	take := func(n int) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	var out []*testCase
	for {
		if _, err := r.Peek(1); err == io.EOF {
			return out
		}
		c := &testCase{}
		if err := json.Unmarshal(take(int(binary.LittleEndian.Uint32(take(4)))), c); err != nil {
			t.Fatal(err)
		}
		c.model = take(c.Model)
		for _, group := range []struct {
			from []piece
			to   *[]tensor.Tensor
		}{{c.Inputs, &c.inputs}, {c.Want, &c.want}, {c.Got, &c.got}} {
			for _, p := range group.from {
				x := tensor.Tensor{Name: p.Name, Datatype: p.Datatype, Shape: p.Shape, Data: take(p.Size)}
				if err := x.Check(); err != nil {
					t.Fatalf("%s: %v", c.Case, err)
				}
				*group.to = append(*group.to, x)
			}
		}
		if c.verdict = c.compare(c.got); c.Error != "" {
			c.verdict = fmt.Errorf("%s", c.Error)
		}
		out = append(out, c)
	}
}

// server is the serving half of a node: endpoints, worker, protocols.
type server struct {
	*testing.T
	*serve.Server
	url    string
	conn   *grpc.ClientConn
	client *infer.Client
	cases  map[string]*testCase

	mu    sync.Mutex
	specs map[serve.Key]serve.Deployment
	state map[serve.Key]chan serve.Status
}

func newServer(t *testing.T, cases []*testCase) *server {
	t.Helper()
	proc := worker.New(worker.Options{Kind: infer.Kind, Env: worker.Env{NativeDir: filepath.Join(shared, "native"), Threads: 1}, Concurrency: 2, Grace: time.Second})
	t.Cleanup(func() { proc.Close() })
	s := &server{T: t, client: infer.NewClient(proc, nil), cases: map[string]*testCase{},
		specs: map[serve.Key]serve.Deployment{}, state: map[serve.Key]chan serve.Status{}}
	for _, c := range cases {
		s.cases[endpointOf(c)] = c
	}
	id := func() string { return ulid.Make().String() }
	s.Server = serve.New(serve.Config{Store: s, Models: s, Runner: s, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	e := echo.New()
	service := oip.New(oip.Config{Serve: s.Server, Now: time.Now, NewID: id, Log: slog.New(slog.DiscardHandler)})
	s.listen(service)
	service.
		Register(e, func(echo.Context, auth.Verb, auth.Resource) (auth.Principal, error) {
			return auth.Principal{Group: "main"}, nil
		})
	h := httptest.NewServer(oiptest.Checked(t, e))
	t.Cleanup(h.Close)
	s.url = h.URL
	return s
}

// endpointOf is the name of a case's endpoint and model.
func endpointOf(c *testCase) string {
	return strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(c.Case))
}

// attempt is what one way of asking gave.
type attempt struct {
	outputs []tensor.Tensor
	got     error // nil: the answer is the wanted one
}

// try makes an endpoint of a case, asks it by every protocol and takes it away.
func (s *server) try(c *testCase) map[string]attempt {
	name := endpointOf(c)
	key := serve.Key{Group: "main", Name: name}
	states := make(chan serve.Status, 64)
	s.mu.Lock()
	s.state[key] = states
	s.specs[key] = serve.Deployment{
		Endpoint: serve.Endpoint{Group: key.Group, Name: name, Model: name, Kind: serve.Raw, NotFinite: true},
		Spec:     serve.Spec{Revision: 1, Targets: []serve.Target{{Version: 1, Role: record.Live}}},
	}
	s.mu.Unlock()
	s.Notify(key)
	defer func() {
		s.mu.Lock()
		delete(s.specs, key)
		s.mu.Unlock()
		s.Notify(key)
	}()
	asks := s.ways(c)
	out := map[string]attempt{}
	for {
		select {
		case st := <-states:
			switch {
			case len(st.Versions) > 0 && st.Versions[0].Error != "":
				for by := range asks {
					out[by] = attempt{got: fmt.Errorf("load: %s", st.Versions[0].Error)}
				}
				return out
			case st.State == serve.Ready:
				for by, ask := range asks {
					var a attempt
					if a.outputs, a.got = ask(name, c); a.got == nil {
						a.got = c.compare(a.outputs)
					}
					out[by] = a
				}
				return out
			}
		case <-time.After(2 * time.Minute):
			for by := range asks {
				out[by] = attempt{got: fmt.Errorf("the endpoint is neither ready nor failed after two minutes")}
			}
			return out
		}
	}
}

// listen serves the protocol over gRPC and connects to it.
func (s *server) listen(service *oip.Service) {
	s.Helper()
	g := oipgrpc.New(oipgrpc.Config{Service: service, Log: slog.New(slog.DiscardHandler),
		Guard: func(context.Context, string, string, auth.Verb, auth.Resource) (auth.Principal, error) {
			return auth.Principal{Group: "main"}, nil
		}})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- g.Serve(ln) }()
	if s.conn, err = grpc.NewClient(ln.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		s.conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		g.Shutdown(ctx)
		if err := <-done; err != nil {
			s.Error(err)
		}
	})
}

// compare holds an answer against what ONNX expects, as its own runner does.
func (c *testCase) compare(got []tensor.Tensor) error {
	if len(got) != len(c.want) {
		return fmt.Errorf("%d outputs, want %d", len(got), len(c.want))
	}
	for i, w := range c.want {
		if got[i].Name != w.Name {
			return fmt.Errorf("output %q, want %q", got[i].Name, w.Name)
		}
		if err := c.close(got[i], w); err != nil {
			return fmt.Errorf("output %q: %w", w.Name, err)
		}
	}
	return nil
}

func (c *testCase) close(got, want tensor.Tensor) error {
	if got.Datatype != want.Datatype || !slices.Equal(got.Shape, want.Shape) {
		return fmt.Errorf("%s %v, want %s %v", got.Datatype, got.Shape, want.Datatype, want.Shape)
	}
	if c.Random {
		return nil
	}
	if want.Datatype == tensor.Bytes {
		return c.closeTexts(got, want)
	}
	g, err := got.Float64s()
	if err != nil {
		return err
	}
	w, err := want.Float64s()
	if err != nil {
		return err
	}
	rtol := c.RTol
	if want.Datatype == tensor.BF16 {
		rtol = max(rtol, 1.0/64)
	}
	for i := range w {
		if g[i] == w[i] || math.IsNaN(g[i]) && math.IsNaN(w[i]) {
			continue
		}
		if !(math.Abs(g[i]-w[i]) <= c.ATol+rtol*math.Abs(w[i])) || math.IsInf(w[i], 0) {
			return fmt.Errorf("element %d is %v, want %v", i, g[i], w[i])
		}
	}
	return nil
}

// closeTexts compares texts, or the ONNX tensors in a sequence.
func (c *testCase) closeTexts(got, want tensor.Tensor) error {
	g, err := got.Strings()
	if err != nil {
		return err
	}
	w, err := want.Strings()
	if err != nil {
		return err
	}
	for i := range w {
		if g[i] == w[i] {
			continue
		}
		x, ok := tensorIn(g[i])
		y, ok2 := tensorIn(w[i])
		if !ok || !ok2 {
			return fmt.Errorf("element %d is %q, want %q", i, g[i], w[i])
		}
		if err := c.close(x, y); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}

// tensorIn reads a serialised onnx.TensorProto of numbers.
func tensorIn(s string) (tensor.Tensor, bool) {
	var pb onnxpb.TensorProto
	if proto.Unmarshal([]byte(s), &pb) != nil {
		return tensor.Tensor{}, false
	}
	d, ok := map[onnxpb.TensorProto_DataType]tensor.Datatype{onnxpb.TensorProto_FLOAT: tensor.FP32, onnxpb.TensorProto_DOUBLE: tensor.FP64,
		onnxpb.TensorProto_INT64: tensor.Int64, onnxpb.TensorProto_INT32: tensor.Int32, onnxpb.TensorProto_BOOL: tensor.Bool}[onnxpb.TensorProto_DataType(pb.GetDataType())]
	t, err := tensor.New("item", d, append([]int64{}, pb.GetDims()...), pb.GetRawData())
	return t, ok && err == nil
}

func sameBytes(a, b []tensor.Tensor) bool {
	return slices.EqualFunc(a, b, func(x, y tensor.Tensor) bool { return bytes.Equal(x.Data, y.Data) })
}

// Version implements models.Reader: it loads the case's model in the worker, tried with the case's inputs, to learn the
// signature that a registered version would bring.
func (s *server) Version(ctx context.Context, group string, ref models.Ref) (models.Version, error) {
	c, ok := s.cases[ref.Model]
	if !ok {
		return models.Version{}, edgeward.E("registry", edgeward.NotFound, "model.not_found", "no %s", ref)
	}
	rep, err := s.client.Load(ctx, infer.LoadRequest{Key: ref.Model, Format: engine.ONNX, Model: c.model, Runs: 1, Examples: []infer.Example{{Inputs: c.inputs}},
		Candidates: []infer.Candidate{{Engine: "onnxruntime", Device: engine.CPU}}})
	return models.Version{Group: group, Model: ref.Model, Number: ref.Version, Manifest: models.Manifest{Kind: "onnx", Signature: rep.Signature}}, err
}

// Load implements serve.Runner.
func (s *server) Load(_ context.Context, v models.Version, _ serve.Terms) (serve.Session, error) {
	return &session{s.client, v.Model}, nil
}

type session struct {
	client *infer.Client
	key    string
}

func (s *session) About() serve.About {
	return serve.About{Engine: "onnxruntime", Device: engine.CPU}
}
func (s *session) Close() error { return s.client.Unload(context.Background(), s.key) }
func (s *session) Run(ctx context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
	return s.client.Run(ctx, s.key, in)
}

// The store of specs and states, in memory.

func (s *server) Deployments(context.Context) ([]serve.Deployment, error) { return nil, nil }

func (s *server) Deployment(_ context.Context, k serve.Key) (serve.Deployment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.specs[k]; ok {
		return d, nil
	}
	return serve.Deployment{}, edgeward.E("store", edgeward.NotFound, "endpoint.not_found", "no %s", k)
}

func (s *server) PutSpec(context.Context, serve.Key, serve.Spec) error { return nil }

func (s *server) Status(context.Context, serve.Key) (serve.Status, error) {
	return serve.Status{}, nil
}

func (s *server) PutStatus(_ context.Context, k serve.Key, st serve.Status) error {
	s.mu.Lock()
	states := s.state[k]
	s.mu.Unlock()
	select {
	case states <- st:
	default:
	}
	return nil
}
