package hub

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
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
	node("GET /fleet/v1/desired", h.desired)
	node("PUT /fleet/v1/state", h.state)
	node("POST /fleet/v1/events", h.events)
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
	chain, err := h.Renew(r.Context(), id, b)
	if err != nil {
		return err
	}
	return answer(w, spec.JoinAnswer{Format: spec.Format, Chain: chain})
}

// desired waits until the document is newer than what the node has.
func (h *Hub) desired(w http.ResponseWriter, r *http.Request, id string) error {
	have, _ := strconv.ParseUint(r.URL.Query().Get("have"), 10, 64)
	wait, _ := strconv.Atoi(r.URL.Query().Get("wait"))
	d, err := h.Await(r.Context(), id, have, min(time.Duration(max(wait, 0))*time.Second, maxWait))
	if err != nil {
		return err
	}
	if d == nil {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.Header().Set("Content-Type", "application/vnd.dsse.envelope.v1+json")
	_, err = w.Write(d)
	return err
}

// Await returns a member's envelope as soon as its revision is above have, nil if it is not after wait.
func (h *Hub) Await(ctx context.Context, id string, have uint64, wait time.Duration) ([]byte, error) {
	var timeout <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait) // room:clock how long a call waits
		defer t.Stop()
		timeout = t.C
	}
	for {
		h.mu.Lock()
		n, err := h.member(id)
		if err != nil {
			h.mu.Unlock()
			return nil, err
		}
		if n.Rev > have {
			d, err := h.document(ctx, n)
			h.mu.Unlock()
			return d.envelope, err
		}
		c := h.changed[id]
		if c == nil {
			c = make(chan struct{})
			h.changed[id] = c
		}
		h.mu.Unlock()
		if wait <= 0 {
			return nil, nil
		}
		select {
		case <-c:
		case <-timeout:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (h *Hub) state(w http.ResponseWriter, r *http.Request, id string) error {
	b, err := body(r, spec.MaxReported)
	if err != nil {
		return err
	}
	in, err := spec.ParseReported(b)
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

func (h *Hub) events(w http.ResponseWriter, r *http.Request, id string) error {
	b, err := body(r, 1<<20)
	if err != nil {
		return err
	}
	var in []spec.Event
	if err := json.Unmarshal(b, &in); err != nil || len(in) > spec.MaxEvents {
		return edgeward.E("hub.events", edgeward.Invalid, "fleet.events", "not a list of at most %d events: %v", spec.MaxEvents, err)
	}
	if err := h.o.Store.AddFleetEvents(r.Context(), id, in); err != nil {
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

func (h *Hub) blob(w http.ResponseWriter, r *http.Request, id string) error {
	d, err := edgeward.ParseDigest(r.PathValue("digest"))
	if err != nil {
		return err
	}
	if err := h.mayHave(r.Context(), id, d); err != nil {
		return err
	}
	if raw, ok := h.manifestOf(r.Context(), id, d); ok {
		w.Header().Set("Content-Type", "application/json")
		_, err := w.Write(raw)
		return err
	}
	f, _, err := h.o.Bytes.Open(r.Context(), d)
	if err != nil {
		return err
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, f)
	return nil
}

func (h *Hub) delta(w http.ResponseWriter, r *http.Request, id string) error {
	to, err := edgeward.ParseDigest(r.PathValue("digest"))
	if err != nil {
		return err
	}
	from, err := edgeward.ParseDigest(r.URL.Query().Get("from"))
	if err != nil {
		return err
	}
	for _, d := range []edgeward.Digest{to, from} {
		if err := h.mayHave(r.Context(), id, d); err != nil {
			return err
		}
	}
	if h.o.Delta == nil {
		return absent(to)
	}
	f, _, err := h.o.Delta(r.Context(), from, to)
	if err != nil {
		return err
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/vnd.edgeward.delta")
	http.ServeContent(w, r, "", time.Time{}, f)
	return nil
}

func absent(d edgeward.Digest) error {
	return edgeward.E("hub.blob", edgeward.NotFound, "blob.not_found", "no blob %s", d.Short())
}

// mayHave reports whether a node's document leads to d: its manifests, their files, and those of what the node says is live.
func (h *Hub) mayHave(ctx context.Context, id string, d edgeward.Digest) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	set, err := h.reach(ctx, id)
	if err != nil {
		return err
	}
	if !set[d] {
		return absent(d)
	}
	return nil
}

// reach is what a node's document leads to, computed once a revision and report of another live version.
func (h *Hub) reach(ctx context.Context, id string) (map[edgeward.Digest]bool, error) {
	n, err := h.member(id)
	if err != nil {
		return nil, err
	}
	if set := h.allowed[id]; set != nil {
		return set, nil
	}
	set := map[edgeward.Digest]bool{}
	for _, e := range h.versions(n) {
		m, _, err := h.o.Registry.Manifest(ctx, e.Group, e.Model, e.Digest)
		if edgeward.KindOf(err) == edgeward.NotFound {
			continue // the registry has forgotten what the node still runs
		}
		if err != nil {
			return nil, err
		}
		set[e.Digest] = true
		for _, f := range m.Files {
			set[f.Digest] = true
		}
		for _, d := range []edgeward.Digest{m.Profile, m.FeatureProfile, m.Residuals, m.Examples, m.Golden} {
			if d != "" {
				set[d] = true
			}
		}
	}
	h.allowed[id] = set
	return set, nil
}

// versions are the endpoints of a node's document, and with each the versions it says are live or were, under the wanted model's name.
func (h *Hub) versions(n Node) (out []spec.Endpoint) {
	for _, e := range wanted(n, h.assignments, h.open()) {
		out = append(out, e)
		for _, s := range n.Last.Endpoints {
			if s.Key() != e.Key() {
				continue
			}
			for _, d := range []edgeward.Digest{s.Live, s.Previous} {
				if d != "" && d != e.Digest {
					old := e
					old.Digest = d
					out = append(out, old)
				}
			}
		}
	}
	return out
}

func (h *Hub) manifestOf(ctx context.Context, id string, d edgeward.Digest) ([]byte, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := h.member(id)
	if err != nil {
		return nil, false
	}
	for _, e := range h.versions(n) {
		if e.Digest != d {
			continue
		}
		_, raw, err := h.o.Registry.Manifest(ctx, e.Group, e.Model, e.Digest)
		return raw, err == nil
	}
	return nil, false
}
