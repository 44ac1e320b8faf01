package monitor

import (
	"context"
	"encoding/json"
	"time"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/drift"
	"edgeward/runtime/loop"
	"edgeward/runtime/recipe"
	"edgeward/runtime/serve"
)

// View is the monitor of one endpoint as its page shows it.
func (m *Monitor) View(ctx context.Context, key serve.Key) (wire.DriftView, error) {
	if _, err := m.Store.Deployment(ctx, key); err != nil {
		return wire.DriftView{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v := wire.DriftView{Endpoint: key.Name, Course: []wire.Point{}, Reports: []drift.Report{}, Controls: []wire.ControlRun{}, Versions: map[string]int{}}
	w := m.watches[key]
	if w == nil {
		return v, nil
	}
	v.Version, v.Settings, v.Verdict, v.Loop, v.Busy, v.Quiet = w.Version, w.Settings, w.Verdict, w.Loop, w.busy, w.Quiet
	v.Unit = w.unit()
	v.Course = append(v.Course, w.Course...)
	v.Reports = append(v.Reports, w.Reports...)
	v.Alarmed = w.Alarmed
	v.Controls = append(v.Controls, w.Controls...)
	v.Loop.Policy = w.Loop.Policy.Filled()
	if w.Alert.Key != "" {
		alert := w.Alert
		v.Alert = &alert
	}
	v.Versions = m.numbers(ctx, w)
	if at := w.Watermark; !at.IsZero() {
		v.Watermark = &at
	}
	if at := w.AlarmAt; !at.IsZero() {
		v.AlarmAt = &at
	}
	return v, nil
}

// unit is what the detector counts.
func (w *watched) unit() string {
	switch {
	case w.classOf != nil:
		return "answer"
	case w.frequency == recipe.Hourly:
		return "hour"
	case w.frequency == recipe.Daily:
		return "day"
	case w.frequency == recipe.Weekly:
		return "week"
	}
	return "step"
}

// Brief is what an endpoint's line shows of its monitor.
type Brief struct {
	Phase, Drift string
	Alert        bool
	Watched      int // version
}

// Brief returns it; the zero Brief when the endpoint is not watched.
func (m *Monitor) Brief(key serve.Key) Brief {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.watches[key]
	if w == nil || w.Version == 0 {
		return Brief{}
	}
	b := Brief{Phase: string(w.Loop.Phase), Alert: w.Alert.Open(), Watched: w.Version}
	if b.Phase == "" {
		b.Phase = string(loop.Watching)
	}
	if w.Verdict != nil {
		b.Drift = string(w.Verdict.Level)
	}
	if !w.AlarmAt.IsZero() {
		b.Drift = string(drift.Alarm)
	}
	return b
}

// Alerts lists the alerts of a group that ever fired, open ones first.
func (m *Monitor) Alerts(_ context.Context, group string) ([]wire.AlertView, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var open, rest []wire.AlertView
	for _, w := range m.sorted() {
		if w.Group != group || w.Alert.Key == "" {
			continue
		}
		v := wire.AlertView{Alert: w.Alert, Endpoint: w.Endpoint, Demo: w.Demo}
		if w.Alert.Open() {
			open = append(open, v)
		} else {
			rest = append(rest, v)
		}
	}
	return append(open, rest...), nil
}

// Settled returns when the monitor has seen all feedback and no work for the endpoint is under way, or when ctx ends.
func (m *Monitor) Settled(ctx context.Context, key serve.Key) (wire.Settled, error) {
	if _, err := m.Store.Deployment(context.WithoutCancel(ctx), key); err != nil { // who waits for no time is answered as well
		return wire.Settled{}, err
	}
	for {
		m.mu.Lock()
		looked, steps := m.looked, m.steps
		s := wire.Settled{}
		if w := m.watches[key]; w != nil {
			pairs, _ := m.Records.After(key.Group, key.Name, w.Cursor, 1)
			s.Settled = steps > 0 && len(pairs) == 0 && !w.busy
			s.Watermark, s.Phase, s.Version, s.Alert = w.Watermark, string(w.Loop.Phase), w.Version, string(w.Alert.State)
			if w.Version == 0 {
				s.Settled = true
			}
		}
		m.mu.Unlock()
		if s.Settled || ctx.Err() != nil {
			return s, nil
		}
		m.Poke()
		select {
		case <-looked:
		case <-ctx.Done():
		}
	}
}

// LastReport is the newest drift report over all endpoints, as it was sent.
func (m *Monitor) LastReport() (at time.Time, body string, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.watches {
		if len(w.Reports) == 0 || (ok && w.saved.Before(at)) {
			continue
		}
		if b, err := json.Marshal(w.Reports[0]); err == nil {
			at, body, ok = w.saved, string(b), true
		}
	}
	return at, body, ok
}

// numbers are the version numbers of the digests that the loop's state names.
func (m *Monitor) numbers(ctx context.Context, w *watched) map[string]int {
	digests := []string{w.Loop.Champion, w.Loop.Previous}
	for _, c := range w.Loop.Candidates {
		digests = append(digests, c.Version)
	}
	for _, t := range w.Loop.Transitions {
		digests = append(digests, t.Params["version"], t.Params["previous"])
	}
	if c := w.Loop.Candidate; c != nil {
		digests = append(digests, c.Version)
	}
	out := map[string]int{}
	for _, d := range digests {
		if d == "" || out[d] > 0 {
			continue
		}
		if v, err := m.Store.ModelVersionByDigest(ctx, w.Group, w.model, edgeward.Digest(d)); err == nil {
			out[d] = v.Number
		}
	}
	return out
}
