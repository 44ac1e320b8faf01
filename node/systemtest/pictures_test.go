package systemtest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"edgeward"
	pb "edgeward/node/api/oip/oippb"
	"edgeward/node/client"
	"edgeward/packaging/needtest"
	"edgeward/runtime/engine/enginetest"
	"edgeward/runtime/tensor"
)

const pictureDeclaration = "resize=20,crop=16,filter=bicubic,scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225"

// scenery is a picture with something everywhere.
func scenery(h, w int) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, color.NRGBA{uint8(9 * x), uint8(7 * y), uint8(x * y), 255})
		}
	}
	return img
}

// gallery is a server with the model scene behind an endpoint that takes pictures: two files and what they become.
type gallery struct {
	*server
	name    string // of the endpoint that is asked
	version client.ModelVersion
	files   []string // a PNG and a JPEG of different sizes
	inputs  tensor.Tensor
	want    []uint32 // bits of the answers to the tensor
}

func newGallery(t *testing.T) *gallery {
	t.Helper()
	needNative(t)
	g := &gallery{server: start(t, options{}), name: "scene"}
	ctx := within(t, 2*time.Minute)
	v := must[client.ImportedVersion](t)(g.ImportModel(ctx, "scene", bytes.NewReader(enginetest.ONNX(t, "scene").Bytes), client.ModelUpload{Filename: "scene.onnx", Task: "image", Image: pictureDeclaration}))
	g.version = v.Version
	deployed(t, g.Client, "scene", 1)
	var p, j bytes.Buffer
	if err := png.Encode(&p, scenery(31, 40)); err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(&j, scenery(64, 48), nil); err != nil {
		t.Fatal(err)
	}
	g.files = []string{p.String(), j.String()}
	m := v.Manifest
	var err error
	if g.inputs, err = m.Preprocessing[0].Tensor(ctx, g.bytes(t), m.Signature.Inputs[0]); err != nil {
		t.Fatal(err)
	}
	g.want = g.binary(t, fmt.Sprintf(`{"inputs":[{"name":"image","datatype":"FP32","shape":[2,3,16,16],"parameters":{"binary_data_size":%d}}],"parameters":{"binary_data_output":true}}`, len(g.inputs.Data)), string(g.inputs.Data))
	if len(g.want) != 8 || slices.Equal(g.want[:4], g.want[4:]) {
		t.Fatalf("the model says %v of two pictures", g.want)
	}
	return g
}

