package hub

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

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
