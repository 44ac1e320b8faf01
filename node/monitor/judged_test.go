package monitor_test

import (
	"context"
	"testing"
	"time"

	"edgeward/node/monitor"
	"edgeward/runtime/loop"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/tensor"
)

// inspected is a world whose model is an imported classifier of four classes.
func inspected() *world {
	w := newWorld(false)
	for i := range w.versions {
		w.versions[i].Manifest = models.Manifest{Task: models.Image, Classes: []string{"ok", "porosity", "crack", "undercut"},
			Signature: tensor.Signature{Outputs: []tensor.Spec{{Name: "probability", Datatype: tensor.FP32, Shape: []int64{-1, 4}}}}}
	}
	return w
}

// judged adds parts that people looked at, one a minute; wrong says of which the answer was wrong.
func (w *world) judged(from, to int, wrong func(int) bool) {
	for i := from; i < to; i++ {
		p := record.Pair{Seq: uint64(i), ID: "p", Endpoint: "e", Version: 1, Digest: digest(1), Role: record.Live, EventTime: day(0).Add(time.Duration(i) * time.Minute), Values: []float64{0.9, 0.05, 0.03, 0.02}}
		switch {
		case wrong(i):
			p.Truth = 2
		case i%2 == 0:
			p.Label = "ok" // as a name and as an index
		}
		w.pairs = append(w.pairs, p)
	}
}

func oneInFifty(i int) bool { return i%50 == 17 }

func TestAClassifierIsWatchedByWhatPeopleSayOfItsAnswers(t *testing.T) {
	for _, c := range []struct {
		name  string
		wrong func(int) bool
		alarm bool
	}{
		{"as many wrong as ever", oneInFifty, false},
		{"every third wrong from the six hundredth on", func(i int) bool { return oneInFifty(i) || i >= 600 && i%3 == 0 }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := inspected()
			w.judged(1, 900, c.wrong)
			m, key := start(t, w)
			if s, err := m.Settled(t.Context(), key); err != nil || !s.Settled || s.Phase != string(loop.Watching) {
				t.Fatalf("%+v, %v", s, err)
			}
			v, err := m.View(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			if v.Unit != "answer" {
				t.Errorf("it counts by %q", v.Unit)
			}
			if len(v.Controls) != 1 || v.Controls[0].Days != 100 || v.Controls[0].Alarms != 0 {
				t.Errorf("controls are %+v", v.Controls)
			}
			if !c.alarm {
				if v.AlarmAt != nil || v.Alert != nil || v.Quiet != 699 {
					t.Errorf("alarm at %v, alert %+v, %d quiet", v.AlarmAt, v.Alert, v.Quiet)
				}
				return
			}
			if v.AlarmAt == nil || v.AlarmAt.Before(day(0).Add(600*time.Minute)) || v.Alert == nil || !v.Alert.Open() {
				t.Fatalf("alarm at %v, alert %+v", v.AlarmAt, v.Alert)
			}
			for _, a := range w.actions {
				if len(a) > 7 && a[:7] == "retrain" {
					t.Errorf("an imported version was to be trained: %v", w.actions)
				}
			}
			if len(w.sent) == 0 {
				t.Error("no report was sent")
			}
			if _, err := m.Dismiss(t.Context(), key, "user:a", "the lens was wiped"); err != nil {
				t.Fatal(err)
			}
			ended(t, m, w)
			v, _ = m.View(t.Context(), key)
			if v.AlarmAt != nil || v.Verdict != nil || v.Alert.Open() {
				t.Errorf("after the dismissal: alarm at %v, verdict %+v, alert %s", v.AlarmAt, v.Verdict, v.Alert.State)
			}
		})
	}
}

// ended waits until the alert is closed.
func ended(t *testing.T, m *monitor.Monitor, w *world) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		if v, err := m.View(ctx, w.d.Endpoint.Key()); err == nil && !v.Alert.Open() {
			return
		}
		m.Poke()
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the alert stays open")
}

func TestAJudgementOfAnOlderAnswerCounts(t *testing.T) {
	w := inspected()
	w.judged(1, 260, oneInFifty)
	late := w.pairs[len(w.pairs)-1]
	late.Seq, late.EventTime = 400, day(0)
	w.pairs = append(w.pairs, late)
	m, key := start(t, w)
	if _, err := m.Settled(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if v, err := m.View(t.Context(), key); err != nil || v.Quiet != 60 {
		t.Errorf("%d judgements were looked at after the first 200, want 60; %v", v.Quiet, err)
	}
}
