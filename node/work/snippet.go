package work

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/models"
	"edgeward/runtime/picture"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// maxInline is the longest body in bytes that a snippet shows; a longer one is read from request.json.
const maxInline = 4096

// hostOnly is what a program may be told to ask: it stands there without quotes.
var hostOnly = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]+$`)

// Snippets are programs that ask an endpoint under the address base, such as "http://ward:8080": of one language, or of
// all where lang is "". Their example is made of medians and zeros, never of a row that was really there.
func (w *Work) Snippets(ctx context.Context, group, name, base, lang string) (wire.Snippets, error) {
	const op = "work.Snippets"
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !hostOnly.MatchString(u.Host) || strings.TrimRight(base, "/") != u.Scheme+"://"+u.Host {
		return wire.Snippets{}, edgeward.E(op, edgeward.Invalid, "snippet.url", "%.80q is no server address", base).WithHint("write http://ward:8080")
	}
	d, err := w.Store.Deployment(ctx, serve.Key{Group: group, Name: name})
	if err != nil {
		return wire.Snippets{}, err
	}
	live, ok := d.Spec.Live()
	if !ok {
		return wire.Snippets{}, edgeward.E(op, edgeward.Conflict, "endpoint.no_live", "nothing is live yet at %s", name).WithHint("promote a version first: its inputs are what a program sends")
	}
	v, err := w.Store.ModelVersion(ctx, group, models.Ref{Model: d.Endpoint.Model, Version: live.Version})
	if err != nil {
		return wire.Snippets{}, err
	}
	fields, err := w.exampleFields(ctx, &v)
	if err != nil {
		return wire.Snippets{}, err
	}
	out := wire.Snippets{Row: map[string]any{}, Items: snippets(u, name, &v, fields)}
	message, err := w.mqttSnippet(ctx, group, name, u, requestBody(fields))
	if err != nil {
		return wire.Snippets{}, err
	}
	if message != nil {
		out.Items = slices.Insert(out.Items, slices.IndexFunc(out.Items, func(s wire.Snippet) bool { return s.Lang == "json" }), *message)
	}
	for _, f := range fields {
		out.Row[f.Name] = f.Example
	}
	if lang != "" {
		out.Items = slices.DeleteFunc(out.Items, func(s wire.Snippet) bool { return s.Lang != lang })
		if len(out.Items) == 0 {
			return wire.Snippets{}, edgeward.E(op, edgeward.Invalid, "snippet.lang", "there is no snippet in %.40q for this endpoint", lang).WithHint("there are curl, python, go, mqtt, json, v2-curl and v2-python; mqtt where this server has a broker")
		}
	}
	return out, nil
}

// exampleFields are a version's fields with an example each.
func (w *Work) exampleFields(ctx context.Context, v *models.Version) ([]wire.Field, error) {
	fields, err := Fields(*v)
	if err != nil {
		return nil, err
	}
	p, err := w.features(ctx, *v)
	if err != nil {
		return nil, err
	}
	for i := range fields {
		f := &fields[i]
		switch f.Kind {
		case "category":
			if len(f.Choices) > 0 {
				f.Example = f.Choices[0]
			}
		case "number":
			f.Example = 0.0
			if p == nil {
				continue
			}
			if c := p.Column(f.Name); c != nil && len(c.Edges) > 0 {
				f.Example = roughly(c.Edges[len(c.Edges)/2])
			}
		case "image":
			p, _ := picture.Of(v.Manifest.Preprocessing, f.Name) // that made it one
			in, _ := v.Manifest.Signature.Input(f.Name)
			f.Example = base64.StdEncoding.EncodeToString(p.Blank(in))
		default:
			f.Example = filled(f.Shape, tensor.Datatype(f.Datatype))
		}
	}
	return fields, nil
}

// roughly keeps three digits.
func roughly(x float64) float64 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return 0
	}
	scale := math.Pow(10, 2-math.Floor(math.Log10(math.Abs(x))))
	return math.Round(x*scale) / scale
}

// maxExample bounds the elements of an example tensor.
const maxExample = 1 << 20

// filled are nested lists of a shape, one where any length is taken: zeros, or empty texts.
func filled(shape []int64, d tensor.Datatype) any {
	n := int64(1)
	for _, s := range shape {
		if n *= max(s, 1); n > maxExample {
			return nil
		}
	}
	if len(shape) == 0 {
		switch d {
		case tensor.Bytes:
			return ""
		case tensor.Bool:
			return false
		}
		return 0.0
	}
	size := shape[0]
	if size < 0 {
		size = 1
	}
	list := make([]any, size)
	for i := range list {
		list[i] = filled(shape[1:], d)
	}
	return list
}

// snippets writes every program.
func snippets(base *url.URL, name string, v *models.Version, fields []wire.Field) []wire.Snippet {
	at := strings.TrimRight(base.String(), "/")
	body, python := requestBody(fields), object(fields, pythonic)
	ask := at + "/api/v1/endpoints/" + name + "/predict"
	own := ""
	if base.Scheme == "https" {
		own = "# with the server's own certificate: export SSL_CERT_FILE=ca.pem, a copy of its tls/ca.pem\n"
	}
	curlBody, pythonBody, goBody, note := shellQuoted(body), `json.dumps({"fields": `+python+`}).encode()`,
		"strings.NewReader(`"+strings.ReplaceAll(body, "`", `\u0060`)+"`)", ""
	if len(fields) == 1 && fields[0].Kind == "image" {
		return pictureSnippets(base, own, at+"/v2/models/"+name+"/infer", name, fields[0].Name, body)
	}
	if len(body) > maxInline {
		note = "# request.json: edgeward endpoint snippet " + name + " --lang json > request.json\n"
		curlBody, pythonBody, goBody = "@request.json", `open("request.json", "rb").read()`, "os.Stdin"
	}
	out := []wire.Snippet{
		{Lang: "curl", Title: "curl", Code: own + note + "curl -sS " + ask + " \\\n  -H \"Authorization: Bearer $EDGEWARD_TOKEN\" -H 'Content-Type: application/json' \\\n  -d " + curlBody},
		{Lang: "python", Title: "Python, nothing to install", Code: own + note + `import json, os, urllib.request

request = urllib.request.Request(
    "` + ask + `",
    ` + pythonBody + `,
    {"Authorization": "Bearer " + os.environ["EDGEWARD_TOKEN"], "Content-Type": "application/json"},
)
with urllib.request.urlopen(request) as answer:
    for p in json.load(answer)["items"]:
        print(p["outputs"], "version", p["version"], "prediction", p["id"])`},
		{Lang: "go", Title: "Go, standard library", Code: goProgram(strings.ReplaceAll(own+note, "# ", "// "), ask, goBody)},
		{Lang: "json", Title: "The body", Code: body},
	}
	return append(out, protocol(at, base, name, v, fields)...)
}

