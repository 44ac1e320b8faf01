package auth

import (
	"sync"
	"time"
)

// maxKnown bounds the answers that are kept.
const maxKnown = 4096

// known keeps who the bearers of tokens were found to be, so that a request costs no reading of the store. An answer holds
// until the store changes in whatever way, the token expires, or its use has to be noted again.
type known struct {
	mu         sync.RWMutex
	generation uint64
	bearers    map[bearer]principalUntil
}

// bearer is a question: the hash of a secret, and the group it was sent for.
type bearer struct{ hash, group string }

type principalUntil struct {
	Principal
	until time.Time
}

func (k *known) find(b bearer, generation uint64, now time.Time) (Principal, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	p, ok := k.bearers[b]
	return p.Principal, ok && k.generation == generation && now.Before(p.until)
}

func (k *known) keep(b bearer, generation uint64, p Principal, until time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.generation != generation || len(k.bearers) >= maxKnown || k.bearers == nil {
		k.generation, k.bearers = generation, map[bearer]principalUntil{}
	}
	k.bearers[b] = principalUntil{p, until}
}
