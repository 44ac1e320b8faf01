package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"edgeward/fleet/spec"
)

// Next returns the rollout as it stands after observing the nodes at now, and what happened. nodes are all that the rollout's
// endpoint is meant for, w is what those of them showed that have the new version. It has no side effects and may be called again with the same arguments.
func Next(r Rollout, nodes []Node, w Work, now time.Time) (Rollout, []Note) {
	s := &step{r: r.clone(), by: make(map[string]Node, len(nodes)), told: set(r.Told), failed: set(r.Failed), pairs: map[string][]string{}, now: now}
	for _, n := range nodes {
		s.by[n.ID] = n
		if n.Pair != "" {
			s.pairs[n.Pair] = append(s.pairs[n.Pair], n.ID)
		}
	}
	switch {
	case r.State == Scheduled && !now.Before(r.Plan.NotBefore):
		s.begin(nodes)
		s.run(nodes, w)
	case r.State == Running:
		s.run(nodes, w)
	case r.State == Paused:
		s.join(nodes)
	}
	if s.r.State == RollingBack {
		s.goBack()
	}
	return s.r, s.notes
}

// step is one call of Next.
type step struct {
	r            Rollout
	by           map[string]Node
	told, failed map[string]bool // as r.Told and r.Failed
	pairs        map[string][]string
	now          time.Time
	notes        []Note
}

