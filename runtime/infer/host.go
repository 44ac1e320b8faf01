package infer

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"edgeward"
)

// host is a worker that models live in.
type host struct {
	Caller
	own   Own           // nil: the shared worker
	epoch atomic.Uint64 // grows each time its models are found to be lost
}

func (c *Client) ownHost(r LoadRequest, as Candidate) *host {
	name := r.Name
	if name == "" {
		name = r.Key
	}
	w := c.Own(name, as)
	return &host{Caller: w, own: w}
}

// close ends a worker of one model's own, beside the caller.
func (h *host) close() {
	if h.own != nil {
		go h.own.Close() // an error is that of a process that was killed: nothing is left to save in it
	}
}

// killer is an error of a call that may have ended its worker's process, which it names.
type killer interface {
	error
	Killed() (process string)
}

// bring loads a model where it belongs unless it is loaded already. A load that meets a death is
// tried once more, by itself if it may be the cause.
func (c *Client) bring(ctx context.Context, e *entry) error {
	select {
	case <-e.turn:
		defer func() { e.turn <- struct{}{} }()
	case <-ctx.Done():
		return edgeward.E("infer.load", edgeward.Unavailable, "infer.stopped", "the load was not awaited: %w", ctx.Err())
	}
	if e.gone.Load() {
		return notLoaded(e.key)
	}
	if e.at.Load() != nil {
		return nil // somebody else was faster
	}
	if err := c.reserve(ctx, e); err != nil {
		return err
	}
	err := c.place(ctx, e)
	if died(err) && ctx.Err() == nil {
		err = c.place(ctx, e)
	}
	if err != nil {
		c.free(e.size)
	}
	return err
}

// place loads a model in its home, with its only candidate. The caller has e's turn and its room.
func (c *Client) place(ctx context.Context, e *entry) error {
	home := e.home
	epoch := home.epoch.Load()
	began, cancel := context.WithTimeout(ctx, e.request.Limit)
	defer cancel()
	t := Trial{Candidate: e.request.Candidates[0]}
	err := load(began, home, e.key, e.request, &t)
	if err == nil {
		err = e.request.rightAnswers(t)
	}
	if err != nil {
		if died(err) {
			c.perished(home, epoch)
		}
		if k := suspect(err); k != "" {
			c.distrust(e)
		}
		if edgeward.CodeOf(err) == wrongCode {
			_, _ = home.Call(ctx, methodUnload, []byte(e.key), nil) // if that fails its process has ended
		}
		return err
	}
	e.at.Store(&place{host: home, epoch: epoch, since: now()})
	return nil
}

// failed sees what a run that failed means for its model and the others in its worker.
func (c *Client) failed(e *entry, at *place, err error) {
	switch {
	case suspect(err) != "":
		c.suspected(e, at)
		c.lost(at)
	case died(err):
		c.lost(at)
	case edgeward.CodeOf(err) == memoryCode && at.host == c.shared:
		c.suspected(e, at) // it, or another beside it, took what there was: by itself it harms nobody
	}
}

// memoryCode is of a run for which the worker had no memory; it lives on.
const memoryCode = "engine.memory"

// suspected takes a model out of the shared worker.
func (c *Client) suspected(e *entry, at *place) {
	if c.Own == nil || at.host != c.shared {
		return
	}
	<-e.turn
	defer func() { e.turn <- struct{}{} }()
	if e.gone.Load() || e.home != c.shared {
		return
	}
	c.distrust(e)
	now := e.at.Load() // another call that met the same death may have had it loaded again there
	gone := c.vacate(e, now)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), e.request.Limit)
		defer cancel()
		if gone {
			_, _ = now.host.Call(ctx, methodUnload, []byte(e.key), nil) // if it has died the model has gone with it
		}
		_ = c.bring(ctx, e) // its next request tries again, and tells
	}()
}

// distrust gives a model a worker of its own from its next load on. The caller has e's turn.
func (c *Client) distrust(e *entry) {
	if c.Own == nil || e.home != c.shared {
		return
	}
	e.home = c.ownHost(e.request, e.request.Candidates[0])
	e.moved.Store(now())
}

// lost notes that the process in which at was has ended, and loads again what else was in it.
func (c *Client) lost(at *place) { c.perished(at.host, at.epoch) }

func (c *Client) perished(h *host, epoch uint64) {
	if !h.epoch.CompareAndSwap(epoch, epoch+1) {
		return // seen already
	}
	var again []*entry
	for _, e := range c.entries() {
		if at := e.at.Load(); at != nil && at.host == h && at.epoch <= epoch && c.vacate(e, at) {
			again = append(again, e)
		}
	}
	slices.SortFunc(again, func(a, b *entry) int { return int(max(-1, min(1, b.used.Load()-a.used.Load()))) })
	go func() {
		var all sync.WaitGroup
		slots := make(chan struct{}, parallel)
		for _, e := range again {
			slots <- struct{}{}
			all.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), e.request.Limit)
				defer cancel()
				_ = c.bring(ctx, e) // its next request tries again, and tells
				<-slots
			})
		}
		all.Wait()
	}()
}

// replaced forgets the model that had e's key before.
func (c *Client) replaced(old, e *entry) {
	old.gone.Store(true)
	<-old.turn
	defer func() { old.turn <- struct{}{} }()
	at, now := old.at.Load(), e.at.Load()
	if at != nil && c.vacate(old, at) && (now == nil || now.host != at.host) {
		_, _ = at.host.Call(context.Background(), methodUnload, []byte(old.key), nil) // if it has died the model has gone with it
	}
	old.home.close()
}

func (c *Client) entries() []*entry {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]*entry, 0, len(c.models))
	for _, e := range c.models {
		out = append(out, e)
	}
	return out
}

// died reports whether a call met the end of its process.
func died(err error) bool {
	code := edgeward.CodeOf(err)
	return code == "worker.died" || code == "worker.memory"
}

// suspect names the process that a call may have ended, or "".
func suspect(err error) string {
	if k, ok := errors.AsType[killer](err); ok {
		return k.Killed()
	}
	return ""
}

// Tend unloads what nobody has asked for as long as its request allows, and takes models that were suspected of a death
// back into the shared worker when they have behaved. It returns when ctx ends.
func (c *Client) Tend(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			c.tend(ctx, now())
		}
	}
}

func (c *Client) tend(ctx context.Context, at int64) {
	for _, e := range c.entries() {
		switch idle := time.Duration(at - e.used.Load()); {
		case e.request.IdleUnload > 0 && !e.request.Pinned && idle > e.request.IdleUnload && e.at.Load() != nil:
			c.evict(ctx, e)
		case e.moved.Load() != 0 && time.Duration(at-e.moved.Load()) > c.Trust:
			c.comeBack(ctx, e)
		}
	}
}

// comeBack loads a model in the shared worker again and ends the one it had for itself.
func (c *Client) comeBack(ctx context.Context, e *entry) {
	<-e.turn
	defer func() { e.turn <- struct{}{} }()
	if e.gone.Load() || e.moved.Load() == 0 || e.home == c.shared {
		return
	}
	own, at := e.home, e.at.Load()
	e.home = c.shared
	e.moved.Store(0)
	if at != nil {
		if err := c.place(ctx, e); err != nil {
			if e.home == c.shared { // it was not to blame: it stays where it is
				e.home = own
				e.moved.Store(now())
			} else if c.vacate(e, at) {
				own.close()
			}
			return
		}
	}
	go func() {
		for at != nil && at.runs.Load() > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		own.close()
	}()
}
