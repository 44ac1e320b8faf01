// Package together lets calls that come at the same time be done in one go, so that many share one write to the disk.
//
// # What it promises
//
//   - Do returns what run returned for its value, after run has returned: what was acknowledged is done.
//   - Who comes while one go is under way waits, and is in the next one with all who came meanwhile, in the order of coming. A call alone waits for nobody.
//   - Every value is in one go, once. There is never more than one go at once.
//   - A panic of run is passed to the call that led the go; the others get an error.
package together

import (
	"sync"

	"edgeward"
)

// Group is safe for concurrent use.
type Group[T any] struct {
	run  func([]T) []error
	most int

	turn    chan struct{} // held by who leads
	mu      sync.Mutex
	waiting []*call[T]
}

type call[T any] struct {
	is   T
	done chan error // holds one
}

// New returns a Group whose goes are of at most so many values. run returns an error, or nil, for each of the values it is given.
func New[T any](most int, run func([]T) []error) *Group[T] {
	return &Group[T]{run: run, most: most, turn: make(chan struct{}, 1)}
}

// Do returns once v is done, in a go that this call or another one leads.
func (g *Group[T]) Do(v T) error {
	c := &call[T]{v, make(chan error, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, c)
	g.mu.Unlock()
	for {
		select {
		case err := <-c.done:
			return err
		case g.turn <- struct{}{}:
			g.lead()
		}
	}
}

// lead does a go of what waits; there may be nothing left.
func (g *Group[T]) lead() {
	defer func() { <-g.turn }()
	list, values := g.next()
	if len(list) == 0 {
		return
	}
	var errs []error
	defer func() {
		for i, c := range list {
			if len(errs) == len(list) {
				c.done <- errs[i]
			} else {
				c.done <- edgeward.E("together", edgeward.Internal, "", "the call that led this one failed")
			}
		}
	}()
	errs = g.run(values)
}

// next takes the calls of the next go.
func (g *Group[T]) next() (list []*call[T], values []T) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), g.most)
	list, g.waiting = g.waiting[:n:n], g.waiting[n:]
	if len(g.waiting) == 0 {
		g.waiting = nil // lets go of the array
	}
	for _, c := range list {
		values = append(values, c.is)
	}
	return list, values
}
