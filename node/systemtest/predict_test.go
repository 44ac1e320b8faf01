package systemtest

import (
	"bytes"
	"errors"
	"fmt"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
	"edgeward/packaging/needtest"
	"edgeward/runtime/engine/enginetest"
)

// TestPredictByNames asks a trained and an imported model by named fields, and runs the programs that the server writes
// for each of them.
func TestPredictByNames(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	ctx := within(t, 3*time.Minute)
	var b strings.Builder
	b.WriteString("torque_nm,line,defect\n")
	for i := range 600 {
		torque, line := 20+float64(i%40), []string{"left", "right"}[i%2]
		fmt.Fprintf(&b, "%.1f,%s,%t\n", torque, line, torque > 42 && line == "left")
	}
	imported(t, s.Client, "screws", "screws.csv", b.String())
	a := must[client.RecipeAnswer](t)(s.Recipe(ctx, "screws", 0, client.RecipeRequest{Kind: "table", Target: "defect"}))
	trained(t, s.Client, "screw-defect", client.TrainRequest{DataSet: "screws", Recipe: a.Recipe})
	must[client.ImportedVersion](t)(s.ImportModel(ctx, "leak-finder", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{Filename: "leak.onnx"}))
	deployed(t, s.Client, "leak-finder", 1)
	must[client.ImportedVersion](t)(s.ImportModel(ctx, "scene", bytes.NewReader(enginetest.ONNX(t, "scene").Bytes), client.ModelUpload{Filename: "scene.onnx", Image: "scale=1/255"}))
	deployed(t, s.Client, "scene", 1)

	t.Run("one row, named", func(t *testing.T) {
		got := must[[]client.Prediction](t)(s.Predict(ctx, "screw-defect", client.PredictRequest{Fields: map[string]any{"torque_nm": 55, "line": "left"}}))
		p := got[0]
		if len(got) != 1 || p.ID == "" || p.Version != 1 || p.Role != "live" || p.Outputs["label"] != "true" || p.Classes["true"] < .5 || p.Notes != nil {
			t.Errorf("%+v", got)
		}
		got = must[[]client.Prediction](t)(s.Predict(ctx, "screw-defect", client.PredictRequest{Fields: map[string]any{"torque_nm": 55, "line": "lfet"}}))
		if len(got[0].Notes) != 1 || !strings.Contains(got[0].Notes[0], `nearest is "left"`) {
			t.Errorf("notes %q", got[0].Notes)
		}
	})
	t.Run("many rows keep their order", func(t *testing.T) {
		rows := make([]map[string]any, 100)
		for i := range rows {
			rows[i] = map[string]any{"x": []any{float64(i), 0.0}}
		}
		got := must[[]client.Prediction](t)(s.Predict(ctx, "leak-finder", client.PredictRequest{Rows: rows}))
		seen := map[string]bool{}
		for i, p := range got {
			if want := 2*float64(i) + (got[0].Outputs["y"].(float64)); p.Outputs["y"] != want || seen[p.ID] {
				t.Fatalf("row %d: %+v, want y %v", i, p, want)
			}
			seen[p.ID] = true
		}
	})
	t.Run("what is wrong is said with its row and the nearest name", func(t *testing.T) {
		_, err := s.Predict(ctx, "screw-defect", client.PredictRequest{Rows: []map[string]any{{"torque_nm": 30}, {"torqe_nm": 30}}})
		wantError(t, err, edgeward.Invalid, "predict.unknown_field")
		if p := edgeward.ParamsOf(err); p["row"] != "1" || p["nearest"] != "torque_nm" || !strings.Contains(err.Error(), "row 1") {
			t.Errorf("%v %v", err, p)
		}
		_, err = s.Predict(ctx, "leak-finder", client.PredictRequest{Fields: map[string]any{}})
		wantError(t, err, edgeward.Invalid, "input.missing")
		_, err = s.Predict(ctx, "leak-finder", client.PredictRequest{})
		wantError(t, err, edgeward.Invalid, "predict.rows")
		_, err = s.Predict(ctx, "leak-finder", client.PredictRequest{Fields: map[string]any{}, Rows: []map[string]any{{}}})
		wantError(t, err, edgeward.Invalid, "predict.rows")
		_, err = s.Predict(ctx, "no-finder", client.PredictRequest{Fields: map[string]any{}})
		wantError(t, err, edgeward.NotFound, "endpoint.not_found")
	})

	secret := token(t, s.Client, "service")
	t.Run("dashboards made for Triton find their counters", func(t *testing.T) {
		a := s.request(t, "GET", "/metrics", secret, "")
		for _, want := range []string{`nv_inference_request_success\{group="main",model="leak-finder",version="1"\} 100\n`,
			`nv_inference_count\{[^}]*model="leak-finder",version="1"\} 100\n`, `nv_inference_exec_count\{[^}]*model="leak-finder"[^}]*\} [1-9]`,
			`nv_inference_pending_request_count\{[^}]*model="leak-finder"[^}]*\} 0\n`, `edgeward_serve_run_rows_bucket\{endpoint="leak-finder"`} {
			if !regexp.MustCompile(want).Match(a.body) {
				t.Errorf("no %s in the metrics", want)
			}
		}
	})
	c := s.as(t, secret, "")
	_, err := c.Snippets(ctx, "leak-finder", "cobol")
	wantError(t, err, edgeward.Invalid, "snippet.lang")
	for _, name := range []string{"screw-defect", "leak-finder", "scene"} {
		must[client.Scoring](t)(s.CreateScoring(ctx, client.ScoringRequest{Name: name + "-messages", Endpoint: name, Source: client.ScoringSource{Kind: "mqtt"}}))
		all := must[client.Snippets](t)(c.Snippets(ctx, name, ""))
		if len(all.Row) == 0 {
			t.Errorf("%s: no example row", name)
		}
		for _, x := range all.Items {
			t.Run("the program in "+x.Lang+" for "+name, func(t *testing.T) { runSnippet(t, s, x.Lang, x.Code, secret) })
		}
	}
}

