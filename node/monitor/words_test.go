package monitor_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/mqtt"
	"edgeward/node/events"
	"edgeward/node/monitor"
	"edgeward/runtime/drift"
	"edgeward/runtime/jobs"
	"edgeward/runtime/loop"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/train"
)

// world is everything a monitor sees, in memory: one endpoint, its versions, what was said and what came true.
type world struct {
	d        serve.Deployment
	versions []models.Version
	pairs    []record.Pair
	watch    *monitor.Watch
	actions  []string
	sent     []monitor.Message
	changed  chan struct{}
}

func digest(n int) edgeward.Digest { return edgeward.DigestOf([]byte{byte(n)}) }

func newWorld(demo bool) *world {
	w := &world{changed: make(chan struct{})}
	for n := 1; n <= 2; n++ {
		w.versions = append(w.versions, models.Version{Group: "g", Model: "m", Number: n, Digest: digest(n), Manifest: models.Manifest{Residuals: digest(100 + n)}})
	}
	w.d = serve.Deployment{Endpoint: serve.Endpoint{Group: "g", Name: "e", Model: "m", Demo: demo},
		Spec: serve.Spec{Revision: 1, Targets: []serve.Target{{Version: 1, Digest: digest(1), Role: record.Live}}}}
	return w
}

func (w *world) Watches(context.Context) ([]monitor.Watch, error) { return nil, nil }
func (w *world) SaveWatch(_ context.Context, s monitor.Watch, _ []models.CandidateRecord, news []events.Event, out []monitor.Message) error {
	w.watch = &s
	for _, e := range news {
		w.actions = append(w.actions, e.Action)
	}
	w.sent = append(w.sent, out...)
	return nil
}
func (w *world) Deployments(context.Context) ([]serve.Deployment, error) {
	return []serve.Deployment{w.d}, nil
}
func (w *world) Deployment(_ context.Context, k serve.Key) (serve.Deployment, error) {
	if k != w.d.Endpoint.Key() {
		return serve.Deployment{}, edgeward.E("world", edgeward.NotFound, "endpoint.not_found", "no %s", k)
	}
	return w.d, nil
}
func (w *world) ModelVersion(_ context.Context, _ string, r models.Ref) (models.Version, error) {
	return w.versions[r.Version-1], nil
}
func (w *world) ModelVersionByDigest(_ context.Context, _, _ string, d edgeward.Digest) (models.Version, error) {
	i := slices.IndexFunc(w.versions, func(v models.Version) bool { return v.Digest == d })
	return w.versions[i], nil
}
func (w *world) SetVersionState(context.Context, string, models.Ref, models.State, string, string, time.Time) error {
	return nil
}
func (w *world) JobByKey(context.Context, string, string) (jobs.Job, error) {
	return jobs.Job{}, edgeward.E("world", edgeward.NotFound, "job.not_found", "no job")
}
func (w *world) Candidate(context.Context, string, string) (models.CandidateRecord, error) {
	return models.CandidateRecord{}, edgeward.E("world", edgeward.NotFound, "candidate.not_found", "no candidate")
}

func (w *world) After(_, _ string, cursor uint64, limit int) ([]record.Pair, uint64) {
	var out []record.Pair
	for _, p := range w.pairs {
		if p.Seq > cursor && len(out) < limit {
			out = append(out, p)
			cursor = p.Seq
		}
	}
	return out, cursor
}
func (w *world) Watermark(string, string) time.Time {
	if len(w.pairs) == 0 {
		return time.Time{}
	}
	return w.pairs[len(w.pairs)-1].EventTime
}
func (w *world) List(string, string, record.Query, uint64, int) ([]record.Summary, uint64) {
	return nil, 0
}
func (w *world) Changed() <-chan struct{} { return w.changed }

func (w *world) Change(_ context.Context, _ serve.Key, f func(serve.Spec) (serve.Spec, error)) (serve.Spec, error) {
	s, err := f(w.d.Spec)
	if err == nil {
		w.d.Spec = s
	}
	return s, err
}
func (w *world) Status(serve.Key) (serve.Status, bool) {
	return serve.Status{Live: 1, ObservedRevision: w.d.Spec.Revision, State: serve.Ready}, true
}

func (w *world) Retrain(_ context.Context, r monitor.Retraining) (jobs.Job, error) {
	w.actions = append(w.actions, "retrain to "+r.To.Format(time.DateOnly))
	return jobs.Job{}, nil
}
func (w *world) Evaluate(context.Context, monitor.Evaluation) (jobs.Job, error) {
	return jobs.Job{}, nil
}
func (w *world) Evidence(context.Context, models.Version, time.Time, time.Time) ([]drift.Effect, error) {
	return nil, nil
}

// Residuals are two hundred days of small errors that alternate in no pattern.
func (w *world) Residuals(context.Context, models.Version) (out []train.Residual, err error) {
	for i := range 200 {
		half := train.Calibration
		if i >= 100 {
			half = train.Control
		}
		out = append(out, train.Residual{Target: day(i), Truth: 100 + noise(i), Forecast: 100, Half: half})
	}
	return out, nil
}

// noise is a fixed sequence that looks like one of independent errors of a spread near one.
func noise(i int) float64 {
	x := uint64(i)*0x9E3779B97F4A7C15 + 0x1234567
	x ^= x >> 31
	x *= 0xBF58476D1CE4E5B9
	x ^= x >> 27
	return (float64(x>>11)/(1<<53) - 0.5) * 3.4
}

