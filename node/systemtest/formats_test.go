package systemtest

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
)

// tarred is a folder of runtime/modelfile's models as a client sends it; a file is sent as it is.
func tarred(t testing.TB, path string) io.Reader {
	t.Helper()
	path = filepath.Join("../../runtime/modelfile/testdata", path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !info.IsDir() {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.NewReader(b)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.AddFS(os.DirFS(path)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return &b
}

// TestModelsOfEveryFormat imports a model of each format, puts it behind an endpoint, asks it, and asks it again after its
// worker was killed: models of several files must be found again.
func TestModelsOfEveryFormat(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	ctx := within(t, 5*time.Minute)
	ask := func(t *testing.T, name, input, output string, want float64, within float64) {
		t.Helper()
		a := must[client.InferAnswer](t)(s.Infer(ctx, name, client.InferRequest{Inputs: []client.Tensor{{Name: input, Datatype: "FP32", Shape: []int64{2, 2}, Values: []float64{3, 1, 0.5, 0.25}}}}))
		if got := a.First(output); got < want-within || got > want+within {
			t.Errorf("%s answers %v, want %v", name, got, want)
		}
	}
	cases := []struct {
		name, path, kind, what, engine string
		input, output                  string
		within                         float64 // of 5.5: tree models only come near it
		files                          int
	}{
		{"onnx", "onnx/model.onnx", "onnx", "ONNX model", "", "x", "y", 0, 1},
		{"external", "external", "onnx", "ONNX model", "", "x", "y", 0, 2},
		{"mlflow", "mlflow", "onnx", "MLflow model, flavour onnx: ONNX model", "", "x", "y", 0, 1},
		{"openvino", "openvino", "openvino", "OpenVINO IR", "openvino", "x", "y", 0, 2},
		{"frozen", "tensorflow/frozen.pb", "tensorflow", "TensorFlow frozen graph", "openvino", "x:0", "y:0", 0, 1},
		{"savedmodel", "savedmodel", "tensorflow", "TensorFlow SavedModel", "openvino", "x", "y", 0, 1},
		{"tflite", "tflite/model.tflite", "tflite", "TFLite model", "openvino", "x", "y", 0, 1},
		{"paddle", "paddle", "paddle", "PaddlePaddle model", "openvino", "x", "y", 0, 2},
		{"lightgbm", "trees/lightgbm.txt", "onnx", "LightGBM model text", "onnxruntime", "features", "prediction", 5, 2},
		{"xgboost-json", "trees/xgboost.json", "onnx", "XGBoost model, JSON", "onnxruntime", "features", "prediction", 5, 2},
		{"xgboost-ubj", "trees/xgboost.ubj", "onnx", "XGBoost model, UBJ", "onnxruntime", "features", "prediction", 5, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := must[client.ImportedVersion](t)(s.ImportModel(ctx, c.name, tarred(t, c.path), client.ModelUpload{Filename: filepath.Base(c.path)}))
			m := v.Manifest
			if m.Kind != c.kind || m.Lineage.SourceFormat != c.what || len(m.Files) != c.files {
				t.Errorf("kind %q, format %q, files %+v", m.Kind, m.Lineage.SourceFormat, m.Files)
			}
			if again := must[client.ImportedVersion](t)(s.ImportModel(ctx, c.name, tarred(t, c.path), client.ModelUpload{})); !again.Existing || again.Number != 1 {
				t.Errorf("imported again it is version %d, existing %v", again.Number, again.Existing)
			}
			deployed(t, s.Client, c.name, 1)
			ask(t, c.name, c.input, c.output, 5.5, c.within)
			var into bytes.Buffer
			for _, f := range m.Files {
				into.Reset()
				if err := s.ModelFile(ctx, c.name, 1, f.Name, &into); err != nil || int64(into.Len()) != f.Size {
					t.Errorf("file %s: %d bytes, %v", f.Name, into.Len(), err)
				}
			}
		})
	}
	t.Run("after the worker was killed", func(t *testing.T) {
		for _, w := range must[client.NodeStatus](t)(s.Node(ctx)).Workers {
			if w.Kind == "infer" && w.PID != 0 {
				kill9(w.PID)
			}
		}
		for _, c := range cases {
			ask(t, c.name, c.input, c.output, 5.5, c.within)
		}
	})
	t.Run("what is refused says why", func(t *testing.T) {
		for path, code := range map[string]string{"broken/external-outside.onnx": "model.external_data", "broken/external-missing.onnx": "model.external_data", "broken/opset.onnx": "model.opset",
			"broken/custom.onnx": "model.custom_operator", "broken/mlflow": "model.format", "savedmodel/saved_model.pb": "model.incomplete"} {
			_, err := s.ImportModel(ctx, "bad", tarred(t, path), client.ModelUpload{})
			wantError(t, err, edgeward.Invalid, code)
			if edgeward.HintOf(err) == "" {
				t.Errorf("%s: no hint: %v", path, err)
			}
		}
	})
	left, err := filepath.Glob(filepath.Join(s.dir, "temp", "*-model"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", strings.Join(left, " "), err)
	}
}
