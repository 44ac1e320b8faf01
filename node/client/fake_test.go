package client_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"edgeward/node/client"
)

var day0 = time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)

func days(n int) time.Time { return day0.AddDate(0, 0, n) }

// world is a server that answers what a replay asks and notes the order of it. Its data has one row for each series and
// day; a forecast speaks of horizon days later and says 100 + the day's number.
type world struct {
	t       testing.TB
	series  []string
	last    int // day of the last target
	horizon int
	live    int // version
	behind  map[int]bool
	busy    int // requests that are refused first

	mu       sync.Mutex
	next     int
	log      []string // "ask 0>2 v1", "truth 2", "settle"
	features int
	said     []client.PredictionRecord // newest first
}

func (w *world) client() *client.Client {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/datasets/visits/versions/{n}", func(rw http.ResponseWriter, _ *http.Request) { answer(rw, map[string]any{"number": 3}) })
	mux.HandleFunc("GET /api/v1/datasets/visits/versions/{n}/profile", func(rw http.ResponseWriter, _ *http.Request) {
		answer(rw, map[string]any{"profile": map[string]any{"coverage": map[string]any{"from": days(0), "to": days(w.last)}}})
	})
	mux.HandleFunc("GET /api/v1/endpoints/beds", func(rw http.ResponseWriter, _ *http.Request) {
		answer(rw, map[string]any{"status": map[string]any{"live": w.live}})
	})
	mux.HandleFunc("GET /api/v1/endpoints/beds/predictions", func(rw http.ResponseWriter, _ *http.Request) { answer(rw, map[string]any{"items": w.said}) })
	mux.HandleFunc("GET /api/v1/endpoints/beds/settled", func(rw http.ResponseWriter, _ *http.Request) {
		w.log = append(w.log, "settle")
		answer(rw, client.Settled{Settled: true, Version: w.live})
	})
	mux.HandleFunc("POST /api/v1/datasets/visits/versions/3/features", w.serveFeatures)
	mux.HandleFunc("POST /v2/models/beds/infer", w.infer)
	mux.HandleFunc("POST /v2/models/beds/versions/{v}/infer", w.infer)
	mux.HandleFunc("POST /api/v1/feedback", w.feedback)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock() // a replay asks several questions at once
		defer w.mu.Unlock()
		mux.ServeHTTP(rw, r)
	}))
	w.t.Cleanup(s.Close)
	c, err := client.New(client.Options{URL: s.URL, Token: "t"})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func answer(rw http.ResponseWriter, v any) { _ = json.NewEncoder(rw).Encode(v) }

func refuse(rw http.ResponseWriter, status int, kind, code string) {
	rw.Header().Set("Content-Type", "application/problem+json")
	rw.WriteHeader(status)
	answer(rw, map[string]any{"kind": kind, "code": code, "detail": "no: " + code, "hint": "wait"})
}
