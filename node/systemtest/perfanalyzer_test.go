package systemtest

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"edgeward/node/api/oip/oiptest"
	"edgeward/node/client"
	"edgeward/packaging/needtest"
	"edgeward/runtime/engine/enginetest"
)

// perfAnalyzer is NVIDIA's load generator: on the path, or where "go run ./packaging/bench analyzer" puts it.
func perfAnalyzer(t testing.TB) string {
	t.Helper()
	if p, err := exec.LookPath("perf_analyzer"); err == nil {
		return p
	}
	p, err := filepath.Abs("../../.cache/peers/perf_analyzer/run")
	if err == nil {
		err = exec.CommandContext(t.Context(), p, "--version").Run()
	}
	if err != nil {
		needtest.Missing(t, "perf_analyzer")
	}
	return p
}

// TestPerfAnalyzer asks a real engine with perf_analyzer in each of its ways: every request is answered, and the server
// counts as many and no failure.
func TestPerfAnalyzer(t *testing.T) {
	needNative(t)
	program := perfAnalyzer(t)
	s := start(t, options{})
	must[client.ImportedVersion](t)(s.ImportModel(within(t, time.Minute), "affine", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{Filename: "affine.onnx"}))
	deployed(t, s.Client, "affine", 1)
	var sent atomic.Int64 // requests of sequences
	rest, rpc := proxied(t, s, nil), s.node.GRPCAddress()
	restSequences, rpcSequences := proxied(t, s, &sent), proxiedGRPC(t, s, &sent)
	const requests = 60
	for name, c := range map[string]struct {
		at   string
		args []string
	}{
		"HTTP with binary tensors":                {rest, []string{"-i", "http"}},
		"HTTP with JSON":                          {rest, []string{"-i", "http", "--input-tensor-format", "json", "--output-tensor-format", "json"}},
		"HTTP, asynchronous":                      {rest, []string{"-i", "http", "--async"}},
		"HTTP with system shared memory":          {rest, []string{"-i", "http", "--shared-memory", "system"}},
		"HTTP, eight rows a request":              {rest, []string{"-i", "http", "-b", "8"}},
		"HTTP, sequences":                         {restSequences, []string{"-i", "http", "--sequence-length", "5", "--sequence-id-range", "1:1000"}},
		"gRPC":                                    {rpc, []string{"-i", "grpc"}},
		"gRPC, compressed":                        {rpc, []string{"-i", "grpc", "--grpc-compression-algorithm", "gzip"}},
		"gRPC, asynchronous":                      {rpc, []string{"-i", "grpc", "--async"}},
		"gRPC, streaming":                         {rpc, []string{"-i", "grpc", "--async", "--streaming"}},
		"gRPC with system shared memory":          {rpc, []string{"-i", "grpc", "--shared-memory", "system"}},
		"gRPC, streaming, system shared memory":   {rpc, []string{"-i", "grpc", "--async", "--streaming", "--shared-memory", "system"}},
		"gRPC, sequences":                         {rpcSequences, []string{"-i", "grpc", "--sequence-length", "5", "--sequence-id-range", "1:1000"}},
		"gRPC, streaming, sequences":              {rpcSequences, []string{"-i", "grpc", "--async", "--streaming", "--sequence-length", "5"}},
		"gRPC, streaming, one request at a time":  {rpcSequences, []string{"-i", "grpc", "--async", "--streaming", "--sequence-length", "5", "--serial-sequences"}},
		"gRPC with a parameter of the deployment": {rpc, []string{"-i", "grpc", "--request-parameter", "edgeward_sticky_key:bed-7:string"}},
	} {
		t.Run(name, func(t *testing.T) {
			before, begun := stats(t, s), sent.Load()
			out := filepath.Join(t.TempDir(), "result.csv")
			args := append([]string{"-m", "affine", "-u", c.at, "-H", "authorization:Bearer " + bootstrap, "--concurrency-range", "4", "--request-count", strconv.Itoa(requests), "-f", out}, c.args...)
			said, err := exec.CommandContext(within(t, 2*time.Minute), program, args...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			lines := must[[][]string](t)(csv.NewReader(bytes.NewReader(must[[]byte](t)(os.ReadFile(out)))).ReadAll())
			k := slices.Index(lines[0], "Inferences/Second")
			if perSecond, err := strconv.ParseFloat(lines[1][max(k, 0)], 64); k < 0 || err != nil || perSecond <= 0 {
				t.Errorf("it wrote %q", lines)
			}
			if n := sent.Load() - begun; strings.Contains(name, "sequence") && n < requests {
				t.Errorf("%d requests were of sequences", n)
			}
			after := stats(t, s)
			if n := after.Success.Count - before.Success.Count; n < requests {
				t.Errorf("the server answered %d requests, and %d were to be asked\n%s", n, requests, said)
			}
			if after.Fail.Count != before.Fail.Count || strings.Contains(string(said), "Failed") || strings.Contains(string(said), "WARNING") {
				t.Errorf("%d failures\n%s", after.Fail.Count-before.Fail.Count, said)
			}
		})
	}
}

type inferStats struct{ Success, Fail struct{ Count int } }

func stats(t *testing.T, s *server) inferStats {
	t.Helper()
	var out struct {
		Models []struct {
			Infer inferStats `json:"inference_stats"`
		} `json:"model_stats"`
	}
	unmarshal(t, s.request(t, "GET", "/v2/models/affine/stats", bootstrap, "").body, &out)
	return out.Models[0].Infer
}

// proxied is the REST address of s behind a proxy that holds every answer against the protocol. Where sent is not nil each
// model's configuration says that it answers sequences: else perf_analyzer sends none. What it sends then, starts, ends and
// ids, the server takes of any model; sent counts it.
func proxied(t *testing.T, s *server, sent *atomic.Int64) string {
	t.Helper()
	to := must[*url.URL](t)(url.Parse(s.url))
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, Transport: oiptest.CheckedBy(t, http.DefaultTransport)}
	if sent != nil {
		proxy.ModifyResponse = func(r *http.Response) error {
			if !strings.HasSuffix(r.Request.URL.Path, "/config") {
				return nil
			}
			b, err := io.ReadAll(r.Body)
			b = bytes.Replace(b, []byte(`"dynamic_batching"`), []byte(`"sequence_batching"`), 1)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
			r.Header.Set("Content-Length", strconv.Itoa(len(b)))
			return err
		}
	}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if sent != nil && bytes.Contains(b, []byte("sequence_id")) {
			sent.Add(1)
		}
		r.Body = io.NopCloser(bytes.NewReader(b))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	return strings.TrimPrefix(h.URL, "http://")
}

