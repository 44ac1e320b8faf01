package api_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"edgeward/node/api"
	"edgeward/node/wire"
)

// answered is what went over the wire, not what a transport makes of it.
func answered(h http.Handler, method, path string, header map[string]string) *http.Response {
	r := httptest.NewRequest(method, "http://127.0.0.1"+path, nil)
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func unzipped(t *testing.T, b []byte) string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestWhatGoesOutCompressed(t *testing.T) {
	script, noise := strings.Repeat("const a = 1;\n", 1000), make([]byte, 5000)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	h := api.New(api.Parts{Now: time.Now, NewID: func() string { return "01HQWZ0000000000000000000A" }, Health: func() wire.Health { return wire.Health{Ready: true} },
		UI: fstest.MapFS{"index.html": {Data: []byte("<!doctype html>")}, "app.js": {Data: []byte(script)}, "photo.jpg": {Data: noise}}},
		slog.New(slog.DiscardHandler))
	for _, c := range []struct {
		name, path, accept string
		zipped, varies     bool
		more               map[string]string
	}{
		{name: "a browser takes it", path: "/app.js", accept: "gzip, deflate, br, zstd", zipped: true, varies: true},
		{name: "with a weight", path: "/app.js", accept: "br;q=1.0, gzip;q=0.5", zipped: true, varies: true},
		{name: "anything goes", path: "/app.js", accept: "*", zipped: true, varies: true},
		{name: "a client that says nothing", path: "/app.js", varies: true},
		{name: "a client that refuses it", path: "/app.js", accept: "gzip;q=0, *", varies: true},
		{name: "a weight that is no number", path: "/app.js", accept: "gzip;q=x", varies: true},
		{name: "others only", path: "/app.js", accept: "br, deflate", varies: true},
		{name: "a part of a file", path: "/app.js", accept: "gzip", varies: true, more: map[string]string{"Range": "bytes=0-3"}},
		{name: "a small file", path: "/index.html", accept: "gzip", varies: true},
		{name: "a file that gzip makes no smaller", path: "/photo.jpg", accept: "gzip", varies: true},
		{name: "a large JSON answer", path: "/api/v1/openapi.json", accept: "gzip", zipped: true, varies: true},
		{name: "a large JSON answer, plain", path: "/api/v1/openapi.json", varies: true},
		{name: "a small JSON answer", path: "/api/v1/health", accept: "gzip", varies: true},
		{name: "the engine protocol", path: "/v2", accept: "gzip"},
		{name: "the engine protocol's health", path: "/v2/health/live", accept: "gzip"},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := map[string]string{"Accept-Encoding": c.accept}
			for k, v := range c.more {
				header[k] = v
			}
			resp := answered(h, http.MethodGet, c.path, header)
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode >= 300 {
				t.Fatalf("status %d, %v", resp.StatusCode, err)
			}
			if got := resp.Header.Get("Content-Encoding"); (got == "gzip") != c.zipped || got != "" && got != "gzip" {
				t.Fatalf("Content-Encoding %q, want gzip: %t", got, c.zipped)
			}
			if got := resp.Header.Get("Vary") == "Accept-Encoding"; got != c.varies {
				t.Errorf("Vary %q", resp.Header.Get("Vary"))
			}
			if n := resp.Header.Get("Content-Length"); n != "" && n != strconv.Itoa(len(body)) || n == "" && c.zipped {
				t.Errorf("Content-Length %q for %d bytes", n, len(body))
			}
			if !c.zipped {
				return
			}
			plain := answered(h, http.MethodGet, c.path, nil)
			want, err := io.ReadAll(plain.Body)
			if err != nil || unzipped(t, body) != string(want) {
				t.Errorf("the compressed answer holds something else than the plain one (%v)", err)
			}
			tag := resp.Header.Get("ETag")
			if tag == "" || tag == plain.Header.Get("ETag") {
				t.Errorf("one entity tag %s for two different answers", tag)
			}
			header["If-None-Match"] = tag
			if again := answered(h, http.MethodGet, c.path, header); again.StatusCode != http.StatusNotModified || again.Header.Get("ETag") != tag || again.Header.Get("Content-Encoding") != "" {
				t.Errorf("who has it got status %d, %v", again.StatusCode, again.Header)
			}
		})
	}
	t.Run("HEAD says what GET would send", func(t *testing.T) {
		for _, accept := range []string{"", "gzip"} {
			get, head := answered(h, http.MethodGet, "/app.js", map[string]string{"Accept-Encoding": accept}), answered(h, http.MethodHead, "/app.js", map[string]string{"Accept-Encoding": accept})
			body, err := io.ReadAll(head.Body)
			if err != nil || len(body) != 0 || head.StatusCode != http.StatusOK {
				t.Errorf("HEAD: status %d, %d bytes, %v", head.StatusCode, len(body), err)
			}
			for _, k := range []string{"Content-Encoding", "Content-Length", "Content-Type", "ETag", "Vary"} {
				if get.Header.Get(k) != head.Header.Get(k) || k != "Content-Encoding" && get.Header.Get(k) == "" {
					t.Errorf("accept %q: %s is %q for GET and %q for HEAD", accept, k, get.Header.Get(k), head.Header.Get(k))
				}
			}
		}
	})
}

// TestEventsAreNeverCompressed: a compressor would hold an event back.
func TestEventsAreNeverCompressed(t *testing.T) {
	srv := guarded(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+bootstrap)
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Encoding") != "" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		t.Errorf("status %d, %v", resp.StatusCode, resp.Header)
	}
}
