package api_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"edgeward/node/api"
	"edgeward/node/wire"
	"edgeward/ui"
)

// BenchmarkPage serves the page's first file, whole and to a browser that has it.
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
}
