package systemtest

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"

	"edgeward/node/client"
	"edgeward/packaging/needtest"
	"edgeward/runtime/engine/enginetest"
)

const tritonScript = `
import sys, numpy as np, tritonclient.http as h
url, token = sys.argv[1].removeprefix("http://"), sys.argv[2]
auth = {"Authorization": "Bearer " + token}
fresh = lambda: dict(auth)  # the client writes into the dict it is given
c = h.InferenceServerClient(url)
assert c.is_server_live(headers=auth) and c.is_server_ready(headers=auth) and c.is_model_ready("affine", headers=auth)
m = c.get_model_metadata("affine", headers=auth)
assert m["inputs"][0]["name"] == "x" and m["inputs"][0]["datatype"] == "FP32", m
x = np.array([[3, 1], [0, 2]], np.float32)
for binary in (True, False):
    i = h.InferInput("x", x.shape, "FP32")
    i.set_data_from_numpy(x, binary_data=binary)
    r = c.infer("affine", [i], outputs=[h.InferRequestedOutput("y", binary_data=binary)], headers=fresh(), request_id="r1")
    y = r.as_numpy("y")
    assert y.tolist() == [[5.5], [-1.5]], y
    assert r.get_response()["id"] == "r1"
i = h.InferInput("x", [1, 3], "FP32"); i.set_data_from_numpy(np.zeros((1, 3), np.float32))
for model, why in (("affine", "shape"), ("nobody", "nobody")):
    try:
        c.infer(model, [i], headers=fresh())
        raise SystemExit("no error for " + why)
    except h.InferenceServerException as e:
        assert why in e.message(), e.message()
print("ok")
`

// TestTritonClient asks with the client that Triton's users have.
func TestTritonClient(t *testing.T) {
	needNative(t)
	python := needtest.Python(t, "tritonclient.http", "numpy", "gevent")
	s := start(t, options{})
	must[client.ImportedVersion](t)(s.ImportModel(within(t, time.Minute), "affine", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{Filename: "affine.onnx"}))
	deployed(t, s.Client, "affine", 1)
	out, err := exec.CommandContext(within(t, time.Minute), python, "-c", tritonScript, s.url, bootstrap).CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		t.Errorf("%v\n%s", err, out)
	}
}
