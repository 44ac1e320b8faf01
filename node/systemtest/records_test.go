package systemtest

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
	"edgeward/node/keys"
)

// TestRecordsAsATable asks a model, tells the truth, and takes both away as a table; then the endpoint is removed, and with
// it every byte of what it was asked.
func TestRecordsAsATable(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	ctx := within(t, 3*time.Minute)
	row := trainedTable(t, s, "areas")
	said := must[[]client.Prediction](t)(s.Predict(ctx, "areas", client.PredictRequest{Rows: []map[string]any{row, {"width": 2.0, "length": nil}}}))
	y := 35.25
	must[client.FeedbackAnswer](t)(s.Feedback(ctx, client.Feedback{Prediction: said[0].ID, Source: "ruler", Kind: "truth", Value: &y, Note: "measured twice"}))

	t.Run("a prediction shows its values", func(t *testing.T) {
		a := s.request(t, "GET", "/api/v1/predictions/"+said[1].ID, bootstrap, "")
		var e struct {
			Predictions []struct {
				Inputs       []struct{ Name, Data string } `json:"inputs"`
				InputValues  []struct{ Values []any }      `json:"input_values"`
				OutputValues []struct{ Values []any }      `json:"output_values"`
			} `json:"predictions"`
		}
		unmarshal(t, a.body, &e)
		p := e.Predictions[0]
		if len(p.InputValues) == 0 || len(p.OutputValues) == 0 || p.Inputs[0].Data == "" {
			t.Fatalf("got %s", a.body)
		}
		if _, ok := p.OutputValues[0].Values[0].(float64); !ok {
			t.Errorf("no number: %s", a.body)
		}
		if !slices.Contains(p.InputValues[0].Values, any(nil)) {
			t.Errorf("a missing length is not null: %v", p.InputValues)
		}
	})
	t.Run("as CSV, with what was kept of the inputs", func(t *testing.T) {
		var out bytes.Buffer
		if err := s.ExportPredictions(ctx, "areas", client.Window{}, "csv", true, &out); err != nil {
			t.Fatal(err, edgeward.HintOf(err))
		}
		lines := must[[][]string](t)(csv.NewReader(&out).ReadAll())
		at := func(n int, column string) string { return lines[n][slices.Index(lines[0], column)] }
		if len(lines) != 3 {
			t.Fatalf("%d lines: %q", len(lines), lines)
		}
		for n := 1; n < 3; n++ {
			id, truth := at(n, "prediction_id"), at(n, "truth")
			if (id == said[0].ID) != (truth == "35.25") || !strings.Contains(at(n, "inputs"), `"values":[`) || at(n, "value") == "" {
				t.Errorf("line %q", lines[n])
			}
		}
	})
	t.Run("as Parquet, which can be imported", func(t *testing.T) {
		var out bytes.Buffer
		if err := s.ExportPredictions(ctx, "areas", client.Window{From: time.Now().Add(-time.Hour)}, "parquet", false, &out); err != nil {
			t.Fatal(err)
		}
		if v := imported(t, s.Client, "answers", "answers.parquet", out.String()); v.Rows != 2 {
			t.Errorf("%d rows", v.Rows)
		}
		a := s.request(t, "GET", "/api/v1/datasets/answers/versions/1/rows", bootstrap, "")
		if !bytes.Contains(a.body, []byte(`"prediction_id"`)) || bytes.Contains(a.body, []byte(`"inputs"`)) {
			t.Errorf("%s", a.body)
		}
		out.Reset()
		if err := s.ExportPredictions(ctx, "areas", client.Window{To: time.Now().Add(-time.Hour)}, "csv", false, &out); err != nil || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("an hour ago nothing was said: %q, %v", out.String(), err)
		}
	})
	t.Run("each is an event", func(t *testing.T) {
		a := s.request(t, "GET", "/api/v1/audit?action=predictions.exported", bootstrap, "")
		var l struct{ Items []client.Event }
		unmarshal(t, a.body, &l)
		if len(l.Items) != 3 || !slices.ContainsFunc(l.Items, func(e client.Event) bool {
			return e.Detail["inputs"] == "true" && e.Detail["rows"] == "2" && e.Object.Name == "areas"
		}) {
			t.Errorf("events %+v", l.Items)
		}
	})
	t.Run("only owners and reviewers", func(t *testing.T) {
		for role, want := range map[string]int{"scientist": http.StatusForbidden, "operator": http.StatusForbidden, "service": http.StatusForbidden, "reviewer": http.StatusOK} {
			if a := s.request(t, "GET", "/api/v1/endpoints/areas/predictions/export", token(t, s.Client, role), ""); a.StatusCode != want {
				t.Errorf("%s: %s, want %d", role, a.Status, want)
			}
		}
	})
	t.Run("another group's is as one that is not there", func(t *testing.T) {
		must[client.Group](t)(s.CreateGroup(ctx, client.NewGroup{Name: "elsewhere", Reason: "a test"}))
		must[client.User](t)(s.CreateUser(ctx, client.NewUser{Name: "stranger", Password: password, Group: "elsewhere", Roles: []string{"owner"}, Reason: "a test"}))
		in := s.request(t, "POST", "/api/v1/session", "", `{"user":"stranger","password":"`+password+`"}`)
		made := s.request(t, "POST", "/api/v1/tokens", "", `{"name":"own","roles":["owner"]}`, "Cookie", in.Cookies()[0].Name+"="+in.Cookies()[0].Value, "Origin", s.url)
		var k client.Token
		unmarshal(t, made.body, &k)
		other := s.as(t, k.Secret, "")
		var out bytes.Buffer
		for who, err := range map[string]error{"another group": other.ExportPredictions(ctx, "areas", client.Window{}, "csv", false, &out),
			"of nothing": s.ExportPredictions(ctx, "nothing", client.Window{}, "csv", false, &out)} {
			if edgeward.KindOf(err) != edgeward.NotFound || edgeward.CodeOf(err) != "endpoint.not_found" {
				t.Errorf("%s: %v", who, err)
			}
		}
		if out.Len() > 0 {
			t.Errorf("got %q", out.String())
		}
	})
	t.Run("removed, it leaves the disk", func(t *testing.T) {
		dir := filepath.Join(s.dir, "records")
		if err := s.DeleteEndpoint(ctx, "areas"); err != nil {
			t.Fatal(err)
		}
		eventually(t, 2*time.Minute, "its file is written anew; what is in it is the matter of runtime/record", func() bool {
			frames, sealed := 0, 0
			for _, e := range must[[]os.DirEntry](t)(os.ReadDir(dir)) {
				b, err := os.ReadFile(filepath.Join(dir, e.Name()))
				if err != nil || bytes.Contains(b, []byte("measured twice")) || strings.HasPrefix(e.Name(), ".") {
					return false
				}
				switch {
				case e.Name() == keys.RingFile:
				case strings.HasSuffix(e.Name(), ".seg"):
					frames++
				default:
					sealed++
				}
			}
			return frames == 1 && sealed == 1
		})
		a := s.request(t, "GET", "/api/v1/predictions/"+said[0].ID, bootstrap, "")
		if a.StatusCode != http.StatusNotFound || !json.Valid(a.body) {
			t.Errorf("%s %s", a.Status, a.body)
		}
	})
}