// bytes are the files as the protocol's BYTES.
func (g *gallery) bytes(t *testing.T) tensor.Tensor {
	t.Helper()
	x, err := tensor.FromStrings("image", []int64{2}, g.files)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// binary asks over REST with binary data and returns the bits of the answer.
func (g *gallery) binary(t *testing.T, header, data string) []uint32 {
	t.Helper()
	a := g.request(t, "POST", "/v2/models/"+g.name+"/infer", bootstrap, header+data, "Content-Type", "application/octet-stream", "Inference-Header-Content-Length", fmt.Sprint(len(header)))
	if a.StatusCode != 200 {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	var n int
	fmt.Sscan(a.Header.Get("Inference-Header-Content-Length"), &n)
	return bitsOf(a.body[n:])
}

func bitsOf(b []byte) (out []uint32) {
	for ; len(b) >= 4; b = b[4:] {
		out = append(out, binary.LittleEndian.Uint32(b))
	}
	return out
}

func floatBits(v []float64) (out []uint32) {
	for _, x := range v {
		out = append(out, math.Float32bits(float32(x)))
	}
	return out
}

// answered is the first output of a JSON answer.
func answered(t *testing.T, a answer) []uint32 {
	t.Helper()
	var out struct{ Outputs []struct{ Data []float64 } }
	if err := json.Unmarshal(a.body, &out); err != nil || a.StatusCode != 200 || len(out.Outputs) != 1 {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	return floatBits(out.Outputs[0].Data)
}

// TestPicturesAnswerAlikeEverywhere: the tensor that a picture becomes, and the picture by each protocol, give the same bits: of a
// model, and of a graph that the model is a node of.
func TestPicturesAnswerAlikeEverywhere(t *testing.T) {
	g := newGallery(t)
	t.Run("model", g.answersAlike)
	g.graphed(t)
	g.name = "graphed"
	t.Run("graph", g.answersAlike)
}

// graphed puts a graph of scene behind an endpoint.
func (g *gallery) graphed(t *testing.T) {
	t.Helper()
	ctx := within(t, 2*time.Minute)
	apply := func(declaration string) (client.ImportedVersion, error) {
		b, err := json.Marshal(declaration)
		if err != nil {
			t.Fatal(err)
		}
		var q client.GraphRequest
		unmarshal(t, []byte(`{"inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 3, 16, 16], "image": `+string(b)+`}],
			"nodes": [{"name": "scene", "model": "scene/1", "inputs": {"image": "image"}}], "outputs": [{"name": "probabilities", "from": "scene.probabilities"}],
			"example": {"image": "`+base64.StdEncoding.EncodeToString([]byte(g.files[0]))+`"}}`), &q)
		return g.ApplyGraph(ctx, "graphed", q)
	}
	v := must[client.ImportedVersion](t)(apply(pictureDeclaration))
	if as := must[client.ImportedVersion](t)(apply("model")); !as.Existing || as.Digest != v.Digest {
		t.Errorf("the declaration of the model makes another version: %+v", as)
	}
	if p := v.Manifest.Preprocessing; len(p) != 1 || p[0].Input != "image" || v.Manifest.Golden == "" {
		t.Errorf("manifest %+v", v.Manifest)
	}
	_, err := apply("resize=8x8")
	wantError(t, err, edgeward.Invalid, "image.declaration")
	if view := must[client.GraphView](t)(g.Graph(ctx, "graphed", 1)); !strings.Contains(view.Inputs[0].Image, "shorter side resized to 20") {
		t.Errorf("shown as %+v", view.Inputs)
	}
	deployed(t, g.Client, "graphed", 1)
}

func (g *gallery) answersAlike(t *testing.T) {
	same := func(t *testing.T, got, want []uint32) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("got  %x\nwant %x", got, want)
		}
	}
	b64 := func(i int) string { return base64.StdEncoding.EncodeToString([]byte(g.files[i])) }
	data := string(g.bytes(t).Data)
	t.Run("REST, binary", func(t *testing.T) {
		same(t, g.binary(t, fmt.Sprintf(`{"inputs":[{"name":"image","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":%d}}],"parameters":{"binary_data_output":true}}`, len(data)), data), g.want)
	})
	t.Run("REST, JSON", func(t *testing.T) {
		same(t, answered(t, g.request(t, "POST", "/v2/models/"+g.name+"/infer", bootstrap, `{"inputs":[{"name":"image","datatype":"BYTES","shape":[2,1],"data":["`+b64(0)+`","`+b64(1)+`"]}]}`)), g.want)
	})
	t.Run("REST, a body that is a picture", func(t *testing.T) {
		same(t, answered(t, g.request(t, "POST", "/v2/models/"+g.name+"/infer", bootstrap, g.files[0], "Content-Type", "image/png")), g.want[:4])
		same(t, answered(t, g.request(t, "POST", "/v2/models/"+g.name+"/versions/1/infer", bootstrap, g.files[1], "Content-Type", "image/jpeg")), g.want[4:])
		same(t, g.binary(t, "", g.files[1]), g.want[4:])
		same(t, g.binary(t, "", string(g.inputs.Data[:len(g.inputs.Data)/2])), g.want[:4])
	})
	t.Run("gRPC", func(t *testing.T) {
		conn := dialGRPC(t, g.node.GRPCAddress(), insecure.NewCredentials())
		ctx := metadata.AppendToOutgoingContext(within(t, time.Minute), "authorization", "Bearer "+bootstrap)
		in := &pb.ModelInferRequest_InferInputTensor{Name: "image", Datatype: "BYTES", Shape: []int64{2}}
		for what, r := range map[string]*pb.ModelInferRequest{
			"raw_input_contents": {ModelName: g.name, Inputs: []*pb.ModelInferRequest_InferInputTensor{in}, RawInputContents: [][]byte{[]byte(data)}},
			"bytes_contents": {ModelName: g.name, Inputs: []*pb.ModelInferRequest_InferInputTensor{{Name: "image", Datatype: "BYTES", Shape: []int64{2},
				Contents: &pb.InferTensorContents{BytesContents: [][]byte{[]byte(g.files[0]), []byte(g.files[1])}}}}},
		} {
			var out pb.ModelInferResponse
			if err := conn.Invoke(ctx, "/inference.GRPCInferenceService/ModelInfer", r, &out); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			same(t, bitsOf(out.RawOutputContents[0]), g.want)
		}
	})
	t.Run("named fields", func(t *testing.T) {
		all := must[[]client.Prediction](t)(g.Predict(within(t, time.Minute), g.name, client.PredictRequest{Rows: []map[string]any{{"image": b64(0)}, {"image": []any{b64(0), b64(1)}}}}))
		for i, want := range [][]uint32{g.want[:4], g.want} {
			var v []float64
			for _, x := range all[i].Outputs["probabilities"].([]any) {
				v = append(v, x.(float64))
			}
			same(t, floatBits(v), want)
		}
	})
	t.Run("what the record keeps is the tensor", func(t *testing.T) {
		a := g.request(t, "POST", "/v2/models/"+g.name+"/infer", bootstrap, g.files[0], "Content-Type", "image/png")
		id := a.Header.Get("Edgeward-Prediction-Id")
		var p client.PredictionEntry
		eventually(t, time.Minute, "the record is there", func() (ok bool) {
			var err error
			p, err = g.Prediction(within(t, time.Minute), id)
			return err == nil && len(p.Predictions) == 1
		})
		if in := p.Predictions[0].Inputs; len(in) != 1 || in[0].Datatype != "FP32" || !slices.Equal(in[0].Shape, []int64{1, 3, 16, 16}) {
			t.Errorf("kept %+v", in)
		}
	})
}

// TestADeclarationMakesAnotherVersion: it is part of a version's identity, and seen wherever versions are.
func TestADeclarationMakesAnotherVersion(t *testing.T) {
	g := newGallery(t)
	ctx := within(t, 2*time.Minute)
	file := enginetest.ONNX(t, "scene").Bytes
	again := func(declaration string, number int, existing bool) client.ImportedVersion {
		t.Helper()
		v := must[client.ImportedVersion](t)(g.ImportModel(ctx, "scene", bytes.NewReader(file), client.ModelUpload{Filename: "scene.onnx", Task: "image", Image: declaration}))
		if v.Number != number || v.Existing != existing {
			t.Errorf("%q: version %d, existing %v", declaration, v.Number, v.Existing)
		}
		return v
	}
	again(pictureDeclaration, 1, true)
	plain := again("", 2, false)
	again("default", 3, false)
	again(`{"resize": {"mode": "exact", "height": 16, "width": 16}}`, 3, true)
	if plain.Digest == g.version.Digest || len(plain.Manifest.Preprocessing) != 0 {
		t.Errorf("no declaration: %+v", plain.Manifest.Preprocessing)
	}
	_, err := g.ImportModel(ctx, "scene", bytes.NewReader(file), client.ModelUpload{Filename: "scene.onnx", Image: "resize=8x8"})
	wantError(t, err, edgeward.Invalid, "image.declaration")

	meta := g.request(t, "GET", "/v2/models/scene", bootstrap, "")
	for _, want := range []string{`"datatype":"FP32","shape":[-1,3,16,16]`, `"parameters":{"edgeward_image":"BYTES [-1]"}`} {
		if !strings.Contains(string(meta.body), want) {
			t.Errorf("metadata %s; want %s", meta.body, want)
		}
	}
	if c := g.request(t, "GET", "/v2/models/scene/config", bootstrap, ""); !strings.Contains(string(c.body), `"format":"FORMAT_NCHW"`) || !strings.Contains(string(c.body), `"edgeward_image":{"string_value":"[{\"input\":\"image\"`) {
		t.Errorf("config %s", c.body)
	}
	if card := must[string](t)(g.Card(ctx, "scene", 1)); !strings.Contains(card, "shorter side resized to 20 (bicubic), the middle 16 by 16") {
		t.Errorf("card %s", card)
	}
	e := must[client.EndpointView](t)(g.Endpoint(ctx, "scene"))
	if len(e.Fields) != 1 || e.Fields[0].Kind != "image" {
		t.Errorf("fields %+v", e.Fields)
	}

	// What is wrong is said by kind and code, and the endpoint goes on.
	for _, c := range []struct {
		status           int
		code, kind, body string
	}{
		{400, "image.format", "image/png", "GIF89a"},
		{400, "image.damaged", "image/jpeg", g.files[1][:300]},
		{400, "input.datatype", "application/json", `{"inputs":[{"name":"image","datatype":"INT64","shape":[1],"data":[1]}]}`},
		{400, "image.format", "application/json", `{"inputs":[{"name":"image","datatype":"BYTES","shape":[1],"data":["hello"]}]}`},
	} {
		a := g.request(t, "POST", "/v2/models/scene/infer", bootstrap, c.body, "Content-Type", c.kind)
		if a.StatusCode != c.status || !strings.Contains(string(a.body), `"code":"`+c.code+`"`) {
			t.Errorf("%d %s; want %s", a.StatusCode, a.body, c.code)
		}
	}
	must[client.Spec](t)(g.ChangeSpec(ctx, "scene", client.Promote, client.ChangeRequest{Version: 2, Reason: "takes tensors only"}))
	must[client.EndpointView](t)(g.AwaitLive(ctx, "scene", 2))
	if a := g.request(t, "POST", "/v2/models/scene/infer", bootstrap, g.files[0], "Content-Type", "image/png"); a.StatusCode != 400 || !strings.Contains(string(a.body), "request.picture") {
		t.Errorf("a version that declares nothing: %d %s", a.StatusCode, a.body)
	}
}

const tritonPictures = `
import base64, json, os, sys, numpy as np, tritonclient.http as h, tritonclient.grpc as g
url, addr, token, want, model, declaration, formats, *paths = sys.argv[1:]
auth = {"authorization": "Bearer " + token}
files = [open(p, "rb").read() for p in paths]
want = bytes.fromhex(want)
config = json.dumps({"backend": "onnxruntime", "parameters": {"edgeward_image": {"string_value": declaration}}})
for name, client in ("by-http", h.InferenceServerClient(url)), ("by-grpc", g.InferenceServerClient(addr)):
    client.load_model(name, headers=dict(auth), config=config, files={"file:1/model.onnx": open(model, "rb").read()})
http = h.InferenceServerClient(url)
def tree(folder, at):
    return {"file:" + at + os.path.relpath(os.path.join(d, f), folder): open(os.path.join(d, f), "rb").read() for d, _, files in os.walk(folder) for f in files}
x = h.InferInput("x", [1, 2], "FP32")
x.set_data_from_numpy(np.array([[3, 1]], np.float32))
parts = tree(os.path.join(formats, "openvino"), "7/") | {"file:config.pbtxt": b"name: 'ir'"}
for name, config_, files_ in ("ir", '{"backend": "openvino"}', parts), ("saved", '{"platform": "tensorflow_savedmodel"}', tree(os.path.join(formats, "savedmodel"), "1/model.savedmodel/")):
    http.load_model(name, headers=dict(auth), config=config_, files=files_)  # of several files
    assert http.infer(name, [x], headers=dict(auth)).as_numpy("y").tolist() == [[5.5]]
for more, why in ({"file:8/model.xml": b"<net/>"}, "one version"), ({"file:7/../../up": b"x"}, "leaves"):
    try:
        http.load_model("ir", headers=dict(auth), config="{}", files=parts | more)
        raise SystemExit("taken: " + why)
    except h.InferenceServerException as e:
        assert why in e.message(), e.message()
served = h.InferenceServerClient(url).get_model_config("by-http", headers=dict(auth))
h.InferenceServerClient(url).load_model("by-http", headers=dict(auth), config=json.dumps(served))  # what is served says what is so
try:
    h.InferenceServerClient(url).load_model("by-http", headers=dict(auth), config=config.replace("crop=16", "crop=17"))
    raise SystemExit("another declaration was taken")
except h.InferenceServerException as e:
    assert "in another way" in e.message(), e.message()
for name in "scene", "graphed", "by-http", "by-grpc":
    i = h.InferInput("image", [2], "BYTES")
    i.set_data_from_numpy(np.array(files, dtype=np.object_))
    assert h.InferenceServerClient(url).infer(name, [i], headers=dict(auth)).as_numpy("probabilities").tobytes() == want, name
    j = h.InferInput("image", [2], "BYTES")
    j.set_data_from_numpy(np.array([base64.b64encode(f) for f in files], dtype=np.object_), binary_data=False)
    assert h.InferenceServerClient(url).infer(name, [j], headers=dict(auth)).as_numpy("probabilities").tobytes() == want, name
    k = g.InferInput("image", [2], "BYTES")
    k.set_data_from_numpy(np.array(files, dtype=np.object_))
    assert g.InferenceServerClient(addr).infer(name, [k], headers=auth).as_numpy("probabilities").tobytes() == want, name
print("ok")
`

// TestTritonClientSendsPictures: the client that Triton's users have needs no change, neither to send pictures nor to upload a model
// with what it says of them.
func TestTritonClientSendsPictures(t *testing.T) {
	python := needtest.Python(t, "tritonclient.http", "tritonclient.grpc", "numpy", "gevent")
	g := newGallery(t)
	g.graphed(t)
	dir := t.TempDir()
	model := filepath.Join(dir, "scene.onnx")
	if err := os.WriteFile(model, enginetest.ONNX(t, "scene").Bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, 0, 32)
	for _, b := range g.want {
		raw = binary.LittleEndian.AppendUint32(raw, b)
	}
	args := []string{"-c", tritonPictures, strings.TrimPrefix(g.url, "http://"), g.node.GRPCAddress(), bootstrap, fmt.Sprintf("%x", raw), model, pictureDeclaration, "../../runtime/modelfile/testdata"}
	for i, f := range g.files {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, []byte(f), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	out, err := exec.CommandContext(within(t, time.Minute), python, args...).CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		t.Errorf("%v\n%s", err, out)
	}
}
