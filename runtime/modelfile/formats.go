package modelfile

import (
	"bytes"
	"encoding/xml"
	"io/fs"
	"path"
	"slices"
	"strings"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/models"
	"edgeward/runtime/onnxgraph"
)

// MaxParsed bounds a file that is parsed whole.
const MaxParsed = 512 << 20

// onnx reads an ONNX file and finds the files with its weights.
func (t *tree) onnx(name string) (*Found, error) {
	raw, err := t.read(name, MaxParsed)
	if err != nil {
		return nil, err
	}
	info, err := onnxgraph.Inspect(raw)
	if err != nil {
		if path.Ext(name) != ".onnx" && edgeward.CodeOf(err) == "model.not_onnx" {
			return nil, edgeward.E("modelfile.Detect", edgeward.Invalid, "model.not_onnx", "this is no model that an engine here reads: %w", err).WithHint(readable_)
		}
		return nil, err
	}
	if err := info.Check(); err != nil {
		return nil, err
	}
	f := &Found{What: "ONNX model", Format: engine.ONNX, Opset: info.Opset, Operators: info.Operators, Axes: info.Axes, Classes: info.Classes, Files: []File{t.file("model.onnx", name, "model")}}
	for _, x := range info.External {
		if err := t.external(f, path.Dir(name), x); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// external adds a file with weights, which lies in or below dir.
func (t *tree) external(f *Found, dir string, x onnxgraph.External) error {
	at := path.Clean(x.Location)
	if !fs.ValidPath(at) || at == "." || hasDotDot(x.Location) || len(at) > MaxName || strings.Contains(at, "\\") || at == "model.onnx" {
		return edgeward.E("modelfile.Detect", edgeward.Invalid, "model.external_data", "the model's weights should lie in %.80q, outside its folder", x.Location).
			WithHint("save the model with its weights in one file, or in files beside it")
	}
	from := path.Join(dir, at)
	size, err := t.size(from)
	if err != nil || !t.has(from) {
		return edgeward.E("modelfile.Detect", edgeward.Invalid, "model.external_data", "the model's weights should lie in %.80q, which is not there", at).With("file", at).
			WithHint("pack the .onnx file and %.80s into one .zip", at)
	}
	if x.Offset > size || x.Length > size-x.Offset {
		return edgeward.E("modelfile.Detect", edgeward.Invalid, "model.external_data", "the model wants bytes %d to %d of %.80q, which has %d", x.Offset, x.Offset+x.Length, at, size).With("file", at).
			WithHint("the file is cut off or of another model: export the model again and send all its files")
	}
	if !slices.ContainsFunc(f.Files, func(o File) bool { return o.Name == at }) {
		f.Files = append(f.Files, t.file(at, from, "data"))
	}
	return nil
}

// openVINO takes NAME.xml and NAME.bin.
func (t *tree) openVINO() (*Found, error) {
	return t.only("OpenVINO", t.with(".xml"), func(name string) (*Found, error) {
		raw, err := t.read(name, MaxParsed)
		if err != nil {
			return nil, err
		}
		start, ops, err := layers(raw)
		if err != nil || start != "net" {
			return nil, format("%.80q is no OpenVINO model: its root is %.40q, not <net>", name, start).WithHint(readable_)
		}
		bin := strings.TrimSuffix(name, path.Ext(name)) + ".bin"
		f := &Found{What: "OpenVINO IR", Format: engine.OpenVINO, Operators: ops, Files: []File{t.file("model.xml", name, "model")}}
		switch {
		case t.has(bin):
			f.Files = append(f.Files, t.file("model.bin", bin, "data"))
		case bytes.Contains(raw, []byte(`type="Const"`)):
			return nil, files("an OpenVINO model is two files, and %.80q is not there", bin).WithHint("pack NAME.xml and NAME.bin into one .zip")
		}
		return f, nil
	})
}

// layers reads the root element and the kinds of layers of an IR.
func layers(raw []byte) (root string, ops []string, err error) {
	d := xml.NewDecoder(bytes.NewReader(raw))
	seen := map[string]bool{}
	for {
		tok, err := d.Token()
		if err != nil {
			for o := range seen {
				ops = append(ops, o)
			}
			slices.Sort(ops)
			if root == "" || err.Error() != "EOF" {
				return root, nil, err
			}
			return root, ops, nil
		}
		e, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		if root == "" {
			root = e.Name.Local
		}
		if e.Name.Local != "layer" {
			continue
		}
		for _, a := range e.Attr {
			if a.Name.Local == "type" && len(seen) < 1000 && len(a.Value) < 100 {
				seen[a.Value] = true
			}
		}
	}
}

// savedModel takes the files of a TensorFlow SavedModel.
func (t *tree) savedModel() (*Found, error) {
	f := &Found{What: "TensorFlow SavedModel", Format: engine.TensorFlow, Files: []File{t.file("saved_model.pb", "saved_model.pb", "model")}}
	for _, n := range t.names {
		if strings.HasPrefix(n, "variables/") || strings.HasPrefix(n, "assets/") || n == "fingerprint.pb" || n == "keras_metadata.pb" {
			f.Files = append(f.Files, t.file(n, n, "data"))
		}
	}
	return f, nil
}

// paddle takes NAME.pdmodel and NAME.pdiparams.
func (t *tree) paddle() (*Found, error) {
	if len(t.with(".pdmodel")) == 0 {
		return nil, files("a PaddlePaddle model is two files, and NAME.pdmodel is not there").WithHint("pack NAME.pdmodel and NAME.pdiparams into one .zip")
	}
	return t.only("PaddlePaddle", t.with(".pdmodel"), func(name string) (*Found, error) {
		params := strings.TrimSuffix(name, path.Ext(name)) + ".pdiparams"
		f := &Found{What: "PaddlePaddle model", Format: engine.Paddle, Files: []File{t.file("model.pdmodel", name, "model")}}
		if !t.has(params) {
			return nil, files("a PaddlePaddle model is two files, and %.80q is not there", params).WithHint("pack NAME.pdmodel and NAME.pdiparams into one .zip")
		}
		f.Files = append(f.Files, t.file("model.pdiparams", params, "data"))
		return f, nil
	})
}

// lightgbm converts a model text.
func (t *tree) lightgbm(name string) (*Found, error) {
	raw, err := t.read(name, onnxgraph.MaxText)
	if err != nil {
		return nil, err
	}
	e, err := onnxgraph.Parse(raw)
	if err != nil {
		return nil, err
	}
	return t.converted("LightGBM model text", "model.lightgbm.txt", name, e)
}

// converted writes a tree model as ONNX, its source beside it.
func (t *tree) converted(what, source, from string, e *onnxgraph.Ensemble) (*Found, error) {
	var b []byte
	var err error
	task := models.Regression
	switch {
	case !e.Probabilities():
		b, err = e.Regression(nil)
	default:
		if task = models.Multiclass; e.Classes == 1 {
			task = models.Binary
		}
		b, err = e.Classifier(nil)
	}
	if err != nil {
		return nil, err
	}
	info, err := onnxgraph.Inspect(b)
	if err != nil {
		return nil, err
	}
	return &Found{What: what, Format: engine.ONNX, Opset: info.Opset, Operators: info.Operators, Axes: info.Axes, Task: task, Features: e.Names, Converted: true,
		Files: []File{{Name: "model.onnx", Bytes: b, Role: "model"}, t.file(source, from, "source")}}, nil
}

// xgboost converts a model in JSON or UBJ.
func (t *tree) xgboost(name string, ubj bool) (*Found, error) {
	raw, err := t.read(name, onnxgraph.MaxText)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(raw[:min(len(raw), 4096)], []byte("learner")) && !bytes.Contains(raw, []byte("gradient_booster")) {
		return nil, format("this is JSON, and no XGBoost model").WithHint(readable_)
	}
	e, err := onnxgraph.ParseXGBoost(raw, ubj)
	if err != nil {
		return nil, err
	}
	if ubj {
		return t.converted("XGBoost model, UBJ", "model.xgboost.ubj", name, e)
	}
	return t.converted("XGBoost model, JSON", "model.xgboost.json", name, e)
}

// xgboostFile takes the file that MLflow names.
func (t *tree) xgboostFile(name string) (*Found, error) {
	b, err := t.head(name, 2)
	if err != nil {
		return nil, err
	}
	return t.xgboost(name, len(b) == 2 && b[0] == '{' && strings.IndexByte("LlIiU#$", b[1]) >= 0)
}
