package systemtest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"edgeward/node/api/oip"
	"edgeward/node/api/oip/oipgrpc"
	pb "edgeward/node/api/oip/oippb"
	"edgeward/node/auth"
	"edgeward/node/client"
	"edgeward/packaging/needtest"
	"edgeward/runtime/engine/enginetest"
)

const tritonGRPCScript = `
import asyncio, sys, numpy as np, tritonclient.grpc as g, tritonclient.grpc.aio as aio
addr, token = sys.argv[1], sys.argv[2]
auth = {"authorization": "Bearer " + token}
c = g.InferenceServerClient(addr)
assert c.is_server_live() and c.is_server_ready() and c.is_model_ready("affine", headers=auth)
m = c.get_model_metadata("affine", headers=auth)
assert m.inputs[0].name == "x" and m.inputs[0].datatype == "FP32", m
x = np.array([[3, 1], [0, 2]], np.float32)
i = g.InferInput("x", x.shape, "FP32")
i.set_data_from_numpy(x)
r = c.infer("affine", [i], headers=auth, request_id="r1")
assert r.as_numpy("y").tolist() == [[5.5], [-1.5]] and r.get_response().id == "r1", r.get_response()
bad = g.InferInput("x", [1, 3], "FP32"); bad.set_data_from_numpy(np.zeros((1, 3), np.float32))
for model, t, why in (("affine", bad, "shape"), ("nobody", i, "nobody")):
    try:
        c.infer(model, [t], headers=auth)
        raise SystemExit("no error for " + why)
    except g.InferenceServerException as e:
        assert why in e.message(), e.message()
async def ask():
    async with aio.InferenceServerClient(addr) as a:
        for r in await asyncio.gather(*(a.infer("affine", [i], headers=auth) for _ in range(64))):
            assert r.as_numpy("y").tolist() == [[5.5], [-1.5]]
asyncio.run(ask())
print("ok")
`

// TestTritonClientOverGRPC asks a real engine with the clients that Triton's users have.
func TestTritonClientOverGRPC(t *testing.T) {
	needNative(t)
	python := needtest.Python(t, "tritonclient.grpc", "grpc", "numpy")
	s := start(t, options{})
	must[client.ImportedVersion](t)(s.ImportModel(within(t, time.Minute), "affine", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{Filename: "affine.onnx"}))
	deployed(t, s.Client, "affine", 1)
	out, err := exec.CommandContext(within(t, time.Minute), python, "-c", tritonGRPCScript, s.node.GRPCAddress(), bootstrap).CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		t.Errorf("%v\n%s", err, out)
	}
}

// callGRPC calls a method with an empty message.
func callGRPC(ctx context.Context, c *grpc.ClientConn, method, bearer, group string) error {
	if bearer != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+bearer)
	}
	if group != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "edgeward-group", group)
	}
	return c.Invoke(ctx, method, &emptypb.Empty{}, new(emptypb.Empty))
}

