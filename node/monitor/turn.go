package monitor

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"time"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/jobs"
	"edgeward/runtime/loop"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

// maxTurns bounds the transitions of one step: more would be a defect of the loop.
const maxTurns = 32

// turn asks the loop what to do until it wants nothing new, does it, and saves what changed.
func (m *Monitor) turn(ctx context.Context, w *watched, d serve.Deployment) error {
	if w.Watermark.IsZero() {
		return nil
	}
	done := map[string]bool{}
	for range maxTurns {
		d, err := m.Store.Deployment(ctx, d.Endpoint.Key())
		if err != nil {
			return err
		}
		o, err := m.observed(ctx, w, d)
		if err != nil {
			return err
		}
		before := w.Loop
		next, actions := loop.Next(before, o, w.Watermark)
		fresh := slices.DeleteFunc(actions, func(a loop.Action) bool { return done[a.Key] })
		changed := next.Step != before.Step || next.Phase != before.Phase || next.Champion != before.Champion || held(next) != held(before)
		w.Loop = next
		for _, a := range fresh {
			if err := m.act(ctx, w, d, a); err != nil {
				return err
			}
			done[a.Key] = true
		}
		if changed {
			if o.Approval != nil && next.Phase != loop.Approving {
				w.Approval = nil
			}
			if o.Dismissal != nil {
				if next.Alert == nil {
					w.dismissed()
				}
				w.Dismissal = nil
			}
			if err := m.save(ctx, w, nil, nil); err != nil {
				return err
			}
		}
		if !changed && len(fresh) == 0 {
			return nil
		}
	}
	return edgeward.E("monitor.turn", edgeward.Internal, "", "the loop of %s does not come to rest", w.Endpoint)
}

// held is the candidate's held-out window, which the loop may lengthen without a transition.
func held(s loop.State) int {
	if s.Candidate == nil {
		return 0
	}
	return s.Candidate.HeldOut
}

// observed gathers what the loop looks at.
func (m *Monitor) observed(ctx context.Context, w *watched, d serve.Deployment) (loop.Observed, error) {
	o := loop.Observed{Watermark: w.Watermark, Champion: string(w.Digest), Approval: w.Approval, Dismissal: w.Dismissal, Untrained: w.classOf != nil}
	if live, ok := answering(m.Spec, d); ok {
		o.Champion = string(live.Digest)
	}
	if w.Verdict != nil {
		o.Drift = &loop.Drift{Version: string(w.Digest), Alarm: !w.AlarmAt.IsZero(), At: w.AlarmAt}
		if o.Drift.Alarm && len(w.Reports) > 0 {
			o.Drift.Report = w.Reports[0].Key
		}
	}
	w.busy = false
	c := w.Loop.Candidate
	if c == nil {
		return o, nil
	}
	var err error
	switch w.Loop.Phase {
	case loop.Retraining:
		o.Job, err = m.retrained(ctx, w)
	case loop.Evaluating:
		o.Evaluation, o.EvaluationError, err = m.evaluated(ctx, w)
	}
	if err != nil || c.Version == "" {
		return o, err
	}
	if o.Shadow, err = m.traffic(ctx, w, d, c.Version, record.Shadow); err != nil {
		return o, err
	}
	o.Canary, err = m.traffic(ctx, w, d, c.Version, record.Canary)
	return o, err
}

// retrained looks for the training job of the candidate in flight.
func (m *Monitor) retrained(ctx context.Context, w *watched) (*loop.Job, error) {
	key := actionKey(w.Endpoint, w.Loop.Candidate, loop.Retrain)
	j, err := m.Store.JobByKey(ctx, w.Group, w.jobKey(key))
	if edgeward.KindOf(err) == edgeward.NotFound {
		w.busy = true // it is asked for
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := &loop.Job{Key: key, Done: j.State.Ended()}
	w.busy = !out.Done
	switch {
	case j.State == jobs.Succeeded:
		var r wire.TrainResult
		if err := json.Unmarshal(j.Result, &r); err != nil {
			return nil, edgeward.Wrap("monitor.retrained", err)
		}
		out.Version = r.Digest
	case out.Done:
		out.Error = "job." + string(j.State)
		if j.Error != nil && j.Error.Code != "" {
			out.Error = j.Error.Code
		}
	}
	return out, nil
}

// evaluated looks for the evaluation job of the candidate in flight.
func (m *Monitor) evaluated(ctx context.Context, w *watched) (*loop.Evaluation, *loop.Failure, error) {
	key := actionKey(w.Endpoint, w.Loop.Candidate, loop.Evaluate)
	j, err := m.Store.JobByKey(ctx, w.Group, w.jobKey(key))
	if edgeward.KindOf(err) == edgeward.NotFound {
		_, to := w.Loop.Candidate.Window()
		w.busy = !w.Watermark.Before(to) // it is asked for when the held-out days are over
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	w.busy = !j.State.Ended()
	switch {
	case j.State == jobs.Succeeded:
		var e loop.Evaluation
		if err := json.Unmarshal(j.Result, &e); err != nil {
			return nil, nil, edgeward.Wrap("monitor.evaluated", err)
		}
		return &e, nil, nil
	case j.State.Ended():
		f := &loop.Failure{Key: key, Code: "job." + string(j.State)}
		if j.Error != nil && j.Error.Code != "" {
			f.Code = j.Error.Code
		}
		return nil, f, nil
	}
	return nil, nil, nil
}

// traffic is what a version did in a role; nil while the spec does not give it that role or it is not loaded yet.
func (m *Monitor) traffic(ctx context.Context, w *watched, d serve.Deployment, digest string, role record.Role) (*loop.Traffic, error) {
	at := slices.IndexFunc(d.Spec.Targets, func(t serve.Target) bool { return string(t.Digest) == digest && t.Role == role })
	if at < 0 {
		return nil, nil
	}
	status, _ := m.Spec.Status(w.Key())
	version := d.Spec.Targets[at].Version
	if !slices.ContainsFunc(status.Versions, func(v serve.VersionStatus) bool { return v.Version == version && v.Role == role && v.Loaded }) {
		w.busy = w.busy || status.State != serve.Failed && status.State != serve.Degraded
		return &loop.Traffic{Version: digest}, nil
	}
	within, err := m.plausibleOf(ctx, w, digest)
	if err != nil {
		return nil, err
	}
	t := &loop.Traffic{Version: digest}
	t.Answers, t.Errors, t.OutOfRange, t.P95MS = m.measure(w, version, role, within)
	_, _, _, t.ChampionP95MS = m.measure(w, w.Version, record.Live, within)
	return t, nil
}

// measure looks at the newest answers of a version in a role.
func (m *Monitor) measure(w *watched, version int, role record.Role, within span) (answers, errs, out int, p95 float64) {
	rows, _ := m.Records.List(w.Group, w.Endpoint, record.Query{Version: version, Roles: []record.Role{role}}, 0, 400)
	var lat []float64
	for _, r := range rows {
		answers++
		if r.Error != "" {
			errs++
			continue
		}
		lat = append(lat, float64(r.LatencyUS)/1000)
		if len(r.Values) == 0 || math.IsNaN(r.Values[0]) || r.Values[0] < within.low || r.Values[0] > within.high {
			out++
		}
	}
	slices.Sort(lat)
	if n := len(lat); n > 0 {
		p95 = lat[min(n-1, n*95/100)]
	}
	return answers, errs, out, p95
}

func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }
