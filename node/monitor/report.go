package monitor

import (
	"context"
	"encoding/json"
	"time"

	"edgeward/node/events"
	"edgeward/runtime/drift"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

// reportEvery is the event time between two reports that say the same.
const reportEvery = 28 * 24 * time.Hour

// evidenceDays is the window of inputs that is compared with the same season of the reference.
const evidenceDays = 90

// report makes a drift report at target at and puts it into the outbox. An alarm's report carries evidence.
func (m *Monitor) report(ctx context.Context, w *watched, d serve.Deployment, at time.Time, alarmed bool) error {
	v, err := m.Store.ModelVersion(ctx, w.Group, models.Ref{Model: d.Endpoint.Model, Version: w.Version})
	if err != nil {
		return err
	}
	from := at.AddDate(0, 0, 1-evidenceDays)
	window := drift.Window{From: from, To: at}
	rows, _ := m.Records.List(w.Group, w.Endpoint, record.Query{Version: w.Version, Roles: []record.Role{record.Live}, From: from.AddDate(0, 0, -7)}, 0, record.MaxList)
	for _, r := range rows {
		target := r.Target
		if target.IsZero() {
			target = r.EventTime
		}
		if target.Before(from) || target.After(at) {
			continue
		}
		window.N++
		if r.Truth == nil {
			window.MissingLabels++
		}
	}
	var evidence []drift.Effect
	if alarmed && w.classOf == nil {
		if evidence, err = m.Work.Evidence(ctx, v, from, at); err != nil {
			m.Log.Warn("no evidence for the alarm", "endpoint", w.Endpoint, "err", err)
		}
	}
	since := at
	if len(w.Reports) > 0 && w.Reports[0].Verdict == w.Verdict.Level {
		since = w.Reports[0].Since
	}
	w.Seq++
	r := drift.NewReport(drift.Subject{Site: m.Site, Node: m.Node, Group: m.GroupName(w.Group), Endpoint: w.Endpoint, Model: d.Endpoint.Model,
		Version: string(w.Digest), Reference: string(v.Manifest.Profile), EventID: w.Alert.EpisodeID(), Seq: w.Seq}, window, *w.Verdict, since, evidence)
	w.Reports = append([]drift.Report{r}, w.Reports...)
	w.Reports = w.Reports[:min(len(w.Reports), maxReports)]
	w.Reported = at
	if alarmed {
		w.Alarmed = &r
	}
	topic, err := m.Topics.Drift(w.Endpoint)
	if err != nil {
		return err
	}
	body, err := bodyOf(r)
	if err != nil {
		return err
	}
	out := []Message{{Topic: topic, Schema: drift.Schema, Key: m.Node + "/" + r.Key, Body: body, Retained: true}}
	var news []events.Event
	if alarmed {
		news = append(news, m.event(w, "drift.alarm", "", map[string]string{"target": at.Format(time.DateOnly), "report": r.Key}))
	}
	return m.save(ctx, w, news, out)
}

// bodyOf is v as JSON without the fields of a message's header, which the outbox writes.
func bodyOf(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return nil, err
	}
	delete(fields, "schema")
	delete(fields, "seq")
	delete(fields, "key")
	return json.Marshal(fields)
}

// event is one that the monitor itself causes.
func (m *Monitor) event(w *watched, action, reason string, detail map[string]string) events.Event {
	return events.Event{Time: m.Now(), Principal: Principal, Group: w.Group, Action: action, Reason: reason, Detail: detail, Demo: w.Demo,
		Object: events.Object{Kind: "endpoint", Name: w.Endpoint, ID: w.Endpoint}}
}

// Principal is who the monitor is in events and jobs.
const Principal = "system:monitor"

// save keeps the watch with the candidates it implies, events and messages.
func (m *Monitor) save(ctx context.Context, w *watched, news []events.Event, out []Message) error {
	candidates, err := m.candidates(ctx, w)
	if err != nil {
		return err
	}
	if err := m.Store.SaveWatch(ctx, w.Watch, candidates, news, out); err != nil {
		return err
	}
	w.dirty, w.saved = false, m.Now()
	if len(out) > 0 {
		m.Sent()
	}
	return nil
}
