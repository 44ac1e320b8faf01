package agent

import (
	"context"
	"reflect"
	"slices"
	"strconv"
	"time"

	"edgeward/fleet/spec"
)

// Turn brings every item forward once.
func (a *Agent) Turn(ctx context.Context) {
	a.mu.Lock()
	items := slices.Clone(a.kept.Items)
	wan, lan := a.kept.Policy.Speeds(a.now(), nil)
	a.mu.Unlock()
	a.o.Pace.set(wan, lan)
	if err := a.turnBinary(ctx); err != nil && ctx.Err() == nil {
		a.o.Log.Warn("the program of the fleet was not brought forward", "err", err)
	}
	for _, i := range items {
		if ctx.Err() != nil {
			return
		}
		if err := a.forward(ctx, i); err != nil && ctx.Err() == nil {
			a.o.Log.Warn("an endpoint of the fleet was not brought forward", "endpoint", i.Want.Key(), "err", err)
		}
	}
}

// forward observes one item, keeps what Next says, and does it.
func (a *Agent) forward(ctx context.Context, i Item) error {
	o, err := a.observe(ctx, i)
	if err != nil {
		return err
	}
	if len(i.Left) > 0 || i.Gone && !i.Made {
		if i, err = a.leave(ctx, i); err != nil {
			return err
		}
	}
	next, acts := Next(i, o, a.clock())
	if next.State.Phase == spec.Fetching && !o.Download {
		a.halt(i.Want.Key())
	}
	if next.Gone && !o.Exists || next.Gone && !next.Made {
		return a.drop(ctx, i)
	}
	if !reflect.DeepEqual(next, i) {
		if ok, err := a.keep(ctx, i, next); err != nil || !ok {
			return err
		}
	}
	if next.Local > 0 {
		if ended, err := a.revise(ctx, next, len(acts) == 0); ended || err != nil {
			return err
		}
	}
	for _, act := range acts {
		if act == Restore {
			if _, err := a.o.Local.Do(ctx, Promote, next.First); err != nil {
				return err
			}
			continue
		}
		if act == Fetch {
			a.fetch(ctx, next)
			continue
		}
		made, err := a.o.Local.Do(ctx, act, next.Want)
		if err != nil {
			return err
		}
		if made && !next.Made {
			was := next
			next.Made = true
			if ok, err := a.keep(ctx, was, next); err != nil || !ok {
				return err
			}
		}
	}
	return nil
}

// leave takes away what was wanted before and still stands beside what answers: nobody would otherwise.
func (a *Agent) leave(ctx context.Context, i Item) (Item, error) {
	left := i.Left
	if i.Gone && !i.Made {
		left = append(slices.Clone(left), i.Want)
	}
	for _, w := range left {
		o, err := a.o.Local.Observe(ctx, w)
		if err == nil && o.Shadow {
			_, err = a.o.Local.Do(ctx, Withdraw, w)
		}
		if err != nil {
			return i, err
		}
	}
	if len(i.Left) == 0 {
		return i, nil
	}
	next := i
	next.Left = nil
	if ok, err := a.keep(ctx, i, next); err != nil || !ok {
		return i, err
	}
	return next, nil
}

// keep replaces an item if it is still the one that was looked at.
func (a *Agent) keep(ctx context.Context, was, next Item) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := slices.IndexFunc(a.kept.Items, func(x Item) bool { return x.Want.Key() == was.Want.Key() })
	if at < 0 || !reflect.DeepEqual(a.kept.Items[at], was) {
		return false, nil // a document came meanwhile
	}
	k := a.kept
	k.Items = slices.Clone(k.Items)
	k.Items[at] = next
	moved := was.State.Phase != next.State.Phase || was.State.Live != next.State.Live || was.State.Code != next.State.Code
	stored := moved || was.Made != next.Made || was.Answers != next.Answers || len(was.Left) != len(next.Left) || was.First.Digest != next.First.Digest
	return a.moved(ctx, k, moved, stored, happened(was, next, a.now())...)
}

// moved keeps what an item became: stored where a start has to know of it, and told where it moved.
func (a *Agent) moved(ctx context.Context, k Kept, moved, stored bool, said ...Happened) (bool, error) {
	if stored {
		if err := a.o.Store.PutFleetKept(ctx, k, said...); err != nil {
			return false, err
		}
	}
	a.kept = k
	if moved {
		poke(a.reports)
		poke(a.poke)
	}
	return true, nil
}

// happened is what the node's own audit is to say: where a version was settled, or may not be.
func happened(was, next Item, now time.Time) []Happened {
	if was.State.Phase == next.State.Phase || !next.State.Phase.Settled() {
		return nil
	}
	return []Happened{{What: "fleet.endpoint." + string(next.State.Phase), Group: next.Want.Group, Object: next.Want.Name, Reason: next.State.Reason, At: now, By: next.By(),
		Detail: map[string]string{"version": strconv.Itoa(next.Want.Version), "manifest": string(next.Want.Digest), "code": next.State.Code}}}
}

// By is the principal in whose name an item acts.
func (i Item) By() string {
	if i.Want.Rollout == "" {
		return "fleet:hub"
	}
	return "fleet:" + i.Want.Rollout
}

func (a *Agent) drop(ctx context.Context, i Item) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.kept
	k.Items = slices.DeleteFunc(slices.Clone(k.Items), func(x Item) bool { return x.Want.Key() == i.Want.Key() && x.Gone })
	if err := a.o.Store.PutFleetKept(ctx, k); err != nil {
		return err
	}
	a.kept = k
	poke(a.reports)
	return nil
}
