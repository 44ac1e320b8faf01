package member

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// Joins after the start, and the shortest wait between later ones.
var starts = []time.Duration{0, 2 * time.Second, 5 * time.Second, 15 * time.Second, 45 * time.Second}

const (
	missing = 10 * time.Second // and up to as much again: somebody is missing
	nothing = 20 * time.Second // the same: nobody is
)

// rejoin asks who is missing to come together again, until ctx ends.
func (p *Pool) rejoin(ctx context.Context) {
	var at time.Duration
	for _, s := range starts {
		if !p.pause(ctx, s-at) {
			return
		}
		at = s
		for _, id := range some(p.others(), 3) {
			p.ask(ctx, id)
		}
	}
	for {
		wait := nothing
		if len(p.away()) > 0 {
			wait = missing
		}
		if !p.pause(ctx, wait+rand.N(wait)) {
			return
		}
		for _, id := range some(p.away(), 2) {
			p.ask(ctx, id)
		}
	}
}

// ask joins one in the background: who is away answers nothing for seconds.
func (p *Pool) ask(ctx context.Context, id string) {
	p.mu.Lock()
	to := p.addresses(id)
	p.mu.Unlock()
	p.tasks.Go(func() { p.join(ctx, id, to) })
}

func (p *Pool) join(ctx context.Context, id string, to []string) {
	for _, a := range to {
		if ctx.Err() != nil {
			return
		}
		if _, err := p.list.Join([]string{id + "/" + a}); err == nil {
			return
		}
	}
}

// others are all on the roster but this server.
func (p *Pool) others() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Keys(p.roster)), func(id string) bool { return id == p.o.Node })
}

// away are those that are not alive.
func (p *Pool) away() []string {
	return slices.DeleteFunc(p.others(), func(id string) bool { return p.Is(id) == Alive })
}

func (p *Pool) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d) // room:clock how long to wait
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return ctx.Err() == nil
	}
}
