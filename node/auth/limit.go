package auth

import (
	"sync"
	"time"

	"edgeward"

	"golang.org/x/time/rate"
)

// limiter slows down guessing: by name and address together, by address, and by name. The limit by name alone is wide, so
// that a stranger cannot lock a person out.
type limiter struct {
	mu   sync.Mutex
	keys map[string]*rate.Limiter
}

// maxLimited bounds the memory: 20,000 keys are about 3 MB.
const maxLimited = 20_000

func newLimiter() *limiter { return &limiter{keys: map[string]*rate.Limiter{}} }

// allow takes one attempt of name from an address, or says how long to wait with Exhausted "auth.too_many".
func (l *limiter) allow(name, from string, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.keys) > maxLimited {
		for k, b := range l.keys {
			if b.TokensAt(now) >= float64(b.Burst()) {
				delete(l.keys, k)
			}
		}
		if len(l.keys) > maxLimited {
			clear(l.keys)
		}
	}
	for _, rule := range []struct {
		key   string
		every time.Duration
		burst int
	}{
		{"pair " + from + " " + name, 10 * time.Second, 6},
		{"from " + from, 2 * time.Second, 30},
		{"name " + name, time.Second, 60},
	} {
		b := l.keys[rule.key]
		if b == nil {
			b = rate.NewLimiter(rate.Every(rule.every), rule.burst)
			l.keys[rule.key] = b
		}
		if !b.AllowN(now, 1) {
			return edgeward.E("auth.Login", edgeward.Exhausted, "auth.too_many", "too many attempts").
				With("seconds", "10").WithHint("wait ten seconds, then try again")
		}
	}
	return nil
}