func goProgram(note, ask, body string) string {
	imports := []string{"fmt", "io", "log", "net/http", "os"}
	if strings.HasPrefix(body, "strings.") {
		imports = append(imports, "strings")
	}
	return note + "package main\n\nimport (\n\t\"" + strings.Join(imports, "\"\n\t\"") + `"
)

func main() {
	request, err := http.NewRequest(http.MethodPost, "` + ask + `",
		` + body + `,
	)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("EDGEWARD_TOKEN"))
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Status, string(said))
}`
}

// protocol asks through the Open Inference Protocol, as clients of Triton and KServe do.
func protocol(at string, base *url.URL, name string, v *models.Version, fields []wire.Field) []wire.Snippet {
	var inputs, arrays, names []string
	for i, s := range v.Manifest.Signature.Inputs {
		var flat []any
		shape := make([]int64, len(s.Shape))
		n := int64(1)
		for j, d := range s.Shape {
			shape[j] = max(d, 1)
			n *= shape[j]
		}
		datatype := s.Datatype
		if i < len(fields) && fields[i].Kind == "image" {
			datatype, shape, n = tensor.Bytes, []int64{1}, 1
		}
		if len(v.Manifest.Encoding) > 0 { // one tensor of all fields
			shape = []int64{1, int64(len(fields))}
			for _, f := range fields {
				x := any(f.Example)
				if f.Kind == "category" {
					x = float64(slices.Index(f.Choices, f.Example.(string)))
				}
				flat = append(flat, x)
			}
		} else if n > maxInline/4 {
			return nil // no program shows that many numbers
		} else {
			flat = flattened(fields[i].Example, nil)
		}
		dims, _ := json.Marshal(shape)
		inputs = append(inputs, `{"name": `+literal(s.Name)+`, "datatype": "`+string(datatype)+`", "shape": `+string(dims)+`, "data": `+literal(flat)+`}`)
		x := "x" + strconv.Itoa(i)
		names = append(names, x)
		arrays = append(arrays, x+` = http.InferInput(`+pythonic(s.Name)+`, `+string(dims)+`, "`+string(datatype)+`")
`+x+`.set_data_from_numpy(np.array(`+pythonic(flat)+`, dtype=triton_to_np_dtype("`+string(datatype)+`")).reshape(`+string(dims)+`))`)
	}
	secure := "False"
	if base.Scheme == "https" {
		secure = "True"
	}
	body := `{"inputs": [` + strings.Join(inputs, ", ") + `]}`
	return []wire.Snippet{
		{Lang: "v2-curl", Title: "Open Inference Protocol, curl", Code: "curl -sS " + at + "/v2/models/" + name + "/infer \\\n  -H \"Authorization: Bearer $EDGEWARD_TOKEN\" \\\n  -d " + shellQuoted(body)},
		{Lang: "v2-python", Title: "Open Inference Protocol, Python: pip install tritonclient[http]", Code: `import os
import numpy as np
import tritonclient.http as http
from tritonclient.utils import triton_to_np_dtype

client = http.InferenceServerClient("` + base.Host + `", ssl=` + secure + `)
` + strings.Join(arrays, "\n") + `
answer = client.infer("` + name + `", [` + strings.Join(names, ", ") + `], headers={"Authorization": "Bearer " + os.environ["EDGEWARD_TOKEN"]})
for output in answer.get_response()["outputs"]:
    print(output["name"], answer.as_numpy(output["name"]))`},
	}
}

func flattened(v any, flat []any) []any {
	if list, ok := v.([]any); ok {
		for _, e := range list {
			flat = flattened(e, flat)
		}
		return flat
	}
	return append(flat, v)
}

// requestBody is a predict request of one row: the example of each field.
func requestBody(fields []wire.Field) string { return `{"fields": ` + object(fields, literal) + `}` }

// object writes a row in the order of its fields.
func object(fields []wire.Field, write func(any) string) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = literal(f.Name) + ": " + write(f.Example)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// literal is v in JSON.
func literal(v any) string {
	b, err := json.Marshal(v)
	if err != nil { // only what JSON had before comes here
		return "null"
	}
	return string(b)
}

// pythonic is v in Python: its texts are those of JSON.
func pythonic(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = pythonic(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return literal(v)
}
