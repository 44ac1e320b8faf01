// Package health says how a server is: listening, ready, degraded, and why.
//
// # States
//
//	starting    the process runs and answers nothing but this
//	listening   it answers, but not all parts have started: do not send work yet
//	ready       all parts have started and nothing is wrong
//	degraded    it works, and something is wrong: the reasons say what and what to do
//	stopping    it finishes what it has begun
//
// A part reports trouble when it has it and clears it when it is gone. A blip is not an alarm: trouble counts only after
// it has lasted for the delay, unless it is reported as certain (a port taken at start stays taken). What is wrong has a
// stable code, an English sentence and a hint.
//
// The Monitor keeps state only; it starts no goroutine, and time is an argument or the injected clock.
package health

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"edgeward"
)

// State is how the server is, in one word.
type State string

// The states, in the order a server goes through them.
const (
	Starting  State = "starting"
	Listening State = "listening"
	Ready     State = "ready"
	Degraded  State = "degraded"
	Stopping  State = "stopping"
)

// Reason is one thing that is wrong.
type Reason struct {
	Part  string    `json:"part"`           // who reported it: "mqtt", "store", "s3"
	Code  string    `json:"code,omitempty"` // stable: "mqtt.unreachable"
	Text  string    `json:"text"`           // one English sentence
	Hint  string    `json:"hint,omitempty"`
	Since time.Time `json:"since"`
}

// Status is the answer to "how are you".
type Status struct {
	State   State     `json:"state"`
	Since   time.Time `json:"since"` // of the state starting, listening or stopping; else of the last start
	Reasons []Reason  `json:"reasons,omitempty"`
}

// OK reports whether work may be sent here: ready or degraded.
func (s Status) OK() bool { return s.State == Ready || s.State == Degraded }

type trouble struct {
	Reason
	certain bool
}

// Monitor collects what the parts report. It is safe for concurrent use.
type Monitor struct {
	now   func() time.Time
	delay time.Duration

	mu      sync.Mutex
	phase   State
	since   time.Time
	trouble map[string]trouble // by part
}

// New returns a monitor of a server that is starting. Trouble counts after delay.
func New(now func() time.Time, delay time.Duration) *Monitor {
	return &Monitor{now: now, delay: delay, phase: Starting, since: now(), trouble: map[string]trouble{}}
}

// Phase says how far the server's life has gone: Starting, Listening, Ready or Stopping. Degraded is not a phase but what
// Ready becomes by trouble.
func (m *Monitor) Phase(s State) {
	if s == Degraded {
		s = Ready
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.phase != s {
		m.phase, m.since = s, m.now()
	}
}

// Report says that a part is in trouble, nil that it is not. Trouble that goes on keeps its beginning. A part has one
// trouble at a time, the last reported.
func (m *Monitor) Report(part string, err error) { m.report(part, err, false) }

// ReportCertain is Report for trouble that will not pass by itself: it counts at once.
func (m *Monitor) ReportCertain(part string, err error) { m.report(part, err, true) }

func (m *Monitor) report(part string, err error, certain bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		delete(m.trouble, part)
		return
	}
	t := trouble{Reason{Part: part, Code: edgeward.CodeOf(err), Text: err.Error(), Hint: edgeward.HintOf(err), Since: m.now()}, certain}
	if old, ok := m.trouble[part]; ok {
		t.Since = old.Since
	}
	m.trouble[part] = t
}

// Status is how the server is now.
func (m *Monitor) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	s := Status{State: m.phase, Since: m.since}
	for _, t := range m.trouble {
		if t.certain || now.Sub(t.Since) >= m.delay {
			s.Reasons = append(s.Reasons, t.Reason)
		}
	}
	slices.SortFunc(s.Reasons, func(a, b Reason) int { return cmp.Compare(a.Part, b.Part) })
	if s.State == Ready && len(s.Reasons) > 0 {
		s.State = Degraded
	}
	return s
}
