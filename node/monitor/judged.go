package monitor

import (
	"context"
	"slices"
	"time"

	"edgeward/node/wire"
	"edgeward/runtime/drift"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// A classifier that came without validation residuals is watched by what people say of its answers. Its first judged
// answers are the reference, the next ones the control run; from then on the same detector as for forecasts looks at one
// number for each judged answer: 1 where it was wrong, 0 where it was right.
const (
	judgedReference = 100
	judgedControl   = 100
)

// classOf returns what class an answer names; nil for a version whose answers name none, or more classes than the index
// of predictions keeps values of.
func classOf(m models.Manifest) func(values []float64) int {
	if len(m.Signature.Outputs) == 0 {
		return nil
	}
	first := m.Signature.Outputs[0]
	width := int64(1)
	if n := len(first.Shape); n > 1 {
		width = first.Shape[n-1]
	}
	switch {
	case m.Task != models.Image && m.Task != models.Multiclass && m.Task != models.Binary:
		return nil
	case width >= 2 && width <= record.MaxValues:
		return func(values []float64) int {
			scores := values[:min(len(values), int(width))]
			return slices.Index(scores, slices.Max(scores))
		}
	case width == 1 && (first.Datatype == tensor.Int64 || first.Datatype == tensor.Int32):
		return func(values []float64) int { return int(values[0]) }
	case width == 1 && m.Task == models.Binary:
		return func(values []float64) int {
			if values[0] >= 0.5 {
				return 1
			}
			return 0
		}
	}
	return nil
}

// followJudged makes the watch look at a classifier that has no validation residuals. It returns false for any other version.
func (m *Monitor) followJudged(w *watched, v models.Version) (bool, error) {
	w.classOf, w.classes = classOf(v.Manifest), v.Manifest.Classes
	if w.classOf == nil {
		return false, nil
	}
	if v.Digest != w.Digest {
		w.Version, w.Digest, w.Judged = v.Number, v.Digest, []drift.Observation{}
		w.Detector, w.Verdict, w.AlarmAt, w.Quiet = drift.State{}, nil, time.Time{}, 0
		w.dirty = true
	}
	return true, m.learn(w)
}

// learn makes the detector once enough answers were judged.
func (m *Monitor) learn(w *watched) error {
	if len(w.Judged) < judgedReference+judgedControl {
		return nil
	}
	if w.Settings == (drift.Settings{}) {
		w.Settings = m.settings()
	}
	w.Settings.PerYear = judgedPerYear(w.Judged)
	ref, err := drift.NewReference(w.Judged, w.Settings)
	if err != nil {
		return err
	}
	w.detector, err = drift.NewDetector(ref, w.Settings)
	return err
}

// judgedPerYear is how many judged answers a year has at the pace of the reference: the promised time to a false alarm is in years.
func judgedPerYear(all []drift.Observation) float64 {
	took := all[len(all)-1].At.Sub(all[0].At)
	year := 365.25 * 24 * float64(time.Hour)
	return max(1, min(1e9, float64(len(all)-1)*year/max(1, float64(took))))
}

// judge is a pair as the detector takes it; false for one that says nothing of the live version. Judgements count in the
// order in which they came, so one about an older answer stands just behind the newest.
func (w *watched) judge(p record.Pair) (drift.Observation, bool) {
	if p.Version != w.Version || p.Role != record.Live || p.Corrected || len(p.Values) == 0 {
		return drift.Observation{}, false
	}
	truth := int(p.Truth)
	if p.Label != "" {
		if truth = slices.Index(w.classes, p.Label); truth < 0 {
			return drift.Observation{}, false
		}
	}
	o := drift.Observation{At: targetOf(p)}
	if !o.At.After(w.JudgedAt) {
		o.At = w.JudgedAt.Add(time.Microsecond)
	}
	if w.classOf(p.Values) != truth {
		o.Truth = 1
	}
	w.JudgedAt = o.At
	return o, true
}

// observeJudged gives the detector what was said of the live version's answers of one time.
func (m *Monitor) observeJudged(ctx context.Context, w *watched, d serve.Deployment, pairs []record.Pair) error {
	for _, p := range pairs {
		o, ok := w.judge(p)
		if !ok {
			continue
		}
		w.dirty = true
		w.Watermark = later(w.Watermark, o.At)
		if w.detector == nil {
			w.Judged = append(w.Judged, o)
			if err := m.learn(w); err != nil {
				return err
			}
			if w.detector != nil {
				w.control()
			}
			continue
		}
		level := w.level()
		var v drift.Verdict
		w.Detector, v = w.detector.Step(w.Detector, o)
		w.Verdict = &v
		if err := m.noted(ctx, w, d, o.At, level); err != nil {
			return err
		}
	}
	return nil
}

// control runs the detector over the judged answers after the reference.
func (w *watched) control() {
	c, err := drift.Control(w.Judged[:judgedReference], w.Judged[judgedReference:], w.Settings)
	if err != nil {
		return // the reference is long enough and shares no time with the control: learn has seen both
	}
	w.Controls = append(w.Controls, wire.ControlRun{Version: w.Version, Days: c.Days, Alarms: c.Alarms})
	w.Controls = w.Controls[max(0, len(w.Controls)-maxReports):]
}

// dismissed begins anew after a person has closed the alert of a classifier: a remedy outside the model, such as a wiped
// lens, leaves the version as it is.
func (w *watched) dismissed() {
	if w.classOf != nil {
		w.Detector, w.Verdict, w.AlarmAt, w.Quiet = drift.State{}, nil, time.Time{}, 0
	}
}

// targetOf is the time a pair speaks of: the target of a forecast, else when it happened.
func targetOf(p record.Pair) time.Time {
	if p.Target.IsZero() {
		return p.EventTime
	}
	return p.Target
}
