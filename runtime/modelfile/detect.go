package modelfile

import (
	"bytes"
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/models"
)

// File is a file of a model.
type File struct {
	Name string // as it is kept: slash separated, relative to the file an engine opens
	From string // where it lies below the root; "" when Bytes are given
	Role string // "model" for what an engine opens, "data" for what lies beside it, "source" for what it was converted from

	Bytes []byte
}

// Found is what a folder turned out to be.
type Found struct {
	What      string        // for people: "LightGBM model text"
	Format    engine.Format // what an engine is to load
	Files     []File        // the first has the role model
	Opset     map[string]int64
	Operators []string
	Axes      map[string][]string
	Task      models.Task // where the file tells, else ""
	Classes   []string    // names of the classes of its answer, where the file tells
	Features  []string    // names of the columns of the one input, where the file tells
	Converted bool
}

func format(format string, args ...any) *edgeward.Error {
	return edgeward.E("modelfile.Detect", edgeward.Invalid, "model.format", format, args...)
}

func files(format string, args ...any) *edgeward.Error {
	return edgeward.E("modelfile.Detect", edgeward.Invalid, "model.incomplete", format, args...)
}

// tree is the folder below its one top folder, if it has one.
type tree struct {
	root  *os.Root
	top   string // "" or "folder/"
	names []string
}

// Detect looks at what Unpack has written.
func Detect(root *os.Root) (*Found, error) {
	t := tree{root: root}
	err := fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			t.names = append(t.names, p)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	t.strip()
	return t.detect()
}

// strip takes away folders that everything lies in.
func (t *tree) strip() {
	for {
		if len(t.names) == 0 {
			return
		}
		dir, _, ok := strings.Cut(t.names[0], "/")
		if !ok || slices.ContainsFunc(t.names, func(n string) bool { return !strings.HasPrefix(n, dir+"/") }) {
			return
		}
		for i, n := range t.names {
			t.names[i] = strings.TrimPrefix(n, dir+"/")
		}
		t.top += dir + "/"
	}
}

func (t *tree) has(name string) bool { return slices.Contains(t.names, name) }

// with returns the names with an ending.
func (t *tree) with(ext string) []string {
	var out []string
	for _, n := range t.names {
		if strings.EqualFold(path.Ext(n), ext) {
			out = append(out, n)
		}
	}
	return out
}

func (t *tree) open(name string) (*os.File, error) { return t.root.Open(t.top + name) }

// head returns the first n bytes of a file.
func (t *tree) head(name string, n int) ([]byte, error) {
	f, err := t.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, n)
	n, err = io.ReadFull(f, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return b[:n], err
}

// read returns a whole file of at most limit bytes.
func (t *tree) read(name string, limit int64) ([]byte, error) {
	f, err := t.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		return nil, edgeward.E("modelfile.Detect", edgeward.TooLarge, "model.too_large", "%.80q has more than %d bytes", name, limit)
	}
	return b, err
}

func (t *tree) size(name string) (int64, error) {
	i, err := t.root.Stat(t.top + name)
	if err != nil {
		return 0, err
	}
	return i.Size(), nil
}

func (t *tree) detect() (*Found, error) {
	switch {
	case t.has("MLmodel"):
		return t.mlflow()
	case t.has("saved_model.pb"):
		return t.savedModel()
	case len(t.with(".xml")) > 0 && len(t.names) <= 2:
		return t.openVINO()
	case len(t.with(".pdmodel")) > 0 || len(t.with(".pdiparams")) > 0:
		return t.paddle()
	case len(t.names) == 1:
		return t.one(t.names[0])
	}
	// Many files: the one that is a model on its own, or has a model's ending.
	if n := t.with(".onnx"); len(n) > 0 {
		return t.only("ONNX", n, t.onnx)
	}
	if t.has("data.pkl") || len(t.with(".pkl")) > 0 && t.has("version") {
		return nil, pickled("PyTorch checkpoint", "torch.onnx.export(model, example, \"model.onnx\", dynamo=True)")
	}
	if t.has("config.json") && len(t.with(".h5")) > 0 {
		return nil, format("this is a Keras file, which no engine here reads").WithHint("in Python: model.export(\"folder\") gives a SavedModel; pack that folder")
	}
	for _, ext := range []string{".tflite", ".pb", ".ubj", ".json", ".txt"} {
		if n := t.with(ext); len(n) == 1 {
			return t.one(n[0])
		}
	}
	return nil, format("none of the %d files is a model that an engine here reads", len(t.names)).WithHint(readable_)
}

