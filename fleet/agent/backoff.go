package agent

import (
	"strconv"
	"time"

	"edgeward"
)

// Longest is the longest wait between two calls of a hub that does not answer.
const Longest = 2 * time.Minute

// longest is the longest wait before work is tried again, and the longest that a hub may ask for.
const longest = 10 * time.Minute

// Backoff says how long to wait after each call that failed: full jitter up to the time the hub has been away, as far as that is known by the waits
// before. So a fleet is back soon after a hub that was away shortly, however often it asked meanwhile, and does not come at once.
type Backoff struct {
	Least time.Duration       // the first wait is shorter
	Dice  func(n int64) int64 // a random number below n

	away time.Duration // the waits since the last answer
}

// Answered says that a call was answered.
func (b *Backoff) Answered() { b.away = 0 }

// Next is the wait after a call that failed by err; what the hub asks for is the least.
func (b *Backoff) Next(err error) time.Duration {
	wait := jitter(min(Longest, max(b.Least, b.away)), b.Dice, err)
	b.away += wait
	return wait
}

func (a *Agent) backoff() *Backoff { return &Backoff{Least: 2 * a.o.Retry, Dice: a.o.Dice} }

// retryIn is the wait after so many tries of something that failed: full jitter up to Retry·2^tries.
func (a *Agent) retryIn(tries int, err error) time.Duration {
	return jitter(min(longest, a.o.Retry<<min(tries, 6)), a.o.Dice, err)
}

// jitter is a wait below most; what the hub asks for by err is the least.
func jitter(most time.Duration, dice func(int64) int64, err error) time.Duration {
	wait := time.Duration(dice(int64(most)))
	if s, perr := strconv.Atoi(edgeward.ParamsOf(err)["retry_after"]); perr == nil && s > 0 {
		wait = max(wait, min(longest, time.Duration(s)*time.Second)+time.Duration(dice(int64(time.Second))))
	}
	return max(wait, 100*time.Millisecond)
}
