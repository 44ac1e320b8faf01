package events

import (
	"context"
	"iter"
	"sync"
)

// Log is the part of the store a Feed reads. Events returns at most limit events with Seq > after, in order.
type Log interface {
	Events(ctx context.Context, after uint64, limit int) ([]Event, error)
}

// feedPage is how many events a follower reads at once: with MaxBytes it bounds a follower's memory at 1 MiB.
const feedPage = 64

// Feed wakes followers when the log has grown. It is safe for concurrent use and starts no goroutine.
type Feed struct {
	log Log

	mu    sync.Mutex
	grown chan struct{} // closed and replaced when the log has grown
	last  uint64
}

// NewFeed returns a feed over log.
func NewFeed(log Log) *Feed { return &Feed{log: log, grown: make(chan struct{})} }

// Committed tells followers that events up to seq are durable. The store calls it after each commit.
func (f *Feed) Committed(seq uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if seq <= f.last {
		return
	}
	f.last = seq
	close(f.grown)
	f.grown = make(chan struct{})
}

// Follow yields every selected event after the given sequence number, first those that exist, then each new one as it is
// committed, in order and without gaps, until the caller stops, ctx ends or the log cannot be read. The last pair then
// holds the error. It runs on the caller's goroutine.
func (f *Feed) Follow(ctx context.Context, after uint64, filter Filter) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			f.mu.Lock()
			grown := f.grown
			f.mu.Unlock()
			page, err := f.log.Events(ctx, after, feedPage)
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, e := range page {
				after = e.Seq
				if filter.Match(e) && !yield(e, nil) {
					return
				}
			}
			if len(page) == feedPage {
				continue
			}
			select {
			case <-grown:
			case <-ctx.Done():
				yield(Event{}, ctx.Err())
				return
			}
		}
	}
}
