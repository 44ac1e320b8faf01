package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"edgeward/node/api"
	"edgeward/node/auth"
	"edgeward/node/store"
	"edgeward/node/wire"

	"github.com/oklog/ulid/v2"
)

const bootstrap = "a-bootstrap-token-of-a-test"

// guarded is a server over a real store and a real guard; what needs engines is not there.
func guarded(t *testing.T) *httptest.Server {
	t.Helper()
	var n atomic.Uint64
	newID := func() string {
		id := ulid.MustNew(ulid.Timestamp(time.Now()), nil)
		_ = id.SetEntropy([]byte(fmt.Sprintf("%010d", n.Add(1))))
		return id.String()
	}
	db, err := store.Open(t.TempDir(), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	guard := auth.New(db, auth.Options{Now: time.Now, NewID: newID})
	if _, err := guard.Bootstrap(t.Context(), bootstrap); err != nil {
		t.Fatal(err)
	}
	s := api.New(api.Parts{Version: "test", Now: time.Now, NewID: newID, Site: "site", Node: "node", Hosts: []string{"ward.example"}, Auth: guard, Store: db,
		UI: fstest.MapFS{"index.html": {Data: []byte("<!doctype html><title>page</title>")}}, Health: func() wire.Health {
			return wire.Health{State: "ready", Ready: true, Reasons: []string{"secret trouble"}}
		}},
		slog.New(slog.DiscardHandler))
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return srv
}

type call struct {
	method, path, body string
	header             map[string]string
}

func (c call) do(t *testing.T, srv *httptest.Server) (*http.Response, string) {
	t.Helper()
	if c.method == "" {
		c.method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(t.Context(), c.method, srv.URL+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if c.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range c.header {
		if k == "Host" {
			req.Host = v
			continue
		}
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func bearer(secret string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + secret}
}

func TestWhoMayCall(t *testing.T) {
	srv := guarded(t)
	admin := bearer(bootstrap)
	for _, c := range []struct {
		name string
		call call
		want int
		code string
	}{
		{"health is public", call{path: "/api/v1/health"}, 200, ""},
		{"everything else wants a sign-in", call{path: "/api/v1/models"}, 401, "auth.required"},
		{"a wrong token is nobody", call{path: "/api/v1/models", header: bearer("ewt_wrong")}, 401, ""},
		{"the bootstrap token is the administrator", call{path: "/api/v1/models", header: admin}, 200, ""},
		{"an unknown name of ours is not found", call{path: "/api/v1/models/absent", header: admin}, 404, "model.not_found"},
		{"a group one is not in answers as absent", call{path: "/api/v1/models", header: map[string]string{"Authorization": "Bearer " + bootstrap, "Edgeward-Group": "other"}}, 404, ""},
		{"another host name is refused", call{path: "/api/v1/health", header: map[string]string{"Host": "evil.example"}}, 403, "request.host"},
		{"a configured host name is answered", call{path: "/api/v1/health", header: map[string]string{"Host": "ward.example:8080"}}, 200, ""},
		{"an unknown route is not found", call{path: "/api/v1/nothing", header: admin}, 404, ""},
		{"a body that fits no schema names the field", call{method: "POST", path: "/api/v1/groups", body: `{"name":7}`, header: admin}, 422, "request.invalid"},
		{"an unknown query parameter is refused", call{path: "/api/v1/models?limt=3", header: admin}, 422, "request.invalid"},
		{"an engine protocol route wants a sign-in too", call{path: "/v2/models/x"}, 401, ""},
		{"its health is public", call{path: "/v2/health/live"}, 200, ""},
		{"metrics want a sign-in", call{path: "/metrics"}, 401, ""},
		{"a page of the application is the page", call{path: "/models/er-attendance"}, 200, ""},
		{"a missing file of the page is not", call{path: "/assets/none.js"}, 404, "route.not_found"},
	} {
		resp, body := c.call.do(t, srv)
		if resp.StatusCode != c.want {
			t.Errorf("%s: got %d, want %d: %s", c.name, resp.StatusCode, c.want, body)
			continue
		}
		if c.code != "" {
			var p wire.Problem
			if err := json.Unmarshal([]byte(body), &p); err != nil || p.Code != c.code || p.RequestID == "" {
				t.Errorf("%s: got %+v (%v), want code %s and a request id", c.name, p, err, c.code)
			}
		}
	}
}

func TestNobodyLearnsWhatIsWrongInside(t *testing.T) {
	srv := guarded(t)
	if _, body := (call{path: "/api/v1/health"}).do(t, srv); strings.Contains(body, "secret trouble") {
		t.Errorf("an unknown caller was told the reasons: %s", body)
	}
	if _, body := (call{path: "/api/v1/health", header: bearer(bootstrap)}).do(t, srv); !strings.Contains(body, "secret trouble") {
		t.Errorf("the administrator was not told the reasons: %s", body)
	}
}

func TestASessionActsOnlyFromItsOwnPage(t *testing.T) {
	srv := guarded(t)
	admin := bearer(bootstrap)
	if resp, body := (call{method: "POST", path: "/api/v1/users", body: `{"name":"alice","password":"correct horse battery","group":"main","roles":["owner"]}`, header: admin}).do(t, srv); resp.StatusCode != 201 {
		t.Fatal(body)
	}
	resp, body := call{method: "POST", path: "/api/v1/session", body: `{"user":"alice","password":"correct horse battery"}`}.do(t, srv)
	if resp.StatusCode != 200 {
		t.Fatal(body)
	}
	cookie := resp.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("the session cookie is %+v", cookie)
	}
	with := func(origin, site string) map[string]string {
		h := map[string]string{"Cookie": cookie.Name + "=" + cookie.Value}
		if origin != "" {
			h["Origin"] = origin
		}
		if site != "" {
			h["Sec-Fetch-Site"] = site
		}
		return h
	}
	post := func(h map[string]string) int {
		resp, _ := call{method: "POST", path: "/api/v1/tokens", body: `{"name":"t","roles":["service"]}`, header: h}.do(t, srv)
		return resp.StatusCode
	}
	for _, c := range []struct {
		name, origin, site string
		want               int
	}{
		{"no origin at all", "", "", 403},
		{"another origin", "https://evil.example", "", 403},
		{"the browser says cross-site", srv.URL, "cross-site", 403},
		{"our own origin", srv.URL, "", 201},
		{"the browser says same-origin", "", "same-origin", 201},
	} {
		if got := post(with(c.origin, c.site)); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestTheSameKeyDoesThingsOnce(t *testing.T) {
	srv := guarded(t)
	h := map[string]string{"Authorization": "Bearer " + bootstrap, "Idempotency-Key": "one"}
	first, a := call{method: "POST", path: "/api/v1/groups", body: `{"name":"ward"}`, header: h}.do(t, srv)
	second, b := call{method: "POST", path: "/api/v1/groups", body: `{"name":"ward"}`, header: h}.do(t, srv)
	if first.StatusCode != 201 || second.StatusCode != 201 || a != b || second.Header.Get("Edgeward-Repeated") == "" {
		t.Errorf("got %d %s and %d %s", first.StatusCode, a, second.StatusCode, b)
	}
	if other, body := (call{method: "POST", path: "/api/v1/groups", body: `{"name":"lab"}`, header: h}).do(t, srv); other.StatusCode != 409 {
		t.Errorf("another body under the same key: %d %s", other.StatusCode, body)
	}
	_, a = call{method: "POST", path: "/api/v1/tokens", body: `{"name":"t","roles":["service"]}`, header: h}.do(t, srv)
	_, b = call{method: "POST", path: "/api/v1/tokens", body: `{"name":"t","roles":["service"]}`, header: h}.do(t, srv)
	if a == b {
		t.Error("an answer with a secret was remembered")
	}
}

func TestAnUnchangedAnswerCostsAHeader(t *testing.T) {
	srv := guarded(t)
	h := bearer(bootstrap)
	first, _ := call{path: "/api/v1/groups", header: h}.do(t, srv)
	h["If-None-Match"] = first.Header.Get("ETag")
	again, body := call{path: "/api/v1/groups", header: h}.do(t, srv)
	if again.StatusCode != 304 || body != "" {
		t.Fatalf("got %d %q", again.StatusCode, body)
	}
	call{method: "POST", path: "/api/v1/groups", body: `{"name":"ward"}`, header: bearer(bootstrap)}.do(t, srv)
	if changed, _ := (call{path: "/api/v1/groups", header: h}).do(t, srv); changed.StatusCode != 200 {
		t.Errorf("a changed answer came as %d", changed.StatusCode)
	}
}
