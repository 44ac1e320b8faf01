package hub

import (
	"context"
	"net/http"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/runtime/models"
)

func (h *Hub) blob(w http.ResponseWriter, r *http.Request, id string) error {
	d, err := edgeward.ParseDigest(r.PathValue("digest"))
	if err != nil {
		return err
	}
	if _, err := h.part(r.Context(), id, d); err != nil {
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

func absent(d edgeward.Digest) error {
	return edgeward.E("hub.blob", edgeward.NotFound, "blob.not_found", "no blob %s", d.Short())
}

// part is what d is in the versions that a node's document leads to, and those that the node says are live: a manifest, a file or a blob beside one.
// Any other is absent.
func (h *Hub) part(ctx context.Context, id string, d edgeward.Digest) (Part, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	set, err := h.reach(ctx, id)
	if err != nil {
		return Part{}, err
	}
	p, ok := set[d]
	if !ok {
		return p, absent(d)
	}
	return p, nil
}

// reach is what a node's document leads to, computed once a revision and report of another live version.
func (h *Hub) reach(ctx context.Context, id string) (map[edgeward.Digest]Part, error) {
	n, err := h.member(id)
	if err != nil {
		return nil, err
	}
	if set := h.allowed[id]; set != nil {
		return set, nil
	}
	set := map[edgeward.Digest]Part{}
	note := func(p Part) { // the first version that has it as a file says what it is
		if old, ok := set[p.Digest]; !ok || old.Name == "" {
			set[p.Digest] = p
		}
	}
	for _, e := range h.versions(n) {
		if e.Key().Binary() {
			if ok, err := h.released(e.Digest); err != nil {
				return nil, err
			} else if ok {
				note(Part{Digest: e.Digest})
			}
			continue
		}
		m, err := h.o.Registry.Manifest(ctx, e.Group, e.Model, e.Digest)
		if edgeward.KindOf(err) == edgeward.NotFound {
			continue // the registry has forgotten what the node still runs
		}
		if err != nil {
			return nil, err
		}
		note(Part{Digest: e.Digest})
		for _, p := range files(m) {
			note(p)
		}
		for _, d := range m.Beside() {
			note(Part{Digest: d})
		}
	}
	h.allowed[id] = set
	return set, nil
}

// files are a version's, in its manifest's order.
func files(m models.Manifest) (out []Part) {
	main, ok := m.File("model")
	for _, f := range m.Files {
		p := Part{Digest: f.Digest, Name: f.Name}
		if ok && f.Role == "data" {
			p.Beside = main.Digest
		}
		out = append(out, p)
	}
	return out
}

// versions are the endpoints of a node's document, and with each the versions it says are live or were, under the wanted model's name.
func (h *Hub) versions(n Node) (out []spec.Endpoint) {
	for _, e := range h.view().wanted(n) {
		out = append(out, e)
		for _, s := range n.States() {
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
