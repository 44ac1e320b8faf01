package systemtest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
	"edgeward/runtime/engine/enginetest"
)

// TestOwnTables trains a classifier and a regressor on a table without time and asks both by named fields.
func TestOwnTables(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	var b strings.Builder
	b.WriteString("roast_c,minutes,origin,cupping,grade\n")
	r := rand.New(rand.NewPCG(3, 5))
	origins := []string{"Huila", "Sidamo", "Cerrado"}
	for range 900 {
		temp, min, o := 190+40*r.Float64(), 8+8*r.Float64(), r.IntN(3)
		score := 80 + 4*float64(o) - math.Abs(temp-212)/6 - math.Abs(min-12)/2 + r.NormFloat64()*.4
		grade := "commercial"
		switch {
		case score > 82:
			grade = "specialty"
		case score > 79:
			grade = "premium"
		}
		minutes := fmt.Sprintf("%.1f", min)
		if r.IntN(20) == 0 {
			minutes = "" // not written down
		}
		fmt.Fprintf(&b, "%.1f,%s,%s,%.2f,%s\n", temp, minutes, origins[o], score, grade)
	}
	imported(t, s.Client, "roasts", "roasts.csv", b.String())
	ctx := within(t, 2*time.Minute)
	good := map[string]any{"roast_c": 212.0, "minutes": 12.0, "origin": "Cerrado"}
	bad := map[string]any{"roast_c": 229.0, "minutes": nil, "origin": "Huila"}

	t.Run("a classifier answers with the names of classes", func(t *testing.T) {
		// cupping would give the grade away: a person takes it out of the suggested recipe
		a := must[client.RecipeAnswer](t)(s.Recipe(ctx, "roasts", 0, client.RecipeRequest{Kind: "table", Target: "grade"}))
		trained(t, s.Client, "roast-grade", client.TrainRequest{DataSet: "roasts", Recipe: without(t, a.Recipe, "cupping")})
		got := must[[]client.Prediction](t)(s.Predict(ctx, "roast-grade", client.PredictRequest{Rows: []map[string]any{good, bad}}))
		if got[0].Outputs["label"] != "specialty" || got[1].Outputs["label"] != "commercial" {
			t.Errorf("got %v and %v", got[0].Outputs, got[1].Outputs)
		}
		f := must[client.FeedbackAnswer](t)(s.Feedback(ctx, client.Feedback{Prediction: got[0].ID, Source: "cupping table", Kind: "truth", Label: "premium"}))
		if f.Accepted != 1 {
			t.Errorf("feedback %+v", f)
		}
		must[client.FeedbackAnswer](t)(s.Feedback(ctx, client.Feedback{Prediction: got[1].ID, Source: "cupping table", Kind: "truth", Label: "commercial"}))
		p := must[[]client.Performance](t)(s.Performance(ctx, "roast-grade", client.Window{}))
		if len(p) != 1 || p[0].Pairs != 2 || p[0].Accuracy == nil || *p[0].Accuracy != 0.5 {
			t.Errorf("one of two right, but performance says %+v", p)
		}
	})
	t.Run("a regressor answers with a number", func(t *testing.T) {
		a := must[client.RecipeAnswer](t)(s.Recipe(ctx, "roasts", 0, client.RecipeRequest{Target: "cupping"}))
		trained(t, s.Client, "roast-score", client.TrainRequest{DataSet: "roasts", Recipe: without(t, a.Recipe, "grade")})
		got := must[[]client.Prediction](t)(s.Predict(ctx, "roast-score", client.PredictRequest{Rows: []map[string]any{good, bad}}))
		best, worst := number(t, got[0]), number(t, got[1])
		if best < 85 || best > 90 || worst > 80 {
			t.Errorf("got %v and %v", best, worst)
		}
		y := 87.5
		again := client.Feedback{Prediction: got[0].ID, Source: "cupping table", Kind: "truth", Value: &y}
		must[client.FeedbackAnswer](t)(s.Feedback(ctx, again))
		if f := must[client.FeedbackAnswer](t)(s.Feedback(ctx, again)); f.Known != 1 || f.Accepted != 0 {
			t.Errorf("the same feedback twice: %+v", f)
		}
	})
}