func dialGRPC(t *testing.T, addr string, creds credentials.TransportCredentials, o ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	c, err := grpc.NewClient(addr, append(o, grpc.WithTransportCredentials(creds))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestRoleMatrixOverGRPC asks every method as nobody and in every role: what answers is what auth's table says.
func TestRoleMatrixOverGRPC(t *testing.T) {
	s := start(t, options{})
	c := dialGRPC(t, s.node.GRPCAddress(), insecure.NewCredentials())
	ctx := within(t, time.Minute)
	tokens := map[auth.Role]string{}
	for _, role := range auth.Roles {
		tokens[role] = token(t, s.Client, string(role))
	}
	n := 0
	for _, m := range oipgrpc.New(oipgrpc.Config{Service: oip.New(oip.Config{})}).Methods() {
		if m.Verb == "" {
			continue
		}
		n++
		if err := callGRPC(ctx, c, m.Path, "", ""); status.Code(err) != codes.Unauthenticated {
			t.Errorf("nobody, %s: %v", m.Path, err)
		}
		if err := callGRPC(ctx, c, m.Path, "no-token-of-ours", ""); status.Code(err) != codes.Unauthenticated {
			t.Errorf("a stranger, %s: %v", m.Path, err)
		}
		for _, role := range auth.Roles {
			err := callGRPC(ctx, c, m.Path, tokens[role], "")
			if denied := status.Code(err) == codes.PermissionDenied; denied == auth.Allowed([]auth.Role{role}, m.Verb, m.Resource) || status.Code(err) == codes.Unauthenticated {
				t.Errorf("%s, %s: %v", role, m.Path, err)
			}
		}
		if err := callGRPC(ctx, c, m.Path, tokens[auth.Service], "another"); status.Code(err) != codes.NotFound {
			t.Errorf("a group one does not belong to, %s: %v", m.Path, err)
		}
	}
	if n < 3 {
		t.Errorf("only %d methods", n)
	}
}

// TestGRPCWithTLS: with a certificate of the administrator's, gRPC is spoken over TLS and not in the clear.
func TestGRPCWithTLS(t *testing.T) {
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key))
	raw := must[[]byte](t)(x509.MarshalECPrivateKey(key))
	files := map[string][]byte{"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), "key.pem": pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw})}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n, _, _, err := open(t, options{set: map[string]string{"tls.cert_file": filepath.Join(dir, "cert.pem"), "tls.key_file": filepath.Join(dir, "key.pem")}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(files["cert.pem"])
	const live = "/inference.GRPCInferenceService/ServerLive"
	var out pb.ServerLiveResponse
	secure := dialGRPC(t, n.GRPCAddress(), credentials.NewTLS(&tls.Config{RootCAs: pool}))
	if err := secure.Invoke(within(t, time.Minute), live, &pb.ServerLiveRequest{}, &out); err != nil || !out.Live {
		t.Errorf("TLS: %v %v", err, &out)
	}
	if err := callGRPC(within(t, time.Minute), dialGRPC(t, n.GRPCAddress(), insecure.NewCredentials()), live, "", ""); status.Code(err) != codes.Unavailable {
		t.Errorf("in the clear: %v", err)
	}
}

const repositoryScript = `
import sys, time, numpy as np, tritonclient.grpc as g, tritonclient.http as h
url, addr, path, owner, operator, scientist = sys.argv[1:]
model = open(path, "rb").read()
x = np.array([[3, 1]], np.float32)
for mod, client in ((h, h.InferenceServerClient(url.removeprefix("http://"))), (g, g.InferenceServerClient(addr))):
    name = "uploaded-" + mod.__name__[-4:]
    as_ = lambda t: {"Authorization" if mod is h else "authorization": "Bearer " + t, "Edgeward-Reason" if mod is h else "edgeward-reason": "tried on the bench"}
    def infer():
        i = mod.InferInput("x", x.shape, "FP32"); i.set_data_from_numpy(x)
        return client.infer(name, [i], headers=as_(owner)).as_numpy("y").tolist()
    def refused(call, *words):
        try:
            call()
        except g.InferenceServerException as e:
            assert all(w in str(e) for w in words), (words, str(e))
        else:
            raise SystemExit("answered: %r" % (words,))
    files = {"file:1/model.onnx": model}
    refused(lambda: client.load_model(name, headers=as_(operator), config="{}", files=files), "")   # may promote, may not bring versions
    refused(lambda: client.load_model(name, headers=as_(scientist), config="{}", files=files), "")  # may bring versions, may not promote
    refused(lambda: client.load_model(name, headers=as_(owner)), "no model")
    refused(lambda: client.load_model(name, headers=as_(owner), config='{"backend":"python"}', files=files), "backend")
    refused(lambda: client.load_model(name, headers=as_(owner), config="{}", files={"file:1/model.py": b"import os"}), "ONNX")
    refused(lambda: client.load_model(name, headers=as_(owner), config="{}", files={"file:1/model.onnx": b"garbage"}), "ONNX")
    client.load_model(name, headers=as_(owner), config='{"backend":"onnxruntime","input":[{"name":"x","data_type":"TYPE_FP32","dims":[2]}]}', files=files)
    assert client.is_model_ready(name, headers=as_(owner)) and infer() == [[5.5]]
    refused(lambda: client.load_model(name, headers=as_(owner), config='{"input":[{"name":"x","data_type":"TYPE_INT8"}]}'), "the model does not")
    client.load_model(name, headers=as_(operator))  # answers already
    refused(lambda: client.unload_model(name, headers=as_(scientist)), "")
    client.unload_model(name, headers=as_(operator))
    client.unload_model(name, headers=as_(operator))
    assert not client.is_model_ready(name, headers=as_(owner)) if mod is h else True
    refused(infer, "loaded")
    index = client.get_model_repository_index(headers=as_(owner))
    states = {m["name"]: m["state"] for m in index} if mod is h else {m.name: m.state for m in index.models}
    assert states[name] == "UNAVAILABLE", states
    client.load_model(name, headers=as_(operator))
    assert infer() == [[5.5]]
    stats = client.get_inference_statistics(name, headers=as_(owner))
    if mod is h:
        m = stats["model_stats"][0]
        n, last, runs, sizes = m["inference_stats"]["success"]["count"], m["last_inference"], m["execution_count"], [(b["batch_size"], b["compute_infer"]["count"]) for b in m["batch_stats"]]
    else:
        m = stats.model_stats[0]
        n, last, runs, sizes = m.inference_stats.success.count, m.last_inference, m.execution_count, [(b.batch_size, b.compute_infer.count) for b in m.batch_stats]
    assert n == 2 and sizes == [(1, runs)] and 0 <= time.time() * 1000 - last < 600_000, stats
    config = client.get_model_config(name, headers=as_(owner)) if mod is h else client.get_model_config(name, headers=as_(owner), as_json=True)["config"]
    assert config["max_batch_size"] == 1024 and config["input"][0]["dims"] in ([2], ["2"]) and config["backend"], config
print("ok")
`

// TestModelRepository uploads, unloads and loads a model as Triton's clients do, over REST and gRPC. Who may promote made it
// answer, and the spec says who and why.
func TestModelRepository(t *testing.T) {
	needNative(t)
	python := needtest.Python(t, "tritonclient.http", "tritonclient.grpc", "grpc", "numpy", "gevent")
	s := start(t, options{})
	model := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(model, enginetest.ONNX(t, "affine").Bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(within(t, 2*time.Minute), python, "-c", repositoryScript, s.url, s.node.GRPCAddress(), model, token(t, s.Client, "owner"), token(t, s.Client, "operator"), token(t, s.Client, "scientist")).CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"uploaded-http", "uploaded-grpc"} {
		e := must[client.EndpointView](t)(s.Endpoint(within(t, time.Minute), name))
		if e.Spec.By != "token:t-operator" || e.Spec.Reason != "tried on the bench" {
			t.Errorf("%s: by %q because %q", name, e.Spec.By, e.Spec.Reason)
		}
	}
}
