package systemtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
	"edgeward/runtime/engine/enginetest"
)

// screwGraph takes a torque and a line in words, asks a classifier trained here and an imported model beside it, and answers a
// verdict in words.
func screwGraph(border float64) client.GraphRequest {
	var q client.GraphRequest
	err := json.Unmarshal([]byte(fmt.Sprintf(`{
		"inputs": [{"name": "torque", "datatype": "FP32", "shape": [-1, 1]}, {"name": "line", "datatype": "BYTES", "shape": [-1]}],
		"nodes": [
			{"name": "verdict", "step": "labels", "with": {"labels": ["pass", "look at it"]}, "inputs": {"x": "sure.y"}},
			{"name": "line-code", "step": "encode", "with": {"categories": ["left", "right"]}, "inputs": {"x": "line"}},
			{"name": "row", "step": "concat", "with": {"order": ["torque", "line"]}, "inputs": {"torque": "torque", "line": "line-code.y"}},
			{"name": "defect", "model": "screw-defect@champion", "inputs": {"features": "row.y"}},
			{"name": "leak", "model": "leak-finder", "inputs": {"x": "row.y"}},
			{"name": "chance", "step": "select", "with": {"columns": [1]}, "inputs": {"x": "defect.probability"}},
			{"name": "sure", "step": "threshold", "with": {"at": [%g]}, "inputs": {"x": "chance.y"}}],
		"outputs": [{"name": "verdict", "from": "verdict.y"}, {"name": "chance", "from": "chance.y"}, {"name": "leak", "from": "leak.y"}],
		"example": {"torque": [[30], [55]], "line": ["right", "left"]},
		"intended_use": "Which screws a person looks at."}`, border)), &q)
	if err != nil {
		panic(err)
	}
	return q
}