// runSnippet runs a program as a person would, with a token in its environment.
func runSnippet(t *testing.T, s *server, lang, code, secret string) {
	t.Helper()
	dir := t.TempDir()
	var photo bytes.Buffer
	if err := errors.Join(jpeg.Encode(&photo, scenery(48, 64), nil), os.WriteFile(filepath.Join(dir, "photo.jpg"), photo.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	var cmd *exec.Cmd
	switch lang {
	case "json":
		return // not a program; the others send it
	case "curl", "v2-curl", "mqtt":
		tools := []string{"curl"}
		if lang == "mqtt" {
			tools = []string{"mosquitto_pub", "mosquitto_sub"}
		}
		needtest.Tool(t, tools...)
		cmd = exec.CommandContext(within(t, time.Minute), "sh", "-c", code)
	case "python":
		cmd = exec.CommandContext(within(t, time.Minute), needtest.Python(t), "-c", code)
	case "v2-python":
		cmd = exec.CommandContext(within(t, time.Minute), needtest.Python(t, "tritonclient.http", "numpy", "gevent"), "-c", code)
	case "go":
		file := filepath.Join(dir, "ask.go")
		if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd = exec.CommandContext(within(t, 2*time.Minute), needtest.Tool(t, "go")[0], "run", file)
	default:
		t.Fatalf("nobody runs %s", lang)
	}
	cmd.Env, cmd.Dir = append(os.Environ(), "EDGEWARD_TOKEN="+secret), dir
	if strings.Contains(code, "image/jpeg") {
		cmd.Stdin = &photo
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !regexp.MustCompile(`label|\by\b|probabilities`).Match(out) || strings.Contains(string(out), `"error"`) || strings.Contains(string(out), `"hint"`) {
		t.Errorf("%v\n%s\nprogram:\n%s", err, out, code)
	}
}
