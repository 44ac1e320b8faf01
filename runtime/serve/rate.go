package serve

import (
	"math"
	"strconv"
	"sync"
	"time"

	"edgeward"
)

// Bounds of a Limit.
const (
	MaxPerSecond = 1e6
	MaxBurst     = 1_000_000
)

// Limit bounds how often something may be asked: a bucket of Burst tokens into which PerSecond fall each second; a request
// takes one, whatever rows it has. The zero Limit limits nothing. Burst 0 means what falls in one second, at least one.
type Limit struct {
	PerSecond float64 `json:"per_second"`
	Burst     int     `json:"burst,omitempty"`
}

// Check reports why l is no limit.
func (l Limit) Check() error {
	if !(l.PerSecond >= 0 && l.PerSecond <= MaxPerSecond) || l.Burst < 0 || l.Burst > MaxBurst || l.PerSecond == 0 && l.Burst > 0 {
		return edgeward.E("serve.Limit", edgeward.Invalid, "endpoint.limit", "%v requests a second with a burst of %d is no limit", l.PerSecond, l.Burst).
			WithHint("a rate is 0 (no limit) to %.0f, a burst at most %d", MaxPerSecond, MaxBurst)
	}
	return nil
}

func (l Limit) burst() float64 {
	if l.Burst > 0 {
		return float64(l.Burst)
	}
	return max(1, l.PerSecond)
}

// Tokens is the bucket of a limit for one party. The zero Tokens is a full bucket.
type Tokens struct {
	taken float64 // missing from a full bucket
	at    time.Time
}

// Take returns the bucket after one token was taken at now, or, unchanged, how long until there is one. Time that runs
// backwards fills nothing. Pure.
func (b Tokens) Take(l Limit, now time.Time) (Tokens, time.Duration) {
	if l.PerSecond <= 0 {
		return b, 0
	}
	next := b.filled(l, now)
	if short := next.taken + 1 - l.burst(); short > 1e-9 {
		return b, time.Duration(math.Ceil(short / l.PerSecond * float64(time.Second)))
	}
	next.taken++
	return next, 0
}

// Full reports whether nothing is missing at now.
func (b Tokens) Full(l Limit, now time.Time) bool { return b.filled(l, now).taken == 0 }

func (b Tokens) filled(l Limit, now time.Time) Tokens {
	if !now.After(b.at) {
		return b
	}
	return Tokens{max(0, b.taken-now.Sub(b.at).Seconds()*l.PerSecond), now}
}

// maxPrincipals bounds the buckets of one endpoint.
const maxPrincipals = 4096

// limiter holds an endpoint's buckets: one for all, and one for each principal.
type limiter struct {
	mu   sync.Mutex
	all  Tokens
	each map[string]Tokens
}

// admit takes a token for a request of principal, or says with Exhausted "endpoint.rate" when there will be one.
func (l *limiter) admit(e *Endpoint, principal string, now time.Time) error {
	if e.Rate.PerSecond <= 0 && e.PrincipalRate.PerSecond <= 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	mine, wait := l.each[principal].Take(e.PrincipalRate, now)
	if wait > 0 {
		return tooFast(e, "of one caller", e.PrincipalRate, wait)
	}
	all, wait := l.all.Take(e.Rate, now)
	if wait > 0 {
		return tooFast(e, "of all callers together", e.Rate, wait)
	}
	l.all = all
	if e.PrincipalRate.PerSecond > 0 {
		if l.each == nil {
			l.each = map[string]Tokens{}
		}
		if len(l.each) >= maxPrincipals {
			l.shrink(e.PrincipalRate, now)
		}
		l.each[principal] = mine
	}
	return nil
}

// shrink forgets who has a full bucket again; should nobody have one, everybody starts anew.
func (l *limiter) shrink(limit Limit, now time.Time) {
	for k, b := range l.each {
		if b.Full(limit, now) {
			delete(l.each, k)
		}
	}
	if len(l.each) >= maxPrincipals {
		clear(l.each)
	}
}

func tooFast(e *Endpoint, whose string, l Limit, wait time.Duration) error {
	seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
	return edgeward.E("serve.admit", edgeward.Exhausted, "endpoint.rate", "endpoint %s takes %v requests a second %s", e.Name, l.PerSecond, whose).
		With("retry_after", seconds).WithHint("send again in %s s, or put several rows into one request", seconds)
}
