package hub

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
)

// Refuse writes an error as the node's API does (RFC 9457).
type Refuse func(w http.ResponseWriter, r *http.Request, err error)

// Identify returns the node whose certificate a connection showed, "" if it showed none. What it returns has been verified against
// the fleet's CA.
type Identify func(r *http.Request) string

// How long a call for a document may wait.
const maxWait = 2 * time.Minute

// Handler answers the routes under /fleet/v1.
func (h *Hub) Handler(identify Identify, refuse Refuse) http.Handler {
	mux := http.NewServeMux()
	open := func(pattern string, f func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := f(w, r); err != nil {
				refuse(w, r, err)
			}
		})
	}
	// node is a route for members only.
	node := func(pattern string, f func(http.ResponseWriter, *http.Request, string) error) {
		open(pattern, func(w http.ResponseWriter, r *http.Request) error {
			id := identify(r)
			if id == "" {
				return edgeward.E("hub", edgeward.Unauthenticated, "fleet.certificate", "a certificate of the fleet is needed").WithHint("join first: edgeward join CODE")
			}
			h.mu.Lock()
			_, err := h.member(id)
			if err == nil {
				h.seen(id)
			}
			h.mu.Unlock()
			if err != nil {
				return err
			}
			return f(w, r, id)
		})
	}
	open("POST /fleet/v1/join", h.join)
	node("POST /fleet/v1/renew", h.renew)
	node("POST /fleet/v1/leave", h.leave)
	node("GET /fleet/v1/desired", func(w http.ResponseWriter, r *http.Request, id string) error { return h.desired(w, r, id, refuse) })
	node("PUT /fleet/v1/state", h.state)
	node("POST /fleet/v1/events", h.events)
	node("PUT /fleet/v1/summaries", h.summaries)
	node("PUT /fleet/v1/own/{digest}", h.own)
	node("GET /fleet/v1/inquiries", h.orders)
	node("PUT /fleet/v1/inquiries/{id}", h.inquired)
	node("GET /fleet/v1/audit", h.audit)
	node("PUT /fleet/v1/trust", h.returned)
	node("GET /fleet/v1/trust/{role}", h.trust)
	node("GET /fleet/v1/trust/{role}/{number}", h.trust)
	node("GET /fleet/v1/blobs/{digest}", h.blob)
	node("GET /fleet/v1/deltas/{digest}", h.delta)
	open("/", func(http.ResponseWriter, *http.Request) error {
		return edgeward.E("hub", edgeward.NotFound, "route.not_found", "here nodes of a fleet call, and nobody else")
	})
	return mux
}

func body(r *http.Request, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, edgeward.E("hub.body", edgeward.Invalid, "request.body", "the body ends too early: %v", err)
	}
	if int64(len(b)) > limit {
		return nil, edgeward.E("hub.body", edgeward.TooLarge, "request.too_large", "the body is larger than %d bytes", limit)
	}
	return b, nil
}

func answer(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(v)
}

func (h *Hub) join(w http.ResponseWriter, r *http.Request) error {
	b, err := body(r, 64<<10)
	if err != nil {
		return err
	}
	var in spec.JoinRequest
	if err := json.Unmarshal(b, &in); err != nil {
		return edgeward.E("hub.join", edgeward.Invalid, "fleet.join", "%v", err)
	}
	out, err := h.Join(r.Context(), in)
	if err != nil {
		return err
	}
	if out.Pending {
		w.Header().Set("Retry-After", "2")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
	}
	return answer(w, out)
}

func (h *Hub) renew(w http.ResponseWriter, r *http.Request, id string) error {
	b, err := body(r, 8<<10)
	if err != nil {
		return err
	}
	done, err := h.renews()
	if err != nil {
		return err
	}
	defer done()
	chain, err := h.Renew(r.Context(), id, b)
	if err != nil {
		return err
	}
	return answer(w, spec.JoinAnswer{Format: spec.Format, Chain: chain})
}

func (h *Hub) state(w http.ResponseWriter, r *http.Request, id string) error {
	b, err := body(r, spec.MaxReported)
	if err != nil {
		return err
	}
	in, err := spec.ParseReported(b)
	if edgeward.CodeOf(err) == "fleet.format" {
		return edgeward.E("hub.state", edgeward.Conflict, "fleet.format", "the hub does not understand this server's report: %s", edgeward.Words(err)).WithHint("update the hub first, then its nodes")
	}
	if err != nil {
		return err
	}
	if in.Node != id {
		return edgeward.E("hub.state", edgeward.Forbidden, "fleet.other_node", "node %s reports for another", id)
	}
	if err := h.Report(r.Context(), in); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Hub) trust(w http.ResponseWriter, r *http.Request, _ string) error {
	name := r.PathValue("role")
	if n := r.PathValue("number"); n != "" {
		name += "/" + n
	}
	h.mu.Lock()
	b, ok := h.fleet.Set.File(name)
	h.mu.Unlock()
	if !ok {
		return edgeward.E("hub.trust", edgeward.NotFound, "fleet.trust.not_found", "no file %.60q", name)
	}
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(b)
	return err
}
