package modelfile_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"edgeward"
	"edgeward/runtime/modelfile"
)

type entry struct {
	name string
	body []byte
	kind byte // of a tar entry; 0 is a file
	link string
}

// folder returns the files below testdata/dir.
func folder(t testing.TB, dir string) []entry {
	t.Helper()
	var out []entry
	root := filepath.Join("testdata", dir)
	if err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(root, p)
		out = append(out, entry{name: filepath.ToSlash(rel), body: b})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Size: int64(len(e.body)), Mode: 0o600, Typeflag: tar.TypeReg, Linkname: e.link}
		if e.kind != 0 {
			h.Typeflag = e.kind
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.body); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	return b.Bytes()
}

func zipOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.kind != 0 {
			h.SetMode(fs.ModeSymlink | 0o777)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(append(e.body, e.link...)); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	return b.Bytes()
}

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return out.Bytes()
}

const limit = 1 << 20

// detect unpacks b into a fresh folder and tells what it is.
func detect(t testing.TB, b []byte) (*modelfile.Found, error) {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := modelfile.Unpack(bytes.NewReader(b), root, limit); err != nil {
		return nil, err
	}
	return modelfile.Detect(root)
}

func TestFormatsAreToldByContent(t *testing.T) {
	for dir, want := range map[string]string{
		"onnx":       "ONNX model: onnx model.onnx(model)",
		"external":   "ONNX model: onnx model.onnx(model) weights/w.data(data)",
		"mlflow":     "MLflow model, flavour onnx: ONNX model: onnx model.onnx(model)",
		"openvino":   "OpenVINO IR: openvino model.xml(model) model.bin(data)",
		"savedmodel": "", // one file: see below
		"tensorflow": "TensorFlow frozen graph: tensorflow model.pb(model)",
		"tflite":     "TFLite model: tflite model.tflite(model)",
		"paddle":     "PaddlePaddle model: paddle model.pdmodel(model) model.pdiparams(data)",
	} {
		entries := folder(t, dir)
		var deep []entry
		for _, e := range entries {
			deep = append(deep, entry{name: "my model/v1/" + e.name, body: e.body})
		}
		packed := map[string][]byte{"tar": tarOf(t, entries...), "tar.gz": gzipped(t, tarOf(t, deep...)), "zip": zipOf(t, deep...)}
		if len(entries) == 1 {
			packed["file"] = entries[0].body
		}
		for how, b := range packed {
			f, err := detect(t, b)
			if dir == "savedmodel" {
				want = "TensorFlow SavedModel: tensorflow saved_model.pb(model)"
				if how == "file" {
					if edgeward.CodeOf(err) != "model.incomplete" {
						t.Errorf("saved_model.pb alone: %v", err)
					}
					continue
				}
			}
			if err != nil {
				t.Errorf("%s as %s: %v", dir, how, err)
				continue
			}
			if got := said(f); got != want {
				t.Errorf("%s as %s: got %s, want %s", dir, how, got, want)
			}
		}
	}
	for name, want := range map[string]string{
		"lightgbm.txt": "LightGBM model text: onnx model.onnx(model) model.lightgbm.txt(source)",
		"xgboost.json": "XGBoost model, JSON: onnx model.onnx(model) model.xgboost.json(source)",
		"xgboost.ubj":  "XGBoost model, UBJ: onnx model.onnx(model) model.xgboost.ubj(source)",
	} {
		b, err := os.ReadFile("testdata/trees/" + name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := detect(t, b)
		if err != nil || said(f) != want || f.Task != "regression" || !f.Converted || f.Opset["ai.onnx.ml"] != 5 {
			t.Errorf("%s: got %+v, %v", name, f, err)
		}
	}
}

func said(f *modelfile.Found) string {
	s := f.What + ": " + string(f.Format)
	for _, x := range f.Files {
		s += fmt.Sprintf(" %s(%s)", x.Name, x.Role)
	}
	return s
}

func TestWhatAnONNXFileSaysOfItself(t *testing.T) {
	f, err := detect(t, folder(t, "onnx")[0].body)
	if err != nil {
		t.Fatal(err)
	}
	if f.Opset[""] != 21 || fmt.Sprint(f.Operators) != "[Gemm]" || fmt.Sprint(f.Axes) != "map[x:[batch ] y:[batch ]]" {
		t.Errorf("%+v", f)
	}
}

func TestBadInputIsNamed(t *testing.T) {
	read := func(name string) []byte {
		b, err := os.ReadFile("testdata/broken/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	onnx := folder(t, "onnx")[0].body
	ir, paddle := folder(t, "openvino"), folder(t, "paddle")
	only := func(all []entry, ext string) []byte {
		for _, e := range all {
			if path.Ext(e.name) == ext {
				return tarOf(t, e)
			}
		}
		t.Fatal(ext)
		return nil
	}
	for name, c := range map[string]struct {
		b          []byte
		code, text string
	}{
		"nothing":                             {nil, "model.empty", "empty"},
		"an empty archive":                    {zipOf(t), "model.empty", "no file"},
		"a text":                              {[]byte("what is this"), "model.not_onnx", "no model"},
		"a CSV":                               {[]byte("a,b\n1,2\n"), "model.not_onnx", "no model"},
		"other JSON":                          {[]byte(`{"a": 1}`), "model.format", "no XGBoost"},
		"a pickle":                            {[]byte("\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00"), "model.format", "pickle"},
		"a PyTorch checkpoint":                {zipOf(t, entry{name: "archive/data.pkl", body: []byte("x")}, entry{name: "archive/version", body: []byte("3")}), "model.format", "PyTorch"},
		"a Keras file":                        {zipOf(t, entry{name: "config.json", body: []byte("{}")}, entry{name: "model.weights.h5", body: []byte("x")}), "model.format", "Keras"},
		"HDF5":                                {[]byte("\x89HDF\r\n\x1a\n"), "model.format", "HDF5"},
		"GGUF":                                {[]byte("GGUF\x03\x00\x00\x00"), "model.format", "GGUF"},
		"safetensors":                         {[]byte("\x10\x00\x00\x00\x00\x00\x00\x00{\"a\":{}}      "), "model.format", "safetensors"},
		"MLflow without a flavour":            {tarOf(t, folder(t, "broken/mlflow")...), "model.format", "sklearn"},
		"MLflow without its file":             {tarOf(t, folder(t, "mlflow")[0]), "model.incomplete", "model.onnx"},
		"half an IR":                          {only(ir, ".xml"), "model.incomplete", "model.bin"},
		"half a Paddle model":                 {only(paddle, ".pdmodel"), "model.incomplete", "pdiparams"},
		"a Paddle program alone":              {folder(t, "paddle")[1].body, "model.incomplete", "pdiparams"},
		"weights of a Paddle model":           {only(paddle, ".pdiparams"), "model.incomplete", "pdmodel"},
		"two models":                          {tarOf(t, entry{name: "a.onnx", body: onnx}, entry{name: "b.onnx", body: onnx}), "model.incomplete", "2 ONNX models"},
		"XML that is none":                    {tarOf(t, entry{name: "a.xml", body: []byte("<html></html>")}, entry{name: "a.bin", body: []byte("x")}), "model.format", "html"},
		"an opset too new":                    {read("opset.onnx"), "model.opset", "99"},
		"a custom operator":                   {read("custom.onnx"), "model.custom_operator", "ai.onnx.contrib:Tokenize"},
		"weights above the folder":            {read("external-outside.onnx"), "model.external_data", "../secret"},
		"weights in a file of the system":     {read("external-absolute.onnx"), "model.external_data", "/etc/passwd"},
		"weights that are missing":            {read("external-missing.onnx"), "model.external_data", "w.data"},
		"weights that are too short":          {tarOf(t, entry{name: "m.onnx", body: read("external-short.onnx")}, entry{name: "w.data", body: []byte("12345678")}), "model.external_data", "404"},
		"a link for weights":                  {tarOf(t, entry{name: "m.onnx", body: read("external-missing.onnx")}, entry{name: "w.data", kind: tar.TypeSymlink, link: "/etc/passwd"}), "model.archive", "link"},
		"a hard link":                         {tarOf(t, entry{name: "w.data", kind: tar.TypeLink, link: "../../etc/passwd"}), "model.archive", "link"},
		"a device":                            {tarOf(t, entry{name: "w.data", kind: tar.TypeChar}), "model.archive", "device"},
		"a link in a zip":                     {zipOf(t, entry{name: "m.onnx", kind: 1, link: "/etc/passwd"}), "model.archive", "link"},
		"a name above the folder":             {tarOf(t, entry{name: "../m.onnx", body: onnx}), "model.archive", "leaves"},
		"a name above the folder, in a zip":   {zipOf(t, entry{name: "a/../../m.onnx", body: onnx}), "model.archive", "leaves"},
		"an absolute name":                    {tarOf(t, entry{name: "/tmp/m.onnx", body: onnx}), "model.archive", "leaves"},
		"a Windows name":                      {zipOf(t, entry{name: `..\m.onnx`, body: onnx}), "model.archive", "leaves"},
		"a name twice":                        {tarOf(t, entry{name: "m.onnx", body: onnx}, entry{name: "m.onnx", body: onnx}), "model.archive", "twice"},
		"a file that is a folder":             {tarOf(t, entry{name: "m", body: onnx}, entry{name: "m/n", body: onnx}), "model.archive", "folder"},
		"a long name":                         {tarOf(t, entry{name: strings.Repeat("n", 201), body: onnx}), "model.archive", "name"},
		"a tar that ends early":               {tarOf(t, entry{name: "m.onnx", body: onnx})[:600], "model.archive", "cannot be read"},
		"a zip that ends early":               {zipOf(t, entry{name: "m.onnx", body: onnx})[:100], "model.archive", "cannot be read"},
		"gzip of no tar":                      {gzipped(t, []byte("hello")), "model.archive", "cannot be read"},
		"too large":                           {make([]byte, limit+1), "model.too_large", "more than"},
		"a gzip bomb":                         {gzipped(t, tarOf(t, entry{name: "m.onnx", body: make([]byte, 4*limit)})), "model.too_large", "more than"},
		"a zip bomb":                          {zipOf(t, entry{name: "m.onnx", body: make([]byte, 4*limit)}), "model.too_large", "more than"},
		"more entries than there may be":      {tarOf(t, many(modelfile.MaxEntries+1)...), "model.archive", "entries"},
		"an XGBoost model that is unfinished": {[]byte(`{"learner":{"gradient_booster":{"name":"gblinear"}}}`), "onnx.unsupported", "gblinear"},
	} {
		f, err := detect(t, c.b)
		if edgeward.CodeOf(err) != c.code || !strings.Contains(fmt.Sprint(err), c.text) {
			t.Errorf("%s: got %+v, %v (%s); want %s: %s", name, f, err, edgeward.CodeOf(err), c.code, c.text)
		}
		if k := edgeward.KindOf(err); k != edgeward.Invalid && k != edgeward.TooLarge {
			t.Errorf("%s is %v", name, k)
		}
	}
}

func many(n int) []entry {
	out := make([]entry, n)
	for i := range out {
		out[i].name = fmt.Sprint("f", i)
	}
	return out
}

// FuzzDetect: whatever comes in is a model or refused, and nothing is written outside.
func FuzzDetect(f *testing.F) {
	for _, dir := range []string{"onnx", "external", "openvino", "tensorflow", "savedmodel", "tflite", "paddle", "mlflow", "trees"} {
		all := folder(f, dir)
		f.Add(zipOf(f, all...))
		f.Add(tarOf(f, all...))
		for _, e := range all {
			f.Add(e.body)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := detect(t, b)
		if k := edgeward.KindOf(err); err != nil && k != edgeward.Invalid && k != edgeward.TooLarge {
			t.Errorf("%v is %v", err, k)
		}
	})
}
