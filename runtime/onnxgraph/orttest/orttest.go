// Package orttest runs an ONNX graph for tests of graph writers: in the product's own engine (Run), and in Python's
// onnxruntime (Python), another build, reached another way, that may disagree. Only test files may import it. Where the
// native pack or Python's onnxruntime is missing, the test is skipped by needtest's rule.
package orttest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"edgeward/packaging/needtest"
)

const script = `
import sys, json, numpy as np, onnxruntime as ort
d, rows, cols = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
so = ort.SessionOptions(); so.intra_op_num_threads = 1; so.log_severity_level = 3
s = ort.InferenceSession(d + "/model.onnx", so, providers=["CPUExecutionProvider"])
x = np.fromfile(d + "/x", dtype="<f4").reshape(rows, cols)
names = [o.name for o in s.get_outputs()]
info = {}
for n, v in zip(names, s.run(names, {"features": x})):
    v.astype("<f8").tofile(d + "/out." + n)
    info[n] = [str(v.dtype), list(v.shape)]
json.dump(info, sys.stdout)
`

var types = map[string]string{"float32": "FP32", "float64": "FP64", "int64": "INT64"}

// Output is one output of the graph, flattened.
type Output struct {
	Type  string // datatype by its Open Inference Protocol name
	Shape []int
	V     []float64
}

// Python feeds rows of float32 features to a graph's input "features", in Python's onnxruntime.
func Python(t testing.TB, model []byte, x []float64, cols int) map[string]Output {
	t.Helper()
	python := needtest.Python(t, "onnxruntime", "numpy")
	dir := t.TempDir()
	raw := make([]byte, 0, 4*len(x))
	for _, v := range x {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(v)))
	}
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("model.onnx", model)
	write("x", raw)
	write("run.py", []byte(script))
	rows, _ := json.Marshal(len(x) / cols)
	width, _ := json.Marshal(cols)
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), python, filepath.Join(dir, "run.py"), dir, string(rows), string(width))
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("onnxruntime: %v\n%s", err, stderr.Bytes())
	}
	var info map[string][2]any
	if err := json.Unmarshal(out, &info); err != nil {
		t.Fatal(err)
	}
	res := map[string]Output{}
	for name, i := range info {
		b, err := os.ReadFile(filepath.Join(dir, "out."+name))
		if err != nil {
			t.Fatal(err)
		}
		o := Output{Type: types[i[0].(string)]}
		for _, n := range i[1].([]any) {
			o.Shape = append(o.Shape, int(n.(float64)))
		}
		for ; len(b) > 0; b = b[8:] {
			o.V = append(o.V, math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
		res[name] = o
	}
	return res
}
