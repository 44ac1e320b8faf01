package modelfile

import (
	"path"
	"strings"
)

// mlflow takes an MLflow folder by the flavours its file MLmodel names, the first we know.
func (t *tree) mlflow() (*Found, error) {
	raw, err := t.read("MLmodel", 1<<20)
	if err != nil {
		return nil, err
	}
	flavors := flavors(string(raw))
	for _, f := range []struct {
		name string
		take func(string) (*Found, error)
	}{{"onnx", t.onnx}, {"lightgbm", t.lightgbm}, {"xgboost", t.xgboostFile}} {
		at, ok := flavors[f.name]
		if !ok {
			continue
		}
		if at = path.Clean(at); !t.has(at) {
			return nil, files("MLmodel names the file %.80q, which is not there", at).WithHint("send the whole folder that MLflow wrote")
		}
		found, err := f.take(at)
		if err != nil {
			return nil, err
		}
		found.What = "MLflow model, flavour " + f.name + ": " + found.What
		return found, nil
	}
	var names []string
	for n := range flavors {
		names = append(names, n)
	}
	return nil, format("the MLflow model has the flavours %.200q, and none of onnx, lightgbm and xgboost", strings.Join(names, ", ")).
		WithHint("log the model with mlflow.onnx.log_model")
}

// flavors reads the flavours of an MLmodel file and the file each keeps its model in. It is YAML as MLflow writes it:
// block mappings, two spaces a level.
func flavors(text string) map[string]string {
	out := map[string]string{}
	in, flavor := false, ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \r\n")
		rest := strings.TrimLeft(line, " ")
		key, value, ok := strings.Cut(rest, ":")
		if !ok || rest == "" || rest[0] == '#' {
			continue
		}
		value = strings.Trim(strings.TrimSpace(value), `"'`)
		switch indent := len(line) - len(rest); {
		case indent == 0:
			in = key == "flavors"
		case in && indent == 2 && len(out) < 100:
			flavor = key
			out[flavor] = ""
		case in && indent == 4 && (key == "data" || key == "model_uri" || key == "model_path"):
			out[flavor] = value
		}
	}
	return out
}
