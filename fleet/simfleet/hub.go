package simfleet

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/fleet/inquiry"
	"edgeward/fleet/pki"
	"edgeward/sync/tuf"
)

// Hub is a machine that is a hub. What it keeps is on its Shelf.
type Hub struct {
	f     *Fleet
	Host  string // of its address
	Shelf *Shelf

	mu    sync.Mutex
	up    *process // nil: it is down
	kills int
}

// process is a hub that runs.
type process struct {
	*hub.Hub
	desk    *desk
	handler http.Handler
	ctx     context.Context
	stop    context.CancelFunc
	ended   chan struct{}
}

// who is the key of a request's context under which its caller stands.
type who struct{}

// Start starts the hub from its Shelf. One that runs goes on.
func (h *Hub) Start() *hub.Hub {
	h.f.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.up != nil {
		return h.up.Hub
	}
	f := h.f
	if f.ctx.Err() != nil { // it has ended
		return nil
	}
	p := &process{desk: &desk{Shelf: h.Shelf}, ended: make(chan struct{})}
	p.ctx, p.stop = context.WithCancel(context.Background())
	questions, err := inquiry.Open(p.ctx, nothing{}, filepath.Join(f.dir, "asked"), clock, f.newID)
	f.ok(err)
	p.Hub, err = hub.Open(p.ctx, hub.Options{Store: p.desk, Key: f.hubKey, Registry: f.Library, Bytes: f.Library, Desk: questions, Now: clock, NewID: f.newID, Log: slog.New(slog.DiscardHandler),
		NextKey: func(tuf.Public) (tuf.Key, error) { return f.hubKey, nil },
		CA:      func(string) (pki.CA, error) { return f.ca, nil }})
	f.ok(err)
	identify := func(r *http.Request) string { id, _ := r.Context().Value(who{}).(string); return id }
	p.handler = p.Handler(identify, refuse)
	h.up = p
	f.wg.Go(func() {
		time.Sleep(f.dice.Between(0, time.Second)) // its ticks are at no one else's instant
		_ = p.Run(p.ctx)
		close(p.ended)
	})
	return p.Hub
}

// Kill is kill -9.
func (h *Hub) Kill() {
	h.mu.Lock()
	p := h.up
	h.up = nil
	if p != nil {
		h.kills++
	}
	h.mu.Unlock()
	if p == nil {
		return
	}
	p.desk.kill()
	p.stop()
	<-p.ended
}

// DieAt kills the hub at its next k-th write, before that is on the disk or after, and starts it again after away.
func (h *Hub) DieAt(k int, before bool, away time.Duration) {
	h.mu.Lock()
	p := h.up
	h.mu.Unlock()
	if p == nil {
		return
	}
	p.desk.mu.Lock()
	defer p.desk.mu.Unlock()
	p.desk.dies, p.desk.before = k, before
	p.desk.killed = func() {
		h.f.wg.Go(func() {
			h.Kill()
			time.Sleep(away)
			h.Start()
		})
	}
}

// Kills is how often the hub was killed.
func (h *Hub) Kills() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.kills
}

func (h *Hub) process() *process {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.up
}

// Hub is the running one, or nil.
func (h *Hub) Hub() *hub.Hub {
	if p := h.process(); p != nil {
		return p.Hub
	}
	return nil
}

// refuse writes an error as the product does.
func refuse(w http.ResponseWriter, _ *http.Request, err error) {
	status := map[edgeward.Kind]int{edgeward.Invalid: 422, edgeward.Unauthenticated: 401, edgeward.Forbidden: 403, edgeward.NotFound: 404, edgeward.Conflict: 409, edgeward.TooLarge: 413,
		edgeward.Exhausted: 429, edgeward.Unavailable: 503}[edgeward.KindOf(err)]
	if status == 0 {
		status = http.StatusInternalServerError
	}
	if s := edgeward.ParamsOf(err)["retry_after"]; s != "" {
		w.Header().Set("Retry-After", s)
	}
	code := edgeward.CodeOf(err)
	if code == "" {
		code = "internal"
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"code": code, "detail": edgeward.Words(err), "hint": edgeward.HintOf(err)})
}