// TestGraph puts a graph of a trained and an imported model through what any version goes through.
func TestGraph(t *testing.T) {
	needNative(t)
	dir := dataDir(t)
	s := start(t, options{dir: dir})
	ctx := within(t, 4*time.Minute)
	var b strings.Builder
	b.WriteString("torque_nm,line,defect\n")
	for i := range 600 {
		torque, line := 20+float64(i%40), []string{"left", "right"}[i%2]
		fmt.Fprintf(&b, "%.1f,%s,%t\n", torque, line, torque > 42 && line == "left")
	}
	imported(t, s.Client, "screws", "screws.csv", b.String())
	a := must[client.RecipeAnswer](t)(s.Recipe(ctx, "screws", 0, client.RecipeRequest{Kind: "table", Target: "defect"}))
	trained(t, s.Client, "screw-defect", client.TrainRequest{DataSet: "screws", Recipe: a.Recipe})
	must[client.Model](t)(s.MoveAlias(client.IfMatch(ctx, must[string](t)(s.Tag(ctx, "/api/v1/models/screw-defect"))), "screw-defect", "champion", client.AliasRequest{Version: 1, Reason: "the only one"}))
	must[client.ImportedVersion](t)(s.ImportModel(ctx, "leak-finder", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{Filename: "leak.onnx"}))

	first := must[client.ImportedVersion](t)(s.ApplyGraph(ctx, "screws", screwGraph(.5)))
	if again := must[client.ImportedVersion](t)(s.ApplyGraph(ctx, "screws", screwGraph(.5))); !again.Existing || again.Digest != first.Digest {
		t.Errorf("applied again it is %+v", again)
	}
	if first.Manifest.Kind != "graph" || first.Manifest.Examples == "" || first.Manifest.Golden == "" || first.Manifest.Lineage.Parameters["node defect"] != "screw-defect/1" {
		t.Errorf("%+v", first.Manifest)
	}
	deployed(t, s.Client, "screws", 1)
	ask := func(c *client.Client, torque float64, line string) client.Prediction {
		t.Helper()
		got := must[[]client.Prediction](t)(c.Predict(ctx, "screws", client.PredictRequest{Fields: map[string]any{"torque": []any{[]any{torque}}, "line": []any{line}}, Trace: true}))
		return got[0]
	}

	t.Run("it answers what its models answer", func(t *testing.T) {
		p := ask(s.Client, 55, "left")
		alone := must[[]client.Prediction](t)(s.Predict(ctx, "screw-defect", client.PredictRequest{Fields: map[string]any{"torque_nm": 55, "line": "left"}}))[0]
		if chance := p.Outputs["chance"].(float64); p.Outputs["verdict"] != "look at it" || math.Abs(chance-alone.Classes["true"]) > 1e-6 || p.Outputs["leak"].(float64) != 2*55-0+.5 {
			t.Errorf("%v, and the model alone says %v", p.Outputs, alone.Classes)
		}
		if p := ask(s.Client, 55, "right"); p.Outputs["verdict"] != "pass" {
			t.Errorf("%v", p.Outputs)
		}
		if got := must[client.EndpointView](t)(s.Endpoint(ctx, "screws")); got.Status.Versions[0].Golden == 0 || got.Status.Versions[0].MaxDiff > 1e-6 || !strings.HasPrefix(got.Status.Versions[0].Engine, "graph: onnxruntime") {
			t.Errorf("%+v", got.Status.Versions)
		}
	})
	t.Run("one prediction record, one trace", func(t *testing.T) {
		p := ask(s.Client, 55, "left")
		var nodes []string
		for _, x := range p.Trace {
			nodes = append(nodes, x.Node+"="+x.What)
			if x.TookUS < 0 || x.StartUS < 0 {
				t.Errorf("%+v", x)
			}
		}
		if got := strings.Join(nodes, " "); got != "line-code=encode row=concat defect=screw-defect/1 leak=leak-finder/1 chance=select sure=threshold verdict=labels" {
			t.Errorf("trace %s", got)
		}
		e := must[client.PredictionEntry](t)(s.Prediction(ctx, p.ID))
		if len(e.Predictions) != 1 || e.Predictions[0].Endpoint != "screws" || len(e.Predictions[0].OutputValues) != 3 {
			t.Errorf("%+v", e.Predictions)
		}
		body := `{"inputs":[{"name":"torque","datatype":"FP32","shape":[1,1],"data":[55]},{"name":"line","datatype":"BYTES","shape":[1],"data":["left"]}],"parameters":{"edgeward_trace":true}}`
		r := s.request(t, "POST", "/v2/models/screws/infer", bootstrap, body)
		var v2 struct {
			Parameters struct {
				Trace string `json:"edgeward_trace"`
			} `json:"parameters"`
		}
		var spans []client.Span
		unmarshal(t, r.body, &v2)
		unmarshal(t, []byte(v2.Parameters.Trace), &spans)
		if len(spans) != 7 || spans[6].Node != "verdict" {
			t.Errorf("%s %s", r.Status, r.body)
		}
		if r := s.request(t, "POST", "/v2/models/screws/infer", bootstrap, strings.Replace(body, "true}", "false}", 1)); strings.Contains(string(r.body), "edgeward_trace") {
			t.Errorf("a trace nobody asked for: %s", r.body)
		}
	})
	t.Run("the graph can be looked at", func(t *testing.T) {
		g := must[client.GraphView](t)(s.Graph(ctx, "screws", 1))
		if len(g.Nodes) != 7 || g.Nodes[0].Level != 0 || g.Nodes[6].Level != 5 || g.Nodes[2].Takes[0].From != "row.y" || len(g.Outputs) != 3 {
			t.Errorf("%+v", g)
		}
		_, err := s.Graph(ctx, "screw-defect", 1)
		wantError(t, err, edgeward.NotFound, "graph.none")
	})
	t.Run("many at once", func(t *testing.T) {
		var all sync.WaitGroup
		for i := range 48 {
			all.Go(func() {
				torque := 25 + float64(i%30)
				if p := ask(s.Client, torque, "left"); p.Outputs["leak"].(float64) != 2*torque+.5 {
					t.Errorf("torque %v: %v", torque, p.Outputs)
				}
			})
		}
		all.Wait()
	})
	t.Run("a value that a step refuses is the caller's error, with its node", func(t *testing.T) {
		q := screwGraph(.5)
		q.Nodes[1].With = json.RawMessage(`{"categories": ["left", "right"], "refuse": true}`)
		q.IntendedUse = "a strict one"
		must[client.ImportedVersion](t)(s.ApplyGraph(ctx, "strict", q))
		deployed(t, s.Client, "strict", 1)
		_, err := s.Predict(ctx, "strict", client.PredictRequest{Fields: map[string]any{"torque": []any{[]any{55}}, "line": []any{"middle"}}})
		wantError(t, err, edgeward.Invalid, "graph.values")
		if edgeward.ParamsOf(err)["node"] != "line-code" || !strings.Contains(err.Error(), "node line-code") {
			t.Errorf("%v %v", err, edgeward.ParamsOf(err))
		}
	})
	t.Run("what cannot be answered is refused and not registered", func(t *testing.T) {
		for name, c := range map[string]struct {
			change func(*client.GraphRequest)
			kind   edgeward.Kind
			code   string
		}{
			"a model that is not there":    {func(q *client.GraphRequest) { q.Nodes[3].Model = "nobody/1" }, edgeward.NotFound, "model.not_found"},
			"an alias that is not there":   {func(q *client.GraphRequest) { q.Nodes[3].Model = "screw-defect@best" }, edgeward.NotFound, "model.no_alias"},
			"a graph in a graph":           {func(q *client.GraphRequest) { q.Nodes[4].Model = "screws/1" }, edgeward.Invalid, "graph.nested"},
			"another digest":               {func(q *client.GraphRequest) { q.Nodes[4].Digest = first.Digest }, edgeward.Conflict, "graph.digest"},
			"texts for a model":            {func(q *client.GraphRequest) { q.Nodes[4].Inputs = map[string]string{"x": "line"} }, edgeward.Invalid, "graph.datatype"},
			"a row that is too short":      {func(q *client.GraphRequest) { q.Nodes[4].Inputs = map[string]string{"x": "torque"} }, edgeward.Invalid, "graph.shape"},
			"a way back":                   {func(q *client.GraphRequest) { q.Nodes[1].Inputs = map[string]string{"x": "verdict.y"} }, edgeward.Invalid, "graph.cycle"},
			"an example of something else": {func(q *client.GraphRequest) { q.Example = map[string]any{"torque": "x", "line": "left"} }, edgeward.Invalid, "input.datatype"},
			"an interval without outputs":  {func(q *client.GraphRequest) { _ = json.Unmarshal([]byte(`{"interval":{"level":0.8}}`), q) }, edgeward.Invalid, "graph.interval"},
		} {
			q := screwGraph(.4)
			c.change(&q)
			_, err := s.ApplyGraph(ctx, "wrong", q)
			if edgeward.KindOf(err) != c.kind || edgeward.CodeOf(err) != c.code || edgeward.HintOf(err) == "" && c.kind != edgeward.NotFound {
				t.Errorf("%s: %v is %v %q with hint %q", name, err, edgeward.KindOf(err), edgeward.CodeOf(err), edgeward.HintOf(err))
			}
		}
		if _, err := s.Model(ctx, "wrong"); edgeward.KindOf(err) != edgeward.NotFound {
			t.Errorf("a model is left: %v", err)
		}
	})
	t.Run("a second version in the shadow, then live, then back", func(t *testing.T) {
		second := must[client.ImportedVersion](t)(s.ApplyGraph(ctx, "screws", screwGraph(.999999)))
		must[client.Spec](t)(s.ChangeSpec(ctx, "screws", client.Shadow, client.ChangeRequest{Version: second.Number, Reason: "a test"}))
		eventually(t, 30*time.Second, "the shadow is loaded", func() bool {
			e, err := s.Endpoint(ctx, "screws")
			return err == nil && e.Status.State == "ready" && len(e.Status.Versions) == 2
		})
		ask(s.Client, 55, "left")
		must[client.Spec](t)(s.ChangeSpec(ctx, "screws", client.Promote, client.ChangeRequest{Version: second.Number, Reason: "a test"}))
		must[client.EndpointView](t)(s.AwaitLive(ctx, "screws", second.Number))
		if p := ask(s.Client, 55, "left"); p.Outputs["verdict"] != "pass" || p.Version != second.Number {
			t.Errorf("%+v", p)
		}
		must[client.Spec](t)(s.ChangeSpec(ctx, "screws", client.Rollback, client.ChangeRequest{Reason: "a test"}))
		must[client.EndpointView](t)(s.AwaitLive(ctx, "screws", 1))
		if p := ask(s.Client, 55, "left"); p.Outputs["verdict"] != "look at it" {
			t.Errorf("%+v", p)
		}
	})
	t.Run("the worker is killed and the graph answers again", func(t *testing.T) {
		for _, w := range must[client.NodeStatus](t)(s.Node(ctx)).Workers {
			if w.Kind == "infer" {
				kill9(w.PID)
			}
		}
		eventually(t, 30*time.Second, "an answer", func() bool {
			_, err := s.Predict(ctx, "screws", client.PredictRequest{Fields: map[string]any{"torque": []any{[]any{55}}, "line": []any{"left"}}})
			return err == nil
		})
	})
	t.Run("it outlives the model it was made of, and a restart", func(t *testing.T) {
		remove := func(path string, f func(ctx2 *client.Client) error) {
			if err := f(s.Client); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		remove("leak-finder", func(c *client.Client) error {
			return c.DeleteModel(client.IfMatch(ctx, must[string](t)(c.Tag(ctx, "/api/v1/models/leak-finder"))), "leak-finder")
		})
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		back := start(t, options{dir: dir})
		must[client.EndpointView](t)(back.AwaitLive(ctx, "screws", 1))
		if p := ask(back.Client, 30, "left"); p.Outputs["leak"].(float64) != 60.5 {
			t.Errorf("%+v", p)
		}
		var files []string
		for _, f := range first.Manifest.Files {
			var out bytes.Buffer
			if err := back.ModelFile(ctx, "screws", 1, f.Name, &out); err != nil || edgeward.DigestOf(out.Bytes()) != f.Digest {
				t.Errorf("%s: %v", f.Name, err)
			}
			files = append(files, f.Role)
		}
		if n := strings.Count(strings.Join(files, " "), "part"); n < 8 {
			t.Errorf("files %v", files)
		}
	})
}
