package infer

import (
	"cmp"
	"context"
	"slices"
	"time"

	"edgeward"
)

// fits reports whether a model of a size can be loaded without taking another one away.
func (c *Client) fits(size int64) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.Budget == 0 || c.held+size <= c.Budget
}

// reserve takes the room that a model needs out of the budget, from those that were used longest ago if need be, and
// waits for it at most Options.Room. What is pinned, answers, or came less than Options.Residency ago stays.
func (c *Client) reserve(ctx context.Context, e *entry) error {
	limit := time.NewTimer(c.Room)
	defer limit.Stop()
	for {
		c.mu.Lock()
		if c.Budget == 0 || c.held+e.size <= c.Budget {
			c.held += e.size
			c.mu.Unlock()
			return nil
		}
		freed := c.freed
		c.mu.Unlock()
		if e.size > c.Budget {
			return edgeward.E("infer.load", edgeward.Unavailable, noRoomCode, "the model takes %d MiB and all models together may take %d MiB", e.size>>20, c.Budget>>20).
				With("retry_after", "60").WithHint("raise workers.memory_budget")
		}
		if c.makeRoom(ctx, e) {
			continue
		}
		select {
		case <-freed:
		case <-time.After(c.Room / 20): // somebody's run has ended, or its residency
		case <-ctx.Done():
			return edgeward.E("infer.load", edgeward.Unavailable, "infer.stopped", "the load was not awaited: %w", ctx.Err())
		case <-limit.C:
			return edgeward.E("infer.load", edgeward.Unavailable, noRoomCode, "the model takes %d MiB, and all of the %d MiB for models are in use", e.size>>20, c.Budget>>20).
				With("retry_after", "5").WithHint("send again in a moment, raise workers.memory_budget, or let fewer models be pinned")
		}
	}
}

const noRoomCode = "infer.no_room"

// makeRoom takes away the model that was used longest ago and may go; false where none may.
func (c *Client) makeRoom(ctx context.Context, e *entry) bool {
	type idle struct {
		*entry
		used int64
	}
	var all []idle
	before := now() - int64(c.Residency)
	for _, o := range c.entries() {
		if at := o.at.Load(); o != e && at != nil && !o.request.Pinned && at.runs.Load() == 0 && at.since <= before {
			all = append(all, idle{o, o.used.Load()})
		}
	}
	slices.SortFunc(all, func(a, b idle) int { return cmp.Compare(a.used, b.used) })
	for _, o := range all {
		if c.evict(ctx, o.entry) {
			return true
		}
	}
	return false
}

// evict unloads a model that nobody is asking; its next run loads it again.
func (c *Client) evict(ctx context.Context, e *entry) bool {
	select {
	case <-e.turn:
		defer func() { e.turn <- struct{}{} }()
	default:
		return false // it is being loaded or unloaded
	}
	at := e.at.Load()
	if at == nil || !e.at.CompareAndSwap(at, nil) {
		return false
	}
	if at.runs.Load() > 0 {
		e.at.Store(at)
		return false
	}
	if at.host.own != nil {
		at.host.close()
		e.home = c.ownHost(e.request, e.request.Candidates[0])
	} else {
		_, _ = at.host.Call(context.WithoutCancel(ctx), methodUnload, []byte(e.key), nil) // if it has died the model has gone with it
	}
	c.free(e.size)
	return true
}

// leave unloads a model for good. The caller has e's turn.
func (c *Client) leave(ctx context.Context, e *entry) error {
	at := e.at.Load()
	if !c.vacate(e, at) || at.host.own != nil {
		return nil
	}
	_, err := at.host.Call(ctx, methodUnload, []byte(e.key), nil)
	return err
}

// vacate notes that a model is loaded no more where it was; false if somebody else has noted it.
func (c *Client) vacate(e *entry, at *place) bool {
	if at == nil || !e.at.CompareAndSwap(at, nil) {
		return false
	}
	c.free(e.size)
	return true
}

// free gives room back.
func (c *Client) free(size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held -= size
	close(c.freed)
	c.freed = make(chan struct{})
}

// Held is one model of a Client.
type Held struct {
	Name   string        `json:"name"` // for people: "bearings/3"
	Loaded bool          `json:"loaded"`
	Alone  bool          `json:"alone"` // in a worker of its own
	As     Candidate     `json:"as"`    // what it runs on
	Pinned bool          `json:"pinned,omitempty"`
	Bytes  int64         `json:"bytes"` // as measured when it was proved
	Idle   time.Duration `json:"idle"`  // since its last request
}

// Models tells of every model, the largest first, and of the bytes that the loaded ones take together.
func (c *Client) Models() (all []Held, held int64) {
	at := now()
	for _, e := range c.entries() {
		p := e.at.Load()
		all = append(all, Held{Name: cmp.Or(e.request.Name, e.key), Loaded: p != nil, Alone: p != nil && p.host.own != nil || e.request.Alone, As: e.request.Candidates[0],
			Pinned: e.request.Pinned, Bytes: e.size, Idle: time.Duration(at - e.used.Load())})
	}
	slices.SortFunc(all, func(a, b Held) int { return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name)) })
	c.mu.RLock()
	defer c.mu.RUnlock()
	return all, c.held
}

// Size is what a model counts in the memory budget, loaded or not: what was measured, and no less than its file. 0: unknown.
func (c *Client) Size(key string) int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if e := c.models[key]; e != nil {
		return e.size
	}
	return 0
}

// Loaded reports whether a model is in memory now.
func (c *Client) Loaded(key string) bool {
	c.mu.RLock()
	e := c.models[key]
	c.mu.RUnlock()
	return e != nil && e.at.Load() != nil
}
