package agent

import (
	"context"
	"slices"
	"time"

	"edgeward/sync/tuf"
)

// turn returns the addresses and which to begin with. After a while away from the first address it is tried again: there the hub should be.
func (w *Wire) turn() ([]string, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now() // room:clock how long another address is kept to
	if w.first > 0 && now.Sub(w.since) > homesick {
		w.first, w.since = 0, now
	}
	return w.hubs, min(w.first, len(w.hubs)-1)
}

// answered notes where the hub was found.
func (w *Wire) answered(hub string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.hubs, hub); i >= 0 && i != w.first {
		w.first, w.since = i, time.Now() // room:clock how long another address is kept to
	}
}

// Addresses are where the hub is to be found, in the order to try; what was known before comes after them.
func (w *Wire) Addresses(hubs []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(hubs) == 0 {
		return
	}
	next := slices.Clone(hubs)
	for _, x := range w.hubs {
		if !slices.Contains(next, x) {
			next = append(next, x)
		}
	}
	next = next[:min(len(next), 16)]
	if !slices.Equal(next, w.hubs) {
		w.hubs, w.first = next, 0
	}
}

// Next goes on to the next address: a hub answered that is not the one to follow.
func (w *Wire) Next() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.first, w.since = (w.first+1)%len(w.hubs), time.Now() // room:clock how long another address is kept to
}

// Return gives the hub signed files that are newer than its own.
func (w *Wire) Return(ctx context.Context, s tuf.Set) error {
	return w.put(ctx, "trust", s)
}