// without takes a column out of a recipe's covariates.
func without(t testing.TB, recipe json.RawMessage, column string) json.RawMessage {
	t.Helper()
	var r map[string]any
	if err := json.Unmarshal(recipe, &r); err != nil {
		t.Fatal(err)
	}
	var kept []any
	for _, c := range r["covariates"].([]any) {
		if c.(map[string]any)["column"] != column {
			kept = append(kept, c)
		}
	}
	r["covariates"] = kept
	return must[[]byte](t)(json.Marshal(r))
}

// number is the only number among a prediction's outputs, or the first by the names a table model has.
func number(t testing.TB, p client.Prediction) float64 {
	t.Helper()
	for _, name := range []string{"prediction", "forecast", "value", "y"} {
		if v, ok := p.Outputs[name].(float64); ok {
			return v
		}
	}
	for _, v := range p.Outputs {
		if v, ok := v.(float64); ok && len(p.Outputs) == 1 {
			return v
		}
	}
	t.Fatalf("no number in %v", p.Outputs)
	return 0
}

// TestOwnONNXFile drops a model file in and asks it as the Open Inference Protocol has it, in JSON and in binary.
func TestOwnONNXFile(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	ctx := within(t, 2*time.Minute)
	v := must[client.ImportedVersion](t)(s.ImportModel(ctx, "leak-finder", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{Filename: "leak.onnx"}))
	var rep struct {
		Candidates []struct {
			Engine string
			Loads  bool
			P50    float64 `json:"p50_us"`
		}
		Why string
	}
	if err := json.Unmarshal(v.Manifest.Engines, &rep); err != nil || len(rep.Candidates) != 2 || rep.Why == "" {
		t.Fatalf("engine report %s: %v", v.Manifest.Engines, err)
	}
	for _, c := range rep.Candidates {
		if !c.Loads || c.P50 <= 0 {
			t.Errorf("engine %+v", c)
		}
	}
	deployed(t, s.Client, "leak-finder", 1)
	path := "/v2/models/leak-finder"

	t.Run("the same file again", func(t *testing.T) {
		for _, c := range []struct {
			name     string
			upload   client.ModelUpload
			number   int
			existing bool
		}{
			{"under another file name", client.ModelUpload{Filename: "copy.onnx"}, 1, true},
			{"with its task said", client.ModelUpload{Task: "raw"}, 1, true},
			{"for another use", client.ModelUpload{IntendedUse: "a rehearsal"}, 2, false},
			{"for that use again", client.ModelUpload{IntendedUse: "a rehearsal"}, 2, true},
			{"for another task", client.ModelUpload{Task: "regression"}, 3, false},
		} {
			got := must[client.ImportedVersion](t)(s.ImportModel(ctx, "leak-finder", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), c.upload))
			if got.Number != c.number || got.Existing != c.existing || c.number == 1 && got.Digest != v.Digest {
				t.Errorf("%s: version %d, existing %t, want %d, %t", c.name, got.Number, got.Existing, c.number, c.existing)
			}
		}
		if other := must[client.ImportedVersion](t)(s.ImportModel(ctx, "another-name", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{})); other.Existing || other.Number != 1 {
			t.Errorf("another model took the version of this one: %+v", other.Number)
		}
	})
	t.Run("JSON", func(t *testing.T) {
		a := must[client.InferAnswer](t)(s.Infer(ctx, "leak-finder", client.InferRequest{ID: "mine", Inputs: []client.Tensor{{Name: "x", Datatype: "FP32", Shape: []int64{2, 2}, Values: []float64{3, 1, 0, 2}}}}))
		if a.ID != "mine" || a.Prediction == "" || a.Version != 1 || a.First("y") != 5.5 || a.Outputs[0].Values[1] != -1.5 {
			t.Errorf("%+v", a)
		}
	})
	t.Run("binary", func(t *testing.T) {
		head := `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}],"outputs":[{"name":"y","parameters":{"binary_data":true}}]}`
		body := binary.LittleEndian.AppendUint32([]byte(head), math.Float32bits(3))
		body = binary.LittleEndian.AppendUint32(body, math.Float32bits(1))
		a := s.request(t, "POST", path+"/infer", bootstrap, string(body), "Inference-Header-Content-Length", strconv.Itoa(len(head)), "Content-Type", "application/octet-stream")
		n, _ := strconv.Atoi(a.Header.Get("Inference-Header-Content-Length"))
		if a.StatusCode != http.StatusOK || n == 0 || len(a.body) != n+4 || math.Float32frombits(binary.LittleEndian.Uint32(a.body[n:])) != 5.5 {
			t.Errorf("%s header length %d of %d: %.300s", a.Status, n, len(a.body), a.body)
		}
		if a.Header.Get("Edgeward-Prediction-Id") == "" {
			t.Error("no Edgeward-Prediction-Id")
		}
	})
	t.Run("metadata and health", func(t *testing.T) {
		for path, want := range map[string]string{path: `"inputs"`, path + "/ready": "", "/v2/health/ready": "", "/v2/health/live": "", "/v2": "extensions"} {
			if a := s.request(t, "GET", path, bootstrap, ""); a.StatusCode != http.StatusOK || !strings.Contains(string(a.body), want) {
				t.Errorf("GET %s: %s %.200s", path, a.Status, a.body)
			}
		}
	})
	// Everything that is wrong is a precise 4xx.
	in := func(name, datatype, shape, data string) string {
		return fmt.Sprintf(`{"inputs":[{"name":%q,"datatype":%q,"shape":%s,"data":%s}]}`, name, datatype, shape, data)
	}
	for _, bad := range []struct {
		what, path, body string
		status           int
		code             string
	}{
		{"unknown model", "/v2/models/nobody", in("x", "FP32", "[1,2]", "[1,2]"), 404, "endpoint.not_found"},
		{"unknown version", path + "/versions/7", in("x", "FP32", "[1,2]", "[1,2]"), 404, ""},
		{"wrong name", path, in("z", "FP32", "[1,2]", "[1,2]"), 422, "input.unknown"},
		{"wrong dtype", path, in("x", "INT64", "[1,2]", "[1,2]"), 422, "input.datatype"},
		{"wrong shape", path, in("x", "FP32", "[2,1]", "[1,2]"), 422, "input.shape"},
		{"wrong size", path, in("x", "FP32", "[1,2]", "[1,2,3]"), 422, ""},
		{"NaN", path, in("x", "FP32", "[1,2]", "[1,NaN]"), 422, ""},
		{"no JSON", path, "{", 422, ""},
	} {
		t.Run(bad.what, func(t *testing.T) {
			a := s.request(t, "POST", bad.path+"/infer", bootstrap, bad.body)
			p := a.problem()
			if a.StatusCode != bad.status && !(bad.status == 422 && a.StatusCode == 400) || bad.code != "" && p.Code != bad.code || p.Error == "" {
				t.Errorf("%s %s, want %d %s", a.Status, a.body, bad.status, bad.code)
			}
		})
	}
	t.Run("a model that is none or asks for 12 GB is refused, and the others go on", func(t *testing.T) {
		for name, model := range map[string][]byte{"no-model": []byte("PK\x03\x04 not a model at all"), "half-model": enginetest.ONNX(t, "digits").Bytes[:900],
			"huge": enginetest.ONNX(t, "hugeconst").Bytes} {
			wantRefused(t, s, name, model)
		}
		a := must[client.InferAnswer](t)(s.Infer(ctx, "leak-finder", client.InferRequest{Inputs: []client.Tensor{{Name: "x", Datatype: "FP32", Shape: []int64{1, 2}, Values: []float64{3, 1}}}}))
		if a.First("y") != 5.5 {
			t.Errorf("%+v", a)
		}
	})
}

// wantRefused imports what must not become a model.
func wantRefused(t testing.TB, s *server, name string, model []byte) {
	t.Helper()
	ctx := within(t, 3*time.Minute)
	began := time.Now()
	_, err := s.ImportModel(ctx, name, bytes.NewReader(model), client.ModelUpload{Filename: name + ".onnx"})
	t.Logf("%s after %.1f s: %v", name, time.Since(began).Seconds(), err)
	if k := edgeward.KindOf(err); (k != edgeward.Invalid && k != edgeward.Exhausted) || edgeward.CodeOf(err) == "" || edgeward.HintOf(err) == "" {
		t.Errorf("%s: %v (kind %v, code %q, hint %q)", name, err, k, edgeward.CodeOf(err), edgeward.HintOf(err))
	}
	if _, err := s.Model(ctx, name); edgeward.KindOf(err) != edgeward.NotFound {
		t.Errorf("%s: a model is left: %v", name, err)
	}
}
