package agent

import (
	"context"
	"time"
)

// gap is the time between two long polls. Their connection is free then: what is called meanwhile would need another one, with a handshake that costs a hub of
// thousands more than all else. One goroutine polls, one reports.
type gap chan chan struct{}

// expected is how long the next long poll waits for a report that is about to be made, and then for its end.
const expected = time.Second

// leave lets a report go before the next long poll: one that waits for it, or that comes within d.
func (g gap) leave(ctx context.Context, d time.Duration) {
	over := make(chan struct{})
	if d == 0 {
		select {
		case g <- over:
		default:
			return
		}
	}
	t := time.NewTimer(max(d, expected)) // room:clock how long to wait
	defer t.Stop()
	if d > 0 {
		select {
		case g <- over:
		case <-t.C:
			return
		case <-ctx.Done():
			return
		}
	}
	select {
	case <-over:
	case <-t.C:
	case <-ctx.Done():
	}
}

// wait returns what ends the gap that there is now: once a report is made. One that can wait waits for it, for d at most and until something is urgent; without a gap
// there is nothing to end.
func (g gap) wait(ctx context.Context, can bool, d time.Duration, urgent <-chan struct{}) (end func()) {
	var over chan struct{}
	select {
	case over = <-g:
	default:
		if !can || d <= 0 {
			break
		}
		t := time.NewTimer(d) // room:clock how long to wait
		defer t.Stop()
		select {
		case over = <-g:
		case <-urgent:
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return func() {
		if over != nil {
			close(over)
		}
	}
}
