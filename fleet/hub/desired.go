package hub

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"time"

	"edgeward"
	"edgeward/fleet/inquiry"
	"edgeward/fleet/spec"
)

// desired waits until the document is newer than what the node has.
func (h *Hub) desired(w http.ResponseWriter, r *http.Request, id string) error {
	have, _ := strconv.ParseUint(r.URL.Query().Get("have"), 10, 64)
	wait, _ := strconv.Atoi(r.URL.Query().Get("wait"))
	boot := r.URL.Query().Get("boot")
	if err := h.lives(r.Context(), id, boot); err != nil {
		return err
	}
	if err := h.ahead(r.Context(), id, have); err != nil {
		return err
	}
	d, asked, err := h.await(r.Context(), id, have, min(time.Duration(max(wait, 0))*time.Second, maxWait), r.URL.Query().Has("inquiries"))
	if err != nil {
		return err
	}
	if asked {
		w.Header().Set(inquiry.Hint, "1")
	}
	mark, report := h.says(id, boot)
	w.Header().Set(spec.TrustHeader, mark)
	if report {
		w.Header().Set(spec.ReportHeader, "1")
	}
	if d == nil {
		if term, err := h.termFor(id); err != nil {
			return err
		} else if term != nil {
			w.Header().Set(spec.TermHeader, base64.StdEncoding.EncodeToString(term))
		}
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.Header().Set("Content-Type", "application/vnd.dsse.envelope.v1+json")
	_, err = w.Write(d)
	return err
}

// says is what the two headers are to say to a node: the first changes with each signature.
func (h *Hub) says(id, boot string) (mark string, report bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, n := h.fleet.Set, h.nodes[id]
	return edgeward.DigestOf(strconv.AppendInt(slices.Clone(s.Timestamp), int64(len(s.Roots)), 10)).Hex()[:16], boot != "" && n.Last.Boot != boot || n.Unmet
}

// Await returns a member's envelope as soon as its revision is above have, nil if it is not after wait.
func (h *Hub) Await(ctx context.Context, id string, have uint64, wait time.Duration) ([]byte, error) {
	d, _, err := h.await(ctx, id, have, wait, false)
	return d, err
}

// await is Await for a node that may be told that something is asked of it: then it comes back at once.
func (h *Hub) await(ctx context.Context, id string, have uint64, wait time.Duration, curious bool) (envelope []byte, asked bool, err error) {
	var timeout <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait) // room:clock how long a call waits
		defer t.Stop()
		timeout = t.C
	}
	for {
		h.mu.Lock()
		n, err := h.member(id)
		if err == nil {
			err = h.over()
		}
		if err != nil {
			h.mu.Unlock()
			return nil, false, err
		}
		if n.Rev > have && !n.Held && !n.Unmet {
			d, err := h.document(ctx, n)
			h.mu.Unlock()
			return d.envelope, false, err
		}
		if curious && h.o.Desk.Hint(id) {
			h.mu.Unlock()
			return nil, true, nil
		}
		c := h.changed[id]
		if c == nil {
			c = make(chan struct{})
			h.changed[id] = c
		}
		h.mu.Unlock()
		if wait <= 0 {
			return nil, false, nil
		}
		select {
		case <-c:
		case <-timeout:
			return nil, false, nil
		case <-ctx.Done(): // the node hangs up, or this server ends
			return nil, false, edgeward.E("hub.await", edgeward.Unavailable, "fleet.hub_away", "the hub ends, or starts anew: %w", ctx.Err()).WithHint("it is called again by itself")
		}
	}
}
