package node

import (
	"strconv"
	"sync"
	"time"

	"edgeward/fleet/outbox"
	"edgeward/runtime/serve"
)

// hourly turns the counters of the endpoints, which grow since the start, into what they did between two calls.
type hourly struct {
	metrics func() []serve.Metrics
	group   func(id string) string

	mu   sync.Mutex
	last map[string]serve.Counters
	at   time.Time
}

// since returns what each version did since the call before; versions that did nothing are left out.
func (h *hourly) since(to time.Time) (out []outbox.Hour) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := map[string]serve.Counters{}
	for _, m := range h.metrics() {
		for _, c := range m.Versions {
			key := m.Key.String() + " " + string(c.Role) + " " + strconv.Itoa(c.Version)
			was := h.last[key]
			now[key] = c
			if c.Requests == was.Requests && c.Refused == was.Refused || h.at.IsZero() {
				continue
			}
			if c.Requests < was.Requests { // the endpoint began anew
				was = serve.Counters{}
			}
			out = append(out, outbox.Hour{Group: h.group(m.Key.Group), Endpoint: m.Key.Name, Version: c.Version, Role: string(c.Role), From: h.at, To: to, Requests: c.Requests - was.Requests,
				Errors: c.Errors - was.Errors, Refused: c.Refused - was.Refused, SumUS: c.LatencySumUS - was.LatencySumUS})
		}
	}
	h.last, h.at = now, to
	return out
}
