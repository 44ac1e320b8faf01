package monitor

import (
	"context"
	"math"
	"strconv"
	"time"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/drift"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/train"
)

// maxPairs is how many pairs are taken from the log at once.
const maxPairs = 512

// step brings one endpoint's watch up to what is known. It returns whether there is more to take.
func (m *Monitor) step(ctx context.Context, d serve.Deployment) (again bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := d.Endpoint.Key()
	w := m.watches[key]
	if w == nil {
		w = &watched{Watch: newWatch(d)}
		m.watches[key] = w
	}
	w.model = d.Endpoint.Model
	if err := m.follow(ctx, w, d); err != nil {
		return false, err
	}
	if w.Version == 0 || w.detector == nil && w.classOf == nil {
		return false, nil // nothing answers yet: after a restart the version is still being loaded
	}
	pairs, cursor := m.Records.After(key.Group, key.Name, w.Cursor, maxPairs)
	for i := 0; i < len(pairs); {
		n := i + 1
		for n < len(pairs) && pairs[n].Target.Equal(pairs[i].Target) {
			n++
		}
		if n == len(pairs) && len(pairs) == maxPairs && i > 0 {
			cursor = pairs[i-1].Seq // the last target may go on in the next page
			break
		}
		see := m.observe
		if w.classOf != nil {
			see = m.observeJudged
		}
		if err := see(ctx, w, d, pairs[i:n]); err != nil {
			return false, err
		}
		w.Cursor = pairs[n-1].Seq
		i = n
	}
	w.dirty = w.dirty || cursor != w.Cursor
	w.Cursor = max(w.Cursor, cursor)
	w.Watermark = later(w.Watermark, m.watermark(w, d))
	if err := m.turn(ctx, w, d); err != nil {
		return false, err
	}
	if d, err = m.Store.Deployment(ctx, key); err != nil {
		return false, err
	}
	if live, ok := answering(m.Spec, d); ok && live.Digest != w.Digest {
		w.busy = true // another version answers since this step: look again before anybody calls it settled
		return true, nil
	}
	if w.dirty && m.Now().Sub(w.saved) > saveEvery {
		if err := m.save(ctx, w, nil, nil); err != nil {
			return false, err
		}
	}
	return len(pairs) == maxPairs, nil
}

// watermark is the last target of which all truth has come: the log's watermark is about origins, one horizon earlier.
func (m *Monitor) watermark(w *watched, d serve.Deployment) time.Time {
	at := m.Records.Watermark(d.Endpoint.Group, d.Endpoint.Name)
	if at.IsZero() {
		return at
	}
	newest, _ := m.Records.List(d.Endpoint.Group, d.Endpoint.Name, record.Query{Roles: []record.Role{record.Live}}, 0, 1)
	if len(newest) == 1 && !newest[0].Target.IsZero() {
		at = at.Add(newest[0].Target.Sub(newest[0].EventTime))
	}
	return at
}

// observe gives the detector the live version's pairs of one target.
func (m *Monitor) observe(ctx context.Context, w *watched, d serve.Deployment, pairs []record.Pair) error {
	level := w.level()
	seen := false
	for _, p := range pairs {
		if p.Version != w.Version || p.Role != record.Live || p.Corrected || len(p.Values) == 0 || p.Label != "" {
			continue
		}
		var v drift.Verdict
		w.Detector, v = w.detector.Step(w.Detector, drift.Observation{At: p.Target, Group: p.Key, Truth: p.Truth, Forecast: p.Values[0]})
		w.Verdict, seen = &v, true
	}
	if !seen {
		return nil
	}
	w.dirty = true
	return m.noted(ctx, w, d, pairs[0].Target, level)
}

// level is what was said last.
func (w *watched) level() drift.Level {
	if w.Verdict == nil {
		return drift.Quiet
	}
	return w.Verdict.Level
}

// noted keeps a new verdict about time at, reports it where it says something new, and hands an alarm to the loop.
func (m *Monitor) noted(ctx context.Context, w *watched, d serve.Deployment, at time.Time, level drift.Level) error {
	w.Course = append(w.Course, wire.Point{At: at, Statistic: w.Verdict.Statistic, Level: w.Verdict.Level, Version: w.Version})
	w.Course = w.Course[max(0, len(w.Course)-maxCourse):]
	alarmed := w.AlarmAt.IsZero() && w.Verdict.Level == drift.Alarm
	if w.AlarmAt.IsZero() && !alarmed {
		w.Quiet++
	}
	if alarmed {
		w.AlarmAt = at
	}
	if alarmed || w.Verdict.Level != level || at.Sub(w.Reported) >= reportEvery {
		if err := m.report(ctx, w, d, at, alarmed); err != nil {
			return err
		}
	}
	if alarmed { // the loop must see the alarm on its own day, not at the end of a long page
		w.Watermark = later(w.Watermark, at)
		return m.turn(ctx, w, d)
	}
	return nil
}

