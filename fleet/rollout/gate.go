package rollout

import (
	"fmt"
	"strings"
)

// Gate is what the nodes that have the new version must show together. A node's own probation judges what that node sees; a gate sees what shows only in the
// sum, and later. The zero Gate takes the defaults of Settled.
type Gate struct {
	Then     OnFailure `json:"then,omitempty"`     // what a gate that does not hold leads to: Pause if empty, RollBack, or Ignore
	Errors   float64   `json:"errors,omitempty"`   // largest share of failed requests; 0: one in a hundred
	Requests int64     `json:"requests,omitempty"` // that must be counted before a wave ends; 0: none are waited for
}

// Ignore of a gate: nothing is judged.
const Ignore OnFailure = "ignore"

// fewest is how many requests a share of errors is judged by.
const fewest = 100

// Work is what nodes showed together since the rollout was asked for, with the new version and with the one before. The zero Work holds against every gate that waits
// for nothing.
type Work struct {
	New, Old Count
	Moved    []string // what has drifted from what the new version was trained on and not from what the one before was, the most first
}

// Count are requests that were answered or failed.
type Count struct{ Requests, Errors int64 }

func (c Count) share() float64 { return float64(c.Errors) / float64(max(1, c.Requests)) }

// off: nothing is judged, or the rollout began before there were gates.
func (g Gate) off() bool { return g.Then == Ignore || g.Then == "" }

// check reports why g is no gate.
func (g Gate) check() string {
	switch {
	case g.Then != "" && g.Then != Pause && g.Then != RollBack && g.Then != Ignore:
		return fmt.Sprintf("a gate leads to pause, roll-back or ignore, not %q", g.Then)
	case !(g.Errors >= 0 && g.Errors <= 1) || g.Requests < 0:
		return "a gate has a share of errors up to 1 and no negative count"
	}
	return ""
}

// fails is why the work does not hold against g; "" if it does, or if there is too little to say. Errors that the version before has as well are not the version's.
func (g Gate) fails(w Work) string {
	switch {
	case w.New.Requests >= fewest && w.New.share() > g.Errors && w.New.share() > w.Old.share():
		return fmt.Sprintf("of %d requests to the new version %.1f %% failed; %.1f %% are allowed", w.New.Requests, 100*w.New.share(), 100*g.Errors)
	case len(w.Moved) > 0:
		return "drift, which the version before does not have: " + strings.Join(w.Moved[:min(3, len(w.Moved))], ", ")
	}
	return ""
}

// gate ends a wave that all its nodes have and that does not hold, as soon as that shows, unless a person has looked at it.
func (s *step) gate(w Work) {
	g := s.r.Plan.Gate
	if g.off() || s.r.Good.IsZero() || s.r.Looked > s.r.Wave {
		return
	}
	why := g.fails(w)
	if why == "" {
		return
	}
	state := Paused
	if g.Then == RollBack {
		state = RollingBack
	}
	s.enter(state, CodeGate, "%s", why)
}

// enough reports whether a wave that has soaked has shown so much that it may end; what is missing at its deadline pauses it.
func (s *step) enough(w Work) bool {
	g := s.r.Plan.Gate
	if g.off() || s.r.Looked > s.r.Wave || w.New.Requests >= g.Requests {
		return true
	}
	s.r.Step = Measuring
	if wave := s.r.Plan.Waves[s.r.Wave]; !s.now.Before(s.r.Good.Add(wave.Deadline)) {
		s.enter(Paused, CodeUnmeasured, "%d requests to the new version are counted; %d are asked for", w.New.Requests, g.Requests)
	}
	return false
}

// Codes of a rollout that a gate stopped. Who resumes it has looked, and this wave is not held against the gate again.
const (
	CodeGate       = "rollout.gate"
	CodeUnmeasured = "rollout.unmeasured"
)