func day(i int) time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i) }

// live adds days of the live version's answers with a bias from day shift on.
func (w *world) live(from, to, shift int, bias float64) {
	for i := from; i < to; i++ {
		truth := 100 + noise(i)
		if i >= shift {
			truth += bias
		}
		w.pairs = append(w.pairs, record.Pair{Seq: uint64(i), ID: "p", Endpoint: "e", Version: 1, Digest: digest(1), Role: record.Live,
			EventTime: day(i - 1), Target: day(i), Values: []float64{100}, Truth: truth})
	}
}

func start(t *testing.T, w *world) (*monitor.Monitor, serve.Key) {
	t.Helper()
	topics, err := mqtt.NewTopics("site", "node")
	if err != nil {
		t.Fatal(err)
	}
	m := monitor.New(monitor.Parts{Store: w, Records: w, Spec: w, Work: w, Now: time.Now, Site: "site", Node: "node", Topics: topics,
		GroupName: func(string) string { return "ward" }, Sent: func() {}, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return m, w.d.Endpoint.Key()
}

func TestQuietDaysRaiseNothing(t *testing.T) {
	w := newWorld(false)
	w.live(300, 500, 1000, 0)
	m, key := start(t, w)
	if s, err := m.Settled(t.Context(), key); err != nil || !s.Settled || s.Phase != string(loop.Watching) {
		t.Fatalf("%+v, %v", s, err)
	}
	v, err := m.View(t.Context(), key)
	if err != nil || v.AlarmAt != nil || len(v.Course) != 200 || v.Quiet != 200 || len(v.Controls) != 1 || v.Controls[0].Alarms != 0 || v.Unit != "step" {
		t.Errorf("alarm %v, course of %d, %d quiet %ss, controls %+v, %v", v.AlarmAt, len(v.Course), v.Quiet, v.Unit, v.Controls, err)
	}
}

func TestAShiftRaisesOneAlarmAndAsksForOneRetraining(t *testing.T) {
	w := newWorld(false)
	w.live(300, 460, 400, 6)
	m, key := start(t, w)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond) // the training never ends in this world
	defer cancel()
	if s, err := m.Settled(ctx, key); err != nil || s.Settled || s.Phase != string(loop.Retraining) || s.Alert != "firing" {
		t.Fatalf("%+v, %v", s, err)
	}
	v, err := m.View(t.Context(), key)
	if err != nil || v.AlarmAt == nil || v.AlarmAt.Before(day(400)) || v.AlarmAt.After(day(430)) {
		t.Fatalf("alarm at %v, %v", v.AlarmAt, err)
	}
	count := func(what string) (n int) {
		for _, a := range w.actions {
			if a == what {
				n++
			}
		}
		return n
	}
	if count("drift.alarm") != 1 || count("alert.fired") != 1 || count("retrain to "+v.AlarmAt.Format(time.DateOnly)) == 0 {
		t.Errorf("the log has %v", w.actions)
	}
	for _, m := range w.sent {
		if m.Schema == drift.Schema && m.Topic != "edgeward/v1/site/node/drift/e" {
			t.Errorf("a report went to %s", m.Topic)
		}
	}
}

func TestWordsNeedReasonsAndTheRightMoment(t *testing.T) {
	w := newWorld(false)
	w.live(300, 310, 1000, 0)
	m, key := start(t, w)
	if _, err := m.Settled(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		do   func() error
		code string
	}{
		{"a policy without a reason", func() error { _, err := m.SetPolicy(t.Context(), key, monitor.PolicyRequest{}, "user:a"); return err }, "reason.missing"},
		{"an unattended loop outside the demonstration", func() error {
			_, err := m.SetPolicy(t.Context(), key, monitor.PolicyRequest{Policy: &loop.Policy{Unattended: true, Principal: "x"}, Reason: "r"}, "user:a")
			return err
		}, "loop.unattended"},
		{"a policy with too few held-out days", func() error {
			_, err := m.SetPolicy(t.Context(), key, monitor.PolicyRequest{Policy: &loop.Policy{EvaluationDays: 10}, Reason: "r"}, "user:a")
			return err
		}, "loop.policy_invalid"},
		{"an acknowledgement without an alert", func() error { _, err := m.Acknowledge(t.Context(), key, "user:a", "r"); return err }, "alert.not_firing"},
		{"a dismissal without an alert", func() error { _, err := m.Dismiss(t.Context(), key, "user:a", "r"); return err }, "alert.not_open"},
		{"retraining without a reason", func() error { _, err := m.Retrain(t.Context(), key, "user:a", " "); return err }, "reason.missing"},
		{"an endpoint nobody watches", func() error {
			_, err := m.Retrain(t.Context(), serve.Key{Group: "g", Name: "other"}, "user:a", "r")
			return err
		}, "monitor.not_found"},
	} {
		if err := c.do(); edgeward.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want code %s", c.name, err, c.code)
		}
	}
	if _, err := m.SetPolicy(t.Context(), key, monitor.PolicyRequest{Policy: &loop.Policy{CoolDownDays: 5}, Reason: "sooner"}, "user:a"); err != nil {
		t.Errorf("a good policy: %v", err)
	}
}
