package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"edgeward/node/api"
	"edgeward/node/auth"
	"edgeward/node/wire"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// bare is a server whose routes can be looked at but not called.
func bare() *api.Server {
	return api.New(api.Parts{Now: time.Now, UI: fstest.MapFS{"index.html": {Data: []byte("<!doctype html>")}}, Health: func() wire.Health { return wire.Health{} }},
		slog.New(slog.DiscardHandler))
}

// TestOpenAPIIsAsCommitted keeps openapi.json, from which the page's types are made, what the handlers say.
func TestOpenAPIIsAsCommitted(t *testing.T) {
	raw, err := bare().OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	out.WriteByte('\n')
	if *update {
		if err := os.WriteFile("openapi.json", out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile("openapi.json")
	if err != nil || !bytes.Equal(old, out.Bytes()) {
		t.Errorf("openapi.json is not what the handlers say (%v): run go generate ./node/api", err)
	}
}

// TestEveryRouteIsDeclared compares the router with the declarations: a route that nobody declared has no guard.
func TestEveryRouteIsDeclared(t *testing.T) {
	s := bare()
	declared := map[string]bool{}
	for _, d := range s.Routes() {
		declared[d.Method+" "+pathOf(d.Path)] = true
		if d.Public == "" && len(auth.RolesFor(d.Verb, d.Resource)) == 0 {
			t.Errorf("%s %s needs %s on %s, which nobody may", d.Method, d.Path, d.Verb, d.Resource)
		}
	}
	for _, d := range s.Routes() {
		replaces := d.Method == "PUT" || d.Method == "PATCH" || d.Method == "DELETE"
		if replaces && d.Changes == "" && declared["GET "+pathOf(d.Path)] && d.Path != "/api/v1/demo" {
			t.Errorf("%s %s replaces what GET of the same path tags, and takes no If-Match: %s", d.Method, d.Path, d.Free)
		}
		if d.Changes != "" && !declared["GET "+pathOf(d.Changes)] {
			t.Errorf("%s %s changes %s, which has no GET", d.Method, d.Path, d.Changes)
		}
	}
	for _, r := range s.Registered() {
		if strings.HasPrefix(r, "GET /api/v1/openapi") {
			continue // the contract itself
		}
		if !declared[r] {
			t.Errorf("route %s is registered and not declared", r)
		}
	}
	if len(declared) < 60 {
		t.Errorf("only %d routes: the test looks at the wrong router", len(declared))
	}
}

// pathOf writes {name} as :name, as the router does.
func pathOf(p string) string { return strings.NewReplacer("{", ":", "}", "").Replace(p) }