const readable_ = "ONNX, OpenVINO IR (.xml and .bin), TensorFlow SavedModel or frozen graph, TFLite, PaddlePaddle, LightGBM text, XGBoost JSON or UBJ, and MLflow folders with the flavour onnx, lightgbm or xgboost are read"

func (t *tree) only(what string, names []string, take func(string) (*Found, error)) (*Found, error) {
	if len(names) > 1 {
		slices.Sort(names)
		return nil, files("there are %d %s models: %.200s", len(names), what, strings.Join(names, ", ")).WithHint("send one model at a time")
	}
	return take(names[0])
}

func pickled(what, instead string) error {
	return format("this is a %s: reading it would run whatever code is in it", what).WithHint("export the model in Python: %s", instead)
}

// one tells by its content what a single file is.
func (t *tree) one(name string) (*Found, error) {
	b, err := t.head(name, 512)
	if err != nil {
		return nil, err
	}
	has := func(prefix string) bool { return bytes.HasPrefix(b, []byte(prefix)) }
	text := bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case len(b) >= 8 && string(b[4:8]) == "TFL3":
		return &Found{What: "TFLite model", Format: engine.TFLite, Files: []File{t.file("model.tflite", name, "model")}}, nil
	case has("tree\n") || has("tree\r\n"):
		return t.lightgbm(name)
	case has("{L") || has("{l") || has("{I") || has("{i") || has("{U") || has("{#") || has("{$"):
		return t.xgboost(name, true)
	case len(text) > 0 && text[0] == '{':
		return t.xgboost(name, false)
	case bytes.HasPrefix(text, []byte("<?xml")) || bytes.HasPrefix(text, []byte("<net")):
		return nil, files("an OpenVINO model is two files, and NAME.bin is not there").WithHint("pack NAME.xml and NAME.bin into one .zip")
	case has("\x89HDF"):
		return nil, format("this is an HDF5 file (Keras), which no engine here reads").WithHint("in Python: model.export(\"folder\") gives a SavedModel; pack that folder")
	case len(b) > 2 && b[0] == 0x80 && b[1] >= 2 && b[1] <= 5, has("\x78\x9c"), has("\x78\x01"), has("\x78\xda"):
		return nil, pickled("pickle", "skl2onnx.to_onnx(model, X[:1]), or torch.onnx.export")
	case has("GGUF"):
		return nil, format("this is a GGUF language model, which no engine here reads").WithHint(readable_)
	case len(b) > 8 && b[8] == '{' && binary.LittleEndian.Uint64(b) < 100<<20:
		return nil, format("this is a safetensors file: weights without the model they belong to").WithHint("export the whole model as ONNX")
	case len(b) >= 8 && string(b[4:8]) == "ORTM":
		return nil, format("this is ONNX Runtime's own format (.ort), made for one version of it").WithHint("send the .onnx file it was made of")
	}
	switch protobuf(b) {
	case "graph":
		return &Found{What: "TensorFlow frozen graph", Format: engine.TensorFlow, Files: []File{t.file("model.pb", name, "model")}}, nil
	case "saved":
		return nil, files("a TensorFlow SavedModel is a folder, and this is only its saved_model.pb").WithHint("pack the whole folder")
	case "paddle":
		return nil, files("a PaddlePaddle model is two files, and NAME.pdiparams is not there").WithHint("pack NAME.pdmodel and NAME.pdiparams into one .zip")
	}
	return t.onnx(name)
}

func (t *tree) file(name, from, role string) File {
	return File{Name: name, From: t.top + from, Role: role}
}

// protobuf tells the protobuf formats apart by their first fields; "" is none of ours, or ONNX.
//
//	ModelProto  1 varint ir_version …          SavedModel   1 varint schema version, 2 bytes
//	GraphDef    1 bytes { 1 bytes name …       ProgramDesc  1 bytes { 1 varint index, 2 varint parent
func protobuf(b []byte) string {
	if len(b) < 4 {
		return ""
	}
	switch b[0] {
	case 0x08:
		if b[1] == 1 && b[2] == 0x12 && savedModel(b[3:]) {
			return "saved"
		}
	case 0x0a:
		_, n := binary.Uvarint(b[1:])
		if n <= 0 || len(b) < 1+n+4 {
			return ""
		}
		switch in := b[1+n:]; {
		case in[0] == 0x0a:
			return "graph"
		case in[0] == 0x08 && in[2] == 0x10:
			return "paddle"
		}
	}
	return ""
}

// savedModel looks into field 2: a MetaGraphDef starts with a message (MetaInfoDef or GraphDef), ONNX's producer_name is
// a text.
func savedModel(b []byte) bool {
	_, n := binary.Uvarint(b)
	return n > 0 && len(b) > n && (b[n] == 0x0a || b[n] == 0x12)
}
