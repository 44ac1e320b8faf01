package hub

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/runtime/models"
)

// Bounds of what a node brings of a version that a person wants to adopt.
const (
	maxBrought = 64 << 30 // of a file
	maxAside   = 64 << 20 // of a blob beside the files, whose size no manifest says
)

// Adopting is this server's registry, as versions of nodes come into it.
type Adopting interface {
	// Keep keeps a blob that has this digest and at most limit bytes.
	Keep(ctx context.Context, d edgeward.Digest, r io.Reader, limit int64) error
	// Adopt registers a version whose blobs are all here, as the next of its model, and returns its number; one that is there keeps its own.
	Adopt(ctx context.Context, by, group string, m models.Manifest) (number int, err error)
}

// wanting are the manifests of n's own versions that it is asked for.
func (n Node) wanting() (out []edgeward.Digest) {
	for _, p := range n.Promotions {
		if p.waits() && p.With == "" {
			out = append(out, p.Promotion.Digest())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// own takes a part of a version that a person wants to adopt from the node that trained it: first its manifest, then what that leads to, then the
// manifest again. All else is as absent.
func (h *Hub) own(w http.ResponseWriter, r *http.Request, id string) error {
	d, err := edgeward.ParseDigest(r.PathValue("digest"))
	if err != nil {
		return err
	}
	h.mu.Lock()
	n, err := h.member(id)
	h.mu.Unlock()
	if err != nil {
		return err
	}
	for _, p := range n.Promotions {
		if p.Verdict != Adopt || p.Refused || p.With != "" {
			continue
		}
		if p.Promotion.Digest() == d {
			out, err := h.manifestOf(r.Context(), n, p, r.Body)
			if err != nil {
				return err
			}
			return answer(w, out)
		}
		if limit, ok := h.leads(r.Context(), p, d); ok {
			if err := h.o.Adopting.Keep(r.Context(), d, r.Body, limit); err != nil {
				return err
			}
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
	}
	return edgeward.E("hub.own", edgeward.NotFound, "blob.not_found", "nobody asked for %s", d.Short())
}

// manifestOf takes the manifest of a version and says what of it is missing here. If nothing is, the version is registered.
func (h *Hub) manifestOf(ctx context.Context, n Node, p Promoted, r io.Reader) (out spec.Brought, err error) {
	const op = "hub.own"
	group, model, d := p.Promotion.Parts()
	raw, err := io.ReadAll(io.LimitReader(r, p.Promotion.Length+1))
	if err != nil {
		return out, edgeward.E(op, edgeward.Invalid, "request.body", "the body ends too early: %v", err)
	}
	if int64(len(raw)) != p.Promotion.Length || edgeward.DigestOf(raw) != d {
		return out, edgeward.E(op, edgeward.Invalid, "fleet.manifest", "this is not the manifest that was promoted")
	}
	m, err := models.ParseManifest(raw)
	if err != nil {
		return out, err
	}
	if _, x, err := m.Canonical(); err != nil || x != d || m.Model != model {
		return out, edgeward.E(op, edgeward.Invalid, "fleet.manifest_unread", "this edgeward does not understand all of the manifest").WithHint("update the hub")
	}
	if err := h.o.Adopting.Keep(ctx, d, bytes.NewReader(raw), int64(len(raw))); err != nil {
		return out, err
	}
	for _, b := range m.Blobs() {
		if f, _, err := h.o.Bytes.Open(ctx, b); err != nil {
			out.Missing = append(out.Missing, b)
		} else {
			f.Close()
		}
	}
	if len(out.Missing) > 0 {
		return out, nil
	}
	if out.Version, err = h.o.Adopting.Adopt(ctx, p.By, group, m); err != nil {
		return out, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n, err = h.member(n.ID); err != nil {
		return out, err
	}
	i := slices.IndexFunc(n.Promotions, func(x Promoted) bool { return x.Promotion.Seq == p.Promotion.Seq && x.Promotion.Digest() == d })
	if i < 0 || n.Promotions[i].Number == out.Version {
		return out, nil
	}
	n.Promotions = slices.Clone(n.Promotions)
	n.Promotions[i].Number = out.Version
	c := h.change("system:fleet", "fleet.local.brought", n.ID, n.Last.Facts.Name, p.Reason)
	c.Detail = map[string]string{"version": strconv.Itoa(out.Version), "manifest": string(d)}
	h.stale = true
	h.Poke()
	return out, h.put(ctx, Facts{Nodes: append(h.numbered(n, n.Promotions[i]), n)}, c)
}

// leads says how many bytes a blob may have that the manifest of a promotion, which is here, leads to.
func (h *Hub) leads(ctx context.Context, p Promoted, d edgeward.Digest) (limit int64, ok bool) {
	f, _, err := h.o.Bytes.Open(ctx, p.Promotion.Digest())
	if err != nil {
		return 0, false
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, models.MaxManifest+1))
	if err != nil {
		return 0, false
	}
	m, err := models.ParseManifest(raw)
	if err != nil {
		return 0, false
	}
	for _, x := range m.Files {
		if x.Digest == d {
			return x.Size, x.Size <= maxBrought
		}
	}
	return maxAside, slices.Contains(m.Beside(), d)
}