func set(ids []string) map[string]bool {
	m := make(map[string]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	return m
}

func (s *step) note(what, node, format string, args ...any) {
	s.notes = append(s.notes, Note{what, node, fmt.Sprintf(format, args...)})
}

func (s *step) enter(state State, code, format string, args ...any) {
	s.r.State, s.r.Since, s.r.Code, s.r.Why = state, s.now, code, fmt.Sprintf(format, args...)
	s.note(string(state), "", "%s", s.r.Why)
}

// begin fixes the order.
func (s *step) begin(nodes []Node) {
	s.r.State, s.r.Since = Running, s.now
	places := make(map[string]string, len(nodes))
	for _, n := range nodes {
		s.r.Order = append(s.r.Order, n.ID)
		places[n.ID] = s.r.place(n.ID)
	}
	slices.SortFunc(s.r.Order, func(a, b string) int { return strings.Compare(places[a], places[b]) })
	s.wave(0)
}

// join puts nodes at the end that came since, and forgets those that left the fleet.
func (s *step) join(nodes []Node) {
	known := set(s.r.Order)
	for _, n := range nodes {
		if !known[n.ID] {
			s.r.Order = append(s.r.Order, n.ID)
		}
	}
	gone := func(id string) bool {
		_, ok := s.by[id]
		if !ok {
			delete(s.told, id)
		}
		return !ok
	}
	s.r.Order, s.r.Told = slices.DeleteFunc(s.r.Order, gone), slices.DeleteFunc(s.r.Told, gone)
	s.r.Aside = slices.DeleteFunc(s.r.Aside, func(a Aside) bool { return gone(a.Node) })
}

func (s *step) wave(i int) {
	s.r.Wave, s.r.Step, s.r.Began, s.r.Good, s.r.Held = i, Activating, s.now, time.Time{}, time.Time{}
	if s.r.Plan.Waves[i].Approve {
		s.r.Step = Waiting
	}
	s.note("wave", "", "wave %d of %d: %s", i+1, len(s.r.Plan.Waves), s.r.Step)
}

// run takes the current wave as far as it goes, and the next ones.
func (s *step) run(nodes []Node, w Work) {
	s.join(nodes)
	if len(s.r.Order) == 0 {
		s.enter(Paused, "rollout.nobody", "there is no node to roll out to")
		return
	}
	for s.r.State == Running && s.r.Step != Waiting {
		if s.judge(); s.r.State != Running {
			return
		}
		if s.tell() {
			continue // one of them may have failed it before
		}
		done := s.done()
		if s.r.State == Running {
			s.gate(w)
		}
		if s.r.State != Running || !done || !s.enough(w) {
			return
		}
		if s.r.Wave == len(s.r.Plan.Waves)-1 {
			s.r.Step = ""
			s.enter(Succeeded, "", "%d nodes run version %s", len(s.r.Told), s.r.To.Name())
			return
		}
		s.wave(s.r.Wave + 1)
	}
}

// judge looks for what ends the rollout and for what sets a node aside.
func (s *step) judge() {
	for _, id := range slices.Clone(s.r.Told) {
		n := s.by[id]
		if n.Seen.Want != s.r.To.Digest || n.Seen.Phase != spec.Reverted && n.Seen.Phase != spec.Refused {
			continue
		}
		if n.Seen.Fault == spec.OfNode {
			s.r.Told = slices.DeleteFunc(s.r.Told, func(t string) bool { return t == id })
			delete(s.told, id)
			s.aside(id, n.Seen.Reason)
			continue
		}
		if !s.failed[id] {
			s.failed[id] = true
			s.r.Failed = append(s.r.Failed, id)
			s.note("failed", id, "%s: %s", n.Seen.Phase, n.Seen.Reason)
		}
	}
	if len(s.r.Failed) > s.r.Plan.MaxFailures {
		last := s.by[s.r.Failed[len(s.r.Failed)-1]]
		state := RollingBack
		if s.r.Plan.OnFailure == Pause {
			state = Paused
		}
		s.enter(state, "rollout.failed", "%d of %d nodes could not keep version %s: %s", len(s.r.Failed), len(s.r.Told), s.r.To.Name(), last.Seen.Reason)
	}
}

func (s *step) aside(id, reason string) {
	if !slices.ContainsFunc(s.r.Aside, func(a Aside) bool { return a.Node == id }) {
		s.r.Aside = append(s.r.Aside, Aside{Node: id, Reason: reason})
		s.note("aside", id, "%s", reason)
	}
}

// tell tells the wave's nodes, as many as the budget allows, and reports whether there was one.
func (s *step) tell() (some bool) {
	sites, moving := map[string]int{}, map[string]int{}
	for _, id := range s.r.Order {
		n := s.by[id]
		sites[n.Site]++
		if s.told[id] && !s.has(n) && !s.failed[id] {
			moving[n.Site]++
		}
	}
	for _, id := range s.mine() {
		n := s.by[id]
		if s.told[id] || moving[n.Site] >= s.r.Plan.moving(sites[n.Site]) || !s.pairStands(n) {
			continue
		}
		s.r.Told = append(s.r.Told, id)
		s.told[id], some = true, true
		moving[n.Site]++
		s.note("told", id, "version %s", s.r.To.Name())
	}
	slices.Sort(s.r.Told)
	return some
}

// mine are the nodes the wave reaches, without those set aside. Who is absent is passed over, and comes back into it as soon as it is there.
func (s *step) mine() (ids []string) {
	others := s.r.Plan.Waves[s.r.Wave].reach(len(s.r.Order)) - len(s.told)
	aside, back := make(map[string]Aside, len(s.r.Aside)), map[string]bool{}
	for _, a := range s.r.Aside {
		aside[a.Node] = a
	}
	for _, id := range s.r.Order {
		n := s.by[id]
		a, out := aside[id]
		switch {
		case out && a.Absent && n.Online:
			back[id] = true
		case out:
			continue
		case !n.Online && !s.told[id]:
			s.r.Aside = append(s.r.Aside, Aside{id, absent, true})
			s.note("aside", id, "%s", absent)
			continue
		}
		if s.told[id] {
			ids = append(ids, id)
		} else if others > 0 { // who was told in the place of an absent one keeps it
			ids = append(ids, id)
			others--
		}
	}
	s.r.Aside = slices.DeleteFunc(s.r.Aside, func(a Aside) bool { return back[a.Node] })
	return ids
}

// absent is why a node is passed over.
const absent = "it does not answer"

// pairStands reports whether the other of n's pair answers and is not moving itself.
func (s *step) pairStands(n Node) bool {
	for _, id := range s.pairs[n.Pair] {
		if other := s.by[id]; id != n.ID && other.Site == n.Site && (!other.Online || s.told[id] && !s.has(other)) {
			return false
		}
	}
	return true
}

// has reports whether a node answers with the new version and has decided to keep it.
func (s *step) has(n Node) bool {
	return n.Seen.Phase == spec.Committed && n.Seen.Want == s.r.To.Digest && n.Seen.Live == s.r.To.Digest
}

// done reports whether the wave has succeeded; without reports it pauses after the deadline.
func (s *step) done() bool {
	wave, mine := s.r.Plan.Waves[s.r.Wave], s.mine()
	good, missing := len(mine) > 0, 0
	for _, id := range mine {
		if n := s.by[id]; !s.has(n) && !s.failed[id] {
			good = false
			missing++
			if n.Seen.Want == s.r.To.Digest && n.Seen.Opens.After(s.r.Held) {
				s.r.Held = n.Seen.Opens
			}
		}
	}
	if good {
		if s.r.Good.IsZero() {
			s.r.Good, s.r.Step = s.now, Soaking
			s.note("wave", "", "wave %d: all %d nodes have it", s.r.Wave+1, len(mine))
		}
		return !s.now.Before(s.r.Good.Add(wave.Soak))
	}
	s.r.Good, s.r.Step = time.Time{}, Activating
	deadline := s.r.Began.Add(wave.Deadline)
	if s.r.Held.After(s.r.Began) {
		deadline = s.r.Held.Add(wave.Deadline)
	}
	switch {
	case len(mine) == 0 && !s.absent():
		why := ""
		if n := len(s.r.Aside); n > 0 {
			why = ": " + s.r.Aside[n-1].Reason
		}
		s.enter(Paused, "rollout.nobody", "no node is left that the version fits on%s", why)
	case !s.now.Before(deadline) && len(mine) == 0:
		s.enter(Paused, "rollout.missing", "no node answers")
	case !s.now.Before(deadline):
		s.enter(Paused, "rollout.missing", "%d of %d nodes have not said that they run version %s", missing, len(mine), s.r.To.Name())
	}
	return false
}

func (s *step) absent() bool {
	return slices.ContainsFunc(s.r.Aside, func(a Aside) bool { return a.Absent })
}

// goBack waits until the told nodes that answer are back.
func (s *step) goBack() {
	for _, id := range s.r.Told {
		n, ok := s.by[id]
		elsewhere := n.Seen.Want != "" && n.Seen.Want != s.r.To.Digest && n.Seen.Phase.Settled() // a selection had another version than From
		if ok && n.Online && n.Seen.Live != s.r.From.Digest && !elsewhere {
			return
		}
	}
	state := RolledBack
	if s.r.Aborted {
		state = Aborted
	}
	code, why := s.r.Code, s.r.Why
	s.enter(state, code, "%s", why)
}
