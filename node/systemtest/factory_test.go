package systemtest

import (
	"strings"
	"testing"
	"time"

	"edgeward/node/client"
	"edgeward/node/demo"
)

// TestFactoryInProcess plays the factory's demonstration, interrupted at its worst moment: the alarm was seen, and the
// lens is not cleaned yet.
func TestFactoryInProcess(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	reports := reportsOf(t, "tcp://"+s.node.MQTTAddress())
	o := demo.Options{Client: demoClient(t, s), Now: time.Now, Reports: func() int { return len(reports()) }}
	ctx := within(t, 5*time.Minute)
	r := interruptedAt(ctx, t, "alarm;", o, demo.RunFactory, func(r *demo.FactoryReport) *bool { return &r.Resumed })
	if r.Resumed || r.Alarm.Part < r.Lens.DirtyFromPart || r.Alarm.Part >= r.Lens.CleanedAtPart || r.MQTTReports == 0 {
		t.Errorf("resumed %v, alarm %+v, lens %+v, %d reports", r.Resumed, r.Alarm, r.Lens, r.MQTTReports)
	}
	if r.Control.Alarms+r.Control.RunAlarms != 0 || r.Control.Judged < 100 || r.Control.RunJudged != 100 {
		t.Errorf("control is %+v", r.Control)
	}
	if a := r.Accuracy; a.Clean.Accuracy < 0.95 || a.Cleaned.Accuracy < 0.95 || a.Control.Accuracy < 0.95 || a.Dirty.Accuracy > 0.9 || a.Clean.Parts+a.Dirty.Parts+a.Cleaned.Parts != r.Parts {
		t.Errorf("accuracy is %+v of %d parts", a, r.Parts)
	}
	t.Logf("%.1f s, alarm %+v, accuracy %+v, %s serves", r.TotalSeconds, r.Alarm, r.Accuracy, r.Serves)

	t.Run("another story does not take its report for its own", func(t *testing.T) {
		if _, err := demo.Run(ctx, o); err == nil || !strings.Contains(err.Error(), "another demonstration") {
			t.Errorf("%v", err)
		}
	})
	t.Run("the alert fired once and was closed by a word about the lens", func(t *testing.T) {
		list := s.request(t, "GET", "/api/v1/audit?limit=1000", bootstrap, "")
		if body := string(list.body); strings.Count(body, `"alert.fired"`) != 1 || strings.Count(body, `"alert.resolved"`) != 1 || !strings.Contains(body, "the lens was dirty") {
			t.Errorf("fired %d times, resolved %d times", strings.Count(body, `"alert.fired"`), strings.Count(body, `"alert.resolved"`))
		}
	})
	t.Run("the line's records keep the pictures, by the names of their classes", func(t *testing.T) {
		l := must[client.List[client.PredictionRecord]](t)(s.Predictions(ctx, "weld-inspection", client.Window{}, ""))
		e := must[client.PredictionEntry](t)(s.Prediction(ctx, l.Items[0].ID))
		in := e.Predictions[0].InputValues
		if len(in) != 1 || len(in[0].Shape) != 4 || in[0].Shape[3] != 48 {
			t.Errorf("inputs are %+v", in)
		}
		v := must[client.ModelVersion](t)(s.ModelVersion(ctx, "weld-inspection", 1))
		if strings.Join(v.Manifest.Classes, " ") != "ok porosity crack undercut" {
			t.Errorf("classes are %v", v.Manifest.Classes)
		}
	})
	t.Run("one call takes all of it away", func(t *testing.T) {
		j := must[client.Job](t)(s.RemoveDemo(ctx))
		must[client.Job](t)(s.Wait(ctx, j.ID, nil))
		m := must[client.List[client.Model]](t)(s.Models(ctx, ""))
		e := must[client.List[client.EndpointView]](t)(s.Endpoints(ctx, ""))
		if len(m.Items) != 0 || len(e.Items) != 0 {
			t.Errorf("left: %d models, %d endpoints", len(m.Items), len(e.Items))
		}
	})
}
