package alerts

import "time"

// Next returns the alert as it stands after observing o at event time now, and what is to be told. It has no side
// effects and may be called again with the same arguments.
func Next(a Alert, o Observation, now time.Time) (Alert, []Action) {
	if a.State == "" {
		a.State = Inactive
		a.Since = now
	}
	if now.Before(a.Seen) {
		return a, nil
	}
	a.Seen, a.Value = now, o.Value
	if o.Active {
		a.Held, a.Gone, a.Code = now, time.Time{}, o.Code
	} else if a.Gone.IsZero() {
		a.Gone = now
	}

	var actions []Action
	tell := func(v Verb) {
		actions = append(actions, Action{Verb: v, Key: a.EpisodeID() + "/" + string(v), Alert: a})
	}

	if o.Resolve != nil {
		if was := a.State; a.Open() {
			word := *o.Resolve
			a = a.resolved(now, &word)
			if was == Firing {
				tell(NotifyResolved)
			}
		}
		return a, actions
	}
	if o.Active && (a.State == Inactive || a.State == Resolved) {
		a.State, a.Since, a.ActiveAt = Pending, now, now
		a.Ack, a.End = nil, nil
	}
	switch a.State {
	case Pending:
		switch {
		case !o.Active:
			a.State, a.Since = Inactive, now
		case now.Sub(a.ActiveAt) >= a.Rule.For:
			a.State, a.Since, a.FiredAt = Firing, now, now
			a.Episode++
			tell(NotifyFiring)
		}
	case Firing:
		if !o.Active && !a.Rule.Latch && now.Sub(a.Gone) >= a.Rule.HoldDown {
			a = a.resolved(now, nil)
			tell(NotifyResolved)
		}
	}
	if a.State == Firing && o.Ack != nil && a.Ack == nil {
		word := *o.Ack
		a.Ack = &word
		tell(NotifyAck)
	}
	return a, actions
}

// resolved ends the episode. A pending alert that somebody ends was never firing, so it becomes inactive.
func (a Alert) resolved(now time.Time, by *Word) Alert {
	if a.State == Pending {
		a.State, a.Since = Inactive, now
		return a
	}
	a.State, a.Since, a.ResolvedAt, a.End = Resolved, now, now, by
	return a
}
