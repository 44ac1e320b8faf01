package monitor

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/node/events"
	"edgeward/node/wire"
	"edgeward/runtime/alerts"
	"edgeward/runtime/drift"
	"edgeward/runtime/jobs"
	"edgeward/runtime/loop"
	"edgeward/runtime/models"
	"edgeward/runtime/serve"
)

// PolicyRequest says how an endpoint is watched and retrained. Nil parts stay as they are.
type PolicyRequest struct {
	Policy             *loop.Policy `json:"policy,omitempty"`
	YearsPerFalseAlarm float64      `json:"years_per_false_alarm,omitempty" minimum:"0" maximum:"1000"`
	Reason             string       `json:"reason"`
}

func (m *Monitor) get(key serve.Key) (*watched, error) {
	w := m.watches[key]
	if w == nil {
		return nil, edgeward.E("monitor", edgeward.NotFound, "monitor.not_found", "endpoint %s is not watched", key.Name).
			WithHint("promote a version that was trained here: it carries the residuals that drift is measured against")
	}
	return w, nil
}

// reasoned refuses a word without a reason.
func reasoned(op, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return edgeward.E(op, edgeward.Invalid, "reason.missing", "say why").WithHint("the reason stands in the audit log beside your name")
	}
	return nil
}

// SetPolicy changes how an endpoint is watched and retrained.
func (m *Monitor) SetPolicy(ctx context.Context, key serve.Key, r PolicyRequest, by string) (loop.State, error) {
	const op = "monitor.SetPolicy"
	if err := reasoned(op, r.Reason); err != nil {
		return loop.State{}, err
	}
	d, err := m.Store.Deployment(ctx, key)
	if err != nil {
		return loop.State{}, err
	}
	if r.Policy != nil {
		if err := r.Policy.Check(); err != nil {
			return loop.State{}, err
		}
		if r.Policy.Unattended && !d.Endpoint.Demo {
			return loop.State{}, edgeward.E(op, edgeward.Forbidden, "loop.unattended", "outside the demonstration no version answers without a person's approval").
				WithHint("leave unattended off: a candidate that wins waits for somebody who may approve it")
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.watches[key]
	if w == nil {
		w = &watched{Watch: newWatch(d), model: d.Endpoint.Model}
		m.watches[key] = w
	}
	before := w.Watch
	if r.Policy != nil {
		w.Loop.Policy = suited(*r.Policy, w.frequency)
	}
	if r.YearsPerFalseAlarm > 0 {
		if w.Settings == (drift.Settings{}) {
			w.Settings = m.settings()
		}
		w.Settings.YearsPerFalseAlarm = r.YearsPerFalseAlarm
		w.detector = nil // made anew with the new threshold at the next step
	}
	e := m.event(w, "loop.policy.changed", r.Reason, nil)
	e.Principal = by
	if err := m.save(ctx, w, []events.Event{e}, nil); err != nil {
		w.Loop.Policy, w.Settings = before.Loop.Policy, before.Settings
		return loop.State{}, err
	}
	m.Poke()
	return w.Loop, nil
}

// Acknowledge says that a principal has seen the firing alert.
func (m *Monitor) Acknowledge(ctx context.Context, key serve.Key, by, reason string) (wire.AlertView, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w, err := m.get(key)
	if err != nil {
		return wire.AlertView{}, err
	}
	if w.Alert.State != alerts.Firing {
		return wire.AlertView{}, edgeward.E("monitor.Acknowledge", edgeward.Conflict, "alert.not_firing", "the alert of %s is not firing", key.Name)
	}
	if w.Alert.Ack == nil {
		word := alerts.Word{By: by, Reason: reason, At: m.now()}
		w.Alert.Ack = &word
		e := m.event(w, "alert.acknowledged", reason, map[string]string{"alert": w.Alert.EpisodeID()})
		e.Principal = by
		if err := m.save(ctx, w, []events.Event{e}, nil); err != nil {
			return wire.AlertView{}, err
		}
	}
	return wire.AlertView{Alert: w.Alert, Endpoint: w.Endpoint, Demo: w.Demo}, nil
}

// Dismiss closes the open alert without a new version; the loop takes the word at its next step.
func (m *Monitor) Dismiss(ctx context.Context, key serve.Key, by, reason string) (wire.AlertView, error) {
	if err := reasoned("monitor.Dismiss", reason); err != nil {
		return wire.AlertView{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	w, err := m.get(key)
	if err != nil {
		return wire.AlertView{}, err
	}
	if w.Loop.Alert == nil {
		return wire.AlertView{}, edgeward.E("monitor.Dismiss", edgeward.Conflict, "alert.not_open", "no alert of %s is open", key.Name)
	}
	w.Dismissal = &loop.Approval{Alert: w.Loop.Alert.Key, By: by, Reason: reason, At: m.now()}
	e := m.event(w, "alert.dismissed", reason, map[string]string{"alert": w.Alert.EpisodeID()})
	e.Principal = by
	if err := m.save(ctx, w, []events.Event{e}, nil); err != nil {
		return wire.AlertView{}, err
	}
	m.Poke()
	return wire.AlertView{Alert: w.Alert, Endpoint: w.Endpoint, Demo: w.Demo}, nil
}

// Decide is a person's word on a candidate that waits for approval.
func (m *Monitor) Decide(ctx context.Context, group, id string, granted bool, by, reason string) (models.CandidateRecord, error) {
	const op = "monitor.Decide"
	if err := reasoned(op, reason); err != nil {
		return models.CandidateRecord{}, err
	}
	r, err := m.Store.Candidate(ctx, group, id)
	if err != nil {
		return r, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	w, err := m.get(serve.Key{Group: group, Name: r.Endpoint})
	if err != nil {
		return r, err
	}
	c := w.Loop.Candidate
	if c == nil || CandidateID(w.Endpoint, c.Attempt) != id || w.Loop.Phase != loop.Approving {
		return r, edgeward.E(op, edgeward.Conflict, "candidate.not_waiting", "candidate %s does not wait for approval", id).
			WithHint("it is approved after it has won its evaluation and passed the shadow")
	}
	w.Approval = &loop.Approval{Version: c.Version, Granted: granted, By: by, Reason: reason, At: m.now()}
	action := map[bool]string{true: "candidate.approved", false: "candidate.refused"}[granted]
	e := m.event(w, action, reason, map[string]string{"candidate": id})
	e.Principal = by
	if err := m.save(ctx, w, []events.Event{e}, nil); err != nil {
		return r, err
	}
	m.Poke()
	r.By, r.Reason = by, reason
	return r, nil
}

// Retrain trains a version on everything known by now, because a person says so. It is registered and changes nothing by
// itself: whoever may promote can let it answer in shadow, as canary or alone.
func (m *Monitor) Retrain(ctx context.Context, key serve.Key, by, reason string) (jobs.Job, error) {
	if err := reasoned("monitor.Retrain", reason); err != nil {
		return jobs.Job{}, err
	}
	m.mu.Lock()
	w, err := m.get(key)
	var to time.Time
	var version int
	var model string
	if err == nil {
		to, version, model = w.Watermark, w.Version, w.model
	}
	m.mu.Unlock()
	if err == nil && version == 0 {
		err = edgeward.E("monitor.Retrain", edgeward.Conflict, "endpoint.no_live", "no version answers behind %s", key.Name).WithHint("promote a version first")
	}
	if err != nil {
		return jobs.Job{}, err
	}
	v, err := m.Store.ModelVersion(ctx, key.Group, models.Ref{Model: model, Version: version})
	if err != nil {
		return jobs.Job{}, err
	}
	return m.Work.Retrain(ctx, Retraining{Champion: v, Endpoint: key.Name, To: to, By: by, Reason: reason, Asked: true,
		Key: key.Name + "/manual/" + v.Digest.Short() + "/" + dayOf(to)})
}

// sorted lists the watches by group and endpoint. The caller holds mu.
func (m *Monitor) sorted() []*watched {
	return slices.SortedFunc(maps.Values(m.watches), func(a, b *watched) int { return strings.Compare(a.Key().String(), b.Key().String()) })
}
