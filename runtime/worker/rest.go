package worker

import (
	"context"
	"time"

	"edgeward/runtime/pages"
)

// restAfter is how long nobody has called a process when it gives back what it needs for work only.
const restAfter = 10 * time.Second

// rests gives memory back, once after each time of work, until ctx ends.
func (c *child) rests(ctx context.Context) {
	tick := time.NewTicker(restAfter)
	defer tick.Stop()
	for seen, rested := c.ended.Load(), uint64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c.mu.Lock()
		busy := len(c.calls) > 0
		c.mu.Unlock()
		n := c.ended.Load()
		if !busy && n == seen && n != rested {
			pages.Release()
			rested = n
		}
		seen = n
	}
}
