package api_test

import (
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"edgeward/node/api"
	"edgeward/node/wire"
	"edgeward/ui"
)

// BenchmarkPage serves the page's first file, whole and to a browser that has it, and all of its files, plain and to a
// browser that takes gzip, with the bytes of their bodies.
func BenchmarkPage(b *testing.B) {
	h := api.New(api.Parts{Now: time.Now, NewID: func() string { return "01HQWZ0000000000000000000A" }, UI: ui.Files(), Health: func() wire.Health { return wire.Health{} }}, slog.New(slog.DiscardHandler))
	first := httptest.NewRecorder()
	h.ServeHTTP(first, httptest.NewRequest(http.MethodGet, "http://127.0.0.1/", nil))
	for name, want := range map[string]int{"whole": http.StatusOK, "unchanged": http.StatusNotModified} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/", nil)
			if want == http.StatusNotModified {
				r.Header.Set("If-None-Match", first.Header().Get("ETag"))
			}
			for b.Loop() {
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != want {
					b.Fatalf("got %d, want %d: %s", w.Code, want, w.Body)
				}
			}
		})
	}
	var files []string
	if err := fs.WalkDir(ui.Files(), ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, p)
		}
		return err
	}); err != nil {
		b.Fatal(err)
	}
	for _, encoding := range []string{"", "gzip"} {
		b.Run("all-"+map[string]string{"": "plain", "gzip": "gzip"}[encoding], func(b *testing.B) {
			var sent int64
			for b.Loop() {
				sent = 0
				for _, p := range files {
					r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/"+p, nil)
					r.Header.Set("Accept-Encoding", encoding)
					w := httptest.NewRecorder()
					if h.ServeHTTP(w, r); w.Code != http.StatusOK {
						b.Fatalf("%s: got %d", p, w.Code)
					}
					sent += int64(w.Body.Len())
				}
			}
			b.ReportMetric(float64(sent), "body-bytes")
		})
	}
}
