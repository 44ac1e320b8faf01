package agent

import (
	"context"
	"reflect"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/sync/pull"
	"edgeward/sync/tuf"
)

// Programs is the node's own program (node/update). An id names what is tried, and comes back as Program.For.
type Programs interface {
	// Program says what runs and what came of the last change.
	Program(ctx context.Context) (Program, error)
	// FitsProgram reports why a binary cannot run here; nil if it can.
	FitsProgram(ctx context.Context, r tuf.Release) error
	// TakeProgram puts a binary, whose bytes are among the blobs, into a slot.
	TakeProgram(ctx context.Context, r tuf.Release, id string) error
	// StartProgram has a binary of a slot prove itself and run; what comes of it is seen later. This process ends if it runs.
	StartProgram(ctx context.Context, d edgeward.Digest, id string) error
	// BackProgram has what ran before run again. This process ends.
	BackProgram(ctx context.Context, id string) error
}

// seldom is how often a program is looked at that nobody means to change.
const seldom = 30 * time.Second

// turnBinary brings the program forward once.
func (a *Agent) turnBinary(ctx context.Context) error {
	a.mu.Lock()
	was, now, looked := a.kept.Binary, a.now(), a.looked
	a.mu.Unlock()
	if was == nil {
		return nil
	}
	i := *was
	if since := now.Sub(looked); i.State.Phase.Settled() && !i.Gone && since >= 0 && since < seldom {
		return nil
	}
	rel, o, err := a.observeBinary(ctx, i, now)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.looked = now
	a.mu.Unlock()
	next, act := NextBinary(i, o, now)
	if next.State.Phase == spec.Fetching && !o.Download {
		a.halt(i.Want.Key())
	}
	if act == Forget {
		_, err := a.keepBinary(ctx, was, nil)
		return err
	}
	if !reflect.DeepEqual(next, i) {
		if ok, err := a.keepBinary(ctx, was, &next); err != nil || !ok {
			return err
		}
	}
	switch act {
	case Fetch:
		a.fetchBinary(ctx, rel)
	case Stage:
		a.triedBinary(next.Want, a.o.Programs.TakeProgram(ctx, rel, next.try()))
	case Start:
		a.triedBinary(next.Want, a.o.Programs.StartProgram(ctx, next.Want.Digest, next.try()))
	case Return:
		a.triedBinary(next.Want, a.o.Programs.BackProgram(ctx, next.back()))
	}
	return nil
}

// observeBinary looks at everything the item depends on.
func (a *Agent) observeBinary(ctx context.Context, i BinaryItem, now time.Time) (rel tuf.Release, o BinaryObserved, err error) {
	w := i.Want
	a.mu.Lock()
	policy := a.kept.Policy
	o.Problem = a.failed[w.Key()]
	a.mu.Unlock()
	o.Download, o.Activate, o.Opens = windows(policy, w.Now, i.State.Phase, now)
	if rel, err = a.verifier.Release(w.OS, w.Arch, w.Digest, now); err != nil {
		o.Waits = asError(err)
	}
	if a.o.Programs == nil {
		o.Unfit = asError(edgeward.E("agent.Programs", edgeward.Conflict, "update.unsupervised", "this server has no supervisor and cannot update itself"))
		return rel, o, nil
	}
	if o.Program, err = a.o.Programs.Program(ctx); err != nil {
		return rel, o, err
	}
	if _, err := a.o.Puller.Blobs.Stat(w.Digest); err == nil {
		o.Here = true
	}
	if phase := i.State.Phase; o.Waits.Code == "" && (phase == spec.Offered || phase == spec.Refused) {
		if err := a.o.Programs.FitsProgram(ctx, rel); err != nil {
			o.Unfit = asError(err)
		}
	}
	return rel, o, nil
}

// keepBinary replaces the item if it is still the one that was looked at.
func (a *Agent) keepBinary(ctx context.Context, was, next *BinaryItem) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept.Binary != was {
		return false, nil // a document came meanwhile
	}
	k := a.kept
	k.Binary = next
	var said []Happened
	moved := next == nil || was.State.Phase != next.State.Phase || was.State.Code != next.State.Code || was.State.Live != next.State.Live
	if next != nil && was.State.Phase != next.State.Phase {
		delete(a.failed, was.Want.Key())
		if next.State.Phase.Settled() {
			said = append(said, Happened{What: "fleet.program." + string(next.State.Phase), Object: "edgeward " + next.Want.Version, Reason: next.State.Reason, At: a.now(),
				By: Item{Want: spec.Endpoint{Rollout: next.Want.Rollout}}.By(), Detail: map[string]string{"digest": string(next.Want.Digest), "code": next.State.Code}})
		}
	}
	return a.moved(ctx, k, moved, moved || was.Starts != next.Starts, said...)
}

// triedBinary notes how an act went, and puts the next try off where it did not go well.
func (a *Agent) triedBinary(w spec.Binary, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		delete(a.failed, w.Key())
		return
	}
	a.failed[w.Key()] = asError(err)
	if b := a.kept.Binary; b != nil {
		next := *b
		next.Tries++
		next.Next = a.now().Add(a.retryIn(next.Tries, err))
		a.kept.Binary = &next
	}
	a.o.Log.Warn("the program of the fleet was not brought forward", "version", w.Version, "err", err)
}

// fetchBinary brings the bytes in the background, one try at a time.
func (a *Agent) fetchBinary(ctx context.Context, r tuf.Release) {
	k := spec.BinaryKey(r.OS, r.Arch)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fetching[k] != nil {
		return
	}
	w := a.kept.Binary.Want
	want := pull.Want{Digest: r.Digest, Size: r.Length}
	if like := a.kept.Binary.State.Live; like != r.Digest { // what runs is like it, where its bytes are among the blobs
		if _, err := a.o.Puller.Blobs.Stat(like); err == nil {
			want.Like = like
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	a.fetching[k] = cancel
	a.fetches.Go(func() {
		defer cancel()
		bring := a.o.Bring
		if bring == nil {
			bring = a.fromHub
		}
		var done int64
		got, err := bring(ctx, []pull.Want{want}, func(n int64) {
			a.mu.Lock()
			defer a.mu.Unlock()
			done += n
			a.progress[k] = [2]int64{done, r.Length}
		})
		a.came(got)
		if ctx.Err() == nil {
			a.triedBinary(w, err)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.fetching, k)
		poke(a.poke)
	})
}