// follow makes the watch look at the version that answers.
func (m *Monitor) follow(ctx context.Context, w *watched, d serve.Deployment) error {
	live, ok := answering(m.Spec, d)
	if !ok || (live.Digest == w.Digest && (w.detector != nil || w.classOf != nil)) {
		return nil
	}
	v, err := m.Store.ModelVersionByDigest(ctx, w.Group, d.Endpoint.Model, live.Digest)
	if err != nil {
		return err
	}
	w.classOf, w.detector = nil, nil
	if v.Manifest.Residuals == "" {
		_, err := m.followJudged(w, v)
		return err // neither residuals nor classes: nothing to compare with, this endpoint is not watched
	}
	residuals, err := m.Work.Residuals(ctx, v)
	if err != nil {
		return err
	}
	if w.Settings == (drift.Settings{}) {
		w.Settings = m.settings()
		w.Settings.PerYear = perYear(v)
	}
	ref, err := drift.NewReference(observations(residuals, ""), w.Settings)
	if err != nil {
		return err
	}
	detector, err := drift.NewDetector(ref, w.Settings)
	if err != nil {
		return err
	}
	w.detector, w.reference = detector, residuals
	w.plausible = map[string]span{string(v.Digest): plausible(residuals)}
	w.frequency = frequency(v)
	w.Loop.Policy = suited(w.Loop.Policy, w.frequency)
	if live.Digest == w.Digest {
		return nil // the same version after a restart: its state goes on
	}
	w.Version, w.Digest = v.Number, v.Digest
	w.Detector, w.Verdict, w.AlarmAt, w.Quiet = drift.State{}, nil, time.Time{}, 0
	if c, err := drift.Control(observations(residuals, train.Calibration), observations(residuals, train.Control), w.Settings); err == nil {
		w.Controls = append(w.Controls, wire.ControlRun{Version: v.Number, Days: c.Days, Alarms: c.Alarms})
		w.Controls = w.Controls[max(0, len(w.Controls)-maxReports):]
	} else if edgeward.KindOf(err) != edgeward.Invalid {
		return err
	}
	w.dirty = true
	return nil
}

// answering is the target that really answers clients now.
func answering(s Spec, d serve.Deployment) (serve.Target, bool) {
	status, ok := s.Status(d.Endpoint.Key())
	if !ok || status.Live == 0 {
		return serve.Target{}, false
	}
	if t, ok := d.Spec.Target(status.Live); ok {
		return t, true
	}
	if p := d.Spec.Previous; p != nil && p.Version == status.Live {
		return *p, true
	}
	return serve.Target{}, false
}

// observations are the residuals of one half, or all with "".
func observations(all []train.Residual, half string) (out []drift.Observation) {
	for _, r := range all {
		if half == "" || r.Half == half {
			out = append(out, drift.Observation{At: r.Target, Group: r.Group, Truth: r.Truth, Forecast: r.Forecast})
		}
	}
	return out
}

// plausible is the range outside which an answer counts as out of range: the truths of the reference and half their
// spread on both sides.
func plausible(all []train.Residual) span {
	low, high := math.Inf(1), math.Inf(-1)
	for _, r := range all {
		low, high = min(low, r.Truth), max(high, r.Truth)
	}
	spread := (high - low) / 2
	return span{low - spread, high + spread}
}

// span is a range of values.
type span struct{ low, high float64 }

// plausibleOf is the plausible range of a version's answers: its own truths decide, since a candidate is there because
// the world has moved, and may rightly answer what the champion never saw.
func (m *Monitor) plausibleOf(ctx context.Context, w *watched, digest string) (span, error) {
	if s, ok := w.plausible[digest]; ok {
		return s, nil
	}
	v, err := m.version(ctx, w, serve.Deployment{Endpoint: serve.Endpoint{Model: w.model}}, digest)
	if err != nil {
		return span{}, err
	}
	residuals, err := m.Work.Residuals(ctx, v)
	if err != nil {
		return span{}, err
	}
	s := plausible(residuals)
	if w.plausible == nil {
		w.plausible = map[string]span{}
	}
	w.plausible[digest] = s
	return s, nil
}

// perYear is how many targets a year has for a version, from its recipe's frequency.
func perYear(v models.Version) float64 {
	switch frequency(v) {
	case "hourly":
		return 365.25 * 24
	case "weekly":
		return 365.25 / 7
	}
	return 365.25
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// newWatch is the watch of an endpoint that nobody has looked at.
func newWatch(d serve.Deployment) Watch {
	e := d.Endpoint
	w := Watch{Group: e.Group, Endpoint: e.Name, Demo: e.Demo, Life: strconv.FormatInt(e.Created.UnixMilli(), 36)}
	w.Loop.Endpoint = e.Name
	return w
}

// settings are a new monitor's.
func (m *Monitor) settings() drift.Settings {
	s := drift.DefaultSettings()
	if m.FalseAlarms > 0 {
		s.YearsPerFalseAlarm = 1 / m.FalseAlarms
	}
	return s
}