// proxiedGRPC is the gRPC address of s behind a proxy that does the same to each model's configuration.
func proxiedGRPC(t *testing.T, s *server, sent *atomic.Int64) string {
	t.Helper()
	conn := dialGRPC(t, s.node.GRPCAddress(), insecure.NewCredentials())
	g := grpc.NewServer(grpc.ForceServerCodec(rawCodec{}), grpc.UnknownServiceHandler(func(_ any, in grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(in)
		md, _ := metadata.FromIncomingContext(in.Context())
		out, err := conn.NewStream(metadata.NewOutgoingContext(in.Context(), md), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method, grpc.ForceCodec(rawCodec{}))
		if err != nil {
			return err
		}
		go func() {
			for {
				var m []byte
				err := in.RecvMsg(&m)
				if err == nil {
					if bytes.Contains(m, []byte("sequence_id")) {
						sent.Add(1)
					}
					err = out.SendMsg(&m)
				}
				if err != nil {
					_ = out.CloseSend()
					return
				}
			}
		}()
		for {
			var m []byte
			if err := out.RecvMsg(&m); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			if strings.HasSuffix(method, "/ModelConfig") {
				m = append(m, 0x0a, 2, 0x6a, 0) // config, once more: with an empty sequence_batching
			}
			if err := in.SendMsg(&m); err != nil {
				return err
			}
		}
	}))
	ln := must[net.Listener](t)((&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0"))
	go g.Serve(ln)
	t.Cleanup(g.Stop)
	return ln.Addr().String()
}

// rawCodec passes messages on as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error)   { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(b []byte, v any) error { *v.(*[]byte) = bytes.Clone(b); return nil }
func (rawCodec) Name() string                    { return "proto" }
