package systemtest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgeward/node/client"
	"edgeward/node/wire"
	"edgeward/runtime/engine/enginetest"
)

// TestEveryChangeHoldsToIfMatch takes every route whose contract has If-Match and sends it without one, with a stale one
// and with the one that GET gave. A new such route needs a row.
func TestEveryChangeHoldsToIfMatch(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	ctx := within(t, 3*time.Minute)
	affine := enginetest.ONNX(t, "affine").Bytes
	why := `"reason":"a test"`
	rows := map[string]struct {
		path   string // of the object, and what follows it in the route
		rest   string
		body   string
		needed bool // If-Match must be there
		like   int  // status of success
	}{
		"endpoints.promote":  {"endpoints/leak", "/promote", `{"version":1,` + why + `}`, false, 200},
		"endpoints.canary":   {"endpoints/leak", "/canary", `{"version":2,"share":0.1,` + why + `}`, false, 200},
		"endpoints.weights":  {"endpoints/leak", "/weights", `{"shares":[{"version":2,"share":0.2}],` + why + `}`, false, 200},
		"endpoints.variant":  {"endpoints/leak", "/variant", `{"version":1,"name":"control",` + why + `}`, false, 200},
		"endpoints.update":   {"endpoints/leak", "", `{"title":"Leaks",` + why + `}`, true, 200},
		"endpoints.withdraw": {"endpoints/leak", "/withdraw", `{"version":2,` + why + `}`, false, 200},
		"endpoints.shadow":   {"endpoints/leak", "/shadow", `{"version":2,` + why + `}`, false, 200},
		"endpoints.rollback": {"endpoints/leak", "/rollback", `{` + why + `}`, false, 409},            // there is nothing to return to
		"endpoints.release":  {"endpoints/leak", "/release", `{"version":1,` + why + `}`, false, 409}, // it is not in quarantine
		"endpoints.retrain":  {"endpoints/leak", "/retrain", `{` + why + `}`, false, 409},             // it was not trained here
		"endpoints.policy":   {"endpoints/leak/drift", "", `{"years_per_false_alarm":12,` + why + `}`, true, 200},
		"endpoints.delete":   {"endpoints/leak", "", "", true, 204},
		"datasets.import":    {"datasets/pumps", "/versions", "day,value\n2024-01-01,5\n", false, 202},
		"datasets.delete":    {"datasets/pumps", "", "", true, 204},
		"models.alias":       {"models/leak", "/aliases/champion", `{"version":1,` + why + `}`, true, 200},
		"models.train":       {"models/leak", "/train", `{"data_set":"nothing","recipe":{}}`, false, 422}, // the recipe is none
		"graphs.apply":       {"models/leak", "/graph", `{"nodes":[],"outputs":[]}`, false, 422},          // the graph is none
		"versions.import":    {"models/leak", "/versions", string(affine), false, 200},                    // the version that is there
		"models.delete":      {"models/leak", "", "", true, 204},
		"scorings.file":      {"scorings/leaks", "/file", "x\n1\n", false, 200},
		"scorings.schedule":  {"scorings/leaks", "/schedule", `{"schedule":"daily 06:30"}`, false, 200},
		"scorings.delete":    {"scorings/leaks", "", "", true, 204},
		"jobs.cancel":        {"", "/cancel", "", false, 409}, // it has ended

		"fleet.overlays.apply": {"fleet/overlays", "/apply", `{"documents":[]}`, false, 409}, // there is no fleet
	}
	up := must[client.Job](t)(s.Import(ctx, "pumps", strings.NewReader("day,value\n2024-01-01,5\n2024-01-02,6\n"), client.Upload{Filename: "pumps.csv"}))
	must[client.Job](t)(s.Wait(ctx, up.ID, nil))
	must[client.ImportedVersion](t)(s.ImportModel(ctx, "leak", bytes.NewReader(affine), client.ModelUpload{}))
	must[client.ImportedVersion](t)(s.ImportModel(ctx, "leak", bytes.NewReader(affine), client.ModelUpload{IntendedUse: "another"}))
	must[client.EndpointView](t)(s.CreateEndpoint(ctx, client.EndpointRequest{Name: "leak", Model: "leak"}))
	must[client.Scoring](t)(s.CreateScoring(ctx, client.ScoringRequest{Name: "leaks", Endpoint: "leak", Source: client.ScoringSource{Kind: "file"}}))

	var contract struct {
		Paths map[string]map[string]struct {
			ID         string `json:"operationId"`
			Parameters []struct {
				Name     string
				Required bool
			}
		}
	}
	b, err := os.ReadFile("../api/openapi.json")
	if err == nil {
		err = json.Unmarshal(b, &contract)
	}
	if err != nil {
		t.Fatal(err)
	}
	type route struct{ method, id string }
	routes := map[string]route{}
	for _, methods := range contract.Paths {
		for m, o := range methods {
			for _, p := range o.Parameters {
				if p.Name == "If-Match" {
					routes[o.ID] = route{strings.ToUpper(m), o.ID}
					if row, ok := rows[o.ID]; !ok || row.needed != p.Required {
						t.Errorf("%s %s has If-Match (required: %t): it needs a row here that says so", m, o.ID, p.Required)
					}
				}
			}
		}
	}
	if len(routes) != len(rows) {
		t.Fatalf("%d routes have If-Match, %d rows", len(routes), len(rows))
	}
	send := func(method, path, body, tag string) (int, wire.Problem, http.Header) {
		t.Helper()
		req, err := http.NewRequestWithContext(ctx, method, s.url+"/api/v1/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+bootstrap)
		req.Header.Set("Content-Type", "application/json")
		if tag != "" {
			req.Header.Set("If-Match", tag)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var p wire.Problem
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = json.Unmarshal(answer, &p) // an answer that is no problem has no code
		return resp.StatusCode, p, resp.Header
	}
	t.Run("of changes at once that saw the same one is made", func(t *testing.T) {
		for name, c := range map[string]struct{ object, path, body string }{
			"alias":  {"models/leak", "models/leak/aliases/challenger-%d", `{"version":1,` + why + `}`},
			"policy": {"endpoints/leak/drift", "endpoints/leak/policy", `{"years_per_false_alarm":%d,` + why + `}`},
		} {
			_, _, head := send("GET", c.object, "", "")
			var made, refused atomic.Int64
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					number := func(s string) string { return strings.ReplaceAll(s, "%d", strconv.Itoa(i+2)) }
					switch status, p, _ := send("PUT", number(c.path), number(c.body), head.Get("ETag")); status {
					case 200:
						made.Add(1)
					case 412:
						refused.Add(1)
					default:
						t.Errorf("%s: status %d, %+v", name, status, p)
					}
				})
			}
			wg.Wait()
			if made.Load() != 1 || refused.Load() != 7 {
				t.Errorf("%s: %d made, %d refused", name, made.Load(), refused.Load())
			}
		}
	})
	order := []string{"endpoints.promote", "endpoints.canary", "endpoints.weights", "endpoints.withdraw", "endpoints.shadow", "endpoints.variant", "endpoints.update", "endpoints.rollback", "endpoints.release", "endpoints.retrain", "endpoints.policy",
		"datasets.import", "models.alias", "models.train", "graphs.apply", "versions.import", "jobs.cancel", "fleet.overlays.apply", "scorings.file", "scorings.schedule", "scorings.delete", "endpoints.delete", "models.delete", "datasets.delete"}
	if len(order) != len(rows) {
		t.Fatalf("%d rows, %d in order", len(rows), len(order))
	}
	for _, id := range order {
		t.Run(id, func(t *testing.T) {
			row, r := rows[id], routes[id]
			object := row.path
			if id == "jobs.cancel" {
				object = "jobs/" + up.ID
			}
			path := object + row.rest
			if id == "endpoints.policy" {
				path = "endpoints/leak/policy"
			}
			for _, stale := range []string{`"0123456789abcdef01234567.0123456789abcdef"`, `"no tag of ours"`, "nonsense", `W/"a.b", "c.d-gz"`} {
				if status, p, _ := send(r.method, path, row.body, stale); status != 412 || p.Code != "precondition.failed" || p.Hint == "" {
					t.Errorf("If-Match %s: status %d, %+v", stale, status, p)
				}
			}
			if row.needed {
				if status, p, _ := send(r.method, path, row.body, ""); status != 428 || p.Code != "precondition.required" || p.Hint == "" {
					t.Errorf("no If-Match: status %d, %+v", status, p)
				}
			}
			status, _, head := send("GET", object, "", "")
			tag := head.Get("ETag")
			if status != 200 || tag == "" {
				t.Fatalf("GET %s: status %d, ETag %q", object, status, tag)
			}
			if status, p, _ := send(r.method, path, row.body, `"another.one", `+tag); status != row.like {
				t.Fatalf("If-Match as GET gave it: status %d, want %d: %+v", status, row.like, p)
			}
			if row.like == 200 && id != "versions.import" { // the object is another now
				if status, p, _ := send(r.method, path, row.body, tag); status != 412 {
					t.Errorf("the tag before the change: status %d, %+v", status, p)
				}
			}
		})
	}
}
