package hub

import (
	"cmp"
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"edgeward"
	"edgeward/runtime/models"
	"edgeward/sync/delta"
)

// Deltas makes differences between blobs, each once and in the background: no call waits for one.
type Deltas interface {
	// Between returns the difference if it is here. NotFound says that there will be none, Unavailable with the code pull.Making that it is being made, as long as somebody
	// asks for it now and then.
	Between(ctx context.Context, from, to Part) (r io.ReadSeekCloser, size int64, err error)
	// Prepare has one made that will be asked for soon.
	Prepare(from, to Part)
}

// Part is a file of a version, or a blob beside one.
type Part struct {
	Digest edgeward.Digest
	Name   string          // of a file
	Beside edgeward.Digest // the model it lies beside, which may say where its tensors are; "" none
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
	is, err := h.part(r.Context(), id, to)
	if err != nil {
		return err
	}
	was, err := h.part(r.Context(), id, from)
	if err != nil {
		return err
	}
	if h.o.Deltas == nil || r.URL.Query().Get("version") != delta.Version { // another version of edgeward fetches the whole
		return absent(to)
	}
	f, _, err := h.o.Deltas.Between(r.Context(), was, is)
	if err != nil {
		return err
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/vnd.edgeward.delta")
	http.ServeContent(w, r, "", time.Time{}, f)
	return nil
}

// maxBases is of how many versions that nodes have the differences to a new one are made before somebody asks.
const maxBases = 3

// prepare has made what the nodes of new rollouts will ask for: the differences to what most of them have. What others have is made when they ask.
func (h *Hub) prepare(ctx context.Context, moves ...Move) {
	if h.o.Deltas == nil {
		return
	}
	for _, m := range moves {
		h.prepareOne(ctx, m)
	}
}

func (h *Hub) prepareOne(ctx context.Context, m Move) {
	count := map[edgeward.Digest]int{}
	for _, n := range h.meant(m) {
		if d := n.Seen.Live; d != "" && d != m.To.Digest {
			count[d]++
		}
	}
	bases := slices.SortedFunc(maps.Keys(count), func(a, b edgeward.Digest) int { return cmp.Or(count[b]-count[a], cmp.Compare(a, b)) })
	bases = bases[:min(len(bases), maxBases)]
	if m.Endpoint.Binary() {
		for _, d := range bases {
			if ok, err := h.released(d); err != nil || !ok {
				continue // it was installed by hand, or is no binary at all
			}
			h.o.Deltas.Prepare(Part{Digest: d}, Part{Digest: m.To.Digest})
		}
		return
	}
	now, err := h.o.Registry.Manifest(ctx, m.Endpoint.Group, m.To.Model, m.To.Digest)
	if err != nil {
		return // who asks learns why
	}
	parts := files(now)
	for _, d := range bases {
		old, err := h.o.Registry.Manifest(ctx, m.Endpoint.Group, m.To.Model, d)
		if err != nil {
			continue // it was forgotten
		}
		h.between(old, now, parts)
	}
}

// between has the differences of two versions' files made.
func (h *Hub) between(old, now models.Manifest, parts []Part) {
	was := files(old)
	at := func(d edgeward.Digest) int { return slices.IndexFunc(was, func(p Part) bool { return p.Digest == d }) }
	for i, f := range now.Files {
		if like := at(now.Like(f, old)); like >= 0 && at(f.Digest) < 0 {
			h.o.Deltas.Prepare(was[like], parts[i])
		}
	}
}
