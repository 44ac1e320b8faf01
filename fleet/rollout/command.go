package rollout

import (
	"slices"
	"time"

	"edgeward"
)

// Approve lets a rollout begin that waits for it, or the wave that does.
func (r Rollout) Approve(by, reason string, now time.Time) (Rollout, error) {
	next := r.said("approve", by, reason, now)
	switch {
	case r.State == AwaitingApproval:
		if by == r.By {
			return r, edgeward.E("rollout.Approve", edgeward.Forbidden, "rollout.own", "who asked for a rollout does not approve it").WithHint("ask somebody else to approve it")
		}
		next.State, next.Since = Scheduled, now
	case r.State == Running && r.Step == Waiting:
		next.Step, next.Began = Activating, now
	default:
		return r, r.cannot("approve")
	}
	return next, nil
}

// Pause stops telling further nodes; those that have the new version keep it.
func (r Rollout) Pause(by, reason string, now time.Time) (Rollout, error) {
	if r.State != Running {
		return r, r.cannot("pause")
	}
	next := r.said("pause", by, reason, now)
	next.State, next.Since, next.Code, next.Why = Paused, now, "rollout.paused", reason
	return next, nil
}

// Resume goes on with a paused rollout. The wave's deadline counts anew, and what failed so far is forgiven: a person has looked.
func (r Rollout) Resume(by, reason string, now time.Time) (Rollout, error) {
	if r.State != Paused {
		return r, r.cannot("resume")
	}
	next := r.said("resume", by, reason, now)
	if r.Code == CodeGate || r.Code == CodeUnmeasured {
		next.Looked = r.Wave + 1
	}
	next.State, next.Since, next.Began, next.Code, next.Why = Running, now, now, "", ""
	for _, id := range next.Failed {
		next.Aside = append(next.Aside, Aside{Node: id, Reason: "it failed before the rollout was resumed"})
		next.Told = slices.DeleteFunc(next.Told, func(t string) bool { return t == id })
	}
	next.Failed = nil
	return next, nil
}

// Abort ends a rollout: nodes that were told the new version go back to the old one.
func (r Rollout) Abort(by, reason string, now time.Time) (Rollout, error) {
	next := r.said("abort", by, reason, now)
	next.Aborted, next.Code, next.Why, next.Since = true, "rollout.aborted", reason, now
	switch {
	case r.State.Final():
		return r, r.cannot("abort")
	case r.State == RollingBack:
		next.Code, next.Why = r.Code, r.Why
	case len(r.Told) == 0:
		next.State = Aborted
	default:
		next.State = RollingBack
	}
	return next, nil
}

// Hurry notes that a person wants the nodes of a rollout to wait for no window.
func (r Rollout) Hurry(by, reason string, now time.Time) (Rollout, error) {
	if r.State.Final() || r.State == RollingBack {
		return r, r.cannot("hurry")
	}
	next := r.said("now", by, reason, now)
	next.Held = time.Time{}
	return next, nil
}

func (r Rollout) said(what, by, reason string, now time.Time) Rollout {
	r = r.clone()
	r.Said = append(r.Said, Decision{what, by, now, reason})
	return r
}

func (r Rollout) cannot(what string) error {
	return edgeward.E("rollout."+what, edgeward.Conflict, "rollout.state", "%s: not while the rollout is %s", what, r.State).With("state", string(r.State)).
		WithHint("edgeward fleet rollout show %s says where it stands", r.ID)
}
